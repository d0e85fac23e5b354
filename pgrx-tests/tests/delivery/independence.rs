//! No channel waits for another one.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::SOON;
use zentry_e2e::zentry::id;

use crate::{KINDS, TASKS, channel, scene, set};

#[test]
fn a_hundred_and_fifty_broken_channels_delay_no_healthy_one() {
    const EACH: usize = 150;
    let mut scene = scene(&[("request_timeout", "5min")]);
    let kinds = KINDS.into_iter().cycle();
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
