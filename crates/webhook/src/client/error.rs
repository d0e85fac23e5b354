//! Why a client cannot be created.

use crate::proxy::ProxyError;

/// Why a client could not be created. The texts contain no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("the certificates of ca_file can't be read: {0}")]
    CaPem(String),
    #[error("the proxy can't be used: {0}")]
    Proxy(#[from] ProxyError),
    #[error("the HTTP client can't be made: {0}")]
    Build(String),
}
