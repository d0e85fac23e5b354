//! zentry_status() says what is wrong, and its remedies mend it.

use postgres::Client;
use zentry_e2e::cluster::{ClusterOptions, StopMode};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::{Site, fire, wait_for, wait_for_counters};
use zentry_e2e::zentry;

/// A row of zentry_status().
#[derive(Debug)]
pub struct Line {
    pub subject: String,
    pub state: String,
    pub detail: String,
    pub remedy: String,
}

pub fn status(client: &mut Client) -> Vec<Line> {
    let rows = client.query("SELECT * FROM zentry_status()", &[]).unwrap();
    let line = |row: &postgres::Row| Line {
        subject: row.get("subject"),
        state: row.get("state"),
        detail: row.get("detail"),
        remedy: row.get("remedy"),
    };
    rows.iter().map(line).collect()
}

/// The line of a subject, which must be there.
pub fn line(client: &mut Client, subject: &str) -> Line {
    let mut lines = status(client);
    let index = lines.iter().position(|line| line.subject == subject);
    lines.swap_remove(index.unwrap_or_else(|| panic!("no line {subject}: {lines:#?}")))
}

pub fn not_ok(client: &mut Client) -> Vec<Line> {
    let lines = status(client);
    lines.into_iter().filter(|line| line.state != "ok").collect()
}

/// The only line that is not ok is this one; run its remedy.
pub fn mend(client: &mut Client, subject: &str, state: &str, detail: &str) {
    let lines = not_ok(client);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(
        (lines[0].subject.as_str(), lines[0].state.as_str()),
        (subject, state)
    );
    assert!(lines[0].detail.contains(detail), "{lines:#?}");
    client.batch_execute(&lines[0].remedy).unwrap();
}

/// Everything is in order, and has been used.
pub fn scene() -> Scene {
    let mut scene = Scene::start().unwrap();
    scene.channel(Kind::Discord).unwrap();
    fire(&mut scene.client).unwrap();
    scene.settle().unwrap();
    wait_for_counters(&mut scene.client, 1).unwrap();
    scene
}

#[test]
fn all_is_well() {
    let mut scene = scene();
    let lines = status(&mut scene.client);
    assert!(
        lines
            .iter()
            .all(|line| line.state == "ok" && line.remedy.is_empty()),
        "{lines:#?}"
    );
    let subjects: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "library",
            "launcher",
            "worker",
            "event badge_earned",
            "event daily_streak",
            "event milestone_reached",
            "event project_created",
            "event task_completed",
            "webhooks",
            "routing",
            "queue",
            "failures",
            "clock"
        ]
    );
    let worker: i32 = scene
        .client
        .query_one(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' AND datname = current_database()",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(
        line(&mut scene.client, "worker")
            .detail
            .starts_with(&format!("pid {worker}, since "))
    );
    assert_eq!(line(&mut scene.client, "webhooks").detail, "1 active");
    assert_eq!(line(&mut scene.client, "queue").detail, "nothing waits");
}

#[test]
fn nothing_is_registered_or_attached() {
    let mut scene = Scene::empty().unwrap();
    scene.install().unwrap();
    let lines = not_ok(&mut scene.client);
    let subjects: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(subjects, ["events", "webhooks"], "{lines:#?}");
    zentry::load(&mut scene.client).unwrap();
    scene.client.batch_execute(&lines[0].remedy).unwrap();
    assert!(
        lines[1]
            .remedy
            .starts_with("SELECT public.zentry_register_webhook(")
    );
    scene.channel(Kind::Discord).unwrap();
    assert_eq!(not_ok(&mut scene.client).len(), 0);
}

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
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'zentry_notify.delivery_log'::regclass",
            "index zentry_notify.delivery_log is not valid",
        ),
    ] {
        client.batch_execute(fault).unwrap();
        mend(client, "tables", "broken", detail);
        assert_eq!(not_ok(client).len(), 0, "{fault}");
    }
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

/// Events of a dump are not routed before its cursor is there.
#[test]
fn events_whose_cursor_is_awaited() {
    let mut scene = scene();
    let client = &mut scene.client;
    client
        .batch_execute(
            "SET check_function_bodies = off; \
             INSERT INTO zentry_notify.event (event_type, data) VALUES ('daily_streak', '{}'); \
             RESET check_function_bodies",
        )
        .unwrap();
    mend(client, "routing", "broken", "nothing is routed");
    assert_eq!(not_ok(client).len(), 0);
    client
        .batch_execute("TRUNCATE zentry_notify.route_cursor")
        .unwrap();
    mend(client, "routing", "broken", "nothing is routed");
    assert_eq!(not_ok(client).len(), 0);
    // What comes afterwards is.
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 2 FROM zentry_notify.logs WHERE status = 'sent'",
    )
    .unwrap();
}

#[test]
fn what_is_switched_off_by_a_setting() {
    let mut scene = scene();
    let name = scene.database.name();
    let set = format!("ALTER DATABASE {name} SET zentry_notify.sending = off");
    scene.client.batch_execute(&set).unwrap();
    mend(
        &mut scene.client,
        "zentry_notify.sending",
        "attention",
        "nothing is sent",
    );
    assert_eq!(not_ok(&mut scene.client).len(), 0);
    scene
        .client
        .batch_execute("SET zentry_notify.enabled = off")
        .unwrap();
    mend(
        &mut scene.client,
        "zentry_notify.enabled",
        "attention",
        "in this session",
    );
    scene
        .client
        .batch_execute("SET session_replication_role = replica")
        .unwrap();
    mend(
        &mut scene.client,
        "session_replication_role",
        "attention",
        "writes fire nothing",
    );
    assert_eq!(not_ok(&mut scene.client).len(), 0);
}

/// The worker is a superuser's, whoever asks. All of it in a transaction that nobody else sees: other tests have the same cluster.
#[test]
fn what_is_switched_off_for_the_worker_by_its_role() {
    let mut scene = scene();
    let name = scene.database.name().to_owned();
    let client = &mut scene.client;
    for place in [
        format!("ROLE postgres IN DATABASE {name}"),
        "ROLE postgres".to_owned(),
        format!("DATABASE {name}"),
        "ROLE ALL".to_owned(),
    ] {
        client
            .batch_execute(&format!("BEGIN; ALTER {place} SET zentry_notify.sending = off"))
            .unwrap();
        mend(client, "zentry_notify.sending", "attention", "nothing is sent");
        assert_eq!(not_ok(client).len(), 0, "{place}");
        client.batch_execute("ROLLBACK").unwrap();
    }
    // Of a role that is not the worker's it says nothing, and what is nearer holds.
    client
        .batch_execute(&format!(
            "BEGIN; ALTER ROLE zentry_notify_agent SET zentry_notify.sending = off; ALTER ROLE ALL SET zentry_notify.sending = off; \
             ALTER DATABASE {name} SET zentry_notify.sending = on"
        ))
        .unwrap();
    assert_eq!(not_ok(client).len(), 0);
    client.batch_execute("ROLLBACK").unwrap();
}

#[test]
fn webhooks_that_fail_or_are_gone() {
    let mut scene = Scene::start().unwrap();
    let gone = scene.channel(Kind::Discord).unwrap();
    let failing = scene.channel(Kind::Workflow).unwrap();
    let limited = scene.channel(Kind::Workflow).unwrap();
    gone.webhook.script([Behaviour::Status(404)]);
    failing.webhook.script(vec![Behaviour::Status(503); 40]);
    limited.webhook.script([Behaviour::RateLimited {
        retry_after: std::time::Duration::from_secs(3600),
        global: false,
    }]);
    fire(&mut scene.client).unwrap();
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "INSERT INTO zentry_notify.webhook_circuit VALUES ({}, 5, now(), now() + interval '1 hour', '503: busy') \
             ON CONFLICT (webhook_integration_id) DO UPDATE SET error_message = EXCLUDED.error_message",
            failing.id
        ))
        .unwrap();
    wait_for(
        client,
        "SELECT count(*) = 3 FROM zentry_status() WHERE subject LIKE 'webhook %'",
    )
    .unwrap();

    let line_of = |client: &mut Client, channel: i64| line(client, &format!("webhook {channel}"));
    let found = line_of(client, gone.id);
    assert_eq!(found.state, "broken");
    assert!(
        found.detail.contains("404: the webhook does not exist any more"),
        "{found:?}"
    );
    assert!(
        found
            .remedy
            .contains(&format!("zentry_update_webhook({}, ", gone.id))
    );
    let found = line_of(client, failing.id);
    assert_eq!(found.state, "attention");
    assert!(found.detail.contains("503: busy"), "{found:?}");
    let found = line_of(client, limited.id);
    assert!(
        found.state == "attention" && found.detail.starts_with("rate limited until "),
        "{found:?}"
    );
    assert_eq!(line(client, "webhooks").detail, "1 active, 1 failing, 1 gone");
    // Counters follow the outcomes within a second.
    wait_for(
        client,
        "SELECT detail LIKE '1 in 24 hours; the last, %' FROM zentry_status() WHERE subject = 'failures'",
    )
    .unwrap();
    let failures = line(client, "failures");
    assert_eq!(failures.state, "attention", "{failures:?}");
}

#[test]
fn deliveries_that_wait_too_long_and_a_clock_that_was_set_back() {
    let mut scene = scene();
    scene.database.set("zentry_notify.sending", "off").unwrap();
    let client = &mut scene.client;
    client
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'zentry_notify worker'")
        .unwrap();
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'pending'",
    )
    .unwrap();
    assert_eq!(line(client, "queue").state, "ok");
    client
        .batch_execute("UPDATE zentry_notify.notification_log SET created_at = now() - interval '1 hour' WHERE status = 'pending'")
        .unwrap();
    let queue = line(client, "queue");
    assert!(
        queue.state == "attention" && queue.detail.starts_with("1 wait, the oldest since "),
        "{queue:?}"
    );
    client.batch_execute(&queue.remedy).unwrap();
    client
        .batch_execute("UPDATE zentry_notify.notification_log SET created_at = now() + interval '1 hour' WHERE status = 'pending'")
        .unwrap();
    assert_eq!(line(client, "clock").state, "attention");
}

#[test]
fn versions_that_differ() {
    let mut scene = scene();
    let client = &mut scene.client;
    let mut of = |version: &str| {
        client
            .execute(
                "UPDATE pg_extension SET extversion = $1 WHERE extname = 'zentry_notify'",
                &[&version],
            )
            .unwrap();
        line(client, "library")
    };
    let older = of("0.0.9");
    assert_eq!(
        (older.state.as_str(), older.remedy.as_str()),
        ("broken", "ALTER EXTENSION zentry_notify UPDATE;")
    );
    let newer = of("10.0.0");
    assert!(
        newer.state == "broken" && newer.remedy.contains("restart the server"),
        "{newer:?}"
    );
}

#[test]
fn readers_are_told_and_others_are_not() {
    let mut scene = scene();
    let name = scene.database.name().to_owned();
    let role = format!("{name}_reader");
    scene
        .client
        .batch_execute(&format!("CREATE ROLE {role} LOGIN"))
        .unwrap();
    let mut reader = scene.database.connect_as(&role).unwrap();
    for sql in [
        "SELECT * FROM zentry_status()",
        "SELECT * FROM zentry_stats()",
        "SELECT * FROM zentry_stats_by_hour()",
        "SELECT * FROM zentry_notify.delivery_totals",
    ] {
        let refused = reader.query(sql, &[]).unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{sql}");
    }
    scene
        .client
        .batch_execute(&format!("SELECT zentry_grant('{role}', 'reader')"))
        .unwrap();
    assert_eq!(not_ok(&mut reader).len(), 0);
    assert!(
        !reader
            .query("SELECT * FROM zentry_stats()", &[])
            .unwrap()
            .is_empty()
    );
    assert!(
        !reader
            .query("SELECT * FROM zentry_notify.delivery_totals", &[])
            .unwrap()
            .is_empty()
    );
    drop(reader);
    scene
        .client
        .batch_execute(&format!("SELECT zentry_revoke('{role}'); DROP ROLE {role}"))
        .unwrap();
}

#[test]
fn without_the_library_and_with_it_again() {
    let options = ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    };
    let mut site = Site::start(options.set("shared_preload_libraries", "auto_explain")).unwrap();
    let mut client = site.database("shop").unwrap();
    site.channel(&mut client).unwrap();
    let lines = not_ok(&mut client);
    let broken: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(broken, ["library", "launcher"], "{lines:#?}");
    // postgresql.conf is ours, ALTER SYSTEM goes to another file that counts more.
    for statement in lines[0]
        .remedy
        .split(';')
        .filter(|sql| !sql.trim_start().starts_with("--"))
    {
        client.batch_execute(statement).unwrap();
    }
    drop(client);
    site.cluster.restart(StopMode::Fast).unwrap();
    let mut client = site.connect("shop").unwrap();
    let libraries: String = client
        .query_one("SHOW shared_preload_libraries", &[])
        .unwrap()
        .get(0);
    assert_eq!(libraries, "auto_explain, zentry_notify");
    wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
}

/// Postgres' own launcher of logical replication has the first place.
#[test]
fn no_background_worker_is_free() {
    for (places, subject) in [(1, "launcher"), (2, "worker")] {
        let mut site = Site::start(ClusterOptions::default().set("max_worker_processes", places)).unwrap();
        let mut client = site.database("shop").unwrap();
        let channel = site.channel(&mut client).unwrap();
        fire(&mut client).unwrap();
        client
            .batch_execute("UPDATE zentry_notify.event SET created_at = now() - interval '1 minute'")
            .unwrap();
        let remedy = "ALTER SYSTEM SET max_worker_processes";
        let told = format!(
            "SELECT state = 'broken' AND remedy LIKE '{remedy}%' FROM zentry_status() WHERE subject = '{subject}'"
        );
        wait_for(&mut client, &told).unwrap();
        let remedy = line(&mut client, subject).remedy;
        let (alter, _) = remedy.split_once(';').unwrap();
        client.batch_execute(alter).unwrap();
        drop(client);
        site.cluster.restart(StopMode::Fast).unwrap();
        let mut client = site.connect("shop").unwrap();
        wait_for(
            &mut client,
            "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'sent'",
        )
        .unwrap();
        wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
        assert_eq!(channel.webhook.event_count(), 1);
    }
}
