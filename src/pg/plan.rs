//! Statements that are planned once and kept for the session.

use std::ffi::CString;

use pgrx::pg_sys;

/// An error that SPI returns instead of raising; only a mistake of ours gives one.
fn check(code: i32, what: &str) {
    if code < 0 {
        pgrx::error!("zentry_notify: {what} failed: SPI error {code}");
    }
}

/// A kept plan with one generic plan for all arguments: our statements find rows by key, so that none profits from a plan of
/// its own, and planning anew costs more than running.
pub struct Plan {
    plan: pg_sys::SPIPlanPtr,
}

impl Plan {
    /// Must be called within [`with_spi`]. In a session of the application, every name and operator of `sql` has to be
    /// qualified: its `search_path` is the session's, and its rights may not be.
    pub fn prepare(sql: &str, types: &[pg_sys::Oid]) -> Self {
        let sql = CString::new(sql).unwrap_or_default();
        // SAFETY: within SPI_connect; the types outlive the call, and the plan is moved to a context of its own.
        let plan = unsafe {
            let plan = pg_sys::SPI_prepare_cursor(
                sql.as_ptr(),
                types.len() as i32,
                types.as_ptr().cast_mut(),
                pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
            );
            if plan.is_null() {
                check(pg_sys::SPI_result, "preparing a statement");
            }
            check(pg_sys::SPI_keepplan(plan), "keeping a plan");
            plan
        };
        Plan { plan }
    }

    /// Runs it and hands over its rows. Must be called within [`with_spi`].
    pub fn execute(&self, arguments: &[Option<pg_sys::Datum>]) -> Rows {
        let values: Vec<pg_sys::Datum> = arguments
            .iter()
            .map(|a| a.unwrap_or(pg_sys::Datum::null()))
            .collect();
        let nulls: Vec<std::ffi::c_char> = arguments
            .iter()
            .map(|a| if a.is_some() { b' ' } else { b'n' } as std::ffi::c_char)
            .collect();
        // SAFETY: as many values and null flags as the plan has parameters, of the types that it was prepared with;
        // SPI_tuptable is valid until SPI_finish.
        unsafe {
            let code =
                pg_sys::SPI_execute_plan(self.plan, values.as_ptr().cast_mut(), nulls.as_ptr(), false, 0);
            check(code, "a statement");
            Rows {
                table: pg_sys::SPI_tuptable,
                count: pg_sys::SPI_processed as usize,
            }
        }
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: a kept plan that nothing else refers to.
        unsafe { pg_sys::SPI_freeplan(self.plan) };
    }
}

/// Rows of the statement that ran last; valid until the surrounding [`with_spi`] ends.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
}

impl Rows {
    /// Rows returned or touched.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The value and its type; `column` counts from 1.
    pub fn get(&self, row: usize, column: usize) -> (Option<pg_sys::Datum>, pg_sys::Oid) {
        // SAFETY: SPI's own accessors check the column's number; the row's is below `count`.
        unsafe {
            assert!(!self.table.is_null() && row < self.count);
            let tuple = *(*self.table).vals.add(row);
            let descriptor = (*self.table).tupdesc;
            let mut is_null = false;
            let value = pg_sys::SPI_getbinval(tuple, descriptor, column as i32, &mut is_null);
            (
                (!is_null).then_some(value),
                pg_sys::SPI_gettypeid(descriptor, column as i32),
            )
        }
    }
}

/// Connects to SPI around `f`; what `f` allocates in Postgres' memory is gone afterwards.
pub fn with_spi<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: connect and finish in pairs; an error in between finishes it with the transaction.
    unsafe {
        check(pg_sys::SPI_connect(), "connecting to SPI");
        let result = f();
        check(pg_sys::SPI_finish(), "leaving SPI");
        result
    }
}
