//! An open table.

use pgrx::{PgList, PgTupleDesc, pg_sys};

/// A relation that is open as long as this lives; its lock is kept until the transaction ends, as the executor does. An error
/// closes it with the (sub)transaction.
pub struct OpenRelation(pg_sys::Relation);

impl OpenRelation {
    /// None when there is no such relation any more. All changes that others have committed to it are known afterwards.
    pub fn open(oid: pg_sys::Oid, lock: u32) -> Option<Self> {
        // SAFETY: waits for the lock; an unknown OID gives null.
        let relation = unsafe { pg_sys::try_relation_open(oid, lock as pg_sys::LOCKMODE) };
        (!relation.is_null()).then_some(OpenRelation(relation))
    }

    pub fn as_ptr(&self) -> pg_sys::Relation {
        self.0
    }

    pub fn class(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: an open relation has its catalogue row.
        unsafe { &*(*self.0).rd_rel }
    }

    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: an open relation has a descriptor.
        unsafe { (*self.0).rd_att }
    }

    /// The columns in their order, dropped ones too.
    pub fn columns(&self) -> PgTupleDesc<'_> {
        // SAFETY: the descriptor is the open relation's, which `self` outlives.
        unsafe { PgTupleDesc::from_pg_unchecked(self.descriptor()) }
    }

    /// A plain table of Postgres' own kind, whose rows no policy hides and which no rule rewrites.
    pub fn is_plain_heap(&self) -> bool {
        let class = self.class();
        // SAFETY: null when there are none.
        let rules = unsafe { (*self.0).rd_rules };
        class.relkind as u8 == pg_sys::RELKIND_RELATION
            && class.relam == pg_sys::HEAP_TABLE_AM_OID
            && !class.relispartition
            && !class.relhassubclass
            && !class.relrowsecurity
            && rules.is_null()
    }

    pub fn indexes(&self) -> Vec<pg_sys::Oid> {
        // SAFETY: a list of OIDs, palloc'd; an empty one is null.
        unsafe {
            let list = PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(self.0));
            list.iter_oid().collect()
        }
    }
}

impl Drop for OpenRelation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: it was opened here and is closed once.
            unsafe { pg_sys::relation_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}
