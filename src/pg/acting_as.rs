//! Run code with another role's rights, as Postgres does in REINDEX and the like.

use pgrx::pg_sys;

/// While it lives, SQL runs as `role`, and leaves nothing behind that would run when it is over: no SET ROLE, no deferred trigger,
/// no held cursor, no changed setting. An error resets it with the transaction.
pub struct ActingAs {
    /// Who it was before.
    user: pg_sys::Oid,
    context: i32,
    settings: i32,
}

impl ActingAs {
    pub fn role(role: pg_sys::Oid) -> Self {
        let mut user = pg_sys::InvalidOid;
        let mut context = 0;
        // SAFETY: plain assignments of this process's state; the previous one is put back by Drop, and by Postgres
        // itself when the (sub)transaction aborts.
        let settings = unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE
                | pg_sys::SECURITY_RESTRICTED_OPERATION
                | pg_sys::SECURITY_NOFORCE_RLS;
            pg_sys::SetUserIdAndSecContext(role, context | local as i32);
            pg_sys::NewGUCNestLevel()
        };
        ActingAs {
            user,
            context,
            settings,
        }
    }

    /// As the role that may touch our tables and nothing else.
    pub fn agent() -> Self {
        // SAFETY: a catalogue look-up by a constant name; a missing role is an error that names it.
        Self::role(unsafe { pg_sys::get_role_oid(c"zentry_notify_agent".as_ptr(), false) })
    }
}

impl Drop for ActingAs {
    fn drop(&mut self) {
        // SAFETY: see role(). After an error the settings are the abort's to put back.
        unsafe {
            if !std::thread::panicking() {
                pg_sys::AtEOXact_GUC(false, self.settings);
            }
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}
