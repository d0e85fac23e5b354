//! What the end-to-end tests, the demo and the benchmarks are made of.

pub mod emulator;
