//! URLs of NATS: `nats://host:port/prefix`, or `tls://`. The hosts of a cluster are separated by commas.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;
use super::error::{EndpointError, UrlForm};
use super::facts::Facts;
use super::url_parts::check_length;
use super::url_policy::UrlPolicy;
use crate::kinds::{EndpointKind, Setting};
use crate::mention::Silence;
use crate::nats;

const FORM: UrlForm = UrlForm {
    example: "nats://nats.example.com:4222",
    whose: "a NATS server's",
    copied: "tls:// is encrypted from the beginning, the servers of a cluster are separated by commas, and the path is the prefix of subjects.",
};

pub(super) const FACTS: Facts = Facts {
    form: &FORM,
    parse: Some(|text, policy| {
        check_length(text)?;
        let url = read(text)?;
        check(&url, policy)?;
        Ok(url)
    }),
    read: |url, _| Ok((EndpointKind::Nats, url)),
    prefix: Some(prefix),
    mentions: Err(Silence {
        why: "an event that a stream gets mentions nobody",
        hint: "Leave it out: a webhook of this type gets events, not messages.",
    }),
    settings: &[Setting::Credentials],
    ..Facts::USUAL
};

/// NATS' default port.
const PORT: u16 = 4222;
/// The maximum number of servers in a URL. A cluster usually has three or five.
const MOST_SERVERS: usize = 16;
/// The parameter of the stored URL that has the servers after the first one.
const MORE: &str = "servers";

/// One server of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: Host<String>,
    pub port: u16,
}

/// Whether the text begins as a URL of NATS.
pub(super) fn is_meant(text: &str) -> bool {
    rest(text).is_some()
}

fn rest(text: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let known = ["nats", "tls"].into_iter();
    let scheme = known
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known))?;
    Some((scheme, rest))
}

/// Parses a URL as people write it, or as it is stored: `scheme://host:port/prefix?servers=host:port,...`.
pub(super) fn read(text: &str) -> Result<Url, EndpointError> {
    let (scheme, rest) = rest(text).ok_or(FORM.refuse("it does not begin with nats:// or tls://"))?;
    if rest.contains('#') {
        return Err(EndpointError::Fragment);
    }
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (servers, path) = split_servers(rest, scheme);
    let more = match query {
        None => "",
        Some(query) => query
            .strip_prefix("servers=")
            .ok_or(FORM.refuse("it has a query"))?,
    };
    let prefix = match path.trim_end_matches('/') {
        "" => nats::PREFIX,
        path if nats::is_prefix(path) => path,
        _ => {
            return Err(FORM.refuse(
                "its path is not a prefix of subjects: letters, digits, hyphens and underscores, separated by dots",
            ));
        }
    };
    let servers = servers
        .into_iter()
        .chain(more.split(',').filter(|more| !more.is_empty()));
    let servers = servers.map(server).collect::<Result<Vec<_>, _>>()?;
    if servers.len() > MOST_SERVERS {
        return Err(FORM.refuse("it has more than 16 servers"));
    }
    let names: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let (first, more) = names
        .split_first()
        .ok_or(EndpointError::NotAUrl(url::ParseError::EmptyHost))?;
    let mut kept = format!("{scheme}://{first}/{prefix}");
    if !more.is_empty() {
        kept = format!("{kept}?{MORE}={}", more.join(","));
    }
    Url::parse(&kept).map_err(EndpointError::NotAUrl)
}

/// Splits what follows the first scheme into the servers and the path. Other programs write each server of a list with its scheme.
fn split_servers<'a>(text: &'a str, scheme: &str) -> (Vec<&'a str>, &'a str) {
    let mut servers = Vec::new();
    let mut left = text;
    loop {
        let end = left.find([',', '/']).unwrap_or(left.len());
        let (server, after) = left.split_at(end);
        servers.push(server);
        let Some(next) = after.strip_prefix(',') else {
            return (servers, after.strip_prefix('/').unwrap_or_default());
        };
        left = match rest(next) {
            Some((of, next)) if of == scheme => next,
            _ => next,
        };
    }
}

fn server(text: &str) -> Result<Server, EndpointError> {
    if text.contains('@') {
        return Err(EndpointError::NatsUser);
    }
    // The host is parsed as in an https URL, so that every notation of an address is recognised; the port separately, because a `Url` drops a default port.
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            let port = port.parse().ok().filter(|port| *port != 0);
            (
                name,
                port.ok_or(EndpointError::NotAUrl(url::ParseError::InvalidPort))?,
            )
        }
        _ => (text, PORT),
    };
    let host = Host::parse(name).map_err(EndpointError::NotAUrl)?;
    Ok(Server { host, port })
}

/// The servers of a URL that [`read`] returned.
pub(crate) fn servers(url: &Url) -> Vec<Server> {
    let first = url
        .host_str()
        .zip(url.port())
        .map(|(host, port)| format!("{host}:{port}"));
    let more = url
        .query()
        .and_then(|query| query.strip_prefix("servers="))
        .unwrap_or_default();
    let all = first.iter().map(String::as_str).chain(more.split(','));
    all.filter_map(|text| server(text).ok()).collect()
}

/// The prefix of subjects.
fn prefix(url: &Url) -> &str {
    url.path().trim_start_matches('/')
}

/// Whether connections use TLS from the beginning, and not only if the server asks for it.
pub(crate) fn is_encrypted(url: &Url) -> bool {
    url.scheme() == "tls"
}

/// Checks that every server is allowed, with its port: an entry without a port stands for that of https.
fn check(url: &Url, policy: &UrlPolicy) -> Result<(), EndpointError> {
    for server in servers(url) {
        let mut patterns = policy.allowed_hosts.iter();
        if !patterns.any(|pattern| pattern.matches_server(&server.host, server.port)) {
            return Err(EndpointError::PortNotAllowed {
                host: server.host.to_string(),
                port: server.port,
            });
        }
        if let Some(address) = server.address()
            && !policy.allow_private_addresses
            && !is_public(address)
        {
            return Err(EndpointError::NotPublic { address });
        }
    }
    Ok(())
}

impl Server {
    /// The address, if the host is one and not a name.
    pub fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }
}

/// The URL as people write it, which contains no secret; `None`: it is not one of NATS.
pub(super) fn shown(url: &Url) -> Option<String> {
    if !matches!(url.scheme(), "nats" | "tls") {
        return None;
    }
    let servers: Vec<String> = servers(url).iter().map(ToString::to_string).collect();
    Some(format!("{}://{}{}", url.scheme(), servers.join(","), url.path()))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::endpoint::parse_host_patterns;

    fn kept(text: &str) -> Result<String, EndpointError> {
        read(text).map(|url| url.to_string())
    }

    #[test]
    fn what_is_kept_has_its_port_and_its_prefix() {
        for (text, url) in [
            ("nats://nats.example.com", "nats://nats.example.com:4222/zentry"),
            (
                "NATS://Nats.Example.com:4333/",
                "nats://nats.example.com:4333/zentry",
            ),
            (
                "tls://nats.example.com:443/acme.zentry",
                "tls://nats.example.com:443/acme.zentry",
            ),
            ("nats://[::1]:4222", "nats://[::1]:4222/zentry"),
            ("nats://0x7f.1", "nats://127.0.0.1:4222/zentry"),
            ("nats://a:1,b,c:3/x", "nats://a:1/x?servers=b:4222,c:3"),
            ("nats://a:1,nats://b:2", "nats://a:1/zentry?servers=b:2"),
            (
                "NATS://a,Nats://b,nats://c/x",
                "nats://a:4222/x?servers=b:4222,c:4222",
            ),
            ("tls://a,TLS://b", "tls://a:4222/zentry?servers=b:4222"),
        ] {
            assert_eq!(kept(text).as_deref(), Ok(url), "{text}");
            assert_eq!(kept(url).as_deref(), Ok(url), "read again");
        }
        let three = read("nats://a:1,b,[::1]:3/x").unwrap();
        assert_eq!(servers(&three).len(), 3);
        assert_eq!(shown(&three).unwrap(), "nats://a:1,b:4222,[::1]:3/x");
        assert_eq!(prefix(&three), "x");
        assert_eq!(shown(&Url::parse("https://a/x").unwrap()), None);
        let encrypted = |text: &str| is_encrypted(&read(text).unwrap());
        assert!(encrypted("TLS://a") && !encrypted("nats://a"));
    }

    #[test]
    fn what_is_no_url_of_nats_is_refused() {
        for text in [
            "https://nats.example.com",
            "nats:nats.example.com",
            "nats://",
            "nats://a:0",
            "nats://a:99999",
            "nats://a:x",
            "nats://a,",
            "nats://a,tls://b",
            "NATS://a,TLS://b",
            "nats://a/b c",
            "nats://a/zentry.>",
            "nats://a/a/b",
            "nats://a?x=1",
            "nats://a#x",
            "nats://a b",
        ] {
            assert!(kept(text).is_err(), "{text}");
        }
        assert_eq!(kept("nats://user:secret@a:4222"), Err(EndpointError::NatsUser));
        let cluster = |servers: usize| format!("nats://{}", vec!["a"; servers].join(","));
        assert!(kept(&cluster(16)).is_ok());
        assert!(kept(&cluster(17)).is_err());
    }

    /// One that is allowed for the web is not allowed for this.
    #[test]
    fn every_server_is_allowed_with_its_port() {
        let policy = |hosts: &str, allow_private_addresses| UrlPolicy {
            allowed_hosts: parse_host_patterns(hosts).unwrap(),
            allow_http: true,
            allow_private_addresses,
        };
        for (text, hosts, private, allowed) in [
            ("nats://a.example", "a.example:4222", false, true),
            ("nats://a.example", "a.example", false, false),
            ("nats://a.example", "*.example:4222", false, true),
            ("nats://a.example:443", "a.example", false, false),
            ("tls://a.example:443", "a.example:443", false, true),
            ("nats://a.example,b.example", "a.example:4222", false, false),
            ("nats://127.0.0.1", "127.0.0.1:4222", false, false),
            ("nats://127.0.0.1", "127.0.0.1:4222", true, true),
            ("nats://2130706433", "*.example:4222", true, false),
            ("nats://[::1]", "[::1]:4222", true, true),
            ("nats://[::1]", "[::1]:4222", false, false),
            ("nats://8.8.8.8", "8.8.8.8:4222", false, true),
            ("nats://b.example", "a.example:4222", false, false),
            ("nats://example", "*.example:4222", false, false),
        ] {
            let checked = check(&read(text).unwrap(), &policy(hosts, private));
            assert_eq!(checked.is_ok(), allowed, "{text} {hosts}: {checked:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_kept_or_refused(text in "(nats|tls)://[a-z0-9:.,/?=\\[\\]@#%-]{0,40}") {
            if let Ok(url) = read(&text) {
                prop_assert!(!servers(&url).is_empty());
                prop_assert_eq!(read(url.as_str()), Ok(url.clone()));
                prop_assert_eq!(read(&shown(&url).unwrap()), Ok(url));
            }
        }
    }
}
