//! The settings that restrict URLs.

use super::host::HostPattern;

/// The settings that restrict URLs. The default is the strictest: the vendors' hosts, `https`, public addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPolicy {
    pub allowed_hosts: Vec<HostPattern>,
    pub allow_http: bool,
    pub allow_private_addresses: bool,
}
