//! What is measured on: a cluster with default durability, and a database for each way of telling somebody of a write.

use std::time::Duration;

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use crate::effort::Effort;
use crate::receiver::Receiver;

/// Projects, users, and integrations: one for each project.
pub const CHANNELS: usize = 100;
/// The worker reads the 10,000,000 events of the part `finished` once, which takes minutes.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Bare,
    /// The statement itself inserts the log's row: no trigger, no join.
    Floor,
    /// A plpgsql row trigger joins and inserts into an outbox.
    RowTrigger,
    /// A plpgsql statement trigger does it from transition tables.
    StatementTrigger,
    /// The extension writes it, and its worker is kept from sending.
    Ours,
    /// The same, and the worker sends meanwhile.
    OursSending,
    /// The extension with 10,000,000 finished rows in its log.
    Finished,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Bare => "bare",
            Way::Floor => "floor",
            Way::RowTrigger => "plpgsql row trigger",
            Way::StatementTrigger => "plpgsql statement trigger",
            Way::Ours => "ours",
            Way::OursSending => "ours, and sent meanwhile",
            Way::Finished => "ours, 10,000,000 finished",
        }
    }

    pub fn database(self) -> &'static str {
        match self {
            Way::Bare => "bare",
            Way::Floor => "floor",
            Way::RowTrigger => "row_trigger",
            Way::StatementTrigger => "statement_trigger",
            Way::Ours | Way::OursSending => "ours",
            Way::Finished => "finished",
        }
    }

    /// The tables that writes fill, of version 0.2.0 (`earlier`) or of this one.
    fn log(self, earlier: bool) -> Option<&'static str> {
        match self {
            Way::Bare => None,
            Way::Floor | Way::RowTrigger | Way::StatementTrigger => Some("outbox"),
            Way::Ours | Way::OursSending if earlier => Some("zentry_notify.notification_log"),
            Way::Ours | Way::OursSending => {
                Some("zentry_notify.event, zentry_notify.event_detail, zentry_notify.delivery")
            }
            // Its rows are the point.
            Way::Finished => None,
        }
    }

    fn setup(self) -> &'static str {
        match self {
            Way::Bare => "",
            Way::Floor => include_str!("sql/outbox.sql"),
            Way::RowTrigger => concat!(
                include_str!("sql/outbox.sql"),
                include_str!("sql/row_trigger.sql")
            ),
            Way::StatementTrigger => concat!(
                include_str!("sql/outbox.sql"),
                include_str!("sql/statement_trigger.sql")
            ),
            Way::Ours | Way::OursSending | Way::Finished => "CREATE EXTENSION zentry_notify",
        }
    }
}

/// How tasks are spread over projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Over all channels' projects in turn.
    Even,
    /// All in the first project.
    OneProject,
    /// Ten to a project.
    SmallProjects,
    /// Over a thousand projects in turn.
    ThousandProjects,
    /// Over ten thousand projects in turn.
    TenThousandProjects,
}

impl Spread {
    fn project(self) -> &'static str {
        match self {
            Spread::Even => "1 + n % 100",
            Spread::OneProject => "1",
            Spread::SmallProjects => "1 + n / 10",
            Spread::ThousandProjects => "1 + n % 1000",
            Spread::TenThousandProjects => "1 + n % 10000",
        }
    }

    /// As many people as projects, as far as there are.
    fn people(self) -> usize {
        match self {
            Spread::ThousandProjects => 1_000,
            _ => CHANNELS,
        }
    }
}

#[derive(Debug)]
pub struct Bed {
    pub cluster: Cluster,
    pub receiver: Receiver,
    pub effort: Effort,
}

impl Bed {
    pub fn make(effort: Effort) -> Result<Self> {
        let receiver = Receiver::start()?;
        let options = ClusterOptions {
            durable: true,
            ..ClusterOptions::default()
        };
        let options = options
            .set(
                "zentry_notify.allowed_hosts",
                format!("127.0.0.1:{}", receiver.port),
            )
            .set("zentry_notify.allow_http", "on")
            .set("zentry_notify.allow_private_addresses", "on")
            .set("zentry_notify.idle_timeout", "1h")
            .set("zentry_notify.milestones", "100");
        let bed = Bed {
            cluster: Cluster::start(options)?,
            receiver,
            effort,
        };
        bed.make_tables()?;
        for way in [Way::Floor, Way::RowTrigger, Way::StatementTrigger, Way::Ours] {
            bed.make_database(way)?;
        }
        Ok(bed)
    }

    /// Zentry's tables with users, projects, and an integration of the application's own for each project.
    fn make_tables(&self) -> Result<()> {
        self.cluster.connect()?.batch_execute("CREATE DATABASE bare")?;
        let mut client = self.connect(Way::Bare)?;
        client.batch_execute(zentry::TABLES)?;
        client.batch_execute(include_str!("sql/zentry.sql"))?;
        client.batch_execute("VACUUM (ANALYZE)")?;
        Ok(())
    }

    pub fn make_database(&self, way: Way) -> Result<()> {
        let database = way.database();
        self.cluster
            .connect()?
            .batch_execute(&format!("CREATE DATABASE {database} TEMPLATE bare"))?;
        self.connect(way)?.batch_execute(way.setup())?;
        Ok(())
    }

    pub fn connect(&self, way: Way) -> Result<Client> {
        self.cluster.connect_as("postgres", way.database())
    }

    /// One integration for each of the first projects, or one that hears of all projects; instead of those that were registered by this
    /// before.
    pub fn register(&self, way: Way, audience: Audience) -> Result<()> {
        let mut client = self.connect(way)?;
        let mut transaction = client.transaction()?;
        transaction
            .batch_execute("DELETE FROM zentry_notify.webhook_integration WHERE name LIKE 'Channel %'")?;
        let register = transaction.prepare("SELECT zentry_register_webhook($1, 'discord', $2, $3, $4)")?;
        for number in 0..audience.integrations {
            let project = audience.by_project.then_some(1 + (number / audience.each) as i64);
            transaction.execute(
                &register,
                &[
                    &format!("Channel {number}"),
                    &self.receiver.url(number),
                    &project,
                    &audience.events,
                ],
            )?;
        }
        transaction.execute(
            "UPDATE zentry_notify.webhook_integration SET max_events_per_message = $1, min_interval = $2::text::interval",
            &[&audience.events_per_message, &if audience.held { "1 hour" } else { "0" }],
        )?;
        Ok(transaction.commit()?)
    }

    /// As many open tasks, nothing in the log, everything vacuumed and on disk.
    pub fn refill(&self, way: Way, tasks: u32, spread: Spread) -> Result<()> {
        let mut client = self.connect(way)?;
        client.batch_execute("SET session_replication_role = replica; TRUNCATE tasks_task")?;
        let fill = format!(
            "INSERT INTO tasks_task (id, title, description, status, priority, emoji, experience_reward, created_at, \
                                     updated_at, assigned_to_id, created_by_id, project_id) \
             SELECT n, 'Task ' || n, 'What has to be done, in a sentence or two', 'todo', 'medium', '', 10, now(), \
                    now(), 1 + n % {people}, 1 + n % {people}, {} FROM generate_series(1, {tasks}) n",
            spread.project(),
            people = spread.people(),
        );
        client.batch_execute(&fill)?;
        self.empty_log(way)?;
        client.batch_execute("VACUUM (ANALYZE) tasks_task")?;
        client.batch_execute("CHECKPOINT")?;
        Ok(())
    }

    /// Leaves nothing in the tables that writes fill.
    pub fn empty_log(&self, way: Way) -> Result<()> {
        let mut client = self.connect(way)?;
        if let Some(log) = way.log(is_earlier(&mut client)?) {
            client.batch_execute(&format!("TRUNCATE {log}"))?;
        }
        Ok(())
    }

    /// Waits until nothing is left to be routed or sent.
    pub fn wait_until_sent(&self, way: Way) -> Result<()> {
        let mut client = self.connect(way)?;
        let left = if is_earlier(&mut client)? {
            "SELECT EXISTS (SELECT FROM zentry_notify.notification_log WHERE status IN ('pending', 'retry'))"
        } else {
            "SELECT zentry_notify.unrouted_events() > 0 \
                 OR EXISTS (SELECT FROM zentry_notify.delivery WHERE status IN ('p', 'r'))"
        };
        eventually(PATIENCE, "everything to be sent", || {
            let row = client.query_one(left, &[]).ok()?;
            (!row.get::<_, bool>(0)).then_some(())
        })
    }

    /// Of all databases.
    pub fn wait_until_worker_left(&self) -> Result<()> {
        let mut client = self.cluster.connect()?;
        let workers = "SELECT FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' LIMIT 1";
        eventually(PATIENCE, "the worker to leave", || {
            client.query_opt(workers, &[]).ok()?.is_none().then_some(())
        })
    }

    /// The process of the launcher or of the way's worker, which may not be there yet.
    pub fn process(&self, way: Way, who: &str) -> Result<u32> {
        let mut client = self.cluster.connect()?;
        let find = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zentry_notify ' || $1 AND coalesce(datname, $2) = $2";
        eventually(PATIENCE, format!("the {who}"), || {
            let row = client.query_opt(find, &[&who, &way.database()]).ok()??;
            u32::try_from(row.get::<_, i32>(0)).ok()
        })
    }
}

/// Whether the database has the tables of version 0.2.0.
pub fn is_earlier(client: &mut Client) -> Result<bool> {
    let row = client.query_one("SELECT to_regclass('zentry_notify.event') IS NULL", &[])?;
    Ok(row.get(0))
}

/// Who hears.
#[derive(Clone, Copy, Debug)]
pub struct Audience {
    pub integrations: usize,
    /// Each hears of one project, the first of the first and so on; else all hear of all.
    pub by_project: bool,
    /// How many webhooks each project has.
    pub each: usize,
    pub events: Option<&'static [&'static str]>,
    pub events_per_message: i16,
    pub held: bool,
}

impl Default for Audience {
    fn default() -> Self {
        Audience {
            integrations: CHANNELS,
            by_project: true,
            each: 1,
            events: Some(&["task_completed"]),
            events_per_message: 10,
            held: false,
        }
    }
}
