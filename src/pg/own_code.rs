//! While something runs with the rights of a table's owner, nothing runs that a third one wrote. PostgreSQL evaluates constant parts of indexes'
//! predicates, checks and statistics of a table that is read as whoever reads it; a name that is read anew may find a function, an operator or
//! a cast that came since and fits better; and a type may get a check at any time.
//!
//! Of PostgreSQL's own functions, those that run a text do not run either, nor those that take locks for as long as the process lives.
//!
//! Three hooks, because none sees all: a function that an expression calls is announced when the expression is made ready; one that the
//! server calls by itself, as a cast to json, only when it is called; and one that is taken apart and becomes part of its caller, which a
//! hook that wants it called prevents, neither.

use std::cell::Cell;

use pgrx::pg_sys::{ObjectAccessType, Oid};
use pgrx::prelude::*;

use super::acting_as::ActingAs;
use super::role;
use crate::report;

thread_local! {
    /// Whose functions run, besides superusers'.
    static AUTHOR: Cell<Option<Oid>> = const { Cell::new(None) };
    static IS_HOOKED: Cell<bool> = const { Cell::new(false) };
    /// Who was there before.
    static NEXT: Cell<pg_sys::object_access_hook_type> = const { Cell::new(None) };
    static NEXT_NEEDS: Cell<pg_sys::needs_fmgr_hook_type> = const { Cell::new(None) };
    static NEXT_CALL: Cell<pg_sys::fmgr_hook_type> = const { Cell::new(None) };
}

/// Once in a process, and not in one that reads nobody's tables.
fn hook() {
    if IS_HOOKED.replace(true) {
        return;
    }
    // SAFETY: variables of this process; what was there is called first.
    unsafe {
        NEXT.set(pg_sys::object_access_hook);
        pg_sys::object_access_hook = Some(object_accessed);
        NEXT_NEEDS.set(pg_sys::needs_fmgr_hook);
        pg_sys::needs_fmgr_hook = Some(is_wanted);
        NEXT_CALL.set(pg_sys::fmgr_hook);
        pg_sys::fmgr_hook = Some(called);
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

/// While it lives, SQL runs with the rights of a table's owner, restricted, and nothing runs that a third role wrote.
pub struct AsOwner {
    // In the order in which they end.
    _own: OwnCodeOnly,
    _acting: ActingAs,
}

impl AsOwner {
    pub fn of(owner: Oid) -> Self {
        let acting = ActingAs::role(owner);
        AsOwner {
            _own: OwnCodeOnly::of(owner),
            _acting: acting,
        }
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
    if access == ObjectAccessType::OAT_FUNCTION_EXECUTE {
        check(object);
    }
}

/// # Safety
/// PostgreSQL calls the hook.
#[pg_guard]
unsafe extern "C-unwind" fn is_wanted(function: Oid) -> bool {
    // Also the author's own: what PostgreSQL keeps of a function's call, for a type, lives on when somebody else's code runs.
    let is_somebodys = AUTHOR.get().is_some() && function.to_u32() >= pg_sys::FirstNormalObjectId;
    // SAFETY: as PostgreSQL would call it without us.
    is_somebodys || NEXT_NEEDS.get().is_some_and(|next| unsafe { next(function) })
}

/// # Safety
/// PostgreSQL calls the hook.
#[pg_guard]
unsafe extern "C-unwind" fn called(
    event: pg_sys::FmgrHookEventType::Type,
    function: *mut pg_sys::FmgrInfo,
    argument: *mut pg_sys::Datum,
) {
    if let Some(next) = NEXT_CALL.get() {
        // SAFETY: as PostgreSQL would call it without us.
        unsafe { next(event, function, argument) };
    }
    if event == pg_sys::FmgrHookEventType::FHET_START {
        // SAFETY: PostgreSQL hands over the function that it is about to call.
        check(unsafe { (*function).fn_oid });
    }
}

/// Functions of PostgreSQL's own that run a text as SQL, which a check of somebody's domain may have, whose locks last longer than what has
/// called them, or that fill what the commit needs.
const FORBIDDEN: [&str; 11] = [
    "pg_notify",
    "pg_logical_emit_message",
    "pg_advisory_",
    "pg_try_advisory_",
    "query_to_xml",
    "table_to_xml",
    "cursor_to_xml",
    "schema_to_xml",
    "database_to_xml",
    "ts_stat",
    "ts_rewrite",
];

/// The name of such a function; none: it is none of them.
pub fn forbidden(function: Oid) -> Option<String> {
    let is_built_in = function.to_u32() < pg_sys::FirstNormalObjectId;
    is_built_in
        .then(|| name_of(function))
        .filter(|name| FORBIDDEN.iter().any(|forbidden| name.starts_with(forbidden)))
}

pub fn refuse_forbidden(name: &str) {
    report::error(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("{name} may not be called with the rights of a table's owner"),
        "",
        "It runs a text as SQL, or leaves something behind: a lock, a notification.",
    )
}

/// An error if it may not run now.
fn check(function: Oid) {
    if AUTHOR.get().is_some()
        && let Some(name) = forbidden(function)
    {
        refuse_forbidden(&name);
    }
    if let Some((owner, author)) = stranger(function) {
        report::error(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "a function of role \"{}\" would run with the rights of role \"{}\"",
                role::name_of(owner),
                role::name_of(author)
            ),
            "",
            "An expression calls it, or it belongs to an index, a check, statistics or a type of a table that is read. Give the table and its functions to one owner.",
        );
    }
}

/// Its owner, and with whose rights it would run, if that must not be.
fn stranger(function: Oid) -> Option<(Oid, Oid)> {
    let author = AUTHOR.get()?;
    if function.to_u32() < pg_sys::FirstNormalObjectId {
        return None;
    }
    let owner = owner_of(function)?;
    // SAFETY: a look into the catalogue.
    let is_trusted = owner == author || unsafe { pg_sys::superuser_arg(owner) };
    (!is_trusted).then_some((owner, author))
}

fn name_of(function: Oid) -> String {
    // SAFETY: a catalogue look-up; the name is copied, and of a function that is gone it is null.
    unsafe {
        let name = pg_sys::get_func_name(function);
        match name.is_null() {
            true => String::new(),
            false => std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned(),
        }
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
