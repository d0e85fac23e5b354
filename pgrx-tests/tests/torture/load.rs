//! Sessions that write without rest, as far as what they wrote arrives.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use fastrand::Rng;
use postgres::{Client, Config, NoTls};
use zentry_e2e::cluster::Cluster;
use zentry_e2e::emulator::Webhook;
use zentry_e2e::numbered;
use zentry_e2e::scene::SOON;
use zentry_e2e::wait::eventually;

/// Numbers that each writer has for itself.
pub const RANGE: i64 = 1_000_000;
/// Committed tasks that a channel has not got yet, at most.
const BACKLOG: u64 = 150;
const LARGEST_TRANSACTION: i64 = 6;
/// One transaction in so many is rolled back.
const ROLLED_BACK: u32 = 8;

/// What the writers know of their tasks. Of those in a transaction whose connection broke they don't know.
#[derive(Debug, Default)]
pub struct Written {
    committed: BTreeSet<i64>,
    rolled_back: BTreeSet<i64>,
}

impl Written {
    /// The database must have kept its promises, or what was delivered proves nothing.
    pub fn check(&self, in_database: &BTreeSet<i64>) {
        let lost: Vec<_> = self.committed.difference(in_database).collect();
        assert_eq!(lost, [&0; 0], "committed and not in the database");
        let risen: Vec<_> = self.rolled_back.intersection(in_database).collect();
        assert_eq!(risen, [&0; 0], "rolled back and in the database");
    }
}

/// The numbers of all tasks in the database.
pub fn committed(client: &mut Client) -> BTreeSet<i64> {
    const NUMBERS: &str = "SELECT substr(title, 6)::bigint FROM tasks_task WHERE title ~ '^Task \\d+$'";
    let rows = client.query(NUMBERS, &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Written>>,
}

#[derive(Debug)]
struct Shared {
    server: Config,
    webhooks: Vec<Webhook>,
    stop: AtomicBool,
    committed: AtomicU64,
}

impl Load {
    pub fn start(cluster: &Cluster, webhooks: &[Webhook], writers: i64, random: &mut Rng) -> Self {
        let shared = Arc::new(Shared {
            server: cluster.config("postgres", "postgres"),
            webhooks: webhooks.to_vec(),
            stop: AtomicBool::new(false),
            committed: AtomicU64::new(0),
        });
        let writers = (0..writers).map(|number| {
            let (shared, random) = (shared.clone(), random.fork());
            thread::spawn(move || Writer::new(&shared, number, random).write())
        });
        Self {
            writers: writers.collect(),
            shared,
        }
    }

    /// Lets the writers finish; what they know.
    pub fn stop(self) -> Written {
        self.shared.stop.store(true, Ordering::SeqCst);
        let mut all = Written::default();
        for writer in self.writers {
            let written = writer.join().expect("a writer");
            all.committed.extend(written.committed);
            all.rolled_back.extend(written.rolled_back);
        }
        all
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Whether the slowest channel has got nearly all.
    fn keeps_up(&self) -> bool {
        let slowest = self.webhooks.iter().map(Webhook::event_count).min().unwrap_or(0);
        self.committed.load(Ordering::SeqCst) < slowest + BACKLOG
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    random: Rng,
    next: i64,
    client: Option<Client>,
    written: Written,
}

impl<'a> Writer<'a> {
    fn new(shared: &'a Shared, number: i64, random: Rng) -> Self {
        Self {
            shared,
            random,
            next: number * RANGE + 1,
            client: None,
            written: Written::default(),
        }
    }

    fn write(mut self) -> Written {
        loop {
            eventually(2 * SOON, "a server to write to and deliveries to keep up", || {
                let shared = self.shared;
                if self.client.is_none() {
                    self.client = shared.server.connect(NoTls).ok();
                }
                (shared.stopped() || self.client.is_some() && shared.keeps_up()).then_some(())
            })
            .unwrap();
            if self.shared.stopped() {
                return self.written;
            }
            if self.transaction().is_err() {
                self.client = None;
            }
        }
    }

    fn transaction(&mut self) -> anyhow::Result<()> {
        let Some(client) = &mut self.client else {
            return Ok(());
        };
        let numbers = self.next..self.next + self.random.i64(1..=LARGEST_TRANSACTION);
        self.next = numbers.end;
        let mut transaction = client.transaction()?;
        numbered::complete(&mut transaction, numbers.clone())?;
        if self.random.u32(..ROLLED_BACK) == 0 {
            // Whatever becomes of the connection, it is not committed.
            self.written.rolled_back.extend(numbers);
            transaction.rollback()?;
        } else {
            transaction.commit()?;
            let count = numbers.end - numbers.start;
            self.shared
                .committed
                .fetch_add(count.unsigned_abs(), Ordering::SeqCst);
            self.written.committed.extend(numbers);
        }
        Ok(())
    }
}
