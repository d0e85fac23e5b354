//! No channel waits for another one.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind, Limits, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::id;

use crate::{TASKS, channel, replace_worker, scene, set};

/// Registers many webhooks for completed tasks at once.
fn register(scene: &mut Scene, count: usize) -> Vec<Webhook> {
    let kinds = Kind::ALL.into_iter().cycle().take(count);
    let webhooks: Vec<Webhook> = kinds.map(|kind| scene.emulator.register(kind)).collect();
    let column = |of: fn(&Webhook) -> String| webhooks.iter().map(of).collect::<Vec<String>>();
    let webhook_type = |webhook: &Webhook| webhook.kind().webhook_type().to_owned();
    scene
        .client
        .execute(
            "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, event_types) \
             SELECT name, kind, url, '[\"task_completed\"]' \
             FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (name, kind, url, place) ORDER BY place",
            &[&column(Webhook::name), &column(webhook_type), &column(Webhook::url)],
        )
        .unwrap();
    for webhook in &webhooks {
        webhook.limit(Limits::default());
    }
    webhooks
}

/// Waits until each of these webhooks has got so many events.
fn wait_for_all(webhooks: &[&Webhook], events: u64) {
    let behind = || {
        webhooks
            .iter()
            .filter(|webhook| webhook.event_count() < events)
            .count()
    };
    let all = eventually(SOON, "all to get theirs", || (behind() == 0).then_some(()));
    assert!(all.is_ok(), "{} of {} got none", behind(), webhooks.len());
}

#[test]
fn a_thousand_broken_channels_delay_none_of_a_thousand_healthy_ones() {
    const ALL: usize = 2_000;
    // Those that hang never end while this plays: whoever has to wait for one of them waits in vain.
    let mut scene = scene(&[("request_timeout", "5min")]);
    let webhooks = register(&mut scene, ALL);
    let (healthy, broken): (Vec<_>, Vec<_>) = webhooks.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let healthy: Vec<&Webhook> = healthy.into_iter().map(|(_, webhook)| webhook).collect();
    let faults = [Behaviour::Hang, Behaviour::Status(500)];
    for ((_, webhook), fault) in broken.iter().zip(faults.iter().cycle()) {
        webhook.always(fault.clone());
    }
    // At first contact nothing tells one from the other.
    numbered::complete(&mut scene.client, 1..=2).unwrap();
    wait_for_all(&healthy, 2);
    // Then it is known, by this worker and by one that starts anew.
    numbered::complete(&mut scene.client, [3]).unwrap();
    wait_for_all(&healthy, 3);
    replace_worker(&mut scene.client);
    numbered::complete(&mut scene.client, [4]).unwrap();
    wait_for_all(&healthy, 4);
    for webhook in healthy {
        assert_eq!(numbered::accepted(webhook), [1, 2, 3, 4]);
    }
    for (_, webhook) in broken {
        assert_eq!(webhook.event_count(), 0);
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_hundred_and_fifty_broken_channels_delay_no_healthy_one() {
    const EACH: usize = 150;
    let mut scene = scene(&[("request_timeout", "5min")]);
    let kinds = Kind::ALL.into_iter().cycle();
    let channels: Vec<_> = kinds
        .take(2 * EACH)
        .map(|kind| channel(&mut scene, kind))
        .collect();
    let (healthy, broken) = channels.split_at(EACH);
    numbered::complete(&mut scene.client, [1]).unwrap();
    scene.emulator.wait_for_events(2 * EACH as u64, SOON);

    let faults = [
        Behaviour::Hang,
        Behaviour::DropBeforeAnswer,
        Behaviour::Status(503),
    ];
    for (channel, fault) in broken.iter().zip(faults.iter().cycle()) {
        channel.webhook.always(fault.clone());
    }
    for number in 2..=4 {
        numbered::complete(&mut scene.client, [number]).unwrap();
        // Those that hang do so for minutes: it is these that would have to be waited for.
        for channel in healthy {
            channel.webhook.wait_for_events(number.unsigned_abs(), SOON);
        }
    }
    for channel in healthy {
        assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3, 4]);
    }
    for channel in broken {
        assert_eq!(numbered::accepted(&channel.webhook), [1]);
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn channels_that_hang_from_their_first_day_leave_room_for_others() {
    let mut scene = scene(&[("request_timeout", "5min")]);
    let proven = channel(&mut scene, Kind::Discord);
    numbered::complete(&mut scene.client, [1]).unwrap();
    proven.webhook.wait_for_events(1, SOON);

    // More than there are connections.
    for _ in 0..300 {
        let hanging = channel(&mut scene, Kind::Workflow);
        hanging.webhook.always(Behaviour::Hang);
    }
    numbered::complete(&mut scene.client, [2]).unwrap();
    proven.webhook.wait_for_events(2, SOON);
    numbered::complete(&mut scene.client, [3]).unwrap();
    proven.webhook.wait_for_events(3, SOON);
    assert_eq!(numbered::accepted(&proven.webhook), [1, 2, 3]);
}

#[test]
fn a_backlog_does_not_starve_a_single_delivery() {
    const BACKLOG: i64 = 5_000;
    let mut scene = scene(&[]);
    let busy = scene
        .channel_for(Kind::Workflow, Some(id::WEBSITE), TASKS)
        .unwrap();
    let single = scene
        .channel_for(Kind::Workflow, Some(id::MOBILE_APP), TASKS)
        .unwrap();
    busy.webhook.limit(zentry_e2e::emulator::Limits::default());
    busy.webhook.always(Behaviour::Slow(Duration::from_millis(1)));
    set(&mut scene, &busy, "max_events_per_message", "1");
    numbered::complete(&mut scene.client, 1..=BACKLOG).unwrap();
    busy.webhook.wait_for_events(1, SOON);

    for number in 1..=5 {
        numbered::complete_in(&mut scene.client, id::MOBILE_APP, [number]).unwrap();
        single.webhook.wait_for_events(number.unsigned_abs(), SOON);
    }
    let arrived = busy.webhook.event_count();
    assert!(arrived < BACKLOG.unsigned_abs(), "the backlog went first");
    assert!(
        numbered::accepted(&busy.webhook)
            .iter()
            .copied()
            .zip(1..)
            .all(|(number, place)| number == place)
    );
    assert_eq!(numbered::accepted(&single.webhook), [1, 2, 3, 4, 5]);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
