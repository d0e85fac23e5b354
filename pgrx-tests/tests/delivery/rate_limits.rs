//! The endpoint's pace is kept: as announced, as asked for by 429, and as the administrator wants it.

use std::env;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zentry_e2e::emulator::{Behaviour, Kind, Limits, RateLimit, Verdict, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene, all_sent, all_sent_at_once};
use zentry_e2e::zentry;

use crate::{TASKS, channel, of, scene, set};

/// The times of the webhook's requests.
fn times(webhook: &Webhook) -> Vec<Timestamp> {
    webhook.received().iter().map(|received| received.at).collect()
}

fn gap(earlier: Timestamp, later: Timestamp) -> SignedDuration {
    later.duration_since(earlier)
}

/// Events for one webhook: few enough that `make test` is quick; `make torture` sends a thousand.
fn burst() -> i64 {
    env::var("ZENTRY_EVENTS").map_or(200, |events| events.parse().expect("ZENTRY_EVENTS"))
}

#[test]
fn an_announced_limit_is_kept_and_nothing_is_lost() {
    let mut scene = scene(&[]);
    let channel = scene.channel_for(Kind::Discord, None, TASKS).unwrap();
    channel.webhook.limit(Limits {
        announced: Some(RateLimit::DISCORD),
        unannounced: None,
    });
    let burst = burst();
    numbered::complete(&mut scene.client, 1..=burst).unwrap();
    let patience = SOON + Duration::from_millis(100 * burst.unsigned_abs());
    channel.webhook.wait_for_events(burst.unsigned_abs(), patience);
    let deliveries = scene.settle().unwrap();
    assert!(all_sent_at_once(&deliveries));
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=burst));
    let received = channel.webhook.received();
    let refused = received
        .iter()
        .filter(|received| received.verdict == Verdict::RateLimited);
    assert!(refused.count() <= 1);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_429_waits_as_long_as_it_says_and_is_no_attempt() {
    let mut scene = scene(&[("max_attempts", "1")]);
    let wait = Duration::from_millis(1234);
    let behaviour = Behaviour::RateLimited {
        retry_after: wait,
        global: false,
    };
    let discord = channel(&mut scene, Kind::Discord);
    let workflow = channel(&mut scene, Kind::Workflow);
    for channel in [&discord, &workflow] {
        channel.webhook.script([behaviour.clone(), behaviour.clone()]);
    }
    numbered::complete(&mut scene.client, 1..=2).unwrap();

    let waiting = scene
        .wait_until("all of both to wait", |all| {
            all.len() == 4 && all.iter().all(|delivery| delivery.status == "retry")
        })
        .unwrap();
    for (channel, said) in [(&discord, "1.234 s"), (&workflow, "2 s")] {
        for delivery in of(&waiting, channel) {
            assert_eq!((delivery.response_status_code, delivery.attempts), (Some(429), 0));
            assert_eq!(
                delivery.error_message,
                format!("429: rate limited, next try in {said}")
            );
            assert!(delivery.next_attempt_at.is_some());
        }
    }

    let sent = scene.settle().unwrap();
    for (channel, wait) in [(&discord, wait), (&workflow, Duration::from_secs(2))] {
        for delivery in of(&sent, channel) {
            assert_eq!((delivery.status.as_str(), delivery.attempts), ("sent", 1));
        }
        let times = times(&channel.webhook);
        assert_eq!(times.len(), 3);
        for pair in times.windows(2) {
            assert!(gap(pair[0], pair[1]).unsigned_abs() >= wait, "{times:?}");
        }
        assert_eq!(numbered::accepted(&channel.webhook), [1, 2]);
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

/// Two channels of Discord and one of Teams; the first hears of tasks, the others of projects.
struct Vendors {
    limited: zentry_e2e::scene::Channel,
    sibling: zentry_e2e::scene::Channel,
    stranger: zentry_e2e::scene::Channel,
}

impl Vendors {
    fn enter(scene: &mut Scene) -> Self {
        let projects = Some(&["project_created"][..]);
        Self {
            limited: channel(scene, Kind::Discord),
            sibling: scene.channel_for(Kind::Discord, None, projects).unwrap(),
            stranger: scene.channel_for(Kind::Workflow, None, projects).unwrap(),
        }
    }

    /// The first is told `behaviour`; when that is recorded, the others have something to send.
    fn tell(&self, scene: &mut Scene, behaviour: Behaviour) -> Timestamp {
        self.limited.webhook.script([behaviour]);
        numbered::complete(&mut scene.client, [1]).unwrap();
        scene
            .wait_until("the answer to be recorded", |all| {
                all.first().is_some_and(|delivery| delivery.status == "retry")
            })
            .unwrap();
        zentry::create_project(&mut scene.client, "Another", "", zentry::id::ADA, &[]).unwrap();
        self.stranger.webhook.wait_for_events(1, SOON);
        times(&self.limited.webhook)[0]
    }
}

#[test]
fn a_global_429_parks_all_of_discord() {
    let mut scene = scene(&[]);
    let vendors = Vendors::enter(&mut scene);
    let wait = Duration::from_secs(3);
    let told = vendors.tell(
        &mut scene,
        Behaviour::RateLimited {
            retry_after: wait,
            global: true,
        },
    );
    scene.settle().unwrap();
    assert!(gap(told, times(&vendors.sibling.webhook)[0]).unsigned_abs() >= wait);
    assert!(gap(told, times(&vendors.limited.webhook)[1]).unsigned_abs() >= wait);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_global_429_parks_nobody_else() {
    let mut scene = scene(&[]);
    let vendors = Vendors::enter(&mut scene);
    // It returns when the stranger has got its event.
    vendors.tell(
        &mut scene,
        Behaviour::RateLimited {
            retry_after: Duration::from_secs(3600),
            global: true,
        },
    );
    assert_eq!(vendors.stranger.webhook.requests(), 1);
    assert_eq!(vendors.limited.webhook.requests(), 1);
    assert_eq!(vendors.sibling.webhook.requests(), 0);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn an_edge_ban_parks_all_of_discord_for_an_hour() {
    let mut scene = scene(&[]);
    let vendors = Vendors::enter(&mut scene);
    let told = vendors.tell(&mut scene, Behaviour::EdgeBan);
    let deliveries = scene
        .wait_until("Teams' outcome", |all| {
            let own = of(all, &vendors.stranger);
            all_sent(&own)
        })
        .unwrap();
    let [limited, sibling] = [&vendors.limited, &vendors.sibling].map(|channel| of(&deliveries, channel)[0]);
    assert_eq!((limited.status.as_str(), limited.attempts), ("retry", 0));
    assert!(
        limited.error_message.contains("banned"),
        "{}",
        limited.error_message
    );
    assert!(gap(told, limited.next_attempt_at.unwrap()) >= SignedDuration::from_hours(1));
    assert_eq!(
        (sibling.status.as_str(), vendors.sibling.webhook.requests()),
        ("pending", 0)
    );
    assert_eq!(vendors.limited.webhook.requests(), 1);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn min_interval_keeps_messages_apart() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Workflow);
    set(&mut scene, &channel, "max_events_per_message", "1");
    set(&mut scene, &channel, "min_interval", "700 milliseconds");
    numbered::complete(&mut scene.client, 1..=4).unwrap();
    scene.settle().unwrap();
    let times = times(&channel.webhook);
    assert_eq!(times.len(), 4);
    for pair in times.windows(2) {
        assert!(
            gap(pair[0], pair[1]) >= SignedDuration::from_millis(700),
            "{times:?}"
        );
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
