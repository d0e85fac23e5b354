//! From captured events to deliveries: whatever order transactions commit in, whatever can't be found out, and whenever the worker dies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod enrichment;
mod interrupted;
mod kills;
mod memory;
mod order;
mod settings;
mod truncate;

use postgres::Client;
use zentry_e2e::emulator::{Kind, Limits};
use zentry_e2e::scene::{Channel, SOON, Scene};
use zentry_e2e::wait::eventually;

/// A channel for completed tasks, without a rate limit.
pub fn channel(scene: &mut Scene) -> Channel {
    let channel = scene
        .channel_for(Kind::Discord, None, Some(&["task_completed"]))
        .unwrap();
    channel.webhook.limit(Limits::default());
    channel
}

pub fn number(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap().get(0)
}

/// The process of the database's worker, once it has one.
pub fn worker(client: &mut Client) -> i32 {
    const WORKER: &str = "SELECT pid FROM pg_stat_activity \
                          WHERE datname = current_database() AND backend_type = 'zentry_notify worker'";
    eventually(SOON, "a worker", || {
        client.query_opt(WORKER, &[]).ok()?.map(|row| row.get(0))
    })
    .unwrap()
}

/// Each event has one delivery for each webhook.
pub fn assert_no_pair_twice(client: &mut Client) {
    let twice = number(
        client,
        "SELECT count(*) FROM (SELECT FROM zentry_notify.delivery GROUP BY event_id, webhook_integration_id HAVING count(*) > 1) twice",
    );
    assert_eq!(twice, 0);
}
