//! Row -> pending deliveries: what a trigger on an application's table does.

mod commit;
mod computed;
mod enrichment;
mod filter;
mod foreign_code;
mod lookup;
mod memo;
mod omission;
mod payload;
mod prepare;
mod progress;
mod row;
mod session;
mod source;
mod subscribers;
mod tables;
mod unwritten;
mod value;
mod watch;
mod writer;

use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{IntoDatum, PgTrigger, PgTriggerError};

use crate::{settings, subtransaction, wake};
use progress::note_progress;
use row::Rows;
use session::{Known, session, sources_of, subscribers};
use source::Audience;
use unwritten::Held;

pub use crate::event_source::Audience as AudienceMapping;
pub use session::suspend;
pub use source::Source;

/// The event that the worker derives.
pub const MILESTONE: &str = "milestone_reached";

pub fn register_callbacks() {
    watch::register_callbacks();
    commit::register_callbacks();
}

/// The trigger on application tables. Its arguments are event types.
#[pg_trigger(sql = false)]
fn capture<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    if settings::enabled() {
        let known = sources_of(trigger);
        match &known.mismatch {
            None => capture_row(trigger, &known),
            Some(mismatch) => {
                if let Err(failure) = subtransaction::attempt(|| capture_row(trigger, &known)) {
                    session::not_captured(mismatch, &failure.to_string());
                }
            }
        }
    }
    Ok(None)
}

fn capture_row(trigger: &PgTrigger, known: &Known) {
    let row = Rows::of(trigger);
    for source in known.sources.iter() {
        match source.progress {
            Some(_) => note_progress(source, &row, known.milestones_ride),
            None => {
                if source.fires(&row)
                    && let Some(values) = row.values_of(source)
                {
                    deliver(source, &values, Missing::Hold);
                }
            }
        }
    }
}

/// What to do with an event whose lookups found nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Try again when the transaction commits.
    Hold,
    /// Write nulls.
    Accept,
}

fn deliver(source: &Rc<Source>, values: &[Option<pg_sys::Datum>], missing: Missing) {
    let lanes = audience(source, values);
    if lanes.is_empty() {
        return;
    }
    let data = source.data(values, &[]);
    if data.incomplete && missing == Missing::Hold {
        return hold(source, values);
    }
    insert(&source.event_type, data.payload, &lanes);
}

/// Writes a pending delivery for each of the integrations that want to hear this event; `payload` is a jsonb.
pub fn insert(event_type: &str, payload: pg_sys::Datum, lanes: &[i64]) {
    let subscribers = subscribers();
    let passing = subscribers
        .conditions
        .as_ref()
        .map(|conditions| conditions.passing(event_type, payload, lanes));
    let lanes = passing.as_deref().unwrap_or(lanes);
    let Some(name) = event_type.into_datum() else {
        return;
    };
    for (payload, lanes) in omission::divide(&subscribers.omissions, payload, lanes) {
        let lowest = tables::write_deliveries(name, payload, &lanes);
        wake::at_commit(|work| {
            lanes.iter().for_each(|lane| work.lanes.insert(*lane));
            work.lowest = work.lowest.min(lowest);
        });
    }
}

/// The integrations that hear of it, by id.
pub fn audience(source: &Source, values: &[Option<pg_sys::Datum>]) -> Vec<i64> {
    let subscribers = subscribers();
    let listeners = subscribers.of(&source.event_type);
    if listeners.is_empty() {
        return Vec::new();
    }
    match &source.audience {
        Audience::All => listeners.all(),
        Audience::Project(column) => {
            let project = source.scalar(*column, values).into_integer();
            listeners.of_projects(project.as_slice())
        }
        Audience::ProjectFound { column, plan } => {
            let candidates = !listeners.projects().is_empty();
            let project = candidates
                .then(|| source.found_project(plan, values[*column]))
                .flatten();
            listeners.of_projects(project.as_slice())
        }
        Audience::Person { column, plan } => {
            listeners.of_projects(&source.projects_of_person(plan, values[*column], listeners.projects()))
        }
    }
}

/// The trigger on our own tables: tells every session, by Postgres' own invalidation messages, and the worker.
#[pg_trigger(sql = false)]
fn configuration_changed<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    // SAFETY: the relation exists: a trigger fires on it.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(trigger.relid()?) };
    wake::at_commit(|work| work.configuration = true);
    Ok(None)
}

/// Keeps the event until the transaction commits.
fn hold(source: &Rc<Source>, values: &[Option<pg_sys::Datum>]) {
    let held = Held {
        source: source.clone(),
        values: source.store(values),
    };
    session(|s| s.unwritten.level(current_subtransaction()).held.push(held));
}

fn current_subtransaction() -> pg_sys::SubTransactionId {
    // SAFETY: a plain read of this process's transaction state.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}
