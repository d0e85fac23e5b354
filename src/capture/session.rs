//! What a session keeps: sources and subscribers, until something that they depend on changes, and what the running
//! transaction has not written yet.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, PgRelation, PgTrigger};

use super::source::Source;
use super::subscribers::Subscribers;
use super::unwritten::Unwritten;
use crate::acting_as::ActingAs;
use crate::installation::{Installation, Mismatch};
use crate::plan::{Plan, with_spi};
use crate::subtransaction;

/// A trigger's sources, one for each of its arguments, but for those that are suspended or gone.
#[derive(Clone, Default)]
pub struct Known {
    pub sources: Rc<[Rc<Source>]>,
    /// The SQL does not go with the library: what is tried may fail.
    pub mismatch: Option<Rc<Mismatch>>,
}

#[derive(Default)]
pub struct Session {
    /// By the trigger's OID.
    sources: HashMap<pg_sys::Oid, Known>,
    subscribers: Option<Rc<Subscribers>>,
    statements: Option<Rc<Statements>>,
    pub unwritten: Unwritten,
}

/// Statements on our own tables.
pub struct Statements {
    pub insert_one: Insert,
    pub insert_many: Insert,
    pub insert_notes: Plan,
}

/// The same statement twice.
pub struct Insert {
    /// Returns the id, or the lowest.
    pub returning: Plan,
    /// Costs less.
    pub silent: Plan,
}

/// What else than a relation itself decides whether its owner may read it: roles, memberships, schemas.
const RIGHTS: [i32; 3] = [
    pg_sys::SysCacheIdentifier::AUTHOID as i32,
    pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM as i32,
    pg_sys::SysCacheIdentifier::NAMESPACEOID as i32,
];

thread_local! {
    // Never dropped: plans must not be freed when the process ends and Postgres' memory is gone.
    static SESSION: ManuallyDrop<RefCell<Session>> = ManuallyDrop::new(RefCell::default());
    /// Relations that what is kept depends on; empty when nothing is.
    static DEPENDENCIES: RefCell<Vec<pg_sys::Oid>> = const { RefCell::new(Vec::new()) };
    static STALE: Cell<bool> = const { Cell::new(false) };
}

pub fn register_callbacks() {
    // SAFETY: once per process, and the callbacks live as long as it does.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
        for cache in RIGHTS {
            pg_sys::CacheRegisterSyscacheCallback(cache, Some(rights_changed), pg_sys::Datum::null());
        }
    }
}

pub fn session<T>(f: impl FnOnce(&mut Session) -> T) -> T {
    SESSION.with(|session| f(&mut session.borrow_mut()))
}

/// The trigger's sources, as kept or made anew. One that does not work any more is suspended: the application's write goes on.
pub fn sources_of(trigger: &PgTrigger) -> Known {
    if STALE.take() {
        forget();
    }
    let oid = trigger.trigger().tgoid;
    if let Some(known) = session(|s| s.sources.get(&oid).cloned()) {
        return known;
    }
    let (Ok(event_types), Ok(relation)) = (trigger.extra_args(), trigger.relation()) else {
        return Known::default();
    };
    depend_on(&our_tables());
    depend_on(&[relation.oid()]);
    let mismatch = Installation::find()
        .and_then(|installation| installation.fits().err())
        .map(Rc::new);
    let sources = event_types
        .iter()
        .filter_map(|event_type| load(event_type, &relation, mismatch.as_deref()))
        .collect();
    let known = Known { sources, mismatch };
    session(|s| s.sources.insert(oid, known.clone()));
    known
}

fn load(event_type: &str, relation: &PgRelation, mismatch: Option<&Mismatch>) -> Option<Rc<Source>> {
    match subtransaction::attempt(|| Source::load(event_type, relation)) {
        Ok(source) => {
            let source = Rc::new(source?);
            depend_on(&source.relations);
            Some(source)
        }
        Err(failure) => {
            let reason = failure.raise_if_passing().to_string();
            match mismatch {
                // No fault of the source's.
                Some(mismatch) => not_captured(mismatch, &reason),
                None => suspend(event_type, relation.oid(), &reason),
            }
            None
        }
    }
}

/// Says that events are lost until the SQL goes with the library.
pub fn not_captured(mismatch: &Mismatch, reason: &str) {
    crate::report::warning(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!(
            "{}, and an event could not be written: {reason}",
            mismatch.message()
        ),
        &format!("The write itself is not affected. {}", mismatch.hint()),
    );
}

/// Records why the source fires nothing from now on. Another session may be doing the same: it is not waited for.
pub fn suspend(event_type: &str, relation: pg_sys::Oid, reason: &str) {
    const SQL: &str = "UPDATE zentry_notify.event_source SET suspended_at = pg_catalog.now(), suspended_reason = $3 \
                       WHERE id OPERATOR(pg_catalog.=) (\
                         SELECT s.id FROM zentry_notify.event_source s \
                         WHERE s.event_type OPERATOR(pg_catalog.=) $1 AND s.suspended_at IS NULL \
                           AND (s.relation OPERATOR(pg_catalog.=) $2 OR s.relation OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.pg_partition_ancestors($2))) \
                         FOR UPDATE SKIP LOCKED)";
    let recorded = subtransaction::attempt(|| {
        let _agent = ActingAs::agent();
        with_spi(|| {
            let types = [pg_sys::TEXTOID, pg_sys::OIDOID, pg_sys::TEXTOID];
            Plan::prepare(SQL, &types)
                .execute(&[
                    event_type.into_datum(),
                    relation.into_datum(),
                    reason.into_datum(),
                ])
                .len()
        })
    });
    if !matches!(recorded, Ok(0)) {
        crate::report::warning(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!(
                "zentry_notify: {event_type} on table {} is suspended: {reason}",
                table_name(relation)
            ),
            "The write itself is not affected. Mend the cause, then run: SELECT * FROM zentry_attach();",
        );
    }
}

fn table_name(relation: pg_sys::Oid) -> String {
    // SAFETY: a catalogue look-up; null when there is no such relation.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        if name.is_null() {
            return relation.to_u32().to_string();
        }
        format!("\"{}\"", std::ffi::CStr::from_ptr(name).to_string_lossy())
    }
}

pub fn subscribers() -> Rc<Subscribers> {
    if let Some(known) = session(|s| s.subscribers.clone()) {
        return known;
    }
    let loaded = Rc::new(Subscribers::load());
    depend_on(&our_tables());
    session(|s| s.subscribers = Some(loaded.clone()));
    loaded
}

fn our_tables() -> Vec<pg_sys::Oid> {
    const SQL: &str = "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
                       WHERE n.nspname OPERATOR(pg_catalog.=) 'zentry_notify' AND c.relname OPERATOR(pg_catalog.=) ANY ('{webhook_integration,event_source}'::pg_catalog.name[])";
    with_spi(|| {
        let rows = Plan::prepare(SQL, &[]).execute(&[]);
        // SAFETY: the statement's only column is an oid.
        (0..rows.len())
            .filter_map(|row| unsafe { pg_sys::Oid::from_datum(rows.get(row, 1).0?, false) })
            .collect()
    })
}

pub fn statements() -> Rc<Statements> {
    if let Some(known) = session(|s| s.statements.clone()) {
        return known;
    }
    // Who writes to an application's table need not have a right on ours.
    let _agent = ActingAs::agent();
    let prepare = |sql: &str, types: &[pg_sys::Oid]| with_spi(|| Plan::prepare(sql, types));
    let insert = |rows: &str, lane: pg_sys::Oid| {
        let types = [lane, pg_sys::TEXTOID, pg_sys::TEXTOID];
        let sql = format!(
            "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) {rows}"
        );
        Insert {
            returning: prepare(&format!("{sql} RETURNING id"), &types),
            silent: prepare(&sql, &types),
        }
    };
    let prepared = Rc::new(Statements {
        insert_one: insert("VALUES ($1, $2, $3::pg_catalog.jsonb)", pg_sys::INT8OID),
        insert_many: insert(
            "SELECT lane, $2, $3::pg_catalog.jsonb FROM pg_catalog.unnest($1) lane",
            pg_sys::INT8ARRAYOID,
        ),
        insert_notes: prepare(
            "INSERT INTO zentry_notify.progress_note (event_source_id, project_key, done_change, total_change) \
             SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))",
            &[
                pg_sys::INT8ARRAYOID,
                pg_sys::TEXTARRAYOID,
                pg_sys::INT4ARRAYOID,
                pg_sys::INT4ARRAYOID,
            ],
        ),
    });
    session(|s| s.statements = Some(prepared.clone()));
    prepared
}

fn forget() {
    DEPENDENCIES.with_borrow_mut(Vec::clear);
    session(|s| {
        s.sources.clear();
        s.subscribers = None;
    });
}

fn depend_on(relations: &[pg_sys::Oid]) {
    DEPENDENCIES.with_borrow_mut(|known| known.extend_from_slice(relations));
}

/// Called by Postgres at any moment that it takes note of changes, so it only sets a flag.
#[pg_guard]
extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let concerned = DEPENDENCIES.with(|known| match known.try_borrow() {
        Ok(known) => !known.is_empty() && (relation == pg_sys::InvalidOid || known.contains(&relation)),
        Err(_) => true,
    });
    if concerned {
        STALE.set(true);
    }
}

/// The table's owner may have lost a right that the lookups need: they are rehearsed again.
#[pg_guard]
extern "C-unwind" fn rights_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    let something_is_kept =
        DEPENDENCIES.with(|known| known.try_borrow().map_or(true, |known| !known.is_empty()));
    if something_is_kept {
        STALE.set(true);
    }
}
