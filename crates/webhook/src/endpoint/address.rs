//! Which addresses are on the public Internet.
//!
//! Sources: IANA's IPv4 and IPv6 special-purpose address registries, RFC 6890.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The address in the URL itself; `None` if its host is a name. Decimal, octal, hexadecimal and shortened notations are IPv4
/// addresses to the URL parser, as they are to resolvers.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}

/// Whether this address is on the public Internet.
///
/// Loopback, private, link-local (the clouds' metadata services), shared (CGNAT), unique local, multicast,
/// unspecified, broadcast, documentation, benchmarking and reserved addresses are not public. Nor are IPv6
/// addresses that carry an IPv4 address (mapped, compatible, 6to4, Teredo), whatever it is; the exception is the
/// well-known NAT64 prefix with a public address in it: it is what DNS64 answers in a network without IPv4.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0, ..] => true,
        [100, second, ..] => second & 0xc0 == 64, // shared, RFC 6598
        [192, 0, 0, _] => true,                   // IETF protocol assignments
        [192, 88, 99, _] => true,                 // 6to4 relays, RFC 7526
        [198, 18 | 19, ..] => true,               // benchmarking
        [first, ..] => first >= 224,              // multicast, reserved, broadcast
    };
    !(special
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        [0x2001, second, ..] if second < 0x200 => false, // IETF protocol assignments, Teredo, benchmarking
        [0x2001, 0xdb8, ..] => false,                    // documentation
        [0x2002, ..] => false,                           // 6to4
        [0x3fff, second, ..] if second < 0x1000 => false, // documentation, RFC 9637
        [first, ..] => first & 0xe000 == 0x2000,         // global unicast is 2000::/3
    }
}
