//! Delivery from end to end: order, pace, failures and what becomes of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attempts;
mod circuit;
mod coalescing;
mod cost;
mod destinations;
mod digest;
mod expiry;
mod files;
mod gone;
mod in_a_row;
mod independence;
mod mended_meanwhile;
mod nats;
mod nats_servers;
mod notices;
mod ntfy;
mod order;
mod outages;
mod rate_limits;
mod refusals;
mod retry;
mod shutdown;
mod signed;
mod vendors;
mod ways_of_all_databases;
mod ways_out;

use postgres::Client;
use postgres::types::ToSql;
use zentry_e2e::emulator::{Kind, Limits, Webhook};
use zentry_e2e::scene::{Channel, Delivery, SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

/// What most channels hear, so that nothing else comes between.
pub const TASKS: Option<&[&str]> = Some(&["task_completed"]);

/// A scene whose worker has these settings from its start.
pub fn scene(settings: &[(&str, &str)]) -> Scene {
    let mut scene = Scene::empty().unwrap();
    for (name, value) in settings {
        scene
            .database
            .set(&format!("zentry_notify.{name}"), value)
            .unwrap();
    }
    zentry::load(&mut scene.client).unwrap();
    scene.install().unwrap();
    scene
}

/// A channel for completed tasks, without a rate limit.
pub fn channel(scene: &mut Scene, kind: Kind) -> Channel {
    let channel = scene.channel_for(kind, None, TASKS).unwrap();
    channel.webhook.limit(Limits::default());
    channel
}

pub fn set(scene: &mut Scene, channel: &Channel, column: &str, value: &str) {
    let update = format!(
        "UPDATE zentry_notify.webhook_integration SET {column} = '{value}' WHERE id = {}",
        channel.id
    );
    scene.client.batch_execute(&update).unwrap();
}

/// The channel's deliveries, oldest first.
pub fn of<'a>(deliveries: &'a [Delivery], channel: &Channel) -> Vec<&'a Delivery> {
    let own = deliveries
        .iter()
        .filter(|delivery| delivery.webhook_integration_id == channel.id);
    own.collect()
}

/// How many events were in each message that was taken.
pub fn sizes(webhook: &Webhook) -> Vec<usize> {
    let received = webhook.received();
    let accepted = received.iter().filter(|received| received.accepted());
    accepted.map(|received| received.events().len()).collect()
}

/// What a message has of a task, and of none whose number only begins so: its title is bold, or a string of JSON.
pub fn task(kind: Kind, number: i64) -> String {
    match kind {
        Kind::GoogleChat => format!("Task {number}<"),
        Kind::Signed => format!("Task {number}\""),
        _ => format!("Task {number}*"),
    }
}

/// The process of the database's worker, once it has one.
pub fn worker(client: &mut Client) -> i32 {
    const WORKER: &str = "SELECT pid FROM pg_stat_activity \
                          WHERE datname = current_database() AND backend_type = 'zentry_notify worker'";
    eventually(SOON, "a worker", || {
        client.query_opt(WORKER, &[]).unwrap().map(|row| row.get(0))
    })
    .unwrap()
}

/// Ends the database's worker in good order; returns when another one is there, which knows what the tables say.
pub fn replace_worker(client: &mut Client) {
    let old = worker(client);
    client
        .execute("SELECT pg_terminate_backend($1)", &[&old])
        .unwrap();
    eventually(SOON, "another worker", || (worker(client) != old).then_some(())).unwrap();
}

pub fn is_true(client: &mut Client, condition: &str, parameters: &[&(dyn ToSql + Sync)]) -> bool {
    client
        .query_one(&format!("SELECT {condition}"), parameters)
        .unwrap()
        .get(0)
}
