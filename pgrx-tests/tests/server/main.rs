//! The REST API and the commands, from outside: the real server on a real database, and the emulator for the vendors.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod clocks;
mod code;
mod code_faults;
mod commands;
#[path = "../guide/compare.rs"]
mod compare;
mod connection;
#[path = "../adoption/django.rs"]
#[allow(dead_code, reason = "the tests of adoption need the rest")]
mod django;
mod drf;
mod failover;
mod foreign_code;
mod guide;
mod integration_fields;
mod integrations;
mod limits;
mod load;
mod logs;
mod long_logs;
mod many;
mod metrics;
mod monitoring;
mod otlp_receiver;
mod page_access;
mod pages;
mod redaction;
mod schema;
mod send;
mod serve;
mod setup_commands;
mod support;
mod tokens;
mod traces;
mod webhook_commands;
mod wordings;
