//! A webhook of a space of Google Chat.

use std::sync::atomic::Ordering;
use std::time::Instant;

use hyper::Method;
use serde_json::{Value, json};

use super::address::{ALPHANUMERIC, Address, letters};
use super::event::{Event, Field, list, of_list, text as text_of};
use super::findings::Findings;
use super::hook::{Hook, Life};
use super::lock::lock;
use super::markup::html;
use super::pace::RateLimit;
use super::query::parameter;
use super::reply::{Call, Judged, Reply, reason};
use super::service::{ByPath, Service};
use super::shape::{INVALID, Object, each, object, text};
use super::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    announced: Some(RateLimit::ONE_A_SECOND),
    address: |rng| {
        let token = letters(rng, 43, ALPHANUMERIC);
        Address::Path {
            path: format!("/v1/spaces/{}/messages", letters(rng, 11, ALPHANUMERIC)),
            query: Some(format!("key={}&token={token}", letters(rng, 39, ALPHANUMERIC))),
        }
    },
    by_path: Some(ByPath {
        owns: |path| path.starts_with("/v1/spaces/") && path.ends_with("/messages"),
        key: None,
        shown: str::to_owned,
        judge,
    }),
    rate_limited: |_| plain(429),
    plain,
    success: || Reply::fixed(200, r#"{"name":"spaces/x/messages/1"}"#),
    events: |body| of_list(body, "cardsV2", event),
    count: |outline| outline.cards.len().max(1),
    spans: html,
    plain_footer: false,
};

const MOST_BYTES: usize = 32_000;
const MOST_WIDGETS: usize = 100;

pub(crate) fn judge(call: Call<'_>, hook: Option<&Hook>) -> Judged {
    if call.method != Method::POST {
        return refuse(405, "Method not allowed.");
    }
    let hook = match hook {
        Some(hook) if hook.life() == Life::Live => hook,
        Some(hook) if hook.life() == Life::Disabled => {
            return refuse(403, "The caller does not have permission");
        }
        _ => return refuse(404, "Space not found."),
    };
    let Address::Path {
        path,
        query: Some(query),
    } = &hook.address
    else {
        return refuse(404, "Space not found.");
    };
    if !call.query.unwrap_or_default().starts_with(query) {
        return refuse(401, "The request is missing a valid API key.");
    }
    if lock(&hook.pace).take(Instant::now()).wait.is_some() {
        return Judged::new(plain(429), Verdict::RateLimited);
    }
    if call.body.len() > MOST_BYTES {
        return refuse(400, "Message is too long.");
    }
    let body = serde_json::from_slice::<Value>(call.body).ok();
    let Some(body) = body.filter(|_| call.is_json()) else {
        return refuse(400, "Invalid JSON payload received.");
    };
    let mut findings = Findings::default();
    message(&body, &mut findings);
    if body.get("thread").is_some() && parameter(call.query, "messageReplyOption").is_none() {
        findings.warn("the thread is ignored: messageReplyOption is not in the URL");
    }
    let judged = if findings.problems.is_empty() {
        take(call, hook, path, &body)
    } else {
        Judged::refused(error(400, "Invalid JSON payload received."), findings.summary())
    };
    judged.warned(findings.warnings)
}

/// Makes the message, unless there is one that was asked for by the same `requestId`.
fn take(call: Call<'_>, hook: &Hook, path: &str, body: &Value) -> Judged {
    let request = parameter(call.query, "requestId");
    let mut taken = lock(&hook.taken);
    if let Some(made) = request.as_ref().and_then(|request| taken.get(request)) {
        return Judged::new(Reply::json(200, made), Verdict::Repeated);
    }
    let name = path.trim_start_matches("/v1/");
    let number = hook.counts.requests.load(Ordering::SeqCst);
    let mut made = json!({ "name": format!("{name}/{number}"), "text": body["text"] });
    if let Some(thread) = body.get("thread") {
        made["thread"] = thread.clone();
    }
    if let Some(request) = request {
        taken.insert(request, made.clone());
    }
    Judged::new(Reply::json(200, &made), Verdict::Accepted)
}

fn message(body: &Value, f: &mut Findings) {
    let Some(message) = object(body, f) else { return };
    f.keys(message, &["text", "fallbackText", "cardsV2", "thread"]);
    text(message, "text", false, f);
    text(message, "fallbackText", false, f);
    let mut widgets = 0;
    let cards = each(message, "cardsV2", false, f, |card, f| {
        f.keys(card, &["cardId", "card"]);
        text(card, "cardId", true, f);
        f.within("card", |f| {
            let Some(card) = card.get("card").and_then(Value::as_object) else {
                return f.problem(INVALID, "is no card");
            };
            f.keys(card, &["header", "sections"]);
            each(card, "sections", true, f, |section, f| {
                f.keys(
                    section,
                    &["header", "widgets", "collapsible", "uncollapsibleWidgetsCount"],
                );
                widgets += each(section, "widgets", true, f, widget);
            });
        });
    });
    if widgets > MOST_WIDGETS {
        f.problem(INVALID, format!("{widgets} widgets: some would be dropped"));
    }
    if cards == 0 && text(message, "text", true, f).is_none() {
        f.problem(INVALID, "has neither text nor cards");
    }
}

fn widget(widget: &Object, f: &mut Findings) {
    const KNOWN: [(&str, &[&str]); 4] = [
        ("textParagraph", &["text"]),
        ("decoratedText", &["topLabel", "text", "wrapText", "bottomLabel"]),
        ("image", &["imageUrl", "altText"]),
        ("buttonList", &["buttons"]),
    ];
    let found = KNOWN.into_iter().find(|(kind, _)| widget.contains_key(*kind));
    let Some((kind, keys)) = found.filter(|_| widget.len() == 1) else {
        return f.problem(INVALID, "is no widget");
    };
    f.within(kind, |f| match widget.get(kind).and_then(Value::as_object) {
        Some(inner) => {
            f.keys(inner, keys);
            if keys.contains(&"text") {
                text(inner, "text", true, f);
            }
        }
        None => f.problem(INVALID, "is not an object"),
    });
}

/// What Google says with a status.
pub(crate) fn plain(status: u16) -> Reply {
    error(status, &reason(status))
}

fn error(status: u16, message: &str) -> Reply {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "UNKNOWN",
    };
    Reply::json(
        status,
        &json!({ "error": { "code": status, "message": message, "status": name } }),
    )
}

fn refuse(status: u16, message: &str) -> Judged {
    Judged::refused(error(status, message), message)
}

/// The first paragraph is the title, the last one the footer.
fn event(card: &Value) -> Event {
    let mut event = Event::default();
    let mut paragraphs = Vec::new();
    for widget in list(&card["card"]["sections"][0], "widgets") {
        if let Some(paragraph) = widget["textParagraph"]["text"].as_str() {
            paragraphs.push(paragraph.to_owned());
        }
        if let Some(name) = widget["decoratedText"]["topLabel"].as_str() {
            event.fields.push(Field {
                name: name.to_owned(),
                value: text_of(&widget["decoratedText"], "text"),
            });
        }
    }
    if paragraphs.len() > 1 {
        event.footer = paragraphs.pop();
    }
    let mut paragraphs = paragraphs.into_iter();
    event.title = paragraphs.next().unwrap_or_default();
    event.text = paragraphs.collect::<Vec<_>>().join("\n");
    event
}
