//! An open table or index.

use std::ffi::CStr;
use std::ptr::NonNull;

use pgrx::{PgList, PgRelation, PgTupleDesc, pg_sys};

/// A relation that is open as long as this lives; its lock is kept until the transaction ends, as the executor does. An error
/// closes it with the (sub)transaction.
pub struct OpenRelation {
    relation: NonNull<pg_sys::RelationData>,
    /// What is released when it is closed.
    release: u32,
}

/// Somebody else holds a lock on the relation that does not let it be opened.
#[derive(Clone, Copy, Debug)]
pub struct Locked;

impl OpenRelation {
    /// None when there is no such relation any more. All changes that others have committed to it are known afterwards.
    pub fn open(oid: pg_sys::Oid, lock: u32) -> Option<Self> {
        // SAFETY: waits for the lock; an unknown OID gives null.
        let relation = unsafe { pg_sys::try_relation_open(oid, lock as pg_sys::LOCKMODE) };
        NonNull::new(relation).map(|relation| OpenRelation {
            relation,
            release: pg_sys::NoLock,
        })
    }

    /// To read it, and not to be in the way of others afterwards: the lock is released when it is closed.
    pub fn open_briefly(oid: pg_sys::Oid) -> Option<Self> {
        let mut relation = Self::open(oid, pg_sys::AccessShareLock)?;
        relation.release = pg_sys::AccessShareLock;
        Some(relation)
    }

    /// As [`open_briefly`](Self::open_briefly), without waiting for anybody.
    pub fn open_if_free(oid: pg_sys::Oid) -> Result<Option<Self>, Locked> {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        // SAFETY: a lock by OID, which the one that the opened relation holds takes the place of.
        unsafe {
            if !pg_sys::ConditionalLockRelationOid(oid, lock) {
                return Err(Locked);
            }
            let relation = Self::open_briefly(oid);
            pg_sys::UnlockRelationOid(oid, lock);
            Ok(relation)
        }
    }

    /// Returns its name and its schema's, quoted.
    pub fn qualified_name(&self) -> String {
        // SAFETY: an open relation has a name, and its schema one; what is made of them is a string of the current memory context.
        unsafe {
            let schema = pg_sys::get_namespace_name(self.class().relnamespace);
            let name = pg_sys::quote_qualified_identifier(schema, self.class().relname.data.as_ptr());
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }

    pub fn as_ptr(&self) -> pg_sys::Relation {
        self.relation.as_ptr()
    }

    pub fn class(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: an open relation has its catalogue row.
        unsafe { &*self.relation.as_ref().rd_rel }
    }

    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: an open relation has a descriptor.
        unsafe { self.relation.as_ref().rd_att }
    }

    /// The columns in their order, dropped ones too.
    pub fn columns(&self) -> PgTupleDesc<'_> {
        // SAFETY: the descriptor is the open relation's, which `self` outlives.
        unsafe { PgTupleDesc::from_pg_unchecked(self.descriptor()) }
    }

    /// Whether an INSERT by the role that runs may do more than store the row, or is not allowed: a trigger, a policy, a check, a rule, a
    /// right that it lacks.
    pub fn is_guarded(&self) -> bool {
        let class = self.class();
        if class.relhasrules || class.relrowsecurity {
            return true;
        }
        // SAFETY: of an open relation, checks and triggers are read whole; either pointer is null when there are none.
        unsafe {
            let relation = self.relation.as_ref();
            let constraints = (*relation.rd_att).constr;
            if !constraints.is_null() && (*constraints).num_check > 0 {
                return true;
            }
            let triggers = relation.trigdesc;
            if !triggers.is_null() {
                let count = (*triggers).numtriggers as usize;
                let triggers = std::slice::from_raw_parts((*triggers).triggers, count);
                if triggers.iter().any(fires_at_insert) {
                    return true;
                }
            }
            let right = pg_sys::ACL_INSERT as pg_sys::AclMode;
            let may = pg_sys::pg_class_aclcheck(relation.rd_id, pg_sys::GetUserId(), right);
            may != pg_sys::AclResult::ACLCHECK_OK
        }
    }

    pub fn indexes(&self) -> Vec<pg_sys::Oid> {
        // SAFETY: a list of OIDs, palloc'd; an empty one is null.
        unsafe {
            let list = PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(self.as_ptr()));
            list.iter_oid().collect()
        }
    }
}

/// In a session that is not a replica's.
fn fires_at_insert(trigger: &pg_sys::Trigger) -> bool {
    let enabled = trigger.tgenabled as u8;
    trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_INSERT != 0
        && enabled != pg_sys::TRIGGER_DISABLED
        && enabled != pg_sys::TRIGGER_FIRES_ON_REPLICA
}

impl Drop for OpenRelation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: it was opened here and is closed once.
            unsafe { pg_sys::relation_close(self.as_ptr(), self.release as pg_sys::LOCKMODE) };
        }
    }
}

/// Opens a relation, which there has to be, as a SELECT does.
pub fn locked(oid: pg_sys::Oid) -> PgRelation {
    // SAFETY: closed when it goes, or with the transaction after an error.
    unsafe { PgRelation::with_lock(oid, pg_sys::AccessShareLock as i32) }
}

/// Returns the relation's owner. None: it is gone.
pub fn owner_of(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: a catalogue look-up; the row is read before it is released.
    unsafe {
        let id = pg_sys::SysCacheIdentifier::RELOID;
        let tuple = pg_sys::SearchSysCache1(id as _, pg_sys::Datum::from(relation));
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_class>(tuple)).relowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}

/// Whether policies decide what `role` sees of a relation, which is locked.
pub fn is_under_policies(relation: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in the relation cache; it raises no error when told so.
    let policies = unsafe { pg_sys::check_enable_rls(relation, role, true) };
    policies == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
}
