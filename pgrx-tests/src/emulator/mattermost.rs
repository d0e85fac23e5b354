//! An incoming webhook of Mattermost: `ok`, or an error as JSON.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use super::address::{Address, letters};
use super::event::{Event, hex_colour, of_list, optional, pairs, text as text_of};
use super::findings::Findings;
use super::hook::{Hook, Life};
use super::lock::lock;
use super::markup::{Markdown, markdown};
use super::reply::{Call, Judged, Reply, reason};
use super::service::{ByPath, Service};
use super::shape::{INVALID, address, each, object, text};
use super::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    announced: None,
    address: |rng| Address::Path {
        path: format!(
            "/hooks/{}",
            letters(rng, 26, b"abcdefghijklmnopqrstuvwxyz0123456789")
        ),
        query: None,
    },
    by_path: Some(ByPath {
        owns: |path| path.starts_with("/hooks/"),
        key: None,
        shown: ByPath::first_part,
        judge,
    }),
    rate_limited,
    plain,
    success: || Reply::fixed(200, "ok"),
    events: |body| of_list(body, "attachments", event),
    count: |outline| outline.attachments.len().max(1),
    spans: |source| markdown(Markdown::Mattermost, source),
    plain_footer: true,
};

/// Longer posts are split.
const MOST_CHARACTERS: usize = 16_383;
const MOST_FOOTER: usize = 300;

pub(crate) fn judge(call: Call<'_>, hook: Option<&Hook>) -> Judged {
    if call.method != Method::POST {
        return refuse(405, "Method not allowed.");
    }
    let hook = match hook {
        Some(hook) if hook.life() == Life::Live => hook,
        Some(hook) if hook.life() == Life::Disabled => return refuse(404, "Couldn't find the channel."),
        _ => return refuse(400, "Invalid webhook."),
    };
    if let Some(wait) = lock(&hook.pace).take(Instant::now()).wait {
        return Judged::new(rate_limited(wait), Verdict::RateLimited);
    }
    let body = serde_json::from_slice::<Value>(call.body).ok();
    let Some(body) = body.filter(|_| call.is_json()) else {
        return refuse(400, "Unable to parse incoming data.");
    };
    let mut findings = Findings::default();
    post(&body, &mut findings);
    let judged = if findings.problems.is_empty() {
        Judged::new(Reply::text(200, "ok"), Verdict::Accepted)
    } else {
        Judged::refused(error(400, "Unable to parse incoming data."), findings.summary())
    };
    judged.warned(findings.warnings)
}

fn post(body: &Value, f: &mut Findings) {
    let Some(post) = object(body, f) else { return };
    f.keys(
        post,
        &["text", "username", "icon_url", "attachments", "channel", "props"],
    );
    for key in ["text", "username"] {
        text(post, key, false, f);
    }
    address(post, "icon_url", false, f);
    let attachments = each(post, "attachments", false, f, |attachment, f| {
        f.keys(
            attachment,
            &[
                "fallback",
                "color",
                "pretext",
                "title",
                "title_link",
                "text",
                "fields",
                "footer",
                "thumb_url",
                "image_url",
            ],
        );
        text(attachment, "fallback", true, f);
        for key in ["color", "pretext", "title", "text"] {
            text(attachment, key, false, f);
        }
        for key in ["title_link", "thumb_url", "image_url"] {
            address(attachment, key, false, f);
        }
        if let Some(footer) = text(attachment, "footer", false, f)
            && footer.chars().count() > MOST_FOOTER
        {
            f.problem(INVALID, "the footer is cut");
        }
        each(attachment, "fields", false, f, |field, f| {
            f.keys(field, &["title", "value", "short"]);
            text(field, "title", true, f);
            text(field, "value", true, f);
        });
    });
    if attachments == 0 && text(post, "text", true, f).is_none() {
        f.problem(INVALID, "has neither text nor attachments");
    }
    let characters = body.to_string().chars().count();
    if characters > MOST_CHARACTERS {
        f.problem(INVALID, format!("{characters} characters"));
    }
}

pub(crate) fn rate_limited(wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    error(429, "limit exceeded").header("retry-after", format!("{seconds}"))
}

/// What Mattermost says with a status.
pub(crate) fn plain(status: u16) -> Reply {
    error(status, &reason(status))
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "id": "web.incoming_webhook.app_error", "message": message, "request_id": "x", "status_code": status }),
    )
}

fn refuse(status: u16, message: &str) -> Judged {
    Judged::refused(error(status, message), message)
}

fn event(attachment: &Value) -> Event {
    Event {
        title: text_of(attachment, "title"),
        text: text_of(attachment, "text"),
        fields: pairs(attachment, "fields", "title"),
        colour: hex_colour(&attachment["color"]),
        footer: optional(attachment, "footer"),
        ..Event::default()
    }
}
