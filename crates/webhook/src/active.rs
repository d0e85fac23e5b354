//! Active webhooks: as they are stored, and as the scheduler and the client need them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::appearance::Appearance;
use crate::client::Headers;
use crate::definition::Catalogue;
use crate::digest::{self, Digest};
use crate::endpoint::{Endpoint, EndpointKind, UrlPolicy, Vendor, parse_mention};
use crate::event::Event;
use crate::kinds::Setting;
use crate::mention::Mention;
use crate::message;
use crate::message_id::message_id;
use crate::nats::{Message, Origin, Publication};
use crate::quiet_hours::QuietHours;
use crate::schedule::{CircuitState, Compose, Composed, Delivery, InARow, QueueConfig, QueueId, Request};
use crate::signing::{Signing, StoredSigning};
use crate::traceparent::Traceparent;

/// The row of an active webhook.
#[derive(Debug)]
pub struct StoredWebhook {
    pub id: QueueId,
    pub webhook_type: String,
    pub webhook_url: String,
    pub max_events_per_message: usize,
    pub min_interval: Duration,
    pub max_age: Option<Duration>,
    pub activated_at: Timestamp,
    pub circuit: Option<CircuitState>,
    pub in_a_row: InARow,
    pub rate_limit: Option<String>,
    pub rate_group: Option<String>,
    /// When its last delivery was sent.
    pub last_sent_at: Option<Timestamp>,
    /// When its last delivery was given up.
    pub last_failed_at: Option<Timestamp>,
    pub quiet_hours: Option<String>,
    pub mention: Option<String>,
    /// Keys of the events' data that it does not get.
    pub omit_keys: Vec<String>,
    /// The row as JSON, for [`Appearance`] and [`Digest`].
    pub appearance: String,
    pub signing: StoredSigning,
}

impl StoredWebhook {
    /// Returns a number that changes when the webhook gets another endpoint or is switched on again, so that its state is reset. The
    /// URL alone is not enough: a webhook may be switched off and on before the worker has read it.
    pub fn revision(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.webhook_type, &self.webhook_url, self.activated_at).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether its endpoint has accepted the last delivery, since it was activated.
    pub fn proven(&self) -> bool {
        self.last_sent_at
            .is_some_and(|sent| sent >= self.activated_at && Some(sent) > self.last_failed_at)
    }
}

/// An active webhook: its endpoint, or why that can't be used, and its settings.
#[derive(Debug)]
pub struct ActiveWebhook {
    pub endpoint: Result<Endpoint, String>,
    /// When it was activated: registered, switched on or given another URL.
    pub activated_at: Timestamp,
    quiet_hours: Option<QuietHours>,
    digest: Option<Digest>,
    appearance: Appearance,
    /// Keys of the events' data that it does not get.
    omit_keys: Vec<String>,
    /// Signing secrets, headers and credentials, if its type has them.
    signing: Option<Signing>,
}

impl ActiveWebhook {
    /// Reads a row. `of_all` is the appearance of messages of webhooks without their own.
    pub fn of(row: &StoredWebhook, policy: &UrlPolicy, of_all: &Appearance) -> Self {
        let read = (|| {
            let (endpoint, signing) = endpoint(row, policy)?;
            let digest = Digest::stored(&row.appearance);
            Ok((
                quiet_hours(row)?,
                digest.map_err(|error| format!("digest: {error}"))?,
                mention(row, &endpoint)?,
                (endpoint, signing),
            ))
        })();
        let mut appearance =
            Appearance::stored(&row.appearance).or(of_all.username.as_deref(), of_all.avatar_url.as_deref());
        let (quiet_hours, digest, mention, endpoint, signing) = match read {
            Ok((quiet_hours, digest, mention, (endpoint, signing))) => {
                (quiet_hours, digest, mention, Ok(endpoint), signing)
            }
            Err(reason) => (None, None, None, Err(reason), None),
        };
        appearance.mention = mention;
        appearance.topic = endpoint
            .as_ref()
            .ok()
            .and_then(|endpoint| endpoint.topic().cloned());
        ActiveWebhook {
            endpoint,
            activated_at: row.activated_at,
            quiet_hours,
            digest,
            appearance,
            omit_keys: row.omit_keys.clone(),
            signing,
        }
    }

    /// Returns the headers of an attempt to post the request's body.
    pub fn headers(&self, request: &Request) -> Headers {
        let (id, traceparent) = (request.message_id.as_deref(), request.traceparent);
        let signing = self.signing.as_ref();
        signing
            .map(|signing| signing.headers(id, traceparent, Timestamp::now(), &request.body))
            .unwrap_or_default()
    }

    /// Returns what is published to a stream besides the body; `None`: it is not published.
    pub fn message(
        &self,
        publication: Option<Publication>,
        traceparent: Option<Traceparent>,
    ) -> Option<Message> {
        let both = publication.zip(self.signing.as_ref());
        both.map(|(publication, signing)| signing.message(publication, traceparent))
    }

    /// Whether its messages may belong to threads.
    pub fn threads(&self) -> bool {
        let threads = |endpoint: &Endpoint| endpoint.has(Setting::ThreadBy);
        self.appearance.thread_by.is_some() && self.endpoint.as_ref().is_ok_and(threads)
    }

    /// Returns the key of the thread that the event belongs to.
    fn thread(&self, delivery: &Delivery) -> Option<String> {
        let by = self.appearance.thread_by?;
        by.key(&self.told(&delivery.event).parse())
    }

    /// Returns the first deliveries that can be in one message, those of one thread, and its appearance.
    fn first_thread<'a>(&self, deliveries: &'a [Delivery]) -> (&'a [Delivery], Cow<'_, Appearance>) {
        let Some(first) = deliveries.first().filter(|_| self.threads()) else {
            return (deliveries, Cow::Borrowed(&self.appearance));
        };
        let thread = self.thread(first);
        let others = deliveries.iter().skip(1);
        let same = 1 + others.take_while(|other| self.thread(other) == thread).count();
        let appearance = Appearance {
            thread,
            ..self.appearance.clone()
        };
        (&deliveries[..same], Cow::Owned(appearance))
    }

    /// Returns the event without the keys that the webhook does not get.
    fn told<'a>(&self, event: &'a Event) -> Cow<'a, Event> {
        if self.omit_keys.is_empty() {
            return Cow::Borrowed(event);
        }
        let mut data = event.parse();
        data.retain(|key, _| !self.omit_keys.contains(key));
        Cow::Owned(Event {
            data: Value::Object(data).to_string().into(),
            ..event.clone()
        })
    }
}

fn endpoint(row: &StoredWebhook, policy: &UrlPolicy) -> Result<(Endpoint, Option<Signing>), String> {
    let webhook_type = row.webhook_type.parse().map_err(|error| format!("{error}"))?;
    let endpoint =
        Endpoint::parse(webhook_type, &row.webhook_url, policy).map_err(|error| error.to_string())?;
    Signing::of(endpoint, &row.signing)
}

/// Parses the quiet hours. They were checked when they were written, but a time zone may disappear with an update of the system.
fn quiet_hours(row: &StoredWebhook) -> Result<Option<QuietHours>, String> {
    let hours = row.quiet_hours.as_deref().map(str::parse).transpose();
    hours.map_err(|error| format!("quiet_hours: {error}"))
}

fn mention(row: &StoredWebhook, endpoint: &Endpoint) -> Result<Option<Mention>, String> {
    let mention = row.mention.as_deref();
    let mention = mention
        .map(|text| parse_mention(endpoint.kind(), text))
        .transpose();
    mention.map_err(|error| format!("mention: {error}"))
}

/// Returns the webhook's configuration for the scheduler.
pub fn config(row: &StoredWebhook, webhook: &ActiveWebhook) -> QueueConfig {
    let (kind, vendor) = match &webhook.endpoint {
        Ok(endpoint) => (endpoint.kind(), endpoint.vendor()),
        Err(_) => (EndpointKind::TeamsWorkflow, Vendor::Other),
    };
    QueueConfig {
        id: row.id,
        kind,
        vendor,
        revision: row.revision(),
        max_events_per_message: match kind.takes_events() {
            true => 1,
            false => row.max_events_per_message,
        },
        min_interval: row.min_interval,
        max_age: row.max_age,
        quiet_hours: webhook.quiet_hours.clone(),
        digest: webhook.digest.clone(),
        proven: row.proven(),
        circuit: row.circuit,
        // It was checked when it was written.
        rate: row.rate_limit.as_deref().and_then(|rate| rate.parse().ok()),
        rate_group: rate_group(row, webhook),
        in_a_row: row.in_a_row.clone(),
    }
}

/// Returns the group that shares a rate: that of the webhook's setting, or else that which the vendor counts together.
fn rate_group(row: &StoredWebhook, webhook: &ActiveWebhook) -> Option<Box<str>> {
    let of_vendor = || webhook.endpoint.as_ref().ok()?.shared_limit();
    row.rate_group.clone().or_else(of_vendor).map(Into::into)
}

/// Makes the messages of webhooks.
#[allow(missing_debug_implementations, reason = "it is used at once")]
pub struct Composer<'a> {
    pub webhooks: &'a HashMap<QueueId, ActiveWebhook>,
    pub catalogue: &'a Catalogue,
    /// Where the events come from.
    pub origin: &'a Origin,
    /// Returns a buffer for a body, usually one that was used before.
    pub buffers: &'a mut dyn FnMut() -> Vec<u8>,
}

impl Compose for Composer<'_> {
    fn compose(&mut self, id: QueueId, deliveries: &[Delivery]) -> Composed {
        let webhook = self.webhooks.get(&id);
        let Some((webhook, Ok(endpoint))) = webhook.map(|webhook| (webhook, &webhook.endpoint)) else {
            // A webhook that is unknown or cannot be used: the message will not be sent.
            return Composed {
                body: Vec::new(),
                message_id: None,
                publication: None,
                traceparent: None,
                taken: 1,
            };
        };
        let name = |deliveries: &[Delivery]| {
            let known = endpoint.knows_messages();
            known.then(|| message_id(id, deliveries).into())
        };
        if endpoint.kind().takes_events() {
            let first = deliveries.first();
            let told = first.map(|delivery| webhook.told(&delivery.event));
            let body = told
                .as_ref()
                .map_or_else(Vec::new, |event| message::event_json(event, (self.buffers)()));
            let publication = endpoint.subject_prefix().zip(first).zip(told.as_ref());
            return Composed {
                body,
                message_id: first.and_then(|delivery| name(std::slice::from_ref(delivery))),
                publication: publication.map(|((prefix, delivery), event)| {
                    Publication::new(self.origin, prefix, event, Some(delivery.event_id))
                }),
                traceparent: first.and_then(Delivery::traceparent),
                taken: 1,
            };
        }
        let card = |delivery: &Delivery| self.catalogue.card_for(id.0, &webhook.told(&delivery.event));
        if let Some(digest) = &webhook.digest {
            let last = &deliveries[deliveries.len().saturating_sub(digest::SHOWN)..];
            let events = deliveries.iter().map(|delivery| &delivery.event);
            let events = events.map(|event| (&*event.event_type, event.is_sample()));
            let card = digest.card(events, &last.iter().map(card).collect::<Vec<_>>());
            let message =
                message::compose_into(endpoint.kind(), &[card], &webhook.appearance, (self.buffers)());
            return Composed {
                body: message.body,
                message_id: name(deliveries),
                publication: None,
                traceparent: None,
                taken: deliveries.len(),
            };
        }
        let (deliveries, appearance) = webhook.first_thread(deliveries);
        let cards: Vec<_> = deliveries.iter().map(card).collect();
        let message = message::compose_into(endpoint.kind(), &cards, &appearance, (self.buffers)());
        Composed {
            body: message.body,
            message_id: name(&deliveries[..message.taken.min(deliveries.len())]),
            publication: None,
            traceparent: None,
            taken: message.taken,
        }
    }
}
