//! Milestones begin here: a write notes that a project's share of completed tasks may have changed. The worker counts.

use pgrx::prelude::*;

use super::row::Rows;
use super::session::{session, subscribers};
use super::source::Source;
use super::unwritten::Change;
use super::{MILESTONE, current_subtransaction};

/// Notes that a project's share of completed tasks may have changed; the worker counts.
pub fn note_progress(source: &Source, rows: &Rows) {
    let Some(progress) = &source.progress else { return };
    let side = |tuple: Option<pg_sys::HeapTuple>| {
        let values = rows.values(tuple?, source);
        let project = source.scalar(progress.group, &values).into_text()?.into_owned();
        let status = source.scalar(progress.status, &values).into_text();
        Some((project, i32::from(status.as_deref() == Some(&*progress.done))))
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
