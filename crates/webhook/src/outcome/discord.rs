//! What Discord's answers mean.
//!
//! Sources: Discord's developer documentation, "Webhook", "Rate Limits" and "Opcodes and Status Codes".

use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use super::status::page_verdict;
use super::verdict::{Judge, RateScope, Verdict};
use super::{text, wait};

/// How long nothing is sent to Discord after its edge has banned the address.
const EDGE_BAN: Duration = Duration::from_secs(3600);

/// The maximum number of embeds in a message; a higher index in an answer is ignored.
const MAX_EMBEDS: usize = 10;

/// JSON error codes, from Discord's documentation.
mod code {
    pub(super) const UNKNOWN_CHANNEL: i64 = 10003;
    pub(super) const INVALID_FORM_BODY: i64 = 50035;
    /// The edge turns the request away.
    pub(super) const EDGE: i64 = 40333;
    /// "Temporarily disabled", "service temporarily unavailable", overloaded, slow mode: not because of the message.
    pub(super) const PASSING: [i64; 5] = [40004, 40006, 130_000, 20016, 20028];
}

pub(super) const JUDGE: Judge = Judge::Everything(verdict);

fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let status = answer.status;
    let body = answer.json();
    if let Some(verdict) = of_something_in_between(answer, body.as_ref()) {
        return verdict;
    }
    if (200..300).contains(&status) {
        return (Verdict::Sent, None);
    }
    let reason = reason(answer, body.as_ref());
    let (verdict, what) = match (status, code(body.as_ref())) {
        (429, _) => return rate_limited(answer, body.as_ref()),
        (_, Some(known)) if code::PASSING.contains(&known) => (
            Verdict::Unavailable {
                wait: wait::named(answer, body.as_ref()),
            },
            format!("{status}: Discord takes no messages for now"),
        ),
        (400 | 403 | 404, Some(known)) if let Some(what) = what_the_channel_lacks(known) => {
            (Verdict::Misdirected, format!("{status}: {what}"))
        }
        (300..400, _) => (Verdict::Forbidden, text::redirect(status)),
        (401, _) => (Verdict::Gone, "401: the URL or its token is wrong".into()),
        (404, Some(code::UNKNOWN_CHANNEL)) => (
            Verdict::Gone,
            "404: the channel or the thread of the webhook does not exist any more".into(),
        ),
        (404 | 410, _) => (
            Verdict::Gone,
            format!("{status}: the webhook does not exist any more"),
        ),
        (403, _) => (Verdict::Forbidden, "403 forbidden".into()),
        (407, _) => (Verdict::Unavailable { wait: None }, text::proxy(status)),
        (408 | 425 | 500.., _) => (
            Verdict::Retry {
                wait: wait::retry_after(answer),
            },
            text::passing(status),
        ),
        (400, _) => (
            Verdict::Rejected {
                culprit: body.as_ref().and_then(culprit),
            },
            "400 bad request".into(),
        ),
        (413, _) => (
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

/// Returns the verdict on an answer that is not the API's: of the edge, which turns this address away from all of Discord, or an
/// HTML page of something else. Such an answer says nothing about the webhook, whatever its status.
fn of_something_in_between(answer: &Answer, body: Option<&Value>) -> Option<(Verdict, Option<String>)> {
    let status = answer.status;
    if status == 429 && is_edge_ban(answer) {
        return None;
    }
    let page = answer.is_html();
    let edge = status == 403 && (code(body) == Some(code::EDGE) || page || edge_error(answer).is_some());
    if edge || (status == 429 && page) {
        let number = edge_error(answer).map_or_else(String::new, |number| format!(", error code {number}"));
        let what = format!(
            "{status}: Discord's edge turns this server's address away{number}; nothing is sent to Discord meanwhile, and nothing is lost"
        );
        return Some((Verdict::Blocked, Some(what)));
    }
    page.then(|| page_verdict(answer))
}

/// Returns the edge's own error code, from a text such as `error code: 1020`.
fn edge_error(answer: &Answer) -> Option<String> {
    const PREFIX: &str = "error code: ";
    let text = answer.text().to_ascii_lowercase();
    let rest = &text[text.find(PREFIX)? + PREFIX.len()..];
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (digits.len() == 4 && digits.starts_with('1')).then_some(digits)
}

/// Returns what is wrong with the channel, the thread or the URL, and what to do, for error codes that are about these.
fn what_the_channel_lacks(code: i64) -> Option<&'static str> {
    Some(match code {
        220_001 => {
            "the channel is a forum, whose messages need a thread; append ?thread_id=ID of a thread to the URL, or set the webhook's thread_name"
        }
        220_002 => "the webhook has both thread_name and a thread in its URL; take one of them away",
        220_003 => "thread_name is for forum and media channels, and the channel is none; take it away",
        220_004 => "the channel's forum does not accept posts of webhooks; make a webhook of another channel",
        50083 => "the thread is archived; open it again, or name another one by ?thread_id=ID",
        160_005 => "the thread is locked; unlock it, or name another one by ?thread_id=ID",
        50008 => "a channel of this kind takes no messages; make a webhook of a text channel",
        50024 => "a channel of this kind takes no messages of webhooks; make a webhook of a text channel",
        50073 => "Discord asks for another version of its API; take a newer version of this extension",
        _ => return None,
    })
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
        RateScope::Webhook
    };
    (
        Verdict::RateLimited { wait, scope },
        Some(text::rate_limited(wait)),
    )
}

/// Whether the answer says that the address is banned. The edge says so, not the API, so it has none of the API's headers.
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

/// Returns the first index in `errors.embeds`. (`_errors` there is about all embeds.)
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

/// Returns the reason in the body: its message and, for an invalid form, the first field at fault.
fn reason(answer: &Answer, body: Option<&Value>) -> String {
    let Some(body) = body else {
        return answer.text().into_owned();
    };
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    match body.get("errors").and_then(first_field_error) {
        Some(field) => format!("{message}: {}", field.trim_start_matches(": ")),
        None => message.to_owned(),
    }
}

/// Returns the first error of a field, such as `embeds[0].title: Must be 256 or fewer in length.`
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
