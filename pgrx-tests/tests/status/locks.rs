//! What is told of tables of ours that somebody has locked.

use std::thread;

use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::site::{Site, wait_for};

use crate::status::{Line, scene, status};

fn pid(client: &mut Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0)
}

/// The line of a lock, whose detail begins so.
fn lock(client: &mut Client, detail: &str) -> Line {
    // It is told in any case: this is for a fault that would keep the test.
    client.batch_execute("SET statement_timeout = '60s'").unwrap();
    let mut lines = status(client);
    let place = lines.iter().position(|line| line.detail.starts_with(detail));
    lines.swap_remove(place.unwrap_or_else(|| panic!("no line {detail}: {lines:#?}")))
}

/// Nobody waits for somebody who has a table alone, and all else is told.
#[test]
fn tables_that_somebody_has_locked() {
    let mut scene = scene();
    for table in [
        "webhook",
        "webhook_secret",
        "webhook_circuit",
        "webhook_count",
        "event",
        "route_cursor",
        "delivery",
        "legacy_delivery",
        "delivery_stat",
        "event_source",
    ] {
        let mut other = scene.database.connect().unwrap();
        other
            .batch_execute(&format!(
                "BEGIN; LOCK TABLE zentry_notify.{table} IN ACCESS EXCLUSIVE MODE"
            ))
            .unwrap();
        let told = format!(
            "zentry_notify.{table} is locked by process {} (postgres, in a transaction since ",
            pid(&mut other)
        );
        let found = lock(&mut scene.client, &told);
        assert_eq!(
            (found.subject.as_str(), found.state.as_str()),
            ("tables", "broken")
        );
        let lines = status(&mut scene.client);
        assert!(
            lines
                .iter()
                .any(|line| line.subject == "launcher" && line.state == "ok"),
            "{lines:#?}"
        );
        scene.client.batch_execute(&found.remedy).unwrap();
        wait_for(
            &mut scene.client,
            "SELECT bool_and(state = 'ok') FROM zentry_status()",
        )
        .unwrap();
    }
}

/// Behind somebody who waits for a table, everybody waits.
#[test]
fn a_table_that_somebody_waits_for() {
    let mut scene = scene();
    let mut reader = scene.database.connect().unwrap();
    reader
        .batch_execute("BEGIN; SELECT FROM zentry_notify.event")
        .unwrap();
    let mut other = scene.database.connect().unwrap();
    let pid = pid(&mut other);
    thread::scope(|scope| {
        let waits = scope.spawn(move || {
            other.batch_execute("BEGIN; LOCK TABLE zentry_notify.event IN ACCESS EXCLUSIVE MODE")
        });
        let client = &mut scene.client;
        wait_for(
            client,
            &format!("SELECT bool_or(NOT granted) FROM pg_locks WHERE pid = {pid}"),
        )
        .unwrap();
        let told = format!("zentry_notify.event is waited for by process {pid} (postgres, ");
        let found = lock(client, &told);
        client.batch_execute(&found.remedy).unwrap();
        assert!(waits.join().unwrap().is_err());
        wait_for(client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
    });
}

#[test]
fn a_table_that_a_prepared_transaction_has_locked() {
    let site = Site::start(ClusterOptions::default().set("max_prepared_transactions", 2)).unwrap();
    let (mut client, _channel) = site.served("shop").unwrap();
    site.connect("shop")
        .unwrap()
        .batch_execute("BEGIN; LOCK TABLE zentry_notify.webhook IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'Tuesday''s'")
        .unwrap();
    let found = lock(
        &mut client,
        "zentry_notify.webhook is locked by the prepared transaction 'Tuesday''s'",
    );
    let (_, mend) = found.remedy.split_once("; or ").unwrap();
    client.batch_execute(mend).unwrap();
    wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
}
