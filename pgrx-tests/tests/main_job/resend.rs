//! Sample events, and deliveries that are sent again.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{Channel, Delivery, Scene, all_sent};
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, connect_listening, sqlstate, webhook_ids};

const EVENTS: [&str; 5] = [
    "task_completed",
    "badge_earned",
    "project_created",
    "milestone_reached",
    "daily_streak",
];

fn fire(scene: &mut Scene) {
    zentry::extend_streak(&mut scene.client, id::ADA).unwrap();
}

/// An event whose delivery has failed once and waits for an hour; the delivery.
fn fire_held(scene: &mut Scene, channel: &Channel) -> Delivery {
    channel.webhook.script([Behaviour::in_an_hour()]);
    fire(scene);
    let held = waiting(scene, "retry");
    assert_eq!(held.len(), 1);
    held[0].clone()
}

#[test]
fn a_sample_of_each_event_arrives() {
    let mut scene = Scene::start().unwrap();
    let channels = Kind::ALL.map(|kind| scene.channel(kind).unwrap());
    for event_type in EVENTS {
        let ids: Vec<i64> = scene
            .client
            .query("SELECT zentry_test_event($1)", &[&event_type])
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let deliveries = scene.settle().unwrap();
        let fired: Vec<i64> = deliveries
            .iter()
            .filter(|delivery| delivery.event_type == event_type && delivery.status == "sent")
            .map(|delivery| delivery.id)
            .collect();
        assert_eq!(fired, ids, "{event_type}");
        assert_eq!(ids.len(), Kind::ALL.len());
    }
    for channel in &channels {
        assert_eq!(channel.webhook.event_count(), 5);
    }
    assert_clean(&scene);
}

#[test]
fn a_sample_goes_to_those_who_hear_of_its_project() {
    let mut scene = Scene::start().unwrap();
    let everywhere = scene.channel(Kind::Discord).unwrap();
    let website = scene.channel_for(Kind::Discord, Some(id::WEBSITE), None).unwrap();
    let app = scene
        .channel_for(Kind::Discord, Some(id::MOBILE_APP), None)
        .unwrap();
    scene
        .client
        .query("SELECT zentry_test_event('milestone_reached', 2)", &[])
        .unwrap();
    // Without a project the first one that has a webhook.
    scene.client.query("SELECT zentry_test_event()", &[]).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(webhook_ids(&fired, "milestone_reached"), [everywhere.id, app.id]);
    assert_eq!(webhook_ids(&fired, "task_completed"), [everywhere.id, website.id]);
    assert_clean(&scene);
}

#[test]
fn a_failed_delivery_is_sent_again_as_a_new_one() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel
        .webhook
        .script([Behaviour::Status(400), Behaviour::Status(400)]);
    fire(&mut scene);
    let failed = scene.settle().unwrap().remove(0);
    assert_eq!(failed.status, "failed");
    let retry = |scene: &mut Scene, delivery: i64| -> i64 {
        scene
            .client
            .query_one("SELECT zentry_retry($1)", &[&delivery])
            .unwrap()
            .get(0)
    };
    let second = retry(&mut scene, failed.id);
    scene.settle().unwrap();
    let third = retry(&mut scene, second);
    let deliveries = scene.settle().unwrap();
    let told: Vec<(i64, &str, i32, Option<i64>)> = deliveries
        .iter()
        .map(|d| (d.id, d.status.as_str(), d.retry_count, d.retry_of))
        .collect();
    assert_eq!(
        told,
        [
            (failed.id, "failed", 0, None),
            (second, "failed", 1, Some(failed.id)),
            (third, "sent", 2, Some(second)),
        ]
    );
    assert_eq!(deliveries[2].payload, failed.payload);
    assert_eq!(channel.webhook.event_count(), 1);
    // Neither what was sent, nor what was repeated already and is sent by now.
    for done in [third, second, failed.id] {
        let refused = scene.client.query_one("SELECT zentry_retry($1)", &[&done]);
        assert_eq!(sqlstate(refused), "55000", "{done}");
    }
    assert_eq!(scene.deliveries().unwrap().len(), 3);
    assert_clean(&scene);
}

#[test]
fn a_chain_ends_after_three_retries() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.always(Behaviour::Status(400));
    fire(&mut scene);
    for count in 0..3 {
        let last = scene.settle().unwrap().pop().unwrap();
        assert_eq!((last.status.as_str(), last.retry_count), ("failed", count));
        scene
            .client
            .query_one("SELECT zentry_retry($1)", &[&last.id])
            .unwrap();
    }
    let last = scene.settle().unwrap().pop().unwrap();
    assert_eq!((last.status.as_str(), last.retry_count), ("failed", 3));
    let refused = scene.client.query_one("SELECT zentry_retry($1)", &[&last.id]);
    assert_eq!(sqlstate(refused), "55000");
    assert_eq!(channel.webhook.requests(), 4);
}

#[test]
fn a_delivery_that_waits_for_its_next_attempt_is_sent_now() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let waits = fire_held(&mut scene, &channel);
    let same: i64 = scene
        .client
        .query_one("SELECT zentry_retry($1)", &[&waits.id])
        .unwrap()
        .get(0);
    assert_eq!(same, waits.id);
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(
        (deliveries[0].status.as_str(), deliveries[0].retry_count),
        ("sent", 0)
    );
    assert_eq!(
        (channel.webhook.requests(), channel.webhook.event_count()),
        (2, 1)
    );
    assert_clean(&scene);
}

#[test]
fn a_delivery_is_sent_now_though_its_endpoint_asked_to_be_left_alone() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::in_an_hour()]);
    fire(&mut scene);
    let waits = waiting(&mut scene, "retry").remove(0);
    scene
        .client
        .query_one("SELECT zentry_retry($1)", &[&waits.id])
        .unwrap();
    let sent = scene.settle().unwrap().remove(0);
    assert_eq!(
        (sent.id, sent.status.as_str(), sent.attempts),
        (waits.id, "sent", 2)
    );
    assert_clean(&scene);
}

#[test]
fn those_that_wait_before_a_delivery_are_sent_with_it() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::in_an_hour()]);
    let mut transaction = scene.client.transaction().unwrap();
    for _ in 0..4 {
        zentry::extend_streak(&mut transaction, id::ADA).unwrap();
    }
    transaction.commit().unwrap();
    let failed = scene
        .wait_until("all to wait for an hour", |all| {
            all.len() == 4 && all.iter().all(|delivery| delivery.status == "retry")
        })
        .unwrap();
    scene
        .client
        .query_one("SELECT zentry_retry($1)", &[&failed[2].id])
        .unwrap();
    let all = scene
        .wait_until("the third to be sent", |all| all[2].status == "sent")
        .unwrap();
    let states: Vec<&str> = all.iter().map(|delivery| delivery.status.as_str()).collect();
    assert_eq!(states, ["sent", "sent", "sent", "retry"]);
    assert_eq!(all[3].next_attempt_at, failed[3].next_attempt_at);
    assert_clean(&scene);
}

#[test]
fn a_rate_limit_holds_for_everybody_and_the_caller_hears_how_long() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::RateLimited {
        retry_after: Duration::from_secs(3_600),
        global: false,
    }]);
    fire(&mut scene);
    let waits = waiting(&mut scene, "retry").remove(0);
    let (mut client, notices) = connect_listening(&scene.database, "postgres");
    let id: i64 = client
        .query_one("SELECT zentry_retry($1)", &[&waits.id])
        .unwrap()
        .get(0);
    assert_eq!(id, waits.id);
    let told = notices.take();
    let shown: String = client
        .query_one("SELECT ($1::timestamptz)::text", &[&waits.next_attempt_at])
        .unwrap()
        .get(0);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0].message(),
        format!("delivery {} waits for a rate limit until {shown}", waits.id)
    );
    assert_eq!(scene.deliveries().unwrap(), [waits]);
    assert_eq!(channel.webhook.requests(), 1);
}

fn waiting(scene: &mut Scene, status: &str) -> Vec<Delivery> {
    scene
        .wait_until(&format!("a delivery in status {status}"), |deliveries| {
            deliveries.iter().any(|delivery| delivery.status == status)
        })
        .unwrap()
}

#[test]
fn all_that_failed_is_sent_again_once() {
    let mut scene = Scene::start().unwrap();
    let one = scene.channel(Kind::Discord).unwrap();
    let two = scene.channel(Kind::Connector).unwrap();
    for channel in [&one, &two] {
        channel.webhook.always(Behaviour::Status(400));
    }
    fire(&mut scene);
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER).unwrap();
    let failed = scene.settle().unwrap();
    assert!(
        !failed.is_empty() && failed.iter().all(|delivery| delivery.status == "failed"),
        "{failed:#?}"
    );
    one.webhook.recover();
    two.webhook.recover();

    let again = |scene: &mut Scene, arguments: &str| -> i64 {
        let count: i64 = scene
            .client
            .query_one(&format!("SELECT zentry_retry_failed({arguments})"), &[])
            .unwrap()
            .get(0);
        scene.settle().unwrap();
        count
    };
    assert_eq!(again(&mut scene, "since => now() + interval '1 minute'"), 0);
    assert_eq!(again(&mut scene, &format!("{}, 'badge_earned'", two.id)), 1);
    assert_eq!((one.webhook.event_count(), two.webhook.event_count()), (0, 1));
    assert_eq!(two.webhook.shown()[0].title, "🏆 Badge Earned");
    assert_eq!(again(&mut scene, ""), 3);
    assert_eq!((one.webhook.event_count(), two.webhook.event_count()), (2, 2));
    assert_eq!(again(&mut scene, ""), 0);
    assert_clean(&scene);
}

#[test]
fn a_webhook_that_is_registered_later_hears_of_later_events() {
    let mut scene = Scene::start().unwrap();
    let first = scene.channel(Kind::Discord).unwrap();
    let held = fire_held(&mut scene, &first);
    let second = scene.channel(Kind::Discord).unwrap();
    fire(&mut scene);
    second.webhook.wait_for_events(1, zentry_e2e::scene::SOON);
    scene
        .client
        .query_one("SELECT zentry_retry($1)", &[&held.id])
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(
        webhook_ids(&deliveries, "daily_streak"),
        [first.id, first.id, second.id]
    );
    assert_eq!(
        (first.webhook.event_count(), second.webhook.event_count()),
        (2, 1)
    );
    assert_clean(&scene);
}

#[test]
fn what_waits_goes_to_the_new_url() {
    let mut scene = Scene::start().unwrap();
    let old = scene.channel(Kind::Discord).unwrap();
    old.webhook.script([Behaviour::in_an_hour()]);
    fire(&mut scene);
    waiting(&mut scene, "retry");
    fire(&mut scene);
    let new = scene.emulator.workflow();
    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, webhook_type => 'teams', webhook_url => $2)",
            &[&old.id, &new.url()],
        )
        .unwrap();
    // The wait was the old URL's.
    new.wait_for_events(2, zentry_e2e::scene::SOON);
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries.len(), 2);
    assert!(all_sent(&deliveries));
    assert_eq!((old.webhook.requests(), new.event_count()), (1, 2));
    assert_clean(&scene);
}

#[test]
fn what_waits_goes_with_its_webhook() {
    let mut scene = Scene::start().unwrap();
    let gone = scene.channel(Kind::Discord).unwrap();
    let stays = scene.channel(Kind::Discord).unwrap();
    gone.webhook.script([Behaviour::in_an_hour()]);
    fire(&mut scene);
    waiting(&mut scene, "retry");
    fire(&mut scene);
    scene
        .client
        .execute("SELECT zentry_delete_webhook($1)", &[&gone.id])
        .unwrap();
    fire(&mut scene);
    let deliveries = scene.settle().unwrap();
    assert_eq!(webhook_ids(&deliveries, "daily_streak"), [stays.id; 3]);
    assert_eq!((gone.webhook.requests(), stays.webhook.event_count()), (1, 3));
    assert_clean(&scene);
}

/// Its row is gone when the answer comes: nothing is there to be recorded, and nothing fails.
#[test]
fn a_webhook_that_is_deleted_while_its_message_is_under_way() {
    let mut scene = Scene::start().unwrap();
    let gone = scene.channel(Kind::Discord).unwrap();
    let stays = scene.channel(Kind::Discord).unwrap();
    gone.webhook.script([Behaviour::Slow(Duration::from_millis(300))]);
    fire(&mut scene);
    gone.webhook.wait_for(1, zentry_e2e::scene::SOON);
    scene
        .client
        .execute("SELECT zentry_delete_webhook($1)", &[&gone.id])
        .unwrap();
    fire(&mut scene);
    let deliveries = scene.settle().unwrap();
    assert_eq!(webhook_ids(&deliveries, "daily_streak"), [stays.id; 2]);
    assert_clean(&scene);
}
