//! Sends for databases on other machines: what the database's worker does when it sends, over an ordinary connection.
//!
//! A [`Sender`] is one for a database. It is a loop over the scheduler of the crate `webhook`, in which every call to the database is waited for: so
//! at most one message of a queue is out of which the database does not know. Those of one process have their ways out in common ([`Neighbours`]),
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

pub use neighbours::Neighbours;
pub use sender::{Options, Sender};
