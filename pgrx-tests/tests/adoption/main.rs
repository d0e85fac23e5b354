//! An application that has notifications of its own goes over to the extension, and back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod django;
mod import;
mod over_and_back;
mod package;
mod pages;
