//! zentry_status() says what is wrong, and its remedies mend it.

use postgres::Client;
use zentry_e2e::cluster::{ClusterOptions, StopMode};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::{Site, fire, wait_for, wait_for_counters};
use zentry_e2e::zentry;

/// A row of zentry_status().
#[derive(Debug)]
pub struct Line {
    pub subject: String,
    pub state: String,
    pub detail: String,
    pub remedy: String,
}

pub fn status(client: &mut Client) -> Vec<Line> {
    let rows = client.query("SELECT * FROM zentry_status()", &[]).unwrap();
    let line = |row: &postgres::Row| Line {
        subject: row.get("subject"),
        state: row.get("state"),
        detail: row.get("detail"),
        remedy: row.get("remedy"),
    };
    rows.iter().map(line).collect()
}

/// The line of a subject, which must be there.
pub fn line(client: &mut Client, subject: &str) -> Line {
    let mut lines = status(client);
    let index = lines.iter().position(|line| line.subject == subject);
    lines.swap_remove(index.unwrap_or_else(|| panic!("no line {subject}: {lines:#?}")))
}

pub fn not_ok(client: &mut Client) -> Vec<Line> {
    let lines = status(client);
    lines.into_iter().filter(|line| line.state != "ok").collect()
}

/// The only line that is not ok is this one; run its remedy.
pub fn mend(client: &mut Client, subject: &str, state: &str, detail: &str) {
    let lines = not_ok(client);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(
        (lines[0].subject.as_str(), lines[0].state.as_str()),
        (subject, state)
    );
    assert!(lines[0].detail.contains(detail), "{lines:#?}");
    client.batch_execute(&lines[0].remedy).unwrap();
}

/// Everything is in order, and has been used.
pub fn scene() -> Scene {
    let mut scene = Scene::start().unwrap();
    scene.channel(Kind::Discord).unwrap();
    fire(&mut scene.client).unwrap();
    scene.settle().unwrap();
    wait_for_counters(&mut scene.client, 1).unwrap();
    scene
}

#[test]
fn all_is_well() {
    let mut scene = scene();
    let lines = status(&mut scene.client);
    assert!(
        lines
            .iter()
            .all(|line| line.state == "ok" && line.remedy.is_empty()),
        "{lines:#?}"
    );
    let subjects: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "library",
            "launcher",
            "worker",
            "event badge_earned",
            "event daily_streak",
            "event milestone_reached",
            "event project_created",
            "event task_completed",
            "webhooks",
            "routing",
            "queue",
            "failures",
            "clock"
        ]
    );
    let worker: i32 = scene
        .client
        .query_one(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' AND datname = current_database()",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(
        line(&mut scene.client, "worker")
            .detail
            .starts_with(&format!("pid {worker}, since "))
    );
    assert_eq!(line(&mut scene.client, "webhooks").detail, "1 active");
    assert_eq!(line(&mut scene.client, "queue").detail, "nothing waits");
}

#[test]
fn nothing_is_registered_or_attached() {
    let mut scene = Scene::empty().unwrap();
    scene.install().unwrap();
    let lines = not_ok(&mut scene.client);
    let subjects: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(subjects, ["events", "webhooks"], "{lines:#?}");
    zentry::load(&mut scene.client).unwrap();
    scene.client.batch_execute(&lines[0].remedy).unwrap();
    assert!(
        lines[1]
            .remedy
            .starts_with("SELECT public.zentry_register_webhook(")
    );
    scene.channel(Kind::Discord).unwrap();
    assert_eq!(not_ok(&mut scene.client).len(), 0);
}

/// Events of a dump are not routed before its cursor is there.
#[test]
fn events_whose_cursor_is_awaited() {
    let mut scene = scene();
    let client = &mut scene.client;
    client
        .batch_execute(
            "SET check_function_bodies = off; \
             INSERT INTO zentry_notify.event (event_type, data) VALUES ('daily_streak', '{}'); \
             RESET check_function_bodies",
        )
        .unwrap();
    mend(client, "routing", "broken", "nothing is routed");
    assert_eq!(not_ok(client).len(), 0);
    client
        .batch_execute("TRUNCATE zentry_notify.route_cursor")
        .unwrap();
    mend(client, "routing", "broken", "nothing is routed");
    assert_eq!(not_ok(client).len(), 0);
    // What comes afterwards is.
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 2 FROM zentry_notify.logs WHERE status = 'sent'",
    )
    .unwrap();
}

/// Rows that somebody puts there by hand wake nobody.
#[test]
fn events_that_nobody_was_told_of() {
    let mut scene = scene();
    let client = &mut scene.client;
    client
        .batch_execute(
            "INSERT INTO zentry_notify.event (event_type, data, created_at) \
             SELECT 'daily_streak', data, now() - interval '6 minutes' FROM zentry_notify.event",
        )
        .unwrap();
    mend(client, "routing", "attention", "1 events wait for it");
    wait_for(
        client,
        "SELECT count(*) = 0 FROM zentry_status() WHERE state <> 'ok'",
    )
    .unwrap();
}

#[test]
fn versions_that_differ() {
    let mut scene = scene();
    let client = &mut scene.client;
    let mut of = |version: &str| {
        client
            .execute(
                "UPDATE pg_extension SET extversion = $1 WHERE extname = 'zentry_notify'",
                &[&version],
            )
            .unwrap();
        line(client, "library")
    };
    let older = of("0.0.9");
    assert_eq!(
        (older.state.as_str(), older.remedy.as_str()),
        ("broken", "ALTER EXTENSION zentry_notify UPDATE;")
    );
    let newer = of("10.0.0");
    assert!(
        newer.state == "broken" && newer.remedy.contains("restart the server"),
        "{newer:?}"
    );
}

#[test]
fn readers_are_told_and_others_are_not() {
    let mut scene = scene();
    let name = scene.database.name().to_owned();
    let role = format!("{name}_reader");
    scene
        .client
        .batch_execute(&format!("CREATE ROLE {role} LOGIN"))
        .unwrap();
    let mut reader = scene.database.connect_as(&role).unwrap();
    for sql in [
        "SELECT * FROM zentry_status()",
        "SELECT * FROM zentry_stats()",
        "SELECT * FROM zentry_stats_by_hour()",
        "SELECT * FROM zentry_notify.delivery_totals",
    ] {
        let refused = reader.query(sql, &[]).unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{sql}");
    }
    scene
        .client
        .batch_execute(&format!("SELECT zentry_grant('{role}', 'reader')"))
        .unwrap();
    assert_eq!(not_ok(&mut reader).len(), 0);
    assert!(
        !reader
            .query("SELECT * FROM zentry_stats()", &[])
            .unwrap()
            .is_empty()
    );
    assert!(
        !reader
            .query("SELECT * FROM zentry_notify.delivery_totals", &[])
            .unwrap()
            .is_empty()
    );
    drop(reader);
    scene
        .client
        .batch_execute(&format!("SELECT zentry_revoke('{role}'); DROP ROLE {role}"))
        .unwrap();
}

#[test]
fn without_the_library_and_with_it_again() {
    let options = ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    };
    let mut site = Site::start(options.set("shared_preload_libraries", "auto_explain")).unwrap();
    let mut client = site.database("shop").unwrap();
    site.channel(&mut client).unwrap();
    let lines = not_ok(&mut client);
    let broken: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(broken, ["library", "launcher"], "{lines:#?}");
    // postgresql.conf is ours, ALTER SYSTEM goes to another file that counts more.
    for statement in lines[0]
        .remedy
        .split(';')
        .filter(|sql| !sql.trim_start().starts_with("--"))
    {
        client.batch_execute(statement).unwrap();
    }
    drop(client);
    site.cluster.restart(StopMode::Fast).unwrap();
    let mut client = site.connect("shop").unwrap();
    let libraries: String = client
        .query_one("SHOW shared_preload_libraries", &[])
        .unwrap()
        .get(0);
    assert_eq!(libraries, "auto_explain, zentry_notify");
    wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
}

/// Postgres' own launcher of logical replication has the first place.
#[test]
fn no_background_worker_is_free() {
    for (places, subject) in [(1, "launcher"), (2, "worker")] {
        let mut site = Site::start(ClusterOptions::default().set("max_worker_processes", places)).unwrap();
        let mut client = site.database("shop").unwrap();
        let channel = site.channel(&mut client).unwrap();
        fire(&mut client).unwrap();
        client
            .batch_execute("UPDATE zentry_notify.event SET created_at = now() - interval '1 minute'")
            .unwrap();
        let remedy = "ALTER SYSTEM SET max_worker_processes";
        let told = format!(
            "SELECT state = 'broken' AND remedy LIKE '{remedy}%' FROM zentry_status() WHERE subject = '{subject}'"
        );
        wait_for(&mut client, &told).unwrap();
        let remedy = line(&mut client, subject).remedy;
        let (alter, _) = remedy.split_once(';').unwrap();
        client.batch_execute(alter).unwrap();
        drop(client);
        site.cluster.restart(StopMode::Fast).unwrap();
        let mut client = site.connect("shop").unwrap();
        wait_for(
            &mut client,
            "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'sent'",
        )
        .unwrap();
        wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
        assert_eq!(channel.webhook.event_count(), 1);
    }
}
