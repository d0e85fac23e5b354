//! zentry_stats() counts what happened, whatever becomes of the log and of the server.

use std::time::Duration;

use postgres::Client;
use zentry_e2e::cluster::{ClusterOptions, StopMode};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::zentry::{self, id};

/// A row of zentry_stats().
#[derive(Debug, PartialEq)]
struct Stat {
    event_type: String,
    sent: i64,
    failed: i64,
    retried: i64,
    requests: i64,
    per_message: Option<f64>,
}

/// Those of one webhook, once `sent` and `failed` add up to `finished`: counters follow the outcomes within a second.
fn stats(client: &mut Client, webhook: i64, since: &str, finished: i64) -> Vec<Stat> {
    wait_for(
        client,
        &format!(
            "SELECT coalesce(sum(sent + failed), 0) = {finished} FROM zentry_stats({since}) WHERE webhook_id = {webhook} AND event_type = '*'"
        ),
    )
    .unwrap();
    let sql = format!(
        "SELECT event_type, sent, failed, retried, requests, events_per_message::float8 FROM zentry_stats({since}) WHERE webhook_id = $1"
    );
    let rows = client.query(&sql, &[&webhook]).unwrap();
    rows.iter()
        .map(|row| Stat {
            event_type: row.get(0),
            sent: row.get(1),
            failed: row.get(2),
            retried: row.get(3),
            requests: row.get(4),
            per_message: row.get(5),
        })
        .collect()
}

fn stat(
    event_type: &str,
    sent: i64,
    failed: i64,
    retried: i64,
    requests: i64,
    per_message: Option<f64>,
) -> Stat {
    Stat {
        event_type: event_type.to_owned(),
        sent,
        failed,
        retried,
        requests,
        per_message,
    }
}

#[test]
fn every_request_and_what_became_of_it() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([
        Behaviour::Status(500),
        Behaviour::RateLimited {
            retry_after: Duration::from_millis(10),
            global: false,
        },
    ]);
    fire(&mut scene.client).unwrap();
    scene.settle().unwrap();
    assert_eq!(
        stats(&mut scene.client, channel.id, "'1 minute'", 1),
        [
            stat("*", 1, 0, 1, 3, Some(1.0)),
            stat("daily_streak", 1, 0, 1, 3, Some(1.0))
        ]
    );
    channel.webhook.script([Behaviour::Status(400)]);
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER).unwrap();
    scene.settle().unwrap();
    assert_eq!(
        stats(&mut scene.client, channel.id, "'1 day'", 2),
        [
            stat("*", 1, 1, 1, 4, Some(1.0)),
            stat("badge_earned", 0, 1, 0, 1, None),
            stat("daily_streak", 1, 0, 1, 3, Some(1.0)),
        ]
    );
}

#[test]
fn a_message_of_several_types_counts_for_each_and_once_for_all() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let mut transaction = scene.client.transaction().unwrap();
    for _ in 0..3 {
        zentry::extend_streak(&mut transaction, id::CHEN).unwrap();
    }
    zentry::award_badge(&mut transaction, id::CHEN, id::TASK_MASTER).unwrap();
    transaction.commit().unwrap();
    scene.settle().unwrap();
    assert_eq!(channel.webhook.requests(), 1);
    assert_eq!(
        stats(&mut scene.client, channel.id, "NULL", 4),
        [
            stat("*", 4, 0, 0, 1, Some(4.0)),
            stat("badge_earned", 1, 0, 0, 1, Some(1.0)),
            stat("daily_streak", 3, 0, 0, 1, Some(3.0)),
        ]
    );
}

#[test]
fn latency_is_from_the_event_to_the_answer() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::Status(500)]);
    fire(&mut scene.client).unwrap();
    scene.settle().unwrap();
    stats(&mut scene.client, channel.id, "'1 hour'", 1);
    let exact = "SELECT extract(epoch FROM sent_at - created_at)::float8 FROM zentry_notify.logs";
    let exact: f64 = scene.client.query_one(exact, &[]).unwrap().get(0);
    let row = scene
        .client
        .query_one(
            "SELECT p50::float8, p95::float8, p99::float8, latency_sum, latency_bounds FROM zentry_stats() \
             JOIN zentry_notify.delivery_totals d USING (event_type), zentry_notify.latency_bounds() WHERE event_type = '*'",
            &[],
        )
        .unwrap();
    for quantile in 0..3 {
        let found: f64 = row.get(quantile);
        // The width of a bucket, and rounding.
        assert!(
            found / exact < 1.4150 + 0.001 && exact / found < 1.4150 + 0.001,
            "{found} for {exact}"
        );
    }
    let sum: f64 = row.get(3);
    assert!((sum - exact).abs() < 1e-4, "{sum} for {exact}");
    let bounds: Vec<f64> = row.get(4);
    assert_eq!((bounds.len(), bounds[0], bounds[20]), (54, 0.001, 1.024));
}

/// What `zentry_stats_by_hour(arguments)` has: how many hours, and of those with deliveries their age in hours, sent, failed, and
/// whether there is a latency.
fn by_hour(client: &mut Client, arguments: &str) -> (i64, Vec<(i64, i64, i64, bool)>) {
    let sql = format!(
        "SELECT count(*) OVER (), (extract(epoch FROM date_trunc('hour', now(), 'UTC') - hour) / 3600)::bigint, sent, failed, \
                p50 <= p95 AND p95 <= p99 FROM zentry_stats_by_hour({arguments}) ORDER BY sent + failed = 0, hour"
    );
    let rows = client.query(&sql, &[]).unwrap();
    let busy = rows
        .iter()
        .filter(|row| row.get::<_, i64>(2) + row.get::<_, i64>(3) > 0);
    (
        rows[0].get(0),
        busy.map(|row| {
            (
                row.get(1),
                row.get(2),
                row.get(3),
                row.get::<_, Option<bool>>(4) == Some(true),
            )
        })
        .collect(),
    )
}

#[test]
fn every_hour_has_its_row() {
    let mut scene = Scene::start().unwrap();
    let (one, other) = (
        scene.channel(Kind::Discord).unwrap(),
        scene.channel(Kind::Discord).unwrap(),
    );
    other.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene.client).unwrap();
    scene.settle().unwrap();
    stats(&mut scene.client, one.id, "'1 hour'", 1);
    stats(&mut scene.client, other.id, "'1 hour'", 1);
    // By the minute as they are written, and by the hour as they are kept: with the one that was before, in one hour together.
    scene
        .client
        .batch_execute(
            "UPDATE zentry_notify.delivery_stat SET since = date_trunc('hour', now(), 'UTC') WHERE span = 'minute'; \
             INSERT INTO zentry_notify.delivery_stat SELECT 'hour', since - n * interval '1 hour', webhook_integration_id, event_type, \
                    10 * sent, 10 * failed, retried, requests, messages, rate_limited, latency_sum, latency \
               FROM zentry_notify.delivery_stat, unnest('{0,2,30}'::integer[]) AS n WHERE span = 'minute'",
        )
        .unwrap();
    let client = &mut scene.client;
    assert_eq!(
        by_hour(client, ""),
        (24, vec![(2, 10, 10, true), (0, 11, 11, true)])
    );
    assert_eq!(
        by_hour(client, &format!("1, {}", one.id)),
        (1, vec![(0, 11, 0, true)])
    );
    let (hours, busy) = by_hour(client, &format!("31, {}", other.id));
    assert_eq!(
        (hours, busy),
        (31, vec![(30, 0, 10, false), (2, 0, 10, false), (0, 0, 11, false)])
    );
    // The hours are UTC's, wherever the session is.
    client.batch_execute("SET timezone = 'Asia/Kolkata'").unwrap();
    assert_eq!(by_hour(client, "3").1.len(), 2);
    for (arguments, code) in [
        ("0", "22023"),
        ("2161", "22023"),
        ("NULL", "22023"),
        ("1, 987654321", "P0002"),
    ] {
        let sql = format!("SELECT * FROM zentry_stats_by_hour({arguments})");
        let refused = client.query(&sql, &[]).unwrap_err();
        assert_eq!(refused.code().unwrap().code(), code, "{arguments}");
    }
}

#[test]
fn counters_outlive_the_log_and_the_server() {
    let mut site = Site::start(ClusterOptions::default().set("zentry_notify.log_retention", "10d")).unwrap();
    let mut client = site.database("shop").unwrap();
    let channel = site.channel(&mut client).unwrap();
    fire(&mut client).unwrap();
    wait_for(
        &mut client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'sent'",
    )
    .unwrap();
    let before = stats(&mut client, channel.id, "NULL", 1);
    client
        .batch_execute("DELETE FROM zentry_notify.notification_log")
        .unwrap();
    // As if three hours, and then eleven days, had passed; a worker that starts puts its house in order.
    for (span, age, left) in [("minute", "3 hours", 1), ("hour", "11 days", 0)] {
        client
            .batch_execute(&format!(
                "UPDATE zentry_notify.delivery_stat SET since = since - interval '{age}' WHERE span = '{span}'"
            ))
            .unwrap();
        drop(client);
        site.cluster.restart(StopMode::Immediate).unwrap();
        client = site.connect("shop").unwrap();
        wait_for(
            &mut client,
            &format!(
                "SELECT count(*) FILTER (WHERE span = 'minute') = 0 AND count(*) FILTER (WHERE span = 'hour' AND event_type = '*') = {left} \
                 FROM zentry_notify.delivery_stat"
            ),
        )
        .unwrap();
        assert_eq!(
            stats(&mut client, channel.id, "'1 day'", left).is_empty(),
            left == 0
        );
        assert_eq!(stats(&mut client, channel.id, "NULL", 1), before);
    }
}

#[test]
fn what_waited_for_a_webhook_that_is_gone_has_failed() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::Status(404)]);
    let mut transaction = scene.client.transaction().unwrap();
    for _ in 0..25 {
        zentry::extend_streak(&mut transaction, id::CHEN).unwrap();
    }
    transaction.commit().unwrap();
    scene.settle().unwrap();
    let found = stats(&mut scene.client, channel.id, "'1 hour'", 25);
    assert_eq!(found[0], stat("*", 0, 25, 0, 1, None));
    scene
        .client
        .execute("SELECT zentry_delete_webhook($1)", &[&channel.id])
        .unwrap();
    let left = "SELECT count(*) FROM zentry_notify.delivery_stat";
    assert_eq!(scene.client.query_one(left, &[]).unwrap().get::<_, i64>(0), 0);
}
