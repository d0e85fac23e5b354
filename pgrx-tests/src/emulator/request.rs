//! One request: who is meant, what the script says, what the vendor would say, and what is kept of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::fault::{self, Fault};
use super::hook::{Flight, Hook};
use super::kind::Kind;
use super::lock::lock;
use super::pace::Window;
use super::reply::{Call, Judged, Reply};
use super::route::{self, Route, route};
use super::script::Behaviour;
use super::services::service;
use super::shared::Shared;
use super::store::{Keep, Received};
use super::teams::{connector, workflow};
use super::verdict::{Given, Verdict};
use super::{canned, control, discord, page};

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
    from: IpAddr,
    slot: Arc<Mutex<Option<Fault>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Broken> {
    let path = request.uri().path();
    if path == "/" && request.method() == Method::GET {
        return Ok(respond(page::page(&shared)));
    }
    if path.starts_with(control::PREFIX) {
        return Ok(respond(control::answer(&shared, request).await));
    }
    let (parts, body) = request.into_parts();
    let mut arrival = Arrival::of(&shared, from, &parts);
    let mut unread = Some(body);
    let mut early = None;
    if let Some(key) = arrival.key()
        && let Some(body) = unread.take()
    {
        let body = Body::read(body).await?;
        arrival.find(&shared, key, body.bytes());
        early = Some(body);
    }
    let flight = arrival.hook.clone().map(Flight::of);
    let behaviour = arrival
        .hook
        .as_ref()
        .map_or(Behaviour::Normal, |hook| lock(&hook.script).next());

    let body = match (early, unread) {
        (Some(body), _) => body,
        (None, Some(body)) if behaviour != Behaviour::DropBeforeBody => Body::read(body).await?,
        _ => Body::Unread,
    };
    let behaviour = behaviour.on(body.bytes());
    let judged = arrival.judge(&shared, &behaviour, &body);
    arrival.record(&shared, &judged, &behaviour, body.bytes());

    match (&behaviour, &arrival.hook) {
        (Behaviour::Slow(delay), _) => tokio::time::sleep(*delay).await,
        (Behaviour::Held, Some(hook)) => hook.released.notified().await,
        _ => {}
    }
    match fault::of(behaviour, judged.reply) {
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
    from: IpAddr,
    at: Timestamp,
    route: Option<Route<'a>>,
    hook: Option<Arc<Hook>>,
}

impl<'a> Arrival<'a> {
    fn of(shared: &Shared, from: IpAddr, parts: &'a Parts) -> Self {
        let path = parts.uri.path();
        let route = route(path);
        let hook = match route {
            Some(Route::Discord { id, .. } | Route::Workflow { id }) => shared.registry.find(id),
            Some(Route::Connector | Route::Path(_)) => shared.registry.find(path),
            None => None,
        };
        let hook = hook.filter(|hook| Some(hook.kind) == route.map(Route::kind));
        Arrival {
            parts,
            from,
            at: Timestamp::now(),
            route,
            hook,
        }
    }

    /// How the body says which webhook it is.
    fn key(&self) -> Option<fn(&Value) -> Option<String>> {
        match self.route {
            Some(Route::Path(kind)) => service(kind).by_path.as_ref()?.key,
            _ => None,
        }
    }

    fn find(&mut self, shared: &Shared, key: fn(&Value) -> Option<String>, body: &[u8]) {
        let path = serde_json::from_slice(body).ok().and_then(|body| key(&body));
        let hook = path.and_then(|path| shared.registry.find(&path));
        self.hook = hook.filter(|hook| Some(hook.kind) == self.route.map(Route::kind));
    }

    fn judge(&self, shared: &Shared, behaviour: &Behaviour, body: &Body) -> Judged {
        let (Some(route), hook) = (self.route, self.hook.as_deref()) else {
            return Judged::refused(Reply::text(404, "Not Found"), "no such path");
        };
        if matches!(route, Route::Discord { .. }) && lock(&shared.banned).contains(&self.from) {
            return Judged::new(canned::edge_ban(), Verdict::Scripted("banned".to_owned()));
        }
        if let Some(reply) = canned::scripted(behaviour, route) {
            return Judged::new(reply, Verdict::Scripted(format!("{behaviour:?}")));
        }
        if shared.store.keep == Keep::Count && hook.is_some() {
            return Judged::new(canned::success(route.kind()), Verdict::Accepted);
        }
        if matches!(body, Body::TooLarge) {
            return match route {
                Route::Discord { .. } => discord::too_large(),
                _ => Judged::refused(canned::plain(route.kind(), 413), "too large"),
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
                let global = shared.discord_global.map(|limit| {
                    let mut windows = lock(&shared.discord_windows);
                    let window = windows.entry(self.from).or_insert_with(|| Window::new(limit));
                    window.take(Instant::now())
                });
                discord::judge(call, discord::Target { version, id, token }, hook, global)
            }
            Route::Connector => connector::judge(call, hook),
            Route::Workflow { id } => workflow::judge(call, id, hook),
            Route::Path(kind) => match &service(kind).by_path {
                Some(by) => (by.judge)(call, hook),
                None => Judged::refused(canned::plain(kind, 404), "no such path"),
            },
        }
    }

    fn record(&self, shared: &Shared, judged: &Judged, behaviour: &Behaviour, body: &[u8]) {
        if shared.store.keep != Keep::Count {
            shared
                .store
                .add(self.received(judged, behaviour, body, shared.store.keep));
        }
        if let Some(hook) = &self.hook {
            let accepted = judged.verdict == Verdict::Accepted;
            let events = if accepted {
                service(hook.kind).event_count(body)
            } else {
                0
            };
            for counts in [&hook.counts, &shared.store.counts] {
                counts.arrived(accepted, events);
            }
        }
        shared.store.ring();
    }

    fn received(&self, judged: &Judged, behaviour: &Behaviour, body: &[u8], keep: Keep) -> Received {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        };
        let answered = fault::of(behaviour.clone(), judged.reply.clone());
        Received {
            number: 0,
            webhook: self.hook.as_ref().map(|hook| hook.number),
            kind: self.route.map(Route::kind),
            at: self.at,
            from: self.from,
            method: self.parts.method.to_string(),
            path: route::redacted(self.parts.uri.path(), self.parts.uri.query()),
            headers: self.parts.headers.iter().map(header).collect(),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
            raw: match (&self.route, keep) {
                (Some(Route::Path(Kind::Signed)), _) | (_, Keep::All) => {
                    String::from_utf8_lossy(body).into_owned()
                }
                _ => String::new(),
            },
            size: body.len(),
            answer: answered.map_or_else(|_| Given::default(), |reply| reply.given()),
            verdict: judged.verdict.clone(),
            warnings: judged.warnings.clone(),
        }
    }
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
