//! No setting but ours begins with `zentry_notify.`.

use zentry_e2e::cluster::{Cluster, ClusterOptions, StopMode, TestDatabase};

use crate::support::refusal;

#[test]
fn a_misspelt_setting_is_an_error() {
    let database = TestDatabase::create().unwrap();
    let name = database.name();
    for statement in [
        "SET zentry_notify.mile_stones = '50'".to_owned(),
        "SELECT set_config('zentry_notify.mile_stones', '50', true)".to_owned(),
        "ALTER SYSTEM SET zentry_notify.mile_stones = '50'".to_owned(),
        format!("ALTER DATABASE {name} SET zentry_notify.mile_stones = '50'"),
        "ALTER ROLE postgres SET zentry_notify.mile_stones = '50'".to_owned(),
    ] {
        let error = refusal(&mut database.connect().unwrap(), &statement);
        assert!(
            ["42602", "42704"].contains(&error.code().code()),
            "{statement}: {error:?}"
        );
        assert!(
            error.message().contains("\"zentry_notify.mile_stones\""),
            "{statement}: {error:?}"
        );
    }
}

/// A database whose settings were made while the library was not loaded, so that nobody checked them.
#[test]
fn settings_that_nobody_checked_are_warned_of_and_can_be_taken_back() {
    let mut cluster = Cluster::start(ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    })
    .unwrap();
    cluster
        .connect()
        .unwrap()
        .batch_execute("CREATE DATABASE app")
        .unwrap();
    for setting in ["mile_stones = '50'", "milestones = '10; x'", "max_attempts = '3'"] {
        cluster
            .connect()
            .unwrap()
            .batch_execute(&format!("ALTER DATABASE app SET zentry_notify.{setting}"))
            .unwrap();
    }
    cluster
        .conf(&[("shared_preload_libraries", "zentry_notify")])
        .unwrap();
    cluster.restart(StopMode::Fast).unwrap();

    let start = cluster.log_end().unwrap();
    let mut client = cluster.connect_as("postgres", "app").unwrap();
    let values =
        "SELECT current_setting('zentry_notify.milestones'), current_setting('zentry_notify.max_attempts')";
    let row = client.query_one(values, &[]).unwrap();
    let values: (String, String) = (row.get(0), row.get(1));
    assert_eq!(values, ("25, 50, 75, 100".to_owned(), "3".to_owned()));
    let log = cluster.log_since(start).unwrap();
    for warning in [
        "WARNING:  invalid configuration parameter name \"zentry_notify.mile_stones\"",
        "WARNING:  invalid value for parameter \"zentry_notify.milestones\": \"10; x\"",
    ] {
        assert!(log.contains(warning), "{warning}\n{log}");
    }

    for setting in ["mile_stones", "milestones"] {
        client
            .batch_execute(&format!("ALTER DATABASE app RESET zentry_notify.{setting}"))
            .unwrap();
    }
    let start = cluster.log_end().unwrap();
    cluster.connect_as("postgres", "app").unwrap();
    assert!(!cluster.log_since(start).unwrap().contains("WARNING"));
}
