//! One happening in the application, as the trigger wrote it down.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::traceparent::Traceparent;

/// The key of data that are a sample: readers are told so.
pub const SAMPLE_KEY: &str = "zentry_sample";

/// A captured event.
///
/// `data` is the JSON text of the event's data (an object; docs/reference/events.md has the keys of each type). It stays
/// text until a message is made of it, so that a backlog in memory costs what the text costs, and those who hear of it share it. Of
/// two values of a key, the later one holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub event_type: Arc<str>,
    pub data: Arc<str>,
    /// When the row was written.
    pub occurred_at: Timestamp,
    /// The place in a trace that it was written at.
    pub traceparent: Option<Traceparent>,
}

impl Event {
    /// The data as a JSON object; anything else than an object counts as no data at all.
    pub fn parse(&self) -> Map<String, Value> {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    /// Whether nothing has happened: it is a sample.
    pub fn is_sample(&self) -> bool {
        // Hardly any is, and the others need not be parsed.
        self.data.contains(SAMPLE_KEY) && self.parse().get(SAMPLE_KEY) == Some(&Value::Bool(true))
    }
}
