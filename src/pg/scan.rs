//! Reading a table as it is now, whatever the transaction's snapshot, without privilege checks and policies.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::relation::OpenRelation;

/// Returns the table of that name in the schema zentry_notify.
pub fn our_table(name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: catalogue look-ups, which return an invalid OID for an unknown schema and an unknown name.
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(c"zentry_notify".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// A row of a scan.
pub struct ScannedRow<'a> {
    relation: &'a OpenRelation,
    tuple: pg_sys::HeapTuple,
}

impl ScannedRow<'_> {
    fn value(&self, name: &str) -> Option<(pg_sys::Datum, pg_sys::Oid)> {
        let columns = self.relation.columns();
        let column = columns.iter().find(|c| !c.attisdropped && c.name() == name)?;
        let mut is_null = false;
        // SAFETY: tuple, column and descriptor are those of the relation.
        let value = unsafe {
            let number = i32::from(column.attnum);
            pg_sys::heap_getattr(self.tuple, number, self.relation.descriptor(), &mut is_null)
        };
        (!is_null).then_some((value, column.atttypid))
    }

    /// Whether the column exists and is not null.
    pub fn is_given(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Returns the text of a value of any type, by the type's output function; None if it is null or the column is missing.
    pub fn text(&self, name: &str) -> Option<String> {
        let (value, type_oid) = self.value(name)?;
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: the value is of the type whose output function is called, which returns a C string in the current memory context.
        unsafe {
            pg_sys::getTypeOutputInfo(type_oid, &mut output, &mut is_varlena);
            let text = CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, value));
            Some(text.to_string_lossy().into_owned())
        }
    }

    /// Returns a bigint; None if it is null, of another type, or the column is missing.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.value(name)
            .filter(|(_, oid)| *oid == pg_sys::INT8OID)
            .map(|(value, _)| value.value() as i64)
    }

    /// Whether it is a boolean that is true.
    pub fn is_true(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|(value, oid)| oid == pg_sys::BOOLOID && value.value() as u8 != 0)
    }

    /// Returns an oid or regclass; None as for [`ScannedRow::number`].
    pub fn oid(&self, name: &str) -> Option<pg_sys::Oid> {
        self.value(name)
            .filter(|(_, oid)| matches!(*oid, pg_sys::OIDOID | pg_sys::REGCLASSOID))
            .map(|(value, _)| pg_sys::Oid::from(value.value() as u32))
    }

    /// Returns the elements of an array of text that are not null; empty where [`ScannedRow::number`] is None.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.value(name)
            .filter(|(_, oid)| *oid == pg_sys::TEXTARRAYOID)
            // SAFETY: the value is not null, and a text[], by the filter.
            .and_then(|(value, _)| unsafe { Vec::<Option<String>>::from_datum(value, false) })
            .map(|texts| texts.into_iter().flatten().collect())
            .unwrap_or_default()
    }
}

/// Calls `each` with every row that is committed by now or was written by this transaction.
pub fn newest_rows(table: &OpenRelation, mut each: impl FnMut(&ScannedRow)) {
    // SAFETY: the table is open, and the snapshot is registered for as long as the scan lasts; after an error, the abort of the (sub)transaction
    // releases both. A tuple is valid until the next one is fetched, and `each` cannot keep it.
    unsafe {
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan(
            table.as_ptr(),
            pg_sys::InvalidOid,
            false,
            snapshot,
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            each(&ScannedRow {
                relation: table,
                tuple,
            });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
    }
}

/// Returns the highest number of rows that the table may have when the running transactions have ended: committed rows, deleted ones included
/// while the deleting transaction runs, and rows of transactions that are not committed yet.
pub fn count_with_unfinished(table: &OpenRelation) -> usize {
    let mut snapshot = pg_sys::SnapshotData {
        snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY,
        ..Default::default()
    };
    let mut count = 0;
    // SAFETY: the snapshot is as InitDirtySnapshot makes it, which needs no registration, and outlives the scan; after an error, the abort of the
    // (sub)transaction ends the scan without reading it.
    unsafe {
        let none = std::ptr::null_mut();
        let scan =
            pg_sys::systable_beginscan(table.as_ptr(), pg_sys::InvalidOid, false, &mut snapshot, 0, none);
        while !pg_sys::systable_getnext(scan).is_null() {
            count += 1;
        }
        pg_sys::systable_endscan(scan);
    }
    count
}

/// Returns the tables that the relation is a partition of or inherits from, directly or not, the nearest first.
pub fn ancestors(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found: Vec<pg_sys::Oid> = Vec::new();
    let mut next = 0;
    let mut child = relation;
    loop {
        for parent in parents(child) {
            if parent != relation && !found.contains(&parent) {
                found.push(parent);
            }
        }
        match found.get(next) {
            Some(parent) => child = *parent,
            None => return found,
        }
        next += 1;
    }
}

fn parents(child: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let Some(inherits) = OpenRelation::open_briefly(pg_sys::InheritsRelationId) else {
        return Vec::new();
    };
    let mut parents = Vec::new();
    let mut key = pg_sys::ScanKeyData::default();
    // SAFETY: an index scan of the open catalogue pg_inherits with one key of type oid; a null snapshot stands for the catalogue's own. A row has its
    // fixed columns.
    unsafe {
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_inherits_inhrelid as i16,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::F_OIDEQ.into(),
            pg_sys::Datum::from(child),
        );
        let scan = pg_sys::systable_beginscan(
            inherits.as_ptr(),
            pg_sys::Oid::from(pg_sys::InheritsRelidSeqnoIndexId),
            true,
            std::ptr::null_mut(),
            1,
            &mut key,
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            parents.push((*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_inherits>(tuple)).inhparent);
        }
        pg_sys::systable_endscan(scan);
    }
    parents
}
