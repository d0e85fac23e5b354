//! A database with a bit of everything, and its dumps.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use nix::unistd::Pid;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Channel, Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for_counters};

/// The configuration and state that has to come along, as text.
pub const KEPT: &str = "
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

pub struct Story {
    pub site: Site,
    pub client: Client,
    pub channel: Channel,
}

impl Story {
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = self.command(program).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    pub fn command(&self, program: &str) -> Command {
        self.site.cluster.client_command(program)
    }

    /// A file (or directory) for a dump, which nothing else uses.
    pub fn dump(&self, arguments: &[&str]) -> Result<Dump> {
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

    pub fn restored(&mut self, restore: impl FnOnce(&Self) -> Result<()>) -> Result<Client> {
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

pub fn similar_asserts(before: &[String], after: &[String]) {
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
pub struct Dump(pub PathBuf);

impl Dump {
    pub fn path(&self) -> String {
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

/// A database with two sent deliveries, one that failed and one that waits for ever, and a type of the user's own.
pub fn story() -> Result<Story> {
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
