//! Counts the projects whose progress may have risen, and fires the milestones that they have passed.

use std::collections::BTreeMap;
use std::ffi::CString;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, PgRelation};

use super::database;
use crate::acting_as::ActingAs;
use crate::capture::{self, MILESTONE, Source};
use crate::plan::{Plan, with_spi};
use crate::{settings, subtransaction};

/// Projects counted in one transaction, each once however many tasks were completed: delivery does not wait long meanwhile.
const PAGE: i32 = 1_000;

/// What the notes say of a project since it was counted last.
#[derive(Clone, Copy, Debug)]
struct Change {
    done: i64,
    total: i64,
}

/// Works off the notes of a page of projects; true when there may be more.
///
/// Notes and tasks are read as of one moment, and all notes of a project together: so what they say, taken from what is
/// counted, is how far the project had come before.
pub fn count() -> Result<bool, String> {
    database::snapshot_as_self("zentry_notify: count progress", || {
        let notes = take_notes();
        let more = notes.values().map(BTreeMap::len).sum::<usize>() > 0 && notes_are_left();
        for (source, projects) in notes {
            count_source(source, &projects);
        }
        more
    })
}

fn take_notes() -> BTreeMap<i64, BTreeMap<String, Change>> {
    const SQL: &str = "WITH page AS (\
                         SELECT DISTINCT n.event_source_id, n.project_key FROM zentry_notify.progress_note n ORDER BY 1, 2 LIMIT $1), \
                       taken AS (\
                         DELETE FROM zentry_notify.progress_note n USING page p \
                         WHERE n.event_source_id = p.event_source_id AND n.project_key = p.project_key \
                         RETURNING n.event_source_id, n.project_key, n.done_change, n.total_change) \
                       SELECT event_source_id, project_key, sum(done_change), sum(total_change) FROM taken GROUP BY 1, 2";
    let mut notes: BTreeMap<i64, BTreeMap<String, Change>> = BTreeMap::new();
    let _agent = ActingAs::agent();
    with_spi(|| {
        let rows = Plan::prepare(SQL, &[pg_sys::INT4OID]).execute(&[PAGE.into_datum()]);
        for row in 0..rows.len() {
            // SAFETY: the types are those of the statement's columns.
            let note = unsafe {
                let number = |column| rows.get(row, column).0.and_then(|d| i64::from_datum(d, false));
                let source = rows.get(row, 1).0.and_then(|d| i64::from_datum(d, false));
                let project = rows.get(row, 2).0.and_then(|d| String::from_datum(d, false));
                (source, project, number(3), number(4))
            };
            if let (Some(source), Some(project), Some(done), Some(total)) = note {
                let change = Change { done, total };
                notes.entry(source).or_default().insert(project, change);
            }
        }
    });
    notes
}

fn notes_are_left() -> bool {
    let _agent = ActingAs::agent();
    with_spi(|| {
        Plan::prepare("SELECT FROM zentry_notify.progress_note LIMIT 1", &[])
            .execute(&[])
            .len()
            > 0
    })
}

fn count_source(id: i64, projects: &BTreeMap<String, Change>) {
    let Some(relation) = relation_of(id) else { return };
    let counted = subtransaction::attempt(|| {
        // SAFETY: closed at the end of the subtransaction, and the lock is kept till the transaction's end.
        let relation = unsafe { PgRelation::with_lock(relation, pg_sys::AccessShareLock as i32) };
        if let Some(counter) =
            Source::load(MILESTONE, &relation).and_then(|source| Counter::new(source, &relation))
        {
            projects
                .iter()
                .for_each(|(project, change)| counter.count(project, *change));
        }
    });
    if let Err(failure) = counted {
        capture::suspend(MILESTONE, relation, &failure.raise_if_passing().to_string());
    }
}

/// The source's table, unless the source is suspended or either is gone.
fn relation_of(source: i64) -> Option<pg_sys::Oid> {
    const SQL: &str = "SELECT s.relation::oid FROM zentry_notify.event_source s JOIN pg_catalog.pg_class c ON c.oid = s.relation \
                       WHERE s.id = $1 AND s.suspended_at IS NULL";
    let _agent = ActingAs::agent();
    with_spi(|| {
        let rows = Plan::prepare(SQL, &[pg_sys::INT8OID]).execute(&[source.into_datum()]);
        // SAFETY: the only column is an oid.
        (rows.len() > 0)
            .then(|| unsafe { pg_sys::Oid::from_datum(rows.get(0, 1).0?, false) })
            .flatten()
    })
}

/// Counts the tasks of projects of one source.
struct Counter {
    source: Source,
    tasks: Plan,
}

impl Counter {
    fn new(source: Source, relation: &PgRelation) -> Option<Counter> {
        let progress = source.progress.as_ref()?;
        let quote = pgrx::spi::quote_identifier::<&str>;
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE t.{status}::text = $2) FROM {table} t WHERE t.{group} = $1",
            status = quote(source.column_name(progress.status)),
            group = quote(source.column_name(progress.group)),
            table = pgrx::spi::quote_qualified_identifier(relation.namespace(), relation.name()),
        );
        let types = [source.column_type(progress.group), pg_sys::TEXTOID];
        let tasks = source.as_owner(|| with_spi(|| Plan::prepare(&sql, &types)));
        Some(Counter { source, tasks })
    }

    fn count(&self, project: &str, change: Change) {
        let Some(progress) = &self.source.progress else {
            return;
        };
        let Ok(text) = CString::new(project) else { return };
        // A domain's checks are the owner's code.
        let key = self.source.as_owner(|| self.source.parse(progress.group, &text));
        let (total, done) = self.source.as_owner(|| {
            with_spi(|| {
                let rows = self
                    .tasks
                    .execute(&[Some(key), progress.done.as_str().into_datum()]);
                // SAFETY: both columns are bigints.
                let number =
                    |column| unsafe { rows.get(0, column).0.and_then(|d| i64::from_datum(d, false)) };
                (number(1).unwrap_or(0), number(2).unwrap_or(0))
            })
        });
        let reached = percent(done, total);
        // What was passed while nobody listened is told to nobody.
        let before = percent(done - change.done, total - change.total);
        let highest = self
            .raise(project, reached)
            .map_or(before, |highest| highest.max(before));
        for milestone in settings::milestones()
            .into_iter()
            .filter(|m| highest < *m && *m <= reached)
        {
            self.fire(progress.group, key, milestone, reached);
        }
    }

    /// Records the highest progress seen, and returns what it was before; None: never counted before.
    fn raise(&self, project: &str, reached: u8) -> Option<u8> {
        const HIGHEST: &str = "SELECT p.highest FROM zentry_notify.project_progress p WHERE p.event_source_id = $1 AND p.project_key = $2";
        const RAISE: &str = "INSERT INTO zentry_notify.project_progress AS p (event_source_id, project_key, highest) VALUES ($1, $2, $3) \
                             ON CONFLICT (event_source_id, project_key) DO UPDATE SET highest = EXCLUDED.highest WHERE p.highest < EXCLUDED.highest";
        let _agent = ActingAs::agent();
        let (source, project) = (self.source.id.into_datum(), project.into_datum());
        with_spi(|| {
            let rows =
                Plan::prepare(HIGHEST, &[pg_sys::INT8OID, pg_sys::TEXTOID]).execute(&[source, project]);
            // SAFETY: the only column is a smallint.
            let before = (rows.len() > 0)
                .then(|| unsafe { i16::from_datum(rows.get(0, 1).0?, false) })
                .flatten();
            Plan::prepare(RAISE, &[pg_sys::INT8OID, pg_sys::TEXTOID, pg_sys::INT2OID]).execute(&[
                source,
                project,
                i16::from(reached).into_datum(),
            ]);
            before.and_then(|before| u8::try_from(before).ok())
        })
    }

    fn fire(&self, group: usize, key: pg_sys::Datum, milestone: u8, reached: u8) {
        let mut values = vec![None; self.source.columns.len()];
        values[group] = Some(key);
        let lanes = capture::audience(&self.source, &values);
        if lanes.is_empty() {
            return;
        }
        let mut more = vec![
            (
                "milestone_name",
                format!("{milestone}% Project Completion").into(),
            ),
            ("progress", reached.into()),
        ];
        more.retain(|(key, _)| !self.source.omit.iter().any(|omitted| omitted == key));
        let data = self.source.data(&values, &more);
        capture::insert(MILESTONE, data.payload, &lanes);
    }
}

/// Whole per cent, rounded down: 100 means all.
fn percent(done: i64, total: i64) -> u8 {
    if total <= 0 {
        return 0;
    }
    (i128::from(done.clamp(0, total)) * 100 / i128::from(total)) as u8
}
