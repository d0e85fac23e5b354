//! Where the names in SQL are looked for.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use super::setting::{self, Held};

/// PostgreSQL's own names, and nobody's that come before them.
pub const OURS: &CStr = c"pg_catalog, pg_temp";

/// While it lives, names are found there, as in a function with SET search_path. An error puts the session's back with its
/// (sub)transaction.
pub struct SearchPath {
    _held: Held,
}

impl SearchPath {
    pub fn pinned() -> Self {
        Self::set(OURS)
    }

    pub fn set(path: &CStr) -> Self {
        SearchPath {
            _held: setting::hold(&[(c"search_path", path)]),
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
