//! What an operator is told: zentry_status() and zentry_stats().
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod garbage;
mod mended;
mod queries;
mod sending;
mod statistics;
mod status;
mod tables;
