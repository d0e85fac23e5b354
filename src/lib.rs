//! zentry_notify: writes to an application's tables become messages in Discord, Microsoft Teams, Slack and others.
//!
//! A trigger (`capture`) writes one row of `event` in the application's transaction, the commit sets a flag in shared
//! memory (`wake`), and a background worker (`worker`) routes the event, formats its messages and posts them. Everything that can be
//! decided without PostgreSQL is in the crate `webhook`.

#![deny(unsafe_code)]

use pgrx::prelude::*;

mod api;
mod attach;
mod capture;
mod column_types;
mod event_source;
mod http;
mod install_sql;
mod installation;
#[allow(unsafe_code)]
mod pg;
mod report;
mod settings;
mod timestamp;
mod utility;
mod wake;
mod worker;

use pg::{acting_as, plan, process, relation, search_path, shared, subtransaction};

#[cfg(any(test, feature = "pg_test"))]
mod tests;

::pgrx::pg_module_magic!(name, version);

#[pg_guard]
#[allow(non_snake_case)]
pub extern "C-unwind" fn _PG_init() {
    settings::define();
    capture::register_callbacks();
    wake::register_callbacks();
    if process::is_preloading() {
        shared::request();
        utility::register_hook();
        // The servers that pg_upgrade starts serve its own sessions only.
        if !process::is_upgrading() {
            worker::register_launcher();
        }
    }
}

/// The settings of the server that `cargo pgrx test` starts; it looks for this module by name.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    #[must_use]
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'zentry_notify'"]
    }
}
