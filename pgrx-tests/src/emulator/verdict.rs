//! What became of a request, and how it was answered.

use serde::Serialize;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Taken. The sender may not know: see `Received::answer`.
    Accepted,
    /// Answered as if taken: it was taken before, under the same name.
    Repeated,
    /// Discord without `wait=true`: 204, with no promise that the message was saved.
    Unsaved,
    /// Too fast.
    RateLimited,
    /// Refused as the vendor would, and why.
    Refused(String),
    /// Not taken because the script said so.
    Scripted(String),
}

/// The answer as decided on arrival; a slow one may still be under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Given {
    /// None when no proper answer was given.
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub body: String,
}
