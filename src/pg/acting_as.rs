//! Running code with another role's rights, as PostgreSQL does in REINDEX.

use pgrx::pg_sys;

/// While it lives, SQL runs as another role in a security-restricted operation, which leaves nothing behind that would run later: no SET ROLE,
/// no deferred trigger, no held cursor, no changed setting. After an error, the abort of the (sub)transaction ends it.
pub struct ActingAs {
    /// The role before.
    user: pg_sys::Oid,
    /// The security context before.
    context: i32,
    /// The nesting level of settings.
    settings: i32,
}

impl ActingAs {
    pub fn role(role: pg_sys::Oid) -> Self {
        let mut user = pg_sys::InvalidOid;
        let mut context = 0;
        // SAFETY: assignments of this process's state, within a transaction. Drop restores them, and after an error the abort of the
        // (sub)transaction does, in every supported version.
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

    /// Acts as the agent (`zentry_notify_agent`), which has rights on the extension's own tables and no others.
    pub fn agent() -> Self {
        // SAFETY: a catalogue look-up by a constant name, which raises an error if the role is missing.
        Self::role(unsafe { pg_sys::get_role_oid(c"zentry_notify_agent".as_ptr(), false) })
    }
}

impl Drop for ActingAs {
    fn drop(&mut self) {
        // SAFETY: the level and the role are those that role() found. After an error, the abort restores the settings, and its memory may be gone.
        unsafe {
            if !std::thread::panicking() {
                pg_sys::AtEOXact_GUC(false, self.settings);
            }
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}
