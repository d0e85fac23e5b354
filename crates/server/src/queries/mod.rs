//! Every statement that is sent to the database, and the rows that come back.
//!
//! They call the extension's functions and read its views, and leave all rules to them. The functions are in the schema of
//! `CREATE EXTENSION`, which every connection has as its search path. It may be one that others can create functions in, so a call
//! gives every argument, with its type: then no other function fits better.

pub mod apply_lock;
pub mod audit;
pub mod events;
pub mod integrations;
pub mod logs;
pub mod metrics;
pub mod own_event_types;
pub mod rights;
pub mod settings;
pub mod sources;
pub mod status;
pub mod times;
pub mod tokens;
pub mod traces;
pub mod wordings;
pub mod words;

/// A page of rows: where it starts, and how many it holds at most.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    pub offset: i64,
    pub limit: i64,
}
