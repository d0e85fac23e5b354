//! Rate limits of webhooks: their check when they are written, and until when they hold messages back.

use std::time::Duration;

use pgrx::prelude::*;
use webhook::endpoint::Endpoint;
use webhook::schedule::{Policy, Rate};

use crate::timestamp::{from_timestamptz, to_timestamptz};
use crate::{report, settings};

/// The period up to which a vendor's rate limit is not shown.
const MOMENT: Duration = Duration::from_secs(1);

const HINT: &str = "For example 25/5min, 4/s or 100/h; 0 is no limit.";

/// Raises an error unless `rate_limit` is valid.
#[pg_extern(sql = false)]
fn check_rate_limit(rate_limit: &str) {
    if let Err(error) = rate_limit.parse::<Rate>() {
        report::refuse("rate_limit", &format!("rate_limit: {error}"), HINT);
    }
}

/// Returns the rate limit of a webhook: its own, else the vendor's; None: there is none.
#[pg_extern(sql = false)]
fn rate_of(
    webhook_type: Option<&str>,
    webhook_url: Option<&str>,
    rate_limit: Option<&str>,
) -> Option<String> {
    let own = rate_limit.and_then(|rate| rate.parse::<Rate>().ok());
    let of_vendor = || {
        let endpoint = Endpoint::parse(webhook_type?.parse().ok()?, webhook_url?, &settings::url_policy());
        let policy = Policy {
            teams_rate: settings::teams_rate(),
            ..Policy::default()
        };
        // A limit of a second holds nothing back for so long that people would notice.
        policy
            .rate_of(endpoint.ok()?.vendor())
            .filter(|rate| rate.period > MOMENT)
    };
    own.or_else(of_vendor).map(|rate| rate.to_string())
}

fn lowest(rates: Option<Vec<Option<String>>>) -> Option<Rate> {
    let rates = rates.unwrap_or_default().into_iter().flatten();
    Rate::lowest(rates.filter_map(|rate| rate.parse().ok()))
}

/// Returns the lowest of the rates; those that are not valid any more are ignored.
#[pg_extern(sql = false)]
fn lowest_rate(rates: Option<Vec<Option<String>>>) -> Option<String> {
    lowest(rates).map(|rate| rate.to_string())
}

/// Returns when the lowest of the rates lets the next message leave, after messages that were posted at these moments; None: at once.
#[pg_extern(sql = false)]
fn rate_opens_at(
    rates: Option<Vec<Option<String>>>,
    posted_at: Option<Vec<Option<TimestampWithTimeZone>>>,
) -> Option<TimestampWithTimeZone> {
    let posts = posted_at.unwrap_or_default().into_iter().flatten();
    let posts = posts.map(|at| from_timestamptz(at.into_inner())).collect();
    lowest(rates)?.opens_at(posts).map(to_timestamptz)
}
