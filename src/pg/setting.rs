//! Settings of PostgreSQL that code of ours holds at a value for a while.

use std::ffi::{CStr, c_int};

use pgrx::pg_sys;

/// For what we write into tables of ours: their triggers have their rules, whatever the session has switched off.
pub const ALL_TRIGGERS: [(&CStr, &CStr); 1] = [(c"session_replication_role", c"origin")];

/// While it lives, the settings have these values. What is set within for the session stays, as after a function with SET. An error puts the
/// session's back with its (sub)transaction.
pub struct Held {
    level: c_int,
}

/// Holds those of the settings that this version of PostgreSQL has.
pub fn hold(settings: &[(&CStr, &CStr)]) -> Held {
    // SAFETY: opens a nesting level, which Drop or the end of the (sub)transaction closes.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in settings {
        if exists(name) {
            set(name, value, pg_sys::GucAction::GUC_ACTION_SAVE);
        }
    }
    Held { level }
}

/// Sets it for this process, for good, if this version of PostgreSQL has it; outside of a transaction.
pub fn pin(name: &CStr, value: &CStr) {
    if exists(name) {
        // SAFETY: C strings, which are copied; a value that is refused is an error.
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
    // SAFETY: an unknown name gives null, and no error.
    unsafe { !pg_sys::GetConfigOption(name.as_ptr(), true, false).is_null() }
}

/// Whether it is a switch that is on; not, where this version of PostgreSQL does not have it.
pub fn is_on(name: &CStr) -> bool {
    // SAFETY: an unknown name gives null, and no error; else it is a string that lives until the next such call, and is read at once.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        !value.is_null() && CStr::from_ptr(value) == c"on"
    }
}

/// Sets it for the rest of the transaction.
pub fn set_in_transaction(name: &CStr, value: &CStr) {
    set(name, value, pg_sys::GucAction::GUC_ACTION_LOCAL);
}

/// Sets it as this code's own doing, whoever's session it is: also what only a superuser may set.
fn set(name: &CStr, value: &CStr, action: pg_sys::GucAction::Type) {
    // SAFETY: C strings, which are copied; a value that is refused is an error.
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
        // After an error the level is closed already, and PostgreSQL's memory may be gone.
        if !std::thread::panicking() {
            // SAFETY: the level that hold() opened, and whatever was opened inside.
            unsafe { pg_sys::AtEOXact_GUC(true, self.level) }
        }
    }
}
