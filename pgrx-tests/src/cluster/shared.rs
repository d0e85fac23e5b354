//! One cluster for many tests, each with a database of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result};
use once_cell::sync::OnceCell;
use postgres::Client;

use super::options::ClusterOptions;
use super::{Cluster, SUPERUSER};

impl Cluster {
    /// The cluster that the tests of this process share; its guard removes it when the process ends.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Cluster> = OnceCell::new();
        let start = || -> Result<_> {
            // A worker for every database that has work, and tests run at once.
            let options = ClusterOptions::default()
                .logical()
                .set("max_worker_processes", 64)
                .set("max_connections", 200)
                .set("zentry_notify.max_workers", 48)
                .set("zentry_notify.allow_http", "on")
                .set("zentry_notify.allow_private_addresses", "on");
            let cluster = Cluster::start(options)?;
            cluster.stage.spread(&cluster.dir.join("data/base"));
            Ok(cluster)
        };
        SHARED.get_or_try_init(start).context("the shared cluster")
    }
}

/// A database in the shared cluster, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    cluster: &'static Cluster,
    name: String,
}

impl TestDatabase {
    /// An empty database, named after the running test.
    pub fn create() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let cluster = Cluster::shared()?;
        let name = database_name(NUMBER.fetch_add(1, Ordering::Relaxed));
        cluster
            .connect()?
            .batch_execute(&format!("CREATE DATABASE {name}"))?;
        Ok(Self { cluster, name })
    }

    /// The database's name, which needs no quotes in SQL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that the database is in.
    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Change a setting for sessions and workers that start in this database from now on.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let value = value.replace('\'', "''");
        let alter = format!("ALTER DATABASE {} SET {name} = '{value}'", self.name);
        Ok(self.cluster.connect()?.batch_execute(&alter)?)
    }

    /// Connect as superuser.
    pub fn connect(&self) -> Result<Client> {
        self.connect_as(SUPERUSER)
    }

    /// Connect as `role`.
    pub fn connect_as(&self, role: &str) -> Result<Client> {
        self.cluster.connect_as(role, &self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if thread::panicking() {
            self.cluster.print_log_tail();
        }
        let dropped = self.cluster.connect().and_then(|mut client| {
            Ok(client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name))?)
        });
        if let Err(error) = dropped {
            eprintln!("cannot drop the test's database: {error:#}");
        }
    }
}

/// The harness names a test's thread after the test.
fn database_name(number: u32) -> String {
    const LONGEST: usize = 50; // PostgreSQL cuts names at 63 bytes
    let thread = thread::current();
    let test = thread.name().unwrap_or("unnamed").to_ascii_lowercase();
    let test: String = test
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(LONGEST)
        .collect();
    format!("t{number}_{test}")
}
