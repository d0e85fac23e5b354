//! Nobody gains by what they write into their own tables: a superuser calls everything that attaches, on tables of a role without rights
//! in whose names, types and conditions SQL is planted.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry;

use crate::foreign_code;
use crate::role::Role;

/// Of a role without rights: code that writes down as whom it runs, and makes its owner a superuser if it can.
const PLANTED: &str = "
    CREATE TABLE mallory.seen (what text, role name);
    GRANT INSERT ON mallory.seen TO PUBLIC; GRANT USAGE ON SCHEMA mallory TO PUBLIC;
    CREATE FUNCTION mallory.note(what text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO mallory.seen VALUES (what, current_user);
        BEGIN
            EXECUTE format('ALTER ROLE %I SUPERUSER', (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'mallory.seen'::regclass));
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
        BEGIN
            EXECUTE 'RESET SESSION AUTHORIZATION; SET ROLE postgres';
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
        RETURN true;
    END $$;
    CREATE DOMAIN mallory.checked AS text CHECK (mallory.note('domain: ' || VALUE));";

/// Its tables: Zentry's, with what is planted in their columns.
const TABLES: &str = "
    CREATE TABLE public.task (id bigint PRIMARY KEY, title text, status mallory.checked, labels mallory.checked[],
        \"x) EXECUTE FUNCTION mallory.note(''); ALTER ROLE CURRENT_USER SUPERUSER; --\" text,
        \"a'; SELECT mallory.note('name'); --\" text);
    CREATE VIEW mallory.people AS SELECT 1::bigint AS id, mallory.note('view')::text AS username;
    GRANT SELECT ON mallory.people TO PUBLIC;";

/// A role without rights that owns `mallory` and what is planted in it.
fn mallory(scene: &mut Scene) -> Result<Role> {
    let mut mallory = Role::create(scene)?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA mallory AUTHORIZATION {0}; GRANT CREATE ON SCHEMA public TO {0}",
        mallory.name
    ))?;
    mallory.may(PLANTED);
    Ok(mallory)
}

/// Nothing of theirs has run as anybody else, and they are what they were.
fn nobody_gained(scene: &mut Scene, mallory: &Role) -> Result<()> {
    let others = scene.client.query(
        "SELECT what, role::text FROM mallory.seen WHERE role <> $1::text::name",
        &[&mallory.name],
    )?;
    assert!(others.is_empty(), "{others:?}");
    let role = scene.client.query_one(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) \
         FROM pg_roles r WHERE rolname = $1::text::name",
        &[&mallory.name],
    )?;
    assert!(!role.get::<_, bool>(0));
    Ok(())
}

/// What a superuser calls, some of which is refused.
fn call_everything(scene: &mut Scene) {
    for call in [
        "SELECT * FROM zentry_attach()",
        "SELECT zentry_attach('task_completed', 'public.task')",
        "SELECT zentry_attach('task_completed', 'public.task', done => 'done')",
        "SELECT zentry_attach('task_completed', 'public.task', condition => $$NEW.status = 'done'$$)",
        "SELECT zentry_attach('task_completed', 'public.task', condition => $$NEW.labels = '{a,b}'$$)",
        "SELECT zentry_attach('task_completed', 'public.task', condition => $$NEW.labels = '{a}' AND OLD.labels = '{b}'$$)",
        "SELECT zentry_attach('task_completed', 'public.task', '{\"points\": \"status = ''x''\", \"labels\": \"labels = ''{c}''\"}')",
        "SELECT zentry_attach('project_created', 'public.task', operation => 'insert, update, delete')",
        "SELECT zentry_attach('badge_earned', 'public.task', '{\"user_name\": {\"from\": \"mallory.people\", \"match\": \"id\", \"key\": \"id\", \"column\": \"username\"}}')",
        "SELECT * FROM zentry_attach()",
        "SELECT zentry_omit('task_completed', 'public.task', '{task_title}')",
        "SELECT * FROM zentry_status()",
        "ALTER TABLE public.task ALTER title TYPE varchar(20)",
        "CREATE TRIGGER another BEFORE UPDATE ON public.task FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "SELECT zentry_detach('public.task')",
    ] {
        // Nothing that it says matters: what matters is what ran.
        let _ = scene.client.batch_execute(call);
    }
}

#[test]
fn a_superuser_attaches_a_strangers_table() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut mallory = mallory(&mut scene)?;
    mallory.may(TABLES);
    call_everything(&mut scene);
    let as_owner: i64 = scene
        .client
        .query_one("SELECT count(*) FROM mallory.seen WHERE what LIKE 'domain%'", &[])?
        .get(0);
    assert!(as_owner > 0, "the check of the column's type runs as its owner");
    nobody_gained(&mut scene, &mallory)
}

/// A key is compared with the column that it is looked for in, which asked what casts to their types, and what their domains check.
#[test]
fn types_that_are_compared_run_nothing_as_a_superuser() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut mallory = mallory(&mut scene)?;
    mallory.may(
        "CREATE TABLE mallory.ran (what text, as_role name); GRANT ALL ON mallory.ran TO PUBLIC; GRANT USAGE ON SCHEMA mallory TO PUBLIC; \
         CREATE FUNCTION mallory.ran(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
           INSERT INTO mallory.ran VALUES (what, current_user); RETURN true; END $$; \
         CREATE FUNCTION mallory.ran_if_immutable(what text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN \
           PERFORM mallory.ran(what); RETURN 1; END $$; \
         CREATE DOMAIN mallory.key_domain AS integer CHECK (mallory.ran('check')); \
         CREATE TYPE mallory.composite AS (v integer); \
         CREATE FUNCTION mallory.to_integer(mallory.composite) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT mallory.ran_if_immutable('cast') $$; \
         CREATE CAST (mallory.composite AS integer) WITH FUNCTION mallory.to_integer(mallory.composite) AS IMPLICIT; \
         CREATE TABLE mallory.person (id mallory.key_domain PRIMARY KEY, other mallory.composite, name text); \
         CREATE TABLE mallory.visit (id integer PRIMARY KEY, person mallory.key_domain, number integer)",
    );
    for look_up in [
        r#"{"from": "mallory.person", "match": "id", "key": "person", "column": "name"}"#,
        r#"{"from": "mallory.person", "match": "other", "key": "number", "column": "name"}"#,
        r#"{"from": "mallory.person", "match": "id", "key": "number", "column": "name"}"#,
    ] {
        // Attached or refused.
        let _ = scene.client.query(
            &format!(
                "SELECT zentry_attach('badge_earned', 'mallory.visit', '{{\"who\": {look_up}}}', operation => 'insert', \
                   audience => '{{\"all\": true}}')"
            ),
            &[],
        );
    }
    let ran = scene.client.query(
        "SELECT what, as_role FROM mallory.ran WHERE as_role <> $1::text::name",
        &[&mallory.name],
    )?;
    assert_eq!(ran.len(), 0, "{ran:?}");
    nobody_gained(&mut scene, &mallory)
}

/// SQL in a column's name, which an event trigger put into a statement.
#[test]
fn names_of_columns_are_names() -> Result<()> {
    let mut scene = Scene::empty()?;
    let mut mallory = mallory(&mut scene)?;
    zentry::load(&mut mallory.client)?;
    mallory.may(
        "ALTER TABLE tasks_task ADD COLUMN \"x UPDATE OF id ON tasks_task FOR EACH ROW EXECUTE FUNCTION f(); ALTER ROLE CURRENT_USER SUPERUSER; -- ON \" text",
    );
    scene.install()?;
    mallory.may(
        "CREATE FUNCTION mallory.quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
         CREATE TRIGGER zentry_notify_daily_streak_insert AFTER UPDATE OF \"x UPDATE OF id ON tasks_task FOR EACH ROW EXECUTE FUNCTION f(); ALTER ROLE CURRENT_USER SUPERUSER; -- ON \" \
           ON tasks_task FOR EACH ROW EXECUTE FUNCTION mallory.quiet(); \
         CREATE TRIGGER before BEFORE UPDATE ON tasks_task FOR EACH ROW EXECUTE FUNCTION mallory.quiet()",
    );
    call_everything(&mut scene);
    let event_triggers: i64 = scene
        .client
        .query_one("SELECT count(*) FROM pg_event_trigger", &[])?
        .get(0);
    assert_eq!(event_triggers, 0);
    nobody_gained(&mut scene, &mallory)
}

/// A condition in `event_source` that a manager wrote was executed for a superuser. Nobody but the extension's owner writes there,
/// and what stands there is for people.
#[test]
fn what_stands_in_event_source_is_not_executed() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut mallory = Role::granted(&mut scene, "manager")?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA mallory AUTHORIZATION {0}; GRANT CREATE ON SCHEMA public TO {0}",
        mallory.name
    ))?;
    mallory.may(PLANTED);
    mallory.may(
        "CREATE TABLE mallory.task (id bigint PRIMARY KEY, title text, status text); \
         SELECT zentry_attach('task_completed', 'mallory.task', condition => $$NEW.status = 'done'$$)",
    );
    for statement in [
        "UPDATE zentry_notify.event_source SET update_when = 'mallory.note(''when'')'",
        "INSERT INTO zentry_notify.event_source (event_type, relation, columns, audience) VALUES ('badge_earned', 'mallory.task', '{}', '{\"all\": true}')",
        "DELETE FROM zentry_notify.event_source",
        "DO $$ BEGIN LOCK TABLE zentry_notify.event_source IN ACCESS SHARE MODE; END $$",
    ] {
        mallory.is_refused(statement);
    }
    // Even if it stands there.
    scene.client.batch_execute(
        "UPDATE zentry_notify.event_source SET insert_when = 'mallory.note(''insert'')', update_when = 'mallory.note(''when'')', \
           columns = columns || '{\"points\": {\"expression\": \"mallory.note(''expression'')\", \"columns\": []}}'; \
         DROP TRIGGER zentry_notify_task_completed_update ON mallory.task; \
         SELECT * FROM zentry_attach(); SELECT * FROM zentry_status(); SELECT zentry_detach('mallory.task')",
    )?;
    let ran: i64 = scene
        .client
        .query_one("SELECT count(*) FROM mallory.seen", &[])?
        .get(0);
    assert_eq!(ran, 0);
    nobody_gained(&mut scene, &mallory)
}

/// Who owns a partition and not its table answers for the partition alone.
#[test]
fn a_partition_of_another_owner() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut mallory = mallory(&mut scene)?;
    let mut owner = Role::granted(&mut scene, "manager")?;
    scene.client.batch_execute(&format!(
        "GRANT CREATE ON SCHEMA public TO {0}; GRANT USAGE ON SCHEMA mallory TO {0}",
        owner.name
    ))?;
    owner.may(
        "CREATE TABLE job (id bigint, title text, status text) PARTITION BY RANGE (id); \
         CREATE TABLE job_1 PARTITION OF job FOR VALUES FROM (0) TO (10)",
    );
    scene
        .client
        .batch_execute(&format!("ALTER TABLE job_1 OWNER TO {}", mallory.name))?;
    // The owner of the table alone gets no trigger onto somebody else's partition; a superuser does.
    owner.is_refused("SELECT zentry_attach('task_completed', 'job')");
    scene.client.batch_execute(
        "SELECT zentry_attach('task_completed', 'job', condition => $$NEW.status = 'done'$$)",
    )?;
    mallory.is_refused("SELECT zentry_detach('job')");
    owner.is_refused("SELECT zentry_attach('task_completed', 'job_1')");
    call_everything(&mut scene);
    nobody_gained(&mut scene, &mallory)
}

/// An expression of the partitioned table is its owner's, whoever owns the partition that a row is in.
#[test]
fn an_expression_runs_as_the_owner_of_the_table_that_it_was_given_for() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    scene.channel(Kind::Discord)?;
    let mut mallory = mallory(&mut scene)?;
    let mut owner = Role::create(&mut scene)?;
    scene
        .client
        .batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {}", owner.name))?;
    owner.may(
        "CREATE TABLE job (id bigint, title text, status text) PARTITION BY RANGE (id); \
         CREATE TABLE job_1 PARTITION OF job FOR VALUES FROM (0) TO (10); CREATE TABLE job_2 PARTITION OF job FOR VALUES FROM (10) TO (20)",
    );
    scene.client.batch_execute(&format!(
        "ALTER TABLE job_1 OWNER TO {}; SELECT zentry_attach('task_completed', 'job', '{{\"task_description\": \"title || '' by '' || current_user\"}}', operation => 'insert')",
        mallory.name
    ))?;
    owner.may("INSERT INTO job VALUES (11, 'second', 'completed')");
    mallory.may("INSERT INTO job_1 VALUES (1, 'first', 'completed')");
    let deliveries = scene.settle()?;
    let by: Vec<_> = deliveries
        .iter()
        .map(|delivery| {
            delivery.payload["task_description"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(
        by,
        ["second", "first"].map(|title| format!("{title} by {}", owner.name))
    );
    Ok(())
}

/// A lock is asked for by those alone who may have it.
#[test]
fn nobody_locks_the_tables_of_others() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    let mut writer = scene.database.connect()?;
    writer.batch_execute("BEGIN; UPDATE tasks_task SET title = title WHERE id = 1")?;
    manager.may("SET lock_timeout = '1min'");
    for call in [
        "SELECT zentry_attach('task_completed', 'public.tasks_task')",
        "SELECT zentry_detach('public.tasks_task')",
        "SELECT zentry_omit('task_completed', 'public.tasks_task', '{task_title}')",
    ] {
        manager.is_refused(call);
    }
    manager.may("SELECT * FROM zentry_attach()");
    writer.batch_execute("COMMIT")?;
    Ok(())
}

/// A partition is made by the table's owner, who need not be a manager.
#[test]
fn the_owner_of_an_attached_table_makes_partitions() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut owner = Role::create(&mut scene)?;
    scene
        .client
        .batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {}", owner.name))?;
    owner.may("CREATE TABLE job (id bigint, title text, status text) PARTITION BY RANGE (id)");
    scene
        .client
        .batch_execute("SELECT zentry_attach('task_completed', 'job')")?;
    owner.may(
        "CREATE TABLE job_1 PARTITION OF job FOR VALUES FROM (0) TO (10); CREATE TABLE job_2 (LIKE job); \
         ALTER TABLE job ATTACH PARTITION job_2 FOR VALUES FROM (10) TO (20)",
    );
    // That is all that they may do with it.
    owner.is_refused(
        "CREATE TRIGGER mine AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION zentry_notify.capture('task_completed')",
    );
    Ok(())
}

/// A careful administrator takes everything from PUBLIC, also what partitions are made with: it is said, with what mends it.
#[test]
fn what_everybody_needs_is_told_when_it_is_taken_away() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut owner = Role::granted(&mut scene, "manager")?;
    scene
        .client
        .batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {}", owner.name))?;
    owner.may(
        "CREATE TABLE job (id bigint, title text, status text) PARTITION BY RANGE (id); CREATE TABLE other (LIKE job); \
         SELECT zentry_attach('task_completed', 'job')",
    );
    let told = "SELECT remedy FROM zentry_status() WHERE subject = 'privileges' AND detail LIKE 'PUBLIC may not call %'";
    assert!(scene.client.query(told, &[])?.is_empty());
    scene
        .client
        .batch_execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA zentry_notify FROM PUBLIC")?;
    owner.is_refused("CREATE TABLE job_1 PARTITION OF job FOR VALUES FROM (0) TO (10)");
    let error = owner
        .client
        .batch_execute("SELECT zentry_attach('task_completed', 'other')")
        .unwrap_err();
    let error = error.as_db_error().unwrap();
    let hint = error.hint().unwrap_or_default();
    assert_eq!(error.code(), &postgres::error::SqlState::INSUFFICIENT_PRIVILEGE);
    assert!(
        hint.contains("GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC"),
        "{error:?}"
    );
    let remedy: String = scene.client.query_one(told, &[])?.get(0);
    scene.client.batch_execute(&remedy)?;
    owner.may(
        "CREATE TABLE job_1 PARTITION OF job FOR VALUES FROM (0) TO (10); SELECT zentry_attach('task_completed', 'other')",
    );
    assert!(scene.client.query(told, &[])?.is_empty());
    // Nothing else of ours was everybody's, and what was granted works on.
    owner.may("SELECT zentry_status(); SELECT zentry_stats(); SELECT zentry_logs()");
    Ok(())
}

/// A literal is made a value of its type when a condition is read: of an array of a domain, whose check is a third role's.
#[test]
fn checks_of_a_third_role_are_not_asked_by_who_attaches() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut mallory = Role::create(&mut scene)?;
    let mut owner = Role::granted(&mut scene, "manager")?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA mallory AUTHORIZATION {}; GRANT CREATE ON SCHEMA public TO {}",
        mallory.name, owner.name
    ))?;
    foreign_code::plant(&mut mallory.client, &mallory.name)?;
    let table = |name: &str| {
        format!("CREATE TABLE public.{name} (id bigint, title text, status text, labels mallory.checked[])")
    };
    owner.may(&table("job"));
    scene.client.batch_execute(&table("own"))?;
    for condition in [
        "NEW.labels = '{a,b}'",
        "NEW.labels <> '{a}' AND OLD.labels = '{b}'",
        "NEW.title = ANY ('{a}'::mallory.checked[])",
        "'{a}'::mallory.checked[] = '{b}'",
    ] {
        let attach = |table: &str| {
            format!("SELECT zentry_attach('task_completed', 'public.{table}', condition => $${condition}$$)")
        };
        owner.is_refused(&attach("job"));
        for table in ["job", "own"] {
            let error = scene.client.batch_execute(&attach(table)).unwrap_err();
            assert_eq!(
                error.code(),
                Some(&postgres::error::SqlState::INSUFFICIENT_PRIVILEGE),
                "{condition}: {error:?}"
            );
        }
    }
    foreign_code::nobody_gained(&mut scene.client, &mallory.name)
}
