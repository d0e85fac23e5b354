//! A page of the log: where it begins, and its rows.

use super::entry::Entry;

/// The start of a page of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// So many rows after the newest one.
    Offset(i64),
    /// With deliveries older than this one.
    Before(i64),
    /// With deliveries newer than this one; the page ends before it.
    After(i64),
}

/// The rows of a page, newest first, and whether there are older ones.
#[derive(Debug)]
pub struct Window {
    pub entries: Vec<Entry>,
    pub more: bool,
    /// The delivery at which a search stopped; there may be more matches.
    pub reached: Option<i64>,
}

impl Window {
    /// Returns a page from its rows and, if there is one, the additional row.
    pub(super) fn of(mut entries: Vec<Entry>, start: Start, limit: i64) -> Self {
        let one_more = entries.len() as i64 > limit;
        let more = match start {
            Start::After(_) => {
                if one_more {
                    entries.remove(0); // the newest: it is on a page before this one
                }
                true
            }
            Start::Offset(_) | Start::Before(_) => {
                if one_more {
                    entries.pop();
                }
                one_more
            }
        };
        Self {
            entries,
            more,
            reached: None,
        }
    }
}
