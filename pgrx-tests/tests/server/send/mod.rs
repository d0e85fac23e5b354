//! `send`: processes that send for a database, as other machines would: shared out, killed, paused, cut off.

pub mod addresses;
mod calls;
mod digest;
mod distrust;
mod meanwhile;
mod ownership;
mod pooler;
pub mod sender;
mod sharing;
