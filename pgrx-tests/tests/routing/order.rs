//! Ids of events are not the order of commits.

use std::collections::BTreeSet;

use fastrand::Rng;
use postgres::Client;
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use crate::{assert_no_pair_twice, channel, number};

const ROUTED: &str = "SELECT count(*) FROM zentry_notify.route_cursor c, unnest(c.routed) r";

#[test]
fn what_commits_late_is_heard_and_its_place_is_closed_afterwards() {
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    let mut late = scene.database.connect().unwrap();
    let mut never = scene.database.connect().unwrap();
    late.batch_execute("BEGIN").unwrap();
    never.batch_execute("BEGIN").unwrap();
    numbered::complete(&mut late, [1]).unwrap();
    numbered::complete(&mut never, [2]).unwrap();
    numbered::complete(&mut scene.client, [3]).unwrap();
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(numbered::accepted(&channel.webhook), [3]);
    never.batch_execute("ROLLBACK").unwrap();
    numbered::complete(&mut scene.client, [4]).unwrap();
    channel.webhook.wait_for_events(2, SOON);
    late.batch_execute("COMMIT").unwrap();
    channel.webhook.wait_for_events(3, SOON);
    // Nothing runs any more that could fill what is missing.
    let mut next = 5;
    eventually(SOON, "a cursor without gaps", || {
        numbered::complete(&mut scene.client, [next]).unwrap();
        next += 1;
        scene.settle().unwrap();
        (number(&mut scene.client, ROUTED) == 1).then_some(())
    })
    .unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    assert_no_pair_twice(&mut scene.client);
}

/// An id is drawn before the row is stored, which is what gives a transaction its number.
#[test]
fn what_an_ordinary_statement_inserts_slowly_is_heard_too() {
    const SLOW: &str =
        "INSERT INTO zentry_notify.event (event_type, data) VALUES ('task_completed', public.slow())";
    const WAITS: &str = "SELECT backend_xid IS NULL FROM pg_stat_activity \
                         WHERE query LIKE 'INSERT INTO zentry_notify.event%' AND wait_event = 'advisory' AND datname = current_database()";
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    scene
        .client
        .batch_execute(
            r#"CREATE FUNCTION public.slow() RETURNS json LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_advisory_xact_lock(17); RETURN '{"task_title": "Task 99"}'; END $$"#,
        )
        .unwrap();
    numbered::complete(&mut scene.client, [1]).unwrap();
    scene.settle().unwrap();
    scene.client.batch_execute("SELECT pg_advisory_lock(17)").unwrap();
    let mut by_hand = scene.database.connect().unwrap();
    let insert = std::thread::spawn(move || by_hand.batch_execute(SLOW));
    let unnumbered = eventually(SOON, "the statement to wait", || {
        let row = scene.client.query_opt(WAITS, &[]).ok()??;
        Some(row.get::<_, bool>(0))
    });
    assert!(unnumbered.unwrap(), "its transaction has a number already");
    // Each is read by itself, and whatever had a number before is over.
    for n in 2..8 {
        numbered::complete(&mut scene.client, [n]).unwrap();
        scene.settle().unwrap();
    }
    scene
        .client
        .batch_execute("SELECT pg_advisory_unlock(17)")
        .unwrap();
    insert.join().unwrap().unwrap();
    // Nobody has told the worker; the next event does.
    numbered::complete(&mut scene.client, [8]).unwrap();
    channel.webhook.wait_for_events(9, SOON);
    assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3, 4, 5, 6, 7, 99, 8]);
}

/// Sessions with a transaction each, and what it has written.
struct Writers(Vec<(Client, Vec<i64>)>);

impl Writers {
    fn step(&mut self, random: &mut Rng, next: &mut i64, committed: &mut BTreeSet<i64>) {
        let (client, written) = &mut self.0[random.usize(0..12)];
        match random.u8(0..5) {
            0..3 => {
                if written.is_empty() {
                    client.batch_execute("BEGIN").unwrap();
                }
                if random.bool() {
                    client.batch_execute("SAVEPOINT s").unwrap();
                    numbered::complete(client, [*next]).unwrap();
                    client.batch_execute("ROLLBACK TO s").unwrap();
                    *next += 1;
                }
                numbered::complete(client, [*next]).unwrap();
                written.push(*next);
                *next += 1;
            }
            3 if !written.is_empty() => {
                client.batch_execute("COMMIT").unwrap();
                committed.extend(written.drain(..));
            }
            _ if !written.is_empty() => {
                client.batch_execute("ROLLBACK").unwrap();
                written.clear();
            }
            _ => {}
        }
    }
}

#[test]
fn interleaved_transactions_are_delivered_once_each() {
    let mut scene = Scene::start().unwrap();
    let channels = [channel(&mut scene), channel(&mut scene)];
    let connect = |_| (scene.database.connect().unwrap(), Vec::new());
    let mut writers = Writers((0..12).map(connect).collect());
    let mut random = Rng::with_seed(17);
    let (mut next, mut committed) = (1, BTreeSet::new());
    for _ in 0..400 {
        writers.step(&mut random, &mut next, &mut committed);
    }
    for (client, written) in &mut writers.0 {
        if !written.is_empty() {
            client.batch_execute("COMMIT").unwrap();
            committed.extend(written.drain(..));
        }
    }
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    assert_eq!(deliveries.len(), committed.len() * channels.len());
    assert_no_pair_twice(&mut scene.client);
    for channel in &channels {
        let arrived = numbered::accepted(&channel.webhook);
        assert_eq!(arrived.len(), committed.len());
        assert_eq!(arrived.iter().copied().collect::<BTreeSet<_>>(), committed);
        // In the order of their deliveries.
        let own = deliveries
            .iter()
            .filter(|delivery| delivery.webhook_integration_id == channel.id);
        let titles: Vec<_> = own
            .map(|delivery| delivery.payload["task_title"].clone())
            .collect();
        let expected: Vec<_> = arrived.iter().map(|n| format!("Task {n}")).collect();
        assert_eq!(titles, expected);
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
