//! What CREATE EXTENSION runs, in this order. Up to `11_` it makes tables; what follows can be run again, and is, by an update
//! (`sql/steps`). It is the order of the files' numbers: `scripts/install` puts them together by these, and the tests compare.

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
    "../sql/12_rust_functions.sql",
    name = "rust_functions",
    requires = ["api_token"]
);
extension_sql_file!(
    "../sql/13_rules.sql",
    name = "rules",
    requires = ["rust_functions"]
);
extension_sql_file!("../sql/14_views.sql", name = "views", requires = ["rules"]);
extension_sql_file!(
    "../sql/15_webhook_functions.sql",
    name = "webhook_functions",
    requires = ["views"]
);
extension_sql_file!(
    "../sql/16_delivery_functions.sql",
    name = "delivery_functions",
    requires = ["webhook_functions"]
);
extension_sql_file!(
    "../sql/17_attach.sql",
    name = "attach",
    requires = ["delivery_functions"]
);
extension_sql_file!(
    "../sql/18_own_tables.sql",
    name = "own_tables",
    requires = ["attach"]
);
extension_sql_file!("../sql/19_api.sql", name = "api", requires = ["own_tables"]);
extension_sql_file!(
    "../sql/20_statistics.sql",
    name = "statistics",
    requires = ["api"]
);
extension_sql_file!("../sql/21_status.sql", name = "status", requires = ["statistics"]);
extension_sql_file!("../sql/22_import.sql", name = "import", requires = ["status"]);
extension_sql_file!(
    "../sql/23_event_definition.sql",
    name = "event_definition",
    requires = ["import"]
);
extension_sql_file!(
    "../sql/24_event_types.sql",
    name = "event_types",
    requires = ["event_definition"]
);
extension_sql_file!(
    "../sql/25_privileges.sql",
    name = "privileges",
    requires = ["event_types"]
);
extension_sql_file!(
    "../sql/26_install.sql",
    name = "install",
    requires = ["privileges"],
    finalize
);
