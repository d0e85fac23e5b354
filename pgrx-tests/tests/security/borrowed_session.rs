//! A manager's code that somebody more powerful runs: an index's function in a REINDEX, a view's, a definer function.

use anyhow::Result;
use postgres::error::SqlState;
use zentry_e2e::scene::Scene;

use crate::role::Role;

/// What the code tries, and the proof that it was run: it writes down what became of it.
const ATTEMPT: &str = "
    CREATE TABLE mallory.seen (what text, session name, role name);
    CREATE FUNCTION mallory.try(statement text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE statement;
        INSERT INTO mallory.seen VALUES ('done', session_user, current_user);
    EXCEPTION WHEN insufficient_privilege THEN
        INSERT INTO mallory.seen VALUES ('refused', session_user, current_user);
    END $$;
    CREATE FUNCTION mallory.harm(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        PERFORM mallory.try('SELECT public.zentry_detach(''public.tasks_task'')');
        PERFORM mallory.try('DELETE FROM zentry_notify.event_source');
        PERFORM mallory.try('UPDATE zentry_notify.event_source SET columns = ''{}''');
        PERFORM mallory.try('INSERT INTO zentry_notify.event_source (event_type, relation, columns, audience) '
            'VALUES (''badge_earned'', ''public.tasks_task'', ''{}'', ''{\"all\": true}'')');
        PERFORM mallory.try('CREATE TRIGGER mine AFTER UPDATE ON public.tasks_task FOR EACH ROW '
            'EXECUTE FUNCTION zentry_notify.capture(''task_completed'')');
        PERFORM mallory.try('SELECT public.zentry_grant(''mallory'', ''manager'')');
        PERFORM mallory.try('SELECT webhook_url FROM zentry_notify.webhook_integration');
        PERFORM mallory.try('SELECT public.zentry_create_api_token(''mine'', ''zentry_notify_agent'')');
        PERFORM mallory.try('INSERT INTO zentry_notify.api_token (token_key, name, role_name, token_hash, created_by) '
            'VALUES (''mine'', ''mine'', ''zentry_notify_agent'', ''\\x00'', ''postgres'')');
        PERFORM mallory.try('SELECT public.zentry_revoke_api_token(''administrators'')');
        PERFORM public.zentry_attach();
        RETURN i;
    END $$;
    CREATE FUNCTION mallory.lend() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT mallory.harm(1)';";

/// What may be done to Zentry's sources and triggers.
const STATE: &str = "
    SELECT array_agg(s::text ORDER BY id)::text || (SELECT array_agg(t.oid::text || t.tgname ORDER BY t.oid)::text FROM pg_trigger t
      WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure) || (SELECT array_agg(a::text)::text FROM zentry_notify.api_token a)
      FROM zentry_notify.event_source s";

#[test]
fn a_managers_code_in_a_superusers_session_has_a_managers_rights() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut mallory = Role::mallory(&mut scene)?;
    let attempt = ATTEMPT.replace("''mallory''", &format!("''{}''", mallory.name));
    mallory.may(&attempt);
    mallory.may(
        "CREATE FUNCTION mallory.harmless(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i'; \
         CREATE TABLE mallory.bait (i int); INSERT INTO mallory.bait VALUES (1); \
         CREATE INDEX baited ON mallory.bait (mallory.harmless(i)); \
         CREATE MATERIALIZED VIEW mallory.picture AS SELECT mallory.harmless(i) FROM mallory.bait; \
         CREATE OR REPLACE FUNCTION mallory.harmless(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
           $$ BEGIN RETURN mallory.harm(i); END $$",
    );
    scene
        .client
        .batch_execute("SELECT zentry_create_api_token('administrators', 'zentry_notify_agent')")?;
    let before: String = scene.client.query_one(STATE, &[])?.get(0);
    for statement in [
        "REINDEX TABLE mallory.bait",
        "REFRESH MATERIALIZED VIEW mallory.picture",
        "SELECT mallory.lend()",
    ] {
        scene.client.batch_execute(statement)?;
        let seen = scene
            .client
            .query("SELECT what, session::text, role::text FROM mallory.seen", &[])?;
        assert_eq!(seen.len(), 10, "{statement}");
        for row in seen {
            let (what, session, role): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            assert_eq!(
                (what.as_str(), session.as_str(), role.as_str()),
                ("refused", "postgres", mallory.name.as_str()),
                "{statement}"
            );
        }
        assert_eq!(
            scene.client.query_one(STATE, &[])?.get::<_, String>(0),
            before,
            "{statement}"
        );
        scene.client.batch_execute("TRUNCATE mallory.seen")?;
    }
    Ok(())
}

#[test]
fn a_manager_makes_tokens_of_roles_that_they_are_a_member_of_and_of_no_other() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    let name = manager.name.clone();
    manager.may(&format!("SELECT zentry_create_api_token('own', '{name}')"));
    manager.is_refused("SELECT zentry_create_api_token('other', 'pg_read_all_data')");
    manager.is_refused(
        "INSERT INTO zentry_notify.api_token (token_key, name, role_name, token_hash, created_by) \
         VALUES ('x', 'x', 'pg_read_all_data', '\\x00', 'postgres')",
    );
    // What the functions call says who calls, too.
    manager.is_refused(
        "SELECT zentry_notify.put_api_token('x', 'x', 'pg_read_all_data'::regrole, '\\x00', NULL)",
    );
    manager.may(&format!(
        "SELECT zentry_notify.put_api_token('0123abcd', 'written', '{name}'::regrole, sha256('x'), NULL)"
    ));
    let makers: Vec<String> = scene
        .client
        .query_one(
            "SELECT array_agg(DISTINCT created_by::text) FROM zentry_notify.api_token",
            &[],
        )?
        .get(0);
    assert_eq!(makers, std::slice::from_ref(&name));
    for statement in [
        "SELECT token_hash FROM zentry_notify.api_token",
        "UPDATE zentry_notify.api_token SET role_name = 'pg_read_all_data'",
        "TRUNCATE zentry_notify.api_token",
    ] {
        manager.is_refused(statement);
    }
    scene
        .client
        .batch_execute("SELECT zentry_create_api_token('administrators', 'pg_read_all_data')")?;
    manager.is_refused("SELECT zentry_revoke_api_token('administrators')");
    manager.is_refused("SELECT zentry_notify.drop_api_token('administrators')");
    manager.is_refused("DELETE FROM zentry_notify.api_token WHERE name = 'own'");
    manager.may("SELECT zentry_revoke_api_token('own')");
    Ok(())
}

#[test]
fn a_manager_changes_sources_of_their_own_tables_by_calls_and_by_nothing_else() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA own AUTHORIZATION {0}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {0}",
        manager.name
    ))?;
    manager.may(
        "CREATE TABLE own.task (id bigint, title text, status text); SELECT zentry_attach('task_completed', 'own.task'); \
         SELECT zentry_omit('task_completed', 'own.task', '{task_title}'); SELECT zentry_omit('task_completed', 'own.task', '{}')",
    );
    for statement in [
        "INSERT INTO zentry_notify.event_source (event_type, relation, columns, audience) \
         VALUES ('badge_earned', 'own.task', '{}', '{\"all\": true}')",
        "UPDATE zentry_notify.event_source SET columns = '{}' WHERE relation = 'own.task'::regclass",
        "DELETE FROM zentry_notify.event_source WHERE relation = 'own.task'::regclass",
        "TRUNCATE zentry_notify.event_source",
        "SELECT zentry_attach('task_completed', 'public.tasks_task')",
        "SELECT zentry_omit('task_completed', 'public.tasks_task', '{task_title}')",
        "SELECT zentry_detach('public.tasks_task')",
        "SELECT zentry_detach(4294967295)",
    ] {
        manager.is_refused(statement);
    }
    // A superuser may take away what belongs to a table that is gone.
    let gone: u32 = scene
        .client
        .query_one("SELECT 'own.task'::regclass::oid", &[])?
        .get(0);
    scene.client.batch_execute("DROP TABLE own.task")?;
    manager.is_refused(&format!("SELECT zentry_detach({gone})"));
    scene
        .client
        .batch_execute(&format!("SELECT zentry_detach({gone})"))?;
    let code = manager
        .client
        .batch_execute("SELECT zentry_detach('public.tasks_project_members')")
        .expect_err("not attached");
    assert_eq!(code.code(), Some(&SqlState::UNDEFINED_OBJECT));
    Ok(())
}
