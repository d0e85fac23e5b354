//! The search path.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use super::setting::{self, Held};

/// The search path under which only PostgreSQL's own names are found unqualified; temporary tables come last.
pub const OURS: &CStr = c"pg_catalog, pg_temp";

/// While it lives, `search_path` has another value, as in a function with SET search_path. After an error, the abort of the (sub)transaction
/// restores it.
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

    /// Returns the current value of `search_path`.
    pub fn current() -> CString {
        // SAFETY: the setting exists, so the pointer is not null; the text is copied.
        unsafe {
            let path = pg_sys::GetConfigOption(c"search_path".as_ptr(), false, false);
            CStr::from_ptr(path).to_owned()
        }
    }
}
