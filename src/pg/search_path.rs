//! Where the names in SQL are looked for.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

/// PostgreSQL's own names, and nobody's that come before them.
pub const OURS: &CStr = c"pg_catalog, pg_temp";

/// While it lives, names are found there, as in a function with SET search_path. An error puts the session's back with its
/// (sub)transaction.
pub struct SearchPath {
    level: i32,
}

impl SearchPath {
    pub fn pinned() -> Self {
        Self::set(OURS)
    }

    pub fn set(path: &CStr) -> Self {
        // SAFETY: a setting for this nesting level, which Drop or the end of the (sub)transaction takes back; as Postgres does
        // for functions with SET.
        unsafe {
            let level = pg_sys::NewGUCNestLevel();
            pg_sys::set_config_option(
                c"search_path".as_ptr(),
                path.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
            SearchPath { level }
        }
    }

    /// The one that rules now.
    pub fn current() -> CString {
        // SAFETY: the setting exists, and its text is copied.
        unsafe {
            let path = pg_sys::GetConfigOption(c"search_path".as_ptr(), false, false);
            CStr::from_ptr(path).to_owned()
        }
    }
}

impl Drop for SearchPath {
    fn drop(&mut self) {
        // After an error the level is closed already, and Postgres' memory may be gone.
        if !std::thread::panicking() {
            // SAFETY: the level that set() opened, and whatever was opened inside.
            unsafe { pg_sys::AtEOXact_GUC(true, self.level) }
        }
    }
}
