//! Sends for databases from another machine, as their workers do, over ordinary connections.
//!
//! There is one [`Sender`] for each database: a loop over the scheduler of the crate `webhook` that waits for each call to the database. So at most
//! one message of each queue is in flight whose outcome the database has not recorded. The senders of a process share the ways out ([`Neighbours`]),
//! and nothing else.

mod ban;
mod clock;
mod configuration;
mod keep;
mod known;
mod link;
mod neighbours;
mod pause;
mod posts;
mod reading;
mod report;
mod reporting;
mod sender;
mod session;
mod wanted;

pub use keep::keep;
pub use neighbours::Neighbours;
pub use sender::{Options, Sender};
