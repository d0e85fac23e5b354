//! The settings (GUCs), `zentry_notify.*`, as the rest of the extension reads them. The [`table`] defines them.

mod rules;
mod table;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use pgrx::guc::GucSetting;
use webhook::appearance::Appearance;
use webhook::endpoint::UrlPolicy;
use webhook::schedule::Rate;
use webhook::traceparent::Traceparent;
use webhook::way::Way;

use crate::pg::guc;
pub use rules::{WhoSends, read_ca_file};
use variables::{
    ALLOW_HTTP, ALLOW_PRIVATE_ADDRESSES, ALLOWED_HOSTS, AVATAR_URL, CA_FILE, CONNECT_TIMEOUT, DISCORD_RATE,
    ENABLED, IDLE_TIMEOUT, LINK_BASE, LOG_PAYLOADS, LOG_RETENTION, MAX_AGE, MAX_ATTEMPTS, MAX_WEBHOOKS,
    MAX_WORKERS, MILESTONES, PROXY, REQUEST_TIMEOUT, SENDERS, SENDING, TEAMS_RATE, TRACEPARENT, USERNAME,
};

/// Defines the settings, and reserves their prefix.
pub fn define() {
    guc::define(c"zentry_notify", table::settings());
}

/// Returns whether the triggers of this session fire.
pub fn enabled() -> bool {
    ENABLED.get()
}

/// Returns the place in a trace at which this session writes.
pub fn traceparent() -> Option<Traceparent> {
    TRACEPARENT.get()
}

/// Returns whether workers send at all.
pub fn sending() -> bool {
    SENDING.get()
}

/// Returns who sends: the worker, senders on other machines, or these while there are any.
pub fn senders() -> WhoSends {
    SENDERS.get()
}

/// Returns whether the log keeps the data of finished deliveries.
pub fn log_payloads() -> bool {
    LOG_PAYLOADS.get()
}

/// Returns which URLs may be posted to.
pub fn url_policy() -> UrlPolicy {
    UrlPolicy {
        allowed_hosts: ALLOWED_HOSTS.get(),
        allow_http: ALLOW_HTTP.get(),
        allow_private_addresses: allow_private_addresses(),
    }
}

/// Returns whether requests may go to addresses that are not public.
pub fn allow_private_addresses() -> bool {
    ALLOW_PRIVATE_ADDRESSES.get()
}

/// Returns the PEM file of certificate authorities to trust in addition to the system's.
pub fn ca_file() -> Option<PathBuf> {
    CA_FILE.get()
}

/// Returns the ways out, never none.
pub fn ways() -> Vec<Way> {
    let ways = PROXY.get();
    if ways.is_empty() { vec![Way::Direct] } else { ways }
}

/// Returns how long a request may take, its answer included.
pub fn request_timeout() -> Duration {
    milliseconds(&REQUEST_TIMEOUT)
}

/// Returns how long resolving, connecting and the TLS handshake may take.
pub fn connect_timeout() -> Duration {
    milliseconds(&CONNECT_TIMEOUT)
}

/// Returns how many attempts a delivery has.
pub fn max_attempts() -> u32 {
    MAX_ATTEMPTS.get().unsigned_abs()
}

/// Returns the age at which a waiting delivery expires, unless its webhook has an age of its own.
pub fn max_age() -> Duration {
    minutes(&MAX_AGE)
}

/// Returns how many webhooks there may be.
pub fn max_webhooks() -> usize {
    MAX_WEBHOOKS.get().unsigned_abs() as usize
}

/// Returns how many databases have a worker at the same time.
pub fn max_workers() -> usize {
    MAX_WORKERS.get().unsigned_abs() as usize
}

/// Returns how long a worker without work stays.
pub fn idle_timeout() -> Duration {
    Duration::from_secs(u64::from(IDLE_TIMEOUT.get().unsigned_abs()))
}

/// Returns how long finished deliveries stay in the log; None: for ever.
pub fn log_retention() -> Option<Duration> {
    Some(minutes(&LOG_RETENTION)).filter(|age| !age.is_zero())
}

/// Returns the requests per second over all webhooks on Discord's own hosts.
pub fn discord_rate() -> u32 {
    DISCORD_RATE.get().unsigned_abs()
}

/// Returns how many requests each webhook on Microsoft's own hosts may get, and in what time.
pub fn teams_rate() -> Rate {
    TEAMS_RATE.get()
}

/// Returns how the messages of a webhook appear, of which `stored` is its own part as JSON.
pub fn appearance(stored: Option<&str>) -> Appearance {
    let (username, avatar_url) = (USERNAME.get(), AVATAR_URL.get());
    Appearance::stored(stored.unwrap_or_default()).or(username.as_deref(), avatar_url.as_deref())
}

/// Returns the address that links are put behind which begin with a slash.
pub fn link_base() -> Option<String> {
    LINK_BASE.get()
}

/// Returns the milestones in per cent, ascending.
pub fn milestones() -> Vec<u8> {
    MILESTONES.get()
}

fn milliseconds(setting: &GucSetting<i32>) -> Duration {
    Duration::from_millis(u64::from(setting.get().unsigned_abs()))
}

fn minutes(setting: &GucSetting<i32>) -> Duration {
    Duration::from_secs(60 * u64::from(setting.get().unsigned_abs()))
}
