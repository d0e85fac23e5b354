//! The client that posts messages to webhooks, and publishes events to streams: bounded in time and memory, to checked addresses only.

mod config;
mod error;
mod failure;
mod limits;
mod nats;
mod resolver;
mod tls;
mod user_agent;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT as USER_AGENT_NAME};
use reqwest::{Body, Method, Request, Response};
use tokio::time::{Instant, timeout_at};

pub use config::ClientConfig;
pub use error::ClientError;
pub use limits::SetBy;
pub use tls::check_authorities;

use limits::Limits;
use user_agent::OWN_USER_AGENT;

use crate::endpoint::{self, SecretUrl};
use crate::kinds::EndpointKind;
use crate::nats::Message;
use crate::outcome::{Answer, JUDGED_HEADERS, TransportError};
use crate::way::{Way, WayId};

/// The maximum number of bytes of a body that are read. The log keeps 1000 characters, and answers of the services have a few hundred.
const MAX_BODY: usize = 64 * 1024;

/// The maximum length of a header's value that is kept. Those that are judged are numbers, dates and words.
const MAX_HEADER_VALUE: usize = 256;

/// Additional headers of a request. `Debug` shows only their names.
#[derive(Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// An HTTP client for webhooks.
///
/// It follows no redirect, keeps no cookie, decompresses nothing, ignores the environment's proxies, and speaks
/// HTTP/1.1 only: an integration has one request in flight, so multiplexing would save little but idle connections,
/// and one stuck connection would hold up many integrations. Clones share connections.
///
/// Addresses are checked after the name is resolved, and the checked address is the one that is connected to. With
/// an HTTP proxy, or a SOCKS proxy that resolves names (`socks5h`), only addresses that stand in the URL itself can be
/// checked: names are the proxy's to resolve.
#[derive(Clone, Debug)]
pub struct Client {
    /// A client for each way, in the order of the list of ways. There is always one.
    http: Arc<[(WayId, Way, reqwest::Client)]>,
    nats: Arc<nats::Links>,
    limits: Limits,
}

impl Client {
    /// Reads the system's certificates, which takes a few milliseconds, and creates a client. No connection is made.
    ///
    /// # Errors
    /// When `ca_pem` contains no certificate, or the proxy can't be used.
    pub fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        let trusted = tls::trusted(config.ca_pem.as_deref())?;
        let direct = [Way::Direct];
        let ways = match &config.ways[..] {
            [] => &direct[..],
            ways => ways,
        };
        let http = ways
            .iter()
            .map(|way| Ok((way.id(), way.clone(), config.build(way, &trusted)?)));
        Ok(Self {
            http: http.collect::<Result<_, ClientError>>()?,
            nats: Arc::new(nats::Links::new(config.limits(), trusted)),
            limits: config.limits(),
        })
    }

    /// Publishes `body` to JetStream and waits for the acknowledgement.
    ///
    /// # Errors
    /// When there is none. The texts contain no secret.
    pub async fn publish(
        &self,
        url: &SecretUrl,
        message: &Message,
        body: Bytes,
    ) -> Result<Answer, TransportError> {
        self.nats.publish(url, message, body).await
    }

    /// Posts `body` (JSON) to `url` and reads the answer: its status, the headers that matter and up to 64 KiB of
    /// its body.
    ///
    /// This takes `request_timeout` at most. Once there is a status there is an answer: a body that is cut off,
    /// does not end in time or does not end at all is returned as far as it came, because a message that
    /// was accepted must not be sent again because of a body.
    ///
    /// # Errors
    /// When there is no status. The texts contain no secret.
    pub async fn post(
        &self,
        kind: EndpointKind,
        url: &SecretUrl,
        body: Bytes,
    ) -> Result<Answer, TransportError> {
        let first = self.http.first().map_or(WayId::DIRECT, |(way, ..)| *way);
        self.post_by(first, kind, url, &Headers::default(), body).await
    }

    /// Does the same as [`Client::post`], by one of the ways of the configuration and with additional headers.
    ///
    /// # Errors
    /// Those of [`Client::post`]; and when the configuration has no such way.
    pub async fn post_by(
        &self,
        way: WayId,
        kind: EndpointKind,
        url: &SecretUrl,
        headers: &Headers,
        body: Bytes,
    ) -> Result<Answer, TransportError> {
        self.check_literal_address(url)?;
        let mut ways = self.http.iter();
        let Some(place) = ways.position(|(known, ..)| *known == way) else {
            let proxy = self.limits.set_by.proxy;
            let gone = format!("this way out is not in {proxy} any more");
            return Err(TransportError::Forbidden(gone));
        };
        let (_, way, http) = &self.http[place];
        let deadline = Instant::now() + self.limits.request_timeout;
        let response = match timeout_at(deadline, http.execute(request(kind, url, headers, body))).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let connects = error.is_connect();
                let failure = failure::classify(error, &self.limits, url);
                return Err(match (connects, way) {
                    (false, _) => failure::of_connected(failure),
                    (true, Way::Direct) => failure::of_connecting(failure),
                    (true, Way::Proxy(_)) => {
                        let number = (self.http.len() > 1).then_some(place + 1);
                        failure::of_proxy(failure, self.limits.set_by, number)
                    }
                });
            }
            Err(_) => return Err(TransportError::Timeout(self.limits.request_timeout)),
        };
        Ok(read_answer(response, deadline).await)
    }

    /// Checks an address in the URL itself, which the resolver does not see.
    fn check_literal_address(&self, url: &SecretUrl) -> Result<(), TransportError> {
        match endpoint::literal_address(url.expose()) {
            Some(address) if !self.limits.allow_private_addresses && !endpoint::is_public(address) => Err(
                TransportError::Forbidden(format!("{address} is not a public address")),
            ),
            _ => Ok(()),
        }
    }
}

fn request(kind: EndpointKind, url: &SecretUrl, headers: &Headers, body: Bytes) -> Request {
    let content_type = HeaderValue::from_static(match kind {
        EndpointKind::Discord => "application/json",
        _ => "application/json; charset=utf-8",
    });
    let mut request = Request::new(Method::POST, url.expose().clone());
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    if kind == EndpointKind::Signed {
        let agent = HeaderValue::from_static(OWN_USER_AGENT);
        request.headers_mut().insert(USER_AGENT_NAME, agent);
    }
    for (name, value) in &headers.0 {
        let name = HeaderName::from_bytes(name.as_bytes());
        // Names and values were checked when they were stored.
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) {
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
    }
    *request.body_mut() = Some(Body::from(body));
    request
}

async fn read_answer(mut response: Response, deadline: Instant) -> Answer {
    let mut answer = Answer {
        status: response.status().as_u16(),
        headers: judged_headers(response.headers()),
        body: Vec::new(),
    };
    // At the deadline the body is used as far as it came.
    let _ = timeout_at(deadline, read_body(&mut response, &mut answer.body)).await;
    answer
}

/// Reads to the end, to a failure or to [`MAX_BODY`]. The connection of a body that is not read to its end is closed.
async fn read_body(response: &mut Response, body: &mut Vec<u8>) {
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_BODY {
            return;
        }
    }
}

fn judged_headers(headers: &HeaderMap) -> Vec<(Box<str>, Box<str>)> {
    let judged = |name: &'static str| {
        let value = headers
            .get(name)?
            .to_str()
            .ok()
            .filter(|value| value.len() <= MAX_HEADER_VALUE)?;
        Some((name.into(), value.into()))
    };
    JUDGED_HEADERS.into_iter().filter_map(judged).collect()
}
