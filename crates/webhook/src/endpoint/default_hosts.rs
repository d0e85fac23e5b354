//! The hosts that requests may be made to by default.

use super::host::parse_host_patterns;
use super::url_policy::UrlPolicy;
use crate::kinds::WebhookType;

/// The default of `zentry_notify.allowed_hosts`: the hosts of all vendors, as a comma-separated list.
pub const DEFAULT_ALLOWED_HOSTS: &str = match std::str::from_utf8(&JOINED) {
    Ok(list) => list,
    Err(_) => "",
};

const SEPARATOR: &str = ", ";

const JOINED: [u8; length()] = joined();

const fn length() -> usize {
    let (mut length, mut at) = (0, 0);
    while at < WebhookType::ALL.len() {
        let hosts = WebhookType::ALL[at].facts().allowed_hosts;
        if !hosts.is_empty() {
            length += hosts.len() + if length > 0 { SEPARATOR.len() } else { 0 };
        }
        at += 1;
    }
    length
}

const fn joined<const LENGTH: usize>() -> [u8; LENGTH] {
    let (mut list, mut end, mut at) = ([0; LENGTH], 0, 0);
    while at < WebhookType::ALL.len() {
        let hosts = WebhookType::ALL[at].facts().allowed_hosts;
        if !hosts.is_empty() {
            if end > 0 {
                end = append(&mut list, end, SEPARATOR);
            }
            end = append(&mut list, end, hosts);
        }
        at += 1;
    }
    list
}

const fn append(list: &mut [u8], end: usize, text: &str) -> usize {
    let mut at = 0;
    while at < text.len() {
        list[end + at] = text.as_bytes()[at];
        at += 1;
    }
    end + at
}

impl Default for UrlPolicy {
    /// Returns the strictest one: the vendors' hosts, `https`, public addresses.
    fn default() -> Self {
        Self {
            allowed_hosts: parse_host_patterns(DEFAULT_ALLOWED_HOSTS).unwrap_or_default(),
            allow_http: false,
            allow_private_addresses: false,
        }
    }
}
