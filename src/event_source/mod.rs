//! An attached table's source, as `event_source` describes it: how a row becomes an event, and who hears of it.

mod image;
mod mapping;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;

pub use image::{ColumnRef, Image, Place, Recorded};
pub use mapping::{
    Audience, Expression, Key, Lookup, Membership, Progress, ProgressNote, Transition, memberships_sql,
};

/// The event that the worker derives from progress.
pub const MILESTONE: &str = "milestone_reached";

/// The type of an event that has nothing but progress to tell: nobody can subscribe to it.
pub const PROJECT_PROGRESS: &str = "project_progress";

/// A row of `event_source`, its JSON as text.
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

/// A row of `event_source`, understood.
#[derive(Debug)]
pub struct EventSource {
    pub id: i64,
    pub event_type: String,
    /// Key of the data -> where its value comes from.
    pub columns: BTreeMap<String, Expression>,
    pub audience: Audience,
    /// Of milestones: what counts as progress. Their events are made by the worker.
    pub progress: Option<Progress>,
    pub transition: Option<Transition>,
    /// Keys of the data that nobody is told.
    pub omit: Vec<String>,
    /// The role whose expressions they are, as it was called, and its number.
    pub written_by: Option<String>,
    pub written_by_oid: Option<u32>,
}

/// A column of `event_source` that is not what it should be.
#[derive(Debug)]
pub struct Malformed {
    column: &'static str,
    reason: serde_json::Error,
}

impl EventSource {
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
