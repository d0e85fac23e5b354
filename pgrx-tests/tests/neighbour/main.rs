//! What everybody else notices of the library: nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod cases;
mod company;
mod errors;
mod log;
mod newer_versions;
mod own_errors;
mod pglogical;
mod random_statements;
mod session;
