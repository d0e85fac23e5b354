//! A Workflows trigger, as Azure Logic Apps and the Power Platform serve it.
//!
//! The real one answers 202 as soon as the envelope fits the trigger's schema; a card that Teams then refuses is lost
//! without a word to the sender. Here it is refused with 400, so that no test can miss it.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use super::adaptive_card;
use super::quoted_length;
use crate::emulator::address::{Address, hex, letters};
use crate::emulator::event;
use crate::emulator::findings::Findings;
use crate::emulator::hook::{Hook, Life};
use crate::emulator::lock::lock;
use crate::emulator::markup::{Markdown, markdown};
use crate::emulator::pace::RateLimit;
use crate::emulator::query::parameter;
use crate::emulator::reply::{Call, Judged, Reply, reason};
use crate::emulator::service::Service;
use crate::emulator::verdict::Verdict;

/// What it is like.
pub(crate) const SERVICE: Service = Service {
    announced: Some(RateLimit::TEAMS),
    address: |rng| {
        let sig = letters(
            rng,
            43,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        );
        let query = format!("api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={sig}");
        Address::Workflow {
            id: hex(rng, 32),
            query,
        }
    },
    by_path: None,
    rate_limited,
    plain,
    success: || Reply::empty(202),
    events: event::adaptive_cards,
    count: event::containers,
    spans: |source| markdown(Markdown::Workflow, source),
    plain_footer: false,
};

const MOST_BYTES: usize = 28_672;

pub(crate) fn judge(call: Call<'_>, id: &str, hook: Option<&Hook>) -> Judged {
    if call.method != Method::POST {
        let why = "Verify you are making the request with the appropriate HTTP method.";
        return refuse(405, "AuthorizationFailed", why);
    }
    if parameter(call.query, "api-version").is_none() {
        let why = "The api-version query parameter (?api-version=) is required for all requests.";
        return refuse(400, "MissingApiVersionParameter", why);
    }
    let Some(hook) = hook.filter(|hook| hook.life() != Life::Removed) else {
        return refuse(
            404,
            "WorkflowNotFound",
            &format!("The workflow '{id}' could not be found."),
        );
    };
    let own_query = match authorise(call.query, hook) {
        Ok(own_query) => own_query,
        Err(why) => return refuse(401, "AuthorizationFailed", why),
    };
    if hook.life() == Life::Disabled {
        return Judged::refused(plain(400), "the workflow is disabled");
    }
    if let Some(wait) = lock(&hook.pace).take(Instant::now()).wait {
        return Judged::new(rate_limited(wait), Verdict::RateLimited);
    }
    let mut judged = content(call);
    if !own_query {
        judged
            .warnings
            .push("the query is not byte for byte that of the URL".to_owned());
    }
    judged
}

/// Whether the query is just that of the URL that was handed out, once its signature is right.
fn authorise(query: Option<&str>, hook: &Hook) -> Result<bool, &'static str> {
    let own = match &hook.address {
        Address::Workflow { query, .. } => query.as_str(),
        Address::Discord { .. } | Address::Connector { .. } | Address::Path { .. } => "",
    };
    for name in ["sp", "sv", "sig"] {
        let Some(value) = parameter(query, name) else {
            return Err(
                "Required parameters for shared access URL are permissions ('sp'), version ('sv'), and \
                        signature ('sig').",
            );
        };
        if parameter(Some(own), name) != Some(value) {
            return Err("The authentication credentials are not valid.");
        }
    }
    Ok(query == Some(own))
}

fn content(call: Call<'_>) -> Judged {
    if !call.is_json() {
        return refuse(
            415,
            "UnsupportedMediaType",
            "The content media type is not supported.",
        );
    }
    let length = quoted_length(call.body);
    if length > MOST_BYTES {
        let why = format!("The content length {length} exceeds the maximum of {MOST_BYTES} bytes.");
        return refuse(413, "RequestEntityTooLarge", &why);
    }
    let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
        return refuse(
            400,
            "InvalidRequestContent",
            "The request content is not valid and could not be deserialized.",
        );
    };
    let mut findings = Findings::default();
    adaptive_card::check(&body, &mut findings);
    let judged = if findings.problems.is_empty() {
        let run = format!("{:032}", fastrand::u128(..) % 10_u128.pow(32));
        Judged::new(
            Reply::empty(202).header("x-ms-workflow-run-id", run),
            Verdict::Accepted,
        )
    } else {
        refuse(
            400,
            "TriggerInputSchemaMismatch",
            &format!(
                "The input body for trigger 'manual' of type 'Request' did not match its schema definition. \
                 Error details: '{}'.",
                findings.summary()
            ),
        )
    };
    judged.warned(findings.warnings)
}

pub(crate) fn rate_limited(wait: Duration) -> Reply {
    let why = "The request was throttled: too many calls of the trigger. Try again later.";
    error(429, "TooManyRequests", why).header("retry-after", wait.as_secs_f64().ceil().max(1.0).to_string())
}

/// An answer without being asked, for scripts.
pub(crate) fn plain(status: u16) -> Reply {
    match status {
        400 => error(
            400,
            "WorkflowTriggerIsNotEnabled",
            "Could not execute workflow trigger 'manual' because it is not enabled.",
        ),
        401 => error(
            401,
            "DirectApiAuthorizationRequired",
            "The request must be authenticated only by Shared Access scheme.",
        ),
        403 => error(
            403,
            "AuthorizationFailed",
            "The caller is not allowed to run this workflow.",
        ),
        404 => error(404, "WorkflowNotFound", "The workflow could not be found."),
        _ => {
            let words = reason(status);
            error(status, &words.replace(' ', ""), &words)
        }
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": code, "message": message}}))
}

fn refuse(status: u16, code: &str, message: &str) -> Judged {
    Judged::refused(error(status, code, message), format!("{code}: {message}"))
}
