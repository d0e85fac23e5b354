//! What an operator is told: zentry_status() and zentry_stats().
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod garbage;
mod locks;
mod mended;
mod pace;
mod queries;
mod sending;
mod statistics;
mod status;
mod tables;
mod uncalled;
