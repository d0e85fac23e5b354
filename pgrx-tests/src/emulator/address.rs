//! Where a webhook is found: its path, and the secrets in it.

use fastrand::Rng;

/// Where a webhook is found, and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Discord {
        id: String,
        token: String,
    },
    Connector {
        path: String,
    },
    Workflow {
        id: String,
        query: String,
    },
    /// Of the others: found by the path alone.
    Path {
        path: String,
        query: Option<String>,
    },
}

impl Address {
    /// Path and query as the vendor shows them to the user who copies the URL.
    pub(crate) fn target(&self) -> String {
        match self {
            Address::Discord { id, token } => format!("/api/webhooks/{id}/{token}"),
            Address::Connector { path } => path.clone(),
            Address::Workflow { id, query } => {
                format!("/workflows/{id}/triggers/manual/paths/invoke?{query}")
            }
            Address::Path { path, query: None } => path.clone(),
            Address::Path {
                path,
                query: Some(query),
            } => format!("{path}?{query}"),
        }
    }

    /// What the registry finds it by.
    pub(crate) fn key(&self) -> &str {
        match self {
            Address::Discord { id, .. } | Address::Workflow { id, .. } => id,
            Address::Connector { path } | Address::Path { path, .. } => path,
        }
    }
}

pub(crate) const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
pub(crate) const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(crate) fn letters(rng: &mut Rng, count: usize, alphabet: &[u8]) -> String {
    (0..count)
        .map(|_| char::from(alphabet[rng.usize(..alphabet.len())]))
        .collect()
}

pub(crate) fn hex(rng: &mut Rng, count: usize) -> String {
    letters(rng, count, b"0123456789abcdef")
}

pub(crate) fn guid(rng: &mut Rng) -> String {
    [8, 4, 4, 4, 12].map(|count| hex(rng, count)).join("-")
}
