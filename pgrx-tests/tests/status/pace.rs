//! What is told of webhooks that wait because they are to: for their pace, for a digest.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::{fire, wait_for};

use crate::status::{line, status};

/// What waits for its own pace is seen, and is no fault of the worker's, also when that has left.
#[test]
fn a_webhook_that_waits_for_its_own_pace() {
    let mut scene = Scene::start().unwrap();
    let paced = scene.channel(Kind::Discord).unwrap();
    let slow = scene.channel(Kind::Discord).unwrap();
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "SELECT zentry_update_webhook({}, rate_limit => '2/h', rate_group => 'flows of anna', max_events_per_message => 1); \
             SELECT zentry_update_webhook({}, min_interval => '1 hour')",
            paced.id, slow.id
        ))
        .unwrap();
    for _ in 0..3 {
        fire(client).unwrap();
        slow.webhook.wait_for_events(1, SOON);
    }
    paced.webhook.wait_for_events(2, SOON);
    wait_for(
        client,
        "SELECT count(*) FILTER (WHERE status = 'sent') = 3 AND count(*) = 6 FROM zentry_notify.logs",
    )
    .unwrap();
    let subject = |id: i64| format!("webhook {id}");
    wait_for(
        client,
        &format!(
            "SELECT count(*) = 2 FROM zentry_status() WHERE subject IN ('{}', '{}')",
            subject(paced.id),
            subject(slow.id)
        ),
    )
    .unwrap();
    let found = line(client, &subject(paced.id));
    assert_eq!(
        (found.state.as_str(), found.remedy.as_str()),
        ("ok", ""),
        "{found:?}"
    );
    assert!(
        found.detail.starts_with("1 wait for its rate of 2/h, which the group \"flows of anna\" shares: the next message leaves at "),
        "{found:?}"
    );
    let found = line(client, &subject(slow.id));
    assert!(
        found
            .detail
            .starts_with("2 wait for its min_interval of 01:00:00: "),
        "{found:?}"
    );

    // An hour later it is too much for that pace; nobody says that the worker is not there.
    client
        .batch_execute(
            "UPDATE zentry_notify.event SET created_at = created_at - interval '10 minutes'; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'zentry_notify worker'",
        )
        .unwrap();
    let lines = status(client);
    let mut not_ok: Vec<&str> = lines
        .iter()
        .filter(|line| line.state != "ok")
        .map(|line| line.subject.as_str())
        .collect();
    not_ok.sort_unstable();
    assert_eq!(not_ok, [subject(paced.id), subject(slow.id)], "{lines:#?}");
}

/// What gathers is where it should be.
#[test]
fn a_digest_that_gathers_is_not_late() {
    let mut scene = Scene::start().unwrap();
    let gathering = scene.channel(Kind::Discord).unwrap();
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "SELECT zentry_update_webhook({}, digest => '1 day')",
            gathering.id
        ))
        .unwrap();
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'pending'",
    )
    .unwrap();
    client
        .batch_execute("UPDATE zentry_notify.event SET created_at = created_at - interval '2 hours'")
        .unwrap();
    let queue = line(client, "queue");
    assert!(
        queue.state == "ok"
            && queue
                .detail
                .starts_with("1 wait for a digest or the end of quiet hours, until "),
        "{queue:?}"
    );
    // Something else that is late is pointed at, and not the digest.
    scene.database.set("zentry_notify.sending", "off").unwrap();
    let late = scene.channel(Kind::Discord).unwrap();
    let client = &mut scene.client;
    client
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'zentry_notify worker'")
        .unwrap();
    client
        .execute(
            "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, created_at) \
             VALUES ($1, 'task_completed', '{}', now() - interval '1 hour')",
            &[&late.id],
        )
        .unwrap();
    let queue = line(client, "queue");
    assert!(
        queue.state == "attention"
            && queue.detail.starts_with("1 wait, the oldest since ")
            && queue
                .detail
                .ends_with(", and 1 for a digest or the end of quiet hours"),
        "{queue:?}"
    );
    let found = client.query(&queue.remedy, &[]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get::<_, i64>("webhook_integration_id"), late.id);
}
