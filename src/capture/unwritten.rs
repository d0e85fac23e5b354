//! What a transaction writes only when it commits: events whose lookups found nothing yet (with deferred foreign keys the
//! other row may be written later), and notes of projects whose progress may have risen. What a rolled back savepoint left is forgotten.

use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

use pgrx::pg_sys;

use super::source::Source;

/// An event that waits for the row that it refers to.
pub struct Held {
    pub source: Rc<Source>,
    /// In the order of the source's columns, as text.
    pub values: Vec<Option<CString>>,
}

/// Tasks that were completed, and that came or went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub done: i32,
    pub total: i32,
}

/// By source and project.
pub type Notes = HashMap<(i64, String), Change>;

#[derive(Default)]
pub struct Level {
    pub held: Vec<Held>,
    pub notes: Notes,
}

/// One level for each open subtransaction that has something, the innermost last.
#[derive(Default)]
pub struct Unwritten {
    levels: Vec<(pg_sys::SubTransactionId, Level)>,
}

impl Unwritten {
    pub fn level(&mut self, subtransaction: pg_sys::SubTransactionId) -> &mut Level {
        if self.levels.last().is_none_or(|(id, _)| *id != subtransaction) {
            self.levels.push((subtransaction, Level::default()));
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last].1
    }

    pub fn note(
        &mut self,
        subtransaction: pg_sys::SubTransactionId,
        source: i64,
        project: String,
        change: Change,
    ) {
        add(
            self.level(subtransaction)
                .notes
                .entry((source, project))
                .or_default(),
            change,
        );
    }

    pub fn subtransaction_aborted(&mut self, subtransaction: pg_sys::SubTransactionId) {
        self.levels.retain(|(id, _)| *id != subtransaction);
    }

    pub fn subtransaction_committed(
        &mut self,
        subtransaction: pg_sys::SubTransactionId,
        parent: pg_sys::SubTransactionId,
    ) {
        if self.levels.last().is_none_or(|(id, _)| *id != subtransaction) {
            return;
        }
        if let Some((_, level)) = self.levels.pop() {
            let into = self.level(parent);
            into.held.extend(level.held);
            for (key, change) in level.notes {
                add(into.notes.entry(key).or_default(), change);
            }
        }
    }

    pub fn take(&mut self) -> Level {
        let mut all = Level::default();
        for (_, level) in std::mem::take(&mut self.levels) {
            all.held.extend(level.held);
            for (key, change) in level.notes {
                add(all.notes.entry(key).or_default(), change);
            }
        }
        all
    }
}

fn add(to: &mut Change, change: Change) {
    to.done = to.done.saturating_add(change.done);
    to.total = to.total.saturating_add(change.total);
}
