//! How requests name the program that makes them.

/// The `User-Agent` of requests. Discord requires this form, and blocks clients without it.
pub(super) const USER_AGENT: &str = concat!(
    "DiscordBot (",
    env!("CARGO_PKG_REPOSITORY"),
    ", ",
    env!("CARGO_PKG_VERSION"),
    ")"
);

/// The `User-Agent` of requests to programs of the user's own.
pub(super) const OWN_USER_AGENT: &str = concat!(
    "zentry_notify/",
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("CARGO_PKG_REPOSITORY"),
    ")"
);
