//! pg_dump and pg_restore: configuration, log and queue come along, and what was sent is not sent again.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use nix::unistd::Pid;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Channel, Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for, wait_for_counters};
use zentry_e2e::zentry;

/// The configuration and state that has to come along, as text.
const KEPT: &str = "
    SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
      SELECT 'webhook ' || w::text AS line FROM zentry_notify.webhook_integration w
      UNION ALL SELECT 'circuit ' || c::text FROM zentry_notify.webhook_circuit c
      UNION ALL SELECT 'count ' || c::text FROM zentry_notify.webhook_count c
      UNION ALL SELECT 'stat ' || s::text FROM zentry_notify.delivery_stat s
      UNION ALL SELECT 'type ' || t.name || t.title FROM zentry_notify.event_type t
      UNION ALL SELECT 'progress ' || p::text FROM zentry_notify.project_progress p
      UNION ALL SELECT 'source ' || concat_ws(' ', s.id, s.event_type, s.relation, s.columns, s.audience, s.progress, s.suspended_reason)
                FROM zentry_notify.event_source s
      UNION ALL SELECT 'attempt ' || a::text FROM zentry_notify.delivery_attempt a
      UNION ALL SELECT 'audit ' || a::text FROM zentry_notify.audit_entry a
      UNION ALL SELECT 'trigger ' || concat_ws(' ', t.tgrelid::regclass, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid))
                FROM pg_trigger t WHERE t.tgname LIKE 'zentry_notify%') x";

struct Story {
    site: Site,
    client: Client,
    channel: Channel,
}

/// A database with two sent deliveries, one that failed and one that waits for ever, and a type of the user's own.
fn story() -> Result<Story> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    channel.webhook.limit(Default::default());
    for round in 1..=2 {
        fire(&mut client)?;
        channel.webhook.wait_for_events(round, SOON);
    }
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut client)?;
    channel.webhook.wait_for(3, SOON);
    client.batch_execute(
        "INSERT INTO zentry_notify.event_type (name, title) VALUES ('task_blocked', 'Task blocked'); \
         UPDATE zentry_notify.event_source SET suspended_at = now(), suspended_reason = 'as an example' WHERE event_type = 'badge_earned'",
    )?;
    Delivery::settle(&mut client)?;
    channel.webhook.script([Behaviour::Hang]);
    fire(&mut client)?;
    channel.webhook.wait_for(4, SOON);
    // The worker keeps what it has routed to itself for a moment, in the hope of an answer.
    Delivery::wait_until(
        &mut client,
        "the delivery that gets no answer to be written",
        |all| all.len() == 4,
    )?;
    wait_for_counters(&mut client, 3)?;
    Ok(Story {
        site,
        client,
        channel,
    })
}

impl Story {
    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = self.command(program).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        self.site.cluster.client_command(program)
    }

    /// A file (or directory) for a dump, which nothing else uses.
    fn dump(&self, arguments: &[&str]) -> Result<Dump> {
        let name = format!(
            "zentry-dump-{}-{}",
            Pid::this(),
            self.site.cluster.dir().file_name().unwrap().display()
        );
        let dump = Dump(std::env::temp_dir().join(name));
        let path = dump.path();
        self.run("pg_dump", &[arguments, &["--file", &path, "zentry"]].concat())?;
        Ok(dump)
    }

    fn restored(&mut self, restore: impl FnOnce(&Self) -> Result<()>) -> Result<Client> {
        let requests = self.channel.webhook.requests();
        restore(self)?;
        let mut restored = self.site.connect("restored")?;
        let kept = |client: &mut Client| -> Result<String> { Ok(client.query_one(KEPT, &[])?.get(0)) };
        let (before, after) = (kept(&mut self.client)?, kept(&mut restored)?);
        // Counts may have gone on: what was pending may be sent by now.
        let lines = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|l| !l.starts_with("count") && !l.starts_with("stat"))
                .map(str::to_owned)
                .collect()
        };
        similar_asserts(&lines(&before), &lines(&after));
        // Only what was pending is sent, after an event of the new database at the latest, and sequences go on.
        fire(&mut restored)?;
        self.channel.webhook.wait_for_events(4, SOON);
        let deliveries = Delivery::settle(&mut restored)?;
        // Numbers may have been drawn that nothing was written with.
        let states: Vec<_> = deliveries.iter().map(|d| d.status.as_str()).collect();
        assert_eq!(states, ["sent", "sent", "failed", "sent", "sent"]);
        let ids: Vec<_> = deliveries.iter().map(|d| d.id).collect();
        assert_eq!(ids[..4], [1, 2, 3, 4]);
        assert_eq!(self.channel.webhook.event_count(), 4);
        assert!(self.channel.webhook.requests() <= requests + 2);
        Ok(restored)
    }
}

fn similar_asserts(before: &[String], after: &[String]) {
    let missing: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    // Attaching where it was restored to is a change there.
    let added: Vec<_> = after
        .iter()
        .filter(|line| !before.contains(line) && !line.starts_with("audit"))
        .collect();
    assert!(
        missing.is_empty() && added.is_empty(),
        "missing: {missing:#?}\nadded: {added:#?}"
    );
}

/// Removed when dropped.
struct Dump(PathBuf);

impl Dump {
    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        // One of both, according to the format.
        let _ = std::fs::remove_file(&self.0);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn plain_dump_into_a_new_database() -> Result<()> {
    const AUDITED: &str = "SELECT count(*) FROM zentry_notify.audit_entry";
    let mut story = story()?;
    let audited: i64 = story.client.query_one(AUDITED, &[])?.get(0);
    assert!(audited > 0);
    let mut restored = story.restored(|story| {
        let dump = story.dump(&["--format=plain"])?;
        story.run("createdb", &["restored"])?;
        let status = story
            .command("psql")
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--output=/dev/null",
                "restored",
            ])
            .stdin(File::open(&dump.0)?)
            .status()?;
        ensure!(status.success(), "psql failed");
        Ok(())
    })?;
    assert_eq!(
        restored.query_one(AUDITED, &[])?.get::<_, i64>(0),
        audited,
        "restoring is no change"
    );
    Ok(())
}

#[test]
fn custom_dump_into_a_new_database() -> Result<()> {
    story()?
        .restored(|story| {
            let dump = story.dump(&["--format=custom"])?;
            story.run("createdb", &["restored"])?;
            story.run(
                "pg_restore",
                &["--exit-on-error", "--dbname=restored", &dump.path()],
            )
        })
        .map(drop)
}

#[test]
fn directory_dump_restored_with_jobs() -> Result<()> {
    story()?
        .restored(|story| {
            let dump = story.dump(&["--format=directory", "--jobs=2"])?;
            story.run("createdb", &["restored"])?;
            story.run(
                "pg_restore",
                &["--exit-on-error", "--jobs=2", "--dbname=restored", &dump.path()],
            )
        })
        .map(drop)
}

#[test]
fn clean_restore_over_an_older_state() -> Result<()> {
    let mut story = story()?;
    story.site.database("restored")?;
    story
        .restored(|story| {
            let dump = story.dump(&["--format=custom"])?;
            story.run(
                "pg_restore",
                &[
                    "--exit-on-error",
                    "--clean",
                    "--if-exists",
                    "--dbname=restored",
                    &dump.path(),
                ],
            )
        })
        .map(drop)
}

#[test]
fn data_only_into_a_database_with_the_extension() -> Result<()> {
    let mut story = story()?;
    // The application's tables come with its migrations, the extension before them: nothing is attached yet.
    story.run("createdb", &["restored"])?;
    let mut target = story.site.connect("restored")?;
    target.batch_execute("CREATE EXTENSION zentry_notify; TRUNCATE zentry_notify.route_cursor")?;
    target.batch_execute(zentry::TABLES)?;
    drop(target);
    let dump = story.dump(&["--format=custom", "--data-only"])?;
    story.run(
        "pg_restore",
        &[
            "--exit-on-error",
            "--disable-triggers",
            "--dbname=restored",
            &dump.path(),
        ],
    )?;
    story
        .site
        .connect("restored")?
        .batch_execute("SELECT * FROM zentry_attach()")?;
    // zentry_attach has mended the suspended source; so it is there.
    story.client.batch_execute("SELECT * FROM zentry_attach()")?;
    story.restored(|_| Ok(())).map(drop)
}

#[test]
fn data_only_into_a_database_that_is_attached() -> Result<()> {
    let mut story = story()?;
    let mut target = story.site.database("restored")?;
    target.batch_execute(
        "TRUNCATE users_user, tasks_project, tasks_project_members, tasks_task, achievements_badge, achievements_userbadge CASCADE",
    )?;
    // Sources of its own, with other numbers.
    target.batch_execute("SELECT zentry_detach('users_user'); SELECT * FROM zentry_attach()")?;
    drop(target);
    story
        .restored(|story| {
            let dump = story.dump(&["--format=custom", "--data-only"])?;
            let output = story
                .command("pg_restore")
                .env("PGOPTIONS", "-c zentry_notify.enabled=off")
                .args([
                    "--exit-on-error",
                    "--single-transaction",
                    "--dbname=restored",
                    &dump.path(),
                ])
                .output()?;
            ensure!(
                output.status.success(),
                "pg_restore: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Ok(())
        })
        .map(drop)
}

/// A dump's events may be there long before its cursor, while the worker runs and the application writes.
#[test]
fn a_dumps_events_wait_for_its_cursor() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let (mut client, channel) = site.served("restored")?;
    // As a dump has it: two events, of which one was routed, and then its cursor.
    client.batch_execute(
        "SET check_function_bodies = off; \
         INSERT INTO zentry_notify.event (id, event_type, data) OVERRIDING SYSTEM VALUE \
           VALUES (1001, 'daily_streak', '{\"user_name\": \"routed\"}'), (1002, 'daily_streak', '{\"user_name\": \"waiting\"}'); \
         RESET check_function_bodies",
    )?;
    fire(&mut client)?;
    let sent: i64 = client
        .query_one("SELECT zentry_test_event('badge_earned')", &[])?
        .get(0);
    // What is routed already is sent.
    wait_for(
        &mut client,
        &format!("SELECT status = 'sent' FROM zentry_notify.logs WHERE id = {sent}"),
    )?;
    assert_eq!(channel.webhook.event_count(), 2);
    wait_for(&mut client, "SELECT zentry_notify.unrouted_events() = 4")?;
    client.batch_execute("INSERT INTO zentry_notify.route_cursor (routed) VALUES ('{(,2),[1001,1002)}')")?;
    channel.webhook.wait_for_events(4, SOON);
    let all = Delivery::settle(&mut client)?;
    let named = |name: &str| all.iter().filter(|d| d.payload["user_name"] == name).count();
    assert_eq!((named("routed"), named("waiting"), named("chen")), (0, 1, 2));
    assert_eq!(channel.webhook.event_count(), 4);
    Ok(())
}

#[test]
fn what_was_pending_can_be_held_back_and_released() -> Result<()> {
    let story = story()?;
    let dump = story.dump(&["--format=custom"])?;
    story.run("createdb", &["restored"])?;
    let mut admin = story.site.cluster.connect()?;
    admin.batch_execute("ALTER DATABASE restored SET zentry_notify.sending = off")?;
    let requests = story.channel.webhook.requests();
    story.run(
        "pg_restore",
        &["--exit-on-error", "--dbname=restored", &dump.path()],
    )?;
    fire(&mut story.site.connect("restored")?)?;
    // Another database is served meanwhile.
    let mut other = story.site.database("other")?;
    let channel = story.site.channel(&mut other)?;
    fire(&mut other)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(story.channel.webhook.requests(), requests);
    let mut restored = story.site.connect("restored")?;
    Delivery::wait_until(&mut restored, "both to wait", |all| {
        all.iter().filter(|d| d.waits()).count() == 2
    })?;
    assert_eq!(story.channel.webhook.requests(), requests);

    admin.batch_execute("ALTER DATABASE restored RESET zentry_notify.sending")?;
    fire(&mut restored)?;
    story.channel.webhook.wait_for_events(5, SOON);
    assert_eq!(story.channel.webhook.event_count(), 5);
    Ok(())
}

/// What users have said of events: types, wordings, tables attached by hand, in the order that several jobs happen to take.
#[test]
fn types_wordings_tokens_and_attached_tables_come_along() -> Result<()> {
    const SAID: &str = "
        SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
          SELECT 'type ' || t::text AS line FROM zentry_notify.event_type t WHERE NOT built_in
          UNION ALL SELECT 'wording ' || w::text FROM zentry_notify.event_wording w
          UNION ALL SELECT 'source ' || s::text FROM zentry_notify.event_source s WHERE by_hand
          UNION ALL SELECT 'webhook ' || w.event_types::text FROM zentry_notify.webhook_integration w
          UNION ALL SELECT 'token ' || a::text FROM zentry_notify.api_token a
          UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgname LIKE 'zentry_notify_task_blocked%') x";
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    client.batch_execute(
        "SELECT zentry_register_event_type('task_blocked', 'Blocked: {{ title }}', emoji => '⛔'); \
         SELECT zentry_set_wording('task_blocked', webhook_id => 1, text => 'for one'); \
         SELECT zentry_set_wording('task_completed', title => 'Erledigt'); \
         SELECT zentry_update_webhook(1, event_types => '{task_blocked}'); \
         CREATE ROLE lead; SELECT zentry_grant('lead', 'manager'); SELECT zentry_create_api_token('front end', 'lead'); \
         SELECT zentry_attach('task_blocked', 'tasks_task', '{\"title\": \"upper(title)\"}', condition => 'NEW.status = ''blocked''')",
    )?;
    let mut story = Story {
        site,
        client,
        channel,
    };
    let dump = story.dump(&["--format=directory", "--jobs=2"])?;
    story.run("createdb", &["restored"])?;
    story.run(
        "pg_restore",
        &["--exit-on-error", "--jobs=2", "--dbname=restored", &dump.path()],
    )?;
    let mut restored = story.site.connect("restored")?;
    let said = |client: &mut Client| -> Result<String> { Ok(client.query_one(SAID, &[])?.get(0)) };
    let before = said(&mut story.client)?;
    assert_eq!(before.lines().count(), 8, "{before}");
    assert_eq!(said(&mut restored)?, before);
    restored.batch_execute("UPDATE tasks_task SET status = 'blocked' WHERE id = 2")?;
    story.channel.webhook.wait_for_events(1, SOON);
    let shown = &story.channel.webhook.shown()[0];
    assert_eq!(
        (&*shown.title, &*shown.text),
        ("⛔ Blocked: WRITE THE LANDING PAGE", "for one")
    );
    Ok(())
}
