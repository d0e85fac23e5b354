//! A channel that keeps failing is tried with one delivery at a time, at growing intervals.

use jiff::Timestamp;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use crate::{channel, of, scene, sizes, worker};

/// Failures in a row that open a circuit.
const OPENS_AFTER: u64 = 5;

#[derive(Debug, PartialEq)]
struct State {
    state: String,
    since: Option<Timestamp>,
    next_try: Option<Timestamp>,
    reason: Option<String>,
}

fn state(scene: &mut Scene, channel: &Channel) -> State {
    let row = scene.client.query_one(
        "SELECT state, state_since, next_try_at, reason FROM zentry_notify.webhooks WHERE id = $1",
        &[&channel.id],
    );
    let row = row.unwrap();
    State {
        state: row.get(0),
        since: row.get(1),
        next_try: row.get(2),
        reason: row.get(3),
    }
}

/// Lets the channel's oldest delivery be tried now instead of after its back-off.
fn try_now(scene: &mut Scene, channel: &Channel) {
    const RETRY: &str = "SELECT zentry_retry(id) FROM zentry_notify.notification_log \
                         WHERE webhook_integration_id = $1 AND status = 'retry' ORDER BY id LIMIT 1";
    let retried = scene.client.query(RETRY, &[&channel.id]).unwrap();
    assert_eq!(retried.len(), 1, "nothing waits to be tried again");
}

/// Waits until so many failed attempts of the channel's oldest delivery are recorded.
fn wait_for_attempts(scene: &mut Scene, channel: &Channel, attempts: u64) {
    let what = format!("{attempts} recorded attempts");
    scene
        .wait_until(&what, |all| {
            let oldest = of(all, channel).first().map(|delivery| delivery.attempts);
            oldest.is_some_and(|made| u64::try_from(made).unwrap() >= attempts)
        })
        .unwrap();
}

/// A channel with 20 deliveries whose circuit has just opened.
fn failing(scene: &mut Scene) -> Channel {
    let channel = channel(scene, Kind::Discord);
    channel.webhook.always(Behaviour::Status(503));
    numbered::complete(&mut scene.client, 1..=20).unwrap();
    for attempts in 1..OPENS_AFTER {
        wait_for_attempts(scene, &channel, attempts);
        let state = state(scene, &channel).state;
        assert!(
            state == "active" || channel.webhook.requests() >= OPENS_AFTER,
            "{state}"
        );
        if channel.webhook.requests() == attempts {
            try_now(scene, &channel);
        }
    }
    wait_for_attempts(scene, &channel, OPENS_AFTER);
    eventually(SOON, "the circuit to open", || {
        (state(scene, &channel).state == "failing").then_some(())
    })
    .unwrap();
    channel
}

#[test]
fn five_failures_in_a_row_open_the_circuit_and_a_success_closes_it() {
    let mut scene = scene(&[]);
    let channel = failing(&mut scene);
    let open = state(&mut scene, &channel);
    assert!(open.next_try.unwrap() > open.since.unwrap());
    assert!(open.reason.unwrap().starts_with("503: the server is unavailable"));
    let tried = channel.webhook.requests();

    // Asked for by a person, it is tried at once, with one delivery; the others wait and burn nothing.
    numbered::complete(&mut scene.client, 21..=25).unwrap();
    try_now(&mut scene, &channel);
    channel.webhook.wait_for(tried + 1, SOON);
    wait_for_attempts(&mut scene, &channel, tried + 1);
    let last = channel.webhook.received().pop().unwrap();
    assert_eq!(numbered::in_message(&last), [1]);
    eventually(SOON, "the next try to move", || {
        (state(&mut scene, &channel).next_try > open.next_try).then_some(())
    })
    .unwrap();
    assert_eq!(state(&mut scene, &channel).since, open.since);
    let deliveries = scene.deliveries().unwrap();
    for delivery in &deliveries[10..] {
        assert_eq!((delivery.status.as_str(), delivery.attempts), ("pending", 0));
    }
    assert_eq!(channel.webhook.requests(), tried + 1);

    channel.webhook.recover();
    try_now(&mut scene, &channel);
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=25));
    let sizes = sizes(&channel.webhook);
    assert_eq!((sizes[0], sizes.iter().max()), (1, Some(&10)), "{sizes:?}");
    let closed = State {
        state: "active".to_owned(),
        since: None,
        next_try: None,
        reason: None,
    };
    eventually(SOON, "the circuit to close", || {
        (state(&mut scene, &channel) == closed).then_some(())
    })
    .unwrap();
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn an_open_circuit_outlives_the_worker() {
    let mut scene = scene(&[]);
    let failing = failing(&mut scene);
    let before = state(&mut scene, &failing);
    let tries = usize::try_from(failing.webhook.requests()).unwrap();
    let old = worker(&mut scene.client);
    scene
        .client
        .execute("SELECT pg_terminate_backend($1)", &[&old])
        .unwrap();
    let witness = channel(&mut scene, Kind::Workflow);
    eventually(SOON, "another worker", || {
        (worker(&mut scene.client) != old).then_some(())
    })
    .unwrap();
    numbered::complete(&mut scene.client, [21]).unwrap();
    witness.webhook.wait_for_events(1, SOON);
    assert_eq!(state(&mut scene, &failing), before);

    failing.webhook.recover();
    failing.webhook.wait_for_events(21, 2 * SOON);
    assert!(failing.webhook.received()[tries].at >= before.next_try.unwrap());
    assert!(numbered::accepted(&failing.webhook).into_iter().eq(1..=21));
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
