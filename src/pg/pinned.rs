//! Pins the settings that decide how values are written as text, whatever those of the session are.

use std::cell::Cell;
use std::ffi::CStr;
use std::ffi::c_int;

use pgrx::pg_sys;

use super::setting::{self, Held};

unsafe extern "C" {
    // Not in pgrx's bindings; an `int` in all supported versions (utils/bytea.h).
    static mut bytea_output: c_int;
}

/// `BYTEA_OUTPUT_HEX`.
const HEX: c_int = 1;

/// The settings of [`Dependence::All`] beyond the styles.
const FURTHER: [(&CStr, &CStr); 2] = [(c"lc_monetary", c"C"), (c"search_path", c"pg_catalog, pg_temp")];

thread_local! {
    static UTC: Cell<*mut pg_sys::pg_tz> = const { Cell::new(std::ptr::null_mut()) };
}

/// The settings that a type's text depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// Those of dates, intervals, floats and bytea, which are plain variables and cheap to pin.
    Styles,
    /// Also those of money and of the names of objects.
    All,
}

/// While it lives, dates are ISO and in UTC, intervals PostgreSQL's, floats the shortest exact ones, bytea hexadecimal.
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
        // SAFETY: variables of this process, read on its main thread.
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
        // SAFETY: variables of this process, assigned on its main thread with values that the settings may have. Between the assignment and Drop,
        // which also runs when an error unwinds, only output functions run.
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
        // SAFETY: PostgreSQL knows UTC without a file, and caches the zone as long as the process lives.
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
