//! Every setting, with values that are right and values that are not.

/// A setting and what it takes.
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    pub right: &'static [&'static str],
    pub wrong: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Switch,
    Number,
    /// Checked by the extension, which has a DETAIL and a HINT for what is wrong.
    Text,
    /// A number that belongs to the whole server.
    ServerWide,
}

use Kind::{Number, ServerWide, Switch, Text};

const fn setting(
    name: &'static str,
    kind: Kind,
    right: &'static [&'static str],
    wrong: &'static [&'static str],
) -> Setting {
    Setting {
        name,
        kind,
        right,
        wrong,
    }
}

const NO_SWITCH: &[&str] = &["perhaps", "", "2"];

pub const SETTINGS: &[Setting] = &[
    setting("zentry_notify.enabled", Switch, &["on", "off"], NO_SWITCH),
    setting(
        "zentry_notify.traceparent",
        Text,
        &[
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        ],
        &[
            "nonsense",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "55 characters that are no traceparent, as anybody sees.",
        ],
    ),
    setting("zentry_notify.sending", Switch, &["on", "off"], NO_SWITCH),
    setting(
        "zentry_notify.senders",
        Text,
        &["local", "remote", "both"],
        &["", "Remote", "elsewhere", "local, remote", "on"],
    ),
    setting("zentry_notify.log_payloads", Switch, &["on", "off"], NO_SWITCH),
    setting("zentry_notify.allow_http", Switch, &["on", "off"], NO_SWITCH),
    setting(
        "zentry_notify.allow_private_addresses",
        Switch,
        &["on", "off"],
        NO_SWITCH,
    ),
    setting(
        "zentry_notify.milestones",
        Text,
        &["", "50", "25, 50, 75, 100", "100,1"],
        &[
            "10; x", "0", "101", "50%", "12.5", "-5", "25,,50", "50,", "half", "٥٠",
        ],
    ),
    setting(
        "zentry_notify.username",
        Text,
        &["", "Zentry", "Ops 🦀"],
        &["  ", "My Discord bot", "clyde", "everyone"],
    ),
    setting(
        "zentry_notify.avatar_url",
        Text,
        &["", "https://app.example.com/zentry.png"],
        &["zentry.png", "http://app.example.com/zentry.png", "https://"],
    ),
    setting(
        "zentry_notify.link_base",
        Text,
        &["", "https://app.example.com", "http://127.0.0.1:8000/zentry/"],
        &[
            "app.example.com",
            "ftp://app.example.com",
            "https://app.example.com/?a=1",
            "https://app.example.com/#/",
        ],
    ),
    setting(
        "zentry_notify.api_token_key",
        Text,
        &["", "0a1b2c3d"],
        &["0a1b", "0a1b2c3d4", "0a1b-c3d", "zentry_0a1b2c3d_swordfish"],
    ),
    setting(
        "zentry_notify.allowed_hosts",
        Text,
        &[
            "",
            "discord.com",
            "discord.com, *.webhook.office.com, 192.0.2.7:8080, [2001:db8::1]:443",
            "chat.example.com:8443",
            "bücher.example",
        ],
        &[
            "https://discord.com/",
            "discord.com/api",
            "discord.com:0",
            "discord.com:https",
            "*",
            "*.*.example",
            "a b",
            "discord.com; slack.com",
            "user@host.example",
        ],
    ),
    setting(
        "zentry_notify.proxy",
        Text,
        &[
            "",
            "http://proxy.example.com:3128",
            "https://proxy.example.com",
            "socks5://127.0.0.1:1080",
            "socks5h://user:swordfish@proxy.example.com:1080",
            "direct",
            "http://proxy.example.com:3128, direct,socks5://127.0.0.1:1080",
            "http://user:sword,swordfish@proxy.example.com",
        ],
        &[
            "foo",
            "proxy.example.com:3128",
            "ftp://proxy.example.com",
            "http://",
            "socks5://",
            "http:proxy.example.com",
            "http://user:swordfish@",
            "//user:swordfish@proxy.example.com",
            "http://user:swordfish@proxy.example.com:port",
            "http://user:swordfish@proxy.example.com, ftp://proxy.example.com",
            "http://proxy.example.com:1, http://proxy.example.com:1",
            "direct,direct",
            "direct, ",
        ],
    ),
    setting(
        "zentry_notify.ca_file",
        Text,
        &["", "/etc/ssl/certs/ca-certificates.crt"],
        &["/nowhere/ca.pem", "/etc/hostname", "/etc", "/dev/zero", "ca.pem"],
    ),
    setting(
        "zentry_notify.request_timeout",
        Number,
        &["100ms", "5min"],
        &["99ms", "301s", "soon"],
    ),
    setting(
        "zentry_notify.connect_timeout",
        Number,
        &["100ms", "1min"],
        &["0", "61s", "-1"],
    ),
    setting(
        "zentry_notify.max_attempts",
        Number,
        &["1", "100"],
        &["0", "101", "many"],
    ),
    setting(
        "zentry_notify.max_age",
        Number,
        &["1min", "365d"],
        &["0", "366d", "old"],
    ),
    setting(
        "zentry_notify.discord_rate",
        Number,
        &["1", "10000"],
        &["0", "-50", "10001", "50/s"],
    ),
    setting(
        "zentry_notify.teams_rate",
        Text,
        &["25/5min", "4/s", "4", "10000", "100/h", "60/30s", "0"],
        &["", "-4", "10001", "25/5", "5min", "1/25h", "1/0s", "fast"],
    ),
    setting(
        "zentry_notify.max_webhooks",
        Number,
        &["1", "1000000"],
        &["0", "1000001", "-1", "all"],
    ),
    setting(
        "zentry_notify.max_workers",
        ServerWide,
        &["1", "64"],
        &["0", "65", "-1", "all"],
    ),
    setting("zentry_notify.idle_timeout", Number, &["1s", "1h"], &["0", "2h"]),
    setting(
        "zentry_notify.log_retention",
        Number,
        &["0", "3650d"],
        &["-1", "3653d", "for ever"],
    ),
];
