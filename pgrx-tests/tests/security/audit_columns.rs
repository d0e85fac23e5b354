//! The audit log sees every column of the configuration.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::audit::{entries, entries_of};

/// What came with the extension is nobody's change; every column of every table that is the configuration is seen.
#[test]
fn every_column_is_seen_or_known_to_be_none_of_it() -> Result<()> {
    // What a row keeps itself, what the worker notes, and what makes a row the one that it is.
    const NO_CONFIGURATION: [&str; 18] = [
        "api_token.created_at",
        "api_token.last_used_at",
        "api_token.role_oid",
        "event_source.created_at",
        "event_source.id",
        "event_source.suspended_at",
        "event_source.suspended_reason",
        "event_source.written_by_oid",
        "event_type.created_at",
        "event_wording.created_at",
        "event_wording.id",
        "webhook.activated_at",
        "webhook.created_at",
        "webhook.switched_off_at",
        "webhook.updated_at",
        "webhook_secret.previous_secret",
        "webhook_secret.previous_until",
        "webhook_secret.webhook_integration_id",
    ];
    let mut scene = Scene::start()?;
    assert_eq!(entries(&mut scene.client)?, []);
    scene.channel(Kind::Discord)?;
    scene.client.batch_execute(
        "SELECT zentry_register_event_type('release', 'Release'); SELECT zentry_set_wording('release', 1, title => 'x'); \
         SELECT zentry_create_api_token('x', 'pg_monitor'); \
         -- Nothing but the audit log looks at what is written here.
         SET session_replication_role = replica; \
         ALTER TABLE zentry_notify.webhook ENABLE ALWAYS TRIGGER audit; ALTER TABLE zentry_notify.webhook_secret ENABLE ALWAYS TRIGGER audit; \
         ALTER TABLE zentry_notify.event_type ENABLE ALWAYS TRIGGER audit; ALTER TABLE zentry_notify.event_source ENABLE ALWAYS TRIGGER audit; \
         ALTER TABLE zentry_notify.event_wording ENABLE ALWAYS TRIGGER audit; ALTER TABLE zentry_notify.api_token ENABLE ALWAYS TRIGGER audit; \
         DROP TRIGGER drop_replicated ON zentry_notify.event_source; DROP TRIGGER drop_replicated ON zentry_notify.api_token; \
         DROP TRIGGER drop_replicated ON zentry_notify.audit_entry",
    )?;
    let columns = scene.client.query(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
          WHERE c.relnamespace = 'zentry_notify'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped \
            AND c.relname IN ('webhook', 'webhook_secret', 'event_type', 'event_source', 'event_wording', 'api_token') ORDER BY 1, a.attnum",
        &[],
    )?;
    let mut unseen = Vec::new();
    for row in &columns {
        let (table, column, kind): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        // Another value than any that is there.
        let value = match kind {
            "boolean" => format!("{column} IS NOT TRUE"),
            "bigint" | "integer" => "4711".to_owned(),
            "smallint" => "7".to_owned(),
            "jsonb" if column == "event_types" || column == "fields" => "'[\"other\"]'".to_owned(),
            "jsonb" => "'{\"other\": 1}'".to_owned(),
            "interval" => "'7 seconds'".to_owned(),
            "timestamp with time zone" => "'2001-02-03'".to_owned(),
            "text[]" => "'{other}'".to_owned(),
            "integer[]" => "'{7}'".to_owned(),
            "jsonpath" => "'$.other > 1'".to_owned(),
            "bytea" => "'\\x00'".to_owned(),
            "regclass" => "'pg_class'".to_owned(),
            "oid" => "10".to_owned(),
            _ => "'other'".to_owned(),
        };
        // A wording that names the language is of every event.
        let further = if column == "language" {
            ", event_type = '*'"
        } else {
            ""
        };
        let value = if (table, column) == ("event_wording", "event_type") {
            "'*', language = 'de'"
        } else {
            value.as_str()
        };
        let update = format!(
            "BEGIN; UPDATE zentry_notify.{table} x SET {column} = {value}{further} WHERE x.ctid = (SELECT y.ctid FROM zentry_notify.{table} y LIMIT 1)"
        );
        let found = entries_of(&mut scene.client, |client| Ok(client.batch_execute(&update)?))?;
        scene.client.batch_execute("ROLLBACK")?;
        match &found[..] {
            [] => unseen.push(format!("{table}.{column}")),
            [(operation, .., changes)] => {
                assert_eq!(operation, "update", "{update}");
                let named: Vec<_> = changes
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, _)| key.as_str())
                    .collect();
                assert!(named.contains(&column), "{update}: {changes}");
            }
            more => panic!("{update}: {more:#?}"),
        }
    }
    unseen.sort();
    assert_eq!(unseen, NO_CONFIGURATION);
    Ok(())
}
