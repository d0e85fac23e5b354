//! A sender that is somebody else's program: what it keeps open, and what it makes up.

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, all_sent};
use zentry_e2e::wait::eventually;

use super::calls::{Calls, take_soon};
use super::sender::{Sender, channels, scene};

#[test]
fn a_sender_that_keeps_a_transaction_open_holds_up_nothing_but_what_it_holds() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let held = channels(&mut scene, 2)?;
    let mut hostile = Calls::begin(&scene, &login)?;
    eventually(SOON, "the webhooks to be offered", || {
        let sql = "SELECT count(*) FROM zentry_notify.sender_queue q WHERE q.sender_id = $1";
        hostile.take().ok()?;
        (scene
            .client
            .query_one(sql, &[&hostile.sender])
            .ok()?
            .get::<_, i64>(0)
            == 2)
            .then_some(())
    })?;
    let ids: Vec<i64> = held.iter().map(|channel| channel.id).collect();
    hostile.client.batch_execute("BEGIN")?;
    let sql = "SELECT zentry_notify.release_queues($1, $2)";
    hostile.client.query_one(sql, &[&hostile.sender, &ids])?;
    numbered::complete(&mut scene.client, 1..=3)?;
    scene.database.set("zentry_notify.senders", "local")?;
    let free = scene.channel(Kind::Discord)?;
    for number in 4..=6 {
        numbered::complete(&mut scene.client, [number])?;
        free.webhook.wait_for_events(u64::try_from(number - 3)?, SOON);
    }
    // Nobody else posts what it holds.
    for channel in &held {
        assert_eq!(channel.webhook.requests(), 0);
    }
    drop(hostile);
    assert!(all_sent(&scene.settle()?));
    for channel in &held {
        assert_eq!(numbered::accepted(&channel.webhook), (1..=6).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn what_a_sender_makes_up_stops_neither_others_nor_the_worker() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut hostile = Calls::begin(&scene, &login)?;
    let (queue, epoch) = take_soon(&mut hostile)?;
    numbered::complete(&mut scene.client, [1])?;
    let delivery = eventually(SOON, "the delivery to wait", || {
        hostile.waiting(queue).ok()?.pop()
    })?;
    let sql = "SELECT activated_at::text FROM zentry_notify.webhook WHERE id = $1";
    let since: String = scene.client.query_one(sql, &[&queue])?.get(0);
    let long = "x".repeat(100_000);
    let misses: Vec<Value> = (0..1000)
        .map(|number| {
            let at = format!("2026-01-01T00:00:00.{number:03}Z");
            json!({"id": delivery, "webhook_id": queue, "at": at, "attempt": -1, "error": long})
        })
        .collect();
    let tally = |event_type: &str| {
        json!({
            "webhook_id": queue, "event_type": event_type, "sent": i64::MAX, "failed": -5, "retried": 0, "requests": 0, "messages": i64::MAX,
            "rate_limited": 0, "latency_sum": "NaN", "latency": vec![i64::MAX; 1000],
        })
    };
    let report = json!({
        "epochs": [{"webhook_id": queue, "epoch": epoch}],
        "deliveries": [{"id": delivery, "webhook_id": queue, "status": "r", "attempts": -3, "body": long, "error": long, "next_attempt_at": "-infinity"}],
        "misses": misses,
        "opened": [{"webhook_id": queue, "failures": -1, "since": "-infinity", "next_try": "-infinity", "error": long}],
        "in_a_row": [{"webhook_id": queue, "since": since, "failures": -5, "refusals": -5, "limits": -5, "posts": ["infinity", "-infinity", null]}],
        "tally": [tally("task_completed"), tally("made_up")],
    });
    for _ in 0..3 {
        assert_eq!(hostile.report(&report)?, [0; 0]);
    }
    drop(hostile);
    let sql = "SELECT (SELECT count(*) FROM zentry_notify.delivery_attempt) <= 100 \
               AND (SELECT max(length(error_message)) FROM zentry_notify.delivery_attempt) <= 1000 \
               AND (SELECT max(length(error_message) + length(response_body)) FROM zentry_notify.delivery) <= 2000 \
               AND (SELECT max(length(error_message)) FROM zentry_notify.webhook_circuit) <= 1000 \
               AND (SELECT bool_and(event_type = 'task_completed' AND latency_sum < 'Infinity' AND sent BETWEEN 0 AND 10 ^ 10) \
                      FROM zentry_notify.delivery_stat)";
    assert!(scene.client.query_one(sql, &[])?.get::<_, bool>(0));
    let sender = Sender::start(&mut scene, &login)?;
    assert!(all_sent(&scene.settle()?));
    sender.end()?;
    scene.database.set("zentry_notify.senders", "local")?;
    numbered::complete(&mut scene.client, [2])?;
    assert!(all_sent(&scene.settle()?));
    assert_eq!(numbered::accepted(&channel.webhook), [1, 2]);
    Ok(())
}
