//! While somebody's tables are read with another's rights, nothing runs that a third one wrote. PostgreSQL evaluates constant parts of indexes'
//! predicates, checks and statistics of a table that is read as whoever reads it; policies and views are not all that an owner can plant.

use std::cell::Cell;

use pgrx::pg_sys::{ObjectAccessType, Oid};
use pgrx::prelude::*;

use super::role;
use crate::report;

thread_local! {
    /// Whose functions run, besides superusers'.
    static AUTHOR: Cell<Option<Oid>> = const { Cell::new(None) };
    static IS_HOOKED: Cell<bool> = const { Cell::new(false) };
    /// Who was there before.
    static NEXT: Cell<pg_sys::object_access_hook_type> = const { Cell::new(None) };
}

/// Once in a process, and not in one that reads nobody's tables.
fn hook() {
    if IS_HOOKED.replace(true) {
        return;
    }
    // SAFETY: a variable of this process; what was there is called first.
    unsafe {
        NEXT.set(pg_sys::object_access_hook);
        pg_sys::object_access_hook = Some(object_accessed);
    }
}

/// While it lives, a function that belongs neither to a superuser nor to `author` is an error.
pub struct OwnCodeOnly(Option<Oid>);

impl OwnCodeOnly {
    pub fn of(author: Oid) -> Self {
        hook();
        OwnCodeOnly(AUTHOR.replace(Some(author)))
    }
}

impl Drop for OwnCodeOnly {
    fn drop(&mut self) {
        AUTHOR.set(self.0);
    }
}

/// # Safety
/// PostgreSQL calls the hook.
#[pg_guard]
unsafe extern "C-unwind" fn object_accessed(
    access: ObjectAccessType::Type,
    class: Oid,
    object: Oid,
    sub_id: std::ffi::c_int,
    argument: *mut std::ffi::c_void,
) {
    if let Some(next) = NEXT.get() {
        // SAFETY: as PostgreSQL would call it without us.
        unsafe { next(access, class, object, sub_id, argument) };
    }
    let Some(author) = AUTHOR.get() else { return };
    if access != ObjectAccessType::OAT_FUNCTION_EXECUTE || object.to_u32() < pg_sys::FirstNormalObjectId {
        return;
    }
    if let Some(owner) = owner_of(object)
        && owner != author
        // SAFETY: a look into the catalogue.
        && !unsafe { pg_sys::superuser_arg(owner) }
    {
        report::error(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "a function of role \"{}\" would run with the rights of role \"{}\"",
                role::name_of(owner),
                role::name_of(author)
            ),
            "",
            "It belongs to an index, a check, statistics or a type of a table that is read. Give the table and its functions to one owner.",
        );
    }
}

fn owner_of(function: Oid) -> Option<Oid> {
    // SAFETY: a catalogue look-up; the row is read before it is released.
    unsafe {
        let id = pg_sys::SysCacheIdentifier::PROCOID;
        let tuple = pg_sys::SearchSysCache1(id as _, pg_sys::Datum::from(function));
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_proc>(tuple)).proowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}
