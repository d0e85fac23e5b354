//! With whose rights SQL of others runs: triggers on our tables, look-ups of a mapping.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::{fire, wait_for};
use zentry_e2e::zentry::id;

use crate::roles::Role;

/// A trigger of somebody who may put one there, which writes down who it runs as and tries to read a secret.
const SPY: &str = "
    CREATE TABLE public.secret (text text); INSERT INTO public.secret VALUES ('a secret');
    CREATE TABLE public.seen (operation text, role name, setting text, secret text);
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
        INSERT INTO public.seen VALUES (TG_OP, current_user, current_setting('is_superuser'), found);
        RETURN NULL;
    END $$;
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.notification_log FOR EACH ROW EXECUTE FUNCTION public.spy();
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.webhook_count FOR EACH ROW EXECUTE FUNCTION public.spy();
    CREATE TRIGGER spy AFTER INSERT OR UPDATE ON zentry_notify.project_progress FOR EACH ROW EXECUTE FUNCTION public.spy();
    CREATE TRIGGER spy AFTER DELETE ON zentry_notify.progress_note FOR EACH ROW EXECUTE FUNCTION public.spy();";

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
    assert_eq!(seen, [agent("DELETE"), agent("INSERT"), agent("UPDATE")]);
    Ok(())
}

#[test]
fn triggers_of_tables_that_milestones_count_are_not_run_by_counting() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    let mut owner = Role::create(&mut scene)?;
    // A view in place of the table that is counted: it runs with its owner's rights.
    scene.client.batch_execute(&format!(
        "CREATE TABLE public.seen (role name); GRANT INSERT ON public.seen TO PUBLIC; \
         GRANT CREATE ON SCHEMA public TO {0}; \
         ALTER TABLE tasks_task OWNER TO {0}; GRANT SELECT ON tasks_project, users_user TO {0}",
        owner.name
    ))?;
    owner.client.batch_execute(
        "CREATE FUNCTION public.note() RETURNS boolean LANGUAGE plpgsql AS \
           $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN true; END $$; \
         ALTER TABLE tasks_task ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; \
         CREATE POLICY note ON tasks_task USING (public.note())",
    )?;
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE project_id = 1")?;
    scene.settle()?;
    let strangers: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM public.seen WHERE role <> $1",
            &[&owner.name],
        )?
        .get(0);
    assert_eq!(
        strangers, 0,
        "the policy's function ran with other rights than its owner's"
    );
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
    assert_eq!(scene.settle()?.len(), 1);
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
            "SELECT suspended_at IS NOT NULL FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
        )?;
    }
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(1, SOON);
    Ok(())
}
