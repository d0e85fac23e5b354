//! Rates of webhooks: checked when they are written.

use pgrx::prelude::*;
use webhook::schedule::Rate;

use crate::report;

const HINT: &str = "For example 25/5min, 4/s or 100/h; 0 is no limit.";

/// Raises an error for what is no rate.
#[pg_extern(sql = false)]
fn check_rate_limit(rate_limit: &str) {
    if let Err(error) = rate_limit.parse::<Rate>() {
        report::refuse("rate_limit", &format!("rate_limit: {error}"), HINT);
    }
}
