//! The settings (GUCs), `zentry_notify.*`, as the rest of the extension reads them. The [`table`] defines them.

mod rules;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use pgrx::guc::GucSetting;
use webhook::appearance::Appearance;
use webhook::endpoint::UrlPolicy;
use webhook::schedule::Rate;
use webhook::traceparent::Traceparent;
use webhook::way::Way;

use crate::pg::guc::{self, TextSetting};
pub use rules::{WhoSends, read_ca_file};

// The defaults come with `define`.
static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(false);
static SENDING: GucSetting<bool> = GucSetting::<bool>::new(false);
static SENDERS: TextSetting<rules::SendersRule> = TextSetting::new();
static LOG_PAYLOADS: GucSetting<bool> = GucSetting::<bool>::new(false);
static ALLOWED_HOSTS: TextSetting<rules::AllowedHosts> = TextSetting::new();
static ALLOW_HTTP: GucSetting<bool> = GucSetting::<bool>::new(false);
static ALLOW_PRIVATE_ADDRESSES: GucSetting<bool> = GucSetting::<bool>::new(false);
static CA_FILE: TextSetting<rules::CaFile> = TextSetting::new();
static PROXY: TextSetting<rules::Proxies> = TextSetting::new();
static REQUEST_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
static CONNECT_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_ATTEMPTS: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_AGE: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_WEBHOOKS: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(0);
static IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
static LOG_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(0);
static MILESTONES: TextSetting<rules::Milestones> = TextSetting::new();
static DISCORD_RATE: GucSetting<i32> = GucSetting::<i32>::new(0);
static USERNAME: TextSetting<rules::Username> = TextSetting::new();
static AVATAR_URL: TextSetting<rules::AvatarUrl> = TextSetting::new();
static LINK_BASE: TextSetting<rules::LinkBase> = TextSetting::new();
static TEAMS_RATE: TextSetting<rules::RequestRate> = TextSetting::new();
static TRACEPARENT: TextSetting<rules::TraceParent> = TextSetting::new();
static API_TOKEN_KEY: TextSetting<rules::TokenKey> = TextSetting::new();

/// Lets PostgreSQL know the settings, and refuse others of the prefix.
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

/// Returns what links that begin with a slash are below.
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
