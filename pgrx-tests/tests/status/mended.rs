//! What others do to what is ours, and what a remedy has to do more than one statement for.

use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::{Site, fire, wait_for};

use crate::status::{line, mend, not_ok, scene};

/// What harms later, or may.
#[test]
fn what_others_make_of_our_tables() {
    let mut scene = scene();
    let role = format!("{}_owner", scene.database.name());
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "CREATE ROLE {role}; CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        ))
        .unwrap();
    for (fault, detail) in [
        (
            "ALTER TABLE zentry_notify.progress_note SET UNLOGGED".to_owned(),
            "zentry_notify.progress_note is UNLOGGED",
        ),
        (
            format!("ALTER TABLE zentry_notify.delivery_stat OWNER TO {role}"),
            "TABLE zentry_notify.delivery_stat belongs to",
        ),
        (
            format!("ALTER FUNCTION zentry_notify.moment(timestamptz) OWNER TO {role}"),
            "FUNCTION zentry_notify.moment(timestamp with time zone) belongs to",
        ),
        (
            "CREATE TRIGGER swallow BEFORE INSERT ON zentry_notify.delivery FOR EACH ROW EXECUTE FUNCTION swallow()".to_owned(),
            "trigger swallow on zentry_notify.delivery is not the extension's",
        ),
        (
            "CREATE TRIGGER swallow BEFORE INSERT ON zentry_notify.event FOR EACH ROW EXECUTE FUNCTION swallow()".to_owned(),
            "trigger swallow on zentry_notify.event is not the extension's",
        ),
        (
            "CREATE TRIGGER swallow BEFORE INSERT ON zentry_notify.delivery_attempt FOR EACH ROW EXECUTE FUNCTION swallow()".to_owned(),
            "trigger swallow on zentry_notify.delivery_attempt is not the extension's",
        ),
    ] {
        client.batch_execute(&fault).unwrap();
        mend(client, "tables", "attention", detail);
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
    client
        .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .unwrap();
}

fn indexes(client: &mut Client) -> Vec<(String, String, bool)> {
    const SQL: &str = "SELECT n.relname::text, pg_get_indexdef(x.indexrelid), EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid) \
         FROM pg_index x JOIN pg_class n ON n.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid \
         WHERE c.relnamespace = 'zentry_notify'::regnamespace ORDER BY 1";
    let rows = client.query(SQL, &[]).unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

/// Each that there is.
#[test]
fn indexes_that_were_dropped() {
    let mut scene = scene();
    let client = &mut scene.client;
    let before = indexes(client);
    assert!(before.len() > 25, "{before:#?}");
    for (name, definition, of_constraint) in &before {
        let (_, rest) = definition.split_once(" ON ").unwrap();
        let table = rest.split(' ').next().unwrap();
        let drop = if *of_constraint {
            format!("ALTER TABLE {table} DROP CONSTRAINT {name}")
        } else {
            format!("DROP INDEX zentry_notify.{name}")
        };
        client.batch_execute(&drop).unwrap();
        mend(client, "tables", "broken", &format!("{name} of {table} is gone"));
    }
    assert_eq!(not_ok(client).len(), 0);
    assert_eq!(indexes(client), before);
}

/// Each line of a table with several event types has a remedy of its own, whichever is run first.
#[test]
fn a_table_of_two_event_types_that_was_dropped() {
    let mut scene = scene();
    let client = &mut scene.client;
    client.batch_execute("DROP TABLE tasks_task CASCADE").unwrap();
    let gone: Vec<_> = not_ok(client)
        .into_iter()
        .filter(|line| line.detail == "its table does not exist any more")
        .collect();
    assert_eq!(gone.len(), 2, "{gone:#?}");
    for line in gone {
        client.batch_execute(&line.remedy).unwrap();
    }
    let left = not_ok(client);
    assert!(
        left.iter()
            .all(|line| !line.detail.contains("does not exist any more")),
        "{left:#?}"
    );
}

/// Whoever created the extension may leave, or lose the attribute: what needs it then fails, and the first line says why.
#[test]
fn an_owner_who_is_no_superuser_any_more() {
    let mut scene = scene();
    let role = format!("{}_creator", scene.database.name());
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "DROP EXTENSION zentry_notify; CREATE ROLE {role} SUPERUSER; SET ROLE {role}; CREATE EXTENSION zentry_notify; RESET ROLE"
        ))
        .unwrap();
    let before = not_ok(client);
    client
        .batch_execute(&format!("ALTER ROLE {role} NOSUPERUSER"))
        .unwrap();
    let owner = line(client, "owner");
    assert_eq!(owner.state, "broken");
    assert!(
        owner.detail.starts_with(&format!(
            "{role}, to whom the extension belongs, is not a superuser"
        )),
        "{}",
        owner.detail
    );
    assert!(owner.remedy.starts_with("-- "), "{}", owner.remedy);
    let others = not_ok(client);
    assert!(
        others.iter().all(|line| !line.detail.contains("42501")),
        "{others:?}"
    );
    client
        .batch_execute(&format!(
            "REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}"
        ))
        .unwrap();
    assert_eq!(format!("{:?}", not_ok(client)), format!("{before:?}"));
}

/// In a transaction that nobody else sees: roles are the cluster's.
#[test]
fn an_agent_that_is_more_than_it_may_be() {
    let mut scene = scene();
    let client = &mut scene.client;
    client.batch_execute("BEGIN").unwrap();
    for (fault, detail) in [
        (
            "ALTER ROLE zentry_notify_agent LOGIN BYPASSRLS",
            "zentry_notify_agent, which must have no attribute, has LOGIN, BYPASSRLS",
        ),
        (
            "ALTER ROLE zentry_notify_agent SUPERUSER CREATEDB CREATEROLE REPLICATION",
            "has SUPERUSER, CREATEROLE, CREATEDB, REPLICATION",
        ),
        (
            "GRANT zentry_notify_agent TO pg_monitor",
            "pg_monitor is a member of zentry_notify_agent",
        ),
        (
            "GRANT pg_monitor TO zentry_notify_agent",
            "zentry_notify_agent is a member of pg_monitor",
        ),
    ] {
        client.batch_execute(fault).unwrap();
        mend(client, "privileges", "attention", detail);
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
    client.batch_execute("ROLLBACK").unwrap();
}

/// A condition is its owner's text: the remedy gives it again, and makes the source and its triggers what they were.
#[test]
fn triggers_of_a_condition_that_are_gone_or_others() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let client = &mut scene.client;
    client
        .batch_execute(
            r#"CREATE TABLE job (id bigint PRIMARY KEY, headline text, state text, price numeric);
             SELECT zentry_attach('task_completed', 'job', columns => '{"task_title": "headline", "user_name": null,
               "points": {"value": 7}, "task_description": "upper(state)"}', condition => 'NEW.state = ''it''''s done''')"#,
        )
        .unwrap();
    const SOURCE: &str = "SELECT (to_jsonb(s) - '{id,created_at}'::text[])::text || (SELECT string_agg(pg_get_triggerdef(t.oid), ' ' ORDER BY t.tgname) \
         FROM pg_trigger t WHERE t.tgrelid = 'job'::regclass) FROM zentry_notify.event_source s WHERE s.relation = 'job'::regclass";
    let source = |client: &mut Client| -> String { client.query_one(SOURCE, &[]).unwrap().get(0) };
    let before = source(client);
    for (fault, detail) in [
        (
            "DROP TRIGGER zentry_notify_task_completed_update ON job",
            "trigger zentry_notify_task_completed_update on public.job is gone",
        ),
        (
            "DROP TRIGGER zentry_notify_task_completed_update ON job; DROP TRIGGER zentry_notify_task_completed_insert ON job",
            "the triggers on public.job are gone",
        ),
        (
            "CREATE OR REPLACE TRIGGER zentry_notify_task_completed_insert AFTER INSERT ON job FOR EACH ROW \
             WHEN (NEW.price > 3) EXECUTE FUNCTION zentry_notify.capture('task_completed')",
            "trigger zentry_notify_task_completed_insert on public.job was not made by zentry_attach",
        ),
    ] {
        client.batch_execute(fault).unwrap();
        let lines = not_ok(client);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].detail.contains(detail), "{lines:#?}");
        // Nothing of it is read by itself.
        let state: String = client
            .query_one(
                "SELECT a.state FROM zentry_attach() a WHERE a.relation = 'public.job'",
                &[],
            )
            .unwrap()
            .get(0);
        let again = format!("attach it again, with its condition: {}", lines[0].remedy);
        assert!(state.ends_with(&again), "{state}");
        client.batch_execute(&lines[0].remedy).unwrap();
        assert_eq!(source(client), before, "{fault}");
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
    client
        .batch_execute("INSERT INTO job VALUES (1, 'Paint', 'it''s done', 1), (2, 'Sand', 'begun', 9)")
        .unwrap();
    channel.webhook.wait_for_events(1, SOON);
    scene.settle().unwrap();
    assert_eq!(channel.webhook.event_count(), 1);
}

/// A trigger of one of Zentry's own tables that somebody has made anew.
#[test]
fn a_trigger_with_another_condition() {
    let mut scene = scene();
    let client = &mut scene.client;
    client
        .batch_execute(
            "DROP TRIGGER zentry_notify_daily_streak_update ON users_user; \
             CREATE TRIGGER zentry_notify_daily_streak_update AFTER UPDATE ON users_user FOR EACH ROW \
             WHEN (NEW.current_streak > 1000) EXECUTE FUNCTION zentry_notify.capture('daily_streak')",
        )
        .unwrap();
    mend(
        client,
        "event daily_streak",
        "broken",
        "trigger zentry_notify_daily_streak_update on public.users_user was not made by zentry_attach",
    );
    assert_eq!(not_ok(client).len(), 0);
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 2 FROM zentry_notify.logs WHERE status = 'sent'",
    )
    .unwrap();
}

/// Functions name the schema of our tables; that of the functions is theirs who chose it.
#[test]
fn schemas_that_are_renamed() {
    const RENAME: &str = "ALTER SCHEMA zentry_notify RENAME TO other";
    let mut scene = scene();
    let client = &mut scene.client;
    let refused = client.batch_execute(RENAME).unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!(refused.code().code(), "55000", "{refused:?}");
    assert!(refused.message().contains("cannot rename schema"), "{refused:?}");
    // PostgreSQL says first who may.
    client
        .batch_execute("SET SESSION AUTHORIZATION pg_monitor")
        .unwrap();
    let refused = client.batch_execute(RENAME).unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    client
        .batch_execute(
            "RESET SESSION AUTHORIZATION; ALTER SCHEMA public RENAME TO \"the app\"; SET search_path = \"the app\"; \
             DROP TRIGGER zentry_notify_daily_streak_update ON users_user",
        )
        .unwrap();
    let remedy = line(client, "event daily_streak").remedy;
    assert!(remedy.contains("\"the app\".zentry_attach()"), "{remedy}");
}

#[test]
fn a_database_whose_drop_was_interrupted() {
    let site = Site::start(ClusterOptions::default()).unwrap();
    let (mut client, _channel) = site.served("shop").unwrap();
    client.batch_execute("CREATE DATABASE \"half gone\"").unwrap();
    client
        .batch_execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half gone'")
        .unwrap();
    mend(
        &mut client,
        "database \"half gone\"",
        "attention",
        "a DROP DATABASE of it was interrupted",
    );
    assert_eq!(not_ok(&mut client).len(), 0);
}

/// Also while somebody is in it, and a worker was. What waits there is seen from the database itself, and from others.
#[test]
fn a_database_that_is_closed_or_a_template() {
    let site = Site::start(ClusterOptions::default().set("zentry_notify.idle_timeout", 3600)).unwrap();
    let (mut client, channel) = site.served("shop").unwrap();
    let (mut other, _channel) = site.served("other").unwrap();
    for (round, close, why, open) in [
        (
            2,
            "IS_TEMPLATE true",
            "is a template",
            "ALTER DATABASE shop IS_TEMPLATE false;",
        ),
        (
            3,
            "ALLOW_CONNECTIONS false",
            "allows no connections",
            "ALTER DATABASE shop ALLOW_CONNECTIONS true;",
        ),
        (
            4,
            "IS_TEMPLATE true ALLOW_CONNECTIONS false",
            "allows no connections",
            "ALTER DATABASE shop IS_TEMPLATE false; ALTER DATABASE shop ALLOW_CONNECTIONS true;",
        ),
    ] {
        other
            .batch_execute(&format!("ALTER DATABASE shop {close}"))
            .unwrap();
        site.wait_until_left("shop").unwrap();
        assert_eq!(
            line(&mut client, "worker").detail,
            format!("none: this database {why} and is not served; nothing is due")
        );
        fire(&mut client).unwrap();
        let here = line(&mut client, "worker");
        assert_eq!(
            (here.state.as_str(), here.detail, here.remedy.as_str()),
            (
                "broken",
                format!("this database {why} and is not served: what is due waits until it is opened"),
                open
            )
        );
        assert_eq!(channel.webhook.event_count(), round - 1);
        let there = not_ok(&mut other);
        assert_eq!(there.len(), 1, "{there:#?}");
        assert_eq!(
            (
                there[0].subject.as_str(),
                there[0].state.as_str(),
                there[0].remedy.as_str()
            ),
            ("database shop", "attention", open)
        );
        assert!(there[0].detail.starts_with(why), "{there:#?}");
        for statement in there[0].remedy.split(';') {
            other.batch_execute(statement).unwrap();
        }
        channel.webhook.wait_for_events(round, SOON);
        wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
        assert_eq!(not_ok(&mut other).len(), 0);
    }
}
