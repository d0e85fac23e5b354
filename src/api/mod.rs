//! The SQL functions that are written in Rust (`sql/06_rust_functions.sql` declares them), one file a noun.

mod event_type;
mod installation;
mod quiet_hours;
mod refuse;
mod statistics;
mod status;
mod test_message;
mod url;
