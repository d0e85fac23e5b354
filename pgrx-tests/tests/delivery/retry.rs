//! Passing failures are tried again, so often and no more.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};

use crate::{channel, of, scene, task};

fn server_failed(kind: Kind) -> &'static str {
    match kind {
        Kind::Slack => "500: Slack failed: rollup_error",
        _ => "500: the server failed",
    }
}

/// Failures that may pass, and what the log says of them.
fn failures() -> Vec<(Kind, Behaviour, &'static str)> {
    let everywhere = Kind::CHATS.into_iter().flat_map(|kind| {
        [
            (kind, Behaviour::Status(500), server_failed(kind)),
            (kind, Behaviour::Status(503), "503: the server is unavailable"),
            (kind, Behaviour::Hang, "no answer within 500ms"),
            (
                kind,
                Behaviour::Trickle(Duration::from_millis(100)),
                "no answer within 500ms",
            ),
            (kind, Behaviour::DropBeforeAnswer, "connection failed"),
            (kind, Behaviour::Reset, "connection failed"),
            (kind, Behaviour::Garbage, "invalid answer"),
            (kind, Behaviour::HeaderBomb, "invalid answer"),
        ]
    });
    let trap = [429, 503].map(|status| {
        (
            Kind::Connector,
            Behaviour::InnerError(status),
            "200 but not delivered: Webhook message delivery failed",
        )
    });
    everywhere.chain(trap).collect()
}

fn enter(scene: &mut Scene) -> Vec<(Channel, Behaviour, &'static str)> {
    let failures = failures().into_iter();
    failures
        .map(|(kind, behaviour, error)| (channel(scene, kind), behaviour, error))
        .collect()
}

#[test]
fn a_passing_failure_is_tried_again_as_often_as_it_takes() {
    let mut scene = scene(&[("max_attempts", "2"), ("request_timeout", "500ms")]);
    let channels = enter(&mut scene);
    for (channel, behaviour, _) in &channels {
        channel.webhook.always(behaviour.clone());
    }
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    let deliveries = scene
        .wait_until("all to fail more often than twice", |all| {
            all.len() == 3 * channels.len()
                && channels
                    .iter()
                    .all(|(channel, ..)| of(all, channel)[0].attempts > 3)
        })
        .unwrap();
    for (channel, behaviour, error) in &channels {
        let what = (channel.webhook.kind(), behaviour);
        for delivery in of(&deliveries, channel) {
            assert_eq!(delivery.status, "retry", "{what:?}");
            assert!(
                delivery.error_message.starts_with(error),
                "{what:?}: {}",
                delivery.error_message
            );
            assert!(delivery.next_attempt_at.is_some(), "{what:?}");
        }
        channel.webhook.recover();
    }
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
}

/// An event that makes the channel fail is told apart from a channel that fails.
#[test]
fn a_message_that_its_channel_cannot_take_keeps_no_other_from_it() {
    let mut scene = scene(&[("max_attempts", "2")]);
    let channels = Kind::ALL.map(|kind| {
        let channel = channel(&mut scene, kind);
        channel.webhook.always(Behaviour::When {
            contains: task(kind, 1),
            then: Box::new(Behaviour::Status(500)),
        });
        channel
    });
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        let own: Vec<_> = of(&deliveries, channel)
            .into_iter()
            .map(|delivery| delivery.status.as_str())
            .collect();
        assert_eq!(own, ["failed", "sent", "sent"], "{:?}", channel.webhook.kind());
        assert_eq!(numbered::accepted(&channel.webhook), [2, 3]);
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_failure_that_passes_leaves_no_trace_but_an_attempt() {
    let mut scene = scene(&[("request_timeout", "500ms")]);
    let channels = enter(&mut scene);
    for (channel, behaviour, _) in &channels {
        channel.webhook.script([behaviour.clone()]);
    }
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    let deliveries = scene.settle().unwrap();
    for (channel, behaviour, _) in &channels {
        let what = (channel.webhook.kind(), behaviour);
        for delivery in of(&deliveries, channel) {
            assert_eq!(
                (delivery.status.as_str(), delivery.attempts),
                ("sent", 2),
                "{what:?}"
            );
            assert_eq!(delivery.error_message, "", "{what:?}");
        }
        assert!(
            numbered::accepted(&channel.webhook).ends_with(&[1, 2, 3]),
            "{what:?}"
        );
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_message_whose_answer_is_lost_is_sent_again() {
    let mut scene = scene(&[]);
    let channels = Kind::ALL.map(|kind| {
        let channel = channel(&mut scene, kind);
        channel.webhook.script([Behaviour::LoseAnswer]);
        channel
    });
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        // Google Chat knows it again.
        let shown: &[i64] = match channel.webhook.kind() {
            Kind::GoogleChat => &[1],
            _ => &[1, 1],
        };
        assert_eq!(numbered::accepted(&channel.webhook), shown);
        let delivery = of(&deliveries, channel)[0];
        assert_eq!((delivery.status.as_str(), delivery.attempts), ("sent", 2));
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_status_is_an_answer_even_when_what_follows_is_cut_off() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    channel.webhook.script([Behaviour::CutAnswer]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(numbered::accepted(&channel.webhook), [1], "sent once only");
    assert_eq!(
        (deliveries[0].status.as_str(), deliveries[0].attempts),
        ("sent", 1)
    );
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

/// Who restores a copy, or wants something sent once more, may write to the log: the worker looks for it as for what a function has queued.
#[test]
fn what_is_set_back_by_hand_is_sent_again() {
    for status in ["pending", "retry"] {
        let mut scene = scene(&[]);
        let channel = channel(&mut scene, Kind::Discord);
        numbered::complete(&mut scene.client, [1]).unwrap();
        assert!(all_sent(&scene.settle().unwrap()));
        scene
            .client
            .execute(
                "UPDATE zentry_notify.notification_log SET status = $1, sent_at = NULL",
                &[&status],
            )
            .unwrap();
        channel.webhook.wait_for(2, SOON);
        assert!(all_sent(&scene.settle().unwrap()));
    }
}

/// Otherwise a sample would arrive as something that has happened.
#[test]
fn a_sample_that_is_sent_again_is_a_sample() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    for again in [
        "SELECT zentry_retry(max(id)) FROM zentry_notify.logs",
        "SELECT zentry_retry_failed()",
    ] {
        channel.webhook.always(Behaviour::Status(400));
        scene.client.batch_execute("SELECT zentry_test_event()").unwrap();
        assert_eq!(scene.settle().unwrap().last().unwrap().status, "failed");
        channel.webhook.recover();
        scene.client.batch_execute(again).unwrap();
        assert_eq!(scene.settle().unwrap().last().unwrap().status, "sent");
        let message = channel.webhook.received().pop().unwrap();
        let author = &message.body["embeds"][0]["author"]["name"];
        assert_eq!(author, "A sample, not an event", "{again}");
    }
}
