//! Milestones begin here: a write notes that a project's share of completed tasks may have changed. The worker counts.

use std::borrow::Cow;

use pgrx::prelude::*;

use super::row::Rows;
use super::session::{session, subscribers};
use super::source::Source;
use super::unwritten::Change;
use super::{MILESTONE, current_subtransaction};

/// Notes that a project's share of completed tasks may have risen; the worker counts. `rides`: the trigger is another event's.
pub fn note_progress(source: &Source, rows: &Rows, rides: bool) {
    let Some(progress) = &source.progress else { return };
    let subscribers = subscribers();
    let listeners = subscribers.of(MILESTONE);
    if listeners.is_empty() {
        return;
    }
    let side = |tuple: Option<pg_sys::HeapTuple>| {
        let tuple = tuple?;
        let project = source.scalar_of(progress.group, rows, tuple).into_text()?;
        let status = source.scalar_of(progress.status, rows, tuple).into_text();
        Some((project, i32::from(status.as_deref() == Some(&*progress.done))))
    };
    let note = |project: Cow<str>, done: i32, total: i32| {
        if listeners.of_projects(project.parse().ok().as_slice()).is_empty() {
            return;
        }
        session(|s| {
            s.unwritten.note(
                current_subtransaction(),
                source.id,
                project.into_owned(),
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
        (Some(_), Some(_)) if rides && progress.has_own_updates => {}
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
