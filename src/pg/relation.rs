//! Open tables and indexes.

use std::ffi::CStr;
use std::ptr::NonNull;

use pgrx::{PgList, PgRelation, PgTupleDesc, pg_sys};

use super::lock;

/// A relation that is open while this lives. Its lock is kept until the (sub)transaction ends, as in the executor, unless
/// [`open_briefly`](Self::open_briefly) says otherwise. After an error, the abort of the (sub)transaction closes it.
pub struct OpenRelation {
    relation: NonNull<pg_sys::RelationData>,
    /// The lock mode that is released when it is closed.
    release: u32,
}

/// The relation could not be opened at once, because another session holds a conflicting lock.
#[derive(Clone, Copy, Debug)]
pub struct Locked;

impl OpenRelation {
    /// Opens a relation; None: it does not exist. It waits for the lock, and then sees all changes of the relation that were committed.
    pub fn open(oid: pg_sys::Oid, lock: u32) -> Option<Self> {
        // SAFETY: called within a transaction; an unknown OID gives null, in every supported version.
        let relation = unsafe { pg_sys::try_relation_open(oid, lock as pg_sys::LOCKMODE) };
        NonNull::new(relation).map(|relation| OpenRelation {
            relation,
            release: pg_sys::NoLock,
        })
    }

    /// As [`open`](Self::open), without waiting for the lock.
    pub fn open_at_once(oid: pg_sys::Oid, mode: u32) -> Result<Option<Self>, Locked> {
        match lock::at_once(oid, mode as pg_sys::LOCKMODE) {
            true => Ok(Self::open(oid, pg_sys::NoLock)),
            false => Err(Locked),
        }
    }

    /// Opens a relation in ACCESS SHARE mode; the lock is released when it is closed.
    pub fn open_briefly(oid: pg_sys::Oid) -> Option<Self> {
        let mut relation = Self::open(oid, pg_sys::AccessShareLock)?;
        relation.release = pg_sys::AccessShareLock;
        Some(relation)
    }

    /// As [`open_briefly`](Self::open_briefly), without waiting for a lock.
    pub fn open_if_free(oid: pg_sys::Oid) -> Result<Option<Self>, Locked> {
        if !lock::to_read_if_free(oid) {
            return Err(Locked);
        }
        let relation = Self::open_briefly(oid);
        // SAFETY: the lock that was taken here is released here; the opened relation holds a second one of the same mode.
        unsafe { pg_sys::UnlockRelationOid(oid, pg_sys::AccessShareLock as pg_sys::LOCKMODE) };
        Ok(relation)
    }

    /// Returns the relation's name, qualified by its schema and quoted.
    pub fn qualified_name(&self) -> String {
        // SAFETY: an open relation has a name and a schema, which cannot be dropped meanwhile; the result is a C string in the current memory context.
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
        // SAFETY: rd_rel of an open relation points to its row of pg_class.
        unsafe { &*self.relation.as_ref().rd_rel }
    }

    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: an open relation has a descriptor.
        unsafe { self.relation.as_ref().rd_att }
    }

    /// Returns the columns in their order, dropped ones included.
    pub fn columns(&self) -> PgTupleDesc<'_> {
        // SAFETY: the descriptor is the open relation's, and the result borrows `self`.
        unsafe { PgTupleDesc::from_pg_unchecked(self.descriptor()) }
    }

    /// Whether an INSERT by the current role may do more than store the row, or fail: for a trigger, a policy, a check, a rule, or a missing
    /// privilege.
    pub fn is_guarded(&self) -> bool {
        let class = self.class();
        if class.relhasrules || class.relrowsecurity {
            return true;
        }
        // SAFETY: in an open relation, `constr` and `trigdesc` are null or point to what they count.
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
        // SAFETY: RelationGetIndexList returns a list of OIDs in the current memory context, or null for an empty one.
        unsafe {
            let list = PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(self.as_ptr()));
            list.iter_oid().collect()
        }
    }
}

/// Whether the trigger fires at an INSERT of a session with `session_replication_role = origin` or `local`.
fn fires_at_insert(trigger: &pg_sys::Trigger) -> bool {
    let enabled = trigger.tgenabled as u8;
    trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_INSERT != 0
        && enabled != pg_sys::TRIGGER_DISABLED
        && enabled != pg_sys::TRIGGER_FIRES_ON_REPLICA
}

impl Drop for OpenRelation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the relation was opened by this type, and is closed only here.
            unsafe { pg_sys::relation_close(self.as_ptr(), self.release as pg_sys::LOCKMODE) };
        }
    }
}

/// Opens a relation in ACCESS SHARE mode. It raises an error if the relation does not exist.
pub fn locked(oid: pg_sys::Oid) -> PgRelation {
    // SAFETY: PgRelation closes it when it is dropped; after an error, the abort of the transaction does.
    unsafe { PgRelation::with_lock(oid, pg_sys::AccessShareLock as i32) }
}

/// Returns the relation's owner; None: there is no such relation.
pub fn owner_of(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: a catalogue look-up; the row is pinned until it is released, and not read afterwards.
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

/// Whether row security policies decide what `role` sees of a relation, which the caller has locked.
pub fn is_under_policies(relation: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: look-ups in the catalogue; with noError, it raises none.
    let policies = unsafe { pg_sys::check_enable_rls(relation, role, true) };
    policies == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
}
