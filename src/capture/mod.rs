//! Row -> pending deliveries: what a trigger on an application's table does.

mod commit;
mod filter;
mod foreign_code;
mod mapping;
mod omission;
mod prepare;
mod progress;
mod row;
mod session;
mod source;
mod subscribers;
mod unwritten;
mod value;

use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, PgTrigger, PgTriggerError};

use crate::acting_as::ActingAs;
use crate::plan::with_spi;
use crate::{settings, subtransaction, wake};
use progress::note_progress;
use row::Rows;
use session::{session, sources_of, statements, subscribers};
use source::Audience;
use unwritten::Held;

pub use session::suspend;
pub use source::Source;

/// The event that the worker derives.
pub const MILESTONE: &str = "milestone_reached";

pub fn register_callbacks() {
    session::register_callbacks();
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
            None => capture_row(trigger, &known.sources),
            Some(mismatch) => {
                if let Err(failure) = subtransaction::attempt(|| capture_row(trigger, &known.sources)) {
                    session::not_captured(mismatch, &failure.to_string());
                }
            }
        }
    }
    Ok(None)
}

fn capture_row(trigger: &PgTrigger, sources: &[Rc<Source>]) {
    let row = Rows::of(trigger);
    for source in sources {
        match source.progress {
            Some(_) => note_progress(source, &row),
            None => {
                if let Some(values) = row.new_values(source) {
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
    let data = source.data(values);
    if data.incomplete && missing == Missing::Hold {
        return hold(source, values);
    }
    insert(&source.event_type, &data.json, &lanes);
}

/// Writes the deliveries to those of the integrations that want to hear this event.
pub fn insert(event_type: &str, json: &str, lanes: &[i64]) {
    let subscribers = subscribers();
    let passing = subscribers
        .conditions
        .as_ref()
        .map(|conditions| conditions.passing(event_type, json, lanes));
    let lanes = passing.as_deref().unwrap_or(lanes);
    if lanes.is_empty() {
        return;
    }
    let (whole, reduced) = omission::insert_reduced(&subscribers.omissions, event_type, json, lanes);
    let lowest = reduced
        .into_iter()
        .chain(insert_whole(event_type, json, &whole))
        .min();
    wake::at_commit(|work| {
        lanes.iter().for_each(|lane| work.lanes.insert(*lane));
        work.lowest = lowest.map_or(work.lowest, |lowest| work.lowest.min(lowest));
    });
}

/// Returns the lowest id that was written, unless the transaction has told of a lower one.
fn insert_whole(event_type: &str, json: &str, lanes: &[i64]) -> Option<i64> {
    let statements = statements();
    let _agent = ActingAs::agent();
    let (insert, lane) = match lanes {
        [] => return None,
        [lane] => (&statements.insert_one, lane.into_datum()),
        _ => (&statements.insert_many, lanes.into_datum()),
    };
    let arguments = [lane, event_type.into_datum(), json.into_datum()];
    with_spi(|| {
        if wake::knows_lowest() {
            insert.silent.execute(&arguments);
            return None;
        }
        let rows = insert.returning.execute(&arguments);
        // SAFETY: the only column is a bigint.
        let id = |row| unsafe { rows.get(row, 1).0.and_then(|id| i64::from_datum(id, false)) };
        (0..rows.len()).filter_map(id).min()
    })
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
            let project = source.text(*column, values).and_then(|text| text.parse().ok());
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
