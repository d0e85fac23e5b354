//! The limits of requests.

use std::time::Duration;

/// The names of the settings or options for proxy and authorities, for error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetBy {
    pub proxy: &'static str,
    pub ca_file: &'static str,
}

impl Default for SetBy {
    fn default() -> Self {
        Self {
            proxy: "zentry_notify.proxy",
            ca_file: "zentry_notify.ca_file",
        }
    }
}

/// The limits of every request, by HTTP or to NATS.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub request_timeout: Duration,
    pub connect_timeout: Duration,
    pub allow_private_addresses: bool,
    /// Whether the direct way is among the ways out.
    pub direct: bool,
    pub set_by: SetBy,
}
