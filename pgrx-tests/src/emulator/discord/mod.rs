//! Discord's execute-webhook call.

mod form;
pub(super) mod message;
mod types;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::Method;
use serde_json::{Value, json};

use super::address::{Address, letters};
use super::event::embeds;
use super::findings::{Findings, Problem};
use super::hook::{Channel, Hook, Life};
use super::lock::lock;
use super::markup::{Markdown, markdown};
use super::pace::{Passage, RateLimit, Standing};
use super::query::parameter;
use super::reply::{Call, Judged, Reply, reason};
use super::service::Service;
use super::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    announced: Some(RateLimit::DISCORD),
    address: |rng| Address::Discord {
        id: rng
            .u64(100_000_000_000_000_000..1_000_000_000_000_000_000)
            .to_string(),
        token: letters(
            rng,
            68,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        ),
    },
    by_path: None,
    rate_limited: |wait| rate_limited(Dialect::Current, wait, false, None),
    plain,
    success: || Reply::fixed(200, r#"{"id":"1000000000000000000","type":0,"embeds":[]}"#),
    events: embeds,
    count: |outline| outline.embeds.len().max(1),
    spans: |source| markdown(Markdown::Discord, source),
    plain_footer: true,
};

/// The version that an unversioned path gets.
const DEFAULT_VERSION: u8 = 6;

/// Where a call goes, as its path says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) version: Option<&'a str>,
    pub(crate) id: &'a str,
    pub(crate) token: &'a str,
}

/// Versions before 8 tell little of what is wrong, and count `retry_after` in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Old,
    Current,
}

impl Dialect {
    /// None for a version that does not exist.
    pub(crate) fn of(version: Option<&str>) -> Option<Dialect> {
        match version.map_or(Ok(DEFAULT_VERSION), str::parse) {
            Ok(6 | 7) => Some(Dialect::Old),
            Ok(8..=10) => Some(Dialect::Current),
            _ => None,
        }
    }
}

/// Answers a call. `global` is the standing of the caller's address over all webhooks, where that is limited.
pub(crate) fn judge(
    call: Call<'_>,
    target: Target<'_>,
    hook: Option<&Hook>,
    global: Option<Standing>,
) -> Judged {
    if let Some(refusal) = stranger(call) {
        return refusal;
    }
    let Some(dialect) = Dialect::of(target.version) else {
        return refuse(400, 50041, "Invalid API version provided");
    };
    if call.method != Method::POST {
        return refuse(405, 0, "405: Method Not Allowed");
    }
    let hook = match admit(target, hook) {
        Ok(hook) => hook,
        Err(refusal) => return *refusal,
    };
    if let Some(standing) = global.filter(|standing| !standing.allowed) {
        return Judged::new(
            rate_limited(dialect, standing.reset_after, true, None),
            Verdict::RateLimited,
        );
    }
    let passage = lock(&hook.pace).take(Instant::now());
    let mut judged = match passage.wait {
        Some(wait) => Judged::new(
            rate_limited(dialect, wait, false, Some(passage)),
            Verdict::RateLimited,
        ),
        None => form(call, hook, dialect),
    };
    if let Some(standing) = passage.announced {
        judged.reply = announce(judged.reply, hook, standing);
    }
    if target.version.is_none() {
        judged
            .warnings
            .push("unversioned path: served by an old version of the API".to_owned());
    }
    judged
}

/// What the edge in front of Discord does with a caller that does not say that it is a bot.
fn stranger(call: Call<'_>) -> Option<Judged> {
    let agent = call.header("user-agent").unwrap_or_default();
    let inner = agent
        .strip_prefix("DiscordBot (")
        .and_then(|rest| rest.split_once(')'));
    let proper = inner
        .and_then(|(inner, _)| inner.split_once(", "))
        .is_some_and(|(url, version)| {
            (url.starts_with("https://") || url.starts_with("http://")) && !version.trim().is_empty()
        });
    (!proper).then(|| {
        Judged::refused(
            Reply::text(403, "error code: 1010"),
            format!("User-Agent {agent:?}"),
        )
    })
}

/// The webhook, if it exists and the token is its own.
fn admit<'a>(target: Target<'_>, hook: Option<&'a Hook>) -> Result<&'a Hook, Box<Judged>> {
    if target.id.parse::<u64>().is_err() {
        let mut findings = Findings::default();
        findings.within("webhook_id", |f| {
            f.problem(
                "NUMBER_TYPE_COERCE",
                format!("Value {:?} is not snowflake.", target.id),
            );
        });
        return Err(Box::new(invalid_form(Dialect::Current, findings)));
    }
    let hook = hook.filter(|hook| hook.life() == Life::Live);
    let hook = hook.ok_or_else(|| Box::new(refuse(404, 10015, "Unknown Webhook")))?;
    match &hook.address {
        Address::Discord { token, .. } if token == target.token => Ok(hook),
        _ => Err(Box::new(refuse(401, 50027, "Invalid Webhook Token"))),
    }
}

fn form(call: Call<'_>, hook: &Hook, dialect: Dialect) -> Judged {
    if !call.is_json() {
        let known = "{'application/x-www-form-urlencoded', 'application/json', 'multipart/form-data'}";
        return refuse(
            400,
            50035,
            &format!("Expected \"Content-Type\" header to be one of {known}."),
        );
    }
    let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
        return refuse(400, 50109, "The request body contains invalid JSON.");
    };
    let mut findings = Findings::default();
    form::query(call.query, &mut findings);
    form::message(&body, &mut findings);
    if !findings.problems.is_empty() {
        return invalid_form(dialect, findings);
    }
    let warnings = findings.warnings;
    if form::is_empty(&body) {
        return refuse(400, 50006, "Cannot send an empty message").warned(warnings);
    }
    let (named, thread) = (
        body.get("thread_name").is_some(),
        parameter(call.query, "thread_id").is_some(),
    );
    let misplaced = match *lock(&hook.channel) {
        Channel::Forum if !named && !thread => Some((
            220_001,
            "Webhooks posted to forum channels must have a thread_name or thread_id",
        )),
        Channel::Forum if named && thread => Some((
            220_002,
            "Webhooks posted to forum channels cannot have both a thread_name and thread_id",
        )),
        Channel::Text if named => Some((220_003, "Webhooks can only create threads in forum channels")),
        Channel::Forum | Channel::Text => None,
    };
    if let Some((code, message)) = misplaced {
        return refuse(400, code, message).warned(warnings);
    }
    let judged = if parameter(call.query, "wait").is_some_and(|wait| wait == "true" || wait == "1") {
        Judged::new(Reply::json(200, &message::saved(&body, hook)), Verdict::Accepted)
    } else {
        Judged::new(Reply::empty(204), Verdict::Unsaved)
    };
    judged.warned(warnings)
}

pub(crate) fn too_large() -> Judged {
    refuse(400, 40005, "Request entity too large")
}

/// An answer without being asked, for scripts.
pub(crate) fn plain(status: u16) -> Reply {
    let (code, message) = match status {
        401 => (50027, "Invalid Webhook Token".to_owned()),
        403 => (50013, "Missing Permissions".to_owned()),
        404 => (10015, "Unknown Webhook".to_owned()),
        _ => (0, format!("{status}: {}", reason(status))),
    };
    Reply::json(status, &json!({"message": message, "code": code}))
}

pub(crate) fn rate_limited(
    dialect: Dialect,
    wait: Duration,
    global: bool,
    passage: Option<Passage>,
) -> Reply {
    let retry_after = match dialect {
        Dialect::Current => json!(millis(wait)),
        Dialect::Old => json!(wait.as_millis()),
    };
    let body =
        json!({"message": "You are being rate limited.", "retry_after": retry_after, "global": global});
    let announced = passage
        .and_then(|passage| passage.announced)
        .is_some_and(|standing| !standing.allowed);
    let scope = match (global, announced) {
        (true, _) => "global",
        (false, true) => "user",
        (false, false) => "shared",
    };
    let reply = Reply::json(429, &body)
        .header("retry-after", wait.as_secs_f64().ceil().to_string())
        .header("x-ratelimit-scope", scope);
    if global {
        reply.header("x-ratelimit-global", "true")
    } else {
        reply
    }
}

/// Seconds, in steps of a millisecond, as Discord gives them.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).ceil() / 1e3
}

fn announce(reply: Reply, hook: &Hook, standing: Standing) -> Reply {
    let after = millis(standing.reset_after);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    reply
        .header("x-ratelimit-limit", standing.limit.to_string())
        .header("x-ratelimit-remaining", standing.remaining.to_string())
        .header(
            "x-ratelimit-reset",
            format!("{:.3}", (now + standing.reset_after).as_secs_f64()),
        )
        .header("x-ratelimit-reset-after", format!("{after:.3}"))
        .header("x-ratelimit-bucket", format!("{:032x}", hook.number))
}

fn refuse(status: u16, code: u32, message: &str) -> Judged {
    Judged::refused(
        Reply::json(status, &json!({"message": message, "code": code})),
        format!("{code} {message}"),
    )
}

fn invalid_form(dialect: Dialect, findings: Findings) -> Judged {
    let body = match dialect {
        Dialect::Current => {
            json!({"message": "Invalid Form Body", "code": 50035, "errors": tree(&findings.problems)})
        }
        Dialect::Old => old_tree(&findings.problems),
    };
    Judged::refused(Reply::json(400, &body), findings.summary()).warned(findings.warnings)
}

/// Problems as nested objects, list indices as string keys, with `_errors` at the leaves.
fn tree(problems: &[Problem]) -> Value {
    let mut root = json!({});
    for problem in problems {
        let leaf = problem.path.iter().fold(&mut root, |node, step| {
            if node[step].is_null() {
                node[step] = json!({});
            }
            &mut node[step]
        });
        let error = json!({"code": problem.code, "message": problem.message});
        match leaf["_errors"].as_array_mut() {
            Some(errors) => errors.push(error),
            None => leaf["_errors"] = json!([error]),
        }
    }
    root
}

/// Before version 8: the key and the message, or for lists just the indices that are wrong.
fn old_tree(problems: &[Problem]) -> Value {
    let mut root = json!({});
    for problem in problems {
        let key = problem.path.first().map_or("_errors", String::as_str);
        let entry = problem.path.get(1).unwrap_or(&problem.message);
        match root[key].as_array_mut() {
            Some(entries) if entries.iter().any(|known| known == entry) => {}
            Some(entries) => entries.push(json!(entry)),
            None => root[key] = json!([entry]),
        }
    }
    root
}
