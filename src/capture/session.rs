//! What a session keeps: sources and subscribers, until something that they depend on changes, and what the running
//! transaction has not written yet.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, PgRelation, PgTrigger};

use super::MILESTONE;
use super::source::Source;
use super::subscribers::Subscribers;
use super::tables::OurTables;
use super::unwritten::Unwritten;
use super::watch::{CONFIGURATION, Watch};
use crate::acting_as::ActingAs;
use crate::installation::{Installation, Mismatch};
use crate::plan::{Plan, with_spi};
use crate::subtransaction;

/// A trigger's sources, one for each of its arguments, but for those that are suspended or gone.
#[derive(Clone, Default)]
pub struct Known {
    pub sources: Rc<[Rc<Source>]>,
    /// The trigger is another event's than milestones' own.
    pub milestones_ride: bool,
    /// The SQL does not go with the library: what is tried may fail.
    pub mismatch: Option<Rc<Mismatch>>,
}

#[derive(Default)]
pub struct Session {
    /// By the trigger's OID.
    sources: HashMap<pg_sys::Oid, Known>,
    subscribers: Option<Rc<Subscribers>>,
    /// As of which both hold.
    changes: u64,
    pub tables: Option<Rc<OurTables>>,
    pub unwritten: Unwritten,
}

thread_local! {
    // Never dropped: plans must not be freed when the process ends and Postgres' memory is gone.
    static SESSION: ManuallyDrop<RefCell<Session>> = ManuallyDrop::new(RefCell::default());
}

pub fn session<T>(f: impl FnOnce(&mut Session) -> T) -> T {
    SESSION.with(|session| f(&mut session.borrow_mut()))
}

/// The trigger's sources, as kept or made anew. One that does not work any more is suspended: the application's write goes on.
pub fn sources_of(trigger: &PgTrigger) -> Known {
    forget_if_changed();
    let oid = trigger.trigger().tgoid;
    if let Some(known) = session(|s| s.sources.get(&oid).cloned()) {
        return known;
    }
    let (Ok(event_types), Ok(relation)) = (trigger.extra_args(), trigger.relation()) else {
        return Known::default();
    };
    watch_configuration();
    CONFIGURATION.with(|watch| watch.add(relation.oid()));
    let mismatch = Installation::find()
        .and_then(|installation| installation.fits().err())
        .map(Rc::new);
    let sources = event_types
        .iter()
        .filter_map(|event_type| load(event_type, &relation, mismatch.as_deref()))
        .collect();
    let known = Known {
        sources,
        milestones_ride: event_types.first().is_some_and(|first| first != MILESTONE),
        mismatch,
    };
    session(|s| s.sources.insert(oid, known.clone()));
    known
}

fn load(event_type: &str, relation: &PgRelation, mismatch: Option<&Mismatch>) -> Option<Rc<Source>> {
    match subtransaction::attempt(|| Source::load(event_type, relation)) {
        Ok(source) => source.map(Rc::new),
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
    const SQL: &str = "WITH RECURSIVE up (relation) AS (\
                         SELECT $2 UNION ALL \
                         SELECT i.inhparent FROM up u JOIN pg_catalog.pg_inherits i ON i.inhrelid OPERATOR(pg_catalog.=) u.relation) \
                       UPDATE zentry_notify.event_source SET suspended_at = pg_catalog.now(), suspended_reason = $3 \
                       WHERE id OPERATOR(pg_catalog.=) (\
                         SELECT s.id FROM zentry_notify.event_source s \
                         WHERE s.event_type OPERATOR(pg_catalog.=) $1 AND s.suspended_at IS NULL \
                           AND s.relation::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (SELECT u.relation FROM up u) \
                         LIMIT 1 FOR UPDATE SKIP LOCKED)";
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
    watch_configuration();
    let loaded = Rc::new(Subscribers::load());
    session(|s| s.subscribers = Some(loaded.clone()));
    loaded
}

/// From now on it is noticed when somebody changes an integration or a source.
fn watch_configuration() {
    const SQL: &str = "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
                       WHERE n.nspname OPERATOR(pg_catalog.=) 'zentry_notify' AND c.relname OPERATOR(pg_catalog.=) ANY ('{webhook_integration,event_source}'::pg_catalog.name[])";
    with_spi(|| {
        let rows = Plan::prepare(SQL, &[]).execute(&[]);
        for row in 0..rows.len() {
            // SAFETY: the statement's only column is an oid.
            let oid = unsafe { rows.get(row, 1).0.and_then(|d| pg_sys::Oid::from_datum(d, false)) };
            if let Some(oid) = oid {
                CONFIGURATION.with(|watch| watch.add(oid));
            }
        }
    });
}

fn forget_if_changed() {
    let changes = CONFIGURATION.with(Watch::changes);
    session(|s| {
        if s.changes != changes {
            CONFIGURATION.with(Watch::clear);
            s.changes = changes;
            s.sources.clear();
            s.subscribers = None;
        }
    });
}
