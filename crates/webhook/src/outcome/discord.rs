//! What Discord's answers mean.
//!
//! Sources: Discord's developer documentation, "Webhook", "Rate Limits" and "Opcodes and Status Codes".

use std::time::Duration;

use serde_json::Value;

use super::{Answer, RateScope, Verdict, text, wait};

/// How long an address that was banned at the edge stays away from all of Discord.
const EDGE_BAN: Duration = Duration::from_secs(3600);

/// Embeds in a message; an answer that names another one is not to be believed.
const MAX_EMBEDS: usize = 10;

/// JSON error codes, from Discord's documentation.
mod code {
    pub(super) const UNKNOWN_CHANNEL: i64 = 10003;
    pub(super) const INVALID_FORM_BODY: i64 = 50035;
}

pub(super) fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let status = answer.status;
    if (200..300).contains(&status) {
        return (Verdict::Sent, None);
    }
    let body = answer.json();
    let reason = reason(answer, body.as_ref());
    let (verdict, what) = match status {
        300..400 => (Verdict::Forbidden, text::redirect(status)),
        401 | 404 | 410 if answer.is_html() => {
            return (Verdict::Retry { wait: None }, Some(text::page_in_between(status)));
        }
        401 => (Verdict::Gone, "401: the URL or its token is wrong".into()),
        404 if code(body.as_ref()) == Some(code::UNKNOWN_CHANNEL) => (
            Verdict::Gone,
            "404: the channel or the thread of the webhook does not exist any more".into(),
        ),
        404 | 410 => (
            Verdict::Gone,
            format!("{status}: the webhook does not exist any more"),
        ),
        403 | 407 => (Verdict::Forbidden, format!("{status} forbidden")),
        429 => return rate_limited(answer, body.as_ref()),
        408 | 425 | 500.. => (
            Verdict::Retry {
                wait: wait::retry_after(answer),
            },
            text::passing(status),
        ),
        400 => (
            Verdict::Rejected {
                culprit: body.as_ref().and_then(culprit),
            },
            "400 bad request".into(),
        ),
        413 => (
            Verdict::Rejected { culprit: None },
            "413: the message is too large".into(),
        ),
        _ => (
            Verdict::Rejected { culprit: None },
            format!("{status}: the message was refused"),
        ),
    };
    (verdict, Some(text::with_reason(&what, &reason)))
}

fn code(body: Option<&Value>) -> Option<i64> {
    body?.get("code")?.as_i64()
}

fn rate_limited(answer: &Answer, body: Option<&Value>) -> (Verdict, Option<String>) {
    if is_edge_ban(answer) {
        let error =
            "429: this server's address is banned by Discord's edge; nothing is sent to Discord for an hour";
        return (
            Verdict::RateLimited {
                wait: EDGE_BAN,
                scope: RateScope::Discord,
            },
            Some(error.into()),
        );
    }
    let wait = wait::rate_limit(answer, body);
    let scope = if is_global(answer, body) {
        RateScope::Discord
    } else {
        RateScope::Lane
    };
    (
        Verdict::RateLimited { wait, scope },
        Some(text::rate_limited(wait)),
    )
}

/// A ban is told by the edge, not by the API, so it has none of the API's headers.
fn is_edge_ban(answer: &Answer) -> bool {
    if answer
        .headers
        .iter()
        .any(|(name, _)| name.starts_with("x-ratelimit-"))
    {
        return false;
    }
    let body = answer.text().to_ascii_lowercase();
    body.contains("you are being blocked") || body.contains("error code: 1015")
}

fn is_global(answer: &Answer, body: Option<&Value>) -> bool {
    let is_true = |value: &str| value.eq_ignore_ascii_case("true");
    body.and_then(|body| body.get("global")?.as_bool())
        .unwrap_or(false)
        || answer.header("x-ratelimit-global").is_some_and(is_true)
        || answer
            .header("x-ratelimit-scope")
            .is_some_and(|scope| scope.eq_ignore_ascii_case("global"))
}

/// The first embed that `errors.embeds` names by its index; `_errors` there blames all of them.
fn culprit(body: &Value) -> Option<usize> {
    if code(Some(body)) != Some(code::INVALID_FORM_BODY) {
        return None;
    }
    body.get("errors")?
        .get("embeds")?
        .as_object()?
        .keys()
        .filter_map(|key| key.parse().ok())
        .filter(|index| *index < MAX_EMBEDS)
        .min()
}

/// What the body says: its message and, for an invalid form, the first field at fault.
fn reason(answer: &Answer, body: Option<&Value>) -> String {
    let Some(body) = body else {
        return if answer.is_html() {
            String::new()
        } else {
            answer.text().into_owned()
        };
    };
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    match body.get("errors").and_then(first_field_error) {
        Some(field) => format!("{message}: {}", field.trim_start_matches(": ")),
        None => message.to_owned(),
    }
}

/// `embeds[0].title: Must be 256 or fewer in length.`
fn first_field_error(errors: &Value) -> Option<String> {
    if let Some(leaf) = errors.get("_errors").and_then(|leaves| leaves.get(0)) {
        return Some(format!(": {}", leaf.get("message")?.as_str()?));
    }
    // The depth is bounded by the JSON parser.
    errors.as_object()?.iter().find_map(|(key, value)| {
        let rest = first_field_error(value)?;
        let separator = if rest.starts_with([':', '[']) { "" } else { "." };
        let name = if key.parse::<usize>().is_ok() {
            format!("[{key}]")
        } else {
            key.clone()
        };
        Some(format!("{name}{separator}{rest}"))
    })
}
