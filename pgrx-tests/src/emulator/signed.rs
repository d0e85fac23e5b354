//! A receiver of the user's own, by Standard Webhooks 1.0.0. Tests check the signatures themselves, by the standard's own library.

use std::time::{Duration, Instant};

use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::address::{ALPHANUMERIC, Address, letters};
use super::event::{Event, Field, optional, text};
use super::hook::{Hook, Life};
use super::lock::lock;
use super::markup::unmarked;
use super::reply::{Call, Judged, Reply, reason};
use super::service::{ByPath, Service};
use super::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    announced: None,
    address: |rng| Address::Path {
        path: format!("/events/{}", letters(rng, 20, ALPHANUMERIC)),
        query: None,
    },
    by_path: Some(ByPath {
        owns: |path| path.starts_with("/events/"),
        key: None,
        shown: str::to_owned,
        judge,
    }),
    rate_limited,
    plain,
    success: || Reply::empty(204),
    events: |body| vec![event(body)],
    count: |_| 1,
    spans: unmarked,
    plain_footer: true,
};

/// What the standard advises at most; a test should not be warned of its own long texts.
const MOST_BYTES: usize = 256 * 1024;

/// How old an attempt may be, in seconds: what the standard's libraries have.
const TOLERANCE: u64 = 300;

pub(crate) fn judge(call: Call<'_>, hook: Option<&Hook>) -> Judged {
    let hook = match hook {
        Some(hook) if hook.life() == Life::Live => hook,
        Some(_) => return refuse(410, "gone"),
        None => return refuse(404, "no such receiver"),
    };
    if let Some(wait) = lock(&hook.pace).take(Instant::now()).wait {
        return Judged::new(rate_limited(wait), Verdict::RateLimited);
    }
    if call.method != Method::POST {
        return refuse(405, "not a POST");
    }
    match fault(&call) {
        Some(fault) => refuse(400, fault),
        None => Judged::new(Reply::empty(204), Verdict::Accepted),
    }
}

/// What is not as the standard has it, or as what some of its libraries take.
fn fault(call: &Call<'_>) -> Option<&'static str> {
    let once = |name| {
        let mut lines = call.headers.get_all(name).iter();
        let line = lines.next().and_then(|line| line.to_str().ok());
        line.filter(|line| !line.is_empty() && lines.next().is_none())
    };
    if !once("webhook-id").is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Some("no webhook-id");
    }
    let Some(age) = once("webhook-timestamp").and_then(age) else {
        return Some("no webhook-timestamp");
    };
    if age > TOLERANCE {
        return Some("the webhook-timestamp is not of this attempt");
    }
    if !once("webhook-signature").is_some_and(|all| all.split(' ').all(is_signature)) {
        return Some("no webhook-signature");
    }
    if !call.is_json() || call.body.len() > MOST_BYTES {
        return Some("no JSON, or too much");
    }
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let member = |name: &str| body[name].as_str().unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
    let is_event = !member("type").is_empty()
        && member("type").bytes().all(is_name)
        && member("timestamp").parse::<Timestamp>().is_ok()
        && body["data"].is_object();
    (!is_event).then_some("no event")
}

/// Seconds from the attempt to now, or from now to it.
fn age(timestamp: &str) -> Option<u64> {
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = timestamp.parse().ok().filter(|_| digits)?;
    Some(Timestamp::now().as_second().abs_diff(seconds))
}

/// `v1,` and 32 bytes in Base64.
fn is_signature(one: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    let encoded = one
        .strip_prefix("v1,")
        .and_then(|encoded| encoded.strip_suffix('='));
    encoded.is_some_and(|encoded| encoded.len() == 43 && encoded.bytes().all(is_base64))
}

pub(crate) fn rate_limited(wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    plain(429).header("retry-after", format!("{seconds}"))
}

pub(crate) fn plain(status: u16) -> Reply {
    Reply::text(status, reason(status))
}

fn refuse(status: u16, why: &'static str) -> Judged {
    Judged::refused(plain(status), why)
}

/// Its type, the title of a task, and the data as fields.
fn event(body: &Value) -> Event {
    let data = body["data"].as_object().into_iter().flatten();
    Event {
        title: text(body, "type"),
        text: text(&body["data"], "task_title"),
        fields: data
            .map(|(key, value)| Field {
                name: key.clone(),
                value: value
                    .as_str()
                    .map_or_else(|| value.to_string(), ToOwned::to_owned),
            })
            .collect(),
        timestamp: optional(body, "timestamp"),
        ..Event::default()
    }
}
