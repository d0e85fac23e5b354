//! What the end-to-end tests, the demo and the benchmarks are made of.

pub mod cable;
pub mod catalogue;
pub mod cluster;
pub mod emulator;
pub mod nats;
pub mod notices;
pub mod numbered;
pub mod preload;
pub mod program;
pub mod proxy;
pub mod release;
pub mod scene;
pub mod site;
pub mod soundness;
pub mod wait;
pub mod zentry;
