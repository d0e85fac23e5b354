//! Objects of an attacker, named as ours or as what ours use, in front of the search path.

use anyhow::Result;
use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::release::earlier_versions;
use zentry_e2e::scene::{SOON, Scene, all_sent, register};
use zentry_e2e::zentry;

use crate::role::Role;

/// Operators that compare types for which pg_catalog has none of its own: they are a better match than its more general ones,
/// wherever their schema stands in the search path. Those of the second kind hide pg_catalog's if they stand before it.
const OPERATORS: [&str; 14] = [
    "regclass, regclass",
    "varchar, varchar",
    "varchar, text",
    "text, varchar",
    "bigint, regclass",
    "regrole, regrole",
    "name, text",
    "name, name",
    "text, text",
    "bigint, bigint",
    "oid, oid",
    "integer, integer",
    "jsonb, jsonb",
    "boolean, boolean",
];

/// Functions that hide pg_catalog's where they stand before it.
const FUNCTIONS: [&str; 12] = [
    "now() RETURNS timestamptz",
    "format(text, text) RETURNS text",
    "to_regclass(text) RETURNS regclass",
    "unnest(bigint[]) RETURNS SETOF bigint",
    "unnest(anyarray) RETURNS SETOF anyelement",
    "jsonb_array_elements_text(jsonb) RETURNS SETOF text",
    "pg_partition_ancestors(regclass) RETURNS SETOF regclass",
    "count(bigint) RETURNS bigint",
    "current_setting(text) RETURNS text",
    "btrim(text) RETURNS text",
    "length(text) RETURNS integer",
    "pg_has_role(name, oid, text) RETURNS boolean",
];

/// In `schema`, everything above; whatever of it runs raises an error that says so.
fn plant(client: &mut Client, schema: &str) -> Result<()> {
    for (number, types) in OPERATORS.iter().enumerate() {
        let (left, right) = types.split_once(", ").expect("two types");
        client.batch_execute(&format!(
            "CREATE FUNCTION {schema}.hostile_{number}(a {left}, b {right}) RETURNS boolean LANGUAGE plpgsql AS \
               $$ BEGIN RAISE EXCEPTION 'hostile operator ({types}) as %', current_user; END $$; \
             CREATE OPERATOR {schema}.= (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {schema}.hostile_{number}); \
             CREATE OPERATOR {schema}.<> (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {schema}.hostile_{number}); \
             CREATE OPERATOR {schema}.> (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {schema}.hostile_{number})"
        ))?;
    }
    for function in FUNCTIONS {
        client.batch_execute(&format!(
            "CREATE FUNCTION {schema}.{function} LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'hostile function as %', current_user; END $$"
        ))?;
    }
    Ok(())
}

/// Tables and views of a session, named as ours and as the application's.
const TEMPORARY: &str = "
    CREATE TEMP TABLE webhook_integration (id bigint, is_active boolean, event_types jsonb, project_id bigint);
    CREATE TEMP TABLE notification_log (webhook_integration_id bigint, event_type text, payload jsonb);
    CREATE TEMP TABLE event_source (id bigint, event_type text, relation regclass);
    CREATE TEMP TABLE progress_note (id bigint);
    CREATE TEMP TABLE users_user (id bigint, username text);
    CREATE TEMP TABLE tasks_project (id bigint, name text);
    CREATE TEMP TABLE pg_class (oid oid, relname name);
    CREATE TEMP TABLE pg_extension (oid oid, extname name);";

/// Everything that an application does, each statement with its own look at what is planted.
fn write_as_the_application(client: &mut Client) -> Result<()> {
    client.batch_execute(
        "UPDATE public.tasks_task SET status = 'completed' WHERE id OPERATOR(pg_catalog.=) 2",
    )?;
    client.batch_execute(
        "INSERT INTO public.achievements_userbadge (user_id, badge_id, earned_at) VALUES (3, 2, pg_catalog.now())",
    )?;
    client.batch_execute(
        "INSERT INTO public.tasks_project (name, description, emoji, created_by_id, created_at, updated_at) \
         VALUES ('New', '', '', 1, pg_catalog.now(), pg_catalog.now())",
    )?;
    client.batch_execute(
        "UPDATE public.users_user SET current_streak = current_streak OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) 3",
    )?;
    Ok(())
}

#[test]
fn writers_run_nothing_of_theirs_with_other_rights() -> Result<()> {
    for path in [
        "hostile, public, pg_catalog",
        "public, hostile",
        "pg_temp, hostile, pg_catalog",
    ] {
        let mut scene = Scene::start()?;
        let channel = scene.channel(Kind::Discord)?;
        let mut attacker = Role::create(&mut scene)?;
        scene.client.batch_execute(&format!(
            "CREATE SCHEMA hostile AUTHORIZATION {0}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {0}",
            attacker.name
        ))?;
        plant(&mut attacker.client, "hostile")?;
        attacker.client.batch_execute(TEMPORARY)?;
        attacker
            .client
            .batch_execute(&format!("SET search_path = {path}"))?;
        write_as_the_application(&mut attacker.client)?;
        channel.webhook.wait_for_events(4, SOON);
        let deliveries = scene.settle()?;
        assert!(all_sent(&deliveries), "{path}: {deliveries:#?}");
        assert_eq!(
            deliveries[0].payload["project_name"], "Website Relaunch",
            "{path}"
        );

        // A source is suspended beside all that, too.
        scene
            .client
            .batch_execute("ALTER TABLE tasks_task RENAME title TO headline")?;
        attacker.client.batch_execute(
            "UPDATE public.tasks_task SET status = 'completed' WHERE id OPERATOR(pg_catalog.=) 3",
        )?;
        let reason: Option<String> = scene
            .client
            .query_one(
                "SELECT suspended_reason FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
                &[],
            )?
            .get(0);
        assert!(
            reason.as_deref().is_some_and(|r| r.contains("title")),
            "{path}: {reason:?}"
        );
    }
    Ok(())
}

#[test]
fn managers_run_nothing_of_theirs_with_other_rights() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    scene.client.batch_execute(&format!(
        "GRANT CREATE ON SCHEMA public TO {0}; CREATE SCHEMA hostile AUTHORIZATION {0}",
        manager.name
    ))?;
    zentry::load(&mut manager.client)?;
    plant(&mut manager.client, "hostile")?;
    manager.client.batch_execute(TEMPORARY)?;
    manager
        .client
        .batch_execute("SET search_path = hostile, public, pg_catalog")?;
    let webhook = scene.emulator.register(Kind::Discord);
    let id = register(&mut manager.client, &webhook, None, None)?;
    manager.may("SELECT * FROM zentry_attach()");
    manager.may(&format!(
        "SELECT zentry_update_webhook({id}::bigint, name => 'other', event_types => '{{daily_streak}}')"
    ));
    manager.may("SELECT zentry_test_event('daily_streak')");
    manager.may(&format!("SELECT * FROM zentry_test_webhook({id}::bigint)"));
    manager.may("SELECT zentry_retry_failed()");
    manager.may("SELECT * FROM zentry_notify.webhooks");
    manager.may("SELECT * FROM zentry_notify.logs");
    manager.may("SELECT zentry_detach('public.tasks_task')");
    fire_there(&mut manager.client)?;
    webhook.wait_for_events(3, SOON);
    manager.may(&format!("SELECT zentry_delete_webhook({id}::bigint)"));
    Ok(())
}

fn fire_there(client: &mut Client) -> Result<()> {
    Ok(client.batch_execute(
        "UPDATE public.users_user SET current_streak = current_streak OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) 3",
    )?)
}

/// Where everybody may create in `public`, as before PostgreSQL 15, what is planted there is in the path of CREATE EXTENSION.
#[test]
fn what_was_in_public_before_the_extension_becomes_no_part_of_it() -> Result<()> {
    what_is_in_public_becomes_no_part(None)
}

#[test]
fn what_is_in_public_becomes_no_part_of_an_update() -> Result<()> {
    earlier_versions()?
        .iter()
        .try_for_each(|version| what_is_in_public_becomes_no_part(Some(version)))
}

/// Planted before the extension, or between its earlier version and this one.
fn what_is_in_public_becomes_no_part(earlier: Option<&str>) -> Result<()> {
    let mut scene = Scene::empty()?;
    zentry::load(&mut scene.client)?;
    if let Some(version) = earlier {
        scene
            .client
            .batch_execute(&format!("CREATE EXTENSION zentry_notify VERSION '{version}'"))?;
    }
    let mut attacker = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "GRANT CREATE ON SCHEMA public TO {0}; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {0}",
        attacker.name
    ))?;
    plant(&mut attacker.client, "public")?;
    match earlier {
        None => scene.install()?,
        Some(_) => scene
            .client
            .batch_execute("ALTER EXTENSION zentry_notify UPDATE")?,
    }
    let mut reader = Role::granted(&mut scene, "reader")?;
    // With an explicit path, so that this session's own statements are its own affair.
    scene
        .client
        .batch_execute("SET search_path = pg_catalog, pg_temp")?;
    let webhook = scene.emulator.register(Kind::Discord);
    scene.client.query_one(
        "SELECT public.zentry_register_webhook($1, 'discord', $2)",
        &[&webhook.name(), &webhook.url()],
    )?;
    fire_there(&mut attacker.client)?;
    webhook.wait_for_events(1, SOON);
    reader.may("SELECT * FROM zentry_notify.webhooks");
    reader.may("SELECT * FROM zentry_notify.logs");
    let bound: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM pg_depend d \
             WHERE d.refobjid IN (SELECT oid FROM pg_operator WHERE oprnamespace = 'public'::regnamespace \
                                  UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'hostile%') \
               AND d.classid IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass, 'pg_attrdef'::regclass)",
            &[],
        )?
        .get(0);
    assert_eq!(
        bound, 0,
        "views, constraints or indexes of ours use what was planted"
    );
    Ok(())
}

/// The owner of the database may rename `public`, and have one of their own in its place.
#[test]
fn the_owner_of_the_database_waits_for_an_update_in_vain() -> Result<()> {
    for version in earlier_versions()? {
        let mut scene = Scene::empty()?;
        zentry::load(&mut scene.client)?;
        scene
            .client
            .batch_execute(&format!("CREATE EXTENSION zentry_notify VERSION '{version}'"))?;
        let mut attacker = Role::create(&mut scene)?;
        scene.client.batch_execute(&format!(
            "ALTER DATABASE {} OWNER TO {1}; ALTER SCHEMA public OWNER TO {1}",
            scene.database.name(),
            attacker.name
        ))?;
        let ours: Vec<String> = scene
            .client
            .query(
                "SELECT format('%I(%s) RETURNS %s', p.proname, p.proargtypes_text, CASE WHEN p.proretset THEN 'SETOF text' ELSE 'text' END) \
                   FROM (SELECT p.*, (SELECT string_agg(format_type(t, NULL), ', ') FROM unnest(p.proargtypes) t) AS proargtypes_text FROM pg_proc p) p \
                   JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
                   JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify' WHERE p.pronamespace = 'public'::regnamespace",
                &[],
            )?
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert!(ours.len() > 10, "{ours:?}");
        attacker.may("ALTER SCHEMA public RENAME TO moved; CREATE SCHEMA public");
        plant(&mut attacker.client, "public")?;
        for function in ours {
            attacker.may(&format!(
                "CREATE FUNCTION public.{function} LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile function as %', current_user; END $$"
            ));
        }
        scene
            .client
            .batch_execute("ALTER EXTENSION zentry_notify UPDATE")?;
        let schema: String = scene
            .client
            .query_one(
                "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'zentry_notify'",
                &[],
            )?
            .get(0);
        assert_eq!(schema, "moved");
        scene.client.batch_execute(
            "SELECT * FROM moved.zentry_status(); SELECT * FROM moved.zentry_attach(); DROP EXTENSION zentry_notify",
        )?;
    }
    Ok(())
}

#[test]
fn a_role_with_the_agents_name_and_power_is_not_taken() -> Result<()> {
    // The cluster that tests share has the role already: what CREATE EXTENSION says of it is looked at in a transaction.
    let mut scene = Scene::empty()?;
    for change in [
        "ALTER ROLE zentry_notify_agent SUPERUSER",
        "ALTER ROLE zentry_notify_agent LOGIN",
        "GRANT pg_read_all_data TO zentry_notify_agent",
    ] {
        // Another test may be about to create the role or to look at it.
        scene.client.batch_execute("BEGIN")?;
        scene
            .client
            .batch_execute("CREATE EXTENSION zentry_notify; DROP EXTENSION zentry_notify")?;
        scene.client.batch_execute(change)?;
        let error = scene
            .client
            .batch_execute("CREATE EXTENSION zentry_notify")
            .expect_err(change);
        let message = error.as_db_error().expect("an error of the server").message();
        assert!(message.contains("zentry_notify_agent"), "{message}");
        scene.client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}
