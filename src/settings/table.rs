//! The table of settings. `pg_settings` and `docs/reference/settings.md` show its texts.

use std::ffi::CStr;

use super::variables::{
    ALLOW_HTTP, ALLOW_PRIVATE_ADDRESSES, ALLOWED_HOSTS, API_TOKEN_KEY, AVATAR_URL, CA_FILE, CONNECT_TIMEOUT,
    DISCORD_RATE, ENABLED, IDLE_TIMEOUT, LINK_BASE, LOG_PAYLOADS, LOG_RETENTION, MAX_AGE, MAX_ATTEMPTS,
    MAX_WEBHOOKS, MAX_WORKERS, MILESTONES, PROXY, REQUEST_TIMEOUT, SENDERS, SENDING, TEAMS_RATE, TRACEPARENT,
    USERNAME,
};
use crate::pg::guc::{SetBy, Setting, Unit, Value};

/// The default list of the crate `webhook`, as a C string.
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
        Err(_) => panic!("a list of hosts has no zero byte"),
    }
};

/// Returns every setting, grouped: who is notified, where requests may go, how they are made, workers, the log.
pub fn settings() -> [Setting; 25] {
    [
        Setting {
            name: c"zentry_notify.enabled",
            summary: c"Turns this session's writes to attached tables into notifications.",
            details: c"Turn it off in a session that loads data of which nobody should be notified.",
            set_by: SetBy::Anybody,
            value: Value::Switch {
                variable: &ENABLED,
                default: true,
            },
        },
        Setting {
            name: c"zentry_notify.traceparent",
            summary: c"Place in a trace that this session's writes belong to.",
            details: c"As W3C's Trace Context writes it; SET LOCAL sets it for a transaction. The deliveries of what is written become spans of the trace, which zentry-notify exports.",
            set_by: SetBy::Anybody,
            value: Value::Text {
                variable: &TRACEPARENT,
                default: c"",
            },
        },
        Setting {
            name: c"zentry_notify.sending",
            summary: c"Sends notifications.",
            details: c"While it is off, notifications wait: for a restored copy, or to hold everything back.",
            set_by: SetBy::Superuser,
            value: Value::Switch {
                variable: &SENDING,
                default: true,
            },
        },
        Setting {
            name: c"zentry_notify.senders",
            summary: c"Who sends: local, remote or both.",
            details: c"local: the database's worker. remote: processes of zentry-notify send, on any machine; without one, notifications wait. both: these while any is connected, else the worker. NATS is the worker's in each.",
            set_by: SetBy::Superuser,
            value: Value::Text {
                variable: &SENDERS,
                default: c"local",
            },
        },
        Setting {
            name: c"zentry_notify.milestones",
            summary: c"Percentages of a project's completed tasks at which milestone_reached fires.",
            details: c"A comma-separated list of whole numbers from 1 to 100; an empty one fires at none.",
            set_by: SetBy::Superuser,
            value: Value::Text {
                variable: &MILESTONES,
                default: c"25, 50, 75, 100",
            },
        },
        Setting {
            name: c"zentry_notify.username",
            summary: c"Name that messages in Discord and Mattermost come from.",
            details: c"1 to 80 characters without \"discord\" and \"clyde\". A webhook's own username takes precedence; if both are empty, it is the \
                       name that the webhook has there.",
            set_by: SetBy::Superuser,
            value: Value::Text {
                variable: &USERNAME,
                default: c"Zentry",
            },
        },
        Setting {
            name: c"zentry_notify.avatar_url",
            summary: c"Picture that messages in Discord and Mattermost come with.",
            details: c"An https URL that these services can read. A webhook's own avatar_url takes precedence.",
            set_by: SetBy::Superuser,
            value: Value::Text {
                variable: &AVATAR_URL,
                default: c"",
            },
        },
        Setting {
            name: c"zentry_notify.link_base",
            summary: c"Address of the application, for links in messages.",
            details: c"What an event type's url or thumbnail is put behind if it begins with a slash; without it, such ones are no links.",
            set_by: SetBy::Superuser,
            value: Value::Text {
                variable: &LINK_BASE,
                default: c"",
            },
        },
        Setting {
            name: c"zentry_notify.allowed_hosts",
            summary: c"Hosts that webhooks may be sent to.",
            details: c"A comma-separated list of host names, *.domain or IP addresses, each with :port unless that is the scheme's own. \
                       An empty list permits none.",
            set_by: SetBy::Superuser,
            value: Value::Text {
                variable: &ALLOWED_HOSTS,
                default: DEFAULT_HOSTS,
            },
        },
        Setting {
            name: c"zentry_notify.allow_http",
            summary: c"Permits webhooks with http URLs.",
            details: c"They send their secrets unencrypted: for tests only.",
            set_by: SetBy::Superuser,
            value: Value::Switch {
                variable: &ALLOW_HTTP,
                default: false,
            },
        },
        Setting {
            name: c"zentry_notify.allow_private_addresses",
            summary: c"Permits webhooks whose hosts have loopback, private, link-local or other addresses that are not public.",
            details: c"",
            set_by: SetBy::Superuser,
            value: Value::Switch {
                variable: &ALLOW_PRIVATE_ADDRESSES,
                default: false,
            },
        },
        Setting {
            name: c"zentry_notify.ca_file",
            summary: c"File of certificate authorities to trust in addition to the system's.",
            details: c"In PEM format, readable by the server's operating system user. It is read when a worker starts and when the configuration is reloaded.",
            set_by: SetBy::SuperuserInPrivate,
            value: Value::Text {
                variable: &CA_FILE,
                default: c"",
            },
        },
        Setting {
            name: c"zentry_notify.proxy",
            summary: c"Proxy server for all requests, or several.",
            details: c"A URL that begins with http://, https://, socks5:// or socks5h://, with user:password@ if the proxy wants it. \
                       Several are separated by commas: each is an address of its own, to which Discord's limits are kept by itself, and what one does not \
                       reach goes by another. 'direct' among them is the server's own address. The environment's proxy variables are ignored.",
            set_by: SetBy::SuperuserInPrivate,
            value: Value::Text {
                variable: &PROXY,
                default: c"",
            },
        },
        Setting {
            name: c"zentry_notify.request_timeout",
            summary: c"Maximum duration of a request, including its answer.",
            details: c"",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &REQUEST_TIMEOUT,
                default: 30_000,
                range: 100..=300_000,
                unit: Unit::Milliseconds,
            },
        },
        Setting {
            name: c"zentry_notify.connect_timeout",
            summary: c"Maximum time to connect, including name resolution and the TLS handshake.",
            details: c"",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &CONNECT_TIMEOUT,
                default: 5_000,
                range: 100..=60_000,
                unit: Unit::Milliseconds,
            },
        },
        Setting {
            name: c"zentry_notify.max_attempts",
            summary: c"Number of failed attempts after which a delivery is checked for being the reason of the failure.",
            details: c"If its channel then takes another delivery and fails this one again, it is given up. What says nothing of the delivery is tried until max_age.",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &MAX_ATTEMPTS,
                default: 8,
                range: 1..=100,
                unit: Unit::None,
            },
        },
        Setting {
            name: c"zentry_notify.max_age",
            summary: c"Age at which a waiting delivery expires.",
            details: c"A webhook's own max_age takes precedence.",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &MAX_AGE,
                default: 24 * 60,
                range: 1..=525_600,
                unit: Unit::Minutes,
            },
        },
        Setting {
            name: c"zentry_notify.discord_rate",
            summary: c"Maximum number of requests per second to Discord's own hosts, over all webhooks, from each address.",
            details: c"The workers share it. zentry_notify.proxy names the addresses.",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &DISCORD_RATE,
                default: 50,
                range: 1..=10_000,
                unit: Unit::None,
            },
        },
        Setting {
            name: c"zentry_notify.teams_rate",
            summary: c"Maximum number of requests to each webhook on Microsoft's own hosts, and in what time.",
            details: c"Such as 25/5min; a number alone is per second, and 0 is no limit. A webhook's own rate_limit takes precedence, and those of one rate_group share it.",
            set_by: SetBy::Superuser,
            value: Value::Text {
                variable: &TEAMS_RATE,
                default: c"25/5min",
            },
        },
        Setting {
            name: c"zentry_notify.max_webhooks",
            summary: c"Maximum number of webhooks in a database.",
            details: c"When webhooks have changed, each session reads at its next write to an attached table which events they hear. No more can be registered; those that there are stay.",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &MAX_WEBHOOKS,
                default: 20_000,
                range: 1..=1_000_000,
                unit: Unit::None,
            },
        },
        Setting {
            name: c"zentry_notify.max_workers",
            summary: c"Maximum number of concurrent workers, one per database.",
            details: c"Each takes one of max_worker_processes.",
            set_by: SetBy::ConfigurationFile,
            value: Value::Number {
                variable: &MAX_WORKERS,
                default: 4,
                range: 1..=64,
                unit: Unit::None,
            },
        },
        Setting {
            name: c"zentry_notify.idle_timeout",
            summary: c"Time after which a worker without work exits.",
            details: c"",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &IDLE_TIMEOUT,
                default: 60,
                range: 1..=3_600,
                unit: Unit::Seconds,
            },
        },
        Setting {
            name: c"zentry_notify.log_payloads",
            summary: c"Keeps the data of deliveries that were sent or given up.",
            details: c"While it is off, such deliveries cannot be retried.",
            set_by: SetBy::Superuser,
            value: Value::Switch {
                variable: &LOG_PAYLOADS,
                default: true,
            },
        },
        Setting {
            name: c"zentry_notify.log_retention",
            summary: c"Time to keep finished deliveries in the log, and entries in the audit log.",
            details: c"0 keeps them for ever.",
            set_by: SetBy::Superuser,
            value: Value::Number {
                variable: &LOG_RETENTION,
                default: 30 * 24 * 60,
                range: 0..=5_256_000,
                unit: Unit::Minutes,
            },
        },
        Setting {
            name: c"zentry_notify.api_token_key",
            summary: c"Key of the API token that this session's requests come with.",
            details: c"The server sets it, so that the audit log names the token. It counts only in a session of a role that may look tokens up, while that acts as the token's role.",
            set_by: SetBy::Anybody,
            value: Value::Text {
                variable: &API_TOKEN_KEY,
                default: c"",
            },
        },
    ]
}
