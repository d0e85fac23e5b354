//! So many requests in a time: what vendors allow, and what webhooks and their groups say.

use webhook::endpoint::Vendor;
use webhook::schedule::{Policy, QueueConfig, Rate};

use crate::desk::{Desk, SENT, discord, queue, seconds, teams};

/// Writes an event to one of the queues at each of the moments, and answers all that leaves at once. Returns when each
/// message was posted, with its queue and its size.
fn simulate(desk: &mut Desk, events: impl IntoIterator<Item = (f64, i64)>) -> Vec<(f64, i64, usize)> {
    let start = desk.now;
    let mut posts = Vec::new();
    let mut run = |desk: &mut Desk, until: Option<jiff::Timestamp>| {
        loop {
            for request in desk.leaving() {
                let at = desk.now.duration_since(start).as_secs_f64();
                posts.push((at, request.queue.0, request.deliveries.len()));
                desk.answer(&request, SENT);
            }
            desk.record();
            let wake = desk.scheduler.next_wake();
            let next = wake.filter(|wake| until.is_none_or(|until| *wake <= until));
            let Some(next) = next else { break };
            desk.now = next.max(desk.now);
        }
        desk.now = until.unwrap_or(desk.now);
    };
    for (id, (at, queue)) in (1..).zip(events) {
        run(desk, Some(start + seconds(at)));
        desk.write(queue, [id]);
    }
    run(desk, None);
    posts
}

/// No more than 25 within any 300 s.
fn check_posts(posts: &[(f64, i64, usize)]) {
    for (first, last) in posts.iter().zip(posts.iter().skip(25)) {
        assert!(
            last.0 - first.0 >= 299.999,
            "26 posts from {} to {}",
            first.0,
            last.0
        );
    }
}

#[test]
fn teams_posts_25_in_five_minutes_and_loses_none_of_250() {
    let random = &mut fastrand::Rng::with_seed(3);
    let mut scattered: Vec<f64> = (0..250).map(|_| random.f64() * 300.0).collect();
    scattered.sort_by(f64::total_cmp);
    let steady = (0..250).map(|n| f64::from(n) * 1.2).collect();
    let at_once = vec![0.0; 250];
    let late = (0..250)
        .map(|n| if n < 20 { f64::from(n) } else { 100.0 })
        .collect();
    for events in [steady, scattered, at_once, late] {
        let mut desk = Desk::new([teams(1)]);
        let posts = simulate(&mut desk, events.into_iter().map(|at| (at, 1)));
        assert_eq!(posts.iter().map(|(.., size)| size).sum::<usize>(), 250);
        assert_eq!(desk.tables.unfinished(webhook::schedule::QueueId(1)).count(), 0);
        check_posts(&posts);
        let last = posts.last().unwrap().0;
        assert!(last < 660.0, "the last one at {last}");
    }
}

/// A quiet channel is told at once; a busy one does not spend all it has on single events.
#[test]
fn what_is_left_is_shared_out_between_fuller_messages() {
    let mut desk = Desk::new([teams(1)]);
    let posts = simulate(&mut desk, (0..10).map(|n| (f64::from(n) * 40.0, 1)));
    for (n, post) in (0..).zip(&posts) {
        assert_eq!(*post, (f64::from(n) * 40.0, 1, 1));
    }
    let mut desk = Desk::new([teams(1)]);
    let posts = simulate(&mut desk, (0..300).map(|n| (f64::from(n) * 2.0, 1)));
    check_posts(&posts);
    let longest = posts
        .windows(2)
        .map(|two| two[1].0 - two[0].0)
        .fold(0.0, f64::max);
    assert!(longest < 60.0, "somebody waited for {longest} s");
}

#[test]
fn webhooks_of_one_group_share_what_their_owner_has() {
    let shared = |id| QueueConfig {
        rate_group: Some("anna's flows".into()),
        ..teams(id)
    };
    let own = |id| teams(id);
    let mut desk = Desk::new([shared(1), shared(2), shared(3), own(4), own(5)]);
    let events = (0..300).map(|n| (f64::from(n) * 0.9, i64::from(n % 5) + 1));
    let posts = simulate(&mut desk, events);
    assert_eq!(posts.iter().map(|(.., size)| size).sum::<usize>(), 300);
    let of = |queues: &[i64]| -> Vec<_> {
        posts
            .iter()
            .copied()
            .filter(|post| queues.contains(&post.1))
            .collect()
    };
    for posts in [of(&[1, 2, 3]), of(&[4]), of(&[5])] {
        assert!(posts.len() >= 6);
        check_posts(&posts);
    }
}

#[test]
fn the_lowest_rate_of_a_group_holds_on_any_host() {
    let shared = |id, rate: &str| QueueConfig {
        rate: Some(rate.parse().unwrap()),
        rate_group: Some("owner".into()),
        max_events_per_message: 1,
        ..queue(id)
    };
    let mut desk = Desk::new([shared(1, "4/s"), shared(2, "2/1min")]);
    desk.write(1, 1..=3);
    desk.write(2, 1..=3);
    assert_eq!(desk.leaving().len(), 2);
}

/// A worker leaves when nothing is to be done, and comes back a moment later.
#[test]
fn what_was_posted_counts_for_the_next_worker() {
    let config = QueueConfig {
        max_events_per_message: 1,
        ..teams(1)
    };
    let mut desk = Desk::new([config]);
    let start = desk.now;
    let mut left = Vec::new();
    desk.write(1, 1..=60);
    while desk.tables.unfinished(webhook::schedule::QueueId(1)).count() > 0 {
        let (_, request) = desk.next();
        left.push((desk.now.duration_since(start).as_secs_f64(), 1, 1));
        desk.answer(&request, SENT);
        desk.record();
        assert!(desk.tables.in_a_row[&webhook::schedule::QueueId(1)].posts.len() <= 25);
        desk.crash();
    }
    assert_eq!(left.len(), 60);
    check_posts(&left);
}

#[test]
fn discord_gets_so_many_requests_a_second_over_all_queues() {
    let mut desk = Desk::new((1..=120).map(discord));
    for id in 1..=120 {
        desk.write(id, [1]);
    }
    for (expected, wake) in [(50, 1.0), (50, 1.0), (20, 0.0)] {
        let requests = desk.leaving();
        assert_eq!(requests.len(), expected);
        for request in &requests {
            desk.answer(request, SENT);
        }
        desk.nothing_leaves();
        if wake > 0.0 {
            assert_eq!(desk.sleep(), seconds(wake));
        }
    }
    assert_eq!(desk.scheduler.next_wake(), None);
}

#[test]
fn discords_cap_holds_up_nobody_else() {
    let mut desk = Desk::new((1..=200).map(discord).chain([queue(999)]));
    for id in 1..=200 {
        desk.write(id, 1..=100);
    }
    assert_eq!(desk.leaving().len(), 50);
    desk.write(999, [1]);
    assert_eq!(desk.one().queue.0, 999);
}

#[test]
fn each_teams_webhook_gets_what_the_setting_says() {
    let policy = Policy {
        teams_rate: "4/s".parse().unwrap(),
        ..Policy::default()
    };
    let config = QueueConfig {
        max_events_per_message: 1,
        ..teams(1)
    };
    let mut desk = Desk::with(policy, [config]);
    desk.write(1, 1..=8);
    for _ in 0..2 {
        for _ in 0..4 {
            let request = desk.one();
            desk.answer(&request, SENT);
        }
        desk.nothing_leaves();
        if desk.scheduler.next_wake().is_some() {
            assert_eq!(desk.sleep(), seconds(1.0));
        }
    }
    assert!(desk.row(1, 8).sent());
}

#[test]
fn other_hosts_are_paced_by_their_answers_alone() {
    let config = |vendor| QueueConfig {
        vendor,
        max_events_per_message: 1,
        ..discord(1)
    };
    let mut desk = Desk::new([config(Vendor::Other)]);
    desk.write(1, 1..=200);
    for _ in 0..200 {
        let request = desk.one();
        desk.answer(&request, SENT);
    }
}

#[test]
fn the_caps_are_settings() {
    let policy = Policy {
        discord_per_second: 1,
        teams_rate: Rate::NONE,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy.clone(), [discord(1), discord(2), teams(3)]);
    for id in 1..=3 {
        desk.write(id, [1]);
    }
    let queues: Vec<i64> = desk.leaving().iter().map(|request| request.queue.0).collect();
    assert_eq!(queues, [1, 3]);
    desk.scheduler.set_policy(Policy {
        discord_per_second: 2,
        ..policy
    });
    assert_eq!(desk.one().queue.0, 2);
}
