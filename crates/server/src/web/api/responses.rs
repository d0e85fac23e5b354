//! Descriptions of the refusals that endpoints share.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes web::Error")]
pub struct Detail {
    /// What is wrong
    detail: String,
}

/// Error messages by field; or one message, as `detail` or `error`
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes web::Error")]
#[serde(untagged)]
pub enum Problem {
    Fields(BTreeMap<String, Vec<String>>),
    Detail(Detail),
    Error { error: String },
}

#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes web::Error")]
pub enum Refused {
    /// The request is invalid
    #[response(status = 400)]
    Invalid(Problem),
    /// The body is too large
    #[response(status = 413)]
    TooLarge(Detail),
    /// The body is neither JSON nor a form
    #[response(status = 415)]
    NotJson(Detail),
}

#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes web::Error")]
pub enum NotAllowed {
    /// No token, or one that is unknown, revoked or expired
    #[response(status = 401)]
    Unauthorized(Detail),
    /// The token's role may not do this
    #[response(status = 403)]
    Forbidden(Detail),
    /// Too many wrong tokens from this address
    #[response(status = 429)]
    Throttled(Detail),
    /// The database is not available
    #[response(status = 503)]
    Unavailable(Detail),
    /// The database, or the webhook that is tested, took too long
    #[response(status = 504)]
    TookTooLong(Detail),
}

#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes web::Error")]
pub enum Missing {
    /// There is no object of this id or name
    #[response(status = 404)]
    NotFound(Detail),
}

#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes web::Error")]
pub enum Unwell {
    /// The database is not available, or its extension is missing or too old
    #[response(status = 503)]
    Unavailable(Detail),
    /// The database took too long
    #[response(status = 504)]
    TookTooLong(Detail),
}
