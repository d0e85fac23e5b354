//! Streams of NATS' JetStream: subjects and ids of messages, credentials, and the configuration of streams.

mod credentials;
mod stream;
mod subject;

use crate::traceparent::{HEADER, LENGTH, Traceparent};

pub use credentials::{Credentials, CredentialsError, Login};
pub use stream::Stream;
pub use subject::{MAX_PREFIX, Origin, PREFIX, Publication, is_prefix};

/// The header by which JetStream recognises a message that is sent again.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// What is published besides the data, and the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub publication: Publication,
    /// The trace, as a header.
    pub traceparent: Option<Traceparent>,
    /// The credentials; `None`: the server needs none.
    pub credentials: Option<Credentials>,
}

impl Message {
    /// Returns the size, in bytes, of the message's headers as they are sent.
    pub(crate) fn header_size(&self) -> usize {
        const MORE: usize = HEADER.len() + ": \r\n".len() + LENGTH;
        self.publication.header_size() + self.traceparent.map_or(0, |_| MORE)
    }
}
