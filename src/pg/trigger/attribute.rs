//! Columns of a tuple descriptor, by name.

use std::ffi::CStr;

use pgrx::PgTupleDesc;
use pgrx::prelude::*;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// The index in the row, from 0.
    pub place: usize,
    pub type_oid: pg_sys::Oid,
    pub collation: pg_sys::Oid,
    /// Whether it is a virtual generated column (from PostgreSQL 18), which is null in a trigger's rows.
    pub r#virtual: bool,
}

/// Returns the column of that name, if it is not dropped.
pub(super) fn attribute_of(descriptor: pg_sys::TupleDesc, name: &str) -> Option<Attribute> {
    // SAFETY: the callers keep the descriptor for the time of the call; a NameData ends with a zero byte.
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
