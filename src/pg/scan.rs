//! Reading a table as it is now, whatever snapshot the transaction has, and without asking what a statement would be asked.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::relation::OpenRelation;

/// Returns a table of the schema zentry_notify.
pub fn our_table(name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: catalogue look-ups; what does not exist gives an invalid OID.
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(c"zentry_notify".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// A row that is being read.
pub struct ScannedRow<'a> {
    relation: &'a OpenRelation,
    tuple: pg_sys::HeapTuple,
}

impl ScannedRow<'_> {
    fn value(&self, name: &str) -> Option<(pg_sys::Datum, pg_sys::Oid)> {
        let columns = self.relation.columns();
        let column = columns.iter().find(|c| !c.attisdropped && c.name() == name)?;
        let mut is_null = false;
        // SAFETY: the tuple is of the relation, and so is the column.
        let value = unsafe {
            let number = i32::from(column.attnum);
            pg_sys::heap_getattr(self.tuple, number, self.relation.descriptor(), &mut is_null)
        };
        (!is_null).then_some((value, column.atttypid))
    }

    /// False for what is null, and for a column that there is not.
    pub fn is_given(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// As its type's output function writes it.
    pub fn text(&self, name: &str) -> Option<String> {
        let (value, type_oid) = self.value(name)?;
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: the value is of that type.
        unsafe {
            pg_sys::getTypeOutputInfo(type_oid, &mut output, &mut is_varlena);
            let text = CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, value));
            Some(text.to_string_lossy().into_owned())
        }
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.value(name)
            .filter(|(_, oid)| *oid == pg_sys::INT8OID)
            .map(|(value, _)| value.value() as i64)
    }

    pub fn is_true(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|(value, oid)| oid == pg_sys::BOOLOID && value.value() as u8 != 0)
    }

    /// An OID, or a value of one of the reg types.
    pub fn oid(&self, name: &str) -> Option<pg_sys::Oid> {
        self.value(name)
            .filter(|(_, oid)| matches!(*oid, pg_sys::OIDOID | pg_sys::REGCLASSOID))
            .map(|(value, _)| pg_sys::Oid::from(value.value() as u32))
    }

    /// An array of text.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.value(name)
            .filter(|(_, oid)| *oid == pg_sys::TEXTARRAYOID)
            // SAFETY: it is of that type.
            .and_then(|(value, _)| unsafe { Vec::<Option<String>>::from_datum(value, false) })
            .map(|texts| texts.into_iter().flatten().collect())
            .unwrap_or_default()
    }
}

/// Hands the rows that are committed by now, and what this transaction has written, to `each`.
pub fn newest_rows(table: &OpenRelation, mut each: impl FnMut(&ScannedRow)) {
    // SAFETY: the snapshot is registered before, and the scan ends before it is not any more; an error ends both with the
    // (sub)transaction.
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

/// How many rows there are, and will be if every transaction that runs commits what it has inserted and none what it has deleted.
pub fn count_with_unfinished(table: &OpenRelation) -> usize {
    let mut snapshot = pg_sys::SnapshotData {
        snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY,
        ..Default::default()
    };
    let mut count = 0;
    // SAFETY: as PostgreSQL's InitDirtySnapshot, which is not registered; it outlives the scan, which an error ends with the (sub)transaction.
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

/// Returns the tables that the relation is a partition of or inherits from, the nearest first.
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
    // SAFETY: a catalogue scan by its index; the rows are of pg_inherits.
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
