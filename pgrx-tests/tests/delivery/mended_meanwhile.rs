//! Webhooks that a person mends or resumes while the worker has an answer of before in hand: what that says is of the webhook as it was.

use std::time::Duration;

use postgres::Client;
use zentry_e2e::emulator::{Behaviour, Kind, Limits, RateLimit, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use super::{channel, scene};

/// Writes an event that both hear of, has the worker wait in the middle of a turn, and then the channel's answer come. What is written before the returned
/// session ends its transaction is read by the worker in the turn in which it hears that answer.
fn answered_meanwhile(scene: &mut Scene, channel: &Channel, number: i64) -> Client {
    let bystander = super::channel(scene, Kind::Connector);
    let before = channel.webhook.requests();
    numbered::complete(&mut scene.client, [number]).unwrap();
    channel.webhook.wait_for(before + 1, SOON);
    bystander.webhook.wait_for_events(1, SOON);
    scene
        .wait_until("the event to be written down", |all| {
            all.iter()
                .any(|delivery| delivery.webhook_integration_id == bystander.id && delivery.status == "sent")
        })
        .unwrap();
    let mut guard = scene.database.connect().unwrap();
    // Where it stands is what the worker writes down last in a turn.
    guard
        .batch_execute("BEGIN; SELECT FROM zentry_notify.route_cursor FOR UPDATE")
        .unwrap();
    numbered::complete(&mut scene.client, [number + 1]).unwrap();
    bystander.webhook.wait_for_events(2, SOON);
    eventually(SOON, "the worker to wait", || {
        let sql = "SELECT FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' AND datname = current_database() \
                   AND wait_event_type = 'Lock'";
        scene.client.query_opt(sql, &[]).ok()?
    })
    .unwrap();
    channel.webhook.release();
    eventually(SOON, "the answer to leave", || {
        (channel.webhook.in_flight() == 0).then_some(())
    })
    .unwrap();
    guard
}

fn change_url(scene: &mut Scene, channel: &Channel, new: &Webhook) {
    let sql = "SELECT zentry_update_webhook($1, webhook_url => $2)";
    scene.client.execute(sql, &[&channel.id, &new.url()]).unwrap();
}

#[test]
fn what_the_old_url_has_answered_switches_nothing_off() {
    let mut scene = scene(&[]);
    let old = channel(&mut scene, Kind::Discord);
    old.webhook.remove();
    old.webhook.script([Behaviour::Held]);
    let new = scene.emulator.register(Kind::Discord);
    new.limit(Limits::default());
    let mut guard = answered_meanwhile(&mut scene, &old, 1);
    change_url(&mut scene, &old, &new);
    guard.batch_execute("ROLLBACK").unwrap();
    numbered::complete(&mut scene.client, [3]).unwrap();
    eventually(SOON, "the new URL to be told", || {
        numbered::accepted(&new).contains(&3).then_some(())
    })
    .unwrap();
    let sql = "SELECT is_active AND switched_off_at IS NULL FROM zentry_notify.webhook WHERE id = $1";
    assert!(scene.client.query_one(sql, &[&old.id]).unwrap().get::<_, bool>(0));
    scene.settle().unwrap();
}

const A_DAY: RateLimit = RateLimit {
    requests: 1,
    per: Duration::from_secs(86_400),
};

/// That the old one was told too much for today says nothing of the new one.
#[test]
fn what_waits_goes_to_a_new_url_at_once() {
    let mut scene = scene(&[]);
    let old = channel(&mut scene, Kind::Workflow);
    old.webhook.limit(Limits {
        announced: Some(A_DAY),
        unannounced: None,
    });
    let new = scene.emulator.register(Kind::Workflow);
    for number in 1..=2 {
        numbered::complete(&mut scene.client, [number]).unwrap();
        old.webhook.wait_for(number.unsigned_abs(), SOON);
    }
    scene
        .wait_until("one to be told to wait", |all| {
            all.iter().any(|delivery| delivery.status == "retry")
        })
        .unwrap();
    change_url(&mut scene, &old, &new);
    assert!(all_sent(&scene.settle().unwrap()));
    assert_eq!(numbered::accepted(&new), [2]);
}

#[test]
fn what_was_told_to_wait_is_sent_when_a_person_resumes_it() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Workflow);
    channel.webhook.limit(Limits {
        announced: Some(A_DAY),
        unannounced: None,
    });
    numbered::complete(&mut scene.client, [1]).unwrap();
    channel.webhook.wait_for_events(1, SOON);
    channel.webhook.script([Behaviour::Held]);
    let mut guard = answered_meanwhile(&mut scene, &channel, 2);
    channel.webhook.limit(Limits::default());
    scene
        .client
        .execute("SELECT zentry_resume($1)", &[&channel.id])
        .unwrap();
    guard.batch_execute("ROLLBACK").unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3]);
}

#[test]
fn a_retry_ends_no_park_of_discord_although_another_webhook_is_resumed_with_it() {
    const AN_HOUR: Duration = Duration::from_secs(3600);
    let mut scene = scene(&[]);
    let failing = channel(&mut scene, Kind::Discord);
    let resumed = channel(&mut scene, Kind::Connector);
    failing.webhook.script([Behaviour::in_an_hour()]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    wait_for_retry(&mut scene, &failing);
    let limited = channel(&mut scene, Kind::Discord);
    limited.webhook.script([Behaviour::RateLimited {
        retry_after: AN_HOUR,
        global: true,
    }]);
    numbered::complete(&mut scene.client, [2]).unwrap();
    wait_for_retry(&mut scene, &limited);
    resumed.webhook.wait_for_events(2, SOON);
    let both = format!(
        "BEGIN; SELECT zentry_retry(min(id)) FROM zentry_notify.notification_log WHERE webhook_integration_id = {}; \
         SELECT zentry_resume({}); COMMIT",
        failing.id, resumed.id
    );
    scene.client.batch_execute(&both).unwrap();
    numbered::complete(&mut scene.client, [3]).unwrap();
    scene
        .wait_until("the third event to be recorded as sent", |all| {
            let sent = all.iter().filter(|delivery| {
                delivery.webhook_integration_id == resumed.id && delivery.status == "sent"
            });
            sent.count() == 3
        })
        .unwrap();
    assert_eq!((failing.webhook.requests(), limited.webhook.requests()), (1, 1));
}

fn wait_for_retry(scene: &mut Scene, channel: &Channel) {
    scene
        .wait_until("a delivery to be tried later", |all| {
            all.iter()
                .any(|delivery| delivery.webhook_integration_id == channel.id && delivery.status == "retry")
        })
        .unwrap();
}
