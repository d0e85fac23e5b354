//! Statements that are planned once and kept for the session.

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;

use jiff::Timestamp;
use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::memory::Current;
use crate::timestamp::from_timestamptz;

/// Raises an error for a negative return code of SPI, which only a mistake in this library causes.
fn check(code: i32, what: &str) {
    if code < 0 {
        pgrx::error!("zentry_notify: {what} failed: SPI error {code}");
    }
}

/// A connection to SPI, which [`with_spi`] opens and closes.
pub struct Spi {
    /// The memory context of the connection, freed when it is closed.
    memory: pg_sys::MemoryContext,
    _not_sent: PhantomData<*mut ()>,
}

/// Runs `f` with a connection to SPI. What `f` allocates in PostgreSQL's memory contexts is freed afterwards.
pub fn with_spi<T>(f: impl FnOnce(&Spi) -> T) -> T {
    // SAFETY: every connection is finished here; after an error, the abort of the (sub)transaction does it (AtEOSubXact_SPI).
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

/// The value of a statement's parameter, with its type.
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
    /// Makes an argument of type json, whose values are stored as texts are. The text has to be valid JSON: it is not checked.
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

/// A kept plan, generic for all arguments: the extension's statements find rows by key, so that none profits from a custom plan, and
/// planning costs more than running.
pub struct Plan {
    plan: pg_sys::SPIPlanPtr,
    types: Box<[pg_sys::Oid]>,
}

impl Plan {
    /// Prepares `sql`, whose parameters have the given types. Where a session of the application runs it, every name and operator in `sql` has
    /// to be qualified, since its `search_path` is the session's.
    pub fn prepare(_spi: &Spi, sql: &str, types: &[pg_sys::Oid]) -> Self {
        let sql = CString::new(sql).unwrap_or_default();
        // SAFETY: `_spi` is connected; SPI copies the text and the types, and SPI_keepplan moves the plan to a permanent context.
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

    /// Runs the statement and returns its rows. It raises an error if an argument is of another type than its parameter.
    pub fn execute<'spi>(&self, spi: &'spi Spi, arguments: &[Argument]) -> Rows<'spi> {
        let (values, nulls) = self.values_of(arguments);
        // SAFETY: there is a value of the right type for each parameter, as was checked.
        unsafe { self.run(spi, &values, &nulls) }
    }

    /// Runs the statement, which has to be a query, and calls `take` with its rows, `count` at a time, as long as that returns true. So no more
    /// than `count` rows are in memory together. It raises an error if an argument is of another type than its parameter.
    pub fn execute_in_parts(
        &self,
        spi: &Spi,
        arguments: &[Argument],
        count: u16,
        mut take: impl FnMut(&Rows) -> bool,
    ) {
        let (values, nulls) = self.values_of(arguments);
        // SAFETY: there is a value of the right type for each parameter, as was checked. The portal is closed here; after an error, the abort
        // of the (sub)transaction does it. The rows of a part, which do not outlive the call of `take`, are freed before the next part.
        unsafe {
            let portal = pg_sys::SPI_cursor_open(
                std::ptr::null(),
                self.plan,
                values.as_ptr().cast_mut(),
                nulls.as_ptr(),
                false,
            );
            if portal.is_null() {
                check(pg_sys::SPI_result, "a query");
            }
            loop {
                pg_sys::SPI_cursor_fetch(portal, true, count.into());
                let rows = Rows {
                    spi,
                    table: pg_sys::SPI_tuptable,
                    count: pg_sys::SPI_processed as usize,
                };
                let goes_on = rows.len() > 0 && take(&rows);
                pg_sys::SPI_freetuptable(rows.table);
                if !goes_on {
                    break;
                }
            }
            pg_sys::SPI_cursor_close(portal);
        }
    }

    /// Returns the arguments' values and nulls. It raises an error if an argument is of another type than its parameter.
    fn values_of(&self, arguments: &[Argument]) -> (Vec<pg_sys::Datum>, Vec<c_char>) {
        let given = arguments.iter().map(|argument| argument.type_oid);
        if !given.eq(self.types.iter().copied()) {
            pgrx::error!("zentry_notify: a statement was given arguments of other types than it has");
        }
        values_and_nulls(arguments.iter().map(|argument| argument.value))
    }

    /// As [`Plan::execute`], with values whose types are not checked.
    ///
    /// # Safety
    /// There is a value for each parameter, of the type that the plan was prepared with.
    pub(super) unsafe fn execute_with<'spi>(
        &self,
        spi: &'spi Spi,
        values: &[Option<pg_sys::Datum>],
    ) -> Rows<'spi> {
        let (values, nulls) = values_and_nulls(values.iter().copied());
        // SAFETY: by the caller's promise.
        unsafe { self.run(spi, &values, &nulls) }
    }

    /// # Safety
    /// As [`Plan::execute_with`].
    unsafe fn run<'spi>(&self, spi: &'spi Spi, values: &[pg_sys::Datum], nulls: &[c_char]) -> Rows<'spi> {
        // SAFETY: by the caller's promise; the result table is freed by SPI_finish, which the rows do not outlive, since they borrow `spi`.
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

/// Returns values and nulls in the form that SPI takes.
fn values_and_nulls(
    values: impl Iterator<Item = Option<pg_sys::Datum>>,
) -> (Vec<pg_sys::Datum>, Vec<c_char>) {
    let nulls = |value: &Option<_>| if value.is_none() { b'n' } else { b' ' } as c_char;
    values
        .map(|value| (value.unwrap_or(pg_sys::Datum::null()), nulls(&value)))
        .unzip()
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: the plan was kept by prepare(), and is freed only here.
        unsafe { pg_sys::SPI_freeplan(self.plan) };
    }
}

/// The rows that a statement returned, valid as long as the connection.
pub struct Rows<'spi> {
    spi: &'spi Spi,
    table: *mut pg_sys::SPITupleTable,
    count: usize,
}

impl<'spi> Rows<'spi> {
    /// Returns how many rows the statement returned or changed.
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

    /// Returns the value in a row, counted from 0, and a column, counted from 1; None: it is null. It raises an error if the column is of a type that
    /// `T` is not read from.
    pub fn get<T: Value<'spi>>(&self, row: usize, column: usize) -> Option<T> {
        assert!(!self.table.is_null() && row < self.count, "the row exists");
        // SAFETY: the row's number was checked, and SPI's accessors check the column's; the value is of one of T's types, and what T::read
        // allocates is in the connection's memory context.
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

/// A type of Rust that a column can be read as.
pub trait Value<'spi>: Sized {
    /// The column types that it is read from.
    const TYPES: &'static [pg_sys::Oid];

    /// Converts a value.
    ///
    /// # Safety
    /// `value` is of one of [`Value::TYPES`] and not null; the current memory context lives as long as the rows.
    unsafe fn read(value: pg_sys::Datum) -> Option<Self>;
}

/// Implements [`Value`] by pgrx's own conversion.
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

/// The text of a jsonb.
pub struct JsonbText(pub String);

impl Value<'_> for JsonbText {
    const TYPES: &'static [pg_sys::Oid] = &[pg_sys::JSONBOID];

    unsafe fn read(value: pg_sys::Datum) -> Option<Self> {
        // SAFETY: by the caller's promise; jsonb_out returns a C string in the current memory context.
        let text = unsafe { pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(value)]) };
        text.map(|text| JsonbText(text.to_string_lossy().into_owned()))
    }
}

impl Value<'_> for Timestamp {
    const TYPES: &'static [pg_sys::Oid] = &[pg_sys::TIMESTAMPTZOID];

    unsafe fn read(value: pg_sys::Datum) -> Option<Self> {
        Some(from_timestamptz(value.value() as i64))
    }
}
