//! `zentry-notify`: the REST API, the admin pages and the command line of the extension zentry_notify.
//!
//! A thin face of the database. Every rule is there: what is here calls the `zentry_*` functions and reads the views.
//!
//! - `cli`: the commands; `serve` is one of them.
//! - `database`: connections. The pool's sessions run as the role of whoever asks, for one transaction.
//! - `queries`: every statement that is sent, and the rows that come back. Used by `cli` and `web` alike.
//! - `send`: sends for databases, by the scheduler and the client of the database's worker.
//! - `traces`: finished deliveries as spans of OpenTelemetry.
//! - `web`: the HTTP server. `web::api` has the endpoints; what pages need besides (state, authentication, errors) is in `web`.
#![forbid(unsafe_code)]

mod cli;
mod database;
mod process;
mod queries;
mod send;
mod spelling;
mod traces;
mod vendors;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
