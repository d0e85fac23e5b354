//! Answers of endpoints.

use serde_json::Value;

/// The names, in lower case, of the headers that [`judge`](super::judge) reads; a client need not keep any other.
pub const JUDGED_HEADERS: [&str; 8] = [
    "content-type",
    "date",
    "retry-after",
    "x-ratelimit-global",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset-after",
    "x-ratelimit-scope",
];

/// An HTTP answer within bounds: `headers` has those that [`judge`](super::judge) reads (names in lower case), `body` the first
/// part of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(Box<str>, Box<str>)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (lower case).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| &**header == name)
            .map(|(_, value)| value.trim())
    }

    /// The body as JSON; `None` if it is not, is nested deeper than 128 levels, or has a number that does not fit into an f64.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Whether the body is an HTML page. The vendors' APIs never send one: it comes from something in
    /// between (an edge, a proxy, a captive portal), so it proves nothing, whatever its status. An empty body, a number
    /// and JSON are not pages, whatever their content type.
    pub(super) fn is_html(&self) -> bool {
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        let body = body.trim_ascii();
        let named = || {
            self.header("content-type")
                .map(|value| value.trim_start().to_ascii_lowercase())
                .is_some_and(|value| value.starts_with("text/html") || value.starts_with("application/xhtml"))
        };
        match body.first() {
            None => false,
            Some(b'<') => true,
            Some(b'{' | b'[') => false,
            Some(_) => named() && !body.iter().all(u8::is_ascii_digit),
        }
    }
}
