//! What a table of ours looks like now: which of its columns gets what, and which indexes it has.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::field::Field;
use super::memory::SessionMemory;
use super::relation::OpenRelation;
use super::sequence::Sequence;

/// The first OID that is not PostgreSQL's own.
const FIRST_FOREIGN: u32 = pg_sys::FirstNormalObjectId;

/// Columns of a table that rows are put into, dropped ones and others' included.
pub const MOST_COLUMNS: usize = 32;

/// A table of the schema zentry_notify, and the columns that its rows are given, with their types. An identity that is not among
/// them is drawn from its sequence.
#[derive(Debug)]
pub struct Table {
    pub name: &'static CStr,
    pub columns: &'static [(&'static str, pg_sys::Oid)],
}

impl Table {
    /// Whether the fields are of the columns' types.
    pub fn takes(&self, row: &[Field]) -> bool {
        row.len() == self.columns.len()
            && row
                .iter()
                .zip(self.columns)
                .all(|(field, (_, oid))| field.type_oid().is_none_or(|given| given == *oid))
    }
}

/// Where a column's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Index in the fields of a row.
    Given {
        place: usize,
        nullable: bool,
        /// Bytes of a text that are surely not too long.
        limit: Option<usize>,
    },
    Null,
    Identity,
}

/// An index of the table.
#[derive(Debug)]
pub struct Index {
    pub oid: pg_sys::Oid,
    pub unique: bool,
    /// The columns' numbers; 0: an expression.
    pub attributes: Vec<i16>,
    /// In the layout's memory.
    pub information: *mut pg_sys::IndexInfo,
    /// Storing an entry needs nothing but the row's values, and cannot fail.
    pub plain: bool,
}

/// A table into which rows can be put directly.
pub struct Layout {
    pub fills: Vec<Fill>,
    pub indexes: Vec<Index>,
    /// The identity's sequence, if the column is not given.
    pub sequence: Option<Sequence>,
    /// The unique index on the identity alone.
    pub identity_index: Option<usize>,
    _memory: SessionMemory,
}

impl Layout {
    /// None: the table is not as ours are, so that a row needs an INSERT statement.
    pub fn of(relation: &OpenRelation, table: &Table) -> Option<Self> {
        let class = relation.class();
        if class.relkind as u8 != pg_sys::RELKIND_RELATION
            || class.relam != pg_sys::HEAP_TABLE_AM_OID
            || class.relispartition
        {
            return None;
        }
        let mut fills = Vec::new();
        let mut identity = None;
        for column in relation.columns().iter() {
            let fill = fill(column, table)?;
            if fill == Fill::Identity {
                identity = Some(column.attnum);
            }
            fills.push(fill);
        }
        if fills.len() > MOST_COLUMNS {
            return None;
        }
        let given = fills
            .iter()
            .filter(|fill| matches!(fill, Fill::Given { .. }))
            .count();
        if given != table.columns.len() {
            return None;
        }
        let sequence = match identity {
            Some(attribute) => Some(Sequence::of_identity(relation, attribute)?),
            None => None,
        };
        let memory = SessionMemory::new(c"zentry_notify layout");
        let mut indexes = Vec::new();
        for oid in relation.indexes() {
            if let Some(index) = index(oid, relation, identity, &memory)? {
                indexes.push(index);
            }
        }
        let identity_index = identity.and_then(|identity| {
            indexes
                .iter()
                .position(|index| index.unique && index.attributes == [identity])
        });
        Some(Layout {
            fills,
            indexes,
            sequence,
            identity_index,
            _memory: memory,
        })
    }

    /// Whether storing a row with its index entries is all that there is to do, and cannot fail by what is in it.
    pub fn is_plain(&self) -> bool {
        self.indexes.iter().all(|index| index.plain)
    }
}

/// None: the column needs what only a statement gives it.
fn fill(column: &pg_sys::FormData_pg_attribute, table: &Table) -> Option<Fill> {
    if column.attisdropped {
        return Some(Fill::Null);
    }
    if column.attgenerated != 0 {
        return None;
    }
    let given = table.columns.iter().position(|(name, _)| *name == column.name());
    match given {
        Some(place) => {
            let limit = limit(column, table.columns[place].1)?;
            Some(Fill::Given {
                place,
                nullable: !column.attnotnull,
                limit,
            })
        }
        None if column.attidentity != 0 && column.atttypid == pg_sys::INT8OID => Some(Fill::Identity),
        None => (!column.attnotnull && !column.atthasdef && column.attidentity == 0).then_some(Fill::Null),
    }
}

/// None: the column is not of the type. Some(None): every value of the type fits.
fn limit(column: &pg_sys::FormData_pg_attribute, given: pg_sys::Oid) -> Option<Option<usize>> {
    if column.atttypid == given && column.atttypmod < 0 {
        return Some(None);
    }
    // Stored as a text is. The modifier counts characters, of at least a byte, and the header's four bytes.
    let is_varchar = given == pg_sys::TEXTOID && column.atttypid == pg_sys::VARCHAROID;
    let length = usize::try_from(column.atttypmod - pg_sys::VARHDRSZ as i32);
    is_varchar.then(|| length.unwrap_or(usize::MAX)).map(Some)
}

/// Some(None): it takes no entries yet. None: only a statement can serve it.
fn index(
    oid: pg_sys::Oid,
    table: &OpenRelation,
    identity: Option<i16>,
    memory: &SessionMemory,
) -> Option<Option<Index>> {
    let index = OpenRelation::open(oid, pg_sys::RowExclusiveLock)?;
    // SAFETY: an open index has its catalogue row, whose `indkey` has an element for each of its columns.
    let form = unsafe { &*(*index.as_ptr()).rd_index };
    if !form.indisready {
        return Some(None);
    }
    if !form.indimmediate || form.indisexclusion {
        return None;
    }
    // SAFETY: as above.
    let attributes = unsafe { form.indkey.values.as_slice(form.indnatts as usize) }.to_vec();
    // SAFETY: lists in the current memory context, null when there is nothing.
    let simple = unsafe {
        pg_sys::RelationGetIndexExpressions(index.as_ptr()).is_null()
            && pg_sys::RelationGetIndexPredicate(index.as_ptr()).is_null()
    };
    let small = attributes.iter().all(|attribute| is_small(table, *attribute));
    let own_identity = identity.is_some_and(|identity| attributes == [identity]);
    Some(Some(Index {
        oid,
        unique: form.indisunique,
        // SAFETY: of an open index; it stays as long as the memory.
        information: memory.within(|| unsafe { pg_sys::BuildIndexInfo(index.as_ptr()) }),
        plain: simple && small && is_ordinary_btree(&index) && (!form.indisunique || own_identity),
        attributes,
    }))
}

/// Whether the column's values fit into an index entry: of a fixed length, or names of event types.
fn is_small(table: &OpenRelation, attribute: i16) -> bool {
    attribute > 0
        && table
            .columns()
            .get(attribute as usize - 1)
            .is_some_and(|column| column.attlen > 0 || column.name() == "event_type")
}

/// Whether its entries are compared by PostgreSQL's own functions.
fn is_ordinary_btree(index: &OpenRelation) -> bool {
    if index.class().relam != pg_sys::BTREE_AM_OID {
        return false;
    }
    // SAFETY: an open index has its access method's routines, and as many support functions for each key column.
    unsafe {
        let relation = index.as_ptr();
        let functions = usize::from((*(*relation).rd_indam).amsupport);
        let keys = (*(*relation).rd_index).indnkeyatts as usize;
        (0..keys).all(|key| (*(*relation).rd_support.add(key * functions)).to_u32() < FIRST_FOREIGN)
    }
}
