//! What a session caches: its triggers' sources and the event types that webhooks hear, until something that they depend on changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use pgrx::{PgSqlErrorCode, pg_sys};

use super::configuration::{self, Wanted};
use super::rows::{LastMoved, Rows};
use super::source::Source;
use super::suspension;
use crate::event_source::MILESTONE;
use crate::pg::relation::Locked;
use crate::pg::subtransaction::{self, Failure};
use crate::pg::trigger::{RowTrigger, TriggerRelation};
use crate::pg::watch::{CONFIGURATION, Watch, catch_up};

/// A trigger's sources, one for each of its arguments, except those that are gone or do not fit the table.
#[derive(Default)]
pub struct Known {
    pub sources: Vec<Source>,
    /// Whether some webhook hears one of them.
    pub wanted: bool,
    /// Whether the trigger is another event's than milestones' own.
    pub milestones_ride: bool,
    /// Whether the trigger notes rows that move to another partition.
    pub notes_moves: bool,
}

#[derive(Default)]
struct Session {
    /// The sources by the trigger's OID.
    known: HashMap<pg_sys::Oid, Rc<Known>>,
    wanted: Option<Rc<Wanted>>,
    /// The number of changes when both were read.
    changes: u64,
    last_moved: LastMoved,
}

thread_local! {
    // It is never dropped: at the end of the process, PostgreSQL's memory contexts are gone.
    static SESSION: ManuallyDrop<RefCell<Session>> = ManuallyDrop::new(RefCell::default());
}

fn session<T>(f: impl FnOnce(&mut Session) -> T) -> T {
    SESSION.with(|session| f(&mut session.borrow_mut()))
}

/// Returns the trigger's sources, as they are by now.
pub fn known_of(trigger: &RowTrigger) -> Rc<Known> {
    catch_up();
    let changes = CONFIGURATION.with(Watch::changes);
    let oid = trigger.oid();
    let known = session(|s| {
        if s.changes == changes {
            return s.known.get(&oid).cloned();
        }
        CONFIGURATION.with(Watch::clear);
        s.changes = changes;
        s.known.clear();
        s.wanted = None;
        None
    });
    known.unwrap_or_else(|| {
        let (known, for_good) = load(trigger);
        let known = Rc::new(known);
        if for_good {
            session(|s| s.known.insert(oid, known.clone()));
        }
        known
    })
}

/// Returns the rows of the trigger's call. None: the row has moved away, and is captured where it arrives.
pub fn rows_of<'a>(trigger: &RowTrigger<'a>) -> Option<Rows<'a>> {
    session(|s| s.last_moved.rows_of(trigger))
}

/// Reads a trigger's sources. False: something could not be read at the moment, and is read again at the next write.
fn load(trigger: &RowTrigger) -> (Known, bool) {
    let event_types = trigger.arguments();
    let relation = trigger.relation();
    CONFIGURATION.with(|watch| watch.add(relation.oid()));
    let wanted = read_wanted();
    let mut for_good = wanted.is_ok();
    let mut sources = Vec::new();
    for event_type in &event_types {
        // If it is not known, the event is captured: one that no webhook hears costs little.
        let is_wanted = wanted.as_ref().map_or(true, |wanted| wanted.has(event_type));
        match prepare(event_type, relation, is_wanted) {
            Ok(source) => sources.extend(source),
            Err(failure) => {
                suspension::warn_of_loss(event_type, &failure);
                for_good = false;
            }
        }
    }
    let known = Known {
        wanted: sources.iter().any(|source| source.wanted),
        sources,
        notes_moves: event_types.is_empty(),
        milestones_ride: event_types.first().is_some_and(|first| first != MILESTONE),
    };
    (known, for_good)
}

fn read_wanted() -> Result<Rc<Wanted>, Failure> {
    if let Some(wanted) = session(|s| s.wanted.clone()) {
        return Ok(wanted);
    }
    let wanted = subtransaction::attempt(Wanted::read)?;
    let code = PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
    let wanted = wanted.map_err(|Locked| Failure::new(code, "the webhooks are locked"))?;
    let wanted = Rc::new(wanted);
    session(|s| s.wanted = Some(wanted.clone()));
    Ok(wanted)
}

/// Prepares a source. None: there is none, or it does not fit its table any more and was suspended; the application's write goes on.
///
/// # Errors
/// A failure that is not the source's fault.
fn prepare(event_type: &str, relation: TriggerRelation, wanted: bool) -> Result<Option<Source>, Failure> {
    let mut id = None;
    let prepared = subtransaction::attempt(|| {
        let found = configuration::read_source(event_type, relation.oid())?;
        // A fault of a partition of another owner is no reason to suspend the source, which other partitions have too.
        id = found.partition_owner.is_none().then_some(found.row.id);
        Some(Source::prepare(found, relation, wanted))
    });
    match (prepared, id) {
        (Ok(source), _) => Ok(source),
        (Err(failure), Some(id)) if failure.is_lasting() => {
            suspension::suspend(id, event_type, &relation.name(), &failure);
            Ok(None)
        }
        (Err(failure), _) => Err(failure),
    }
}
