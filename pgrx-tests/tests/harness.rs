//! The harness itself: what the other tests take for granted of their clusters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, io};

use jiff::Timestamp;
use zentry_e2e::cluster::{Cluster, ClusterOptions, StopMode, TestDatabase};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, Task, id};

const SOON: Duration = Duration::from_secs(60);

fn bare() -> Cluster {
    Cluster::start(ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    })
    .unwrap()
}

fn setting(cluster: &Cluster, name: &str) -> String {
    cluster
        .connect()
        .unwrap()
        .query_one("SELECT current_setting($1)", &[&name])
        .unwrap()
        .get(0)
}

#[test]
fn a_cluster_listens_on_a_socket_only_and_goes_when_dropped() {
    let cluster = bare();
    let dir = cluster.dir().to_owned();
    let pid = cluster.postmaster_pid().unwrap();
    assert_eq!(setting(&cluster, "listen_addresses"), "");
    assert!(dir.join(format!(".s.PGSQL.{}", cluster.port())).exists());
    drop(cluster);
    assert!(!dir.exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn settings_change_while_the_server_runs() {
    let mut cluster = Cluster::start(
        ClusterOptions {
            preload: false,
            ..ClusterOptions::default()
        }
        .set("work_mem", "5MB"),
    )
    .unwrap();
    assert_eq!(setting(&cluster, "work_mem"), "5MB");
    cluster
        .conf(&[("work_mem", "6MB"), ("application_name", "it's")])
        .unwrap();
    assert_eq!(setting(&cluster, "work_mem"), "6MB");
    cluster.restart(StopMode::Fast).unwrap();
    assert_eq!(setting(&cluster, "work_mem"), "6MB");
}

#[test]
fn committed_rows_survive_every_way_to_stop() {
    let mut cluster = bare();
    let mut client = cluster.connect().unwrap();
    client.batch_execute("CREATE TABLE kept (way text)").unwrap();
    for way in ["fast", "immediate", "kill"] {
        let mut client = cluster.connect().unwrap();
        client.execute("INSERT INTO kept VALUES ($1)", &[&way]).unwrap();
        match way {
            "fast" => cluster.restart(StopMode::Fast).unwrap(),
            "immediate" => cluster.restart(StopMode::Immediate).unwrap(),
            _ => {
                cluster.kill9().unwrap();
                assert!(client.execute("SELECT 1", &[]).is_err());
                assert!(cluster.connect().is_err());
                cluster.start_again().unwrap();
            }
        }
    }
    assert_eq!(
        cluster
            .psql(&["-At", "-c", "SELECT string_agg(way, ' ') FROM kept"])
            .unwrap(),
        "fast immediate kill\n"
    );
    assert!(cluster.log_contains("automatic recovery in progress").unwrap());
}

#[test]
fn the_log_can_be_waited_for() {
    let cluster = bare();
    cluster.wait_for_log("ready to accept connections", SOON).unwrap();
    let before = cluster.log_end().unwrap();
    cluster
        .psql(&["-c", "DO $$ BEGIN RAISE LOG 'look here'; END $$"])
        .unwrap();
    cluster.wait_for_log_since(before, "look here", SOON).unwrap();
    assert!(
        !cluster
            .log_since(before)
            .unwrap()
            .contains("ready to accept connections")
    );
    let failed = cluster.psql(&["-c", "SELECT 1/0"]).unwrap_err();
    assert!(failed.to_string().contains("division by zero"), "{failed}");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let options = ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    };
    let error = Cluster::start(options.set("shared_buffers", "a lot")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("invalid value for parameter \"shared_buffers\""),
        "{error}"
    );
}

#[test]
fn tests_share_a_cluster_with_a_database_each() {
    let databases = [TestDatabase::create().unwrap(), TestDatabase::create().unwrap()];
    let [one, two] = &databases;
    assert!(one.name().contains("tests_share_a_cluster"));
    assert_ne!(one.name(), two.name());
    one.connect()
        .unwrap()
        .batch_execute("CREATE TABLE only_here ()")
        .unwrap();
    assert!(two.connect().unwrap().batch_execute("TABLE only_here").is_err());

    let name = one.name().to_owned();
    let _open_session = one.connect().unwrap();
    drop(databases);
    let left = Cluster::shared().unwrap().connect().unwrap();
    let mut left = left;
    let rows = left
        .query("SELECT FROM pg_database WHERE datname = $1", &[&name])
        .unwrap();
    assert!(rows.is_empty());
}

#[test]
fn a_task_is_saved_as_the_application_saves_it() {
    let database = TestDatabase::create().unwrap();
    let mut client = database.connect().unwrap();
    zentry::load(&mut client).unwrap();
    let at: Timestamp = "2024-01-15T10:30:00Z".parse().unwrap();
    zentry::complete_task(&mut client, id::LANDING_PAGE, at).unwrap();
    let task = Task::get(&mut client, id::LANDING_PAGE).unwrap();
    assert_eq!((task.status.as_str(), task.completed_at), ("completed", Some(at)));
    let user = client
        .query_one(
            "SELECT experience_points, tasks_completed FROM users_user WHERE id = $1",
            &[&id::CHEN],
        )
        .unwrap();
    assert_eq!((user.get::<_, i32>(0), user.get::<_, i32>(1)), (1980 + 50, 53));

    let mut copy = Task { id: 1000, ..task };
    copy.insert(&mut client).unwrap();
    copy.title = "Another".to_owned();
    copy.save(&mut client).unwrap();
    assert_eq!(Task::get(&mut client, 1000).unwrap(), copy);
    let created = zentry::bulk_create_tasks(&mut client, id::MOBILE_APP, id::BRUNO, 500).unwrap();
    assert_eq!(zentry::bulk_complete(&mut client, &created).unwrap(), 500);
}

#[test]
fn foreign_keys_are_checked_at_commit() {
    let database = TestDatabase::create().unwrap();
    let mut client = database.connect().unwrap();
    zentry::load(&mut client).unwrap();
    let mut transaction = client.transaction().unwrap();
    let nobody = 999_i64;
    zentry::award_badge(&mut transaction, nobody, id::TASK_MASTER).unwrap();
    let refused = transaction.commit().unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23503");
}

/// Where a test process dies without a chance to clean up, its guard does.
#[test]
fn a_killed_test_process_leaves_nothing_behind() {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "start_a_cluster_and_wait_to_be_killed",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let dir = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("cluster in ").map(str::to_owned))
        .unwrap();
    assert!(Path::new(&dir).join("data/postmaster.pid").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually(SOON, "the guard to remove the cluster", || {
        (!Path::new(&dir).exists()).then_some(())
    })
    .unwrap();
}

#[test]
#[ignore = "run by a_killed_test_process_leaves_nothing_behind"]
fn start_a_cluster_and_wait_to_be_killed() {
    let cluster = bare();
    println!("\ncluster in {}", cluster.dir().display());
    io::stdin().lines().for_each(drop);
}
