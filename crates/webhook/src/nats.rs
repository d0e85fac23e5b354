//! Events as a stream: what a message to NATS' JetStream is called, who publishes it, and what its stream makes of it.

mod credentials;
mod stream;
mod subject;

use crate::traceparent::{HEADER, LENGTH, Traceparent};

pub use credentials::{Credentials, CredentialsError, Login};
pub use stream::Stream;
pub use subject::{MAX_PREFIX, Origin, PREFIX, Publication, is_prefix};

/// The header by which JetStream knows a repeat.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// What is published besides the data, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub publication: Publication,
    /// Goes with it as a header.
    pub traceparent: Option<Traceparent>,
    /// None: the server asks for none.
    pub credentials: Option<Credentials>,
}

impl Message {
    /// What the message takes in a stream besides its data: its subject, and its headers as they are sent.
    pub(crate) fn header_size(&self) -> usize {
        const MORE: usize = HEADER.len() + ": \r\n".len() + LENGTH;
        self.publication.header_size() + self.traceparent.map_or(0, |_| MORE)
    }
}
