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
    /// between (an edge, a proxy, a captive portal), so it is no proof that a webhook is gone.
    pub(super) fn is_html(&self) -> bool {
        self.header("content-type")
            .is_some_and(|value| value.to_ascii_lowercase().starts_with("text/html"))
            || self.body.trim_ascii_start().starts_with(b"<")
    }
}
