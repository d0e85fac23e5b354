//! Webhooks are shared out, and lose nothing when who sends comes, goes or is changed.

use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;
use zentry_e2e::cable::Cable;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use super::sender::{Sender, channels, held, scene};

#[test]
fn three_senders_share_the_webhooks_and_keep_the_order() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channels = channels(&mut scene, 6)?;
    let first = Sender::start(&mut scene, &login)?;
    let second = Sender::start(&mut scene, &login)?;
    let third = Sender::start(&mut scene, &login)?;
    eventually(SOON, "the webhooks to be spread", || {
        (held(&mut scene.client, &[&first, &second, &third]) == [2, 2, 2]).then_some(())
    })?;
    for number in 0..10 {
        numbered::complete(&mut scene.client, 5 * number + 1..=5 * number + 5)?;
    }
    let deliveries = scene.settle()?;
    assert!(all_sent(&deliveries));
    // Milestones are among them.
    assert!(deliveries.len() >= 300 && deliveries.len() % 6 == 0);
    for channel in &channels {
        assert_eq!(numbered::accepted(&channel.webhook), (1..=50).collect::<Vec<_>>());
        assert_eq!(channel.webhook.max_in_flight(), 1);
    }
    // Those that go hand theirs over.
    second.end()?;
    third.end()?;
    eventually(SOON, "the first one to have all of them", || {
        (first.holds(&mut scene.client).len() == 6).then_some(())
    })?;
    numbered::complete(&mut scene.client, 51..=52)?;
    let deliveries = scene.settle()?;
    assert!(all_sent(&deliveries));
    for count in [
        "SELECT sum(sent)::bigint FROM zentry_notify.delivery_totals WHERE event_type = '*'",
        "SELECT sum(sent)::bigint FROM zentry_notify.webhook_count",
    ] {
        eventually(SOON, count, || {
            let sent: Option<i64> = scene.client.query_one(count, &[]).ok()?.get(0);
            (sent == i64::try_from(deliveries.len()).ok()).then_some(())
        })?;
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
    first.end()
}

#[test]
fn senders_that_are_killed_paused_and_cut_off_lose_nothing_and_keep_the_order() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channels = channels(&mut scene, 6)?;
    for channel in &channels {
        channel.webhook.always(Behaviour::Slow(Duration::from_millis(20)));
    }
    let cable = Cable::to(scene.database.cluster())?;
    let killed = Sender::start(&mut scene, &login)?;
    let paused = Sender::start(&mut scene, &login)?;
    let far = Sender::start_at(&mut scene, &login, "127.0.0.1".as_ref(), cable.port(), &[])?;
    eventually(SOON, "the webhooks to be spread", || {
        (held(&mut scene.client, &[&killed, &paused, &far]) == [2, 2, 2]).then_some(())
    })?;
    let session = paused.number(&mut scene.client);
    let before = far.number(&mut scene.client);
    for number in 0..40 {
        numbered::complete(&mut scene.client, 5 * number + 1..=5 * number + 5)?;
        match number {
            5 => killed.child.signal(Signal::SIGKILL)?,
            10 => paused.child.signal(Signal::SIGSTOP)?,
            15 => cable.cut(),
            _ => {}
        }
    }
    // The server has given both up.
    eventually(SOON, "both sessions to be over", || {
        let sql = "SELECT count(*) FROM zentry_notify.sender s WHERE s.id = ANY ($1) \
                   AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = s.process AND a.backend_start = s.session_started)";
        let there: i64 = scene
            .client
            .query_one(sql, &[&[session, before].as_slice()])
            .ok()?
            .get(0);
        (there == 0).then_some(())
    })?;
    let fresh = Sender::start(&mut scene, &login)?;
    paused.child.signal(Signal::SIGCONT)?;
    cable.mend();
    numbered::complete(&mut scene.client, 201..=210)?;
    let deliveries = scene.settle()?;
    assert!(all_sent(&deliveries));
    let expected: Vec<i64> = (1..=210).collect();
    let sessions = "SELECT last_value FROM zentry_notify.sender_id_seq";
    let sessions: i64 = scene.client.query_one(sessions, &[])?.get(0);
    for channel in &channels {
        assert_eq!(numbered::first_arrivals(&channel.webhook), expected);
        // Whatever ends a session leaves no more than one of each webhook in flight.
        let twice = numbered::accepted(&channel.webhook).len() - expected.len();
        assert!(
            twice <= usize::try_from(sessions)?,
            "{twice} came twice in {sessions} sessions"
        );
    }
    eventually(SOON, "the webhooks to be spread again", || {
        (held(&mut scene.client, &[&paused, &far, &fresh]) == [2, 2, 2]).then_some(())
    })
}

#[test]
fn who_sends_changes_while_events_come() -> Result<()> {
    let (mut scene, login) = scene("local")?;
    let channels = channels(&mut scene, 4)?;
    let sender = Sender::start(&mut scene, &login)?;
    let mut number = 0;
    let mut write = |scene: &mut Scene| {
        number += 5;
        numbered::complete(&mut scene.client, number - 4..=number)
    };
    write(&mut scene)?;
    assert!(all_sent(&scene.settle()?));
    assert!(sender.holds(&mut scene.client).is_empty());
    for (who, holds) in [("remote", 4), ("local", 0), ("both", 4), ("remote", 4)] {
        write(&mut scene)?;
        scene.database.set("zentry_notify.senders", who)?;
        write(&mut scene)?;
        eventually(SOON, format!("what {who} means"), || {
            (sender.holds(&mut scene.client).len() == holds).then_some(())
        })?;
        write(&mut scene)?;
        assert!(all_sent(&scene.settle()?), "{who}");
    }
    // Without a sender, the worker sends where both may.
    scene.database.set("zentry_notify.senders", "both")?;
    sender.child.signal(Signal::SIGKILL)?;
    write(&mut scene)?;
    assert!(all_sent(&scene.settle()?));
    for channel in &channels {
        assert_eq!(
            numbered::first_arrivals(&channel.webhook),
            (1..=number).collect::<Vec<_>>()
        );
    }
    Ok(())
}
