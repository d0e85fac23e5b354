//! Ways out: the addresses from which requests leave. Vendors' limits hold for each of them.

use std::fmt;

use ring::digest::{SHA256, digest};

use crate::endpoint::SecretUrl;
use crate::proxy::{ProxyError, parse_proxy};

/// The maximum number of ways. Each has connections of its own.
pub const MAX_WAYS: usize = 16;

/// The word for the machine's own address in a list of ways out.
const DIRECT: &str = "direct";

/// The id of a way out, also in shared memory. It is always the same for the same URL, and reveals nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WayId(pub u64);

impl WayId {
    /// The id of [`Way::Direct`].
    pub const DIRECT: WayId = WayId(1);
}

/// A way out. `Debug` and `Display` show scheme, host and port alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the machine's own address.
    Direct,
    /// From the address of a proxy.
    Proxy(SecretUrl),
}

impl Way {
    pub fn id(&self) -> WayId {
        match self {
            Way::Direct => WayId::DIRECT,
            Way::Proxy(url) => {
                let digest = digest(&SHA256, url.expose().as_str().as_bytes());
                let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
                // 0 is unused, and 1 is that of the direct way.
                WayId(u64::from_le_bytes(first).max(2))
            }
        }
    }

    pub fn proxy(&self) -> Option<&SecretUrl> {
        match self {
            Way::Direct => None,
            Way::Proxy(url) => Some(url),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Way::Proxy(url) = self else {
            return f.write_str(DIRECT);
        };
        let url = url.expose();
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Why a text is not a list of ways out. The messages contain nothing of it, since it may have a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaysError {
    #[error("{}: {why}", place(*number, *of))]
    Proxy {
        number: usize,
        of: usize,
        why: ProxyError,
    },
    #[error("The {} proxy is the same as the {}", ordinal(*number), ordinal(*first))]
    Twice { number: usize, first: usize },
    #[error("There are {0}, and at most {MAX_WAYS} can be used")]
    TooMany(usize),
}

fn place(number: usize, of: usize) -> String {
    match of {
        1 => "The proxy cannot be used".to_owned(),
        _ => format!("The {} proxy cannot be used", ordinal(number)),
    }
}

/// Returns an ordinal number: `1st`, `2nd`, `11th`.
fn ordinal(number: usize) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Parses a list of ways out: URLs of proxies and `direct`, separated by commas. An empty text stands for the direct way.
///
/// A comma that is followed by neither is part of the entry before it, because passwords may contain one.
///
/// # Errors
/// Which of them cannot be used, and why.
pub fn parse_ways(text: &str) -> Result<Vec<Way>, WaysError> {
    if text.is_empty() {
        return Ok(vec![Way::Direct]);
    }
    let mut entries: Vec<String> = Vec::new();
    for part in text.split(',') {
        let begins = part.contains("://") || part.trim() == DIRECT;
        match entries.last_mut() {
            Some(entry) if !begins && entry.trim() != DIRECT => {
                entry.push(',');
                entry.push_str(part);
            }
            _ => entries.push(part.to_owned()),
        }
    }
    let of = entries.len();
    if of > MAX_WAYS {
        return Err(WaysError::TooMany(of));
    }
    let mut ways: Vec<Way> = Vec::with_capacity(of);
    for (index, entry) in entries.iter().enumerate() {
        let number = index + 1;
        let way = match entry.trim() {
            DIRECT => Way::Direct,
            url => {
                let read = parse_proxy(url);
                Way::Proxy(read.map_err(|why| WaysError::Proxy { number, of, why })?)
            }
        };
        if let Some(first) = ways.iter().position(|known| known.id() == way.id()) {
            let first = first + 1;
            return Err(WaysError::Twice { number, first });
        }
        ways.push(way);
    }
    Ok(ways)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let ways = parse_ways(text).unwrap();
        assert!(!format!("{ways:?}").contains("swordfish"), "{ways:?}");
        ways.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_are_read_and_shown_without_their_passwords() {
        for (text, ways) in [
            ("", &["direct"][..]),
            ("direct", &["direct"]),
            (
                "http://proxy.example.com:3128",
                &["http://proxy.example.com:3128"],
            ),
            (
                "socks5h://me:swordfish@a.example:1080 ,direct,https://b.example",
                &["socks5h://a.example:1080", "direct", "https://b.example"],
            ),
            // As one proxy was written before there were lists.
            ("http://me:sword,swordfish@a.example:1", &["http://a.example:1"]),
            (
                "http://me:a@a.example:1, http://me:b@a.example:1",
                &["http://a.example:1", "http://a.example:1"],
            ),
        ] {
            assert_eq!(shown(text), ways, "{text}");
        }
    }

    #[test]
    fn what_is_no_way_out_is_named_by_its_place() {
        for (text, why) in [
            (
                "ftp://a.example",
                "The proxy cannot be used: it does not begin with http",
            ),
            (
                "http://a.example, ftp://b.example",
                "The 2nd proxy cannot be used: it does not begin with http",
            ),
            (
                "http://a.example:1, b.example:2",
                "The proxy cannot be used: it is not a URL",
            ),
            (
                "direct, b.example:2",
                "The 2nd proxy cannot be used: it does not begin with http",
            ),
            ("direct,", "The 2nd proxy cannot be used: it is not a URL"),
            (",direct", "The 1st proxy cannot be used: it is not a URL"),
            ("direct, direct", "The 2nd proxy is the same as the 1st"),
            (
                "http://a.example:1,direct, http://a.example:1/",
                "The 3rd proxy is the same as the 1st",
            ),
        ] {
            let error = parse_ways(text).unwrap_err().to_string();
            assert!(error.starts_with(why), "{text}: {error}");
        }
        let many: Vec<String> = (0..17)
            .map(|number| format!("http://a.example:{}", 3000 + number))
            .collect();
        assert_eq!(parse_ways(&many.join(",")), Err(WaysError::TooMany(17)));
        assert_eq!(parse_ways(&many[1..].join(",")).unwrap().len(), MAX_WAYS);
    }

    #[test]
    fn ids_follow_the_whole_url() {
        let ids = |text: &str| parse_ways(text).unwrap().iter().map(Way::id).collect::<Vec<_>>();
        let all = ids("direct, http://a.example:1, http://me:b@a.example:1, socks5://a.example:1");
        let mut different = all.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), 4);
        assert_eq!(ids("http://a.example:1")[0], all[1]);
        assert_eq!(ids("")[0], WayId::DIRECT);
    }
}
