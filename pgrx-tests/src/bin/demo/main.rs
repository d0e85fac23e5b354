//! The demo: a private cluster with Zentry's tables, an emulator of the services, writes as the application makes
//! them, and the messages that come of them. Ends with an error when anything that should arrive does not.

mod background;
mod database;
mod narrator;
mod story;

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use zentry_e2e::cluster::Cluster;
use zentry_e2e::emulator::{Emulator, Kind, Limits, Verdict, Webhook, render};
use zentry_e2e::wait::eventually;

use self::background::State;
use self::database::DATABASE;
use self::narrator::Narrator;
use self::story::Step;

const LOG: &str = "\
SELECT id, to_char(created_at, 'HH24:MI:SS') AS created, event_type, webhook_type AS type,
       status, response_status_code AS code, attempts,
       round(1000 * extract(epoch FROM sent_at - created_at)) AS ms
FROM zentry_notify.logs ORDER BY id;";
const STATS: &str = "\
SELECT webhook_id AS id, event_type, sent, failed, retried, requests,
       events_per_message AS per_message, p50, p95
FROM zentry_stats('1 hour') WHERE webhook_id = 1;";
/// What the guide's pages attach.
const GUIDE_TABLES: &str = concat!(
    include_str!("../../../fixtures/plain.sql"),
    // Of the page about an event type of one's own.
    "ALTER TABLE task ADD COLUMN reason text;"
);
/// Webhooks that nobody has registered, by the variables of psql that have their URLs.
const FREE: [(&str, Kind); 8] = [
    ("DISCORD", Kind::Discord),
    ("TEAMS", Kind::Connector),
    ("WORKFLOW", Kind::Workflow),
    ("SLACK", Kind::Slack),
    ("GOOGLE_CHAT", Kind::GoogleChat),
    ("MATTERMOST", Kind::Mattermost),
    ("NTFY", Kind::Ntfy),
    ("PROGRAM", Kind::Signed),
];

/// Names and kinds of what is registered.
const CHANNELS: [(&str, Kind); 8] = [
    ("Team channel", Kind::Discord),
    ("Team channel in Teams", Kind::Connector),
    ("Team channel in Teams, by a workflow", Kind::Workflow),
    ("Team channel in Slack", Kind::Slack),
    ("Team space in Google Chat", Kind::GoogleChat),
    ("Team channel in Mattermost", Kind::Mattermost),
    ("Team topic of ntfy", Kind::Ntfy),
    ("A program, which gets signed JSON", Kind::Signed),
];
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("\nerror: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let narrator = Narrator::new();
    match env::args().nth(1).as_deref() {
        None => {
            Demo::play(narrator)?.point_out()?;
            Ok(ExitCode::SUCCESS)
        }
        Some("--keep") => background::launch(narrator.colour()),
        Some(background::ARGUMENT) => {
            let demo = Demo::play(narrator)?;
            let _kept = demo.explain()?;
            background::serve()?;
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => bail!("unknown argument {other}: the only one is --keep"),
    }
}

struct Demo {
    narrator: Narrator,
    cluster: Cluster,
    emulator: Emulator,
    webhooks: Vec<Webhook>,
    /// Events that every webhook should have got so far.
    expected: u64,
    /// Requests to the emulator that have been shown.
    shown: usize,
}

impl Demo {
    /// From an empty cluster to the log at the end.
    fn play(mut narrator: Narrator) -> Result<Self> {
        let start = Instant::now();
        narrator.heading(
            "A private cluster",
            "With Zentry's tables and a little data. It has no connection with any other cluster on this\nmachine. All times are in UTC.",
        )?;
        let emulator = Emulator::start()?;
        let cluster = database::start(&emulator)?;
        let webhooks = CHANNELS.map(|(_, kind)| emulator.register(kind)).to_vec();
        for webhook in &webhooks {
            // One message a second, which the worker keeps to on their own hosts alone: here it would be told off each time, and wait.
            if matches!(webhook.kind(), Kind::Slack | Kind::GoogleChat) {
                webhook.limit(Limits::default());
            }
        }
        let mut demo = Self {
            narrator,
            cluster,
            emulator,
            webhooks,
            expected: 0,
            shown: 0,
        };

        let version = demo.query("SHOW server_version")?;
        let page = demo.emulator.http_base().to_owned();
        demo.narrator.check(format!(
            "PostgreSQL {} runs, with a socket of its own",
            version.trim()
        ))?;
        demo.narrator
            .check(format!("The services are played by an emulator at {page}"))?;

        demo.install()?;
        demo.register()?;
        for step in story::TOLD {
            demo.tell(step)?;
        }
        demo.keep_silent()?;
        demo.show_log()?;
        demo.show_status()?;
        let seconds = start.elapsed().as_secs_f32();
        demo.narrator.line("")?;
        demo.narrator.check(format!(
            "Everything arrived, and nothing else did, in {seconds:.1} s"
        ))?;
        Ok(demo)
    }

    fn install(&mut self) -> Result<()> {
        self.narrator.heading(
            "The extension is installed",
            "shared_preload_libraries = 'zentry_notify' is set. It looks for Zentry's tables and attaches itself.",
        )?;
        self.run("CREATE EXTENSION zentry_notify;")
    }

    fn register(&mut self) -> Result<()> {
        self.narrator.heading(
            "A channel of each service is registered",
            "For every project and every event. Of the two Teams URLs, one takes a MessageCard,\n\
             the other an Adaptive Card: the URL tells which.",
        )?;
        for ((name, kind), webhook) in CHANNELS.into_iter().zip(self.webhooks.clone()) {
            let kind = kind.webhook_type();
            // A URL is a secret, and psql's variables keep it out of what is shown.
            let url = webhook.https_url();
            let shown: String = url.chars().take(76).collect();
            self.narrator.line(format!("    \\set url {shown}…"))?;
            let sql = format!("SELECT zentry_register_webhook('{name}', '{kind}', :'url');");
            self.narrator.sql(&sql)?;
            let output = self.psql(&["--set", &format!("url={url}")], &sql)?;
            self.narrator.answer(&output)?;
        }
        Ok(())
    }

    /// Run a step and show what comes of it in every channel.
    fn tell(&mut self, step: &Step) -> Result<()> {
        self.narrator.heading(step.title, step.why)?;
        self.run(step.sql)?;
        self.expected += step.events;
        self.wait_for_messages()?;
        self.show_messages()
    }

    fn wait_for_messages(&self) -> Result<()> {
        for webhook in &self.webhooks {
            let arrived = eventually(PATIENCE, format!("{} events in all", self.expected), || {
                (webhook.event_count() >= self.expected).then_some(())
            });
            if let Err(error) = arrived {
                let requests: String = webhook
                    .received()
                    .iter()
                    .map(|request| format!("  {}: {:?}\n", request.at, request.verdict))
                    .collect();
                bail!(
                    "{} got {} events; {error}\nIts requests:\n{requests}The log:\n{}",
                    webhook.name(),
                    webhook.event_count(),
                    self.psql(&[], LOG)?,
                );
            }
        }
        Ok(())
    }

    fn show_messages(&mut self) -> Result<()> {
        let received = self.emulator.received();
        // Answers of "too many" in a row, by kind.
        let mut too_many: Vec<(&str, usize)> = Vec::new();
        for message in &received[self.shown..] {
            if message.verdict == Verdict::RateLimited {
                let kind = message.kind.map_or("no webhook", Kind::name);
                match too_many.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, times)) => *times += 1,
                    None => too_many.push((kind, 1)),
                }
                continue;
            }
            self.narrator.line("")?;
            if message.accepted() {
                self.narrator
                    .line(render::terminal(message, self.narrator.colour()).trim_end())?;
            } else {
                let kind = message.kind.map_or("no webhook", Kind::name);
                self.narrator
                    .line(format!("{kind} did not take a request: {:?}", message.verdict))?;
            }
        }
        for (kind, times) in too_many {
            let times = if times == 1 {
                "once".to_owned()
            } else {
                format!("{times} times")
            };
            self.narrator.line("")?;
            self.narrator.line(format!(
                "The {kind} answered \"too many requests\" {times}, as it does to who is faster than it\n\
                 allows. Nothing is lost: the worker waited, and sent what is above."
            ))?;
        }
        self.shown = received.len();
        Ok(())
    }

    fn keep_silent(&mut self) -> Result<()> {
        self.narrator.heading("Writes that nobody should hear of", "")?;
        self.settle()?;
        let before = self.count_deliveries()?;
        for (what, sql) in story::SILENT {
            self.narrator.line(format!("{what}:"))?;
            self.run(sql)?;
            self.narrator.line("")?;
            self.settle()?;
            ensure!(
                self.count_deliveries()? == before,
                "{what} fired an event:\n{}",
                self.query("TABLE zentry_notify.logs")?
            );
        }
        self.narrator.check("none of them left a row in the log")?;
        Ok(())
    }

    /// Wait until every outcome is recorded, then print the log as psql does.
    fn show_log(&mut self) -> Result<()> {
        self.narrator.heading(
            "The log",
            "Queue and log in one table: every delivery with its outcome.",
        )?;
        self.settle()?;
        self.run(LOG)?;
        let not_sent = self.query("SELECT count(*) FROM zentry_notify.logs WHERE status <> 'sent'")?;
        ensure!(not_sent.trim() == "0", "{} deliveries failed", not_sent.trim());
        for webhook in &self.webhooks {
            let (got, expected) = (webhook.event_count(), self.expected);
            ensure!(
                got == expected,
                "{} got {got} events instead of {expected}",
                webhook.name()
            );
        }
        Ok(())
    }

    /// What an operator is told.
    fn show_status(&mut self) -> Result<()> {
        self.narrator.heading(
            "Is it working?",
            "Each part of the way from the write to the message, and where one is not ok, the SQL that mends it.",
        )?;
        self.run("SELECT * FROM zentry_status();")?;
        let counted = format!(
            "SELECT coalesce(sum(sent), 0) = {} FROM zentry_stats('1 hour') WHERE event_type = '*'",
            self.expected * self.webhooks.len() as u64
        );
        eventually(PATIENCE, "everything to be counted", || {
            (self.query(&counted).ok()?.trim() == "t").then_some(())
        })?;
        self.narrator.line("")?;
        self.run(STATS)?;
        let not_ok = self.query("SELECT * FROM zentry_status() WHERE state <> 'ok'")?;
        ensure!(not_ok.trim().is_empty(), "not everything is ok:\n{not_ok}");
        Ok(())
    }

    /// How to go on, for a demo that is over.
    fn point_out(&mut self) -> Result<()> {
        self.lines(&[
            "",
            "What next?",
            "    make psql      the same, kept, and psql in it: for what docs/guide/ has to try",
            "    make web       the admin pages and the REST API over it, in a browser",
            "    docs/guide/    set up a channel, attach tables of your own",
            "    docs/operations.md    install it on a server",
        ])
    }

    /// How to go on, for a demo that is kept. The guide's tables, and webhooks that nobody has registered yet, are for what it has to try.
    fn explain(mut self) -> Result<(Self, State)> {
        let mut client = self.cluster.connect_as("postgres", DATABASE)?;
        client.batch_execute(GUIDE_TABLES)?;
        let page = format!("{}/", self.emulator.http_base());
        let urls = FREE.map(|(name, kind)| (name, self.emulator.register(kind).https_url()));
        let state = State::write(self.cluster.dir(), &page, &urls)?;
        let page = format!("    the messages   {page}");
        self.lines(&[
            "",
            "Cluster and emulator go on running. What next?",
            &page,
            "    make psql      psql in it, for what docs/guide/ has to try: its tables are there, and URLs to",
            "                   register: :'discord', :'teams' (a connector), :'workflow', :'slack',",
            "                   :'google_chat', :'mattermost', :'ntfy' and :'program'",
            "    make web       the admin pages and the REST API over it, in a browser",
            "    make stop      the end",
        ])?;
        Ok((self, state))
    }

    fn lines(&mut self, lines: &[&str]) -> Result<()> {
        for line in lines {
            self.narrator.line(line)?;
        }
        Ok(())
    }

    /// Show SQL, run it by psql, show what psql prints.
    fn run(&mut self, sql: &str) -> Result<()> {
        self.narrator.sql(sql)?;
        let output = self.psql(&[], sql)?;
        self.narrator.answer(&output)?;
        Ok(())
    }

    /// Wait until every event is routed and every outcome recorded.
    fn settle(&self) -> Result<()> {
        let settled = "SELECT zentry_notify.unrouted_events() = 0 \
                          AND NOT EXISTS (SELECT FROM zentry_notify.logs WHERE status IN ('pending', 'retry'))";
        eventually(PATIENCE, "all outcomes to be recorded", || {
            (self.query(settled).ok()?.trim() == "t").then_some(())
        })
    }

    fn count_deliveries(&self) -> Result<String> {
        self.query("SELECT count(*) FROM zentry_notify.notification_log")
    }

    fn query(&self, sql: &str) -> Result<String> {
        self.psql(&["--no-align", "--tuples-only"], sql)
    }

    /// What psql prints for `sql`, notices included.
    fn psql(&self, options: &[&str], sql: &str) -> Result<String> {
        database::psql(&self.cluster, options, sql)
    }
}
