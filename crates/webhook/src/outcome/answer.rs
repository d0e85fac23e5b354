//! Reading an [`Answer`].

use serde_json::Value;

use super::Answer;

impl Answer {
    /// The first header of this name (lower case).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| &**header == name)
            .map(|(_, value)| value.trim())
    }

    /// The body as JSON. What is nested deeper than 128 levels is none, as is a number that no f64 holds.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as far as it is text.
    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Whether the body is a page for a browser. The vendors' APIs never send one: it comes from something in
    /// between (an edge, a proxy, a captive portal), so it is proof of nothing, whatever its status. An empty body is
    /// no page, and neither is a number or JSON, whatever they are called.
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
