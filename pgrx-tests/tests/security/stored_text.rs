//! Wherever a text of somebody is stored, it is text: a dump that a superuser restores, an update of the extension and autovacuum, and
//! whatever is called afterwards, run none of it as anybody but its author.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Result, ensure};
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Kind;
use zentry_e2e::release::earlier_versions;
use zentry_e2e::scene::{Delivery, SOON};
use zentry_e2e::site::{Site, wait_for};

use crate::foreign_code::{nobody_gained, plant};

/// A table of `mallory`'s whose names are SQL.
const TABLE: &str = r#"
CREATE TABLE mallory."task'; SELECT mallory.note(); --" (id bigint PRIMARY KEY, title text, status text,
    "x'); SELECT mallory.note(); --" text, "y"") FROM mallory.note(); --" text)"#;

/// Calls of a manager who owns that table, each with a text that is stored. What an earlier version refuses or lacks is left out there.
const STORED: [&str; 10] = [
    r#"SELECT zentry_attach('task_completed', 'mallory."task''; SELECT mallory.note(); --"',
         '{"task_title": "x''); SELECT mallory.note(); --", "points": "mallory.noted(id)", "task_description": "y\") FROM mallory.note(); --"}',
         audience => '{"all": true}')"#,
    r#"SELECT zentry_attach('badge_earned', 'mallory."task''; SELECT mallory.note(); --"', '{"user_name": "upper(title)", "badge_name": {"value": "mallory.note()"}}',
         condition => $$mallory.note() AND NEW.title <> ''; SELECT mallory.note(); --'$$, operation => 'insert', audience => '{"all": true}')"#,
    r#"SELECT zentry_attach('badge_earned', 'mallory."task''; SELECT mallory.note(); --"', '{"user_name": "upper(title)", "badge_name": {"value": "mallory.note()"}}',
         condition => $$mallory.note() AND NEW.title <> '''; SELECT mallory.note(); --'$$, operation => 'insert', audience => '{"all": true}')"#,
    "SELECT zentry_register_event_type('planted', '''; SELECT mallory.note(); --', '{{ x }}''); SELECT mallory.note(); --', footer => 'mallory.note()', sample => '{\"x\": \"''; SELECT mallory.note(); --\"}')",
    "SELECT zentry_set_wording('task_completed', title => '$$; SELECT mallory.note(); --', text => '{{ points }} mallory.note()')",
    "SELECT zentry_register_webhook('''; SELECT mallory.note(); --', 'discord', 'URL', username => 'mallory.note()')",
    "SELECT zentry_register_webhook('plain ''; SELECT mallory.note(); --', 'discord', 'URL')",
    "SELECT zentry_register_webhook('filtered', 'discord', 'URL', filter => '$.title like_regex \"mallory.note\"', quiet_hours => '00:00-00:01 Europe/Berlin')",
    "SELECT zentry_create_api_token('''; SELECT mallory.note(); --', 'mallory')",
    "SELECT zentry_omit('task_completed', 'mallory.\"task''; SELECT mallory.note(); --\"', '{project_name}')",
];

const WRITTEN: &str = r#"
INSERT INTO mallory."task'; SELECT mallory.note(); --" VALUES (1, '''; SELECT mallory.note(); --', 'todo', 'mallory.note()', '{{ mallory.note() }}');
UPDATE mallory."task'; SELECT mallory.note(); --" SET status = 'completed'"#;

/// What a superuser does in such a database.
const READ: [&str; 10] = [
    "SELECT * FROM zentry_status()",
    "SELECT * FROM zentry_attach()",
    "SELECT * FROM zentry_notify.event_sources",
    "SELECT * FROM zentry_notify.event_types",
    "SELECT * FROM zentry_notify.webhooks",
    "SELECT * FROM zentry_logs()",
    "SELECT zentry_preview('planted')",
    "SELECT zentry_test_event('task_completed')",
    "SELECT zentry_stats('1 day')",
    "SELECT * FROM zentry_notify.api_tokens",
];

/// A role without rights but a manager's, who has stored SQL in every place that takes a text.
fn stored(site: &Site, database: &str, version: Option<&str>) -> Result<Client> {
    site.cluster
        .connect()?
        .batch_execute(&format!("CREATE DATABASE {database}"))?;
    let mut client = site.connect(database)?;
    client.batch_execute(&format!(
        "CREATE EXTENSION zentry_notify{}; CREATE SCHEMA mallory AUTHORIZATION mallory; SELECT zentry_grant('mallory', 'manager')",
        version.map_or(String::new(), |version| format!(" VERSION '{version}'"))
    ))?;
    let mut mallory = site.cluster.connect_as("mallory", database)?;
    plant(&mut mallory, "mallory")?;
    mallory.batch_execute(TABLE)?;
    let mut stored = 0;
    for statement in STORED {
        let url = site.emulator.register(Kind::Discord).url();
        match mallory.batch_execute(&statement.replace("URL", &url)) {
            Ok(()) => stored += 1,
            // It is no SQL.
            Err(_) if statement.contains("<> ''; SELECT") => {}
            Err(error) if version.is_none() => return Err(error.into()),
            Err(_) => {}
        }
    }
    ensure!(stored >= 1, "{version:?}: only {stored} texts are stored");
    mallory.batch_execute(WRITTEN)?;
    Ok(client)
}

fn read_all(client: &mut Client) -> Result<()> {
    for statement in READ {
        client.batch_execute(statement)?;
    }
    Delivery::settle(client)?;
    nobody_gained(client, "mallory")
}

fn site(options: ClusterOptions) -> Result<Site> {
    let site = Site::start(options)?;
    site.cluster
        .connect()?
        .batch_execute("CREATE ROLE mallory LOGIN")?;
    Ok(site)
}

#[test]
fn a_dump_with_data_is_restored_by_a_superuser() -> Result<()> {
    let site = site(ClusterOptions::default())?;
    let mut client = stored(&site, "planted", None)?;
    read_all(&mut client)?;
    let ran: bool = client
        .query_one("SELECT is_called FROM mallory.as_owner", &[])?
        .get(0);
    assert!(ran, "nothing was tested");
    for options in [&[][..], &["--inserts"], &["--clean", "--if-exists"]] {
        let dump = site
            .cluster
            .client_command("pg_dump")
            .args(options)
            .arg("planted")
            .output()?;
        ensure!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        site.cluster
            .connect()?
            .batch_execute("DROP DATABASE IF EXISTS restored")?;
        site.cluster
            .connect()?
            .batch_execute("CREATE DATABASE restored")?;
        let mut psql = site
            .cluster
            .client_command("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "restored"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        psql.stdin.take().expect("it is piped").write_all(&dump.stdout)?;
        ensure!(psql.wait()?.success(), "{options:?}");
        let mut restored = site.connect("restored")?;
        nobody_gained(&mut restored, "mallory")?;
        read_all(&mut restored)?;
        // It is what it was, and works.
        let texts = "SELECT string_agg(s.columns::text || s.audience::text, '' ORDER BY s.id) FROM zentry_notify.event_source s";
        assert_eq!(
            client.query_one(texts, &[])?.get::<_, String>(0),
            restored.query_one(texts, &[])?.get::<_, String>(0)
        );
        let mut mallory = site.cluster.connect_as("mallory", "restored")?;
        mallory.batch_execute("UPDATE mallory.\"task'; SELECT mallory.note(); --\" SET status = 'todo'; UPDATE mallory.\"task'; SELECT mallory.note(); --\" SET status = 'completed'")?;
        let told = Delivery::settle(&mut restored)?;
        assert!(
            told.iter()
                .any(|d| d.event_type == "task_completed" && d.payload["task_title"] == "mallory.note()"),
            "{told:#?}"
        );
        nobody_gained(&mut restored, "mallory")?;
    }
    Ok(())
}

#[test]
fn the_extension_is_updated() -> Result<()> {
    let site = site(ClusterOptions::default())?;
    for version in earlier_versions()? {
        let database = format!("of_{}", version.replace('.', "_"));
        let mut client = stored(&site, &database, Some(&version))?;
        // What that version had for wrong is not what is looked at.
        client.batch_execute("ALTER SEQUENCE mallory.as_another RESTART; ALTER ROLE mallory NOSUPERUSER")?;
        client.batch_execute("ALTER EXTENSION zentry_notify UPDATE")?;
        nobody_gained(&mut client, "mallory")?;
        client.batch_execute("SELECT zentry_notify.renew_grants()")?;
        for statement in READ {
            // A type that could not be registered is not there.
            let outcome = client.batch_execute(statement);
            ensure!(
                outcome.is_ok() || statement.contains("planted"),
                "{version}: {statement}: {outcome:?}"
            );
        }
        let mut mallory = site.cluster.connect_as("mallory", &database)?;
        mallory.batch_execute("UPDATE mallory.\"task'; SELECT mallory.note(); --\" SET status = 'todo'; UPDATE mallory.\"task'; SELECT mallory.note(); --\" SET status = 'completed'")?;
        Delivery::settle(&mut client)?;
        nobody_gained(&mut client, "mallory")?;
    }
    Ok(())
}

/// Rows that an index's function inserts while autovacuum analyses a table: they are their owner's, and told.
#[test]
fn autovacuum_and_analyze_insert_into_an_attached_table() -> Result<()> {
    let site = site(
        ClusterOptions::default()
            .set("autovacuum_naptime", "1s")
            .set("autovacuum_analyze_threshold", 10)
            .set("autovacuum_analyze_scale_factor", 0),
    )?;
    let mut client = stored(&site, "planted", None)?;
    let channel = site.channel(&mut client)?;
    Delivery::settle(&mut client)?;
    let before = channel.webhook.event_count();
    let mut mallory = site.cluster.connect_as("mallory", "planted")?;
    // A function that is said to be immutable inserts nothing, and what it calls may.
    mallory.batch_execute(
        "CREATE SEQUENCE mallory.inserted; \
         CREATE TABLE mallory.bait (i bigint); \
         CREATE FUNCTION mallory.inserts(i bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO mallory.\"task'; SELECT mallory.note(); --\" (id, title, status) VALUES (1000 + nextval('mallory.inserted'), current_user, 'completed'); END $$; \
         CREATE FUNCTION mallory.index_of(i bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN i; END $$; \
         CREATE INDEX baited ON mallory.bait (mallory.index_of(i)); \
         INSERT INTO mallory.bait SELECT generate_series(1, 5); \
         CREATE OR REPLACE FUNCTION mallory.index_of(i bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN \
             PERFORM mallory.note(); \
             IF session_user <> 'mallory' THEN PERFORM mallory.inserts(i); END IF; \
             RETURN i; END $$",
    )?;
    client.batch_execute("ANALYZE mallory.bait")?;
    channel.webhook.wait_for_events(before + 5, SOON);
    nobody_gained(&mut client, "mallory")?;
    client.batch_execute("ALTER SYSTEM SET autovacuum = on")?;
    client.batch_execute("SELECT pg_reload_conf()")?;
    mallory.batch_execute("INSERT INTO mallory.bait SELECT generate_series(1, 100)")?;
    wait_for(
        &mut client,
        "SELECT last_autoanalyze IS NOT NULL FROM pg_stat_user_tables WHERE relid = 'mallory.bait'::regclass",
    )?;
    channel.webhook.wait_for_events(before + 110, SOON);
    let inserted: i64 = client
        .query_one(
            "SELECT count(*) FROM mallory.\"task'; SELECT mallory.note(); --\" WHERE id > 1000 AND title = 'mallory'",
            &[],
        )?
        .get(0);
    assert!(inserted >= 110, "{inserted}");
    nobody_gained(&mut client, "mallory")
}
