//! Pauses, rate limits, caps.

use webhook::endpoint::{EndpointKind, Vendor};
use webhook::outcome::{Judgement, RateScope, Verdict};
use webhook::schedule::{Outcome, Policy, QueueConfig, QueueId, Rate};

use crate::desk::{BROKEN, Desk, SENT, discord, ids, queue, seconds, teams, too_fast, verdict};

#[test]
fn an_announced_pause_is_kept() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=11);
    let request = desk.one();
    desk.judge(
        &request,
        &Judgement {
            pause: Some(seconds(1.25)),
            ..verdict(SENT)
        },
    );
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (seconds(1.25), vec![11]));
}

#[test]
fn a_pause_holds_for_rows_that_come_later() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.judge(
        &request,
        &Judgement {
            pause: Some(seconds(2.0)),
            ..verdict(SENT)
        },
    );
    desk.nothing_leaves();
    desk.pass(seconds(0.5));
    desk.write(1, [2]);
    assert_eq!(desk.next().0, seconds(1.5));
}

#[test]
fn another_url_need_not_wait_for_the_old_ones_pause() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    let pause = Some(seconds(3600.0));
    desk.judge(
        &request,
        &Judgement {
            pause,
            ..verdict(SENT)
        },
    );
    desk.write(1, [2]);
    desk.nothing_leaves();
    let revision = 1;
    desk.scheduler
        .configure(vec![QueueConfig { revision, ..queue(1) }], desk.now);
    assert_eq!(ids(&desk.one()), [2]);
}

#[test]
fn rate_limited_waits_exactly_and_is_no_attempt() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, too_fast(seconds(0.345)));
    let at = desk.now + seconds(0.345);
    assert_eq!(desk.outcome(1, 1), Some(Outcome::Waiting { next_attempt_at: at }));
    let row = desk.row(1, 1).last.clone().unwrap();
    assert_eq!(
        (row.attempts, row.status_code, row.error.as_deref()),
        (0, Some(429), Some("too fast"))
    );
    let (slept, request) = desk.next();
    assert_eq!(slept, seconds(0.345));
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 1), Some(Outcome::Sent));
}

#[test]
fn rate_limits_outlive_a_crash() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=20);
    let request = desk.one();
    desk.answer(&request, too_fast(seconds(3.0)));
    desk.record();
    desk.crash();
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (seconds(3.0), (1..=10).collect()));
}

#[test]
fn an_endpoint_that_is_never_content_is_not_hammered() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let start = desk.now;
    for _ in 0..100 {
        let (_, request) = desk.next();
        desk.answer(&request, too_fast(seconds(0.0)));
    }
    assert!(desk.now.duration_since(start) > jiff::SignedDuration::from_secs(90));
}

#[test]
fn a_wait_of_years_is_not_believed() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, too_fast(std::time::Duration::MAX));
    desk.nothing_leaves();
    assert_eq!(desk.sleep(), seconds(86_400.0));
}

fn global(wait: f64) -> Verdict {
    Verdict::RateLimited {
        wait: seconds(wait),
        scope: RateScope::Discord,
    }
}

#[test]
fn a_global_limit_parks_all_of_discord_and_nobody_else() {
    let mut desk = Desk::new([discord(1), discord(2), discord(3), queue(4)]);
    desk.write(1, [1]);
    desk.write(2, [1]);
    let requests = desk.leaving();
    desk.answer(&requests[0], global(90.0));
    desk.answer(&requests[1], SENT);
    desk.write(2, [2]);
    desk.write(3, [1]);
    desk.write(4, [1]);
    assert_eq!(desk.one().queue.0, 4);
    desk.sleep();
    assert_eq!(
        desk.now
            .duration_since(desk.row(1, 1).last.as_ref().unwrap().at)
            .as_secs(),
        90
    );
    let mut queues: Vec<i64> = desk.leaving().iter().map(|request| request.queue.0).collect();
    queues.sort();
    assert_eq!(queues, [1, 2, 3]);
}

#[test]
fn a_park_takes_the_rows_of_queues_that_were_ready() {
    let policy = Policy {
        max_in_flight: 6,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, (1..=4).map(discord));
    for id in 1..=4 {
        desk.write(id, 1..=10);
    }
    let requests = desk.leaving();
    assert_eq!(
        requests.len(),
        2,
        "the others are for those that have proven themselves"
    );
    assert_eq!(desk.scheduler.buffered(), 40);
    desk.answer(&requests[0], global(3600.0));
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.buffered(), 10);
    desk.answer(&requests[1], SENT);
    assert_eq!(desk.sleep(), seconds(3600.0));
    assert_eq!(desk.leaving().len(), 3);
}

#[test]
fn a_park_outlives_a_crash() {
    let mut desk = Desk::new([discord(1), discord(2)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, global(3600.0));
    desk.record();
    desk.pass(seconds(600.0));
    desk.crash();
    desk.write(2, [1]);
    desk.nothing_leaves();
    assert_eq!(desk.sleep(), seconds(3000.0));
    assert_eq!(desk.leaving().len(), 2);
}

#[test]
fn hosts_that_speak_like_discord_park_each_other_only() {
    let like = |id| QueueConfig {
        kind: EndpointKind::Discord,
        ..queue(id)
    };
    let mut desk = Desk::new([like(1), like(2), discord(3), queue(4)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, global(60.0));
    for id in 2..=4 {
        desk.write(id, [1]);
    }
    let queues: Vec<i64> = desk.leaving().iter().map(|request| request.queue.0).collect();
    assert_eq!(queues, [3, 4]);
    assert_eq!(desk.tables.discord_parked_until, None);
    assert_eq!(desk.sleep(), seconds(60.0));
    assert_eq!(desk.leaving().len(), 2);
}

/// The edge turns this address away: nobody is to blame, nothing is lost, and one request finds out whether it still does.
#[test]
fn the_edge_parks_all_of_discord_and_blames_nobody() {
    let mut desk = Desk::new((1..=5).map(discord).chain([queue(6)]));
    let start = desk.now;
    for id in 1..=6 {
        desk.write(id, 1..=20);
    }
    let requests = desk.leaving();
    assert_eq!(requests.len(), 6);
    for request in &requests {
        desk.answer(
            request,
            if request.queue.0 == 6 {
                SENT
            } else {
                Verdict::Blocked
            },
        );
    }
    let mut probes = 0;
    while desk.now.duration_since(start).as_secs() < 7_200 {
        let leaving = desk.leaving();
        let of_discord: Vec<_> = leaving.iter().filter(|request| request.queue.0 != 6).collect();
        assert!(of_discord.len() <= 1, "one of them finds out");
        for request in &leaving {
            let sent = request.queue.0 == 6;
            probes += usize::from(!sent);
            desk.answer(request, if sent { SENT } else { Verdict::Blocked });
        }
        desk.record();
        let wake = desk.scheduler.next_wake().unwrap();
        assert!(wake <= desk.now + seconds(300.0));
        desk.now = wake.max(desk.now);
    }
    assert!((20..60).contains(&probes), "{probes}");
    assert!(desk.tables.circuits.is_empty() && desk.tables.switched_off.is_empty());
    for id in 1..=5 {
        for row in 1..=20 {
            assert_eq!(desk.row(id, row).delivery.attempts, 0);
        }
    }
    // The first that passes lets all of them go.
    let (_, request) = desk.next();
    desk.answer(&request, SENT);
    assert_eq!(desk.leaving().len(), 5);
}

#[test]
fn a_park_by_the_edge_outlives_a_crash() {
    let mut desk = Desk::new([discord(1), discord(2)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, Verdict::Blocked);
    desk.record();
    desk.crash();
    desk.write(2, [1]);
    desk.nothing_leaves();
    assert!(desk.sleep() >= seconds(8.0));
}

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

#[test]
fn min_interval_counts_from_the_answer() {
    let mut desk = Desk::new([QueueConfig {
        min_interval: seconds(2.0),
        ..queue(1)
    }]);
    desk.write(1, 1..=20);
    let request = desk.one();
    desk.pass(seconds(1.0));
    desk.answer(&request, SENT);
    assert_eq!(desk.next().0, seconds(2.0));
}

#[test]
fn a_shorter_interval_holds_for_what_waits_already() {
    let patient = QueueConfig {
        min_interval: seconds(3600.0),
        ..queue(1)
    };
    let mut desk = Desk::new([patient]);
    desk.write(1, 1..=20);
    let request = desk.one();
    desk.answer(&request, SENT);
    desk.nothing_leaves();
    let min_interval = seconds(2.0);
    desk.scheduler.configure(
        vec![QueueConfig {
            min_interval,
            ..queue(1)
        }],
        desk.now,
    );
    assert_eq!(desk.next().0, seconds(2.0));
}

#[test]
fn a_clock_set_back_does_not_stretch_a_wait() {
    for how in [
        too_fast(seconds(20.0)),
        Verdict::Retry {
            wait: Some(seconds(20.0)),
        },
    ] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=20);
        let request = desk.one();
        desk.answer(&request, how);
        desk.nothing_leaves();
        desk.now -= seconds(3600.0);
        desk.nothing_leaves();
        let (slept, request) = desk.next();
        assert_eq!((slept, request.deliveries.len()), (seconds(20.0), 10));
    }
}

#[test]
fn what_an_answer_asks_for_is_waited_for_on_failure_too() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(
        &request,
        Verdict::Retry {
            wait: Some(seconds(77.0)),
        },
    );
    assert_eq!(desk.next().0, seconds(77.0));
    desk.crash();
    let request = desk.one();
    desk.answer(&request, BROKEN);
    assert!(desk.next().0 <= seconds(2.0));
}

/// What comes in the night leaves together in the morning, and does not grow old meanwhile.
#[test]
fn quiet_hours_hold_back_and_let_go_together() {
    let night = QueueConfig {
        quiet_hours: Some("22:00-07:00 Europe/Berlin".parse().unwrap()),
        max_age: Some(seconds(3600.0)),
        ..queue(1)
    };
    let mut desk = Desk::new([night, queue(2)]);
    desk.now = "2027-01-15T20:59:00Z".parse().unwrap();
    desk.write(1, [1]);
    let request = desk.one();
    assert_eq!(ids(&request), [1]);
    desk.pass(seconds(60.0));
    desk.answer(&request, SENT);
    desk.write(1, [2]);
    desk.write(2, [3]);
    assert_eq!(ids(&desk.one()), [3], "others have no quiet hours");
    desk.pass(seconds(6.0 * 3600.0));
    desk.write(1, [4, 5]);
    desk.nothing_leaves();
    let (_, request) = desk.next();
    assert_eq!(desk.now, "2027-01-16T06:00:00Z".parse().unwrap());
    assert_eq!(ids(&request), [2, 4, 5]);
}

/// What a person wants tried is, whatever it was told to wait for; its delivery is due then, as the caller has written.
#[test]
fn a_queue_that_is_resumed_forgets_its_own_limit_and_that_of_all() {
    let mut desk = Desk::new([queue(1), discord(2), discord(3), queue(4)]);
    for (id, limit) in [(1, too_fast(std::time::Duration::MAX)), (2, global(86_400.0))] {
        desk.write(id, [1]);
        let request = desk.one();
        desk.answer(&request, limit);
    }
    desk.record();
    desk.write(3, [1]);
    desk.nothing_leaves();
    for id in [1, 2] {
        let rows = desk.tables.rows.get_mut(&QueueId(id)).unwrap();
        rows.values_mut()
            .for_each(|row| row.delivery.next_attempt_at = None);
    }
    assert!(!desk.scheduler.resume([QueueId(1)]));
    assert_eq!(desk.one().queue.0, 1);
    assert!(desk.scheduler.resume([QueueId(2)]));
    let mut queues: Vec<i64> = desk.leaving().iter().map(|request| request.queue.0).collect();
    queues.sort();
    assert_eq!(queues, [2, 3]);
}

/// A person has resumed a webhook of another database: all of Discord is tried here too, but not what was told to wait by itself.
#[test]
fn a_park_that_ends_for_all_leaves_a_queues_own_limit() {
    let mut desk = Desk::new([discord(1), discord(2), discord(3)]);
    for (id, limit) in [(1, too_fast(std::time::Duration::MAX)), (2, global(86_400.0))] {
        desk.write(id, [1]);
        let request = desk.one();
        desk.answer(&request, limit);
    }
    desk.record();
    desk.write(3, [1]);
    desk.nothing_leaves();
    desk.scheduler.unpark_discord();
    assert_eq!(desk.one().queue.0, 3);
}
