//! The REST API and the commands, from outside: the real server on a real database, and the emulator for the vendors.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod code;
mod commands;
#[path = "../guide/compare.rs"]
mod compare;
mod connection;
#[path = "../adoption/django.rs"]
#[allow(dead_code, reason = "the tests of adoption need the rest")]
mod django;
mod drf;
mod foreign_code;
mod guide;
mod integrations;
mod limits;
mod load;
mod logs;
mod monitoring;
mod page_access;
mod pages;
mod schema;
mod serve;
mod support;
mod tokens;
mod traces;
