//! Settings of PostgreSQL, set for a while or for a whole process.

use std::ffi::{CStr, c_int};

use pgrx::pg_sys;

/// The settings for a write into the extension's tables, whose triggers have to fire whatever the session has switched off.
pub const ALL_TRIGGERS: [(&CStr, &CStr); 1] = [(c"session_replication_role", c"origin")];

/// Has PostgreSQL say what it says in English, for code that reads names from its messages.
pub const ENGLISH: [(&CStr, &CStr); 1] = [(c"lc_messages", c"C")];

/// While it lives, settings have the values that [`hold`] was given. A SET within stays, as after a function with SET. After an error, the abort
/// of the (sub)transaction restores them.
pub struct Held {
    level: c_int,
}

/// Sets the settings until the result is dropped. One that this version of PostgreSQL lacks is left out.
pub fn hold(settings: &[(&CStr, &CStr)]) -> Held {
    // SAFETY: called within a transaction; the nesting level is closed by Drop, or by the end of the (sub)transaction.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in settings {
        if exists(name) {
            set(name, value, pg_sys::GucAction::GUC_ACTION_SAVE);
        }
    }
    Held { level }
}

/// Sets a setting for the rest of this process, if this version of PostgreSQL has it. It is called outside of a transaction.
pub fn pin(name: &CStr, value: &CStr) {
    if exists(name) {
        // SAFETY: PostgreSQL copies both strings; a value that it refuses raises an error.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}

fn exists(name: &CStr) -> bool {
    // SAFETY: with missing_ok, an unknown name gives null.
    unsafe { !pg_sys::GetConfigOption(name.as_ptr(), true, false).is_null() }
}

/// Whether a boolean setting is on; false where this version of PostgreSQL lacks it.
pub fn is_on(name: &CStr) -> bool {
    // SAFETY: with missing_ok, an unknown name gives null; else the string is valid until the next call, and is read at once.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        !value.is_null() && CStr::from_ptr(value) == c"on"
    }
}

/// Sets a setting for the rest of the transaction.
pub fn set_in_transaction(name: &CStr, value: &CStr) {
    set(name, value, pg_sys::GucAction::GUC_ACTION_LOCAL);
}

/// Sets a setting with a superuser's rights, whoever the session's user is.
fn set(name: &CStr, value: &CStr, action: pg_sys::GucAction::Type) {
    // SAFETY: PostgreSQL copies both strings; a value that it refuses raises an error.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // After an error, the abort of the (sub)transaction closes the level.
        if !std::thread::panicking() {
            // SAFETY: the level was opened by hold(); levels that were opened within are closed with it.
            unsafe { pg_sys::AtEOXact_GUC(true, self.level) }
        }
    }
}
