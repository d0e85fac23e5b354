//! A row that somebody may write stops nothing of what others write: not their look-ups, their milestones or the worker.

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Channel, Delivery, SOON, Scene};
use zentry_e2e::site::wait_for;
use zentry_e2e::zentry::{self, id};

use crate::role::Role;

fn number(scene: &mut Scene, sql: &str) -> Result<i64> {
    Ok(scene.client.query_one(sql, &[])?.get(0))
}

fn suspended(scene: &mut Scene) -> Result<Vec<String>> {
    const SQL: &str = "SELECT coalesce(array_agg(event_type || ': ' || suspended_reason), '{}') FROM zentry_notify.event_source WHERE suspended_at IS NOT NULL";
    Ok(scene.client.query_one(SQL, &[])?.get(0))
}

/// The values of a key of an event's data, in the order in which they were sent.
fn told(deliveries: &[Delivery], event_type: &str, key: &str) -> Vec<Value> {
    deliveries
        .iter()
        .filter(|delivery| delivery.event_type == event_type)
        .map(|delivery| delivery.payload[key].clone())
        .collect()
}

/// A table with such columns in its data, one of whose partitions is another role's; and a channel of something else.
fn work_of_two_owners(scene: &mut Scene, columns: &Value) -> Result<(Channel, Role)> {
    let badges = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mallory = Role::create(scene)?;
    scene.client.batch_execute(&format!(
        "CREATE TABLE public.work (id bigint, title text, team text) PARTITION BY LIST (team); \
         CREATE TABLE public.ours PARTITION OF public.work FOR VALUES IN ('ours'); \
         CREATE TABLE public.theirs PARTITION OF public.work FOR VALUES IN ('theirs'); \
         ALTER TABLE public.theirs OWNER TO {}",
        mallory.name
    ))?;
    scene.client.execute(
        "SELECT zentry_attach('task_completed', 'public.work', $1, \
           operation => 'insert', condition => 'NEW.id > 0', audience => '{\"all\": true}')",
        &[columns],
    )?;
    Ok((badges, mallory))
}

/// An expression that some text makes fail or wait.
#[test]
fn rows_of_a_partition_of_another_owner_are_told_without_and_suspend_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    let (badges, mut mallory) = work_of_two_owners(
        &mut scene,
        &json!({
            "task_id": "id",
            "found": "CASE title WHEN 'sleeps' THEN pg_sleep(600)::text ELSE title::regclass::text END",
            "loud": "upper(title)",
        }),
    )?;
    let cluster = scene.database.cluster();
    let before = cluster.log_end()?;
    // All in one batch: what hers do before and beside the others is hers.
    mallory.may(
        "BEGIN; INSERT INTO public.theirs VALUES (1, 'no_such_table', 'theirs'), (2, 'sleeps', 'theirs')",
    );
    scene.client.batch_execute(
        "INSERT INTO public.work SELECT i, CASE WHEN i % 2 = 0 THEN 'public.work' ELSE 'public.users_user' END, 'ours' FROM generate_series(11, 40) i",
    )?;
    mallory.may("COMMIT");
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(1, SOON);
    let deliveries = scene.settle()?;
    for delivery in deliveries.iter().filter(|d| d.event_type == "task_completed") {
        let (task, found) = (&delivery.payload["task_id"], &delivery.payload["found"]);
        match task.as_i64() {
            Some(1..=2) => assert_eq!(*found, Value::Null, "{delivery:#?}"),
            Some(even) if even % 2 == 0 => assert_eq!(*found, json!("public.work"), "{delivery:#?}"),
            _ => assert_eq!(*found, json!("public.users_user"), "{delivery:#?}"),
        }
        assert!(delivery.payload["loud"].is_string(), "{delivery:#?}");
    }
    assert_eq!(told(&deliveries, "task_completed", "task_id").len(), 32);
    assert_eq!(suspended(&mut scene)?, [] as [&str; 0]);
    let log = cluster.log_since(before)?;
    for (task, reason) in [(1, "SQLSTATE 42P01"), (2, "takes too long")] {
        let event = number(
            &mut scene,
            &format!(
                "SELECT id FROM zentry_notify.event WHERE event_type = 'task_completed' AND data ->> 'task_id' = '{task}'"
            ),
        )?;
        let line = log
            .lines()
            .find(|line| line.contains(&format!("event {event} (task_completed)")));
        assert!(line.is_some_and(|line| line.contains(reason)), "{event}: {log}");
    }
    assert!(
        !log.contains("\"no_such_table\""),
        "what she wrote is not shown: {log}"
    );
    // They are known by the owner of their partition.
    let noted = "SELECT count(*) FROM zentry_notify.event e WHERE e.context ->> 'partition_owner' = (SELECT relowner::text FROM pg_class WHERE oid = 'theirs'::regclass)";
    assert_eq!(number(&mut scene, noted)?, 2);
    assert_eq!(
        number(
            &mut scene,
            "SELECT count(*) FROM zentry_notify.event e WHERE e.context::jsonb ? 'partition_owner'"
        )?,
        2
    );
    Ok(())
}

/// Many rows that wait have a share of the worker's time, and others' messages arrive meanwhile.
#[test]
fn many_rows_that_wait_take_no_look_ups_from_another_partition() -> Result<()> {
    let mut scene = Scene::start()?;
    let (badges, mut mallory) = work_of_two_owners(
        &mut scene,
        &json!({
            "task_id": "id",
            "slow": "CASE title WHEN 'sleeps' THEN pg_sleep(600)::text ELSE upper(title) END",
        }),
    )?;
    mallory.may("INSERT INTO public.theirs SELECT i, 'sleeps', 'theirs' FROM generate_series(1000, 1039) i");
    scene
        .client
        .batch_execute("INSERT INTO public.work SELECT i, 'works', 'ours' FROM generate_series(1, 60) i")?;
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(1, SOON);
    let deliveries = scene.settle()?;
    let ours = deliveries.iter().filter(|d| {
        d.event_type == "task_completed" && d.payload["task_id"].as_i64().is_some_and(|id| id <= 60)
    });
    let slow: Vec<&Value> = ours.map(|delivery| &delivery.payload["slow"]).collect();
    assert_eq!(slow.len(), 60);
    assert!(slow.iter().all(|value| **value == json!("WORKS")), "{slow:?}");
    assert_eq!(suspended(&mut scene)?, [] as [&str; 0]);
    // It is no secret that hers take too long.
    wait_for(
        &mut scene.client,
        "SELECT bool_or(s.state = 'attention' AND s.detail LIKE '%work; %too long%') FROM zentry_status() s WHERE s.subject = 'event task_completed'",
    )
}

/// Whoever owns a table that is looked into can make that look-up fail, and no other of the same event.
#[test]
fn a_table_that_cannot_be_looked_into_takes_no_other_look_up_with_it() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut mallory = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA hers AUTHORIZATION {0}; GRANT USAGE ON SCHEMA hers TO PUBLIC",
        mallory.name
    ))?;
    mallory.may(
        "CREATE TABLE hers.people (id bigint, username text); INSERT INTO hers.people SELECT i, 'x' FROM generate_series(1, 100) i; \
         GRANT SELECT ON hers.people TO PUBLIC; \
         CREATE FUNCTION hers.bait() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
    );
    scene.client.execute(
        "SELECT zentry_attach('task_completed', 'tasks_task', $1, audience => '{\"all\": true}')",
        &[&json!({
            "task_title": "title",
            "user_name": {"from": "hers.people", "match": "id", "key": "assigned_to_id", "column": "username"},
            "project_name": {"from": "tasks_project", "match": "id", "key": "project_id", "column": "name"},
            "loud": "upper(title)",
        })],
    )?;
    for bait in [
        "CREATE INDEX bait ON hers.people (id) WHERE hers.bait() = 1",
        "ALTER TABLE hers.people RENAME COLUMN username TO nickname",
    ] {
        mallory.may(bait);
        scene.client.batch_execute(
            "UPDATE tasks_task SET status = 'todo', assigned_to_id = (SELECT min(id) FROM users_user)",
        )?;
        scene
            .client
            .batch_execute("UPDATE tasks_task SET status = 'completed'")?;
        let deliveries = scene.settle()?;
        assert!(!deliveries.is_empty());
        for key in ["task_title", "project_name", "loud"] {
            let told = told(&deliveries, "task_completed", key);
            assert!(!told.is_empty(), "{bait}");
            assert!(told.iter().all(Value::is_string), "{bait}, {key}: {told:?}");
        }
        let names = told(&deliveries, "task_completed", "user_name");
        assert!(names.iter().all(Value::is_null), "{bait}: {names:?}");
        assert_eq!(suspended(&mut scene)?, [] as [&str; 0], "{bait}");
        wait_for(
            &mut scene.client,
            "SELECT bool_or(s.state = 'attention' AND s.detail LIKE '%left out, with null in its place: user_name (%') \
               FROM zentry_status() s WHERE s.subject = 'event task_completed'",
        )?;
        mallory.may("DROP INDEX IF EXISTS hers.bait");
        scene
            .client
            .batch_execute("UPDATE zentry_notify.event_source SET suspended_reason = NULL")?;
    }
    Ok(())
}

/// A cancel is PostgreSQL's; what a function raises under its code is an error of that row, whose text may show a value.
#[test]
fn an_error_that_is_called_a_cancel_stops_nobody() -> Result<()> {
    let mut scene = Scene::start()?;
    let badges = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    let mut mallory = Role::mallory(&mut scene)?;
    for (number, code) in ["57014", "57P01", "53200", "40001", "55P03"]
        .into_iter()
        .enumerate()
    {
        mallory.may(&format!(
            r#"CREATE OR REPLACE FUNCTION mallory.fail(id integer) RETURNS text LANGUAGE plpgsql STABLE AS $$
               BEGIN IF id IS NULL THEN RETURN ''; END IF; RAISE EXCEPTION 'a salary of 90000' USING ERRCODE = '{code}'; END $$;
               CREATE TABLE mallory.visit (id integer);
               SELECT zentry_attach('badge_earned', 'mallory.visit', '{{"visit": "id", "who": "mallory.fail(id)"}}',
                 operation => 'insert', audience => '{{"all": true}}');
               INSERT INTO mallory.visit VALUES ({number})"#
        ));
        zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER)?;
        let deliveries = scene.settle()?;
        let visits = told(&deliveries, "badge_earned", "visit");
        assert_eq!(
            visits.iter().filter(|visit| **visit == json!(number)).count(),
            1,
            "{code}"
        );
        let said: Option<String> = scene
            .client
            .query_one(
                "SELECT string_agg(suspended_reason, ' ') FROM zentry_notify.event_source WHERE relation = 'mallory.visit'::regclass",
                &[],
            )?
            .get(0);
        assert!(!said.unwrap_or_default().contains("90000"), "{code}");
        scene.client.batch_execute(
            "SELECT zentry_detach('mallory.visit'); DROP TABLE mallory.visit; \
             DELETE FROM achievements_userbadge WHERE user_id = 4",
        )?;
    }
    assert!(badges.webhook.event_count() >= 10);
    Ok(())
}

/// One project that can't be counted, and one person whose projects can't be looked up.
#[test]
fn what_fails_for_one_project_or_person_is_theirs_alone() -> Result<()> {
    let mut scene = Scene::start()?;
    let _milestones = scene.channel_for(Kind::Discord, None, Some(&["milestone_reached"]))?;
    let of_project = scene.channel_for(Kind::Discord, Some(7), Some(&["badge_earned"]))?;
    scene.client.batch_execute(
        "CREATE TABLE public.gone (); CREATE TABLE public.kept (); \
         CREATE TABLE public.work (id bigint, project_id regclass, status text); \
         SELECT zentry_attach('milestone_reached', 'public.work', '{\"project_id\": \"project_id\"}', audience => '{\"all\": true}'); \
         CREATE TABLE public.member (member regclass, project bigint); \
         INSERT INTO public.member VALUES ('kept', 7); \
         CREATE TABLE public.badge (id bigint, user_id regclass); \
         SELECT zentry_attach('badge_earned', 'public.badge', '{\"user_id\": \"user_id\"}', operation => 'insert', \
           audience => '{\"person\": \"user_id\", \"projects\": [{\"from\": \"public.member\", \"match\": \"member\", \"column\": \"project\"}]}')",
    )?;
    scene.client.batch_execute(
        "INSERT INTO public.work SELECT i, (ARRAY['gone', 'kept'])[i % 2 + 1]::regclass, 'todo' FROM generate_series(1, 8) i",
    )?;
    scene.settle()?;
    // Their names are recorded, and one is nobody's any more when the worker reads them: a commit is seen before other
    // processes are told to forget what they know of a dropped table, but its locks are released after that.
    scene.client.batch_execute(
        "BEGIN; UPDATE public.work SET status = 'completed'; \
         INSERT INTO public.badge VALUES (1, 'gone'), (2, 'kept'); \
         DROP TABLE public.gone; LOCK TABLE zentry_notify.event IN ACCESS EXCLUSIVE MODE; COMMIT",
    )?;
    of_project.webhook.wait_for_events(1, SOON);
    let deliveries = scene.settle()?;
    assert_eq!(
        told(&deliveries, "milestone_reached", "project_id"),
        [
            json!("public.kept"),
            json!("public.kept"),
            json!("public.kept"),
            json!("public.kept")
        ]
    );
    assert_eq!(
        told(&deliveries, "badge_earned", "user_id"),
        [json!("public.kept")]
    );
    assert_eq!(suspended(&mut scene)?, [] as [&str; 0]);
    Ok(())
}

/// An index holds no key of some kilobytes, and no more does ours.
#[test]
fn a_project_with_a_very_long_key_stops_nobodys_milestones() -> Result<()> {
    let mut scene = Scene::start()?;
    let badges = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    let _milestones = scene.channel_for(Kind::Discord, None, Some(&["milestone_reached"]))?;
    let mut mallory = Role::mallory(&mut scene)?;
    mallory.may(
        "CREATE TABLE mallory.task (id bigint, project_id text, status text); \
         SELECT zentry_attach('milestone_reached', 'mallory.task', '{\"project_id\": \"project_id\"}', audience => '{\"all\": true}'); \
         INSERT INTO mallory.task SELECT 1, string_agg(sha512(i::text::bytea)::text, ''), 'todo' FROM generate_series(1, 200) i; \
         INSERT INTO mallory.task VALUES (2, 'short', 'todo'); \
         UPDATE mallory.task SET status = 'completed'",
    );
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(1, SOON);
    zentry::complete_task(&mut scene.client, id::LANDING_PAGE, jiff::Timestamp::now())?;
    let deliveries = scene.settle()?;
    let reached = told(&deliveries, "milestone_reached", "project_id");
    assert_eq!(
        reached
            .iter()
            .filter(|project| **project == json!("short"))
            .count(),
        4,
        "{reached:?}"
    );
    assert!(
        !reached
            .iter()
            .any(|project| project.as_str().is_some_and(|key| key.len() > 1_000))
    );
    assert_eq!(suspended(&mut scene)?, [] as [&str; 0]);
    // Whatever else the table of progress does not take: what is told is told.
    scene.client.batch_execute(
        "ALTER TABLE zentry_notify.project_progress ADD CONSTRAINT nothing CHECK (project_key = 'short') NOT VALID; \
         ALTER TABLE zentry_notify.progress_note ADD CONSTRAINT nothing CHECK (project_key = 'short') NOT VALID",
    )?;
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE status <> 'completed'")?;
    zentry::award_badge(&mut scene.client, id::CHEN, 3)?;
    badges.webhook.wait_for_events(2, SOON);
    scene.settle()?;
    Ok(())
}

/// A source of milestones whose expression waits is suspended by name; what others write is told.
#[test]
fn milestones_that_wait_hold_up_nobody() -> Result<()> {
    let mut scene = Scene::start()?;
    let badges = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    let _milestones = scene.channel_for(Kind::Discord, None, Some(&["milestone_reached"]))?;
    let mut mallory = Role::mallory(&mut scene)?;
    mallory.may(
        "CREATE FUNCTION mallory.waits(bigint) RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(600)::text'; \
         CREATE TABLE mallory.task (id bigint, project_id bigint, status text); \
         SELECT zentry_attach('milestone_reached', 'mallory.task', '{\"user_name\": \"mallory.waits(project_id)\"}', audience => '{\"all\": true}'); \
         INSERT INTO mallory.task VALUES (1, 1, 'todo')",
    );
    mallory.may("UPDATE mallory.task SET status = 'completed'");
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER)?;
    badges.webhook.wait_for_events(1, SOON);
    wait_for(
        &mut scene.client,
        "SELECT bool_or(s.state = 'broken' AND s.detail LIKE 'mallory.task, suspended since %too long%') FROM zentry_status() s \
          WHERE s.subject = 'event milestone_reached'",
    )?;
    // Told all the same, without what waits.
    let deliveries = scene.settle()?;
    let names = told(&deliveries, "milestone_reached", "user_name");
    assert_eq!(names, vec![Value::Null; 4], "{deliveries:#?}");
    // What is Zentry's own is not concerned.
    zentry::complete_task(&mut scene.client, id::LANDING_PAGE, jiff::Timestamp::now())?;
    scene.settle()?;
    assert_eq!(suspended(&mut scene)?.len(), 1);
    Ok(())
}
