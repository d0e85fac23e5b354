//! A server of ntfy: what is published by JSON at its root. Written from binwiederhier/ntfy: server/server.go, server/errors.go, server/actions.go,
//! server/util.go and docs/publish.md.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use super::address::{ALPHANUMERIC, Address, letters};
use super::event::{Event, Field, text as text_of};
use super::findings::{Findings, present};
use super::hook::{Hook, Life};
use super::lock::lock;
use super::markup::{Markdown, markdown};
use super::pace::RateLimit;
use super::reply::{Call, Judged, Reply};
use super::service::{ByPath, Service};
use super::shape::{INVALID, address, boolean, each, object, text};
use super::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    // In the long run; the burst is more.
    announced: Some(RateLimit {
        requests: 60,
        per: Duration::from_secs(300),
    }),
    // What is copied is the topic's address, and what is published goes to the root.
    address: |rng| Address::Path {
        path: format!("/{}", letters(rng, 20, ALPHANUMERIC)),
        query: None,
    },
    by_path: Some(ByPath {
        owns: |path| path == "/",
        key: Some(|body| Some(format!("/{}", body["topic"].as_str()?))),
        shown: str::to_owned,
        judge,
    }),
    rate_limited,
    plain,
    success: || Reply::fixed(200, r#"{"id":"x","time":1,"event":"message","topic":"x"}"#),
    events,
    count: |outline| outline.message.matches("\n---\n").count() + 1,
    spans: |source| markdown(Markdown::CommonMark, source),
    plain_footer: false,
};

/// A message of this many bytes is an attachment.
const MESSAGE_LIMIT: usize = 4_096;
const MOST_ACTIONS: usize = 3;
/// Between two events.
const RULE: &str = "\n\n---\n\n";
/// Between the name of a field and its value.
const EM_SPACE: &str = ":\u{2003}";

fn judge(call: Call<'_>, hook: Option<&Hook>) -> Judged {
    if call.method != Method::POST && call.method != Method::PUT {
        return refuse(404, 40401, "page not found");
    }
    if call.body.len() >= 2 * MESSAGE_LIMIT {
        return refuse(413, 41303, "JSON body too large");
    }
    let body = serde_json::from_slice::<Value>(call.body).unwrap_or_default();
    if !body["topic"].is_string() {
        // The real one says that it is no JSON, or no topic; but this server is others', too.
        return refuse(404, 40401, "page not found");
    }
    // Any name is a topic; here those that somebody has registered.
    let Some(hook) = hook else {
        return refuse(400, 40009, "invalid request: topic invalid");
    };
    if let Some(wait) = lock(&hook.pace).take(Instant::now()).wait {
        return Judged::new(rate_limited(wait), Verdict::RateLimited);
    }
    if call
        .header("authorization")
        .is_some_and(|value| !value.starts_with("Bearer tk_"))
    {
        return refuse(401, 40101, "unauthorized");
    }
    if hook.life() != Life::Live {
        return refuse(403, 40301, "forbidden");
    }
    let mut findings = Findings::default();
    publication(&body, &mut findings);
    let judged = if findings.problems.is_empty() {
        let made = json!({ "id": "hwQ2YpKdmg", "time": 1, "event": "message", "topic": body["topic"], "message": body["message"] });
        Judged::new(Reply::json(200, &made), Verdict::Accepted)
    } else {
        Judged::refused(error(400, 40000, "invalid request"), findings.summary())
    };
    judged.warned(findings.warnings)
}

fn publication(body: &Value, f: &mut Findings) {
    let Some(message) = object(body, f) else { return };
    f.keys(
        message,
        &[
            "topic", "title", "message", "markdown", "priority", "tags", "click", "icon", "actions",
        ],
    );
    text(message, "topic", true, f);
    if let Some(title) = text(message, "title", false, f)
        && title.contains("=?")
    {
        f.warn("words of the title may be decoded");
    }
    if let Some(words) = text(message, "message", true, f)
        && words.len() >= MESSAGE_LIMIT
    {
        f.problem(INVALID, format!("{} bytes: an attachment", words.len()));
    }
    boolean(message, "markdown", f);
    if present(message, "priority").is_some_and(|priority| !matches!(priority.as_u64(), Some(1..=5))) {
        f.problem(INVALID, "invalid priority parameter");
    }
    for tag in message
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if tag.as_str().is_none_or(|tag| tag.is_empty() || tag.contains(',')) {
            f.problem(INVALID, "a tag is empty, or two");
        }
    }
    for key in ["click", "icon"] {
        address(message, key, false, f);
    }
    let actions = each(message, "actions", false, f, |action, f| {
        f.keys(action, &["action", "label", "url", "clear"]);
        if text(action, "action", true, f).is_some_and(|kind| kind != "view") {
            f.problem(INVALID, "is no view");
        }
        text(action, "label", true, f);
        address(action, "url", true, f);
    });
    if actions > MOST_ACTIONS {
        f.problem(INVALID, format!("only {MOST_ACTIONS} actions allowed"));
    }
}

/// Each block of the message, and the title of one that is alone.
fn events(body: &Value) -> Vec<Event> {
    let message = text_of(body, "message");
    let blocks: Vec<&str> = message.split(RULE).collect();
    if let [block] = blocks.as_slice() {
        return vec![Event {
            title: text_of(body, "title"),
            ..event(block)
        }];
    }
    let blocks = blocks.into_iter().map(|block| {
        let (title, rest) = block.split_once("\n\n").unwrap_or((block, ""));
        Event {
            title: title.to_owned(),
            ..event(rest)
        }
    });
    blocks.collect()
}

/// A paragraph of text, a list of fields, and the small print, which is always there.
fn event(block: &str) -> Event {
    let mut event = Event::default();
    let mut paragraphs: Vec<&str> = block.split("\n\n").collect();
    event.footer = paragraphs.pop().map(ToOwned::to_owned);
    for paragraph in paragraphs {
        match paragraph.strip_prefix("- ") {
            Some(list) => {
                let items = list.split("\n- ").filter_map(|item| item.split_once(EM_SPACE));
                event.fields.extend(items.map(|(name, value)| Field {
                    name: name.to_owned(),
                    value: value.to_owned(),
                }));
            }
            None => event.text = paragraph.to_owned(),
        }
    }
    event
}

/// No header says how long.
fn rate_limited(_: Duration) -> Reply {
    plain(429)
}

/// What ntfy says with a status.
fn plain(status: u16) -> Reply {
    let (number, message) = match status {
        401 => (1, "unauthorized"),
        403 => (1, "forbidden"),
        404 => (1, "page not found"),
        413 => (3, "JSON body too large"),
        429 => (1, "limit reached: too many requests"),
        500 => (1, "internal server error"),
        507 => (
            1,
            "cannot publish to UnifiedPush topic without previously active subscriber",
        ),
        _ => (0, "invalid request"),
    };
    error(status, i32::from(status) * 100 + number, message)
}

fn error(status: u16, code: i32, message: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "http": status, "error": message }))
}

fn refuse(status: u16, code: i32, message: &str) -> Judged {
    Judged::refused(error(status, code, message), message)
}
