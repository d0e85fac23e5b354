//! The history of a delivery's attempts: a row for each that came to nothing, kept as long as the delivery.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::wait_for;

use crate::{channel, scene};

#[derive(Debug)]
struct Attempt {
    number: i32,
    at: Timestamp,
    attempt: Option<i32>,
    code: Option<i32>,
    error: String,
    next: Option<Timestamp>,
}

fn attempts(client: &mut Client, delivery: i64) -> Vec<Attempt> {
    let rows = client
        .query(
            "SELECT number, attempted_at, attempt, response_status_code, error_message, next_attempt_at FROM zentry_notify.attempts \
             WHERE log_id = $1 ORDER BY number",
            &[&delivery],
        )
        .unwrap();
    let attempts = rows.iter().map(|row| Attempt {
        number: row.get(0),
        at: row.get(1),
        attempt: row.get(2),
        code: row.get(3),
        error: row.get(4),
        next: row.get(5),
    });
    attempts.collect()
}

fn count(client: &mut Client) -> i64 {
    let row = client.query_one("SELECT count(*) FROM zentry_notify.delivery_attempt", &[]);
    row.unwrap().get(0)
}

#[test]
fn each_attempt_that_came_to_nothing_is_kept_in_order() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    let limit = Behaviour::RateLimited {
        retry_after: Duration::from_secs(2),
        global: false,
    };
    channel.webhook.script([Behaviour::Status(500), limit]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    let delivery = scene.settle().unwrap().remove(0);
    assert_eq!((delivery.status.as_str(), delivery.attempts), ("sent", 2));

    let found = attempts(&mut scene.client, delivery.id);
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.number, one.attempt, one.code))
        .collect();
    assert_eq!(told, [(1, Some(1), Some(500)), (2, None, Some(429))], "{found:?}");
    assert!(found[0].error.starts_with("500: the server failed"), "{found:?}");
    assert!(found[1].error.starts_with("429: "), "{found:?}");
    let (first, second) = (found[0].next.unwrap(), found[1].next.unwrap());
    // Each is tried when it is due, and not before.
    let sent = delivery.sent_at.unwrap();
    assert!(found[0].at < first && first <= found[1].at, "{found:?}");
    assert!(
        found[1].at + 2.seconds() <= second && second <= sent,
        "{found:?} {sent}"
    );
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn what_is_taken_at_once_leaves_nothing_and_what_is_refused_one_row() {
    let mut scene = scene(&[]);
    let (good, bad) = (
        channel(&mut scene, Kind::Discord),
        channel(&mut scene, Kind::Workflow),
    );
    numbered::complete(&mut scene.client, 1..=5).unwrap();
    scene.settle().unwrap();
    assert_eq!(count(&mut scene.client), 0);
    bad.webhook.script([Behaviour::Status(400)]);
    numbered::complete(&mut scene.client, [6]).unwrap();
    let deliveries = scene.settle().unwrap();
    let failed = deliveries.iter().find(|one| one.status == "failed").unwrap();
    let found = attempts(&mut scene.client, failed.id);
    assert_eq!(count(&mut scene.client), 1);
    assert_eq!(
        (found[0].attempt, found[0].code, found[0].next),
        (Some(1), Some(400), None)
    );
    assert_eq!(found[0].error, failed.error_message);
    assert_eq!(good.webhook.events().len(), 6);
}

#[test]
fn no_delivery_has_more_of_them_than_fifty_and_the_last() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    let later = Behaviour::Answer {
        status: 503,
        headers: vec![("Retry-After".to_owned(), "3000".to_owned())],
        body: String::new(),
    };
    channel.webhook.script([later]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    wait_for(
        &mut scene.client,
        "SELECT count(*) = 1 FROM zentry_notify.delivery_attempt",
    )
    .unwrap();
    scene
        .client
        .batch_execute(
            "INSERT INTO zentry_notify.delivery_attempt (delivery_id, attempted_at, next_attempt_at, attempt) \
             SELECT d.id, now() - n * interval '1 minute', now(), n FROM zentry_notify.delivery d, generate_series(1, 49) n",
        )
        .unwrap();
    channel
        .webhook
        .script([Behaviour::Status(500), Behaviour::Status(400)]);
    scene
        .client
        .batch_execute("SELECT zentry_resume(id) FROM zentry_notify.webhooks")
        .unwrap();
    let delivery = scene.settle().unwrap().remove(0);
    let found = attempts(&mut scene.client, delivery.id);
    assert_eq!(found.len(), 51, "{found:?}");
    assert_eq!(found.last().unwrap().code, Some(400));
}

#[test]
fn they_go_with_their_delivery() {
    let mut scene = scene(&[]);
    let fail = |scene: &mut Scene, task: i64| {
        let channel = channel(scene, Kind::Discord);
        channel.webhook.script([Behaviour::Status(400)]);
        numbered::complete(&mut scene.client, [task]).unwrap();
        let deliveries = scene.settle().unwrap();
        assert_eq!(count(&mut scene.client), 1);
        (channel, deliveries.last().unwrap().id)
    };
    let (first, _) = fail(&mut scene, 1);
    scene
        .client
        .execute("SELECT zentry_delete_webhook($1)", &[&first.id])
        .unwrap();
    assert_eq!(count(&mut scene.client), 0);

    let (second, id) = fail(&mut scene, 2);
    scene
        .client
        .execute("DELETE FROM zentry_notify.notification_log WHERE id = $1", &[&id])
        .unwrap();
    assert_eq!(count(&mut scene.client), 0);
    scene
        .client
        .execute("SELECT zentry_delete_webhook($1)", &[&second.id])
        .unwrap();

    // By hand, and by the time that the log is kept. The worker looks for either once a minute.
    let (third, id) = fail(&mut scene, 3);
    scene
        .client
        .batch_execute(&format!(
            "UPDATE zentry_notify.delivery SET finished_at = now() - interval '2 days' WHERE id = {id}; \
             INSERT INTO zentry_notify.delivery_attempt (delivery_id, attempted_at) VALUES (0, now())"
        ))
        .unwrap();
    scene.database.set("zentry_notify.log_retention", "1d").unwrap();
    third.webhook.wait_for(1, SOON);
    numbered::complete(&mut scene.client, [4]).unwrap();
    wait_for(
        &mut scene.client,
        "SELECT count(*) = 0 FROM zentry_notify.delivery_attempt",
    )
    .unwrap();
    let left: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM zentry_notify.delivery WHERE id = $1",
            &[&id],
        )
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
}
