//! Sending for databases from another machine: this does what the database's worker does when it sends, over an ordinary connection.
//!
//! There is one [`Sender`] for each database. It is a loop over the scheduler of the crate `webhook`, in which each call to the database is waited for:
//! so at most one message of a queue is in flight of which the database does not know. The senders of one process have their ways out in common ([`Neighbours`]),
//! and nothing else.

mod ban;
mod clock;
mod configuration;
mod known;
mod link;
mod neighbours;
mod posts;
mod reading;
mod report;
mod reporting;
mod sender;
mod session;
mod wanted;

pub use neighbours::Neighbours;
pub use sender::{Options, Sender};
