//! Settings that decide how values are written as text, as they have to be whatever the session says.

use std::cell::Cell;
use std::ffi::CStr;
use std::ffi::c_int;

use pgrx::pg_sys;

use super::setting::{self, Held};

unsafe extern "C" {
    // Not among pgrx's bindings.
    static mut bytea_output: c_int;
}

const HEX: c_int = 1;

/// Of types whose text depends on more than the styles.
const FURTHER: [(&CStr, &CStr); 2] = [(c"lc_monetary", c"C"), (c"search_path", c"pg_catalog, pg_temp")];

thread_local! {
    static UTC: Cell<*mut pg_sys::pg_tz> = const { Cell::new(std::ptr::null_mut()) };
}

/// Which settings a type's text depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// Dates, intervals, numbers, bytes.
    Styles,
    /// Money and names of objects too.
    All,
}

/// While it lives: ISO dates in UTC, PostgreSQL's intervals, the shortest floats, hexadecimal bytes.
pub struct Pinned {
    before: Option<Styles>,
    _further: Option<Held>,
}

#[derive(Clone, Copy, PartialEq)]
struct Styles {
    date: c_int,
    interval: c_int,
    float_digits: c_int,
    bytes: c_int,
    time_zone: *mut pg_sys::pg_tz,
}

impl Styles {
    fn current() -> Self {
        // SAFETY: plain reads of this process's settings.
        unsafe {
            Styles {
                date: pg_sys::DateStyle,
                interval: pg_sys::IntervalStyle,
                float_digits: pg_sys::extra_float_digits,
                bytes: bytea_output,
                time_zone: pg_sys::session_timezone,
            }
        }
    }

    fn pinned() -> Self {
        Styles {
            date: pg_sys::USE_ISO_DATES as c_int,
            interval: pg_sys::INTSTYLE_POSTGRES as c_int,
            float_digits: 1,
            bytes: HEX,
            time_zone: utc(),
        }
    }

    fn set(self) {
        // SAFETY: plain assignments of this process's settings, which functions read that write values; nothing else runs until
        // they are put back, also after an error.
        unsafe {
            pg_sys::DateStyle = self.date;
            pg_sys::IntervalStyle = self.interval;
            pg_sys::extra_float_digits = self.float_digits;
            bytea_output = self.bytes;
            pg_sys::session_timezone = self.time_zone;
        }
    }
}

fn utc() -> *mut pg_sys::pg_tz {
    if UTC.get().is_null() {
        // SAFETY: a zone that is always there; it is kept as long as the process.
        UTC.set(unsafe { pg_sys::pg_tzset(c"UTC".as_ptr()) });
    }
    UTC.get()
}

impl Pinned {
    pub fn enter(dependence: Dependence) -> Self {
        let current = Styles::current();
        let pinned = Styles::pinned();
        let before = (current != pinned).then(|| {
            pinned.set();
            current
        });
        let mut entered = Pinned {
            before,
            _further: None,
        };
        if dependence == Dependence::All {
            entered._further = Some(setting::hold(&FURTHER));
        }
        entered
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            before.set();
        }
    }
}
