//! The endpoints by which other processes use the emulator.
//!
//! | | |
//! |---|---|
//! | `GET /_emulator/messages[?webhook=N][&after=NUMBER]` | what arrived |
//! | `DELETE /_emulator/messages` | forget it |
//! | `GET /_emulator/webhooks` | names, states and counts |
//! | `POST /_emulator/webhooks` `{"kind": "discord" \| "connector" \| "workflow"}` | a new one, with its URLs |
//! | `POST /_emulator/webhooks/N/script` `[behaviour, …]` | append to its queue of behaviours |
//! | `PUT /_emulator/webhooks/N/always` `behaviour` | what applies when the queue is empty |
//! | `DELETE /_emulator/webhooks/N/script` | behave again |
//! | `PUT /_emulator/webhooks/N/limits` `{"announced": {"requests": 5, "per": 2.0}}` | other rate limits |
//! | `PUT /_emulator/webhooks/N/state` `"live" \| "disabled" \| "removed"` | remove it or bring it back |

use std::sync::Arc;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::kind::Kind;
use super::pace::Limits;
use super::query::parameter;
use super::reply::Reply;
use super::script::Behaviour;
use super::shared::Shared;
use super::store::Received;
use super::webhook::{self, Webhook};

pub(crate) const PREFIX: &str = "/_emulator/";

const MOST_BYTES: usize = 1024 * 1024;

#[derive(Debug, Deserialize)]
struct New {
    kind: Kind,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Live,
    Disabled,
    Removed,
}

pub(crate) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BYTES).collect().await else {
        return Reply::text(400, "the body is too large or incomplete");
    };
    let path = parts.uri.path().trim_start_matches(PREFIX);
    let steps: Vec<&str> = path.split('/').collect();
    let result = match steps.as_slice() {
        ["messages"] => messages(shared, &parts.method, parts.uri.query()),
        ["webhooks"] => webhooks(shared, &parts.method, &body.to_bytes()),
        ["webhooks", number, what] => match find(shared, number) {
            Some(webhook) => change(&webhook, &parts.method, what, &body.to_bytes()),
            None => Err(Reply::text(404, "no such webhook")),
        },
        _ => Err(Reply::text(404, "no such endpoint")),
    };
    result.unwrap_or_else(|refusal| refusal)
}

fn messages(shared: &Shared, method: &Method, query: Option<&str>) -> Result<Reply, Reply> {
    match *method {
        Method::GET => {
            let number = |name| parameter(query, name).and_then(|value| value.parse::<u64>().ok());
            let (webhook, after) = (number("webhook"), number("after").unwrap_or(0));
            let wanted = |received: &Received| {
                received.number > after && (webhook.is_none() || webhook == received.webhook.map(u64::from))
            };
            let listed: Vec<Value> = shared
                .store
                .all()
                .iter()
                .filter(|received| wanted(received))
                .map(|received| json!({"request": &**received, "events": received.events()}))
                .collect();
            Ok(Reply::json(200, &listed.into()))
        }
        Method::DELETE => {
            webhook::forget(shared);
            Ok(Reply::empty(204))
        }
        _ => Err(Reply::text(405, "GET or DELETE")),
    }
}

fn webhooks(shared: &Arc<Shared>, method: &Method, body: &[u8]) -> Result<Reply, Reply> {
    match *method {
        Method::GET => {
            let listed: Vec<Value> = webhook::all(shared).iter().map(described).collect();
            Ok(Reply::json(200, &listed.into()))
        }
        Method::POST => {
            let new: New = parsed(body)?;
            let webhook = Webhook::new(shared.registry.register(new.kind), shared.clone());
            Ok(Reply::json(201, &webhook.introduced()))
        }
        _ => Err(Reply::text(405, "GET or POST")),
    }
}

fn change(webhook: &Webhook, method: &Method, what: &str, body: &[u8]) -> Result<Reply, Reply> {
    match (method.as_str(), what) {
        ("POST", "script") => webhook.script(parsed::<Vec<Behaviour>>(body)?),
        ("DELETE", "script") => webhook.recover(),
        ("PUT", "always") => webhook.always(parsed(body)?),
        ("PUT", "limits") => webhook.limit(parsed::<Limits>(body)?),
        ("PUT", "state") => match parsed(body)? {
            State::Live => webhook.restore(),
            State::Disabled => webhook.disable(),
            State::Removed => webhook.remove(),
        },
        _ => return Err(Reply::text(404, "no such endpoint")),
    }
    Ok(Reply::json(200, &described(webhook)))
}

fn find(shared: &Arc<Shared>, number: &str) -> Option<Webhook> {
    let hook = shared.registry.by_number(number.parse().ok()?)?;
    Some(Webhook::new(hook, shared.clone()))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(|error| Reply::text(400, error.to_string()))
}

/// Without the secret.
fn described(webhook: &Webhook) -> Value {
    json!({
        "number": webhook.number(),
        "name": webhook.name(),
        "kind": webhook.kind(),
        "live": webhook.is_live(),
        "requests": webhook.requests(),
        "accepted": webhook.accepted(),
        "events": webhook.event_count(),
        "in_flight": webhook.in_flight(),
        "max_in_flight": webhook.max_in_flight(),
        "script_left": webhook.script_left(),
    })
}
