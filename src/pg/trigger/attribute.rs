//! Columns by their names.

use std::ffi::CStr;

use pgrx::PgTupleDesc;
use pgrx::prelude::*;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// From 0.
    pub place: usize,
    pub type_oid: pg_sys::Oid,
    pub collation: pg_sys::Oid,
    /// It is computed when it is read (PostgreSQL 18): a trigger's rows have null for it.
    pub r#virtual: bool,
}

/// Returns the column of that name, if it is not dropped.
pub(super) fn attribute_of(descriptor: pg_sys::TupleDesc, name: &str) -> Option<Attribute> {
    // SAFETY: a descriptor that outlives the call, whose columns have names that end with a NUL.
    let (columns, named) = unsafe {
        (
            PgTupleDesc::from_pg_unchecked(descriptor),
            |column: &pg_sys::FormData_pg_attribute| {
                CStr::from_ptr(column.attname.data.as_ptr()).to_bytes() == name.as_bytes()
            },
        )
    };
    let place = columns
        .iter()
        .position(|column| !column.attisdropped && named(column))?;
    let column = columns.get(place)?;
    Some(Attribute {
        place,
        type_oid: column.atttypid,
        collation: column.attcollation,
        r#virtual: column.attgenerated.cast_unsigned() == b'v',
    })
}
