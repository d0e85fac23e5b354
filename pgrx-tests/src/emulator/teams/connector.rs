//! A legacy connector: 200 whatever happens inside Teams, the truth is in the body.

use std::time::Instant;

use hyper::Method;
use serde_json::Value;

use super::message_card;
use crate::emulator::address::{Address, guid, hex};
use crate::emulator::event;
use crate::emulator::findings::{Findings, present};
use crate::emulator::hook::{Hook, Life};
use crate::emulator::lock::lock;
use crate::emulator::markup::{Markdown, markdown};
use crate::emulator::pace::RateLimit;
use crate::emulator::reply::{Call, Judged, Reply, reason};
use crate::emulator::service::Service;
use crate::emulator::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    announced: Some(RateLimit::TEAMS),
    address: |rng| {
        let (group, tenant, owner) = (guid(rng), guid(rng), guid(rng));
        Address::Connector {
            path: format!(
                "/webhookb2/{group}@{tenant}/IncomingWebhook/{}/{owner}",
                hex(rng, 32)
            ),
        }
    },
    by_path: None,
    rate_limited: |_| inner_error(429),
    plain,
    success: || Reply::fixed(200, "1"),
    events: event::message_card,
    count: |outline| outline.sections.len().max(1),
    spans: |source| markdown(Markdown::Connector, source),
    plain_footer: false,
};

/// What Teams itself refuses, behind the connector.
const MOST_BYTES: usize = 28 * 1024;

pub(crate) fn judge(call: Call<'_>, hook: Option<&Hook>) -> Judged {
    if call.method != Method::POST {
        return refuse(405, "The requested resource does not support this http method.");
    }
    let hook = match hook {
        Some(hook) if hook.life() == Life::Live => hook,
        Some(_) => return refuse(410, "Connector configuration was removed."),
        None => return refuse(404, "Connector configuration not found."),
    };
    if lock(&hook.pace).take(Instant::now()).wait.is_some() {
        return Judged::new(inner_error(429), Verdict::RateLimited);
    }
    if !call.is_json() {
        return refuse(415, "Unsupported Media Type");
    }
    if call.body.len() > MOST_BYTES {
        return Judged::refused(
            inner_error(413),
            format!("{} bytes, over {MOST_BYTES}", call.body.len()),
        );
    }
    let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
        return refuse(400, "Bad payload received by generic incoming webhook.");
    };
    card(&body)
}

fn card(body: &Value) -> Judged {
    let says_something = body.as_object().is_some_and(|card| {
        ["summary", "text"].iter().any(|key| {
            present(card, key)
                .and_then(Value::as_str)
                .is_some_and(|text| !text.trim().is_empty())
        })
    });
    if body.is_object() && !says_something {
        return refuse(400, "Summary or Text is required.");
    }
    let mut findings = Findings::default();
    message_card::check(body, &mut findings);
    let judged = if findings.problems.is_empty() {
        Judged::new(Reply::text(200, "1"), Verdict::Accepted)
    } else {
        Judged::refused(
            Reply::text(400, "Bad payload received by generic incoming webhook."),
            findings.summary(),
        )
    };
    judged.warned(findings.warnings)
}

/// How a connector reports that Teams answered `status`: in the body of a 200.
pub(crate) fn inner_error(status: u16) -> Reply {
    Reply::text(
        200,
        format!(
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} \
             with ContextId tcid=0,server=DB3PEPF00003D0F,cv=Xo4gC1Xx2E6gZlW0b3yKzA.0."
        ),
    )
}

pub(crate) fn plain(status: u16) -> Reply {
    Reply::text(status, reason(status))
}

fn refuse(status: u16, why: &str) -> Judged {
    Judged::refused(Reply::text(status, why), why)
}
