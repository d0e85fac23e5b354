//! What a write to an attached table leaves behind, whatever the session, the row or somebody else has in store: an event, and
//! never an error.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod completed;
mod concurrent_ddl;
mod damaged;
mod full_disk;
mod in_the_way;
mod moves;
mod sessions;
mod sizes;
mod snapshots;
mod support;
mod traces;
mod triggers;
mod types;
