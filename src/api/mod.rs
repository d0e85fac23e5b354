//! The SQL functions that are written in Rust, one file for each subject. `sql/13_rust_functions.sql` declares them.

mod api_token;
mod appearance;
mod digest;
mod event_type;
mod import;
mod installation;
mod look_up;
mod quiet_hours;
mod rate_limit;
mod refuse;
mod signing;
mod statistics;
mod status;
mod test_message;
mod url;
mod webhook_count;
mod webhook_types;
