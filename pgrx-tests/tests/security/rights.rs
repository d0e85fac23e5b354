//! With whose rights SQL of others runs: triggers on our tables, look-ups of a mapping.

use anyhow::Result;
use serde_json::Value;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::{fire, wait_for};
use zentry_e2e::zentry::id;

use crate::role::Role;

/// A trigger of somebody who may put one there, which writes down who it runs as and tries to read a secret.
const SPY: &str = "
    CREATE TABLE public.secret (text text); INSERT INTO public.secret VALUES ('a secret');
    CREATE TABLE public.seen (operation text, role name, setting text, secret text, path text);
    GRANT INSERT ON public.seen TO PUBLIC;
    CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE found text;
    BEGIN
        BEGIN
            SELECT s.text INTO found FROM public.secret s;
        EXCEPTION WHEN insufficient_privilege THEN found := NULL;
        END;
        BEGIN
            EXECUTE 'SET ROLE postgres';
            found := 'became postgres';
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
        INSERT INTO public.seen VALUES (TG_OP, current_user, current_setting('is_superuser'), found, current_setting('search_path'));
        RETURN NULL;
    END $$;
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.delivery FOR EACH ROW EXECUTE FUNCTION public.spy();
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.event FOR EACH ROW EXECUTE FUNCTION public.spy();
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.route_cursor FOR EACH ROW EXECUTE FUNCTION public.spy();
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.webhook_count FOR EACH ROW EXECUTE FUNCTION public.spy();
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.project_progress FOR EACH ROW EXECUTE FUNCTION public.spy();";

#[test]
fn triggers_on_our_tables_run_as_the_agent_who_reaches_nothing_else() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    scene.client.batch_execute(SPY)?;
    // A superuser writes, and the worker records.
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE project_id = 1")?;
    channel.webhook.wait_for_events(12, SOON);
    scene.settle()?;
    let seen = scene.client.query(
        "SELECT DISTINCT operation, role::text, secret FROM public.seen ORDER BY 1",
        &[],
    )?;
    let seen: Vec<(String, String, Option<String>)> = seen
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let agent = |operation: &str| (operation.to_owned(), "zentry_notify_agent".to_owned(), None);
    assert_eq!(seen, [agent("INSERT"), agent("UPDATE")]);
    Ok(())
}

/// Code of a table's owner, in an expression of the table's mapping, that wants to be run when the worker is itself again: by a
/// deferred trigger, a held cursor, a temporary table, a search path.
const LATER: &str = "
    CREATE SCHEMA later;
    CREATE TABLE later.bait (i int);
    CREATE TABLE later.ran (what text, role name, application text);
    CREATE FUNCTION later.note(what text) RETURNS int LANGUAGE sql AS
        'INSERT INTO later.ran VALUES (what, current_user, current_setting(''application_name'')) RETURNING 1';
    CREATE FUNCTION later.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM later.note('trigger');
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER note AFTER INSERT ON later.bait DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION later.note();
    CREATE FUNCTION later.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE statement;
        PERFORM later.note('could: ' || statement);
        RETURN current_user || ' could: ' || statement;
    EXCEPTION WHEN insufficient_privilege OR object_not_in_prerequisite_state THEN
        PERFORM later.note('could not: ' || statement);
        RETURN current_user || ' could not: ' || statement;
    END $$;
    CREATE FUNCTION later.harm() RETURNS text[] LANGUAGE plpgsql AS $$
    DECLARE
        done text[] := ARRAY[
            later.attempt('INSERT INTO later.bait VALUES (1)'),
            later.attempt('DECLARE c CURSOR WITH HOLD FOR SELECT later.note(''cursor'')'),
            later.attempt('CREATE TEMP TABLE pg_class (a int)'),
            later.attempt('SET ROLE postgres')];
    BEGIN
        PERFORM set_config('search_path', 'later', false);
        RETURN done;
    END $$;";

#[test]
fn what_a_tables_owner_leaves_for_later_is_not_run_by_the_worker() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    let mut owner = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "GRANT CREATE ON DATABASE {1} TO {0}; ALTER TABLE tasks_task OWNER TO {0}; GRANT SELECT ON tasks_project, users_user TO {0}",
        owner.name,
        scene.database.name()
    ))?;
    owner.may(LATER);
    scene.client.batch_execute(&format!(
        "UPDATE zentry_notify.event_source SET columns = columns || '{{\"harm\": {{\"expression\": \"later.harm()\", \"columns\": []}}}}', written_by = '{}' \
         WHERE event_type = 'task_completed'",
        owner.name
    ))?;
    // What runs in the worker after all that, as the agent.
    scene.client.batch_execute(SPY)?;
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE project_id = 1")?;
    let deliveries = scene.settle()?;
    assert!(
        deliveries.iter().any(|d| d.event_type == "milestone_reached"),
        "no milestone was reached"
    );
    let done = [
        "could: INSERT INTO later.bait VALUES (1)",
        "could not: DECLARE c CURSOR WITH HOLD FOR SELECT later.note('cursor')",
        "could not: CREATE TEMP TABLE pg_class (a int)",
        "could not: SET ROLE postgres",
    ]
    .map(|done| format!("{} {done}", owner.name));
    assert!(
        deliveries
            .iter()
            .any(|d| d.payload["harm"] == serde_json::json!(done)),
        "{deliveries:#?}"
    );
    // Nothing is left of it but its value.
    let left: i64 = scene
        .client
        .query_one(
            "SELECT (SELECT count(*) FROM later.bait) + (SELECT count(*) FROM later.ran)",
            &[],
        )?
        .get(0);
    assert_eq!(left, 0);
    let paths: Vec<String> = scene
        .client
        .query_one(
            "SELECT array_agg(DISTINCT path) FROM public.seen WHERE operation = 'UPDATE'",
            &[],
        )?
        .get(0);
    assert_eq!(paths, ["pg_catalog, pg_temp"]);
    Ok(())
}

#[test]
fn a_deferred_trigger_on_our_tables_runs_as_the_agent_or_not_at_all() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    scene.client.batch_execute(SPY)?;
    scene.client.batch_execute(
        "DROP TRIGGER spy ON zentry_notify.delivery; TRUNCATE public.seen; \
         CREATE CONSTRAINT TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.delivery DEFERRABLE INITIALLY DEFERRED \
           FOR EACH ROW EXECUTE FUNCTION public.spy()",
    )?;
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(1, SOON);
    scene.settle()?;
    wait_for(
        &mut scene.client,
        "SELECT EXISTS (SELECT FROM public.seen WHERE operation = 'INSERT')",
    )?;
    // In a session it would run as whom the session is: what a write records calls no trigger.
    scene.client.batch_execute(
        "CREATE CONSTRAINT TRIGGER spy_insert AFTER INSERT ON zentry_notify.event DEFERRABLE INITIALLY DEFERRED \
           FOR EACH ROW EXECUTE FUNCTION public.spy()",
    )?;
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(2, SOON);
    scene.settle()?;
    let others: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM public.seen WHERE role <> 'zentry_notify_agent' OR secret IS NOT NULL",
            &[],
        )?
        .get(0);
    assert_eq!(others, 0);
    Ok(())
}

#[test]
fn look_ups_run_no_code_of_others_than_the_tables_owner() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    let mut other = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA other AUTHORIZATION {0}; ALTER TABLE users_user RENAME TO users; \
         GRANT SELECT ON users TO {0}; GRANT CREATE ON SCHEMA public TO {0}",
        other.name
    ))?;
    other.may(
        "CREATE TABLE other.ran (role name); GRANT INSERT ON other.ran TO PUBLIC; \
         CREATE FUNCTION other.spy() RETURNS boolean LANGUAGE plpgsql AS \
           $$ BEGIN INSERT INTO other.ran VALUES (current_user); RETURN true; END $$; \
         GRANT USAGE ON SCHEMA other TO PUBLIC; \
         CREATE VIEW public.users_user AS SELECT * FROM public.users WHERE other.spy(); \
         GRANT SELECT ON public.users_user TO PUBLIC",
    );
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id = 2")?;
    wait_for(
        &mut scene.client,
        "SELECT suspended_reason LIKE '%public.users_user is a view%' FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
    )?;
    // Nor is a view of the owner's own looked into: it may call what is others'.
    scene.client.batch_execute(
        "ALTER VIEW users_user OWNER TO postgres; UPDATE zentry_notify.event_source SET suspended_at = NULL, suspended_reason = NULL; \
         UPDATE tasks_task SET status = 'completed' WHERE id = 3",
    )?;
    let deliveries = scene.settle()?;
    let names: Vec<_> = deliveries
        .iter()
        .filter(|d| d.event_type == "task_completed")
        .map(|d| d.payload["user_name"].clone())
        .collect();
    assert_eq!(names, [Value::Null, Value::Null]);
    let ran: i64 = scene
        .client
        .query_one("SELECT count(*) FROM other.ran", &[])?
        .get(0);
    assert_eq!(ran, 0);
    Ok(())
}

/// It is looked at after the lock, not before.
#[test]
fn a_policy_that_comes_while_the_worker_waits_for_the_table_is_not_asked() -> Result<()> {
    const WAITS: &str = "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                          WHERE NOT l.granted AND l.relation = 'public.users_user'::regclass AND a.backend_type = 'zentry_notify worker')";
    let mut scene = Scene::start()?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut other = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA other AUTHORIZATION {0}; ALTER TABLE users_user OWNER TO {0}; GRANT USAGE ON SCHEMA other TO PUBLIC",
        other.name
    ))?;
    other.may(
        "CREATE TABLE other.ran (role name); GRANT INSERT ON other.ran TO PUBLIC; \
         CREATE FUNCTION other.spy() RETURNS boolean LANGUAGE plpgsql AS \
           $$ BEGIN INSERT INTO other.ran VALUES (current_user); RETURN true; END $$",
    );
    // The first time the worker looks at the tables; the second time it has looked at them before.
    for task in [2, 3] {
        other.may("BEGIN; LOCK TABLE users_user IN ACCESS EXCLUSIVE MODE");
        scene.client.batch_execute(&format!(
            "UPDATE tasks_task SET status = 'completed' WHERE id = {task}"
        ))?;
        wait_for(&mut scene.client, WAITS)?;
        other.may(
            "CREATE POLICY spying ON users_user USING (other.spy()); ALTER TABLE users_user ENABLE ROW LEVEL SECURITY; COMMIT",
        );
        scene.settle()?;
        let ran: i64 = scene
            .client
            .query_one("SELECT count(*) FROM other.ran", &[])?
            .get(0);
        assert_eq!(ran, 0);
        other.may("ALTER TABLE users_user DISABLE ROW LEVEL SECURITY; DROP POLICY spying ON users_user");
        scene.client.batch_execute(
            "SELECT * FROM zentry_attach(); UPDATE tasks_task SET status = 'completed' WHERE id = 5; UPDATE tasks_task SET status = 'todo' WHERE id = 5",
        )?;
        let deliveries = scene.settle()?;
        assert_eq!(deliveries.last().map(|d| d.payload["task_id"] == 5), Some(true));
    }
    Ok(())
}

#[test]
fn look_ups_read_what_the_tables_owner_may_read() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut owner = Role::create(&mut scene)?;
    let mut writer = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "ALTER TABLE tasks_task OWNER TO {0}; GRANT SELECT ON users_user, tasks_project TO {0}; \
         GRANT SELECT, UPDATE ON tasks_task TO {1}",
        owner.name, writer.name
    ))?;
    // The writer can't read users and projects; the owner can.
    writer.is_refused("SELECT * FROM users_user");
    writer.may("UPDATE tasks_task SET status = 'completed' WHERE id = 2");
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(scene.settle()?[0].payload["user_name"], "chen");

    // Nobody gets at what the owner may not read, not even when a superuser writes.
    scene.client.batch_execute(
        "CREATE TABLE secret (id bigint, text text); INSERT INTO secret SELECT id, 'a secret' FROM tasks_task; \
         UPDATE zentry_notify.event_source SET columns = columns || \
           '{\"task_description\": {\"from\": \"public.secret\", \"match\": \"id\", \"key\": \"id\", \"column\": \"text\"}}' \
         WHERE event_type = 'task_completed'; \
         UPDATE tasks_task SET status = 'completed' WHERE id = 3",
    )?;
    wait_for(
        &mut scene.client,
        "SELECT suspended_reason LIKE '%permission denied%' FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
    )?;
    // The event is told without it.
    let deliveries = scene.settle()?;
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[1].payload["task_description"], Value::Null);
    owner.is_refused("SELECT * FROM secret");
    assert_eq!(id::LANDING_PAGE, 2);
    Ok(())
}

#[test]
fn a_look_ups_names_are_names_and_no_sql() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    for (key, value) in [
        ("from", "public.users_user; DROP TABLE tasks_task"),
        ("from", "(SELECT 1)"),
        ("column", "username FROM users_user; --"),
        ("column", "\"username"),
        ("match", "id) OR (true"),
    ] {
        scene.client.execute(
            "UPDATE zentry_notify.event_source \
             SET suspended_at = NULL, suspended_reason = NULL, columns = jsonb_set(z.columns, ARRAY['user_name', $1], to_jsonb($2::text)) \
             FROM zentry_notify.zentry_source z \
             WHERE z.event_type = 'task_completed' AND event_source.event_type = z.event_type",
            &[&key, &value],
        )?;
        scene.client.batch_execute(
            "UPDATE tasks_task SET status = 'todo' WHERE id = 2; UPDATE tasks_task SET status = 'completed' WHERE id = 2",
        )?;
        wait_for(
            &mut scene.client,
            "SELECT suspended_reason LIKE '%does not exist%' FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
        )?;
    }
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(1, SOON);
    Ok(())
}
