//! Milestones begin here: a write notes that a project's share of completed tasks may have changed. The worker counts.

use pgrx::prelude::*;

use super::row::Rows;
use super::session::{session, subscribers};
use super::source::Source;
use super::unwritten::Change;
use super::{MILESTONE, current_subtransaction};

/// Notes that a project's share of completed tasks may have risen; the worker counts. `rides`: the trigger is another event's, and
/// milestones have their own for a task that changes its project.
pub fn note_progress(source: &Source, rows: &Rows, rides: bool) {
    let Some(progress) = &source.progress else { return };
    let subscribers = subscribers();
    let listeners = subscribers.of(MILESTONE);
    if listeners.is_empty() {
        return;
    }
    let side = |tuple: Option<pg_sys::HeapTuple>| {
        let values = rows.values(tuple?, source);
        let project = source.scalar(progress.group, &values).into_text()?.into_owned();
        let status = source.scalar(progress.status, &values).into_text();
        Some((project, i32::from(status.as_deref() == Some(&*progress.done))))
    };
    let note = |project: String, done: i32, total: i32| {
        if listeners.of_projects(project.parse().ok().as_slice()).is_empty() {
            return;
        }
        session(|s| {
            s.unwritten.note(
                current_subtransaction(),
                source.id,
                project,
                Change { done, total },
            )
        });
    };
    match (side(rows.old), side(rows.new)) {
        (Some((from, was)), Some((to, is))) if from == to => {
            if is > was {
                note(to, 1, 0);
            }
        }
        (Some(_), Some(_)) if rides => {}
        (from, to) => {
            if let Some((project, done)) = from {
                note(project, -done, -1);
            }
            if let Some((project, done)) = to {
                note(project, done, 1);
            }
        }
    }
}
