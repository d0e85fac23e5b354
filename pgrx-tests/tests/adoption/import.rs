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
fn what_has_ended_is_kept_switched_off() {
    let mut scene = Scene::start().unwrap();
    let new_url = scene.emulator.register(Kind::Workflow).url();
    let client = &mut scene.client;
    let connector = "https://contoso.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d";
    let flow = "https://prod-01.westeurope.logic.azure.com/workflows/a/triggers/manual/paths/invoke?sig=secretsecret";
    old(
        client,
        10,
        "Connector",
        "teams",
        connector,
        r#"["task_completed"]"#,
    );
    old(client, 30, "Flow", "teams", flow, r#"["*"]"#);
    for ((_, name, state, reason), when) in import(client).into_iter().zip(["May 2026", "30 November 2025"]) {
        let reason = reason.unwrap();
        assert!(
            state == "imported" && reason.contains(when),
            "{name}: {state}: {reason}"
        );
    }
    let states = "SELECT string_agg(state || ': ' || reason, ' ' ORDER BY id) FROM zentry_notify.webhooks";
    let states: String = client.query_one(states, &[]).unwrap().get(0);
    assert!(
        states.starts_with("gone: webhooks of \"contoso.webhook.office.com\" have ended"),
        "{states}"
    );
    client
        .execute("SELECT zentry_update_webhook(30, webhook_url => $1)", &[&new_url])
        .unwrap();
    let state: String = client
        .query_one("SELECT state FROM zentry_notify.webhooks WHERE id = 30", &[])
        .unwrap()
        .get(0);
    assert_eq!(state, "active");
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

/// What there is no room for is refused by itself; the others are imported.
#[test]
fn a_row_that_there_is_no_room_for_is_refused() {
    let mut scene = Scene::start().unwrap();
    let urls: Vec<String> = (0..2).map(|_| scene.emulator.discord_webhook().url()).collect();
    let client = &mut scene.client;
    for (id, url) in [10, 30].into_iter().zip(&urls) {
        old(client, id, "Team", "discord", url, r#"["*"]"#);
    }
    client
        .batch_execute("SET zentry_notify.max_webhooks = 1")
        .unwrap();
    let states: Vec<(i64, String)> = import(client)
        .into_iter()
        .map(|(id, _, state, _)| (id, state))
        .collect();
    assert_eq!(states, [(10, "imported".to_owned()), (30, "refused".to_owned())]);
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
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN; SELECT zentry_grant('{role}', 'manager')"
        ))
        .unwrap();
    let mut manager = scene.database.connect_as(&role).unwrap();
    let refused = manager
        .query("SELECT * FROM zentry_import_integrations()", &[])
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    // Whoever calls it, nobody's code runs with their rights.
    scene
        .client
        .batch_execute(
            "CREATE TABLE told (who text); \
             CREATE FUNCTION tell(anyelement) RETURNS json LANGUAGE sql AS 'INSERT INTO public.told VALUES (current_user) RETURNING ''{}''::json'; \
             CREATE TYPE odd AS ENUM ('a'); CREATE CAST (odd AS json) WITH FUNCTION tell(anyelement); \
             CREATE TABLE typed (LIKE notifications_webhookintegration); ALTER TABLE typed ALTER name TYPE odd USING 'a'::odd; \
             INSERT INTO typed VALUES (1, 'a', 'discord', 'https://discord.com', '[]', true, now(), now(), 1, 1); \
             CREATE VIEW viewed AS SELECT t.*, tell(1) FROM notifications_webhookintegration t; \
             CREATE TABLE narrow (id bigint, name text)",
        )
        .unwrap();
    for (source, state, message) in [
        ("viewed", "42809", "public.viewed is not a table of this database"),
        (
            "typed",
            "42804",
            "column name of type public.odd of public.typed is not of a built-in type, or is computed when it is read",
        ),
        (
            "narrow",
            "42703",
            "public.narrow lacks the columns webhook_type, webhook_url, ",
        ),
        ("nowhere", "42P01", ""),
    ] {
        let sql = format!("SELECT * FROM zentry_import_integrations('{source}')");
        let error = scene.client.query(&sql, &[]).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), state, "{error:?}");
        assert!(error.message().starts_with(message), "{error:?}");
    }
    // A policy is its author's code, too.
    scene
        .client
        .batch_execute(&format!(
            "CREATE TABLE secured (LIKE notifications_webhookintegration); GRANT SELECT ON secured TO {role}; GRANT INSERT ON told TO {role}; \
             INSERT INTO secured VALUES (1, 'a', 'discord', 'https://discord.com', '[]', true, now(), now(), 1, 1); \
             ALTER TABLE secured ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON secured USING (tell(1) IS NOT NULL)"
        ))
        .unwrap();
    let refused = manager
        .query("SELECT * FROM zentry_import_integrations('secured')", &[])
        .unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!(
        (refused.code().code(), refused.message()),
        ("42501", "public.secured has row security")
    );
    let told: i64 = scene
        .client
        .query_one("SELECT count(*) FROM told", &[])
        .unwrap()
        .get(0);
    assert_eq!(told, 0);
    drop(manager);
    scene
        .client
        .batch_execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"))
        .unwrap();
}

/// A table of the application's own may hold what no model allows.
#[test]
fn what_is_odd_in_a_row_is_said_of_that_row() {
    let mut scene = Scene::start().unwrap();
    let url = scene.emulator.register(Kind::Discord).url();
    let other = scene.emulator.register(Kind::Discord).url();
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "CREATE TABLE loose (id bigint, name text, webhook_type text, webhook_url text, project_id bigint, created_by_id bigint, \
               event_types json, is_active bool, created_at timestamptz); \
             INSERT INTO loose VALUES (10, 'No time', 'discord', '{url}', NULL, NULL, '[\"*\"]', true, NULL), \
               (20, 'Zero', 'discord', '{url}', NULL, NULL, '[\"a\\u0000b\"]', true, now()), \
               (30, 'Half', 'discord', '{url}', NULL, NULL, '[\"\\ud800\"]', true, now()), \
               (40, 'Large', 'discord', '{url}', NULL, NULL, '[1e999999]', true, now()), \
               (NULL, 'No id', 'discord', '{url}', NULL, NULL, '[\"*\"]', true, now()), \
               (50, 'Nothing', 'discord', '{url}', NULL, NULL, NULL, true, now())"
        ))
        .unwrap();
    let import = |client: &mut Client| -> Vec<(String, String, String)> {
        let rows = client
            .query(
                "SELECT name, state, coalesce(reason, '') FROM zentry_import_integrations('loose') ORDER BY id NULLS LAST",
                &[],
            )
            .unwrap();
        rows.iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    };
    for state in ["imported", "there already"] {
        let found = import(client);
        assert_eq!(found.len(), 6, "{found:#?}");
        assert_eq!(
            (found[0].1.as_str(), found[0].2.as_str()),
            (state, ""),
            "{found:#?}"
        );
        for (name, state, reason) in &found[1..] {
            assert_eq!(state, "refused", "{name}");
            assert!(!reason.is_empty(), "{name} has no reason");
        }
        for index in 1..4 {
            assert!(found[index].2.contains("event_types"), "{found:#?}");
        }
        assert!(found[5].2.contains("id"), "{found:#?}");
    }
    // Another one has its number.
    client
        .execute("UPDATE loose SET webhook_url = $1 WHERE id = 10", &[&other])
        .unwrap();
    let found = import(client);
    assert_eq!(found[0].1, "refused");
    assert!(found[0].2.contains("its id is that of webhook"), "{found:#?}");
}
