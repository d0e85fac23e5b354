//! Refuses code of other roles while something runs with the rights of a table's owner.
//!
//! Such code may run unasked: PostgreSQL evaluates the constant parts of a table's index predicates, checks and statistics as the role that
//! plans a statement; a name that is parsed again may resolve to a function, an operator or a cast that was made since and fits better; and
//! a type may get a check at any time.
//!
//! Of PostgreSQL's own functions, those that execute a text as SQL are refused too, and those whose effects outlast the call: advisory
//! locks, notifications, logical messages.
//!
//! It takes three hooks. `object_access_hook` sees a function when an expression that calls it is initialised. `fmgr_hook` sees one that the
//! server calls by itself, such as a cast to json, when it is called. A function that is inlined is seen by neither; `needs_fmgr_hook`
//! prevents the inlining.

use std::cell::Cell;

use pgrx::pg_sys::{ObjectAccessType, Oid};
use pgrx::prelude::*;

use super::acting_as::ActingAs;
use super::role;
use crate::report;

thread_local! {
    /// The role whose functions may run, besides superusers'. None: every function may.
    static AUTHOR: Cell<Option<Oid>> = const { Cell::new(None) };
    static IS_HOOKED: Cell<bool> = const { Cell::new(false) };
    /// The hooks that were set before.
    static NEXT_ACCESS: Cell<pg_sys::object_access_hook_type> = const { Cell::new(None) };
    static NEXT_NEEDS: Cell<pg_sys::needs_fmgr_hook_type> = const { Cell::new(None) };
    static NEXT_CALL: Cell<pg_sys::fmgr_hook_type> = const { Cell::new(None) };
}

/// Sets the hooks, at the first use in a process: sessions that never evaluate an owner's code have none.
fn hook() {
    if IS_HOOKED.replace(true) {
        return;
    }
    // SAFETY: the hooks are variables of this process, read and written on its main thread; the hooks that were set before are called first.
    unsafe {
        NEXT_ACCESS.set(pg_sys::object_access_hook);
        pg_sys::object_access_hook = Some(object_accessed);
        NEXT_NEEDS.set(pg_sys::needs_fmgr_hook);
        pg_sys::needs_fmgr_hook = Some(needs_call);
        NEXT_CALL.set(pg_sys::fmgr_hook);
        pg_sys::fmgr_hook = Some(called);
    }
}

/// While it lives, to run a function that belongs neither to a superuser nor to the author is an error.
pub struct OwnCodeOnly(Option<Oid>);

impl OwnCodeOnly {
    pub fn of(author: Oid) -> Self {
        hook();
        OwnCodeOnly(AUTHOR.replace(Some(author)))
    }
}

/// While it lives, SQL runs with the rights of a table's owner, in a restricted operation, and no function of a third role runs.
pub struct AsOwner {
    // Fields are dropped in this order.
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
/// Called by PostgreSQL, as `object_access_hook`.
#[pg_guard]
unsafe extern "C-unwind" fn object_accessed(
    access: ObjectAccessType::Type,
    class: Oid,
    object: Oid,
    sub_id: std::ffi::c_int,
    argument: *mut std::ffi::c_void,
) {
    if let Some(next) = NEXT_ACCESS.get() {
        // SAFETY: the arguments are passed on as they came.
        unsafe { next(access, class, object, sub_id, argument) };
    }
    if access == ObjectAccessType::OAT_FUNCTION_EXECUTE {
        check(object);
    }
}

/// # Safety
/// Called by PostgreSQL, as `needs_fmgr_hook`.
#[pg_guard]
unsafe extern "C-unwind" fn needs_call(function: Oid) -> bool {
    // Also the author's own functions: PostgreSQL caches, for a type, how a function is called, and uses that when another author's code runs.
    let is_users = AUTHOR.get().is_some() && function.to_u32() >= pg_sys::FirstNormalObjectId;
    // SAFETY: the argument is passed on as it came.
    is_users || NEXT_NEEDS.get().is_some_and(|next| unsafe { next(function) })
}

/// # Safety
/// Called by PostgreSQL, as `fmgr_hook`.
#[pg_guard]
unsafe extern "C-unwind" fn called(
    event: pg_sys::FmgrHookEventType::Type,
    function: *mut pg_sys::FmgrInfo,
    argument: *mut pg_sys::Datum,
) {
    if let Some(next) = NEXT_CALL.get() {
        // SAFETY: the arguments are passed on as they came.
        unsafe { next(event, function, argument) };
    }
    if event == pg_sys::FmgrHookEventType::FHET_START {
        // SAFETY: PostgreSQL passes the FmgrInfo of the function that it is about to call.
        check(unsafe { (*function).fn_oid });
    }
}

/// Prefixes of the names of built-in functions that are refused: they execute a text as SQL, which a check of a domain may contain, or leave
/// behind advisory locks, notifications or logical messages.
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

/// Returns the name of a built-in function that is refused; None for every other function.
pub fn forbidden(function: Oid) -> Option<String> {
    let is_built_in = function.to_u32() < pg_sys::FirstNormalObjectId;
    is_built_in
        .then(|| name_of(function))
        .filter(|name| FORBIDDEN.iter().any(|forbidden| name.starts_with(forbidden)))
}

/// Raises the error for a function that [`forbidden`] has named.
pub fn refuse_forbidden(name: &str) {
    report::error(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("{name} may not be called with the rights of a table's owner"),
        "",
        "It runs a text as SQL, or leaves something behind: a lock, a notification.",
    )
}

/// Raises an error if the function may not run now.
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

/// Returns the owner of a function that may not run now, and the role with whose rights it would.
fn stranger(function: Oid) -> Option<(Oid, Oid)> {
    let author = AUTHOR.get()?;
    if function.to_u32() < pg_sys::FirstNormalObjectId {
        return None;
    }
    let owner = owner_of(function)?;
    // SAFETY: a catalogue look-up, which returns false for an unknown role.
    let is_trusted = owner == author || unsafe { pg_sys::superuser_arg(owner) };
    (!is_trusted).then_some((owner, author))
}

fn name_of(function: Oid) -> String {
    // SAFETY: a catalogue look-up, which returns null for an unknown function; else a C string in the current memory context.
    unsafe {
        let name = pg_sys::get_func_name(function);
        match name.is_null() {
            true => String::new(),
            false => std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned(),
        }
    }
}

fn owner_of(function: Oid) -> Option<Oid> {
    // SAFETY: a catalogue look-up; the row is pinned until it is released, and not read afterwards.
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
