//! If a delivery is due and may be sent, a worker is there: whatever happens to settings, databases and processes.
//!
//! `ZENTRY_INVARIANT_SECONDS` says for how long things happen (15), `ZENTRY_SEED` repeats what happens.

use std::env;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Channel, SOON};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::wait::eventually;

/// How long something may be due without a worker: two seconds are promised, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

struct Database {
    name: String,
    client: Client,
    channel: Channel,
    fired: u64,
    open: bool,
    sending: bool,
    /// Since when something was due without a worker.
    forsaken: Option<Instant>,
}

impl Database {
    fn is_due(&mut self) -> Result<bool> {
        const SQL: &str = "SELECT EXISTS (SELECT FROM zentry_notify.notification_log \
                            WHERE status IN ('pending', 'retry') AND coalesce(next_attempt_at, '-infinity') <= now())";
        Ok(self.client.query_one(SQL, &[])?.get(0))
    }
}

struct World {
    site: Site,
    admin: Client,
    databases: Vec<Database>,
    random: fastrand::Rng,
    said: Vec<String>,
}

impl World {
    fn start(seed: u64) -> Result<Self> {
        let options = ClusterOptions::default()
            .set("zentry_notify.idle_timeout", 1)
            .set("zentry_notify.max_workers", 2);
        let site = Site::start(options)?;
        let mut databases = Vec::new();
        for name in ["a", "b", "c"] {
            let mut client = site.database(name)?;
            let channel = site.channel(&mut client)?;
            databases.push(Database {
                name: name.to_owned(),
                client,
                channel,
                fired: 0,
                open: true,
                sending: true,
                forsaken: None,
            });
        }
        Ok(Self {
            admin: site.cluster.connect()?,
            site,
            databases,
            random: fastrand::Rng::with_seed(seed),
            said: Vec::new(),
        })
    }

    fn run(&mut self, statement: &str) -> Result<()> {
        self.said.push(statement.to_owned());
        Ok(self.admin.batch_execute(statement)?)
    }

    /// Something happens.
    fn happen(&mut self) -> Result<()> {
        let which = self.random.usize(..self.databases.len());
        let name = self.databases[which].name.clone();
        match self.random.u32(..12) {
            0..=3 => {
                let database = &mut self.databases[which];
                if self.random.bool() {
                    let retry_after = Duration::from_millis(self.random.u64(200..3000));
                    database.channel.webhook.script([Behaviour::RateLimited {
                        retry_after,
                        global: false,
                    }]);
                }
                database.fired += 1;
                self.said.push(format!("fire in {name}"));
                fire(&mut database.client)?;
            }
            4 | 5 => {
                let sending = self.random.bool();
                self.databases[which].sending = sending;
                self.run(&format!(
                    "ALTER DATABASE {name} {} zentry_notify.sending{}",
                    if sending { "RESET" } else { "SET" },
                    if sending { "" } else { " = off" }
                ))?;
            }
            6 => {
                let open = self.random.bool();
                self.databases[which].open = open;
                self.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {open}"))?;
            }
            7 => {
                let open = self.random.bool();
                self.databases[which].open = open;
                self.run(&format!(
                    "UPDATE pg_database SET datallowconn = {open} WHERE datname = '{name}'"
                ))?;
            }
            8 => self.end("zentry_notify launcher", "pg_terminate_backend")?,
            9 => self.end("zentry_notify worker", "pg_terminate_backend")?,
            10 => self.end("zentry_notify worker", "pg_cancel_backend")?,
            _ => self.run("SELECT pg_reload_conf()")?,
        }
        Ok(())
    }

    fn end(&mut self, kind: &str, how: &str) -> Result<()> {
        self.run(&format!(
            "SELECT {how}(pid) FROM pg_stat_activity WHERE backend_type = '{kind}'"
        ))
    }

    /// Whether everybody is served who has to be.
    fn check(&mut self) -> Result<()> {
        for database in &mut self.databases {
            let due = database.open && database.sending && database.is_due()?;
            let forsaken = due && self.site.worker(&database.name)?.is_none();
            if !forsaken {
                database.forsaken = None;
                continue;
            }
            let since = *database.forsaken.get_or_insert_with(Instant::now);
            assert!(
                since.elapsed() < PATIENCE,
                "something is due in {} and nobody comes: {:#?}",
                database.name,
                self.said
            );
        }
        Ok(())
    }

    /// Everything is allowed again: all arrives, without another commit.
    fn end_well(&mut self) -> Result<()> {
        for which in 0..self.databases.len() {
            let name = self.databases[which].name.clone();
            self.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))?;
            self.run(&format!("ALTER DATABASE {name} RESET zentry_notify.sending"))?;
        }
        for database in &mut self.databases {
            let said = &self.said;
            eventually(
                SOON,
                format!("all of {} to arrive: {said:#?}", database.name),
                || {
                    let waits = "SELECT count(*) FROM zentry_notify.notification_log WHERE status IN ('pending', 'retry')";
                    let waiting: i64 = database.client.query_one(waits, &[]).ok()?.get(0);
                    (waiting == 0 && database.channel.webhook.event_count() >= database.fired).then_some(())
                },
            )?;
        }
        Ok(())
    }
}

#[test]
fn whoever_has_something_due_is_served() -> Result<()> {
    let seed = setting("ZENTRY_SEED", fastrand::u64(..));
    let seconds = setting("ZENTRY_INVARIANT_SECONDS", 15);
    println!("ZENTRY_SEED={seed} ZENTRY_INVARIANT_SECONDS={seconds}");
    let mut world = World::start(seed)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        world.happen()?;
        world.check()?;
        // Not waiting for anything: things happen at their own pace.
        thread::sleep(Duration::from_millis(world.random.u64(..400)));
    }
    world.end_well()
}
