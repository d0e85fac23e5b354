//! Why there is no answer.

use std::time::Duration;

/// Why there is no answer. The texts are for people and contain no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// There was no answer within this time, which was allowed.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The name could not be resolved, so nothing was sent.
    #[error("the host's name could not be resolved: {0}")]
    Resolve(String),
    /// The address, the proxy or the URL may not be used.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The connection broke.
    #[error("connection failed: {0}")]
    Connection(String),
    /// No connection could be made, so nothing was sent.
    #[error("connection failed: {0}")]
    NoConnection(String),
    /// No connection could be made within this time, which was allowed, so nothing was sent.
    #[error("no answer within {0:?}")]
    ConnectTimeout(Duration),
    /// TLS failed, before anything was sent: an expired, unknown or misnamed certificate, or too old a version.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The answer is not HTTP, or not within bounds.
    #[error("invalid answer: {0}")]
    Protocol(String),
}
