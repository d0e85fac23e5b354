//! Events, as the trigger has captured them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::traceparent::Traceparent;

/// The key that marks data as a sample, which the message says.
pub const SAMPLE_KEY: &str = "zentry_sample";

/// A captured event.
///
/// `data` is the JSON text of the event's data (an object; docs/reference/events.md has the keys of each type). It stays
/// text until a message is made of it, so that a backlog in memory takes no more than the text, which all webhooks share. Of
/// two values of a key, the later one counts.
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
    /// Returns the data as a JSON object, which is empty if they are not one.
    pub fn parse(&self) -> Map<String, Value> {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    /// Whether it is a sample.
    pub fn is_sample(&self) -> bool {
        // The search avoids parsing nearly all others.
        self.data.contains(SAMPLE_KEY) && self.parse().get(SAMPLE_KEY) == Some(&Value::Bool(true))
    }
}
