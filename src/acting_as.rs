//! Run code with another role's rights, as referential-integrity triggers do.

use pgrx::pg_sys;

/// While it lives, SQL runs as `role`, which can't be escaped by SET ROLE. An error resets it with the transaction.
pub struct ActingAs {
    role: pg_sys::Oid,
    /// Who it was before.
    user: pg_sys::Oid,
    context: i32,
}

impl ActingAs {
    pub fn role(role: pg_sys::Oid) -> Self {
        let mut user = pg_sys::InvalidOid;
        let mut context = 0;
        // SAFETY: plain assignments of this process's state; the previous one is put back by Drop, and by Postgres
        // itself when the (sub)transaction aborts.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_NOFORCE_RLS;
            pg_sys::SetUserIdAndSecContext(role, context | local as i32);
        }
        ActingAs { role, user, context }
    }

    pub fn current(&self) -> pg_sys::Oid {
        self.role
    }

    /// As the role that may touch our tables and nothing else.
    pub fn agent() -> Self {
        // SAFETY: a catalogue look-up by a constant name; a missing role is an error that names it.
        Self::role(unsafe { pg_sys::get_role_oid(c"zentry_notify_agent".as_ptr(), false) })
    }
}

impl Drop for ActingAs {
    fn drop(&mut self) {
        // SAFETY: see role().
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) }
    }
}
