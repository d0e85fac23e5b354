//! Row -> pending deliveries: the trigger function, and the state that each session keeps for it.

mod mapping;
mod source;
mod subscribers;
mod unwritten;
mod value;

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, PgRelation, PgTrigger, PgTriggerError};

use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};
use crate::{settings, subtransaction, wake};
use source::Audience;
use subscribers::Subscribers;
use unwritten::{Change, Held, Unwritten};

pub use source::Source;

/// The event that the worker derives.
pub const MILESTONE: &str = "milestone_reached";

/// A trigger's sources, one for each of its arguments, but for those that are suspended or gone.
type Known = Rc<[Rc<Source>]>;

#[derive(Default)]
struct Session {
    /// By the trigger's OID.
    sources: HashMap<pg_sys::Oid, Known>,
    subscribers: Option<Rc<Subscribers>>,
    statements: Option<Rc<Statements>>,
    unwritten: Unwritten,
}

/// Statements on our own tables.
struct Statements {
    insert_one: Plan,
    insert_many: Plan,
    insert_notes: Plan,
}

thread_local! {
    // Never dropped: plans must not be freed when the process ends and Postgres' memory is gone.
    static SESSION: ManuallyDrop<RefCell<Session>> = ManuallyDrop::new(RefCell::default());
    /// Relations that what is kept depends on; empty when nothing is.
    static DEPENDENCIES: RefCell<Vec<pg_sys::Oid>> = const { RefCell::new(Vec::new()) };
    static STALE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

fn session<T>(f: impl FnOnce(&mut Session) -> T) -> T {
    SESSION.with(|session| f(&mut session.borrow_mut()))
}

pub fn register_callbacks() {
    // SAFETY: once per process, and the callbacks live as long as it does.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_callback), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_callback), std::ptr::null_mut());
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
    }
}

/// The trigger on application tables. Its arguments are event types.
#[pg_trigger(sql = false)]
fn capture<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    if settings::enabled() {
        let row = Rows::of(trigger);
        for source in sources_of(trigger).iter() {
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
    Ok(None)
}

/// The old and the new row of a write, as far as there are.
struct Rows {
    descriptor: pg_sys::TupleDesc,
    old: Option<pg_sys::HeapTuple>,
    new: Option<pg_sys::HeapTuple>,
}

impl Rows {
    fn of(trigger: &PgTrigger) -> Rows {
        let data = trigger.trigger_data();
        // SAFETY: the relation of a firing trigger is open; which tuple is which is the trigger protocol's.
        unsafe {
            let descriptor = (*data.tg_relation).rd_att;
            let operation = data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK;
            let (old, new) = match operation {
                pg_sys::TRIGGER_EVENT_INSERT => (None, Some(data.tg_trigtuple)),
                pg_sys::TRIGGER_EVENT_DELETE => (Some(data.tg_trigtuple), None),
                _ => (Some(data.tg_trigtuple), Some(data.tg_newtuple)),
            };
            Rows { descriptor, old, new }
        }
    }

    fn new_values(&self, source: &Source) -> Option<Vec<Option<pg_sys::Datum>>> {
        self.new.map(|tuple| self.values(tuple, source))
    }

    fn values(&self, tuple: pg_sys::HeapTuple, source: &Source) -> Vec<Option<pg_sys::Datum>> {
        source
            .columns
            .iter()
            .map(|column| self.value(tuple, column.attribute))
            .collect()
    }

    fn value(&self, tuple: pg_sys::HeapTuple, attribute: i32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: the tuple belongs to the descriptor, and the attribute was found in it.
        let value = unsafe { pg_sys::SPI_getbinval(tuple, self.descriptor, attribute, &mut is_null) };
        (!is_null).then_some(value)
    }
}

/// The trigger's sources, as kept or made anew. One that does not work any more is suspended: the application's write goes on.
fn sources_of(trigger: &PgTrigger) -> Known {
    if STALE.take() {
        forget();
    }
    let oid = trigger.trigger().tgoid;
    if let Some(known) = session(|s| s.sources.get(&oid).cloned()) {
        return known;
    }
    let (Ok(event_types), Ok(relation)) = (trigger.extra_args(), trigger.relation()) else {
        return Rc::new([]);
    };
    depend_on(&our_tables());
    depend_on(&[relation.oid()]);
    let known: Known = event_types
        .iter()
        .filter_map(|event_type| load(event_type, &relation))
        .collect();
    session(|s| s.sources.insert(oid, known.clone()));
    known
}

fn load(event_type: &str, relation: &PgRelation) -> Option<Rc<Source>> {
    match subtransaction::attempt(std::panic::AssertUnwindSafe(|| {
        Source::load(event_type, relation)
    })) {
        Ok(source) => {
            let source = Rc::new(source?);
            depend_on(&source.relations);
            Some(source)
        }
        Err(reason) => {
            suspend(event_type, relation.oid(), &reason);
            None
        }
    }
}

/// Records why the source fires nothing from now on. Another session may be doing the same: it is not waited for.
pub fn suspend(event_type: &str, relation: pg_sys::Oid, reason: &str) {
    const SQL: &str = "UPDATE zentry_notify.event_source SET suspended_at = pg_catalog.now(), suspended_reason = $3 \
                       WHERE id OPERATOR(pg_catalog.=) (\
                         SELECT s.id FROM zentry_notify.event_source s \
                         WHERE s.event_type OPERATOR(pg_catalog.=) $1 AND s.suspended_at IS NULL \
                           AND (s.relation OPERATOR(pg_catalog.=) $2 OR s.relation OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.pg_partition_ancestors($2))) \
                         FOR UPDATE SKIP LOCKED)";
    let recorded = subtransaction::attempt(std::panic::AssertUnwindSafe(|| {
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
    }));
    if recorded != Ok(0) {
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

fn subscribers() -> Rc<Subscribers> {
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

fn statements() -> Rc<Statements> {
    if let Some(known) = session(|s| s.statements.clone()) {
        return known;
    }
    // Whoever writes to the application's tables needs no rights on ours, not even to name them.
    let _agent = ActingAs::agent();
    let prepare = |sql: &str, types: &[pg_sys::Oid]| with_spi(|| Plan::prepare(sql, types));
    let prepared = Rc::new(Statements {
        insert_one: prepare(
            "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
             VALUES ($1, $2, $3::pg_catalog.jsonb)",
            &[pg_sys::INT8OID, pg_sys::TEXTOID, pg_sys::TEXTOID],
        ),
        insert_many: prepare(
            "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
             SELECT lane, $2, $3::pg_catalog.jsonb FROM pg_catalog.unnest($1) lane",
            &[pg_sys::INT8ARRAYOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
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

pub fn insert(event_type: &str, json: &str, lanes: &[i64]) {
    let statements = statements();
    let _agent = ActingAs::agent();
    with_spi(|| match lanes {
        [lane] => {
            statements
                .insert_one
                .execute(&[lane.into_datum(), event_type.into_datum(), json.into_datum()])
        }
        _ => {
            statements
                .insert_many
                .execute(&[lanes.into_datum(), event_type.into_datum(), json.into_datum()])
        }
    });
    wake::at_commit(|work| lanes.iter().for_each(|lane| work.lanes.insert(*lane)));
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

/// Keeps the event until the transaction commits.
fn hold(source: &Rc<Source>, values: &[Option<pg_sys::Datum>]) {
    let held = Held {
        source: source.clone(),
        values: source.store(values),
    };
    session(|s| s.unwritten.level(current_subtransaction()).held.push(held));
}

/// Notes that a project's share of completed tasks may have changed; the worker counts.
fn note_progress(source: &Source, rows: &Rows) {
    let Some(progress) = &source.progress else { return };
    let side = |tuple: Option<pg_sys::HeapTuple>| {
        let values = rows.values(tuple?, source);
        let project = source.text(progress.group, &values)?;
        Some((
            project,
            i32::from(source.json(progress.status, &values) == progress.done),
        ))
    };
    let subscribers = subscribers();
    let listeners = subscribers.of(MILESTONE);
    let note = |project: String, change: Change| {
        if listeners.is_empty() || listeners.of_projects(project.parse().ok().as_slice()).is_empty() {
            return;
        }
        session(|s| {
            s.unwritten
                .note(current_subtransaction(), source.id, project, change)
        });
    };
    match (side(rows.old), side(rows.new)) {
        (Some((from, was)), Some((to, is))) if from == to => note(
            to,
            Change {
                done: is - was,
                total: 0,
            },
        ),
        (from, to) => {
            if let Some((project, done)) = from {
                note(
                    project,
                    Change {
                        done: -done,
                        total: -1,
                    },
                );
            }
            if let Some((project, done)) = to {
                note(project, Change { done, total: 1 });
            }
        }
    }
}

/// What was kept for the commit is written now, within the transaction. It must not make the commit fail.
fn write_unwritten() {
    let level = session(|s| s.unwritten.take());
    if level.held.is_empty() && level.notes.is_empty() {
        return;
    }
    let written = subtransaction::attempt(std::panic::AssertUnwindSafe(|| {
        // SAFETY: push and pop in pairs; an error in between pops it with the subtransaction.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        for held in &level.held {
            deliver(&held.source, &held.source.restore(&held.values), Missing::Accept);
        }
        write_notes(level.notes);
        // SAFETY: as above.
        unsafe { pg_sys::PopActiveSnapshot() };
    }));
    if let Err(reason) = written {
        pgrx::warning!("zentry_notify: notifications of this transaction could not be written: {reason}");
    }
}

fn write_notes(notes: unwritten::Notes) {
    if notes.is_empty() {
        return;
    }
    let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((source, project), change) in notes {
        columns.0.push(source);
        columns.1.push(project);
        columns.2.push(change.done);
        columns.3.push(change.total);
    }
    let statements = statements();
    let _agent = ActingAs::agent();
    with_spi(|| {
        statements.insert_notes.execute(&[
            columns.0.into_datum(),
            columns.1.into_datum(),
            columns.2.into_datum(),
            columns.3.into_datum(),
        ])
    });
    wake::at_commit(|work| work.progress = true);
}

fn current_subtransaction() -> pg_sys::SubTransactionId {
    // SAFETY: a plain read of this process's transaction state.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
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

#[pg_guard]
extern "C-unwind" fn transaction_callback(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE};
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => write_unwritten(),
        XACT_EVENT_ABORT => drop(session(|s| s.unwritten.take())),
        _ => {}
    }
}

#[pg_guard]
extern "C-unwind" fn subtransaction_callback(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    match event {
        SUBXACT_EVENT_ABORT_SUB => session(|s| s.unwritten.subtransaction_aborted(subtransaction)),
        SUBXACT_EVENT_COMMIT_SUB => session(|s| s.unwritten.subtransaction_committed(subtransaction, parent)),
        _ => {}
    }
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
