//! The settings (GUCs), `zentry_notify.*`.

use std::ffi::{CStr, CString};
use std::ops::RangeInclusive;
use std::time::Duration;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use webhook::endpoint::UrlPolicy;

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static SENDING: GucSetting<bool> = GucSetting::<bool>::new(true);
static LOG_PAYLOADS: GucSetting<bool> = GucSetting::<bool>::new(true);
static ALLOWED_HOSTS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(DEFAULT_HOSTS));
static ALLOW_HTTP: GucSetting<bool> = GucSetting::<bool>::new(false);
static ALLOW_PRIVATE_ADDRESSES: GucSetting<bool> = GucSetting::<bool>::new(false);
static CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static PROXY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static REQUEST_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
static CONNECT_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5_000);
static MAX_ATTEMPTS: GucSetting<i32> = GucSetting::<i32>::new(8);
static MAX_AGE: GucSetting<i32> = GucSetting::<i32>::new(24 * 60);
static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(4);
static IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(60);
static LOG_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * 24 * 60);
static MILESTONES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"25, 50, 75, 100"));
static DISCORD_RATE: GucSetting<i32> = GucSetting::<i32>::new(50);
static TEAMS_RATE: GucSetting<i32> = GucSetting::<i32>::new(4);

/// The crate's default list as the C string that Postgres wants.
const DEFAULT_HOSTS: &CStr = {
    const LENGTH: usize = webhook::endpoint::DEFAULT_ALLOWED_HOSTS.len();
    const BYTES: [u8; LENGTH + 1] = {
        let mut bytes = [0; LENGTH + 1];
        let mut i = 0;
        while i < LENGTH {
            bytes[i] = webhook::endpoint::DEFAULT_ALLOWED_HOSTS.as_bytes()[i];
            i += 1;
        }
        bytes
    };
    match CStr::from_bytes_with_nul(&BYTES) {
        Ok(hosts) => hosts,
        Err(_) => panic!("a list of hosts has no NUL"),
    }
};

/// Whether the triggers of this session fire.
pub fn enabled() -> bool {
    ENABLED.get()
}

/// Whether workers send at all.
pub fn sending() -> bool {
    SENDING.get()
}

/// Whether the log keeps the data of deliveries that are done with.
pub fn log_payloads() -> bool {
    LOG_PAYLOADS.get()
}

/// Which URLs may be posted to.
///
/// # Errors
/// Names the entry of `allowed_hosts` that is no host.
pub fn url_policy() -> Result<UrlPolicy, String> {
    let allowed_hosts = webhook::endpoint::parse_host_patterns(&text(&ALLOWED_HOSTS))
        .map_err(|error| format!("zentry_notify.allowed_hosts: {error}"))?;
    Ok(UrlPolicy {
        allowed_hosts,
        allow_http: ALLOW_HTTP.get(),
        allow_private_addresses: allow_private_addresses(),
    })
}

pub fn allow_private_addresses() -> bool {
    ALLOW_PRIVATE_ADDRESSES.get()
}

/// PEM file with certificate authorities to trust beside the system's.
pub fn ca_file() -> Option<String> {
    Some(text(&CA_FILE)).filter(|path| !path.is_empty())
}

/// The only way out, where the network has just one. It may hold a password.
pub fn proxy() -> Option<String> {
    Some(text(&PROXY)).filter(|url| !url.is_empty())
}

pub fn request_timeout() -> Duration {
    milliseconds(&REQUEST_TIMEOUT)
}

pub fn connect_timeout() -> Duration {
    milliseconds(&CONNECT_TIMEOUT)
}

pub fn max_attempts() -> u32 {
    MAX_ATTEMPTS.get().unsigned_abs()
}

pub fn max_age() -> Duration {
    minutes(&MAX_AGE)
}

pub fn max_workers() -> usize {
    MAX_WORKERS.get().unsigned_abs() as usize
}

/// How long a worker without work stays.
pub fn idle_timeout() -> Duration {
    Duration::from_secs(u64::from(IDLE_TIMEOUT.get().unsigned_abs()))
}

/// How long finished deliveries stay in the log; `None`: for ever.
pub fn log_retention() -> Option<Duration> {
    Some(minutes(&LOG_RETENTION)).filter(|age| !age.is_zero())
}

/// Requests a second over all webhooks on Discord's own hosts.
pub fn discord_rate() -> u32 {
    DISCORD_RATE.get().unsigned_abs()
}

/// Requests a second to each webhook on Microsoft's own hosts.
pub fn teams_rate() -> u32 {
    TEAMS_RATE.get().unsigned_abs()
}

/// The milestones in per cent, ascending. What is no number from 1 to 100 is passed over.
pub fn milestones() -> Vec<u8> {
    let mut milestones: Vec<u8> = text(&MILESTONES)
        .split(',')
        .filter_map(|item| item.trim().parse().ok())
        .filter(|percent| (1..=100).contains(percent))
        .collect();
    milestones.sort_unstable();
    milestones.dedup();
    milestones
}

fn text(setting: &GucSetting<Option<CString>>) -> String {
    setting
        .get()
        .map(|value| value.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn milliseconds(setting: &GucSetting<i32>) -> Duration {
    Duration::from_millis(u64::from(setting.get().unsigned_abs()))
}

fn minutes(setting: &GucSetting<i32>) -> Duration {
    Duration::from_secs(60 * u64::from(setting.get().unsigned_abs()))
}

pub fn define() {
    use GucContext::{Sighup, Suset, Userset};
    const EMPTY: GucFlags = GucFlags::empty();

    let boolean = GucRegistry::define_bool_guc;
    boolean(
        c"zentry_notify.enabled",
        c"Whether this session's writes become notifications.",
        c"Set it off for a bulk load that nobody should hear of.",
        &ENABLED,
        Userset,
        EMPTY,
    );
    boolean(
        c"zentry_notify.sending",
        c"Whether notifications are sent; off, they wait.",
        c"For a restored copy, or to hold everything back. Can be set for a database.",
        &SENDING,
        Suset,
        EMPTY,
    );
    boolean(
        c"zentry_notify.log_payloads",
        c"Whether the log keeps the data of deliveries that were sent or given up.",
        c"Off, they cannot be retried. Can be set for a database.",
        &LOG_PAYLOADS,
        Suset,
        EMPTY,
    );
    boolean(
        c"zentry_notify.allow_http",
        c"Whether webhooks may have http URLs.",
        c"Sends secrets in the clear: for tests only.",
        &ALLOW_HTTP,
        Suset,
        EMPTY,
    );
    boolean(
        c"zentry_notify.allow_private_addresses",
        c"Whether webhooks may resolve to private addresses.",
        c"Loopback, private, link-local and other addresses that are not public.",
        &ALLOW_PRIVATE_ADDRESSES,
        Suset,
        EMPTY,
    );

    let string = GucRegistry::define_string_guc;
    string(
        c"zentry_notify.allowed_hosts",
        c"Hosts that webhooks may have.",
        c"Comma-separated: a host name, *.suffix, either with :port.",
        &ALLOWED_HOSTS,
        Suset,
        EMPTY,
    );
    string(
        c"zentry_notify.ca_file",
        c"PEM file of certificate authorities to trust beside the system's.",
        c"Read when the worker starts and when the setting changes.",
        &CA_FILE,
        Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    string(c"zentry_notify.proxy", c"HTTP or SOCKS5 proxy that all requests go through.",
        c"http://host:port or socks5h://host:port; empty: none. Proxy variables of the environment are ignored.",
        &PROXY, Suset, GucFlags::SUPERUSER_ONLY);
    string(
        c"zentry_notify.milestones",
        c"Project progress that milestone_reached fires at, in per cent.",
        c"Comma-separated numbers from 1 to 100.",
        &MILESTONES,
        Suset,
        EMPTY,
    );

    let time = integer(GucFlags::UNIT_MS, || Suset);
    time(
        c"zentry_notify.request_timeout",
        c"Time that a request may take, answer included.",
        &REQUEST_TIMEOUT,
        100..=300_000,
    );
    time(
        c"zentry_notify.connect_timeout",
        c"Time that connecting may take, the name's resolution and TLS included.",
        &CONNECT_TIMEOUT,
        100..=60_000,
    );
    integer(GucFlags::UNIT_S, || Suset)(
        c"zentry_notify.idle_timeout",
        c"Time after which a worker without work leaves.",
        &IDLE_TIMEOUT,
        1..=3_600,
    );
    let age = integer(GucFlags::UNIT_MIN, || Suset);
    age(
        c"zentry_notify.max_age",
        c"Age at which a waiting delivery fails as expired; integrations may have their own.",
        &MAX_AGE,
        1..=525_600,
    );
    age(
        c"zentry_notify.log_retention",
        c"Time that finished deliveries stay in the log; 0: for ever.",
        &LOG_RETENTION,
        0..=5_256_000,
    );
    let count = integer(EMPTY, || Suset);
    count(
        c"zentry_notify.max_attempts",
        c"Attempts before a delivery is given up; waiting for a rate limit is none.",
        &MAX_ATTEMPTS,
        1..=100,
    );
    count(
        c"zentry_notify.discord_rate",
        c"Requests a second over all webhooks on Discord's own hosts.",
        &DISCORD_RATE,
        1..=10_000,
    );
    count(
        c"zentry_notify.teams_rate",
        c"Requests a second to each webhook on Microsoft's own hosts.",
        &TEAMS_RATE,
        1..=10_000,
    );
    integer(EMPTY, || Sighup)(
        c"zentry_notify.max_workers",
        c"Databases that are served at the same time; others wait for their turn.",
        &MAX_WORKERS,
        1..=64,
    );
}

/// Defines integer settings of that unit, in that context (which can not be copied, so it is made anew for each).
fn integer(
    unit: GucFlags,
    context: fn() -> GucContext,
) -> impl Fn(&'static CStr, &'static CStr, &'static GucSetting<i32>, RangeInclusive<i32>) {
    move |name, what, setting, range| {
        GucRegistry::define_int_guc(
            name,
            what,
            c"",
            setting,
            *range.start(),
            *range.end(),
            context(),
            unit,
        );
    }
}
