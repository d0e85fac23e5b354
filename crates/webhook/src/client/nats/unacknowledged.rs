//! Why there is no acknowledgement.

use crate::outcome::{Answer, TransportError};

/// Why there is no acknowledgement.
pub(super) enum Failure {
    /// An answer that was made here, in the place of JetStream's.
    Answer(Answer),
    /// The connection cannot be used any more.
    Broken(TransportError),
    Other(TransportError),
}

/// Returns an answer that is made here, without headers.
pub(super) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}
