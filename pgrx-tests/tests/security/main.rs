//! Attacks, each tried.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod borrowed_session;
mod hostile_objects;
mod redaction;
mod rights;
mod roles;
