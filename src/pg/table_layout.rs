//! The layout of one of the extension's tables, as it is now: what each column is filled with, and the indexes.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::field::Field;
use super::memory::SessionMemory;
use super::relation::OpenRelation;
use super::sequence::Sequence;

/// Maximum number of columns of a table that rows are stored into directly, dropped ones and those that users have added included.
pub const MAX_COLUMNS: usize = 32;

/// A table of the schema zentry_notify, with the columns that each row gives a value for, and their types. An identity column that is not among
/// them gets its number from its sequence.
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

/// The source of a column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// A field of the row.
    Given {
        /// The index of the field.
        place: usize,
        nullable: bool,
        /// The length in bytes up to which every text fits; None: without a limit.
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
    /// The columns' `attnum`; 0: an expression.
    pub attributes: Vec<i16>,
    /// Allocated in the layout's memory.
    pub information: *mut pg_sys::IndexInfo,
    /// Whether storing an entry takes only the row's values, and cannot fail.
    pub plain: bool,
}

/// The layout of a table into which rows can be stored directly.
pub struct Layout {
    pub fills: Vec<Fill>,
    pub indexes: Vec<Index>,
    /// The sequence of the identity column, unless the rows give it.
    pub sequence: Option<Sequence>,
    /// The index, in `indexes`, of the unique index on the identity column alone.
    pub identity_index: Option<usize>,
    _memory: SessionMemory,
}

impl Layout {
    /// Reads the layout of an open table. None: it was changed in a way that makes an INSERT statement necessary.
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
        if fills.len() > MAX_COLUMNS {
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

    /// Whether storing a row and its index entries evaluates nothing, and cannot fail for what is in the row.
    pub fn is_plain(&self) -> bool {
        self.indexes.iter().all(|index| index.plain)
    }
}

/// Returns how a column is filled; None: only a statement can do it (a default, a generated column, another type).
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

/// Returns the length in bytes up to which every text fits into the column. Some(None): every value of the type fits. None: the column is of another
/// type.
fn limit(column: &pg_sys::FormData_pg_attribute, given: pg_sys::Oid) -> Option<Option<usize>> {
    if column.atttypid == given && column.atttypmod < 0 {
        return Some(None);
    }
    // A varchar is stored as a text is. Its modifier is the maximum number of characters, each of at least a byte, plus the header's four bytes.
    let is_varchar = given == pg_sys::TEXTOID && column.atttypid == pg_sys::VARCHAROID;
    let length = usize::try_from(column.atttypmod - pg_sys::VARHDRSZ as i32);
    is_varchar.then(|| length.unwrap_or(usize::MAX)).map(Some)
}

/// Returns an index of the table. Some(None): it takes no entries yet. None: only a statement can maintain it.
fn index(
    oid: pg_sys::Oid,
    table: &OpenRelation,
    identity: Option<i16>,
    memory: &SessionMemory,
) -> Option<Option<Index>> {
    let index = OpenRelation::open(oid, pg_sys::RowExclusiveLock)?;
    // SAFETY: rd_index of an open index points to its row of pg_index.
    let form = unsafe { &*(*index.as_ptr()).rd_index };
    if !form.indisready {
        return Some(None);
    }
    if !form.indimmediate || form.indisexclusion {
        return None;
    }
    // SAFETY: `indkey` has an element for each of the index's columns.
    let attributes = unsafe { form.indkey.values.as_slice(form.indnatts as usize) }.to_vec();
    // SAFETY: the index is open; both return null where it has none, else a list in the current memory context.
    let simple = unsafe {
        pg_sys::RelationGetIndexExpressions(index.as_ptr()).is_null()
            && pg_sys::RelationGetIndexPredicate(index.as_ptr()).is_null()
    };
    let small = attributes.iter().all(|attribute| is_small(table, *attribute));
    let own_identity = identity.is_some_and(|identity| attributes == [identity]);
    Some(Some(Index {
        oid,
        unique: form.indisunique,
        // SAFETY: the index is open; the result is allocated in `memory`, which the layout keeps.
        information: memory.within(|| unsafe { pg_sys::BuildIndexInfo(index.as_ptr()) }),
        plain: simple && small && is_ordinary_btree(&index) && (!form.indisunique || own_identity),
        attributes,
    }))
}

/// Whether every value of the column fits into an index entry: it is of fixed length, or the name of an event type.
fn is_small(table: &OpenRelation, attribute: i16) -> bool {
    attribute > 0
        && table
            .columns()
            .get(attribute as usize - 1)
            .is_some_and(|column| column.attlen > 0 || column.name() == "event_type")
}

/// Whether it is a btree whose entries are compared by PostgreSQL's own functions.
fn is_ordinary_btree(index: &OpenRelation) -> bool {
    if index.class().relam != pg_sys::BTREE_AM_OID {
        return false;
    }
    // SAFETY: an open index has the routine of its access method, and in rd_support `amsupport` functions for each key column.
    unsafe {
        let relation = index.as_ptr();
        let functions = usize::from((*(*relation).rd_indam).amsupport);
        let keys = (*(*relation).rd_index).indnkeyatts as usize;
        (0..keys)
            .all(|key| (*(*relation).rd_support.add(key * functions)).to_u32() < pg_sys::FirstNormalObjectId)
    }
}
