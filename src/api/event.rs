//! Samples of events.

use pgrx::JsonB;
use pgrx::prelude::*;

/// Realistic data of a built-in event; null for other types.
#[pg_extern(sql = false)]
fn sample_event(event_type: &str) -> Option<JsonB> {
    webhook::definition::sample(event_type).map(|data| JsonB(serde_json::Value::Object(data)))
}
