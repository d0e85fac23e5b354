//! The pages of docs/reference are what the catalogue says, and the links of all documents lead somewhere. `scripts/reference` writes what is
//! made here, and with `--check` compares it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod catalogue;
mod code;
mod links;
mod page;
mod settings;
