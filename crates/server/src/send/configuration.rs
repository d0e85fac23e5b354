//! Converts settings and webhooks from the database's JSON to the types of the scheduler and the client.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use webhook::active::StoredWebhook;
use webhook::appearance::Appearance;
use webhook::client::ClientConfig;
use webhook::endpoint::{UrlPolicy, parse_host_patterns};
use webhook::schedule::{CircuitState, InARow, Policy, QueueId};
use webhook::signing::StoredSigning;

/// The minimum for the number of concurrent requests of a kind, whatever the limit on open files.
const FEWEST: usize = 8;

/// The extension's settings that a sender uses.
#[derive(Clone, Debug)]
pub struct Settings {
    pub sending: bool,
    pub log_payloads: bool,
    pub of_all: Appearance,
    pub link_base: Option<String>,
    pub urls: UrlPolicy,
    request_timeout: Duration,
    connect_timeout: Duration,
    max_attempts: u32,
    max_age: Duration,
    discord_rate: u32,
    teams_rate: Option<String>,
}

impl Settings {
    /// Reads the settings from the answer of `sending_settings()`.
    ///
    /// # Errors
    /// If another version of the extension has answered.
    pub fn read(settings: &Value) -> Result<Self> {
        let settings: HashMap<String, String> = serde_json::from_value(settings.clone())
            .context("the database does not say what its settings are")?;
        let text = |name: &str| {
            settings
                .get(name)
                .map(String::as_str)
                .with_context(|| format!("the database has no setting zentry_notify.{name}"))
        };
        let number = |name: &str| -> Result<u64> { Ok(text(name)?.parse()?) };
        let set = |name: &str| -> Result<Option<String>> {
            Ok(Some(text(name)?.to_owned()).filter(|text| !text.is_empty()))
        };
        Ok(Settings {
            sending: text("sending")? == "on",
            log_payloads: text("log_payloads")? == "on",
            of_all: Appearance::default().or(set("username")?.as_deref(), set("avatar_url")?.as_deref()),
            link_base: set("link_base")?,
            urls: UrlPolicy {
                allowed_hosts: parse_host_patterns(text("allowed_hosts")?)?,
                allow_http: text("allow_http")? == "on",
                allow_private_addresses: text("allow_private_addresses")? == "on",
            },
            request_timeout: Duration::from_millis(number("request_timeout")?),
            connect_timeout: Duration::from_millis(number("connect_timeout")?),
            max_attempts: u32::try_from(number("max_attempts")?)?,
            max_age: Duration::from_secs(60 * number("max_age")?),
            discord_rate: u32::try_from(number("discord_rate")?)?,
            teams_rate: set("teams_rate")?,
        })
    }

    /// Returns the scheduler's policy. `sharing` is the number of databases that this machine's addresses send for. They share a rate as they need it, and
    /// each has a part of its own of what Discord may refuse. `files`: those that it may have open. As in the worker, a quarter of them at most is for
    /// requests that are not slow, as many are for idle connections and for all else, and the rest is for slow requests.
    pub fn policy(&self, sharing: u32, files: usize) -> Policy {
        let usual = Policy::default();
        let quarter = (files / 4).clamp(FEWEST, usual.max_in_flight);
        Policy {
            max_attempts: self.max_attempts,
            max_age: self.max_age,
            discord_per_second: self.discord_rate.max(1),
            max_in_flight: quarter,
            max_slow: files.saturating_sub(3 * quarter).clamp(FEWEST, usual.max_slow),
            discord_refusals: (usual.discord_refusals / sharing.max(1)).max(1),
            // The text was checked when it was set.
            teams_rate: self
                .teams_rate
                .as_deref()
                .and_then(|rate| rate.parse().ok())
                .unwrap_or(usual.teams_rate),
            ..usual
        }
    }

    /// Returns the client's configuration. `of_machine`: the parts that depend on this machine; `in_flight`: the maximum number of concurrent
    /// requests that are not slow.
    pub fn client(&self, of_machine: &ClientConfig, in_flight: usize) -> ClientConfig {
        ClientConfig {
            max_idle_per_host: of_machine.max_idle_per_host.min(in_flight),
            request_timeout: self.request_timeout,
            connect_timeout: self.connect_timeout,
            allow_private_addresses: self.urls.allow_private_addresses,
            ..of_machine.clone()
        }
    }
}

/// The answer of `sending_webhooks`.
pub struct Configuration {
    pub webhooks: Vec<StoredWebhook>,
    /// The definitions of all webhooks' messages and of single webhooks', as JSON.
    pub wordings: Vec<(Option<i64>, String)>,
}

#[derive(Deserialize)]
struct Said {
    webhooks: Vec<Webhook>,
    wordings: Vec<(Option<i64>, String)>,
}

#[derive(Deserialize)]
struct Webhook {
    id: i64,
    webhook_type: String,
    webhook_url: String,
    max_events_per_message: usize,
    min_interval: f64,
    max_age: Option<f64>,
    activated_at: Timestamp,
    quiet_hours: Option<String>,
    mention: Option<String>,
    omit_keys: Option<Vec<String>>,
    rate_limit: Option<String>,
    rate_group: Option<String>,
    appearance: Value,
    last_sent_at: Option<Timestamp>,
    last_failed_at: Option<Timestamp>,
    circuit: Option<Circuit>,
    failures: u32,
    refusals: u32,
    limits: u32,
    posts: Vec<Timestamp>,
    secret: Option<String>,
    previous_secret: Option<String>,
    previous_until: Option<Timestamp>,
    headers: Option<String>,
}

#[derive(Deserialize)]
struct Circuit {
    failures: u32,
    since: Timestamp,
    next_try: Timestamp,
}

impl Configuration {
    /// # Errors
    /// If another version of the extension has answered.
    pub fn read(said: Value) -> Result<Self> {
        let said: Said = serde_json::from_value(said).context(
            "what the database says of webhooks cannot be read: is its extension of another version?",
        )?;
        Ok(Configuration {
            webhooks: said.webhooks.into_iter().map(stored).collect(),
            wordings: said.wordings,
        })
    }
}

fn stored(webhook: Webhook) -> StoredWebhook {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    StoredWebhook {
        id: QueueId(webhook.id),
        webhook_type: webhook.webhook_type,
        webhook_url: webhook.webhook_url,
        max_events_per_message: webhook.max_events_per_message,
        min_interval: seconds(webhook.min_interval),
        max_age: webhook.max_age.map(seconds),
        activated_at: webhook.activated_at,
        circuit: webhook.circuit.map(|circuit| CircuitState {
            failures: circuit.failures,
            since: circuit.since,
            next_try: circuit.next_try,
        }),
        in_a_row: InARow {
            failures: webhook.failures,
            refusals: webhook.refusals,
            limits: webhook.limits,
            posts: webhook.posts,
        },
        rate_limit: webhook.rate_limit,
        rate_group: webhook.rate_group,
        last_sent_at: webhook.last_sent_at,
        last_failed_at: webhook.last_failed_at,
        quiet_hours: webhook.quiet_hours,
        mention: webhook.mention,
        omit_keys: webhook.omit_keys.unwrap_or_default(),
        appearance: webhook.appearance.to_string(),
        signing: StoredSigning {
            secret: webhook.secret,
            previous: webhook.previous_secret.zip(webhook.previous_until),
            headers: webhook.headers,
        },
    }
}
