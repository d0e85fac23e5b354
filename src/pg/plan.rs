//! Statements that are planned once and kept for the session.

use std::ffi::{CString, c_char};
use std::marker::PhantomData;

use jiff::Timestamp;
use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::memory::Current;
use crate::timestamp::from_timestamptz;

/// An error that SPI returns instead of raising; only a mistake of ours gives one.
fn check(code: i32, what: &str) {
    if code < 0 {
        pgrx::error!("zentry_notify: {what} failed: SPI error {code}");
    }
}

/// The connection of this session to SPI, for as long as [`with_spi`] runs.
pub struct Spi {
    /// What is made in it is gone when the connection is.
    memory: pg_sys::MemoryContext,
    _not_sent: PhantomData<*mut ()>,
}

/// Connects to SPI around `f`; what `f` allocates in Postgres' memory is gone afterwards.
pub fn with_spi<T>(f: impl FnOnce(&Spi) -> T) -> T {
    // SAFETY: connect and finish in pairs; an error in between finishes it with the transaction.
    unsafe {
        check(pg_sys::SPI_connect(), "connecting to SPI");
        let result = f(&Spi {
            memory: pg_sys::CurrentMemoryContext,
            _not_sent: PhantomData,
        });
        check(pg_sys::SPI_finish(), "leaving SPI");
        result
    }
}

/// A value for a parameter of a statement, and its type.
#[derive(Clone, Copy)]
pub struct Argument {
    value: Option<pg_sys::Datum>,
    type_oid: pg_sys::Oid,
}

impl<T: IntoDatum> From<T> for Argument {
    fn from(value: T) -> Self {
        Argument {
            value: value.into_datum(),
            type_oid: T::type_oid(),
        }
    }
}

impl Argument {
    /// Text for a parameter of type json, whose values are stored as texts are. It has to be JSON: nobody looks again.
    pub fn json(text: Option<&str>) -> Self {
        Argument {
            type_oid: pg_sys::JSONOID,
            ..Argument::from(text)
        }
    }

    pub fn type_oid(&self) -> pg_sys::Oid {
        self.type_oid
    }
}

/// A kept plan with one generic plan for all arguments: our statements find rows by key, so that none profits from a plan of
/// its own, and planning anew costs more than running.
pub struct Plan {
    plan: pg_sys::SPIPlanPtr,
    types: Box<[pg_sys::Oid]>,
}

impl Plan {
    /// Plans `sql`, whose parameters have these types. In a session of the application, every name and operator of `sql` has to be
    /// qualified: its `search_path` is the session's, and its rights may not be.
    pub fn prepare(_spi: &Spi, sql: &str, types: &[pg_sys::Oid]) -> Self {
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
        Plan {
            plan,
            types: types.into(),
        }
    }

    /// Runs it and hands over its rows. An argument of another type than its parameter is an error.
    pub fn execute<'spi>(&self, spi: &'spi Spi, arguments: &[Argument]) -> Rows<'spi> {
        let given = arguments.iter().map(|argument| argument.type_oid);
        if !given.eq(self.types.iter().copied()) {
            pgrx::error!("zentry_notify: a statement was given arguments of other types than it has");
        }
        let values: Vec<pg_sys::Datum> = arguments
            .iter()
            .map(|argument| argument.value.unwrap_or(pg_sys::Datum::null()))
            .collect();
        // SAFETY: as many values as the plan has parameters, of its types, as was seen above.
        unsafe { self.run(spi, &values, |place| arguments[place].value.is_none()) }
    }

    /// The same with values that are not our own to know the types of.
    ///
    /// # Safety
    /// There are as many as the plan has parameters, and they are of the types that it was prepared with.
    pub(super) unsafe fn execute_with<'spi>(
        &self,
        spi: &'spi Spi,
        values: &[Option<pg_sys::Datum>],
    ) -> Rows<'spi> {
        let data: Vec<pg_sys::Datum> = values
            .iter()
            .map(|value| value.unwrap_or(pg_sys::Datum::null()))
            .collect();
        // SAFETY: by the caller's promise.
        unsafe { self.run(spi, &data, |place| values[place].is_none()) }
    }

    /// # Safety
    /// As [`Plan::execute_with`].
    unsafe fn run<'spi>(
        &self,
        spi: &'spi Spi,
        values: &[pg_sys::Datum],
        is_null: impl Fn(usize) -> bool,
    ) -> Rows<'spi> {
        let nulls: Vec<c_char> = (0..values.len())
            .map(|place| if is_null(place) { b'n' } else { b' ' } as c_char)
            .collect();
        // SAFETY: by the caller's promise; the table is freed by SPI_finish, which ends what the rows borrow.
        unsafe {
            let code =
                pg_sys::SPI_execute_plan(self.plan, values.as_ptr().cast_mut(), nulls.as_ptr(), false, 0);
            check(code, "a statement");
            Rows {
                spi,
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

/// What a statement returned, as long as the connection lasts.
pub struct Rows<'spi> {
    spi: &'spi Spi,
    table: *mut pg_sys::SPITupleTable,
    count: usize,
}

impl<'spi> Rows<'spi> {
    /// Rows returned or touched.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns the value in the first column of the first row; None: it is null, or there is no row.
    pub fn first<T: Value<'spi>>(&self) -> Option<T> {
        if self.count == 0 {
            return None;
        }
        self.get(0, 1)
    }

    /// Returns the value in `column`, which counts from 1; None: it is null. A column of another type is an error.
    pub fn get<T: Value<'spi>>(&self, row: usize, column: usize) -> Option<T> {
        assert!(!self.table.is_null() && row < self.count, "a row that there is");
        // SAFETY: the row's number was checked, and SPI's own accessors check the column's; the value is of the type that it is read as,
        // and what is made of it lives as long as the connection, as its context does.
        unsafe {
            let tuple = *(*self.table).vals.add(row);
            let descriptor = (*self.table).tupdesc;
            let type_oid = pg_sys::SPI_gettypeid(descriptor, column as i32);
            if !T::TYPES.contains(&type_oid) {
                pgrx::error!(
                    "zentry_notify: column {column} of a statement is of another type ({})",
                    type_oid.to_u32()
                );
            }
            let mut is_null = false;
            let value = pg_sys::SPI_getbinval(tuple, descriptor, column as i32, &mut is_null);
            if is_null {
                return None;
            }
            let _memory = Current::switch(self.spi.memory);
            T::read(value)
        }
    }
}

/// What a column of a statement is read as.
pub trait Value<'spi>: Sized {
    /// Types whose values it can be read from.
    const TYPES: &'static [pg_sys::Oid];

    /// # Safety
    /// `value` is of one of these types, and not null; the current memory context lives as long as the rows do.
    unsafe fn read(value: pg_sys::Datum) -> Option<Self>;
}

/// What pgrx reads.
macro_rules! read_by_pgrx {
    ($($of:ty: $($type_oid:ident)|+;)*) => {$(
        impl<'spi> Value<'spi> for $of {
            const TYPES: &'static [pg_sys::Oid] = &[$(pg_sys::$type_oid),+];

            unsafe fn read(value: pg_sys::Datum) -> Option<Self> {
                // SAFETY: by the caller's promise.
                unsafe { Self::from_datum(value, false) }
            }
        }
    )*};
}

read_by_pgrx! {
    bool: BOOLOID;
    i8: CHAROID;
    i16: INT2OID;
    i32: INT4OID;
    i64: INT8OID;
    pg_sys::Oid: OIDOID;
    String: TEXTOID | VARCHAROID | JSONOID;
    &'spi str: TEXTOID | VARCHAROID | JSONOID;
    Vec<String>: TEXTARRAYOID;
    Vec<i64>: INT8ARRAYOID;
}

impl Value<'_> for Timestamp {
    const TYPES: &'static [pg_sys::Oid] = &[pg_sys::TIMESTAMPTZOID];

    unsafe fn read(value: pg_sys::Datum) -> Option<Self> {
        Some(from_timestamptz(value.value() as i64))
    }
}
