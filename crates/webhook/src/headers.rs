//! Headers of the user's own, whose values are secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

const MOST: usize = 20;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 2_000;

/// Headers that the connection, the body or the signature determine.
const OURS: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Headers by their names, which are in lower case. `Debug` shows no values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OwnHeaders(Arc<BTreeMap<String, String>>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    #[error("an object of names and texts is needed")]
    Shape,
    #[error("a webhook has at most {MOST} headers")]
    TooMany,
    /// The name is not shown, because it may be a value in the wrong place.
    #[error("the name of one of the headers is not valid")]
    Name,
    #[error("the header {0} is given twice")]
    Twice(String),
    #[error("the header {0} cannot be set")]
    Ours(String),
    #[error("the value of the header {0} is empty, too long, or has characters that are not allowed")]
    Value(String),
}

impl HeaderError {
    /// The HINT: what to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Ours(_) => "Leave it out: the message, its signature or the connection determines it.",
            Self::TooMany => "Leave some out.",
            Self::Name | Self::Twice(_) => {
                "For example {\"authorization\": \"Bearer TOKEN\"}: letters, digits, hyphens, underscores and dots, and each name once."
            }
            _ => {
                "For example {\"authorization\": \"Bearer TOKEN\"}: visible characters of ASCII, and spaces between them."
            }
        }
    }
}

impl OwnHeaders {
    /// Parses a JSON object of names and values.
    ///
    /// # Errors
    /// If a request cannot have them.
    pub fn parse(json: &str) -> Result<Self, HeaderError> {
        let given: BTreeMap<String, String> = serde_json::from_str(json).map_err(|_| HeaderError::Shape)?;
        if given.len() > MOST {
            return Err(HeaderError::TooMany);
        }
        let mut headers = BTreeMap::new();
        for (name, value) in given {
            let lower = name.to_ascii_lowercase();
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_token) {
                return Err(HeaderError::Name);
            }
            if OURS.contains(&&*lower) || lower.starts_with("webhook-") || lower.starts_with("proxy-") {
                return Err(HeaderError::Ours(lower));
            }
            let is_plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if !(1..=MAX_VALUE).contains(&value.len()) || !is_plain || value.trim() != value {
                return Err(HeaderError::Value(lower));
            }
            if headers.insert(lower.clone(), value).is_some() {
                return Err(HeaderError::Twice(lower));
            }
        }
        Ok(Self(Arc::new(headers)))
    }

    /// Names and values, for the request itself.
    pub fn expose(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the texts to be masked: the values, and of `Bearer TOKEN` the token, as they are, and as in strings of JSON,
    /// with slashes escaped (as PHP's `json_encode` does) or not.
    pub fn secrets(&self) -> Vec<Box<str>> {
        let mut secrets = BTreeSet::new();
        for value in self.0.values() {
            for part in [
                Some(value.as_str()),
                value.split_once(' ').map(|(_, token)| token),
            ] {
                let part = part.unwrap_or_default();
                let escaped = part.replace('\\', "\\\\").replace('"', "\\\"");
                secrets.insert(escaped.replace('/', "\\/"));
                secrets.insert(escaped);
                secrets.insert(part.to_owned());
            }
        }
        secrets.remove("");
        secrets.into_iter().map(Into::into).collect()
    }
}

impl fmt::Debug for OwnHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_checked_and_their_values_are_not_shown() {
        let headers = OwnHeaders::parse(r#"{"Authorization": "Bearer swordfish", "x-team": "7"}"#);
        let headers = headers.unwrap_or_default();
        let exposed: Vec<_> = headers.expose().collect();
        assert_eq!(exposed, [("authorization", "Bearer swordfish"), ("x-team", "7")]);
        assert_eq!(format!("{headers:?}"), r#"{"authorization", "x-team"}"#);
        let secrets: [Box<str>; 3] = ["7".into(), "Bearer swordfish".into(), "swordfish".into()];
        assert_eq!(headers.secrets(), secrets);
        let escaped = OwnHeaders::parse(r#"{"a": "b/\"c\\"}"#).unwrap_or_default();
        let secrets: [Box<str>; 3] = [r#"b/"c\"#.into(), r#"b/\"c\\"#.into(), r#"b\/\"c\\"#.into()];
        assert_eq!(escaped.secrets(), secrets);
        for (json, error) in [
            ("[]", HeaderError::Shape),
            (r#"{"a": 1}"#, HeaderError::Shape),
            (r#"{"": "x"}"#, HeaderError::Name),
            (r#"{"a b": "x"}"#, HeaderError::Name),
            (r#"{"A": "x", "a": "y"}"#, HeaderError::Twice("a".into())),
            (r#"{"Host": "x"}"#, HeaderError::Ours("host".into())),
            (r#"{"webhook-id": "x"}"#, HeaderError::Ours("webhook-id".into())),
            (r#"{"a": ""}"#, HeaderError::Value("a".into())),
            (r#"{"a": "x\r\nb: c"}"#, HeaderError::Value("a".into())),
            (r#"{"a": "é"}"#, HeaderError::Value("a".into())),
        ] {
            assert_eq!(OwnHeaders::parse(json), Err(error), "{json}");
        }
    }

    #[test]
    fn bounds_are_kept() {
        let header = |name: &str, value: &str| {
            let object = serde_json::json!({ name: value });
            OwnHeaders::parse(&object.to_string()).err()
        };
        assert_eq!(header(&"a".repeat(100), "x"), None);
        assert_eq!(header(&"a".repeat(101), "x"), Some(HeaderError::Name));
        assert_eq!(header("a-b_c.9", "~ x"), None);
        let value = Some(HeaderError::Value("a".into()));
        assert_eq!(header("a", &"x".repeat(2_000)), None);
        assert_eq!(header("a", &"x".repeat(2_001)), value);
        for wrong in [" x", "x ", "\u{7f}", "\u{1f}"] {
            assert_eq!(header("a", wrong), value, "{wrong:?}");
        }
        let ours = HeaderError::Ours("proxy-authorization".into());
        assert_eq!(header("Proxy-Authorization", "x"), Some(ours));
        let many = |count: usize| {
            let headers: BTreeMap<String, &str> =
                (0..count).map(|number| (format!("a{number}"), "x")).collect();
            OwnHeaders::parse(&serde_json::json!(headers).to_string())
        };
        assert!(many(20).is_ok());
        assert_eq!(many(21), Err(HeaderError::TooMany));
        assert_ne!(HeaderError::TooMany.hint(), HeaderError::Name.hint());
        assert!(
            HeaderError::Ours(String::new())
                .hint()
                .starts_with("Leave it out")
        );
    }
}
