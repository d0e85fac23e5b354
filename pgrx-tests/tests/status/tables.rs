//! What is told of tables that do not fire, or not always, and of our own.

use crate::status::{Line, mend, not_ok, scene};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry;

#[test]
fn what_keeps_a_table_from_firing() {
    let mut scene = scene();
    let client = &mut scene.client;
    for (fault, detail) in [
        (
            "ALTER TABLE users_user DISABLE TRIGGER zentry_notify_daily_streak_update",
            "is disabled",
        ),
        (
            "DROP TRIGGER zentry_notify_daily_streak_update ON users_user",
            "are gone",
        ),
        (
            "UPDATE zentry_notify.event_source SET suspended_at = now(), suspended_reason = 'no column' WHERE event_type = 'daily_streak'",
            "no column",
        ),
    ] {
        client.batch_execute(fault).unwrap();
        mend(client, "event daily_streak", "broken", detail);
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
    client.batch_execute("DROP TABLE achievements_userbadge").unwrap();
    mend(client, "event badge_earned", "broken", "does not exist");
    assert_eq!(not_ok(client).len(), 0);
}

/// What is not seen from the triggers that are there.
#[test]
fn what_keeps_some_writes_from_firing() {
    let mut scene = scene();
    let client = &mut scene.client;
    for (fault, state, detail) in [
        (
            "DROP TRIGGER zentry_notify_task_completed_insert ON tasks_task",
            "broken",
            "trigger zentry_notify_task_completed_insert on public.tasks_task is gone",
        ),
        (
            "CREATE TABLE later () INHERITS (tasks_task); DROP TRIGGER IF EXISTS zentry_notify_milestone_reached_delete ON later; \
             CREATE TRIGGER zentry_notify_milestone_reached_delete AFTER DELETE ON later FOR EACH ROW EXECUTE FUNCTION zentry_notify.capture('milestone_reached'); \
             ALTER TRIGGER zentry_notify_milestone_reached_delete ON later DEPENDS ON EXTENSION zentry_notify",
            "attention",
            "public.later inherits from public.tasks_task and has no trigger for it",
        ),
        (
            "ALTER TABLE later DISABLE TRIGGER zentry_notify_task_completed_update",
            "attention",
            "trigger zentry_notify_task_completed_update on public.later is disabled",
        ),
        (
            "UPDATE zentry_notify.event_source SET suspended_reason = 'left out, with null in its place: user_name' WHERE event_type = 'task_completed'",
            "attention",
            "tasks_task; left out, with null in its place: user_name",
        ),
    ] {
        client.batch_execute(fault).unwrap();
        mend(client, "event task_completed", state, detail);
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
    // Rows that move to another partition have a trigger of their own, which tells of nothing else.
    client
        .batch_execute(
            "CREATE TABLE job (id bigint, title text, status text) PARTITION BY RANGE (id); \
             CREATE TABLE job_1 PARTITION OF job FOR VALUES FROM (0) TO (10); SELECT zentry_attach('project_created', 'job', operation => 'insert'); \
             DROP TRIGGER zentry_notify_project_created_insert ON job",
        )
        .unwrap();
    let lines = not_ok(client);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(
        (lines[0].state.as_str(), lines[0].detail.as_str()),
        ("broken", "the triggers on public.job are gone")
    );
}

/// Remedies find what they call, whatever the path and wherever the extension's functions are.
#[test]
fn remedies_name_the_extensions_schema() {
    let mut scene = Scene::empty().unwrap();
    let url = scene.emulator.register(Kind::Discord).url();
    let client = &mut scene.client;
    zentry::load(client).unwrap();
    client
        .batch_execute(&format!(
            "CREATE SCHEMA \"Their tools\"; CREATE EXTENSION zentry_notify SCHEMA \"Their tools\"; \
             SELECT \"Their tools\".zentry_register_webhook('team', 'discord', '{url}', is_active => false); \
             UPDATE zentry_notify.webhook SET switched_off_at = now(), switched_off_reason = 'gone'; \
             UPDATE zentry_notify.event_source SET suspended_at = now(), suspended_reason = 'no column' WHERE event_type = 'daily_streak'; \
             DROP TABLE achievements_userbadge",
        ))
        .unwrap();
    let rows = client
        .query(
            "SELECT subject, remedy FROM \"Their tools\".zentry_status() WHERE remedy <> ''",
            &[],
        )
        .unwrap();
    let remedies: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let calls: Vec<&str> = remedies
        .iter()
        .map(|(_, remedy)| remedy.as_str())
        .filter(|remedy| remedy.contains("zentry_") && !remedy.contains("URL"))
        .collect();
    assert_eq!(calls.len(), 2, "{remedies:#?}");
    client.batch_execute("SET search_path = ''").unwrap();
    for call in calls {
        client
            .batch_execute(call)
            .unwrap_or_else(|error| panic!("{call}: {error}"));
    }
    let webhook = remedies
        .iter()
        .find(|(subject, _)| subject == "webhook 1")
        .unwrap();
    assert_eq!(
        webhook.1.matches("\"Their tools\".zentry_").count(),
        2,
        "{webhook:?}"
    );
}

#[test]
fn privileges_that_were_taken_away() {
    let mut scene = scene();
    let client = &mut scene.client;
    for (privilege, of) in [
        ("INSERT ON", "TABLE zentry_notify.delivery"),
        ("UPDATE ON", "TABLE zentry_notify.delivery_stat"),
        (
            "EXECUTE ON",
            "FUNCTION zentry_notify.add_histograms(bigint[],bigint[])",
        ),
        ("USAGE ON", "SCHEMA zentry_notify"),
    ] {
        client
            .batch_execute(&format!("REVOKE {privilege} {of} FROM zentry_notify_agent"))
            .unwrap();
        mend(client, "privileges", "broken", of);
        assert_eq!(not_ok(client).len(), 0, "{privilege} {of}");
    }
}

#[test]
fn what_others_do_to_our_tables() {
    let mut scene = scene();
    let client = &mut scene.client;
    for (fault, detail) in [
        (
            "ALTER TABLE zentry_notify.webhook ENABLE ROW LEVEL SECURITY",
            "row-level security",
        ),
        (
            "ALTER TABLE zentry_notify.webhook DISABLE TRIGGER configuration_changed",
            "trigger configuration_changed on zentry_notify.webhook is disabled",
        ),
        (
            "ALTER TABLE zentry_notify.delivery DISABLE TRIGGER drop_replicated",
            "trigger drop_replicated on zentry_notify.delivery is disabled",
        ),
        (
            "SELECT setval('zentry_notify.webhook_integration_id_seq', 1, false)",
            "webhook_integration_id_seq is behind its table",
        ),
        (
            "CREATE RULE swallow AS ON INSERT TO zentry_notify.event_detail DO INSTEAD NOTHING",
            "rule swallow on zentry_notify.event_detail",
        ),
        (
            "DROP TRIGGER forget_webhook ON zentry_notify.webhook",
            "trigger forget_webhook on zentry_notify.webhook is gone",
        ),
        (
            "DROP TRIGGER drop_replicated ON zentry_notify.event",
            "trigger drop_replicated on zentry_notify.event is gone",
        ),
        (
            "DROP TRIGGER write_integration ON zentry_notify.webhook_integration",
            "trigger write_integration on zentry_notify.webhook_integration is gone",
        ),
        (
            "ALTER SEQUENCE zentry_notify.event_id_seq INCREMENT BY -1",
            "zentry_notify.event_id_seq counts by -1",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'zentry_notify.delivery_log'::regclass",
            "index zentry_notify.delivery_log is not valid",
        ),
    ] {
        client.batch_execute(fault).unwrap();
        mend(client, "tables", "broken", detail);
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
    for (fault, detail) in [
        (
            "CREATE ROLE curious; GRANT TRIGGER, SELECT ON zentry_notify.event TO curious",
            "curious may TRIGGER on zentry_notify.event",
        ),
        (
            "GRANT ALL ON zentry_notify.webhook TO PUBLIC",
            "PUBLIC may DELETE, INSERT, ",
        ),
        (
            "GRANT CREATE ON SCHEMA zentry_notify TO curious",
            "curious may create objects in the schema zentry_notify",
        ),
    ] {
        client.batch_execute(fault).unwrap();
        mend(client, "tables", "attention", detail);
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
    client
        .batch_execute("DROP OWNED BY curious; DROP ROLE curious")
        .unwrap();
    let enabled: String = client
        .query_one(
            "SELECT string_agg(t.tgenabled::text, '' ORDER BY t.tgname) FROM pg_trigger t \
             WHERE t.tgrelid = 'zentry_notify.webhook'::regclass AND t.tgname = 'configuration_changed' \
                OR t.tgrelid = 'zentry_notify.delivery'::regclass AND t.tgname = 'drop_replicated'",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(enabled, "AR");
    client
        .batch_execute("ALTER SEQUENCE zentry_notify.event_id_seq CACHE 20")
        .unwrap();
    mend(
        client,
        "tables",
        "attention",
        "event_id_seq gives each session 20 numbers at a time",
    );
    assert_eq!(not_ok(client).len(), 0);
}

/// What has to be there is what CREATE EXTENSION makes.
#[test]
fn every_trigger_of_our_tables_is_known() {
    let mut scene = scene();
    let made = "SELECT c.relname, t.tgname, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END, pg_get_triggerdef(t.oid) \
                  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
                 WHERE c.relnamespace = 'zentry_notify'::regnamespace AND NOT t.tgisinternal";
    let known = "SELECT o.relation, o.name, o.mode, format('CREATE TRIGGER %I %s', o.name, o.definition) FROM zentry_notify.own_triggers() o";
    for (more, less) in [(made, known), (known, made)] {
        let differs = format!("SELECT d::text FROM ({more} EXCEPT {less}) d");
        let rows = scene.client.query(&differs, &[]).unwrap();
        let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(rows, [""; 0]);
    }
}

/// Another table with the name of ours, or of one that is attached.
#[test]
fn tables_that_were_swapped() {
    let mut scene = scene();
    let client = &mut scene.client;
    client
        .batch_execute(
            "ALTER TABLE zentry_notify.progress_note RENAME TO kept; CREATE TABLE zentry_notify.progress_note (LIKE zentry_notify.kept INCLUDING ALL)",
        )
        .unwrap();
    mend(
        client,
        "tables",
        "broken",
        "zentry_notify.progress_note is not the extension's table",
    );
    assert_eq!(not_ok(client).len(), 0);
    // Nothing is to be made on a table of somebody else's.
    client
        .batch_execute("ALTER TABLE zentry_notify.deleted_webhook RENAME TO kept; CREATE TABLE zentry_notify.deleted_webhook (other int)")
        .unwrap();
    mend(
        client,
        "tables",
        "broken",
        "zentry_notify.deleted_webhook is not the extension's table",
    );
    assert_eq!(not_ok(client).len(), 0);
    client
        .batch_execute(
            "ALTER TABLE users_user RENAME TO older; CREATE TABLE users_user (LIKE older INCLUDING ALL)",
        )
        .unwrap();
    mend(
        client,
        "event daily_streak",
        "broken",
        "public.users_user is another table now, and is not attached: public.older is",
    );
    assert_eq!(not_ok(client).len(), 0);
}

#[test]
fn an_event_trigger_that_restricts_every_new_table() {
    let mut scene = Scene::empty().unwrap();
    let client = &mut scene.client;
    zentry::load(client).unwrap();
    client
        .batch_execute(
            "CREATE FUNCTION restrict() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made record; BEGIN \
               FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'CREATE TABLE' LOOP \
                 EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', made.object_identity); \
               END LOOP; END $$; \
             CREATE EVENT TRIGGER restrict ON ddl_command_end EXECUTE FUNCTION restrict(); \
             CREATE EXTENSION zentry_notify",
        )
        .unwrap();
    let lines: Vec<Line> = not_ok(client)
        .into_iter()
        .filter(|line| line.subject == "tables")
        .collect();
    assert!(lines.len() > 10, "{lines:#?}");
    for line in lines {
        assert!(line.detail.contains("row-level security"), "{line:?}");
        client.batch_execute(&line.remedy).unwrap();
    }
    assert!(not_ok(client).iter().all(|line| line.subject != "tables"));
}
