//! Every statement that is sent to the database, and the rows that come back.
//!
//! They call the extension's functions and read its views, and leave all rules to them. The functions are in the schema of
//! `CREATE EXTENSION`, which the search path has to have; the views are named in full.

pub mod integrations;
pub mod tokens;

/// A page of rows: where it starts, and how many it holds at most.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    pub offset: i64,
    pub limit: i64,
}
