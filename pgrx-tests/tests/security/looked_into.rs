//! Tables that are looked into run nothing of their owners.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::fire;

use crate::foreign_code::*;

/// Of `mallory`: what PostgreSQL evaluates when it plans a statement that reads the table, with the rights of who reads it.
fn baited(table: &str) -> String {
    let name = table.replace('.', "_");
    format!(
        "CREATE INDEX {name}_1 ON {table} (id) WHERE mallory.noted(1) = 1; \
         CREATE INDEX {name}_2 ON {table} (id, (mallory.noted(2))); \
         ALTER TABLE {table} ADD CONSTRAINT bait CHECK (mallory.noted(3) = 3) NOT VALID; \
         CREATE STATISTICS mallory.of_{name} ON id, (mallory.noted(4) + id) FROM {table}; \
         ALTER SEQUENCE mallory.as_owner RESTART; ALTER SEQUENCE mallory.as_another RESTART"
    )
}

/// Takes that back, from a table of the schema.
fn clean(table: &str) -> String {
    let name = table.replace('.', "_");
    format!(
        "DROP INDEX mallory.{name}_1, mallory.{name}_2; ALTER TABLE {table} DROP CONSTRAINT bait; DROP STATISTICS mallory.of_{name}"
    )
}

/// Owners of tables that names, memberships and integrations are read from can't make the worker, or a superuser, run their code.
#[test]
fn tables_that_are_looked_into_run_nothing_of_their_owners() -> Result<()> {
    const TABLES: [&str; 3] = ["mallory.people", "mallory.members", "mallory.integrations"];
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let mut mallory = mallory(&mut scene)?;
    mallory.may(INTEGRATIONS);
    mallory.may(
        "CREATE TABLE mallory.people (id bigint, username text, mood mallory.mood, moods mallory.mood[]); \
         INSERT INTO mallory.people SELECT i, 'x', 'todo', '{todo}' FROM generate_series(1, 3) i; \
         CREATE TABLE mallory.moody AS TABLE mallory.people; \
         CREATE TABLE mallory.members (id bigint, project bigint); INSERT INTO mallory.members VALUES (1, 1), (2, 1), (3, 1); \
         GRANT SELECT ON ALL TABLES IN SCHEMA mallory TO PUBLIC",
    );
    for columns in [
        r#"{"user_name": {"from": "mallory.people", "match": "id", "key": "assigned_to_id", "column": "username"}}"#,
        r#"{"user_name": {"from": "mallory.people", "match": "id", "key": "assigned_to_id", "column": "username"}, "points": "experience_reward * 2"}"#,
        r#"{"user_name": {"from": "mallory.moody", "match": "id", "key": "assigned_to_id", "column": "mood"}}"#,
        r#"{"user_name": {"from": "mallory.moody", "match": "id", "key": "assigned_to_id", "column": "moods"}}"#,
    ] {
        scene.client.execute(
            "SELECT zentry_attach('task_completed', 'tasks_task', $1::text::jsonb)",
            &[&columns],
        )?;
        scene.client.batch_execute(
            "SELECT zentry_attach('badge_earned', 'achievements_userbadge', \
               audience => '{\"person\": \"user_id\", \"projects\": [{\"from\": \"mallory.members\", \"match\": \"id\", \"column\": \"project\"}]}')",
        )?;
        nobody_gained(&mut scene.client, &mallory.name)?;
        for table in TABLES {
            mallory.may(&baited(table));
        }
        scene
            .client
            .batch_execute("UPDATE tasks_task SET status = 'todo'")?;
        fire(&mut scene.client)?;
        scene.client.batch_execute(
            "UPDATE tasks_task SET status = 'completed' WHERE id = 3; \
             INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) \
               SELECT u.id, b.id, now() FROM users_user u, achievements_badge b WHERE NOT EXISTS (\
                 SELECT FROM achievements_userbadge o WHERE o.user_id = u.id AND o.badge_id = b.id) LIMIT 1",
        )?;
        scene.settle()?;
        nobody_gained(&mut scene.client, &mallory.name)?;
        // Whoever attaches it now is told why not, or nothing of it runs.
        let _ = scene.client.execute(
            "SELECT zentry_attach('task_completed', 'tasks_task', $1::text::jsonb)",
            &[&columns],
        );
        nobody_gained(&mut scene.client, &mallory.name)?;
        for table in TABLES {
            mallory.may(&clean(table));
        }
    }
    // All is told, without what would have run.
    let told = scene.settle()?;
    assert!(
        told.iter()
            .any(|d| d.event_type == "task_completed" && d.payload["user_name"].is_null()),
        "{told:#?}"
    );
    assert!(told.iter().any(|d| d.event_type == "badge_earned"), "{told:#?}");
    assert_eq!(channel.webhook.event_count(), told.len() as u64);
    for table in TABLES {
        mallory.may(&baited(table));
    }
    let _ = scene
        .client
        .batch_execute("SELECT * FROM zentry_import_integrations('mallory.integrations')");
    nobody_gained(&mut scene.client, &mallory.name)?;
    // Their own code is theirs.
    let mut manager = mallory;
    scene
        .client
        .batch_execute(&format!("SELECT zentry_grant('{}', 'manager')", manager.name))?;
    manager.may(
        "CREATE TABLE mallory.task (id bigint, title text, status text, user_id bigint); \
         SELECT zentry_attach('task_completed', 'mallory.task', \
           '{\"user_name\": {\"from\": \"mallory.people\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}}', audience => '{\"all\": true}'); \
         INSERT INTO mallory.task VALUES (1, 'x', 'todo', 1); UPDATE mallory.task SET status = 'completed'",
    );
    let told = scene.settle()?;
    assert_eq!(
        told.last().map(|d| d.payload["user_name"].clone()),
        Some("x".into())
    );
    nobody_gained(&mut scene.client, &manager.name)
}

/// Nor do owners of partitions, and their tasks alone are not counted.
#[test]
fn partitions_run_nothing_of_their_owners() -> Result<()> {
    let mut scene = Scene::start()?;
    let _milestones = scene.channel_for(Kind::Discord, None, Some(&["milestone_reached"]))?;
    let mut mallory = mallory(&mut scene)?;
    scene.client.batch_execute(&format!(
        "CREATE TABLE public.work (id bigint, project_id bigint, status text) PARTITION BY LIST (project_id); \
         CREATE TABLE public.ours PARTITION OF public.work FOR VALUES IN (1); \
         CREATE TABLE public.theirs PARTITION OF public.work FOR VALUES IN (2); \
         ALTER TABLE public.theirs OWNER TO {0}; GRANT CREATE ON SCHEMA public TO {0}; \
         SELECT zentry_attach('milestone_reached', 'public.work', '{{\"project_id\": \"project_id\"}}', audience => '{{\"all\": true}}')",
        mallory.name
    ))?;
    mallory.may(&baited("public.theirs"));
    // What runs while rows are inserted is PostgreSQL's affair.
    mallory.may("INSERT INTO public.theirs VALUES (1, 2, 'todo')");
    scene
        .client
        .batch_execute("INSERT INTO public.ours VALUES (2, 1, 'todo'), (3, 1, 'todo')")?;
    scene.settle()?;
    mallory.may("UPDATE public.theirs SET status = 'completed'");
    scene
        .client
        .batch_execute("UPDATE public.ours SET status = 'completed'")?;
    let told = scene.settle()?;
    nobody_gained(&mut scene.client, &mallory.name)?;
    let projects: Vec<_> = told.iter().map(|d| d.payload["project_id"].clone()).collect();
    assert_eq!(
        projects.iter().filter(|project| **project == 1).count(),
        4,
        "{projects:?}"
    );
    Ok(())
}
