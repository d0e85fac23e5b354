//! Connections to servers of NATS, and messages to their streams.
//!
//! The library is used for the protocol alone. It makes a connection once, to addresses that were checked here, and never again by itself; and it
//! publishes one message of a webhook at a time, since what is in flight behind a message that is lost would be stored before it.

mod link;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Auth, AuthError, ConnectErrorKind, ConnectOptions, ServerAddr};
use bytes::Bytes;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, timeout_at};

use super::config::Limits;
use super::{failure, resolver, tls};
use crate::endpoint::{SecretUrl, is_encrypted, servers};
use crate::nats::{Credentials, Login, Message};
use crate::outcome::{Answer, TransportError};
use crate::schedule::LONGEST_RETRY;
use link::{Failure, Link, News, answer, hear};

/// A connection that nobody has used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// All connections, one for each server and user.
#[derive(Debug)]
pub(super) struct Links {
    limits: Limits,
    trusted: Arc<RootCertStore>,
    places: Mutex<Vec<Arc<Place>>>,
}

/// A server and a user, and the connection if there is one.
#[derive(Debug)]
struct Place {
    url: SecretUrl,
    credentials: Option<Credentials>,
    link: AsyncMutex<Option<Arc<Link>>>,
    used: Mutex<Instant>,
}

impl Links {
    pub(super) fn new(limits: Limits, trusted: Arc<RootCertStore>) -> Self {
        Self {
            limits,
            trusted,
            places: Mutex::default(),
        }
    }

    /// Publishes and waits for the acknowledgement, `request_timeout` at most in all.
    pub(super) async fn publish(
        &self,
        url: &SecretUrl,
        message: &Message,
        body: Bytes,
    ) -> Result<Answer, TransportError> {
        if self.limits.by_proxy {
            return Err(TransportError::Forbidden(
                "NATS is not spoken by way of zentry_notify.proxy, and nothing leaves otherwise".into(),
            ));
        }
        let deadline = Instant::now() + self.limits.request_timeout;
        let place = self.place(url, message);
        let link = match timeout_at(deadline, self.link(&place)).await {
            Ok(Ok(link)) => link,
            Ok(Err(Failure::Answer(answer))) => return Ok(answer),
            Ok(Err(Failure::Broken(error) | Failure::Other(error))) => return Err(error),
            Err(_) => return Err(TransportError::Timeout(self.limits.connect_timeout)),
        };
        let longest = LONGEST_RETRY + self.limits.request_timeout;
        let outcome = match timeout_at(deadline, link.publish(message, body, longest)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Broken(TransportError::Timeout(
                self.limits.request_timeout,
            ))),
        };
        match outcome {
            // Another connection may be allowed what this one was not.
            Err(Failure::Answer(answer)) if answer.status == 403 => {
                place.drop_link(&link).await;
                Ok(answer)
            }
            Ok(answer) | Err(Failure::Answer(answer)) => Ok(answer),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Broken(error)) => {
                place.drop_link(&link).await;
                Err(error)
            }
        }
    }

    fn place(&self, url: &SecretUrl, message: &Message) -> Arc<Place> {
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Who is out with one of them holds it, too.
        places.retain(|place| Arc::strong_count(place) > 1 || now.duration_since(place.used()) < IDLE);
        let same = |place: &&Arc<Place>| place.url == *url && place.credentials == message.credentials;
        if let Some(place) = places.iter().find(same) {
            place.use_at(now);
            return Arc::clone(place);
        }
        let place = Arc::new(Place {
            url: url.clone(),
            credentials: message.credentials.clone(),
            link: AsyncMutex::default(),
            used: Mutex::new(now),
        });
        places.push(Arc::clone(&place));
        place
    }

    /// The connection that there is, or a new one.
    async fn link(&self, place: &Place) -> Result<Arc<Link>, Failure> {
        let mut kept = place.link.lock().await;
        match &*kept {
            Some(link) if link.is_alive() => Ok(Arc::clone(link)),
            _ => {
                *kept = None;
                let link = Arc::new(self.connect(place).await?);
                *kept = Some(Arc::clone(&link));
                Ok(link)
            }
        }
    }

    async fn connect(&self, place: &Place) -> Result<Link, Failure> {
        let url = place.url.expose();
        let mut addresses = Vec::new();
        let mut names: HashMap<_, Vec<_>> = HashMap::new();
        let mut unresolved = None;
        for server in servers(url) {
            match resolver::allowed(&server, self.limits.allow_private_addresses).await {
                Ok(found) => {
                    let name = server.host.to_string();
                    let name = match server.address() {
                        Some(address) => Some(ServerName::from(address)),
                        None => ServerName::try_from(name).ok(),
                    };
                    for address in found {
                        names.entry(address.ip()).or_default().extend(name.clone());
                        addresses.push(address);
                    }
                }
                Err(error) => unresolved = Some(error),
            }
        }
        if let (true, Some(error)) = (addresses.is_empty(), unresolved) {
            return Err(Failure::Other(error));
        }
        let scheme = url.scheme();
        let addresses = addresses
            .iter()
            .filter_map(|address| format!("{scheme}://{address}").parse::<ServerAddr>().ok());
        let addresses: Vec<_> = addresses.collect();
        let config = tls::config_by_address(&self.trusted, names)
            .map_err(|error| Failure::Other(TransportError::Tls(error.to_string())))?;
        let news = Arc::new(watch::Sender::new(News::default()));
        let heard = Arc::clone(&news);
        let options = options(place.credentials.clone())
            .name("zentry_notify")
            .tls_client_config(config)
            .require_tls(is_encrypted(url))
            .connection_timeout(self.limits.connect_timeout)
            // Ours is for all of it.
            .request_timeout(None)
            // What the server says of others was checked by nobody.
            .ignore_discovered_servers()
            // As often as there are servers: it counts the first attempts, too. What it does when the connection is lost is too late for anybody.
            .max_reconnects(addresses.len())
            .event_callback(move |event| {
                hear(&heard, &event);
                std::future::ready(())
            });
        match options.connect(addresses).await {
            Ok(client) => Ok(Link::new(client, news)),
            Err(error) => Err(match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    Failure::Answer(answer(
                        401,
                        place.url.redact(&failure::innermost(&error)).into_owned(),
                    ))
                }
                ConnectErrorKind::TimedOut => {
                    Failure::Other(TransportError::Timeout(self.limits.connect_timeout))
                }
                _ => Failure::Other(failure::of_connection(&error, |text| {
                    place.url.redact(&text).into_owned()
                })),
            }),
        }
    }
}

impl Place {
    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_at(&self, now: Instant) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Another one may be there by now.
    async fn drop_link(&self, link: &Arc<Link>) {
        let mut kept = self.link.lock().await;
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, link)) {
            *kept = None;
        }
    }
}

fn options(credentials: Option<Credentials>) -> ConnectOptions {
    let Some(credentials) = credentials else {
        return ConnectOptions::new();
    };
    ConnectOptions::with_auth_callback(move |nonce| {
        let credentials = credentials.clone();
        async move {
            let mut auth = Auth::new();
            let seed = match credentials.expose() {
                Login::Token(token) => {
                    auth.token = Some(token.clone());
                    None
                }
                Login::User { name, password } => {
                    auth.username = Some(name.clone());
                    auth.password = Some(password.clone());
                    None
                }
                Login::Key(seed) => Some(seed),
                Login::Jwt { jwt, seed } => {
                    auth.jwt = Some(jwt.clone());
                    Some(seed)
                }
            };
            if let Some(seed) = seed {
                if auth.jwt.is_none() {
                    auth.nkey = Some(seed.public().map_err(AuthError::new)?);
                }
                auth.signature = Some(seed.sign(&nonce).map_err(AuthError::new)?);
            }
            Ok(auth)
        }
    })
}
