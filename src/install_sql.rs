//! The SQL files that CREATE EXTENSION runs, in this order, which is that of their numbers: `scripts/install` concatenates them by number, and a test
//! compares. The files up to `12_` create tables; those after it can be run again, and an update does that (`sql/steps`).

use pgrx::prelude::*;

extension_sql_file!("../sql/01_schema.sql", name = "schema", bootstrap);
extension_sql_file!(
    "../sql/02_event_type.sql",
    name = "event_type",
    requires = ["schema"]
);
extension_sql_file!(
    "../sql/03_webhook.sql",
    name = "webhook",
    requires = ["event_type"]
);
extension_sql_file!("../sql/04_event.sql", name = "event", requires = ["webhook"]);
extension_sql_file!("../sql/05_delivery.sql", name = "delivery", requires = ["event"]);
extension_sql_file!(
    "../sql/06_legacy_delivery.sql",
    name = "legacy_delivery",
    requires = ["delivery"]
);
extension_sql_file!(
    "../sql/07_webhook_state.sql",
    name = "webhook_state",
    requires = ["legacy_delivery"]
);
extension_sql_file!(
    "../sql/08_event_source.sql",
    name = "event_source",
    requires = ["webhook_state"]
);
extension_sql_file!(
    "../sql/09_delivery_stat.sql",
    name = "delivery_stat",
    requires = ["event_source"]
);
extension_sql_file!(
    "../sql/10_event_wording.sql",
    name = "event_wording",
    requires = ["delivery_stat"]
);
extension_sql_file!(
    "../sql/11_api_token.sql",
    name = "api_token",
    requires = ["event_wording"]
);
extension_sql_file!(
    "../sql/12_senders.sql",
    name = "senders",
    requires = ["api_token"]
);
extension_sql_file!(
    "../sql/13_rust_functions.sql",
    name = "rust_functions",
    requires = ["senders"]
);
extension_sql_file!(
    "../sql/14_rules.sql",
    name = "rules",
    requires = ["rust_functions"]
);
extension_sql_file!(
    "../sql/15_event_definition.sql",
    name = "event_definition",
    requires = ["rules"]
);
extension_sql_file!(
    "../sql/16_views.sql",
    name = "views",
    requires = ["event_definition"]
);
extension_sql_file!(
    "../sql/17_webhook_integration.sql",
    name = "webhook_integration",
    requires = ["views"]
);
extension_sql_file!(
    "../sql/18_webhook_functions.sql",
    name = "webhook_functions",
    requires = ["webhook_integration"]
);
extension_sql_file!(
    "../sql/19_delivery_functions.sql",
    name = "delivery_functions",
    requires = ["webhook_functions"]
);
extension_sql_file!(
    "../sql/20_notices.sql",
    name = "notices",
    requires = ["delivery_functions"]
);
extension_sql_file!(
    "../sql/21_delivery_log.sql",
    name = "delivery_log",
    requires = ["notices"]
);
extension_sql_file!(
    "../sql/22_attach.sql",
    name = "attach",
    requires = ["delivery_log"]
);
extension_sql_file!(
    "../sql/23_route_cursor.sql",
    name = "route_cursor",
    requires = ["attach"]
);
extension_sql_file!(
    "../sql/24_replication.sql",
    name = "replication",
    requires = ["route_cursor"]
);
extension_sql_file!("../sql/25_audit.sql", name = "audit", requires = ["replication"]);
extension_sql_file!("../sql/26_api.sql", name = "api", requires = ["audit"]);
extension_sql_file!(
    "../sql/27_sender_sessions.sql",
    name = "sender_sessions",
    requires = ["api"]
);
extension_sql_file!(
    "../sql/28_sender_queues.sql",
    name = "sender_queues",
    requires = ["sender_sessions"]
);
extension_sql_file!(
    "../sql/29_sender_deliveries.sql",
    name = "sender_deliveries",
    requires = ["sender_queues"]
);
extension_sql_file!(
    "../sql/30_statistics.sql",
    name = "statistics",
    requires = ["sender_deliveries"]
);
extension_sql_file!(
    "../sql/31_own_objects.sql",
    name = "own_objects",
    requires = ["statistics"]
);
extension_sql_file!(
    "../sql/32_status_server.sql",
    name = "status_server",
    requires = ["own_objects"]
);
extension_sql_file!(
    "../sql/33_status_worker.sql",
    name = "status_worker",
    requires = ["status_server"]
);
extension_sql_file!(
    "../sql/34_status_tables.sql",
    name = "status_tables",
    requires = ["status_worker"]
);
extension_sql_file!(
    "../sql/35_status_events.sql",
    name = "status_events",
    requires = ["status_tables"]
);
extension_sql_file!(
    "../sql/36_status.sql",
    name = "status",
    requires = ["status_events"]
);
extension_sql_file!("../sql/37_import.sql", name = "import", requires = ["status"]);
extension_sql_file!(
    "../sql/38_event_types.sql",
    name = "event_types",
    requires = ["import"]
);
extension_sql_file!(
    "../sql/39_privileges.sql",
    name = "privileges",
    requires = ["event_types"]
);
extension_sql_file!(
    "../sql/40_install.sql",
    name = "install",
    requires = ["privileges"],
    finalize
);
