//! Where most end-to-end tests play: a database with Zentry's tables and the extension in it, and an emulator of Discord
//! and Teams that it may post to.

use std::borrow::Borrow;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use postgres::{Client, Row};
use serde_json::Value;

use crate::cluster::TestDatabase;
use crate::emulator::{Emulator, Kind, Webhook};
use crate::wait::eventually;
use crate::zentry;

/// How long a test waits for what should take milliseconds: long, because the machine may be busy.
pub const SOON: Duration = Duration::from_secs(90);

/// An emulator, and a database that knows no other host.
pub struct Scene {
    /// A superuser's session: the application's, and the administrator's.
    pub client: Client,
    pub database: TestDatabase,
    pub emulator: Emulator,
}

/// A webhook of the emulator, registered in the database.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its `webhook_integration_id`.
    pub id: i64,
    pub webhook: Webhook,
}

impl Scene {
    /// With Zentry's tables, [`zentry::DATA`] and the extension, and no webhook registered.
    pub fn start() -> Result<Self> {
        let mut scene = Self::empty()?;
        zentry::load(&mut scene.client)?;
        scene.install()?;
        Ok(scene)
    }

    /// With an empty database.
    pub fn empty() -> Result<Self> {
        let emulator = Emulator::start()?;
        let database = TestDatabase::create()?;
        database.set("zentry_notify.allowed_hosts", &hosts(&emulator))?;
        Ok(Self {
            client: database.connect()?,
            database,
            emulator,
        })
    }

    /// `CREATE EXTENSION`.
    pub fn install(&mut self) -> Result<()> {
        install(&mut self.client)
    }

    /// Register a new webhook for every event of every project.
    pub fn channel(&mut self, kind: Kind) -> Result<Channel> {
        self.channel_for(kind, None, None)
    }

    /// Register a new webhook for the events of `project` (none: of every project) that `event_types` names (none: all).
    pub fn channel_for(
        &mut self,
        kind: Kind,
        project: Option<i64>,
        event_types: Option<&[&str]>,
    ) -> Result<Channel> {
        let webhook = self.emulator.register(kind);
        let id = register(&mut self.client, &webhook, project, event_types)?;
        Ok(Channel { id, webhook })
    }

    /// All deliveries, oldest first.
    pub fn deliveries(&mut self) -> Result<Vec<Delivery>> {
        Delivery::all(&mut self.client)
    }

    /// Wait until `enough` holds of all deliveries; returns them.
    pub fn wait_until(
        &mut self,
        what: &str,
        enough: impl FnMut(&[Delivery]) -> bool,
    ) -> Result<Vec<Delivery>> {
        Delivery::wait_until(&mut self.client, what, enough)
    }

    /// Wait until the worker has nothing left to do: no delivery waits and no event is to be routed. Returns all
    /// deliveries.
    pub fn settle(&mut self) -> Result<Vec<Delivery>> {
        Delivery::settle(&mut self.client)
    }
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene")
            .field("database", &self.database)
            .field("emulator", &self.emulator)
            .finish_non_exhaustive()
    }
}

/// `CREATE EXTENSION` by a superuser. A server with assertions may discard its caches whenever that could happen (`make test-assert`): this would take
/// a minute, and is left to the tests that are about it.
pub fn install(client: &mut Client) -> Result<()> {
    client.batch_execute("SET debug_discard_caches = 0")?;
    client.batch_execute("CREATE EXTENSION zentry_notify")?;
    Ok(client.batch_execute("RESET debug_discard_caches")?)
}

/// The emulator's ports as `zentry_notify.allowed_hosts` has them.
pub fn hosts(emulator: &Emulator) -> String {
    let host = |base: &str| base.split_once("://").map_or(base, |(_, host)| host).to_owned();
    format!("{}, {}", host(emulator.http_base()), host(emulator.https_base()))
}

/// Register `webhook`; its `webhook_integration_id`.
pub fn register(
    client: &mut Client,
    webhook: &Webhook,
    project: Option<i64>,
    event_types: Option<&[&str]>,
) -> Result<i64> {
    let kind = webhook.kind().webhook_type();
    let row = client.query_one(
        "SELECT zentry_register_webhook($1, $2, $3, $4, $5)",
        &[&webhook.name(), &kind, &webhook.url(), &project, &event_types],
    )?;
    Ok(row.get(0))
}

/// Whether there are deliveries and all of them are sent.
pub fn all_sent<D: Borrow<Delivery>>(deliveries: &[D]) -> bool {
    let mut statuses = deliveries
        .iter()
        .map(|delivery| delivery.borrow().status.as_str());
    !deliveries.is_empty() && statuses.all(|status| status == "sent")
}

/// Whether there are deliveries and each was sent by its first attempt.
pub fn all_sent_at_once(deliveries: &[Delivery]) -> bool {
    all_sent(deliveries) && deliveries.iter().all(|delivery| delivery.attempts == 1)
}

/// A row of `zentry_notify.notification_log`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the columns' names
pub struct Delivery {
    pub id: i64,
    pub webhook_integration_id: i64,
    pub event_type: String,
    pub payload: Value,
    pub status: String,
    pub response_status_code: Option<i32>,
    pub response_body: String,
    pub error_message: String,
    pub retry_count: i32,
    pub attempts: i32,
    pub created_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    pub next_attempt_at: Option<Timestamp>,
    pub retry_of: Option<i64>,
}

impl Delivery {
    /// All of them, oldest first.
    pub fn all(client: &mut Client) -> Result<Vec<Self>> {
        let rows = client.query("SELECT * FROM zentry_notify.notification_log ORDER BY id", &[])?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// Wait until `enough` holds of all deliveries; returns them.
    pub fn wait_until(
        client: &mut Client,
        what: &str,
        mut enough: impl FnMut(&[Self]) -> bool,
    ) -> Result<Vec<Self>> {
        let mut last = Ok(Vec::new());
        let found = eventually(SOON, what, || {
            last = Self::all(client);
            last.as_ref().is_ok_and(|all| enough(all)).then_some(())
        });
        let last = last?;
        found.with_context(|| format!("{last:#?}"))?;
        Ok(last)
    }

    /// Wait until the worker has nothing left to do; returns all deliveries.
    pub fn settle(client: &mut Client) -> Result<Vec<Self>> {
        // In one statement: the worker writes that an event is routed in the transaction in which it writes what comes of it.
        const BUSY: &str = "SELECT zentry_notify.unrouted_events() > 0 OR EXISTS (SELECT FROM zentry_notify.progress_note) \
                            OR EXISTS (SELECT FROM zentry_notify.notification_log WHERE status IN ('pending', 'retry'))";
        let idle = eventually(SOON, "the worker to have nothing left to do", || {
            let row = client.query_one(BUSY, &[]).ok()?;
            (!row.get::<_, bool>(0)).then_some(())
        });
        let all = Self::all(client)?;
        idle.with_context(|| format!("{all:#?}"))?;
        Ok(all)
    }

    /// Whether it waits to be sent.
    pub fn waits(&self) -> bool {
        matches!(self.status.as_str(), "pending" | "retry")
    }

    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            webhook_integration_id: row.get("webhook_integration_id"),
            event_type: row.get("event_type"),
            payload: row.get("payload"),
            status: row.get("status"),
            response_status_code: row.get("response_status_code"),
            response_body: row.get("response_body"),
            error_message: row.get("error_message"),
            retry_count: row.get("retry_count"),
            attempts: row.get("attempts"),
            created_at: row.get("created_at"),
            sent_at: row.get("sent_at"),
            next_attempt_at: row.get("next_attempt_at"),
            retry_of: row.get("retry_of"),
        }
    }
}
