//! A URL that is a secret.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use url::{Position, Url};

use super::nats;

/// The text that replaces a secret.
const MASK: &str = "***";

/// Path segments that are not secret, because they are the same in all URLs of a service.
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

/// Parameters whose values are not secret.
const KNOWN_PARAMETERS: [&str; 6] = ["wait", "thread_id", "with_components", "api-version", "sp", "sv"];

/// The minimum length of what is masked in answers. Shorter texts are too easily guessed to be secrets, and occur within words.
pub(super) const MIN_SECRET_LENGTH: usize = 8;

/// A URL that contains a secret. `Debug` and `Display` show scheme, host, port and the part of the path that is the
/// same for everybody (and a Discord webhook's id): `https://discord.com/api/webhooks/123456789012345678/***`.
/// Clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretUrl(Arc<Url>, Arc<[Box<str>]>);

impl SecretUrl {
    pub fn new(url: Url) -> Self {
        Self(Arc::new(url), Arc::default())
    }

    /// Adds texts that are masked like the secrets of the URL.
    #[must_use]
    pub fn with_secrets(self, secrets: Vec<Box<str>>) -> Self {
        let known = self.1.iter().cloned();
        Self(self.0, known.chain(secrets).collect())
    }

    /// The URL with its secret, for the request itself and never for a text that is shown or logged.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Returns scheme, host and port, by which connections are reused, of a cluster those of its first server; contains no secret.
    pub fn origin(&self) -> String {
        // `Url::origin` is "null" for schemes other than those of the web.
        let place = &self.0[Position::BeforeHost..Position::AfterPort];
        format!("{}://{place}", self.0.scheme())
    }

    /// Masks in `text` (an answer that echoes the request, an error) the secrets of this URL: long path
    /// segments and values of parameters, as they are, decoded, and decoded and escaped as in JSON. At the end of `text`, where an
    /// answer may have been cut off, the beginning of a secret is masked too.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        // The result may contain a secret again, if a secret contains the mask. This ends, since each round makes the text shorter.
        while let Some(masked) = self.mask(&text) {
            text = Cow::Owned(masked);
        }
        text
    }

    /// Masks once; `None`: there is nothing to mask.
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
        // Secrets may contain or overlap one another.
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
                // PHP's json_encode and others escape a slash.
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

/// The range at the end of `text` that is the beginning of `secret`, at least [`MIN_SECRET_LENGTH`] bytes of it.
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

/// Returns the URL without its secret, or the mask alone if the text is not a URL.
pub fn redact(url: &str) -> String {
    if nats::is_meant(url) {
        return nats::read(url).map_or_else(|_| MASK.to_owned(), |url| SecretUrl::new(url).to_string());
    }
    Url::parse(url).map_or_else(|_| MASK.to_owned(), |url| SecretUrl::new(url).to_string())
}

/// Whether a segment may be shown: it is a known one, a version, or the id right after `webhooks`.
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
