//! What is told of webhooks, deliveries and settings that keep messages from leaving.

use crate::status::{line, mend, not_ok, scene};
use postgres::Client;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::{fire, wait_for};

#[test]
fn what_is_switched_off_by_a_setting() {
    let mut scene = scene();
    let name = scene.database.name();
    let set = format!("ALTER DATABASE {name} SET zentry_notify.sending = off");
    scene.client.batch_execute(&set).unwrap();
    mend(
        &mut scene.client,
        "zentry_notify.sending",
        "attention",
        "nothing is sent",
    );
    assert_eq!(not_ok(&mut scene.client).len(), 0);
    scene
        .client
        .batch_execute("SET zentry_notify.enabled = off")
        .unwrap();
    mend(
        &mut scene.client,
        "zentry_notify.enabled",
        "attention",
        "in this session",
    );
    scene
        .client
        .batch_execute("SET session_replication_role = replica")
        .unwrap();
    mend(
        &mut scene.client,
        "session_replication_role",
        "attention",
        "writes fire nothing",
    );
    assert_eq!(not_ok(&mut scene.client).len(), 0);
}

/// The worker is a superuser's, whoever asks. All of it in a transaction that nobody else sees: other tests have the same cluster.
#[test]
fn what_is_switched_off_for_the_worker_by_its_role() {
    let mut scene = scene();
    let name = scene.database.name().to_owned();
    let client = &mut scene.client;
    for place in [
        format!("ROLE postgres IN DATABASE {name}"),
        "ROLE postgres".to_owned(),
        format!("DATABASE {name}"),
        "ROLE ALL".to_owned(),
    ] {
        client
            .batch_execute(&format!("BEGIN; ALTER {place} SET zentry_notify.sending = off"))
            .unwrap();
        mend(client, "zentry_notify.sending", "attention", "nothing is sent");
        assert_eq!(not_ok(client).len(), 0, "{place}");
        client.batch_execute("ROLLBACK").unwrap();
    }
    // Of a role that is not the worker's it says nothing, and what is nearer holds.
    client
        .batch_execute(&format!(
            "BEGIN; ALTER ROLE zentry_notify_agent SET zentry_notify.sending = off; ALTER ROLE ALL SET zentry_notify.sending = off; \
             ALTER DATABASE {name} SET zentry_notify.sending = on"
        ))
        .unwrap();
    assert_eq!(not_ok(client).len(), 0);
    client.batch_execute("ROLLBACK").unwrap();
}

/// What is set for an application's role is seen from every session. In transactions that nobody else sees: roles are the cluster's.
#[test]
fn what_is_switched_off_for_the_role_of_an_application() {
    let mut scene = scene();
    let name = scene.database.name().to_owned();
    let client = &mut scene.client;
    for (setting, value) in [
        ("zentry_notify.enabled", "off"),
        ("session_replication_role", "replica"),
    ] {
        for place in [
            "\"The app\"".to_owned(),
            format!("\"The app\" IN DATABASE {name}"),
            // Whoever asks.
            "postgres".to_owned(),
            format!("postgres IN DATABASE {name}"),
        ] {
            client
                .batch_execute(&format!(
                    "BEGIN; CREATE ROLE \"The app\" LOGIN; ALTER ROLE {place} SET {setting} = {value}"
                ))
                .unwrap();
            let role = place.split(" IN ").next().unwrap();
            mend(
                client,
                setting,
                "attention",
                &format!("writes of role {role} fire nothing"),
            );
            assert_eq!(not_ok(client).len(), 0, "{setting} of {place}");
            client.batch_execute("ROLLBACK").unwrap();
        }
        for place in [format!("DATABASE {name}"), "ROLE ALL".to_owned()] {
            client
                .batch_execute(&format!("BEGIN; ALTER {place} SET {setting} = {value}"))
                .unwrap();
            mend(client, setting, "attention", "writes fire nothing");
            assert_eq!(not_ok(client).len(), 0, "{setting} of {place}");
            client.batch_execute("ROLLBACK").unwrap();
        }
    }
    // What is nearer holds, and another database's is another's.
    client
        .batch_execute(&format!(
            "BEGIN; CREATE ROLE \"The app\" LOGIN; ALTER ROLE \"The app\" SET zentry_notify.enabled = off; \
             ALTER ROLE \"The app\" IN DATABASE {name} SET zentry_notify.enabled = on; \
             ALTER ROLE \"The app\" IN DATABASE postgres SET zentry_notify.enabled = off"
        ))
        .unwrap();
    assert_eq!(not_ok(client).len(), 0);
    client.batch_execute("ROLLBACK").unwrap();
}

/// A session that has the old settings, and one whose client asks for others.
#[test]
fn what_is_switched_off_in_a_session_of_before() {
    let mut scene = scene();
    scene.database.set("zentry_notify.enabled", "off").unwrap();
    let mut before = scene.database.connect().unwrap();
    mend(
        &mut before,
        "zentry_notify.enabled",
        "attention",
        "writes fire nothing",
    );
    mend(
        &mut before,
        "zentry_notify.enabled",
        "attention",
        "writes fire nothing, in this session",
    );
    assert_eq!(not_ok(&mut before).len(), 0);
    assert_eq!(not_ok(&mut scene.client).len(), 0);
}

/// PostgreSQL's own setting against code that waits in views, and ours are none.
#[test]
fn sessions_that_are_kept_from_views() {
    let scene = scene();
    scene
        .database
        .set("restrict_nonsystem_relation_kind", "view, foreign-table")
        .unwrap();
    let mut session = scene.database.connect().unwrap();
    let refused = session
        .query("SELECT FROM zentry_notify.webhooks", &[])
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "55000");
    let call = |session: &mut Client, sql: &str| {
        session
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    };
    assert_eq!(not_ok(&mut session).len(), 0);
    for sql in [
        "SELECT * FROM zentry_attach()",
        "SELECT zentry_preview('task_completed')",
        "SELECT * FROM zentry_logs()",
        "SELECT * FROM zentry_stats()",
        "SELECT * FROM zentry_stats_by_hour()",
        "SELECT zentry_update_webhook(1, project_id => 1)",
        "SELECT zentry_update_webhook(1, project_id => 0)",
        "SELECT zentry_test_event()",
        "SELECT zentry_test_webhook(1)",
        "SELECT zentry_retry_failed()",
        "SELECT zentry_resume(1)",
        "SELECT zentry_set_wording('task_completed', title => 'Done')",
        "SELECT zentry_notify.unrouted_events(), zentry_notify.log_ids(NULL, NULL, NULL, NULL, NULL, 5)",
        "CREATE TABLE chore (id bigint PRIMARY KEY, title text, status text)",
        "SELECT zentry_attach('task_completed', 'chore')",
        "SELECT zentry_detach('chore')",
        "DROP EXTENSION zentry_notify",
        "CREATE EXTENSION zentry_notify",
    ] {
        call(&mut session, sql);
    }
}

#[test]
fn webhooks_that_fail_or_are_gone() {
    let mut scene = Scene::start().unwrap();
    let gone = scene.channel(Kind::Discord).unwrap();
    let failing = scene.channel(Kind::Workflow).unwrap();
    let limited = scene.channel(Kind::Workflow).unwrap();
    gone.webhook.script([Behaviour::Status(404)]);
    failing.webhook.script(vec![Behaviour::Status(503); 40]);
    limited.webhook.script([Behaviour::RateLimited {
        retry_after: std::time::Duration::from_secs(3600),
        global: false,
    }]);
    fire(&mut scene.client).unwrap();
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "INSERT INTO zentry_notify.webhook_circuit VALUES ({}, 5, now(), now() + interval '1 hour', '503: busy') \
             ON CONFLICT (webhook_integration_id) DO UPDATE SET error_message = EXCLUDED.error_message",
            failing.id
        ))
        .unwrap();
    wait_for(
        client,
        "SELECT count(*) = 3 FROM zentry_status() WHERE subject LIKE 'webhook %'",
    )
    .unwrap();

    let line_of = |client: &mut Client, channel: i64| line(client, &format!("webhook {channel}"));
    let found = line_of(client, gone.id);
    assert_eq!(found.state, "broken");
    assert!(
        found.detail.contains("404: the webhook does not exist any more"),
        "{found:?}"
    );
    assert!(
        found
            .remedy
            .contains(&format!("zentry_update_webhook({}, ", gone.id))
    );
    let found = line_of(client, failing.id);
    assert_eq!(found.state, "attention");
    assert!(found.detail.contains("503: busy"), "{found:?}");
    let found = line_of(client, limited.id);
    assert!(
        found.state == "attention" && found.detail.starts_with("rate limited until "),
        "{found:?}"
    );
    assert_eq!(line(client, "webhooks").detail, "1 active, 1 failing, 1 gone");
    // Counters follow the outcomes within a second.
    wait_for(
        client,
        "SELECT detail LIKE '1 in 24 hours; the last, %' FROM zentry_status() WHERE subject = 'failures'",
    )
    .unwrap();
    let failures = line(client, "failures");
    assert_eq!(failures.state, "attention", "{failures:?}");
    // What mends it stands in the line of the webhook that is gone.
    assert!(
        failures.remedy.starts_with("-- their webhooks are switched off"),
        "{failures:?}"
    );
}

#[test]
fn deliveries_that_wait_too_long_and_a_clock_that_was_set_back() {
    let mut scene = scene();
    scene.database.set("zentry_notify.sending", "off").unwrap();
    let client = &mut scene.client;
    client
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'zentry_notify worker'")
        .unwrap();
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'pending'",
    )
    .unwrap();
    assert_eq!(line(client, "queue").state, "ok");
    client
        .batch_execute("UPDATE zentry_notify.notification_log SET created_at = now() - interval '1 hour' WHERE status = 'pending'")
        .unwrap();
    let queue = line(client, "queue");
    assert!(
        queue.state == "attention" && queue.detail.starts_with("1 wait, the oldest since "),
        "{queue:?}"
    );
    client.batch_execute(&queue.remedy).unwrap();
    client
        .batch_execute("UPDATE zentry_notify.notification_log SET created_at = now() + interval '1 hour' WHERE status = 'pending'")
        .unwrap();
    assert_eq!(line(client, "clock").state, "attention");
}
