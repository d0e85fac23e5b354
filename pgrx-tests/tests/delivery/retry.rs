//! Passing failures are tried again, so often and no more.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, Scene};

use crate::{KINDS, channel, of, scene};

/// Failures that may pass, and what the log says of them.
fn failures() -> Vec<(Kind, Behaviour, &'static str)> {
    let everywhere = KINDS.into_iter().flat_map(|kind| {
        [
            (kind, Behaviour::Status(500), "500: the server failed"),
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
fn a_passing_failure_is_tried_again_up_to_max_attempts() {
    let mut scene = scene(&[("max_attempts", "2"), ("request_timeout", "500ms")]);
    let channels = enter(&mut scene);
    for (channel, behaviour, _) in &channels {
        channel.webhook.always(behaviour.clone());
    }
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene.settle().unwrap();
    for (channel, behaviour, error) in &channels {
        let delivery = of(&deliveries, channel)[0];
        let what = (channel.webhook.kind(), behaviour);
        assert_eq!(
            (delivery.status.as_str(), delivery.attempts),
            ("failed", 2),
            "{what:?}"
        );
        assert!(
            delivery.error_message.starts_with(error),
            "{what:?}: {}",
            delivery.error_message
        );
        assert_eq!(channel.webhook.requests(), 2, "{what:?}");
        assert_eq!((delivery.sent_at, delivery.next_attempt_at), (None, None));
    }
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
    let channels = KINDS.map(|kind| {
        let channel = channel(&mut scene, kind);
        channel.webhook.script([Behaviour::LoseAnswer]);
        channel
    });
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        assert_eq!(numbered::accepted(&channel.webhook), [1, 1]);
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
