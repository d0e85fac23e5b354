//! What a role wrote runs as that role or not at all: also when its table belongs to somebody else by now, and when it does not end.

use anyhow::{Context, Result};
use serde_json::Value;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Delivery, SOON, Scene};
use zentry_e2e::site::wait_for;
use zentry_e2e::zentry::{self, id};

use crate::role::Role;

/// A manager with a schema `hers` and a table that she may attach.
fn manager_with_table(scene: &mut Scene) -> Result<Role> {
    let mut mallory = Role::create(scene)?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA hers AUTHORIZATION {0}; GRANT USAGE ON SCHEMA hers TO PUBLIC; SELECT zentry_grant('{0}', 'manager')",
        mallory.name
    ))?;
    mallory.may("CREATE TABLE hers.task (id bigint, title text, status text)");
    Ok(mallory)
}

/// Completes a task of hers, and returns what is told of it.
fn complete(scene: &mut Scene, number: i64) -> Result<Delivery> {
    scene.client.batch_execute(&format!(
        "INSERT INTO hers.task VALUES ({number}, 'x', 'todo'); UPDATE hers.task SET status = 'completed' WHERE id = {number}"
    ))?;
    let deliveries = scene.settle()?;
    deliveries
        .into_iter()
        .rfind(|delivery| delivery.payload["task_id"] == number)
        .context("it is told")
}

#[test]
fn expressions_do_not_go_to_the_next_owner() -> Result<()> {
    const COLUMNS: &str = r#"{"task_id": "id", "task_title": "current_user::text"}"#;
    let mut scene = Scene::start()?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut mallory = manager_with_table(&mut scene)?;
    let attach = format!(
        "SELECT zentry_attach('task_completed', 'hers.task', '{COLUMNS}', audience => '{{\"all\": true}}')"
    );
    mallory.may(&attach);
    assert_eq!(
        complete(&mut scene, 1)?.payload["task_title"],
        mallory.name.as_str()
    );
    // The worker has the statement ready, and somebody mends what there is to mend.
    for (number, what) in [
        (2, "ALTER TABLE hers.task OWNER TO CURRENT_USER"),
        (3, "SELECT * FROM zentry_attach()"),
        (4, "SELECT pg_reload_conf()"),
    ] {
        scene.client.batch_execute(what)?;
        let told = complete(&mut scene, number)?;
        assert_eq!(told.payload["task_title"], Value::Null, "{what}: {told:#?}");
    }
    wait_for(
        &mut scene.client,
        "SELECT bool_or(s.state = 'attention' AND s.detail LIKE '%task; its expressions were given by %they are not evaluated%' AND s.remedy LIKE '-- look at%') \
           FROM zentry_status() s WHERE s.subject = 'event task_completed'",
    )?;
    // It was hers, and is hers again.
    scene
        .client
        .batch_execute(&format!("ALTER TABLE hers.task OWNER TO {}", mallory.name))?;
    assert_eq!(
        complete(&mut scene, 5)?.payload["task_title"],
        mallory.name.as_str()
    );
    // Who gives them anew wants them to run.
    scene
        .client
        .batch_execute(&format!("ALTER TABLE hers.task OWNER TO CURRENT_USER; {attach}"))?;
    let owner: String = scene.client.query_one("SELECT current_user::text", &[])?.get(0);
    assert_eq!(complete(&mut scene, 6)?.payload["task_title"], owner.as_str());
    Ok(())
}

#[test]
fn expressions_do_not_go_to_who_takes_over_a_name() -> Result<()> {
    const COLUMNS: &str = r#"{"task_id": "id", "task_title": "current_user::text"}"#;
    let mut scene = Scene::start()?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut mallory = manager_with_table(&mut scene)?;
    let next = Role::create(&mut scene)?;
    mallory.may(&format!(
        "SELECT zentry_attach('task_completed', 'hers.task', '{COLUMNS}', audience => '{{\"all\": true}}')"
    ));
    let renamed = format!("{}_left", mallory.name);
    scene
        .client
        .batch_execute(&format!("ALTER ROLE {} RENAME TO {renamed}", mallory.name))?;
    let told = complete(&mut scene, 1)?;
    assert_eq!(told.payload["task_title"], renamed.as_str(), "she is who she was");
    scene.client.batch_execute(&format!(
        "ALTER TABLE hers.task OWNER TO {}; ALTER ROLE {0} RENAME TO {}",
        next.name, mallory.name
    ))?;
    for (number, what) in [
        (2, "SELECT"),
        (3, "SELECT * FROM zentry_attach()"),
        (4, "SELECT pg_reload_conf()"),
    ] {
        scene.client.batch_execute(what)?;
        let told = complete(&mut scene, number)?;
        assert_eq!(told.payload["task_title"], Value::Null, "{what}: {told:#?}");
    }
    Ok(())
}
/// Catches the cancel in the worker.
const SWALLOW: &str = "CREATE FUNCTION hers.swallow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ \
     BEGIN \
       IF current_setting('application_name') NOT LIKE 'zentry_notify%' THEN RETURN $1; END IF; \
       LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; \
     END $$";

/// An expression, or an index of a table that is looked into, whose code catches the cancel and goes on.
#[test]
fn what_catches_the_cancel_ends_the_worker_once() -> Result<()> {
    let mut scene = Scene::start()?;
    let badges = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut mallory = manager_with_table(&mut scene)?;
    mallory.may(SWALLOW);
    mallory.may(
        "SELECT zentry_attach('task_completed', 'hers.task', '{\"task_id\": \"id\", \"task_title\": \"hers.swallow(title)\"}', audience => '{\"all\": true}')",
    );
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(1, SOON);
    let told = complete(&mut scene, 1)?;
    assert_eq!(told.payload["task_title"], Value::Null, "{told:#?}");
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(2, SOON);
    wait_for(
        &mut scene.client,
        "SELECT bool_or(s.state = 'broken' AND s.detail LIKE 'hers.task, suspended since %goes on when it is cancelled') \
           FROM zentry_status() s WHERE s.subject = 'event task_completed'",
    )?;
    Ok(())
}

/// However many tables a role has, and whatever it attaches anew: one worker, and others wait for the next one alone.
#[test]
fn many_tables_whose_expressions_catch_the_cancel_end_one_worker() -> Result<()> {
    const TABLES: i64 = 5;
    let mut scene = Scene::start()?;
    let badges = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut mallory = manager_with_table(&mut scene)?;
    mallory.may(SWALLOW);
    let attach = |table: i64| {
        format!(
            "SELECT zentry_attach('task_completed', 'hers.task_{table}', '{{\"task_id\": \"id\", \"task_title\": \"hers.swallow(title)\"}}', \
               operation => 'insert', audience => '{{\"all\": true}}')"
        )
    };
    let mut insert = String::from("BEGIN;");
    for table in 1..=TABLES {
        mallory.may(&format!("CREATE TABLE hers.task_{table} (LIKE hers.task)"));
        mallory.may(&attach(table));
        insert += &format!("INSERT INTO hers.task_{table} VALUES ({table}, 'x', 'completed');");
    }
    insert += "COMMIT";
    let log = scene.database.cluster().log_end()?;
    mallory.may(&insert);
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(1, SOON);
    let told = scene.settle()?;
    let nulls = told.iter().filter(|delivery| {
        delivery.event_type == "task_completed" && delivery.payload["task_title"].is_null()
    });
    assert_eq!(nulls.count() as i64, TABLES, "{told:#?}");
    wait_for(
        &mut scene.client,
        &format!(
            "SELECT count(*) = {TABLES} FROM zentry_notify.event_source WHERE suspended_at IS NOT NULL AND suspended_reason LIKE '%goes on when it is cancelled'"
        ),
    )?;
    // What would lift the suspension alone is no remedy.
    let remedies: Vec<String> = scene
        .client
        .query("SELECT s.remedy FROM zentry_status() s WHERE s.subject = 'event task_completed' AND s.state = 'broken'", &[])?
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(remedies.len() as i64, TABLES, "{remedies:#?}");
    for remedy in &remedies {
        assert!(
            remedy.starts_with("-- let the functions that it calls end when they are cancelled")
                && remedy.contains("zentry_attach('task_completed', 'hers.task_"),
            "{remedy}"
        );
    }
    // Attached again, detached and attached, and a table that is new.
    mallory.may(&attach(1));
    mallory.may("SELECT zentry_detach('hers.task_2')");
    mallory.may(&attach(2));
    mallory.may("DROP TABLE hers.task_3; CREATE TABLE hers.task_3 (LIKE hers.task)");
    mallory.may(&attach(3));
    mallory.may(&insert);
    scene.client.batch_execute("SELECT * FROM zentry_attach()")?;
    mallory.may(&insert);
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(2, SOON);
    scene.settle()?;
    wait_for(
        &mut scene.client,
        "SELECT count(*) > 0 FROM zentry_notify.event_source WHERE suspended_at IS NULL AND suspended_reason LIKE 'left out for an hour: %'",
    )?;
    let log = scene.database.cluster().log_since(log)?;
    let database: String = scene
        .client
        .query_one(
            "SELECT oid::text FROM pg_database WHERE datname = current_database()",
            &[],
        )?
        .get(0);
    let ended = format!("the worker of database {database} was ended by look-ups");
    assert_eq!(log.matches(&ended).count(), 1, "{log}");
    assert!(
        !log.contains(&format!("the worker of database {database} died")),
        "{log}"
    );
    Ok(())
}

/// From 17 on a setting that anybody may change ends a session: the event that did it is not read again and again.
#[test]
fn what_ends_the_workers_session_stops_nobody() -> Result<()> {
    let mut scene = Scene::start()?;
    let badges = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut mallory = manager_with_table(&mut scene)?;
    mallory.may(
        "CREATE FUNCTION hers.ends(title text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
           IF title IS NOT NULL THEN PERFORM set_config('transaction_timeout', '1', true); PERFORM pg_sleep(1); END IF; RETURN title; END $$; \
         SELECT zentry_attach('task_completed', 'hers.task', '{\"task_id\": \"id\", \"task_title\": \"hers.ends(title)\"}', audience => '{\"all\": true}')",
    );
    let told = complete(&mut scene, 1)?;
    assert_eq!(told.payload["task_title"], Value::Null, "{told:#?}");
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(1, SOON);
    Ok(())
}
