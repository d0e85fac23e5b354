//! A cluster of its own with an emulator, for tests that do to a server what others must not feel.

use std::fmt;

use anyhow::{Context, Result};
use postgres::Client;

use crate::cluster::{Cluster, ClusterOptions};
use crate::emulator::{Emulator, Kind};
use crate::scene::{Channel, Delivery, SOON, hosts, install, register};
use crate::wait::eventually;
use crate::zentry::{self, id};

/// A cluster that may post to its emulator and to nobody else.
pub struct Site {
    pub cluster: Cluster,
    pub emulator: Emulator,
}

impl Site {
    pub fn start(options: ClusterOptions) -> Result<Self> {
        let emulator = Emulator::start()?;
        let options = options
            .set("zentry_notify.allowed_hosts", hosts(&emulator))
            .set("zentry_notify.allow_http", "on")
            .set("zentry_notify.allow_private_addresses", "on");
        let cluster = Cluster::start(options)?;
        Ok(Self { cluster, emulator })
    }

    /// Make a database with Zentry's tables, their data and the extension; a superuser's session in it.
    pub fn database(&self, name: &str) -> Result<Client> {
        self.cluster
            .connect()?
            .batch_execute(&format!("CREATE DATABASE {name}"))?;
        let mut client = self.connect(name)?;
        zentry::load(&mut client)?;
        install(&mut client)?;
        Ok(client)
    }

    /// As [`Self::database`], with a webhook that one delivery was sent to: its worker is there and has nothing to do.
    pub fn served(&self, name: &str) -> Result<(Client, Channel)> {
        let mut client = self.database(name)?;
        let channel = self.channel(&mut client)?;
        fire(&mut client)?;
        channel.webhook.wait_for_events(1, SOON);
        Delivery::settle(&mut client)?;
        Ok((client, channel))
    }

    /// A superuser's session.
    pub fn connect(&self, database: &str) -> Result<Client> {
        self.cluster.connect_as("postgres", database)
    }

    /// Register a new Discord webhook for everything.
    pub fn channel(&self, client: &mut Client) -> Result<Channel> {
        let webhook = self.emulator.register(Kind::Discord);
        let id = register(client, &webhook, None, None)?;
        Ok(Channel { id, webhook })
    }

    /// The process id of the database's worker.
    pub fn worker(&self, database: &str) -> Result<Option<i32>> {
        self.process("zentry_notify worker", Some(database))
    }

    /// The process id of the cluster's launcher.
    pub fn launcher(&self) -> Result<i32> {
        eventually(SOON, "the launcher to be there", || {
            self.process("zentry_notify launcher", None).ok().flatten()
        })
    }

    /// Wait until the database's worker, if it had one, is gone.
    pub fn wait_until_left(&self, database: &str) -> Result<()> {
        eventually(SOON, format!("the worker of {database} to leave"), || {
            matches!(self.worker(database), Ok(None)).then_some(())
        })
    }

    fn process(&self, kind: &str, database: Option<&str>) -> Result<Option<i32>> {
        const SQL: &str =
            "SELECT pid FROM pg_stat_activity WHERE backend_type = $1 AND datname IS NOT DISTINCT FROM $2";
        let row = self.cluster.connect()?.query_opt(SQL, &[&kind, &database])?;
        Ok(row.map(|row| row.get(0)))
    }

    /// How often the server has logged `needle` since byte `start`.
    pub fn logged(&self, start: u64, needle: &str) -> Result<usize> {
        Ok(self.cluster.log_since(start)?.matches(needle).count())
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("cluster", &self.cluster)
            .field("emulator", &self.emulator)
            .finish()
    }
}

/// A write that every webhook of the database hears of, once: somebody's streak gets longer.
pub fn fire(client: &mut Client) -> Result<()> {
    zentry::extend_streak(client, id::CHEN)
}

/// Wait until this many deliveries of all webhooks are counted: counters follow the outcomes within a second.
pub fn wait_for_counters(client: &mut Client, finished: u32) -> Result<()> {
    wait_for(
        client,
        &format!(
            "SELECT coalesce(sum(sent + failed), 0) = {finished} FROM zentry_notify.delivery_totals WHERE event_type = '*'"
        ),
    )
}

/// Wait until the only row of the only column of `sql` is true; null, as of an aggregate of no rows, is not true.
pub fn wait_for(client: &mut Client, sql: &str) -> Result<()> {
    let mut last = None;
    let held = eventually(SOON, sql, || match client.query_one(sql, &[]) {
        Ok(row) => (row.get::<_, Option<bool>>(0) == Some(true)).then_some(()),
        Err(error) => {
            last = Some(error);
            None
        }
    });
    held.with_context(|| format!("the last error: {last:?}"))
}
