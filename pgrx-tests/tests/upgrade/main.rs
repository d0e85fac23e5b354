//! From every earlier version to this one: the new library with the old SQL, ALTER EXTENSION UPDATE, and what is there then.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod old_log;

use std::thread;

use anyhow::{Context, Result};
use postgres::Client;
use postgres::error::DbError;
use serde_json::{Value, json};
use zentry_e2e::catalogue;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::release::earlier_versions;
use zentry_e2e::scene::{Channel, Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::zentry::{self, id};

const UPDATE: &str = "ALTER EXTENSION zentry_notify UPDATE";
const EVENTS: &str = "SELECT jsonb_agg(jsonb_build_object('type', e.event_type, 'user', coalesce(e.data ->> 'user_name', \
                        (SELECT u.username FROM users_user u WHERE u.id = (e.data ->> 'user_id')::bigint)), 'progress', e.context -> 'progress') ORDER BY e.id) \
                      FROM zentry_notify.event e";
/// Those of which every row stays.
const TABLES: [&str; 7] = [
    "event_type",
    "webhook_integration",
    "notification_log",
    "webhook_circuit",
    "webhook_count",
    "event_source",
    "project_progress",
];

/// A database whose SQL is of an earlier version, with everything in it that one can have.
struct Story {
    site: Site,
    client: Client,
    channel: Channel,
    database: String,
}

impl Story {
    fn at(version: &str) -> Result<Self> {
        let site = Site::start(ClusterOptions::default())?;
        let database = "old".to_owned();
        site.cluster.connect()?.batch_execute("CREATE DATABASE old")?;
        let mut client = site.connect(&database)?;
        zentry::load(&mut client)?;
        client.batch_execute(&format!("CREATE EXTENSION zentry_notify VERSION '{version}'"))?;
        let channel = site.channel(&mut client)?;
        channel.webhook.limit(Default::default());
        grant(&mut client)?;
        client.batch_execute(
            "INSERT INTO zentry_notify.event_type (name, title) VALUES ('task_blocked', 'Task blocked'); \
             UPDATE zentry_notify.event_source SET suspended_at = now(), suspended_reason = 'as an example' WHERE event_type = 'badge_earned'; \
             INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, status, response_status_code, attempts, sent_at) \
               VALUES (1, 'daily_streak', '{}', 'sent', 200, 1, now()), (1, 'daily_streak', '{}', 'failed', 400, 8, NULL); \
             INSERT INTO zentry_notify.webhook_count VALUES (1, 41, 7, now(), now(), 'refused'); \
             INSERT INTO zentry_notify.webhook_circuit VALUES (1, 3, now(), now(), 'refused'); \
             INSERT INTO zentry_notify.progress_note (event_source_id, project_key, done_change, total_change) \
               SELECT id, '1', 0, 0 FROM zentry_notify.event_source WHERE event_type = 'milestone_reached'; \
             INSERT INTO zentry_notify.project_progress SELECT id, '1', 25 FROM zentry_notify.event_source WHERE event_type = 'milestone_reached'",
        )?;
        Ok(Self {
            site,
            client,
            channel,
            database,
        })
    }

    /// As whoever upgrades sees it: from what the worker has refused to what has arrived.
    fn deliveries(&mut self) -> Result<Vec<(i64, String)>> {
        let all = Delivery::settle(&mut self.client)?;
        Ok(all.into_iter().map(|d| (d.id, d.status)).collect())
    }

    /// Rows by table, as JSON.
    fn rows(&mut self) -> Result<Vec<(&'static str, Vec<Value>)>> {
        let rows = |table: &'static str| {
            let sql = format!("SELECT to_jsonb(t) FROM zentry_notify.{table} t ORDER BY t::text");
            let rows = self.client.query(&sql, &[])?;
            Ok((table, rows.iter().map(|row| row.get(0)).collect()))
        };
        TABLES.into_iter().map(rows).collect()
    }
}

/// What a fresh database is given too, so that both may be compared.
fn grant(client: &mut Client) -> Result<()> {
    client.batch_execute(
        "DO $$ BEGIN CREATE ROLE support; CREATE ROLE lead; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
         SELECT zentry_grant('support', 'reader'), zentry_grant('lead', 'manager')",
    )?;
    Ok(())
}

fn for_every_earlier_version(test: impl Fn(Story) -> Result<()>) -> Result<()> {
    for version in earlier_versions()? {
        test(Story::at(&version)?).with_context(|| format!("from {version}"))?;
    }
    Ok(())
}

/// What somebody has set for the database keeps sessions from views, and the update from none of ours.
#[test]
fn an_update_where_sessions_are_kept_from_views() -> Result<()> {
    for_every_earlier_version(|mut story| {
        story.client.batch_execute(
            "ALTER DATABASE old SET restrict_nonsystem_relation_kind = 'view, foreign-table'",
        )?;
        let mut restricted = story.site.connect(&story.database)?;
        restricted.batch_execute(UPDATE)?;
        restricted.batch_execute("SELECT FROM zentry_attach()")?;
        fire(&mut restricted)?;
        story.channel.webhook.wait_for_events(1, SOON);
        Ok(())
    })
}

#[test]
fn an_upgraded_database_is_as_a_fresh_one() -> Result<()> {
    for_every_earlier_version(|mut story| {
        story.client.batch_execute(UPDATE)?;
        // An update touches no table of the application: its triggers become the new ones when somebody attaches again.
        story.client.batch_execute("SELECT FROM zentry_attach()")?;
        let mut fresh = story.site.database("fresh")?;
        grant(&mut fresh)?;
        let (upgraded, fresh) = (
            catalogue::lines(&mut story.client)?,
            catalogue::lines(&mut fresh)?,
        );
        catalogue::compare(&fresh, &upgraded)?;
        assert!(fresh.len() > 100, "{fresh:#?}");
        Ok(())
    })
}

#[test]
fn every_row_is_kept_and_what_waits_is_delivered() -> Result<()> {
    for_every_earlier_version(|mut story| {
        fire(&mut story.client)?;
        story.client.batch_execute("BEGIN")?;
        let mut before = story.rows()?;
        for (_, rows) in &mut before {
            // What was written since the library is the new one is of no webhook yet.
            rows.retain(|row| row["webhook_integration_id"] != 0);
            // What the messages of built-in events say, and so their titles, is the new version's.
            for row in rows.iter_mut().filter(|row| row["built_in"] == true) {
                row.as_object_mut().unwrap().remove("title");
            }
            // Triggers name no columns any more.
            for row in rows.iter_mut() {
                row.as_object_mut().unwrap().remove("update_of");
            }
        }
        story.client.batch_execute(UPDATE)?;
        let after = story.rows()?;
        let events: Value = story.client.query_one(EVENTS, &[])?.get(0);
        story.client.batch_execute("COMMIT")?;
        for ((table, old), (_, new)) in before.iter().zip(&after) {
            assert!(!old.is_empty(), "no row of {table}");
            for row in old {
                assert!(
                    new.iter().any(|candidate| contains(candidate, row)),
                    "{table} lost {row}: {new:#?}"
                );
            }
        }
        assert_eq!(
            events,
            json!([
                {"type": "daily_streak", "user": "chen", "progress": null},
                {"type": "project_progress", "user": null, "progress": [{"project": "1", "done": 0, "total": 0}]},
            ])
        );
        fire(&mut story.client)?;
        story.channel.webhook.wait_for_events(2, SOON);
        // The third was what the first event waited in.
        let expected = [(1, "sent"), (2, "failed"), (4, "sent"), (5, "sent")];
        let deliveries = story.deliveries()?;
        let deliveries: Vec<_> = deliveries
            .iter()
            .map(|(id, status)| (*id, status.as_str()))
            .collect();
        assert_eq!(deliveries, expected);
        assert_eq!(story.site.emulator.complaints(), Vec::<String>::new());
        Ok(())
    })
}

/// A task that is completed and changes its project is two triggers' in 0.1.0 and one's afterwards.
#[test]
fn progress_is_noted_once_before_the_table_is_attached_again_and_after() -> Result<()> {
    const NOTED: &str = "SELECT jsonb_object_agg(project, jsonb_build_array(done, total)) FROM (\
                           SELECT p.project, sum(p.done) AS done, sum(p.total) AS total \
                           FROM zentry_notify.event e, \
                                json_to_recordset(e.context -> 'progress') AS p (project text, done integer, total integer) \
                           GROUP BY 1) n";
    for_every_earlier_version(|mut story| {
        story.client.batch_execute(&format!(
            "ALTER DATABASE {} SET zentry_notify.sending = off; {UPDATE}",
            story.database
        ))?;
        let mut noted = |task: i64| -> Result<Value> {
            story.client.execute(
                "UPDATE tasks_task SET status = 'completed', project_id = 2 WHERE id = $1",
                &[&task],
            )?;
            Ok(story.client.query_one(NOTED, &[])?.get(0))
        };
        assert_eq!(noted(2)?, json!({"1": [0, -1], "2": [1, 1]}));
        story
            .site
            .connect(&story.database)?
            .batch_execute("SELECT FROM zentry_attach()")?;
        assert_eq!(noted(3)?, json!({"1": [0, -2], "2": [2, 2]}));
        Ok(())
    })
}

/// Every key of `old` with its value. What was renamed or given another meaning has to be said here.
fn contains(new: &Value, old: &Value) -> bool {
    old.as_object()
        .unwrap()
        .iter()
        .all(|(key, value)| new.get(key) == Some(value))
}

#[test]
fn with_the_old_sql_writes_go_on_and_wait_and_the_log_says_once_what_to_run() -> Result<()> {
    for_every_earlier_version(|mut story| {
        const HINT: &str = "ALTER EXTENSION zentry_notify UPDATE";
        for _ in 0..3 {
            fire(&mut story.client)?;
            zentry::complete_task(&mut story.client, id::LANDING_PAGE, jiff::Timestamp::now())?;
            story
                .client
                .execute("UPDATE tasks_task SET status = 'todo'", &[])?;
        }
        story.site.cluster.wait_for_log("notifications wait", SOON)?;
        story.site.wait_until_left(&story.database)?;
        fire(&mut story.client)?;
        assert_eq!(story.site.logged(0, "notifications wait")?, 1);
        assert!(story.site.cluster.log_contains(HINT)?);
        assert_eq!(story.channel.webhook.requests(), 0);
        let suspended: i64 = story
            .client
            .query_one(
                "SELECT count(*) FROM zentry_notify.event_source WHERE suspended_reason <> 'as an example'",
                &[],
            )?
            .get(0);
        assert_eq!(suspended, 0, "the old SQL is no fault of a source");

        let error = story
            .client
            .query("SELECT * FROM zentry_test_webhook(1)", &[])
            .unwrap_err();
        let error = error.as_db_error().expect("an error of the server");
        assert_eq!(error.code().code(), "55000");
        assert!(hint(error).contains(HINT), "{error:?}");

        // Four streaks, three tasks; milestones come on top, once the worker counts.
        story.client.batch_execute(UPDATE)?;
        story.channel.webhook.wait_for_events(7, SOON);
        assert!(
            story
                .deliveries()?
                .iter()
                .filter(|(_, status)| status == "sent")
                .count()
                >= 8
        );
        let row = story
            .client
            .query_one("SELECT status FROM zentry_test_webhook(1)", &[])?;
        assert_eq!(row.get::<_, String>(0), "sent");
        assert_eq!(story.site.emulator.complaints(), Vec::<String>::new());
        Ok(())
    })
}

fn hint(error: &DbError) -> &str {
    error.hint().unwrap_or_default()
}

#[test]
fn an_update_waits_for_open_transactions_and_harms_none() -> Result<()> {
    for_every_earlier_version(|mut story| {
        let mut writer = story.site.connect(&story.database)?;
        writer.batch_execute("BEGIN")?;
        fire(&mut writer)?;
        let mut admin = story.site.connect(&story.database)?;
        let update = thread::spawn(move || admin.batch_execute(UPDATE));
        wait_for(
            &mut story.client,
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'ALTER EXTENSION%' AND wait_event_type = 'Lock')",
        )?;
        // With the update between this transaction and tables that it has not touched yet.
        writer.batch_execute(
            "SELECT * FROM zentry_test_event(); UPDATE zentry_notify.event_source SET created_at = now()",
        )?;
        fire(&mut writer)?;
        writer.batch_execute("COMMIT")?;
        update.join().expect("the thread")?;
        story.channel.webhook.wait_for_events(3, SOON);
        Ok(())
    })
}

/// The log was a table, which the update renames: what reads it reads the old one, and is empty when the worker has moved the rows.
#[test]
fn a_view_of_the_log_is_to_be_made_again() -> Result<()> {
    earlier_versions()?;
    let site = Site::start(ClusterOptions::default())?;
    site.cluster.connect()?.batch_execute("CREATE DATABASE old")?;
    let mut client = site.connect("old")?;
    client.batch_execute(
        "CREATE EXTENSION zentry_notify VERSION '0.2.0'; \
         CREATE VIEW failures AS SELECT count(*) FROM zentry_notify.notification_log WHERE status = 'failed'; \
         CREATE FUNCTION waiting() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM zentry_notify.notification_log; END; \
         CREATE VIEW names AS SELECT name FROM zentry_notify.webhook_integration",
    )?;
    client.batch_execute(UPDATE)?;
    const READERS: &str =
        "SELECT detail FROM zentry_status() WHERE detail LIKE '%legacy_delivery%' ORDER BY 1";
    let details: Vec<String> = client.query(READERS, &[])?.iter().map(|row| row.get(0)).collect();
    let sees = "reads zentry_notify.legacy_delivery, the log of 0.2.0, and sees no new delivery";
    assert_eq!(
        details,
        [
            format!("function public.waiting() {sees}"),
            format!("view public.failures {sees}"),
        ]
    );
    client.batch_execute(
        "CREATE OR REPLACE VIEW failures AS SELECT count(*) FROM zentry_notify.notification_log WHERE status = 'failed'; \
         CREATE OR REPLACE FUNCTION waiting() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM zentry_notify.notification_log; END",
    )?;
    assert_eq!(client.query(READERS, &[])?.len(), 0);
    Ok(())
}

/// A prepared transaction is in no list of sessions. It takes the minute that an update waits.
#[test]
fn an_update_that_gives_up_names_whom_it_has_waited_for() -> Result<()> {
    earlier_versions()?;
    let site = Site::start(ClusterOptions::default().set("max_prepared_transactions", 1))?;
    site.cluster.connect()?.batch_execute("CREATE DATABASE old")?;
    let mut client = site.connect("old")?;
    zentry::load(&mut client)?;
    client.batch_execute("CREATE EXTENSION zentry_notify VERSION '0.2.0'")?;
    let mut other = site.connect("old")?;
    other.batch_execute("BEGIN")?;
    fire(&mut other)?;
    other.batch_execute(
        "PREPARE TRANSACTION 'it''s pending'; BEGIN; LOCK TABLE tasks_project IN SHARE ROW EXCLUSIVE MODE",
    )?;
    let process: i32 = other.query_one("SELECT pg_backend_pid()", &[])?.get(0);

    let refused = client.batch_execute(UPDATE).expect_err("the tables are in use");
    let refused = refused.as_db_error().context("an error of the server")?;
    assert_eq!(refused.code().code(), "55P03", "{refused:?}");
    assert_eq!(
        refused.detail(),
        Some(format!("They are in use by prepared transaction 'it''s pending', process {process}.").as_str())
    );
    other.batch_execute("ROLLBACK")?;
    other.batch_execute("ROLLBACK PREPARED 'it''s pending'")?;
    client.batch_execute(UPDATE)?;
    Ok(())
}

#[test]
fn an_update_that_is_rolled_back_changes_nothing() -> Result<()> {
    for_every_earlier_version(|mut story| {
        let before = catalogue::lines(&mut story.client)?;
        story
            .client
            .batch_execute(&format!("BEGIN; {UPDATE}; ROLLBACK"))?;
        catalogue::compare(&before, &catalogue::lines(&mut story.client)?)?;
        fire(&mut story.client)?;
        story.client.batch_execute(UPDATE)?;
        story.channel.webhook.wait_for_events(1, SOON);
        Ok(())
    })
}
