//! Look-ups that go straight through a unique index, as referential integrity's do: starting and ending an executor costs
//! several times what it finds.
//!
//! What is looked up is what the [statement](super::enrichment) of the same look-ups would find. Its rights were checked when
//! it was rehearsed, and everything that may change them, or the tables, is noticed.

use std::cell::RefCell;

use pgrx::pg_sys;

use super::memo::{Memo, Shape, Values};
use super::watch::{CONFIGURATION, Watch};
use crate::event_source::{Key, Lookup};
use crate::relation::OpenRelation;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Index in the source's columns.
    Column(usize),
    /// Read, and attribute of it.
    Read(usize, usize),
}

/// One row, found by its key.
struct Read {
    table: pg_sys::Oid,
    index: pg_sys::Oid,
    /// All but the argument.
    key: pg_sys::ScanKeyData,
    /// The argument is passed by value.
    key_by_value: bool,
    from: Place,
    attributes: Vec<Attribute>,
}

struct Attribute {
    number: i16,
    shape: Shape,
}

/// Reads for a source's look-ups.
pub struct DirectLookups {
    reads: Vec<Read>,
    /// For each look-up.
    results: Vec<Place>,
    memo: RefCell<Memo>,
    /// As of which it holds.
    changes: u64,
}

impl DirectLookups {
    /// None when one of them is not by a unique index of a plain table. `column` gives a column's index in the source's columns
    /// and its type, `table` a table that is watched since before `changes` were counted.
    pub fn prepare(
        lookups: &[Lookup],
        table: &dyn Fn(&str) -> pg_sys::Oid,
        column: &dyn Fn(&str) -> (usize, pg_sys::Oid),
        changes: u64,
    ) -> Option<Self> {
        let mut direct = DirectLookups {
            reads: Vec::new(),
            results: Vec::new(),
            memo: RefCell::new(Memo::new()),
            changes,
        };
        for lookup in lookups {
            let (place, _) = direct.add(lookup, table, column)?;
            direct.results.push(place);
        }
        Some(direct)
    }

    /// Look-ups in the same row share a read.
    fn add(
        &mut self,
        lookup: &Lookup,
        table: &dyn Fn(&str) -> pg_sys::Oid,
        column: &dyn Fn(&str) -> (usize, pg_sys::Oid),
    ) -> Option<(Place, pg_sys::Oid)> {
        let (from, key_type) = match &*lookup.key {
            Key::Column(name) => {
                let (index, type_oid) = column(name);
                (Place::Column(index), type_oid)
            }
            Key::Lookup(inner) => self.add(inner, table, column)?,
        };
        let table = OpenRelation::open(table(&lookup.from), pg_sys::AccessShareLock)?;
        if !table.is_plain_heap() {
            return None;
        }
        let matched = stored_attribute(&table, &lookup.r#match)?;
        let wanted = stored_attribute(&table, &lookup.column)?;
        let (index, key) = unique_index(&table, &matched, key_type)?;
        let read = Read {
            table: matched.attrelid,
            index,
            key,
            // SAFETY: a catalogue look-up.
            key_by_value: unsafe { pg_sys::get_typbyval(key_type) },
            from,
            attributes: Vec::new(),
        };
        let i = self.place_of(read);
        let attributes = &mut self.reads[i].attributes;
        let known = attributes
            .iter()
            .position(|attribute| attribute.number == wanted.attnum);
        let attribute = known.unwrap_or_else(|| {
            attributes.push(Attribute {
                number: wanted.attnum,
                shape: Shape {
                    by_value: wanted.attbyval,
                    length: wanted.attlen,
                },
            });
            attributes.len() - 1
        });
        Some((Place::Read(i, attribute), wanted.atttypid))
    }

    fn place_of(&mut self, read: Read) -> usize {
        let same =
            |known: &Read| known.index == read.index && known.from == read.from && known.table == read.table;
        match self.reads.iter().position(same) {
            Some(known) => known,
            None => {
                self.reads.push(read);
                self.reads.len() - 1
            }
        }
    }

    /// What each look-up finds, in memory that stays until the next call; null where there is no row. None: something has
    /// changed since they were prepared.
    pub fn find(&self, values: &[Option<pg_sys::Datum>]) -> Option<Values> {
        let mut memo = self.memo.borrow_mut();
        memo.begin();
        let mut snapshot = None;
        let mut rows: Vec<Values> = Vec::with_capacity(self.reads.len());
        for (i, read) in self.reads.iter().enumerate() {
            let key = value_at(read.from, values, &rows);
            let remembered = key.and_then(|key| memo.get(i, key));
            rows.push(match (key, remembered) {
                (_, Some(row)) => row,
                (None, None) => vec![None; read.attributes.len()],
                (Some(key), None) => {
                    snapshot.get_or_insert_with(Snapshot::fresh);
                    let row = read.row(key, self.changes)?;
                    if read.key_by_value {
                        memo.keep(i, key, &row, read.attributes.iter().map(|a| a.shape));
                    }
                    row
                }
            });
        }
        memo.end();
        Some(
            self.results
                .iter()
                .map(|place| value_at(*place, values, &rows))
                .collect(),
        )
    }
}

fn value_at(
    place: Place,
    values: &[Option<pg_sys::Datum>],
    rows: &[Vec<Option<pg_sys::Datum>>],
) -> Option<pg_sys::Datum> {
    match place {
        Place::Column(column) => values[column],
        Place::Read(read, attribute) => rows[read][attribute],
    }
}

impl Read {
    /// The attributes of the row with that key.
    fn row(&self, key: pg_sys::Datum, changes: u64) -> Option<Values> {
        let table = OpenRelation::open(self.table, pg_sys::AccessShareLock)?;
        // With the lock come the messages of what has changed.
        if CONFIGURATION.with(Watch::changes) != changes {
            return None;
        }
        let mut scan_key = self.key;
        scan_key.sk_argument = key;
        // SAFETY: table and index are what they were when the key was made, or `changes` had moved, and the lock keeps them so.
        // The scan works for any heap that has the index; the tuple is copied before its page is let go, and its attributes
        // are the table's.
        unsafe {
            let scan = pg_sys::systable_beginscan(
                table.as_ptr(),
                self.index,
                true,
                pg_sys::GetActiveSnapshot(),
                1,
                &mut scan_key,
            );
            let found = pg_sys::systable_getnext(scan);
            let copy = (!found.is_null()).then(|| pg_sys::heap_copytuple(found));
            pg_sys::systable_endscan(scan);
            let value = |attribute: &Attribute| {
                let mut is_null = false;
                let number = i32::from(attribute.number);
                let value = pg_sys::heap_getattr(copy?, number, table.descriptor(), &mut is_null);
                (!is_null).then_some(value)
            };
            Some(self.attributes.iter().map(value).collect())
        }
    }
}

/// The table's column, if its value stands in the row.
fn stored_attribute(table: &OpenRelation, name: &str) -> Option<pg_sys::FormData_pg_attribute> {
    let columns = table.columns();
    let attribute = columns.iter().find(|a| !a.attisdropped && a.name() == name)?;
    matches!(attribute.attgenerated as u8, 0 | b's').then_some(*attribute)
}

/// The unique index on just that column, and the key to look up a value of that type in it.
fn unique_index(
    table: &OpenRelation,
    column: &pg_sys::FormData_pg_attribute,
    key_type: pg_sys::Oid,
) -> Option<(pg_sys::Oid, pg_sys::ScanKeyData)> {
    table.indexes().into_iter().find_map(|oid| {
        let index = OpenRelation::open(oid, pg_sys::AccessShareLock)?;
        // SAFETY: an open index has its catalogue row, and `indkey`, `rd_opfamily`, `rd_opcintype` and `rd_indcollation` have
        // an element for each of its columns.
        let (family, input_type, collation) = unsafe {
            let relation = index.as_ptr();
            let form = &*(*relation).rd_index;
            let usable = index.class().relam == pg_sys::BTREE_AM_OID
                && form.indisunique
                && form.indimmediate
                && form.indisvalid
                && !form.indcheckxmin
                && form.indnkeyatts == 1
                && form.indkey.values.as_slice(1)[0] == column.attnum
                && pg_sys::RelationGetIndexPredicate(relation).is_null();
            if !usable {
                return None;
            }
            (
                *(*relation).rd_opfamily,
                *(*relation).rd_opcintype,
                *(*relation).rd_indcollation,
            )
        };
        if collation != column.attcollation {
            return None;
        }
        let equals = equality(family, input_type, column.atttypid, key_type)?;
        Some((oid, scan_key(column.attnum, equals, collation)))
    })
}

/// The function and the type of its right side that compare the column with a key, as the operator `=` of pg_catalog does:
/// both types are Postgres' own, and so is the operator class.
fn equality(
    family: pg_sys::Oid,
    input_type: pg_sys::Oid,
    column_type: pg_sys::Oid,
    key_type: pg_sys::Oid,
) -> Option<(pg_sys::Oid, pg_sys::RegProcedure)> {
    let own = |oid: pg_sys::Oid| oid.to_u32() < pg_sys::FirstGenbkiObjectId;
    // SAFETY: catalogue look-ups; what does not exist gives an invalid OID or a null.
    unsafe {
        let (column_type, key_type) = (pg_sys::getBaseType(column_type), pg_sys::getBaseType(key_type));
        let cached = pg_sys::lookup_type_cache(column_type, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32);
        if !own(column_type) || !own(key_type) || (*cached).btree_opf != family {
            return None;
        }
        let right = match key_type {
            same if same == column_type => input_type,
            pg_sys::VARCHAROID => pg_sys::TEXTOID,
            other => other,
        };
        let strategy = pg_sys::BTEqualStrategyNumber as i16;
        let operator = pg_sys::get_opfamily_member(family, input_type, right, strategy);
        (operator != pg_sys::InvalidOid).then(|| (right, pg_sys::get_opcode(operator)))
    }
}

fn scan_key(
    attribute: i16,
    (right, function): (pg_sys::Oid, pg_sys::RegProcedure),
    collation: pg_sys::Oid,
) -> pg_sys::ScanKeyData {
    let mut key = pg_sys::ScanKeyData::default();
    // SAFETY: the function is looked up into memory that stays.
    unsafe {
        let previous = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        pg_sys::ScanKeyEntryInitialize(
            &mut key,
            0,
            attribute,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            right,
            collation,
            function,
            pg_sys::Datum::null(),
        );
        pg_sys::MemoryContextSwitchTo(previous);
    }
    key
}

/// What SPI's statements see: all that this transaction has written, and what others have committed.
struct Snapshot;

impl Snapshot {
    fn fresh() -> Self {
        // SAFETY: push and pop in pairs; an error pops it with the (sub)transaction.
        unsafe {
            pg_sys::CommandCounterIncrement();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        Snapshot
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: see fresh().
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}
