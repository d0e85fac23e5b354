//! Settings are checked when they are set, and errors say what is wrong and what would be right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod errors;
mod file;
mod reserved;
mod statements;
mod support;
mod table;
