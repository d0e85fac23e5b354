//! What is finished, or parked, costs nothing.

use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::numbered;
use zentry_e2e::scene::SOON;
use zentry_e2e::wait::eventually;

use crate::{channel, is_true, scene};

/// Rows of the log that anybody has read so far. The worker reports its own after each transaction.
fn rows_read(client: &mut Client) -> i64 {
    const READ: &str = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables \
                        WHERE relid IN ('zentry_notify.delivery'::regclass, 'zentry_notify.event'::regclass, 'zentry_notify.event_detail'::regclass)";
    client.query_one(READ, &[]).unwrap().get(0)
}

#[test]
fn a_delivery_reads_neither_finished_rows_nor_those_of_parked_channels() {
    const ROUNDS: i64 = 20;
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Workflow);
    scene
        .client
        .batch_execute(
            "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url)
               SELECT 'parked', webhook_type, webhook_url FROM zentry_notify.webhook_integration, generate_series(1, 500);
             INSERT INTO zentry_notify.webhook_circuit (webhook_integration_id, failures, opened_at, next_try_at, error_message)
               SELECT id, 9, now(), now() + interval '1 hour', '' FROM zentry_notify.webhook_integration WHERE name = 'parked';
             INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, status)
               SELECT -1, id, 'task_completed', 'r' FROM zentry_notify.webhook_integration, generate_series(1, 20)
                WHERE name = 'parked';
             INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, status, finished_at)
               SELECT -1, id, 'task_completed', 's', now() FROM zentry_notify.webhook_integration, generate_series(1, 10000)
                WHERE name <> 'parked'",
        )
        .unwrap();
    // Only one channel is to hear of what follows.
    scene
        .client
        .batch_execute(
            "UPDATE zentry_notify.webhook_integration SET event_types = '[\"daily_streak\"]' WHERE name = 'parked'",
        )
        .unwrap();
    numbered::complete(&mut scene.client, [1]).unwrap();
    channel.webhook.wait_for_events(1, SOON);

    let before = rows_read(&mut scene.client);
    for number in 2..=1 + ROUNDS {
        numbered::complete(&mut scene.client, [number]).unwrap();
        channel.webhook.wait_for_events(number.unsigned_abs(), SOON);
    }
    const RECORDED: &str =
        "(SELECT sent FROM zentry_notify.webhook_count WHERE webhook_integration_id = $1) = $2";
    eventually(SOON, "the outcomes to be recorded", || {
        is_true(&mut scene.client, RECORDED, &[&channel.id, &(1 + ROUNDS)]).then_some(())
    })
    .unwrap();
    let read = rows_read(&mut scene.client) - before;
    // The worker has read each event; else this would count nothing.
    assert!(
        (ROUNDS..5_000).contains(&read),
        "{read} rows were read for {ROUNDS} deliveries"
    );
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
