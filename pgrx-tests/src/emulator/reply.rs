//! An answer before it is sent.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;

use super::verdict::{Given, Verdict};

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// For headers whose name comes from a script.
    pub(crate) extra: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Self {
        Reply {
            status,
            headers: Vec::new(),
            extra: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Made without a copy, for the receiver of benchmarks.
    pub(crate) fn fixed(status: u16, body: &'static str) -> Self {
        Reply {
            body: Bytes::from_static(body.as_bytes()),
            ..Reply::empty(status)
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Reply {
            body: body.to_string().into(),
            ..Reply::empty(status)
        }
        .header("content-type", "application/json")
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        let reply = Reply {
            body: body.into().into(),
            ..Reply::empty(status)
        };
        reply.header("content-type", "text/plain; charset=utf-8")
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn given(&self) -> Given {
        let own = self
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Given {
            status: Some(self.status),
            headers: own.chain(self.extra.iter().cloned()).collect(),
            body: String::from_utf8_lossy(&self.body).into_owned(),
        }
    }
}

/// How a vendor takes a request.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) reply: Reply,
    pub(crate) verdict: Verdict,
    pub(crate) warnings: Vec<String>,
}

impl Judged {
    pub(crate) fn new(reply: Reply, verdict: Verdict) -> Self {
        Judged {
            reply,
            verdict,
            warnings: Vec::new(),
        }
    }

    pub(crate) fn refused(reply: Reply, why: impl Into<String>) -> Self {
        Judged::new(reply, Verdict::Refused(why.into()))
    }

    pub(crate) fn warned(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        self.warnings.extend(warnings);
        self
    }
}

/// A request as a vendor sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a hyper::Method,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a hyper::HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Call<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the body is declared as JSON, in UTF-8 where a charset is named.
    pub(crate) fn is_json(&self) -> bool {
        let mut parts = self
            .header("content-type")
            .unwrap_or_default()
            .split(';')
            .map(str::trim);
        parts
            .next()
            .is_some_and(|media| media.eq_ignore_ascii_case("application/json"))
            && parts.all(|part| part.eq_ignore_ascii_case("charset=utf-8"))
    }
}

/// The words that go with a status.
pub(crate) fn reason(status: u16) -> String {
    let known = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    known.unwrap_or("Unknown").to_owned()
}
