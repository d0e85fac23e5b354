//! What Teams' answers mean.
//!
//! Sources: Microsoft's documentation of incoming webhooks and connectors ("Rate limiting for connectors") and of the
//! workflow service's error codes.

use serde_json::Value;

use super::answer::Answer;
use super::status::failed;
use super::text;
use super::verdict::{Judge, Verdict};

/// How the body begins with which connectors answer 200 although nothing was delivered.
const TRAP: &str = "Webhook message delivery failed";
const INNER_STATUS: &str = "HTTP error ";
const UNAUTHORIZED: &str = "401: the URL or its signature is wrong";

/// Interprets answers of connectors.
pub(super) const CONNECTOR: Judge = Judge::Service(connector_verdict);

/// Interprets answers of flows.
pub(super) const WORKFLOW: Judge = Judge::Service(workflow_verdict);

/// Interprets the answer of a connector, where only a body that is a number means success.
fn connector_verdict(answer: &Answer) -> (Verdict, Option<String>) {
    match answer.status {
        200..300 => connector_body_verdict(answer),
        404 | 410 => (Verdict::Gone, Some(gone(answer.status))),
        _ => failed(answer, &reason(answer), UNAUTHORIZED),
    }
}

/// Interprets the answer of a Workflows trigger: 202, or what a flow with a Response action answers.
fn workflow_verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let status = answer.status;
    let reason = reason(answer);
    match (status, error_code(answer).as_deref()) {
        // A connector behind a URL that does not look like one.
        (200..300, _) if answer.text().contains(TRAP) => connector_body_verdict(answer),
        (200..300, _) => (Verdict::Sent, None),
        (400, Some("WorkflowTriggerIsNotEnabled")) => {
            let what = "400: the flow is switched off; switch it on in Power Automate";
            (Verdict::Gone, Some(text::with_reason(what, &reason)))
        }
        (401, Some("DirectApiAuthorizationRequired")) => {
            let what = "401: the flow wants a signed-in caller; set who can trigger it to \"Anyone\" and register \
                        its new URL";
            (Verdict::Gone, Some(text::with_reason(what, &reason)))
        }
        (404 | 410, _) => (Verdict::Gone, Some(text::with_reason(&gone(status), &reason))),
        _ => failed(answer, &reason, UNAUTHORIZED),
    }
}

fn connector_body_verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let text = answer.text();
    let body = text.trim();
    if !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_digit()) {
        return (Verdict::Sent, None);
    }
    let verdict = match inner_status(body) {
        Some(401 | 403 | 404 | 410) => Verdict::Forbidden,
        Some(408 | 429) => Verdict::Unavailable { wait: None },
        Some(400..500) => Verdict::Rejected { culprit: None },
        // Without a code, it is unknown whether the message is at fault.
        _ => Verdict::Retry { wait: None },
    };
    let what = format!("{} but not delivered", answer.status);
    (verdict, Some(text::with_reason(&what, body)))
}

/// Returns the status of Teams' own endpoint, which the connector's text names.
fn inner_status(body: &str) -> Option<u16> {
    let rest = &body[body.find(INNER_STATUS)? + INNER_STATUS.len()..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

fn gone(status: u16) -> String {
    format!("{status}: the webhook does not exist any more")
}

/// Returns `error.code` of the workflow service.
fn error_code(answer: &Answer) -> Option<String> {
    Some(answer.json()?.get("error")?.get("code")?.as_str()?.to_owned())
}

/// Returns the reason in the body: `error.code: error.message`, `message`, or the text itself.
fn reason(answer: &Answer) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    match answer.json() {
        Some(Value::Object(body)) => match body.get("error") {
            Some(Value::Object(error)) => {
                text::with_reason(&text(error.get("code")), &text(error.get("message")))
            }
            _ => text(body.get("message")),
        },
        _ => answer.text().into_owned(),
    }
}
