//! The scheduler by example and by simulation. It only sees what its users see.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod circuit;
mod desk;
mod digest;
mod glue;
mod hanging;
mod independence;
mod network;
mod pacing;
mod parks;
mod queueing;
mod rates;
mod refusals;
mod resumed;
mod retries;
mod shared_ways;
mod simulation;
mod unreached;
mod way_probes;
mod ways;
mod world;
