//! zentry_notify: writes to an application's tables become Discord and Microsoft Teams messages.
//!
//! A trigger (`capture`) writes pending deliveries in the application's transaction, the commit sets a flag in shared
//! memory (`wake`), and a background worker (`worker`) formats and posts them. What is decided without Postgres is
//! in the crate `webhook`.

use pgrx::prelude::*;

mod api;
mod attach;
mod capture;
mod database_statement;
mod event_source;
mod http;
mod install_sql;
mod installation;
mod pg;
mod report;
mod settings;
mod timestamp;
mod utility;
mod version;
mod wake;
mod worker;

use pg::{acting_as, plan, relation, search_path, subtransaction};

#[cfg(any(test, feature = "pg_test"))]
mod tests;

::pgrx::pg_module_magic!(name, version);

#[pg_guard]
#[allow(non_snake_case)]
pub extern "C-unwind" fn _PG_init() {
    settings::define();
    capture::register_callbacks();
    wake::register_callbacks();
    // SAFETY: a plain flag of the postmaster, read on the main thread.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        wake::request_shared_memory();
        utility::register_hook();
        // pg_upgrade's servers are there for its own sessions alone.
        // SAFETY: as above.
        if !unsafe { pg_sys::IsBinaryUpgrade } {
            worker::register_launcher();
        }
    }
}

/// Where `cargo pgrx test` looks for the settings of its server.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    #[must_use]
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'zentry_notify'"]
    }
}
