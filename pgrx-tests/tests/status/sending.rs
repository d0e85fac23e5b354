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
