//! Event sources, as `event_source` describes them: how a row of an attached table becomes an event, and the event's audience.

mod image;
mod mapping;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;

pub use image::{ColumnRef, Image, Place, Recorded};
pub use mapping::{
    Audience, Expression, Key, Lookup, Membership, Progress, ProgressNote, Transition, memberships_sql,
};

/// The event type whose events the worker makes, from the progress of projects.
pub const MILESTONE: &str = "milestone_reached";

/// The type of an event that only records progress. Webhooks cannot subscribe to it.
pub const PROJECT_PROGRESS: &str = "project_progress";

/// A row of `event_source`, with its JSON as text.
#[derive(Debug, Default)]
pub struct Row {
    pub id: i64,
    pub event_type: String,
    pub columns: String,
    pub audience: String,
    pub progress: Option<String>,
    pub transition: Option<String>,
    pub omit: Vec<String>,
    pub written_by: Option<String>,
    pub written_by_oid: Option<u32>,
}

/// A parsed row of `event_source`.
#[derive(Debug)]
pub struct EventSource {
    pub id: i64,
    pub event_type: String,
    /// The keys of the data, with where their values come from.
    pub columns: BTreeMap<String, Expression>,
    pub audience: Audience,
    /// What counts as progress, in a source of milestones, whose events the worker makes.
    pub progress: Option<Progress>,
    pub transition: Option<Transition>,
    /// Keys that are left out of the data.
    pub omit: Vec<String>,
    /// The name of the role that has given the expressions.
    pub written_by: Option<String>,
    /// The OID of that role.
    pub written_by_oid: Option<u32>,
}

/// The error for a column of `event_source` that cannot be parsed.
#[derive(Debug)]
pub struct Malformed {
    column: &'static str,
    reason: serde_json::Error,
}

impl EventSource {
    /// Parses a row.
    ///
    /// # Errors
    /// The first column that cannot be parsed.
    pub fn parse(row: Row) -> Result<Self, Malformed> {
        Ok(EventSource {
            id: row.id,
            event_type: row.event_type,
            columns: parse("columns", &row.columns)?,
            audience: parse("audience", &row.audience)?,
            progress: parse_given("progress", row.progress.as_deref())?,
            transition: parse_given("transition", row.transition.as_deref())?,
            omit: row.omit,
            written_by: row.written_by,
            written_by_oid: row.written_by_oid,
        })
    }

    /// Returns what capture records of a row, and where the worker finds it again.
    pub fn image(&self) -> Image {
        Image::of(self)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "event_source.{} cannot be understood: {}",
            self.column, self.reason
        )
    }
}

fn parse<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|reason| Malformed { column, reason })
}

fn parse_given<T: DeserializeOwned>(
    column: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, Malformed> {
    text.map(|text| parse(column, text)).transpose()
}
