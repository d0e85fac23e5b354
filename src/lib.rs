//! zentry_notify: writes to an application's tables become Discord and Microsoft Teams messages.
//!
//! A trigger (`capture`) writes pending deliveries in the application's transaction, the commit sets a flag in shared
//! memory (`wake`), and a background worker (`worker`) formats and posts them. What is decided without Postgres is
//! in the crate `webhook`.

use pgrx::prelude::*;

mod acting_as;
mod api;
mod attach;
mod capture;
mod http;
mod installation;
mod pg;
mod plan;
mod relation;
mod report;
mod search_path;
mod settings;
mod subtransaction;
mod table_change;
mod timestamp;
mod utility;
mod version;
mod wake;
mod worker;

#[cfg(any(test, feature = "pg_test"))]
mod tests;

::pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/01_schema.sql", name = "schema", bootstrap);
extension_sql_file!(
    "../sql/02_event_type.sql",
    name = "event_type",
    requires = ["schema"]
);
extension_sql_file!(
    "../sql/03_webhook_integration.sql",
    name = "webhook_integration",
    requires = ["event_type"]
);
extension_sql_file!(
    "../sql/04_notification_log.sql",
    name = "notification_log",
    requires = ["webhook_integration"]
);
extension_sql_file!(
    "../sql/05_event_source.sql",
    name = "event_source",
    requires = ["notification_log"]
);
extension_sql_file!(
    "../sql/06_rust_functions.sql",
    name = "rust_functions",
    requires = ["event_source"]
);
extension_sql_file!(
    "../sql/07_triggers.sql",
    name = "triggers",
    requires = ["rust_functions"]
);
extension_sql_file!("../sql/08_views.sql", name = "views", requires = ["triggers"]);
extension_sql_file!(
    "../sql/09_webhook_functions.sql",
    name = "webhook_functions",
    requires = ["views"]
);
extension_sql_file!(
    "../sql/10_delivery_functions.sql",
    name = "delivery_functions",
    requires = ["webhook_functions"]
);
extension_sql_file!(
    "../sql/11_attach.sql",
    name = "attach",
    requires = ["delivery_functions"]
);
extension_sql_file!(
    "../sql/11_table_changes.sql",
    name = "table_changes",
    requires = ["attach"]
);
extension_sql_file!(
    "../sql/11_api_token.sql",
    name = "api_token",
    requires = ["table_changes"]
);
extension_sql_file!("../sql/11_api.sql", name = "api", requires = ["api_token"]);
extension_sql_file!(
    "../sql/16_delivery_stat.sql",
    name = "delivery_stat",
    requires = ["api"]
);
extension_sql_file!(
    "../sql/17_statistics.sql",
    name = "statistics",
    requires = ["delivery_stat"]
);
extension_sql_file!("../sql/18_status.sql", name = "status", requires = ["statistics"]);
extension_sql_file!("../sql/19_import.sql", name = "import", requires = ["status"]);
extension_sql_file!(
    "../sql/20_event_wording.sql",
    name = "event_wording",
    requires = ["import"]
);
extension_sql_file!(
    "../sql/21_event_definition.sql",
    name = "event_definition",
    requires = ["event_wording"]
);
extension_sql_file!(
    "../sql/22_event_types.sql",
    name = "event_types",
    requires = ["event_definition"]
);
extension_sql_file!(
    "../sql/12_privileges.sql",
    name = "privileges",
    requires = ["event_types"]
);
extension_sql_file!(
    "../sql/13_install.sql",
    name = "install",
    requires = ["privileges"],
    finalize
);

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
