//! Milestones while something else goes on: settings change, the worker counts, nothing can be written.

use std::time::Duration;

use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::Emulator;
use zentry_e2e::scene::{Delivery, SOON, Scene, hosts, register};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use crate::milestones::*;
use crate::support::listener;

#[test]
fn the_setting_changes_while_the_worker_runs() {
    let emulator = Emulator::start().unwrap();
    let options = ClusterOptions::default()
        .set("zentry_notify.allowed_hosts", hosts(&emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on");
    let mut cluster = Cluster::start(options).unwrap();
    let mut client = cluster.connect().unwrap();
    zentry::load(&mut client).unwrap();
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let webhook = emulator.discord_webhook();
    register(&mut client, &webhook, None, Some(&["milestone_reached"])).unwrap();
    let (_, tasks) = project(&mut client, 10);
    zentry::bulk_complete(&mut client, &tasks[..3]).unwrap();
    webhook.wait_for_events(1, SOON);

    cluster
        .conf(&[("zentry_notify.milestones", "20, 45, 60")])
        .unwrap();
    zentry::bulk_complete(&mut client, &tasks[..7]).unwrap();
    webhook.wait_for_events(3, SOON);
    Delivery::settle(&mut client).unwrap();
    let told: Vec<String> = webhook.shown().into_iter().map(|event| event.text).collect();
    assert_eq!(
        told,
        [25, 45, 60].map(|milestone| format!("Atlas reached {milestone}% Project Completion."))
    );
    assert_eq!(emulator.complaints(), [] as [&str; 0]);
}

/// While the worker has taken the note of the first task and waits for the table, the second one is completed: neither
/// milestone may get lost.
#[test]
fn tasks_completed_while_the_worker_counts() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 4);

    let mut first = scene.database.connect().unwrap();
    let mut first = first.transaction().unwrap();
    zentry::bulk_complete(&mut first, &tasks[..1]).unwrap();
    let mut second = scene.database.connect().unwrap();
    let second_task = tasks[1];
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                   WHERE NOT l.granted AND l.relation = 'tasks_task'::regclass AND a.datname = current_database() \
                     AND a.backend_type LIKE $1";
    let mut wait_for = |backend: &str| {
        eventually(SOON, format!("a {backend} to wait for the table"), || {
            let count: i64 = scene.client.query_one(waiting, &[&backend]).ok()?.get(0);
            (count > 0).then_some(())
        })
        .unwrap();
    };
    std::thread::scope(|threads| {
        let (locked, lock) = std::sync::mpsc::channel();
        let (go, may_go) = std::sync::mpsc::channel();
        threads.spawn(move || {
            let mut second = second.transaction().unwrap();
            second
                .batch_execute("LOCK TABLE tasks_task IN ACCESS EXCLUSIVE MODE")
                .unwrap();
            zentry::bulk_complete(&mut second, &[second_task]).unwrap();
            locked.send(()).unwrap();
            may_go.recv_timeout(SOON + Duration::from_secs(5)).unwrap();
            second.commit().unwrap();
        });
        wait_for("client backend");
        first.commit().unwrap();
        lock.recv_timeout(SOON).unwrap();
        wait_for("zentry_notify%");
        go.send(()).unwrap();
    });
    // The worker waits half a second for a lock, and counts both tasks at once if that was too short.
    let reached = reached(&mut scene);
    let milestones: Vec<u64> = reached.iter().map(|(milestone, _)| *milestone).collect();
    assert_eq!(milestones, [25, 50], "{reached:?}");
}

/// A project comes further twice before the first time can be written down.
#[test]
fn tasks_completed_while_milestones_cannot_be_written() {
    const WAITS: &str = "SELECT count(*) FROM pg_locks \
                         WHERE relation = 'zentry_notify.project_progress'::regclass AND mode = 'RowExclusiveLock' AND NOT granted";
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 4);
    assert_eq!(reached(&mut scene), []);
    let mut locker = scene.database.connect().unwrap();
    let mut lock = locker.transaction().unwrap();
    lock.batch_execute("LOCK TABLE zentry_notify.project_progress IN SHARE MODE")
        .unwrap();
    let mut until = |waits: bool| {
        eventually(SOON, format!("waits for the table: {waits}"), || {
            let count: i64 = lock.query_one(WAITS, &[]).ok()?.get(0);
            ((count > 0) == waits).then_some(())
        })
        .unwrap();
    };
    zentry::bulk_complete(&mut scene.client, &tasks[..1]).unwrap();
    until(true);
    // It waits no longer than half a second, and tries again with what has come meanwhile.
    until(false);
    zentry::bulk_complete(&mut scene.client, &tasks[1..3]).unwrap();
    until(true);
    lock.commit().unwrap();
    let milestones: Vec<u64> = reached(&mut scene)
        .iter()
        .map(|(milestone, _)| *milestone)
        .collect();
    assert_eq!(milestones, [25, 50, 75]);
    assert_eq!(channel.webhook.event_count(), 3);
}
