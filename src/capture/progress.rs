//! The progress of projects: how a write changes the tasks of a project. The worker counts them.

use super::rows::Rows;
use super::source::{Progress, Source};
use crate::pg::field::TextBuffer;
use crate::pg::trigger::Operation;

/// The change of a project's tasks by a write.
#[derive(Debug, PartialEq, Eq)]
pub struct Note {
    /// The event source of milestones.
    pub source: i64,
    /// The project's id as JSON: a string or a number.
    project: Vec<u8>,
    done: i32,
    total: i32,
}

impl Note {
    /// Writes it as JSON. `source` is the event's own source.
    pub fn write(&self, source: i64, out: &mut TextBuffer) {
        out.push_byte(b'{');
        if self.source != source {
            out.push(format!("\"source\":{},", self.source).as_bytes());
        }
        out.push(b"\"project\":");
        // The id is written as text, whatever its type.
        let quoted = self.project.starts_with(b"\"");
        if !quoted {
            out.push_byte(b'"');
        }
        out.push(&self.project);
        if !quoted {
            out.push_byte(b'"');
        }
        out.push(format!(",\"done\":{},\"total\":{}}}", self.done, self.total).as_bytes());
    }
}

/// A row of the write, old or new.
struct Side {
    project: Option<Vec<u8>>,
    done: bool,
}

/// Adds what the write changes to `notes`. `rides` says that the source rides on the trigger of another event.
pub fn note(source: &Source, rows: &Rows, rides: bool, notes: &mut Vec<Note>) {
    let Some(progress) = &source.progress else {
        return;
    };
    let new = (rows.operation != Operation::Delete).then(|| new_side(progress, rows));
    let old = rows.has_old().then(|| old_side(progress, rows));
    let mut add = |project: Option<Vec<u8>>, done: i32, total: i32| {
        if let Some(project) = project {
            notes.push(Note {
                source: source.id,
                project,
                done,
                total,
            });
        }
    };
    match (old, new) {
        (Some(old), Some(new)) if old.project == new.project => {
            if new.done && !old.done {
                add(new.project, 1, 0);
            }
        }
        (Some(_), Some(_)) if rides && progress.has_own_updates => {}
        (old, new) => {
            if let Some(old) = old {
                add(old.project, -i32::from(old.done), -1);
            }
            if let Some(new) = new {
                add(new.project, i32::from(new.done), 1);
            }
        }
    }
}

fn new_side(progress: &Progress, rows: &Rows) -> Side {
    let mut project = TextBuffer::new();
    progress.group_column.write(rows.row(), &mut project);
    Side {
        project: given(&project),
        done: progress.status_column.equals(rows.row(), &progress.done),
    }
}

fn old_side(progress: &Progress, rows: &Rows) -> Side {
    let mut project = TextBuffer::new();
    rows.write_old(&progress.group, &progress.group_column, &mut project);
    Side {
        project: given(&project),
        done: rows.old_equals(&progress.status, &progress.status_column, &progress.done),
    }
}

fn given(project: &TextBuffer) -> Option<Vec<u8>> {
    (project.as_bytes() != b"null").then(|| project.as_bytes().to_vec())
}
