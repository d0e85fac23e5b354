//! One request: who is meant, what the script says, what the vendor would say, and what is kept of it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::discord::{self, Dialect};
use super::fault::{Break, Fault};
use super::registry::{Flight, Hook, Kind};
use super::reply::{Call, Judged, Reply};
use super::route::{self, Route, route};
use super::script::Behaviour;
use super::store::{Given, Keep, Received, Verdict, lock};
use super::teams::{connector, workflow};
use super::{Shared, control, event, page};

/// Larger bodies are not kept.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The connection is given to a fault instead of an answer.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

pub(crate) async fn answer(
    shared: Arc<Shared>,
    slot: Arc<Mutex<Option<Fault>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Broken> {
    let path = request.uri().path();
    if path == "/" {
        return Ok(respond(page::page(&shared)));
    }
    if path.starts_with(control::PREFIX) {
        return Ok(respond(control::answer(&shared, request).await));
    }
    let (parts, body) = request.into_parts();
    let arrival = Arrival::of(&shared, &parts);
    let flight = arrival.hook.clone().map(Flight::of);
    let behaviour = arrival
        .hook
        .as_ref()
        .map_or(Behaviour::Normal, |hook| lock(&hook.script).next());

    let body = if behaviour == Behaviour::DropBeforeBody {
        Body::Unread
    } else {
        Body::read(body).await?
    };
    let judged = arrival.judge(&shared, &behaviour, &body);
    arrival.record(&shared, &judged, &behaviour, body.bytes());

    if let Behaviour::Slow(delay) = behaviour {
        tokio::time::sleep(delay).await;
    }
    match fault(behaviour, judged.reply) {
        Ok(reply) => {
            // Before the client can see the answer: its next request must not meet this one.
            drop(flight);
            Ok(respond(reply))
        }
        Err(None) => std::future::pending().await,
        Err(Some(kind)) => {
            *lock(&slot) = Some(Fault { kind, flight });
            Err(Broken)
        }
    }
}

/// Either an answer, or how the connection breaks; none is a connection that hangs.
fn fault(behaviour: Behaviour, reply: Reply) -> Result<Reply, Option<Break>> {
    Err(Some(match behaviour {
        Behaviour::Hang => return Err(None),
        Behaviour::DropBeforeBody | Behaviour::DropBeforeAnswer | Behaviour::LoseAnswer => Break::Close,
        Behaviour::Reset => Break::Reset,
        Behaviour::CutAnswer => Break::Cut(reply),
        Behaviour::Trickle(every) => Break::Trickle(reply, every),
        Behaviour::Garbage => Break::Garbage,
        Behaviour::EndlessBody => Break::EndlessBody,
        Behaviour::HeaderBomb => Break::HeaderBomb,
        _ => return Ok(reply),
    }))
}

#[derive(Debug)]
enum Body {
    Unread,
    TooLarge,
    Read(Bytes),
}

impl Body {
    async fn read(mut body: Incoming) -> Result<Body, Broken> {
        match Limited::new(&mut body, MOST_BYTES).collect().await {
            Ok(collected) => Ok(Body::Read(collected.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                // A client that still writes would not see the answer.
                let mut rest = Limited::new(body, 8 * MOST_BYTES);
                while let Some(Ok(_)) = rest.frame().await {}
                Ok(Body::TooLarge)
            }
            // The client has hung up.
            Err(_) => Err(Broken),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Body::Read(bytes) => bytes,
            Body::Unread | Body::TooLarge => &[],
        }
    }
}

/// A request whose head has been read.
#[derive(Debug)]
struct Arrival<'a> {
    parts: &'a Parts,
    at: Timestamp,
    route: Option<Route<'a>>,
    hook: Option<Arc<Hook>>,
}

impl<'a> Arrival<'a> {
    fn of(shared: &Shared, parts: &'a Parts) -> Self {
        let path = parts.uri.path();
        let route = route(path);
        let hook = match route {
            Some(Route::Discord { id, .. } | Route::Workflow { id }) => shared.registry.find(id),
            Some(Route::Connector) => shared.registry.find(path),
            None => None,
        };
        let hook = hook.filter(|hook| Some(hook.kind) == route.map(kind));
        Arrival {
            parts,
            at: Timestamp::now(),
            route,
            hook,
        }
    }

    fn judge(&self, shared: &Shared, behaviour: &Behaviour, body: &Body) -> Judged {
        let (Some(route), hook) = (self.route, self.hook.as_deref()) else {
            return Judged::refused(Reply::text(404, "Not Found"), "no such path");
        };
        if let Some(reply) = scripted(behaviour, route) {
            return Judged::new(reply, Verdict::Scripted(format!("{behaviour:?}")));
        }
        if shared.store.keep == Keep::Count && hook.is_some() {
            return Judged::new(success(kind(route)), Verdict::Accepted);
        }
        if matches!(body, Body::TooLarge) {
            return match route {
                Route::Discord { .. } => discord::too_large(),
                Route::Connector | Route::Workflow { .. } => {
                    Judged::refused(plain(kind(route), 413), "too large")
                }
            };
        }
        let uri = &self.parts.uri;
        let call = Call {
            method: &self.parts.method,
            query: uri.query(),
            headers: &self.parts.headers,
            body: body.bytes(),
        };
        match route {
            Route::Discord { version, id, token } => {
                let global = shared
                    .discord_global
                    .as_ref()
                    .map(|window| lock(window).take(Instant::now()));
                discord::judge(call, discord::Target { version, id, token }, hook, global)
            }
            Route::Connector => connector::judge(call, hook),
            Route::Workflow { id } => workflow::judge(call, id, hook),
        }
    }

    fn record(&self, shared: &Shared, judged: &Judged, behaviour: &Behaviour, body: &[u8]) {
        if shared.store.keep != Keep::Count {
            shared.store.add(self.received(judged, behaviour, body));
        }
        if let Some(hook) = &self.hook {
            hook.counts.arrived(judged.verdict == Verdict::Accepted, || {
                event::count(hook.kind, body)
            });
        }
        shared.store.ring();
    }

    fn received(&self, judged: &Judged, behaviour: &Behaviour, body: &[u8]) -> Received {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        };
        let answered = fault(behaviour.clone(), judged.reply.clone());
        Received {
            number: 0,
            webhook: self.hook.as_ref().map(|hook| hook.number),
            kind: self.route.map(kind),
            at: self.at,
            method: self.parts.method.to_string(),
            path: route::redacted(self.parts.uri.path(), self.parts.uri.query()),
            headers: self.parts.headers.iter().map(header).collect(),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
            size: body.len(),
            answer: answered.map_or_else(|_| Given::default(), |reply| reply.given()),
            verdict: judged.verdict.clone(),
            warnings: judged.warnings.clone(),
        }
    }
}

fn kind(route: Route<'_>) -> Kind {
    match route {
        Route::Discord { .. } => Kind::Discord,
        Route::Connector => Kind::Connector,
        Route::Workflow { .. } => Kind::Workflow,
    }
}

/// The answer that a script gives in place of the vendor's; none where the message is taken as usual.
fn scripted(behaviour: &Behaviour, route: Route<'_>) -> Option<Reply> {
    let kind = kind(route);
    match behaviour {
        Behaviour::Normal
        | Behaviour::Slow(_)
        | Behaviour::LoseAnswer
        | Behaviour::CutAnswer
        | Behaviour::Trickle(_) => None,
        Behaviour::RateLimited { retry_after, global } => Some(match route {
            Route::Discord { version, .. } => {
                let dialect = Dialect::of(version).unwrap_or(Dialect::Current);
                discord::rate_limited(dialect, *retry_after, *global, None)
            }
            Route::Connector => connector::inner_error(429),
            Route::Workflow { .. } => workflow::rate_limited(*retry_after),
        }),
        Behaviour::EdgeBan => Some(Reply::text(429, "error code: 1015").header("retry-after", "3600")),
        Behaviour::Status(status) => Some(plain(kind, *status)),
        Behaviour::Answer {
            status,
            headers,
            body,
        } => Some(Reply {
            extra: headers.clone(),
            body: body.clone().into(),
            ..Reply::empty(*status)
        }),
        Behaviour::InnerError(status) => Some(connector::inner_error(*status)),
        Behaviour::Redirect(to) => Some(Reply::empty(307).header("location", to)),
        Behaviour::Hang
        | Behaviour::DropBeforeBody
        | Behaviour::DropBeforeAnswer
        | Behaviour::Reset
        | Behaviour::EndlessBody
        | Behaviour::Garbage
        | Behaviour::HeaderBomb => Some(Reply::empty(200)),
    }
}

fn plain(kind: Kind, status: u16) -> Reply {
    match kind {
        Kind::Discord => discord::plain(status),
        Kind::Connector => connector::plain(status),
        Kind::Workflow => workflow::plain(status),
    }
}

fn success(kind: Kind) -> Reply {
    let body = match kind {
        Kind::Discord => r#"{"id":"1000000000000000000","type":0,"embeds":[]}"#,
        Kind::Connector => "1",
        Kind::Workflow => return Reply::empty(202),
    };
    Reply {
        body: Bytes::from_static(body.as_bytes()),
        ..Reply::empty(200)
    }
}

pub(crate) fn reason(status: u16) -> String {
    let known = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    known.unwrap_or("Unknown").to_owned()
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    for (name, value) in reply.extra {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
