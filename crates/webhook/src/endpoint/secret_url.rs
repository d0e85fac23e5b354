//! A URL that is a password.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use url::Url;

use super::nats;

/// What stands in for a secret.
const MASK: &str = "***";

/// Path segments that are the same for everybody.
const KNOWN_SEGMENTS: [&str; 14] = [
    "",
    "api",
    "webhooks",
    "webhook",
    "webhookb2",
    "workflows",
    "powerautomate",
    "automations",
    "direct",
    "triggers",
    "manual",
    "paths",
    "invoke",
    "IncomingWebhook",
];

/// Parameters whose values are no secret.
const KNOWN_PARAMETERS: [&str; 6] = ["wait", "thread_id", "with_components", "api-version", "sp", "sv"];

/// Shorter texts are not masked in answers: they keep no secret and stand in many words.
pub(super) const MIN_SECRET_LENGTH: usize = 8;

/// A URL with a secret in it. `Debug` and `Display` show scheme, host, port and the part of the path that is the
/// same for everybody (and a Discord webhook's id): `https://discord.com/api/webhooks/123456789012345678/***`.
/// Clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretUrl(Arc<Url>, Arc<[Box<str>]>);

impl SecretUrl {
    pub fn new(url: Url) -> Self {
        Self(Arc::new(url), Arc::default())
    }

    /// The same, with more texts that are secrets: they are masked as it is.
    #[must_use]
    pub fn with_secrets(self, secrets: Vec<Box<str>>) -> Self {
        let known = self.1.iter().cloned();
        Self(self.0, known.chain(secrets).collect())
    }

    /// The URL with its secret: for the request itself and for nothing that somebody might read.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Scheme, host and port: what connections are kept for. No secret.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Masks in `text` (an answer that echoes the request, an error) what of this URL is a secret: long path
    /// segments and values of parameters, as they stand, decoded, and decoded as a string in JSON. So is the beginning of one
    /// at the end of `text`, where an answer broke off.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        // What masking leaves may be a secret again, if a secret has the mask in it; each round makes the text shorter.
        while let Some(masked) = self.mask(&text) {
            text = Cow::Owned(masked);
        }
        text
    }

    /// `None` where there is nothing to mask.
    fn mask(&self, text: &str) -> Option<String> {
        let mut found: Vec<Range<usize>> = Vec::new();
        self.for_each_secret(&mut |secret| {
            if secret.len() >= MIN_SECRET_LENGTH {
                found.extend(text.match_indices(secret).map(|(at, _)| at..at + secret.len()));
                found.extend(cut_off(text, secret));
            }
        });
        if found.is_empty() {
            return None;
        }
        // One secret may be in another, or overlap it.
        found.sort_unstable_by_key(|range| range.start);
        let (mut masked, mut end) = (String::with_capacity(text.len()), 0);
        for range in found {
            if range.start >= end {
                masked.push_str(&text[end..range.start]);
                masked.push_str(MASK);
            }
            end = end.max(range.end);
        }
        masked.push_str(&text[end..]);
        Some(masked)
    }

    fn for_each_secret(&self, mask: &mut impl FnMut(&str)) {
        let is_nats = nats::shown(&self.0).is_some();
        let mut mask_both = |encoded: &str| {
            mask(encoded);
            if encoded.contains('%') {
                let decoded = percent_decode_str(encoded).decode_utf8_lossy();
                mask(&decoded);
                // As PHP's json_encode and others write a slash.
                if decoded.contains('/') {
                    mask(&decoded.replace('/', "\\/"));
                }
            }
        };
        self.1.iter().for_each(|secret| mask_both(secret));
        if is_nats {
            return;
        }
        mask_both(self.0.username());
        mask_both(self.0.password().unwrap_or_default());
        for segment in self
            .0
            .path()
            .split('/')
            .filter(|segment| !KNOWN_SEGMENTS.contains(segment))
        {
            mask_both(segment);
        }
        for pair in self.0.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            if !KNOWN_PARAMETERS.contains(&name) {
                mask_both(value);
            }
        }
    }
}

/// Where the end of `text` is the beginning of `secret`.
fn cut_off(text: &str, secret: &str) -> Option<Range<usize>> {
    (MIN_SECRET_LENGTH..secret.len())
        .rev()
        .find(|length| {
            secret
                .get(..*length)
                .is_some_and(|beginning| text.ends_with(beginning))
        })
        .map(|length| text.len() - length..text.len())
}

/// The URL without its secret, whether it is one or not.
pub fn redact(url: &str) -> String {
    if nats::is_meant(url) {
        return nats::read(url).map_or_else(|_| MASK.to_owned(), |url| SecretUrl::new(url).to_string());
    }
    Url::parse(url).map_or_else(|_| MASK.to_owned(), |url| SecretUrl::new(url).to_string())
}

/// Whether a segment may be shown: known to everybody, a version, or the id right after `webhooks`.
fn is_shown(segment: &str, previous: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    KNOWN_SEGMENTS.contains(&segment)
        || segment
            .strip_prefix('v')
            .is_some_and(|version| version.len() < 4 && digits(version))
        || (previous == "webhooks" && digits(segment))
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &*self.0;
        if let Some(shown) = nats::shown(url) {
            return f.write_str(&shown);
        }
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        let mut previous = "";
        for segment in url.path().split('/').skip(1) {
            if !is_shown(segment, previous) {
                return write!(f, "/{MASK}");
            }
            write!(f, "/{segment}")?;
            previous = segment;
        }
        if url.query().is_some() || url.fragment().is_some() {
            write!(f, "?{MASK}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}
