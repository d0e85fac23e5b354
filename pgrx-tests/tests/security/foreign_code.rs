//! What owners put into their tables, while others wait for these tables, keep them in order or depend on the worker; and a setting that
//! is a dump's.

use std::thread;

use anyhow::Result;
use postgres::Client;
use postgres::error::SqlState;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::{Site, fire, wait_for};

use crate::role::Role;

/// Of the role MALLORY: code that notes, in sequences, which no rollback takes back, as whom it runs, and makes its owner a superuser if
/// it can.
pub const PLANTED: &str = "
    CREATE SEQUENCE mallory.as_owner; CREATE SEQUENCE mallory.as_another;
    GRANT USAGE ON SCHEMA mallory TO PUBLIC; GRANT USAGE ON SEQUENCE mallory.as_owner, mallory.as_another TO PUBLIC;
    CREATE FUNCTION mallory.note() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM nextval(CASE WHEN current_user = 'MALLORY' THEN 'mallory.as_owner' ELSE 'mallory.as_another' END);
        BEGIN
            EXECUTE 'ALTER ROLE MALLORY SUPERUSER';
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
        BEGIN
            EXECUTE 'SET ROLE postgres';
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
        RETURN true;
    END $$;
    CREATE FUNCTION mallory.noted(i bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mallory.note(); RETURN i; END $$;
    CREATE DOMAIN mallory.checked AS text CHECK (mallory.note());
    CREATE TYPE mallory.mood AS ENUM ('todo', 'completed');
    CREATE FUNCTION mallory.as_json(mood mallory.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(); RETURN '1'; END $$;
    CREATE FUNCTION mallory.as_text(mood mallory.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(); RETURN '1'; END $$;
    CREATE CAST (mallory.mood AS json) WITH FUNCTION mallory.as_json(mallory.mood) AS IMPLICIT;
    CREATE CAST (mallory.mood AS text) WITH FUNCTION mallory.as_text(mallory.mood) AS IMPLICIT;";

pub fn plant(client: &mut Client, mallory: &str) -> Result<()> {
    Ok(client.batch_execute(&PLANTED.replace("MALLORY", mallory))?)
}

pub fn mallory(scene: &mut Scene) -> Result<Role> {
    let mut mallory = Role::create(scene)?;
    scene
        .client
        .batch_execute(&format!("CREATE SCHEMA mallory AUTHORIZATION {}", mallory.name))?;
    plant(&mut mallory.client, &mallory.name)?;
    Ok(mallory)
}

/// What was planted has run as nobody else, and its owner is what they were.
pub fn nobody_gained(client: &mut Client, mallory: &str) -> Result<()> {
    let row = client.query_one(
        "SELECT s.is_called, r.rolsuper FROM mallory.as_another s, pg_roles r WHERE r.rolname = $1::text::name",
        &[&mallory],
    )?;
    assert!(!row.get::<_, bool>(0), "it ran as somebody else");
    assert!(!row.get::<_, bool>(1));
    Ok(())
}

/// A superuser calls this, and what `mallory` does meanwhile to the table `mallory.name` is committed while the call waits for it.
pub fn while_it_waits(
    scene: &mut Scene,
    mallory: &mut Role,
    name: &str,
    call: &'static str,
    meanwhile: &str,
) -> Result<Result<(), postgres::Error>> {
    let oid: u32 = scene
        .client
        .query_one("SELECT to_regclass($1)::oid", &[&format!("mallory.{name}")])?
        .get(0);
    mallory.may(&format!(
        "BEGIN; LOCK TABLE mallory.{name} IN ACCESS EXCLUSIVE MODE"
    ));
    let mut superuser = scene.database.connect()?;
    superuser.batch_execute("SET lock_timeout = '2min'")?;
    let calls = thread::spawn(move || superuser.batch_execute(call));
    wait_for(
        &mut scene.client,
        &format!("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = {oid} AND NOT granted)"),
    )?;
    mallory.may(&format!("{meanwhile}; COMMIT"));
    Ok(calls.join().expect("the session's thread"))
}

pub const INTEGRATIONS: &str = "
    CREATE TABLE mallory.integrations (id bigint, name text, webhook_type text, webhook_url text, project_id bigint, created_by_id bigint,
        event_types jsonb, is_active boolean, created_at timestamptz);
    INSERT INTO mallory.integrations VALUES
        (7, 'todo', 'discord', 'https://discord.com/api/webhooks/1/' || repeat('x', 68), NULL, NULL, '[\"*\"]', true, now())";

/// What is read is what was looked at: under a lock, whatever has its name by then.
#[test]
fn an_import_looks_at_the_table_that_it_has_locked() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut mallory = mallory(&mut scene)?;
    for (meanwhile, refusal) in [
        (
            "ALTER TABLE mallory.integrations ALTER name TYPE mallory.mood USING name::mallory.mood",
            SqlState::DATATYPE_MISMATCH,
        ),
        (
            "ALTER TABLE mallory.integrations ALTER name TYPE mallory.checked",
            SqlState::DATATYPE_MISMATCH,
        ),
        (
            // Another one has its name, and is what is locked: this one can be changed as soon as it was looked at.
            "ALTER TABLE mallory.integrations RENAME TO aside; CREATE TABLE mallory.integrations (LIKE mallory.aside)",
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        ),
    ] {
        mallory.may("DROP TABLE IF EXISTS mallory.integrations, mallory.aside");
        mallory.may(INTEGRATIONS);
        let outcome = while_it_waits(
            &mut scene,
            &mut mallory,
            "integrations",
            "SELECT * FROM zentry_import_integrations('mallory.integrations')",
            meanwhile,
        )?;
        let error = outcome.expect_err(meanwhile);
        assert_eq!(error.code(), Some(&refusal), "{meanwhile}: {error:?}");
        nobody_gained(&mut scene.client, &mallory.name)?;
    }
    // A policy is not a superuser's, whose rows are all of them.
    mallory.may("DROP TABLE mallory.integrations, mallory.aside");
    mallory.may(INTEGRATIONS);
    let _ = while_it_waits(
        &mut scene,
        &mut mallory,
        "integrations",
        "SELECT * FROM zentry_import_integrations('mallory.integrations')",
        "CREATE POLICY noting ON mallory.integrations USING (mallory.note()); ALTER TABLE mallory.integrations ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE mallory.integrations FORCE ROW LEVEL SECURITY",
    )?;
    nobody_gained(&mut scene.client, &mallory.name)
}

/// The table that was named when it was called is what is attached, as it is once it is locked.
#[test]
fn a_table_is_attached_as_it_is_after_the_wait() -> Result<()> {
    const TASK: &str = "CREATE TABLE mallory.task (id bigint PRIMARY KEY, title text, status text)";
    const ATTACH: &str =
        "SELECT zentry_attach('task_completed', 'mallory.task', '{\"points\": \"status = ''x''\"}')";
    let mut scene = Scene::start()?;
    let mut mallory = mallory(&mut scene)?;
    for meanwhile in [
        "ALTER TABLE mallory.task ALTER status TYPE mallory.checked",
        "ALTER TABLE mallory.task ALTER status TYPE mallory.mood USING NULL",
        "ALTER TABLE mallory.task RENAME TO aside; CREATE TABLE mallory.task (id bigint PRIMARY KEY, title text, status mallory.checked)",
        "CREATE POLICY noting ON mallory.task USING (mallory.note()); ALTER TABLE mallory.task ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE mallory.task FORCE ROW LEVEL SECURITY",
    ] {
        mallory.may("DROP TABLE IF EXISTS mallory.task, mallory.aside");
        mallory.may(TASK);
        let table: u32 = scene
            .client
            .query_one("SELECT 'mallory.task'::regclass::oid", &[])?
            .get(0);
        let _ = while_it_waits(&mut scene, &mut mallory, "task", ATTACH, meanwhile)?;
        nobody_gained(&mut scene.client, &mallory.name)?;
        let others: i64 = scene
            .client
            .query_one(
                "SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'mallory'::regnamespace \
                  WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure AND c.oid <> $1",
                &[&table],
            )?
            .get(0);
        assert_eq!(others, 0, "{meanwhile}");
    }
    // Given away while its owner, a manager, waits: it is not theirs any more.
    scene
        .client
        .batch_execute(&format!("SELECT zentry_grant('{}', 'manager')", mallory.name))?;
    mallory.may("DROP TABLE IF EXISTS mallory.task");
    mallory.may(TASK);
    scene
        .client
        .batch_execute("BEGIN; ALTER TABLE mallory.task OWNER TO postgres")?;
    let name = mallory.name.clone();
    let mut waiting = scene.database.connect_as(&name)?;
    waiting.batch_execute("SET lock_timeout = '2min'")?;
    let calls = thread::spawn(move || {
        waiting.batch_execute("SELECT zentry_attach('task_completed', 'mallory.task')")
    });
    wait_for(
        &mut scene.client,
        "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'mallory.task'::regclass AND NOT granted)",
    )?;
    scene.client.batch_execute("COMMIT")?;
    let error = calls
        .join()
        .expect("the session's thread")
        .expect_err("not theirs");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{error:?}");
    nobody_gained(&mut scene.client, &name)
}

/// Autovacuum analyses a table whose index has code of its owner's, which writes to an attached table: all of it is the owner's.
#[test]
fn autovacuum_runs_nothing_of_an_owners_as_anybody_else() -> Result<()> {
    let site = Site::start(
        ClusterOptions::default()
            .set("autovacuum", "on")
            .set("autovacuum_naptime", "1s")
            .set("autovacuum_analyze_threshold", 10)
            .set("autovacuum_analyze_scale_factor", 0)
            .set("autovacuum_vacuum_threshold", 10)
            .set("autovacuum_vacuum_scale_factor", 0),
    )?;
    let mut client = site.database("zentry")?;
    site.channel(&mut client)?;
    client.batch_execute(
        "CREATE ROLE mallory LOGIN; CREATE SCHEMA mallory AUTHORIZATION mallory; SELECT zentry_grant('mallory', 'manager')",
    )?;
    let mut mallory = site.cluster.connect_as("mallory", "zentry")?;
    plant(&mut mallory, "mallory")?;
    mallory.batch_execute(
        "CREATE TABLE mallory.task (id bigint, title mallory.checked, status text DEFAULT 'completed'); \
         SELECT zentry_attach('task_completed', 'mallory.task', '{\"points\": \"mallory.noted(3)\"}', operation => 'insert', audience => '{\"all\": true}'); \
         CREATE SEQUENCE mallory.in_autovacuum; \
         CREATE TABLE mallory.bait (i bigint); \
         CREATE FUNCTION mallory.index_of(i bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN i; END $$; \
         CREATE INDEX baited ON mallory.bait (mallory.index_of(i)); \
         CREATE OR REPLACE FUNCTION mallory.index_of(i bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ \
         BEGIN \
             PERFORM mallory.note(); \
             IF session_user <> 'mallory' AND nextval('mallory.in_autovacuum') <= 3 THEN \
                 INSERT INTO mallory.task (id, title) VALUES (i, 'of an index'); \
             END IF; \
             RETURN i; \
         END $$; \
         INSERT INTO mallory.bait SELECT generate_series(1, 100)",
    )?;
    wait_for(
        &mut client,
        "SELECT last_autoanalyze IS NOT NULL FROM pg_stat_user_tables WHERE relid = 'mallory.bait'::regclass",
    )?;
    nobody_gained(&mut client, "mallory")?;
    let ran: bool = client
        .query_one(
            "SELECT a.is_called AND i.is_called FROM mallory.as_owner a, mallory.in_autovacuum i",
            &[],
        )?
        .get(0);
    assert!(ran, "nothing was tested");
    Ok(())
}

/// That this setting is off tells a dump that is restored: whoever else sets it gains nothing, and holds up nobody.
#[test]
fn check_function_bodies_lets_nobody_past_the_checks() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let url = scene.emulator.register(Kind::Discord).url();
    let mut manager = Role::granted(&mut scene, "manager")?;
    let mut application = Role::granted(&mut scene, "application")?;
    scene
        .client
        .batch_execute(&format!("CREATE SCHEMA own AUTHORIZATION {}", manager.name))?;
    manager.may("CREATE TABLE own.task (id bigint, title text, status text)");
    let refused = [
        "SELECT zentry_register_event_type('Bad Name', 'x')".to_owned(),
        "SELECT zentry_register_event_type('bad', '{% if %}')".to_owned(),
        "SELECT zentry_register_event_type('bad', 'x', colour => 'red; DROP')".to_owned(),
        "SELECT zentry_unregister_event_type('task_completed')".to_owned(),
        format!("SELECT zentry_register_webhook('x', 'discord', '{url}', NULL, '{{nothing}}')"),
        "SELECT zentry_update_webhook(1, event_types => '{nothing}')".to_owned(),
        "SELECT zentry_set_wording('nothing', title => 'x')".to_owned(),
        "SELECT zentry_set_wording('task_completed', title => '{% if %}')".to_owned(),
        "SELECT zentry_attach('nothing', 'own.task', '{\"a\": \"title\"}')".to_owned(),
        "SELECT zentry_test_event('nothing')".to_owned(),
    ];
    for setting in ["on", "off"] {
        manager.may(&format!("SET check_function_bodies = {setting}"));
        application.may(&format!("SET check_function_bodies = {setting}"));
        for statement in &refused {
            let error = manager.client.batch_execute(statement);
            assert!(error.is_err(), "check_function_bodies = {setting}: {statement}");
        }
        let statement = format!(
            "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, event_types) VALUES ('x', 'discord', '{url}', '[\"nothing\"]')"
        );
        let error = application.client.batch_execute(&statement);
        assert!(error.is_err(), "check_function_bodies = {setting}: {statement}");
    }
    // What is written with it is told, and so is what others write.
    scene.client.batch_execute(&format!(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {}",
        manager.name
    ))?;
    manager.may("SELECT zentry_test_event('badge_earned')");
    channel.webhook.wait_for_events(1, SOON);
    fire(&mut manager.client)?;
    channel.webhook.wait_for_events(2, SOON);
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(3, SOON);
    scene.settle()?;
    Ok(())
}
