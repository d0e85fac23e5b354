//! Each connection is a file, and a process may have so many.

use std::fs;

use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::{Behaviour, Kind, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, register};
use zentry_e2e::site::Site;
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::id;

use crate::{TASKS, is_true, replace_worker, worker};

/// A cluster whose processes may have so many files, and may allow themselves so many.
fn site(soft: u32, hard: u32) -> (Site, Client) {
    let options = ClusterOptions {
        files: Some((soft, hard)),
        ..ClusterOptions::default()
    };
    let site = Site::start(options.set("zentry_notify.request_timeout", "5min")).unwrap();
    let client = site.database("app").unwrap();
    (site, client)
}

fn files_allowed(pid: i32) -> u32 {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_worker_allows_itself_as_many_as_it_needs() {
    for (soft, hard, raised) in [(256, 8_192, 5_888), (256, 512, 512)] {
        let (site, mut client) = site(soft, hard);
        site.channel(&mut client).unwrap();
        numbered::complete(&mut client, [1]).unwrap();
        assert_eq!(files_allowed(worker(&mut client)), raised);
    }
}

#[test]
fn with_few_files_channels_that_worked_are_served_beside_more_that_hang_than_there_are_connections() {
    const HEALTHY: usize = 5;
    const HANGING: usize = 300;
    let (site, mut client) = site(256, 256);
    let mut enter = |project, count| -> Vec<Webhook> {
        let webhooks = (0..count).map(|_| site.emulator.register(Kind::Workflow));
        let webhooks: Vec<Webhook> = webhooks.collect();
        for webhook in &webhooks {
            register(&mut client, webhook, project, TASKS).unwrap();
        }
        webhooks
    };
    let hanging = enter(Some(id::MOBILE_APP), HANGING);
    let healthy = enter(None, HEALTHY);
    for webhook in &hanging {
        webhook.always(Behaviour::Hang);
    }
    numbered::complete(&mut client, [1]).unwrap();
    for webhook in &healthy {
        webhook.wait_for_events(1, SOON);
    }
    // What is known of them has to outlive the worker.
    let known = format!("(SELECT count(last_sent_at) = {HEALTHY} FROM zentry_notify.webhook_count)");
    eventually(SOON, "it to be known", || {
        is_true(&mut client, &known, &[]).then_some(())
    })
    .unwrap();
    replace_worker(&mut client);
    for number in 2..=3 {
        numbered::complete_in(&mut client, id::MOBILE_APP, [number]).unwrap();
        for webhook in &healthy {
            webhook.wait_for_events(number.unsigned_abs(), SOON);
        }
    }

    let held = || hanging.iter().map(Webhook::in_flight).sum::<usize>();
    // Slow requests get a quarter of the files, those that were never called three eighths of another one.
    let all = 64 + 24;
    eventually(SOON, "all connections to be held", || {
        (held() >= all).then_some(())
    })
    .unwrap();
    assert_eq!(held(), all);
    let files = fs::read_dir(format!("/proc/{}/fd", worker(&mut client))).unwrap();
    let files: Vec<_> = files
        .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
        .collect();
    let sockets = files
        .iter()
        .filter(|file| file.to_string_lossy().starts_with("socket:"));
    // The other half is for idle connections and for PostgreSQL, which closes tables that it does not need when it has no file left.
    let sockets = sockets.count();
    assert!(
        (all..256 / 2).contains(&sockets),
        "{sockets} sockets among {} files",
        files.len()
    );
    assert_eq!(site.emulator.complaints(), [""; 0]);
}
