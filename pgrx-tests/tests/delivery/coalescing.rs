//! What waits together leaves together, within the limits of the format.

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, all_sent};
use zentry_e2e::zentry::id;

use crate::{channel, of, scene, set, sizes};

#[test]
fn ten_waiting_deliveries_leave_as_one_message_with_a_row_each() {
    let mut scene = scene(&[]);
    let channels = Kind::CHATS.map(|kind| channel(&mut scene, kind));
    numbered::complete(&mut scene.client, 1..=25).unwrap();
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        assert_eq!(sizes(&channel.webhook), [10, 10, 5]);
        assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=25));
        let own = of(&deliveries, channel);
        assert_eq!(own.len(), 25);
        for delivery in own {
            assert_eq!(
                (delivery.status.as_str(), delivery.error_message.as_str()),
                ("sent", "")
            );
            assert!(matches!(delivery.response_status_code, Some(200 | 202)));
            assert!(delivery.sent_at.is_some() && delivery.next_attempt_at.is_none());
        }
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn max_events_per_message_sets_the_size_and_1_turns_coalescing_off() {
    let mut scene = scene(&[]);
    let alone = Kind::CHATS.map(|kind| channel(&mut scene, kind));
    let fours = Kind::CHATS.map(|kind| channel(&mut scene, kind));
    for (one, four) in alone.iter().zip(&fours) {
        set(&mut scene, one, "max_events_per_message", "1");
        set(&mut scene, four, "max_events_per_message", "4");
    }
    numbered::complete(&mut scene.client, 1..=9).unwrap();
    scene.settle().unwrap();
    for (one, four) in alone.iter().zip(&fours) {
        assert_eq!(sizes(&one.webhook), [1; 9]);
        assert_eq!(sizes(&four.webhook), [4, 4, 1]);
        for channel in [one, four] {
            assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=9));
        }
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn an_idle_channel_sends_at_once_and_what_comes_meanwhile_leaves_together() {
    let mut scene = scene(&[]);
    let channels = Kind::CHATS.map(|kind| channel(&mut scene, kind));
    for channel in &channels {
        channel.webhook.script([Behaviour::Held]);
    }
    numbered::complete(&mut scene.client, [1]).unwrap();
    for channel in &channels {
        channel.webhook.wait_for(1, SOON);
    }
    for number in 2..=6 {
        numbered::complete(&mut scene.client, [number]).unwrap();
    }
    scene
        .wait_until("all to be routed", |all| all.len() == 6 * channels.len())
        .unwrap();
    for channel in &channels {
        channel.webhook.release();
    }
    scene.settle().unwrap();
    for channel in &channels {
        assert_eq!(
            numbered::messages(&channel.webhook),
            [vec![1], vec![2, 3, 4, 5, 6]]
        );
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn long_events_leave_in_fewer_than_ten() {
    let mut scene = scene(&[]);
    let projects = Some(&["project_created"][..]);
    let channels = Kind::CHATS.map(|kind| scene.channel_for(kind, None, projects).unwrap());
    // In Discord's unit 1,024 of the 6,000 for all embeds; in bytes 4 KB of Teams' 20.
    scene
        .client
        .execute(
            "INSERT INTO tasks_project (name, description, emoji, created_by_id, created_at, updated_at) \
             SELECT 'Project ' || n, repeat('🐘', 1024), '', $1, now(), now() FROM generate_series(1, 12) n",
            &[&id::ADA],
        )
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    for channel in &channels {
        // Of the others' 12,000 characters, 11,000 and 28,500 bytes; of ntfy's 4,095 bytes each takes all, and is cut.
        let possible = match channel.webhook.kind() {
            Kind::Discord | Kind::Connector | Kind::Workflow => 2..=5,
            Kind::Ntfy => 1..=1,
            _ => 2..=9,
        };
        let sizes = sizes(&channel.webhook);
        assert_eq!(sizes.iter().sum::<usize>(), 12);
        assert!(
            sizes[..sizes.len() - 1]
                .iter()
                .all(|size| possible.contains(size)),
            "{sizes:?}"
        );
        for (index, event) in channel.webhook.shown().iter().enumerate() {
            assert!(
                event.text.contains(&format!("Project {}.", index + 1)),
                "{}",
                event.text
            );
        }
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
