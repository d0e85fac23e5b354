//! zentry_import_integrations(): rows of the application's own integrations.

use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

/// A row of what it returns.
type Imported = (i64, String, String, Option<String>);

fn import(client: &mut Client) -> Vec<Imported> {
    let rows = client
        .query(
            "SELECT id, name, state, reason FROM zentry_import_integrations()",
            &[],
        )
        .unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect()
}

fn old(client: &mut Client, id: i64, name: &str, webhook_type: &str, url: &str, event_types: &str) {
    client
        .execute(
            "INSERT INTO notifications_webhookintegration \
             VALUES ($1, $2, $3, $4, $5::text::jsonb, $1::bigint <> 20, '2024-01-15T10:30:00.123456Z', now(), 1, 1)",
            &[&id, &name, &webhook_type, &url, &event_types],
        )
        .unwrap();
}

#[test]
fn each_row_is_imported_or_refused_with_its_reason() {
    let mut scene = Scene::start().unwrap();
    let url = scene.emulator.register(Kind::Discord).url();
    let client = &mut scene.client;
    old(client, 10, "Good", "discord", &url, r#"["task_completed"]"#);
    old(client, 20, "Off", "discord", &url, r#"["*"]"#);
    old(client, 30, "Deaf", "discord", &url, "[]");
    old(
        client,
        40,
        "Foreign",
        "discord",
        "https://example.org/hook",
        r#"["*"]"#,
    );
    old(client, 50, "Slack", "slack", &url, r#"["*"]"#);
    old(client, 60, "Odd", "discord", &url, r#"["lunch"]"#);
    old(client, 70, " ", "discord", &url, r#"["*"]"#);
    let found = import(client);
    let states: Vec<(i64, &str)> = found
        .iter()
        .map(|(id, _, state, _)| (*id, state.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            (10, "imported"),
            (20, "imported"),
            (30, "imported"),
            (40, "refused"),
            (50, "refused"),
            (60, "refused"),
            (70, "refused")
        ]
    );
    let reason = |index: usize| found[index].3.as_deref().unwrap_or_default();
    assert_eq!(reason(0), "");
    for (index, part) in [
        (2, "hears nothing"),
        (3, "example.org"),
        (4, "slack"),
        (5, "lunch"),
        (6, "name"),
    ] {
        assert!(reason(index).contains(part), "{found:#?}");
    }
    let kept = client
        .query_one(
            "SELECT count(*), bool_and(created_at = '2024-01-15T10:30:00.123456Z' AND project_id = 1 AND created_by_id = 1 \
                    AND is_active = (id <> 20)) FROM zentry_notify.webhook_integration",
            &[],
        )
        .unwrap();
    assert_eq!((kept.get::<_, i64>(0), kept.get::<_, bool>(1)), (3, true));
    let next: i64 = client
        .query_one("SELECT zentry_register_webhook('Next', 'discord', $1)", &[&url])
        .unwrap()
        .get(0);
    assert_eq!(next, 31);
}

#[test]
fn a_second_time_changes_nothing() {
    let mut scene = Scene::start().unwrap();
    let url = scene.emulator.register(Kind::Discord).url();
    let client = &mut scene.client;
    let taken: i64 = client
        .query_one(
            "SELECT zentry_register_webhook('Here first', 'discord', $1)",
            &[&url],
        )
        .unwrap()
        .get(0);
    old(client, taken, "Same number", "discord", &url, r#"["*"]"#);
    old(client, taken + 1, "Good", "discord", &url, r#"["*"]"#);
    let first = import(client);
    assert_eq!(
        (first[0].2.as_str(), first[1].2.as_str()),
        ("refused", "imported")
    );
    assert!(first[0].3.as_deref().unwrap().contains("Here first"));
    client
        .execute(
            "SELECT zentry_update_webhook($1, name => 'Renamed', is_active => false)",
            &[&(taken + 1)],
        )
        .unwrap();
    let second = import(client);
    assert_eq!(
        (second[0].2.as_str(), second[1].2.as_str()),
        ("refused", "there already")
    );
    let row = client
        .query_one(
            "SELECT count(*), bool_or(name = 'Renamed' AND NOT is_active) FROM zentry_notify.webhook_integration",
            &[],
        )
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (2, true));
}

/// The table is read with the rights of who calls: what stands in for it must not become the extension's owner.
#[test]
fn a_manager_reads_with_their_own_rights() {
    let mut scene = Scene::start().unwrap();
    let role = format!("{}_manager", scene.database.name());
    scene
        .client
        .batch_execute(&format!("CREATE ROLE {role} LOGIN; SELECT zentry_grant('{role}', 'manager'); GRANT CREATE ON SCHEMA public TO {role}"))
        .unwrap();
    let mut manager = scene.database.connect_as(&role).unwrap();
    let refused = manager
        .query("SELECT * FROM zentry_import_integrations()", &[])
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    manager
        .batch_execute(
            "CREATE FUNCTION whoami() RETURNS text LANGUAGE sql AS 'SELECT current_user::text'; \
             CREATE VIEW stand_in AS SELECT 5::bigint AS id, whoami() AS name, 'discord' AS webhook_type, 'https://discord.com' AS webhook_url",
        )
        .unwrap();
    let row = manager
        .query_one(
            "SELECT name, state FROM zentry_import_integrations('stand_in')",
            &[],
        )
        .unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, &str>(1)),
        (role.as_str(), "refused")
    );
    drop(manager);
    scene
        .client
        .batch_execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"))
        .unwrap();
}
