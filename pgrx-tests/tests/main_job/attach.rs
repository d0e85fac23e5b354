//! Which tables fire: attaching, detaching, and the order of events on an installation's first day.

use std::thread;

use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, connect_listening, sent, sqlstate, webhook_ids};

const SOURCES: [(&str, &str); 5] = [
    ("task_completed", "public.tasks_task"),
    ("badge_earned", "public.achievements_userbadge"),
    ("project_created", "public.tasks_project"),
    ("milestone_reached", "public.tasks_task"),
    ("daily_streak", "public.users_user"),
];

fn attach(scene: &mut Scene) -> Vec<(String, String, String)> {
    scene
        .client
        .query("SELECT event_type, relation, state FROM zentry_attach()", &[])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

fn in_state(state: &str) -> Vec<(String, String, String)> {
    SOURCES
        .iter()
        .map(|(event, relation)| (event.to_string(), relation.to_string(), state.to_owned()))
        .collect()
}

fn triggers(scene: &mut Scene) -> i64 {
    let count = "SELECT count(*) FROM pg_trigger WHERE tgfoid = 'zentry_notify.capture()'::regprocedure";
    scene.client.query_one(count, &[]).unwrap().get(0)
}

#[test]
fn attaching_again_changes_nothing() {
    let mut scene = Scene::start().unwrap();
    let before = triggers(&mut scene);
    let sources = "SELECT array_agg(s::text ORDER BY id) FROM zentry_notify.event_source s";
    let rows: Vec<String> = scene.client.query_one(sources, &[]).unwrap().get(0);
    for _ in 0..2 {
        assert_eq!(attach(&mut scene), in_state("attached"));
    }
    assert_eq!(triggers(&mut scene), before);
    assert_eq!(
        scene
            .client
            .query_one(sources, &[])
            .unwrap()
            .get::<_, Vec<String>>(0),
        rows
    );
    scene.channel(Kind::Discord).unwrap();
    zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
    assert_eq!(sent(&mut scene, "task_completed").len(), 1);
}

#[test]
fn detaching_stops_a_table_and_no_other() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let mut warm = scene.database.connect().unwrap();
    zentry::bulk_complete(&mut warm, &[id::LANDING_PAGE]).unwrap();
    scene.settle().unwrap();
    scene
        .client
        .batch_execute("SELECT zentry_detach('tasks_task')")
        .unwrap();
    // Neither completed tasks nor milestones, in a session that had both in memory.
    zentry::bulk_complete(&mut warm, &[3, 4, 5]).unwrap();
    zentry::extend_streak(&mut warm, id::ADA).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(webhook_ids(&fired, "task_completed"), [channel.id]);
    assert_eq!(webhook_ids(&fired, "milestone_reached"), [] as [i64; 0]);
    assert_eq!(webhook_ids(&fired, "daily_streak"), [channel.id]);
    let again = scene.client.batch_execute("SELECT zentry_detach('tasks_task')");
    assert_eq!(sqlstate(again), "42704");

    attach(&mut scene);
    zentry::bulk_complete(&mut warm, &[6]).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(webhook_ids(&fired, "task_completed"), [channel.id; 2]);
    assert_clean(&scene);
}

#[test]
fn the_extension_before_the_tables() {
    let mut scene = Scene::empty().unwrap();
    let (mut client, notices) = connect_listening(&scene.database, "postgres");
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let said = notices.take();
    let missing = said
        .iter()
        .find(|notice| notice.message().contains("not found"))
        .unwrap_or_else(|| panic!("{said:#?}"));
    for (event, relation) in SOURCES {
        assert!(
            missing.message().contains(&format!("{relation} ({event})")),
            "{missing:#?}"
        );
    }
    assert!(missing.hint().unwrap().contains("zentry_attach()"));
    assert_eq!(attach(&mut scene), in_state("not found"));

    zentry::load(&mut scene.client).unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    assert_eq!(attach(&mut scene), in_state("attached"));
    zentry::complete_task(&mut scene.client, id::LANDING_PAGE, jiff::Timestamp::now()).unwrap();
    assert_eq!(sent(&mut scene, "task_completed").len(), 1);
    assert_eq!(channel.webhook.event_count(), 1);
    assert_clean(&scene);
}

#[test]
fn the_tables_before_the_extension() {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    let (mut client, notices) = connect_listening(&scene.database, "postgres");
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let said = notices.take();
    assert_eq!(said.len(), 1, "{said:#?}");
    for (event, relation) in SOURCES {
        assert!(
            said[0].message().contains(&format!("{relation} ({event})")),
            "{said:#?}"
        );
    }
    assert_eq!(said[0].severity(), "NOTICE");
}

#[test]
fn some_tables_only() {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    scene
        .client
        .batch_execute("DROP TABLE achievements_userbadge")
        .unwrap();
    let (mut client, notices) = connect_listening(&scene.database, "postgres");
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let said: Vec<String> = notices
        .take()
        .iter()
        .map(|notice| notice.message().to_owned())
        .collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[1].ends_with("not found: public.achievements_userbadge (badge_earned)"),
        "{said:#?}"
    );
    scene.channel(Kind::Discord).unwrap();
    zentry::extend_streak(&mut scene.client, id::ADA).unwrap();
    assert_eq!(sent(&mut scene, "daily_streak").len(), 1);
}

/// The application's role can do nothing with what is ours, and its writes fire all the same.
#[test]
fn a_role_without_any_privilege_of_ours_fires_events() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let role = format!("r_{}", scene.database.name().split('_').next().unwrap());
    scene
        .client
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON tasks_task, users_user TO {role}; \
             GRANT INSERT, SELECT ON achievements_userbadge, tasks_project, tasks_project_members TO {role}"
        ))
        .unwrap();
    let (mut application, notices) = connect_listening(&scene.database, &role);
    zentry::complete_task(&mut application, id::LANDING_PAGE, jiff::Timestamp::now()).unwrap();
    zentry::bulk_complete(&mut application, &[3]).unwrap();
    // It may not read achievements_badge, whose name is looked up with the rights of the table's owner.
    zentry::award_badge(&mut application, id::CHEN, id::TASK_MASTER).unwrap();
    zentry::create_project(&mut application, "Atlas", "", id::DALIA, &[id::ADA]).unwrap();
    zentry::extend_streak(&mut application, id::ADA).unwrap();
    assert_eq!(notices.take().len(), 0);
    let fired = scene.settle().unwrap();
    for (event, count) in [
        ("task_completed", 2),
        ("badge_earned", 1),
        ("project_created", 1),
        ("daily_streak", 1),
        ("milestone_reached", 1),
    ] {
        assert_eq!(webhook_ids(&fired, event), vec![channel.id; count], "{event}");
    }
    assert!(
        fired
            .iter()
            .all(|delivery| delivery.status == "sent" && delivery.payload["user_name"].is_string())
    );
    for table in [
        "notification_log",
        "webhook_integration",
        "webhooks",
        "logs",
        "event_source",
    ] {
        let read = application.batch_execute(&format!("TABLE zentry_notify.{table}"));
        assert_eq!(sqlstate(read), "42501", "{table}");
    }
    let call = application.batch_execute("SELECT zentry_test_event()");
    assert_eq!(sqlstate(call), "42501");
    assert_clean(&scene);
}

/// Roles belong to the cluster: both databases need the same one, which the first has not committed yet.
#[test]
fn two_databases_at_the_same_moment() {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let mut client = cluster.connect().unwrap();
    for outcome in ["COMMIT", "ROLLBACK"] {
        client.batch_execute("CREATE DATABASE one").unwrap();
        client.batch_execute("CREATE DATABASE two").unwrap();
        let mut first = cluster.connect_as("postgres", "one").unwrap();
        let mut second = cluster.connect_as("postgres", "two").unwrap();
        first
            .batch_execute("BEGIN; CREATE EXTENSION zentry_notify")
            .unwrap();
        let second = thread::spawn(move || second.batch_execute("CREATE EXTENSION zentry_notify"));
        let waits =
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'two' AND wait_event_type = 'Lock')";
        eventually(SOON, "the second to wait for the first", || {
            client.query_one(waits, &[]).ok()?.get::<_, bool>(0).then_some(())
        })
        .unwrap();
        first.batch_execute(outcome).unwrap();
        second.join().unwrap().unwrap();
        drop(first);
        for clean in [
            "DROP DATABASE one WITH (FORCE)",
            "DROP DATABASE two WITH (FORCE)",
            "DROP ROLE zentry_notify_agent",
        ] {
            client.batch_execute(clean).unwrap();
        }
    }
}
