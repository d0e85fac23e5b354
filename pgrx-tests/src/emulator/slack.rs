//! An incoming webhook of Slack: answers in words, each with its status.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::Value;

use super::address::{ALPHANUMERIC, Address, CAPITALS, letters};
use super::event::{Event, Field, hex_colour, list, of_list, optional, text as text_of};
use super::findings::{Findings, present};
use super::hook::{Hook, Life};
use super::lock::lock;
use super::markup::mrkdwn;
use super::pace::RateLimit;
use super::reply::{Call, Judged, Reply, reason};
use super::service::{ByPath, Service};
use super::shape::{INVALID, Object, address, each, object, text};
use super::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    announced: Some(RateLimit::ONE_A_SECOND),
    address: |rng| {
        let (team, webhook) = (letters(rng, 10, CAPITALS), letters(rng, 10, CAPITALS));
        Address::Path {
            path: format!("/services/T{team}/B{webhook}/{}", letters(rng, 24, ALPHANUMERIC)),
            query: None,
        }
    },
    by_path: Some(ByPath {
        owns: |path| path.starts_with("/services/"),
        key: None,
        shown: ByPath::first_part,
        judge,
    }),
    rate_limited,
    plain,
    success: || Reply::fixed(200, "ok"),
    events: |body| of_list(body, "attachments", event),
    count: |outline| outline.attachments.len().max(1),
    spans: mrkdwn,
    plain_footer: false,
};

const MOST_BLOCKS: usize = 50;
/// Of all blocks together.
const MOST_CHARACTERS: usize = 13_200;
const MOST_SECTION: usize = 3_000;
const MOST_FIELD: usize = 2_000;
const MOST_FIELDS: usize = 10;

pub(crate) fn judge(call: Call<'_>, hook: Option<&Hook>) -> Judged {
    if call.method != Method::POST {
        return refuse(405, "method_not_allowed");
    }
    let hook = match hook {
        Some(hook) if hook.life() == Life::Live => hook,
        Some(hook) if hook.life() == Life::Disabled => return refuse(410, "channel_is_archived"),
        _ => return refuse(404, "no_service"),
    };
    if let Some(wait) = lock(&hook.pace).take(Instant::now()).wait {
        return Judged::new(rate_limited(wait), Verdict::RateLimited);
    }
    if !call.is_json() {
        return refuse(400, "invalid_payload");
    }
    let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
        return refuse(400, "invalid_payload");
    };
    let mut findings = Findings::default();
    message(&body, &mut findings);
    let judged = if findings.problems.is_empty() {
        Judged::new(Reply::text(200, "ok"), Verdict::Accepted)
    } else {
        Judged::refused(Reply::text(400, "invalid_blocks"), findings.summary())
    };
    judged.warned(findings.warnings)
}

fn message(body: &Value, f: &mut Findings) {
    let Some(message) = object(body, f) else { return };
    f.keys(
        message,
        &[
            "text",
            "attachments",
            "blocks",
            "unfurl_links",
            "unfurl_media",
            "mrkdwn",
        ],
    );
    text(message, "text", true, f);
    let mut blocks = 0;
    let attachments = each(message, "attachments", false, f, |attachment, f| {
        f.keys(attachment, &["color", "blocks", "fallback"]);
        text(attachment, "color", false, f);
        blocks += each(attachment, "blocks", true, f, block);
    });
    blocks += each(message, "blocks", false, f, block);
    if attachments > 100 {
        f.problem(INVALID, "too_many_attachments");
    }
    if blocks > MOST_BLOCKS {
        f.problem(INVALID, format!("{blocks} blocks"));
    }
    let all = message
        .get("attachments")
        .map_or(0, |all| all.to_string().chars().count());
    if all > MOST_CHARACTERS {
        f.problem(INVALID, format!("msg_blocks_too_long: {all} characters"));
    }
}

fn block(block: &Object, f: &mut Findings) {
    match text(block, "type", true, f) {
        Some("section") => {
            f.keys(
                block,
                &["type", "block_id", "text", "fields", "accessory", "expand"],
            );
            if present(block, "text").is_none() && present(block, "fields").is_none() {
                f.problem(INVALID, "has neither text nor fields");
            }
            part(block, "text", MOST_SECTION, f);
            let fields = each(block, "fields", false, f, |field, f| words(field, MOST_FIELD, f));
            if fields > MOST_FIELDS {
                f.problem(INVALID, format!("{fields} fields"));
            }
            if let Some(Value::Object(picture)) = present(block, "accessory") {
                f.within("accessory", |f| {
                    f.keys(picture, &["type", "image_url", "alt_text"]);
                    address(picture, "image_url", true, f);
                    text(picture, "alt_text", true, f);
                });
            }
        }
        Some("context") => {
            f.keys(block, &["type", "block_id", "elements"]);
            let elements = each(block, "elements", true, f, |element, f| {
                words(element, MOST_SECTION, f)
            });
            if elements > 10 {
                f.problem(INVALID, format!("{elements} elements"));
            }
        }
        Some("divider") => f.keys(block, &["type", "block_id"]),
        Some(other) => f.problem(INVALID, format!("unsupported type: {other}")),
        None => {}
    }
}

fn part(parent: &Object, key: &str, most: usize, f: &mut Findings) {
    if let Some(Value::Object(part)) = present(parent, key) {
        f.within(key, |f| words(part, most, f));
    }
}

fn words(part: &Object, most: usize, f: &mut Findings) {
    f.keys(part, &["type", "text", "emoji", "verbatim"]);
    if let Some(words) = text(part, "text", true, f)
        && words.chars().count() > most
    {
        f.problem(INVALID, format!("must be no more than {most} characters"));
    }
}

pub(crate) fn rate_limited(wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    Reply::text(429, "rate_limited").header("retry-after", format!("{seconds}"))
}

/// What Slack says with a status.
pub(crate) fn plain(status: u16) -> Reply {
    let word = match status {
        400 => "invalid_payload".to_owned(),
        403 => "action_prohibited".to_owned(),
        404 => "no_service".to_owned(),
        410 => "channel_is_archived".to_owned(),
        500 => "rollup_error".to_owned(),
        other => reason(other),
    };
    Reply::text(status, word)
}

fn refuse(status: u16, word: &str) -> Judged {
    Judged::refused(Reply::text(status, word), word)
}

/// The first line of the first section is the title, the context the footer.
fn event(attachment: &Value) -> Event {
    let mut event = Event {
        colour: hex_colour(&attachment["color"]),
        ..Event::default()
    };
    for block in list(attachment, "blocks") {
        if block["type"] == "context" {
            event.footer = optional(&block["elements"][0], "text");
        }
        if let Some(main) = block["text"]["text"].as_str() {
            let (title, text) = main.split_once('\n').unwrap_or((main, ""));
            (event.title, event.text) = (title.to_owned(), text.to_owned());
        }
        for field in list(block, "fields") {
            let field = text_of(field, "text");
            let (name, value) = field.split_once('\n').unwrap_or((&field, ""));
            event.fields.push(Field {
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }
    event
}
