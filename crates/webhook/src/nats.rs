//! Events as a stream: what a message to NATS' JetStream is called, who publishes it, and what its stream makes of it.

mod credentials;
mod stream;
mod subject;

pub use credentials::{Credentials, CredentialsError, Login};
pub use stream::Stream;
pub use subject::{MAX_PREFIX, Origin, PREFIX, Publication, is_prefix};

/// The header by which JetStream knows a repeat.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// What is published besides the data, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub publication: Publication,
    /// None: the server asks for none.
    pub credentials: Option<Credentials>,
}
