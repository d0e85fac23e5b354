//! What is not the message's fault loses nothing: an edge, web pages, a channel that takes nothing, limits of a period.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use crate::{channel, is_true, of, replace_worker, scene, set};

pub fn answer(status: u16, body: &str) -> Behaviour {
    Behaviour::Answer {
        status,
        headers: Vec::new(),
        body: body.to_owned(),
    }
}

pub fn page(status: u16) -> Behaviour {
    Behaviour::Answer {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: "<html><body>Please log in</body></html>".to_owned(),
    }
}

pub fn state(scene: &mut Scene, channel: &Channel) -> (String, Option<String>) {
    let row = scene.client.query_one(
        "SELECT state, reason FROM zentry_notify.webhooks WHERE id = $1",
        &[&channel.id],
    );
    let row = row.unwrap();
    (row.get(0), row.get(1))
}

pub fn wait_for_state(scene: &mut Scene, channel: &Channel, wanted: &str) -> Option<String> {
    eventually(SOON, wanted, || {
        let (state, reason) = state(scene, channel);
        (state == wanted).then_some(reason)
    })
    .unwrap()
}

/// Whatever the edge says: no webhook is blamed, and all of Discord waits until one has found out that it is over.
#[test]
fn what_the_edge_turns_away_arrives_when_it_is_over() {
    let mut scene = scene(&[]);
    let first = channel(&mut scene, Kind::Discord);
    let teams = channel(&mut scene, Kind::Workflow);
    let body = json!({"message": "internal network error", "code": 40333});
    first.webhook.script([answer(403, &body.to_string())]);
    numbered::complete(&mut scene.client, 1..=12).unwrap();
    let waiting = scene
        .wait_until("the edge to have been met", |all| {
            of(all, &first).iter().any(|delivery| delivery.status == "retry")
        })
        .unwrap();
    let met = of(&waiting, &first)[0];
    assert!(
        met.error_message.starts_with("403: Discord's edge"),
        "{}",
        met.error_message
    );
    assert_eq!(met.attempts, 0, "it is no attempt");
    // Nor is another webhook called meanwhile.
    let second = channel(&mut scene, Kind::Discord);
    numbered::complete(&mut scene.client, [13]).unwrap();
    teams.webhook.wait_for_events(13, SOON);
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    assert!(numbered::accepted(&first.webhook).into_iter().eq(1..=13));
    assert_eq!(numbered::accepted(&second.webhook), [13]);
    let waited = second.webhook.received()[0]
        .at
        .duration_since(first.webhook.received()[0].at);
    assert!(waited >= SignedDuration::from_secs(8), "{waited}");
    assert_eq!(state(&mut scene, &first).0, "active");
}

#[test]
fn a_web_page_is_neither_a_success_nor_an_end() {
    let mut scene = scene(&[]);
    let channels = Kind::CHATS.map(|kind| {
        let channel = channel(&mut scene, kind);
        channel.webhook.script([200, 410, 404, 401].map(page));
        channel
    });
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        for delivery in of(&deliveries, channel) {
            assert_eq!((delivery.status.as_str(), delivery.attempts), ("sent", 5));
        }
        assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=3));
        assert_eq!(state(&mut scene, channel).0, "active");
    }
}

#[test]
fn reasons_that_pass_are_no_refusals() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    let passing = [(400, 40004), (403, 40006), (400, 130_000)];
    channel.webhook.script(
        passing
            .map(|(status, code)| answer(status, &json!({"message": "not now", "code": code}).to_string())),
    );
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(
        (deliveries[0].status.as_str(), deliveries[0].attempts),
        ("sent", 4)
    );
}

/// One request tells for all; the status says what to do; and a test message that is taken lets everything go.
#[test]
fn a_channel_that_takes_nothing_keeps_what_waits_until_it_is_mended() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    let body = json!({"message": "Webhooks posted to forum channels must have a thread_name or thread_id", "code": 220_001});
    channel.webhook.always(answer(400, &body.to_string()));
    numbered::complete(&mut scene.client, 1..=30).unwrap();
    let reason = wait_for_state(&mut scene, &channel, "failing").unwrap();
    assert!(reason.contains("?thread_id="), "{reason}");
    let deliveries = scene
        .wait_until("all to wait", |all| {
            all.len() == 30 && all.iter().all(|delivery| delivery.waits())
        })
        .unwrap();
    assert!(deliveries[10].attempts == 0, "the others are held");
    assert_eq!(channel.webhook.requests(), 1);

    // What fails changes nothing.
    let test = "SELECT status FROM zentry_test_webhook($1)";
    let outcome = scene.client.query_one(test, &[&channel.id]).unwrap();
    assert_eq!(outcome.get::<_, &str>(0), "failed");
    assert_eq!(state(&mut scene, &channel).0, "failing");

    channel.webhook.recover();
    let outcome = scene.client.query_one(test, &[&channel.id]).unwrap();
    assert_eq!(outcome.get::<_, &str>(0), "sent");
    assert_eq!(state(&mut scene, &channel).0, "active");
    let deliveries = scene.settle().unwrap();
    assert_eq!(of(&deliveries, &channel).len(), 32);
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=30));
}

/// What zentry_status() says to do about a webhook.
fn remedy(scene: &mut Scene, channel: &Channel) -> String {
    let line = scene.client.query_one(
        "SELECT remedy FROM zentry_status() WHERE subject = 'webhook ' || $1::bigint",
        &[&channel.id],
    );
    line.unwrap().get(0)
}

/// A forum takes posts, and a channel of texts takes no posts' names.
#[test]
fn a_forum_takes_what_has_a_name_or_a_thread() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    channel.webhook.forum(true);
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    let reason = wait_for_state(&mut scene, &channel, "failing").unwrap();
    assert!(reason.contains("thread_name"), "{reason}");
    let said = remedy(&mut scene, &channel);
    assert!(said.contains("thread_name => 'NAME'"), "{said}");
    scene
        .client
        .batch_execute(&said.replace("NAME", "Releases"))
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries), "{deliveries:#?}");
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=3));
    let posts = channel.webhook.received();
    assert_eq!(posts.last().unwrap().body["thread_name"], "Releases");

    channel.webhook.forum(false);
    numbered::complete(&mut scene.client, [4]).unwrap();
    wait_for_state(&mut scene, &channel, "failing");
    let said = remedy(&mut scene, &channel);
    scene.client.batch_execute(&said).unwrap();
    scene.settle().unwrap();
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=4));

    // The thread of a post that is there already.
    channel.webhook.forum(true);
    let url = format!("{}?thread_id=123456789012345678", channel.webhook.url());
    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, webhook_url => $2)",
            &[&channel.id, &url],
        )
        .unwrap();
    numbered::complete(&mut scene.client, [5]).unwrap();
    scene.settle().unwrap();
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=5));

    // Discord takes one or the other.
    let (name, id) = ("thread_name => 'Releases'", channel.id);
    for refused in [
        format!("SELECT zentry_update_webhook({id}, {name})"),
        format!("SELECT zentry_register_webhook('b', 'discord', '{url}', {name})"),
        format!(
            "SELECT zentry_update_webhook({id}, webhook_url => '{}', {name}); SELECT zentry_update_webhook({id}, webhook_url => '{url}')",
            channel.webhook.url()
        ),
    ] {
        let error = scene.client.batch_execute(&refused).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(
            (error.code().code(), error.column()),
            ("22023", Some("thread_name"))
        );
        assert!(error.hint().unwrap().contains("?thread_id="), "{error:?}");
    }
}

#[test]
fn a_test_message_that_is_taken_brings_back_what_was_switched_off() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Workflow);
    channel.webhook.disable();
    numbered::complete(&mut scene.client, [1]).unwrap();
    wait_for_state(&mut scene, &channel, "gone");
    channel.webhook.restore();
    scene
        .client
        .query_one("SELECT * FROM zentry_test_webhook($1)", &[&channel.id])
        .unwrap();
    assert_eq!(state(&mut scene, &channel).0, "active");
    numbered::complete(&mut scene.client, [2]).unwrap();
    scene.settle().unwrap();
    assert_eq!(numbered::accepted(&channel.webhook), [2]);
}

#[test]
fn webhooks_of_a_group_post_no_faster_than_it_may() {
    let mut scene = scene(&[]);
    let channels = [Kind::Workflow, Kind::Workflow].map(|kind| {
        let channel = channel(&mut scene, kind);
        set(&mut scene, &channel, "max_events_per_message", "1");
        set(&mut scene, &channel, "rate_limit", "2/2s");
        set(&mut scene, &channel, "rate_group", "flows of one owner");
        channel
    });
    numbered::complete(&mut scene.client, 1..=4).unwrap();
    scene.settle().unwrap();
    let mut posts: Vec<_> = channels
        .iter()
        .flat_map(|channel| channel.webhook.received())
        .map(|received| received.at)
        .collect();
    posts.sort();
    assert_eq!(posts.len(), 8);
    for (first, third) in posts.iter().zip(&posts[2..]) {
        assert!(third.duration_since(*first) >= SignedDuration::from_secs(2));
    }
    for channel in &channels {
        assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=4));
    }
}

#[test]
fn a_rate_is_refused_with_what_would_be_one() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Workflow);
    let refused = scene
        .client
        .execute(
            "UPDATE zentry_notify.webhook_integration SET rate_limit = 'fast' WHERE id = $1",
            &[&channel.id],
        )
        .unwrap_err();
    let error = refused.as_db_error().unwrap();
    assert!(error.message().starts_with("rate_limit: "), "{}", error.message());
    assert!(error.hint().unwrap().contains("25/5min"));
    let refused = scene
        .client
        .batch_execute("SET zentry_notify.teams_rate = '25 per minute'");
    let refused = refused.unwrap_err();
    assert!(refused.as_db_error().unwrap().hint().unwrap().contains("25/5min"));
}

/// What was repeated with success is no failure any more, and is not offered again.
#[test]
fn a_failure_that_was_sent_anew_is_mended() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    channel
        .webhook
        .script([Behaviour::Status(413), Behaviour::Status(413)]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene.settle().unwrap();
    let failures = |scene: &mut Scene| -> (String, String) {
        let line = "SELECT state, detail FROM zentry_status() WHERE subject = 'failures'";
        let row = scene.client.query_one(line, &[]).unwrap();
        (row.get(0), row.get(1))
    };
    eventually(Duration::from_secs(30), "the failure to be counted", || {
        failures(&mut scene).1.starts_with("1 in 24 hours").then_some(())
    })
    .unwrap();
    assert_eq!(failures(&mut scene).0, "attention");

    // It fails again, and then it is taken.
    let mut id = deliveries[0].id;
    for _ in 0..2 {
        let row = scene.client.query_one("SELECT zentry_retry($1)", &[&id]).unwrap();
        let again: i64 = row.get(0);
        scene.settle().unwrap();
        let linked = "retried_as = $2 FROM zentry_notify.logs WHERE id = $1";
        assert!(is_true(&mut scene.client, linked, &[&id, &again]));
        id = again;
    }
    eventually(Duration::from_secs(30), "the failures to be mended", || {
        (failures(&mut scene).0 == "ok").then_some(())
    })
    .unwrap();
    let detail = failures(&mut scene).1;
    assert!(
        detail.starts_with("0 in 24 hours, and 2 that were re-sent"),
        "{detail}"
    );
    assert!(is_true(
        &mut scene.client,
        "retried_as IS NULL FROM zentry_notify.logs WHERE id = $1",
        &[&id]
    ));
}

/// What a worker has read from the table and has to wait for is given back, and read again.
#[test]
fn what_waits_for_long_is_found_again_by_the_worker_that_came_later() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    let later = Behaviour::Answer {
        status: 503,
        headers: vec![("retry-after".to_owned(), "7".to_owned())],
        body: String::new(),
    };
    channel.webhook.script([later.clone(), later]);
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    scene
        .wait_until("them to wait in the table", |all| {
            all.len() == 3 && all.iter().all(|delivery| delivery.status == "retry")
        })
        .unwrap();
    replace_worker(&mut scene.client);
    let deliveries = scene.settle().unwrap();
    assert!(deliveries.iter().all(|delivery| delivery.attempts == 3));
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=3));
}
