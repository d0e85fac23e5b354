//! Sessions that write without rest, as far as what they wrote arrives; each project has one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use fastrand::Rng;
use postgres::{Client, Config, NoTls};
use zentry_e2e::emulator::Webhook;
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::id;

use super::{LONG, Setup};

const WRITERS: usize = 3;
const LARGEST_TRANSACTION: usize = 60;
/// Committed events of a webhook that have not arrived yet, on the average and at most.
const BACKLOG: u64 = 40;
/// One transaction in so many is rolled back.
const ROLLED_BACK: u32 = 8;

pub struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<()>>,
}

struct Shared {
    server: Config,
    webhooks: Vec<Webhook>,
    stop: AtomicBool,
    committed: AtomicU64,
}

impl Load {
    pub fn start(setup: &Setup, random: &mut Rng) -> Self {
        let shared = Arc::new(Shared {
            server: setup.cluster.config("postgres", "postgres"),
            webhooks: setup
                .channels
                .iter()
                .map(|channel| channel.webhook.clone())
                .collect(),
            stop: AtomicBool::new(false),
            committed: AtomicU64::new(0),
        });
        let writers = (0..WRITERS).map(|number| {
            let projects = setup.channels.iter().skip(number).step_by(WRITERS);
            let writer = Writer {
                shared: shared.clone(),
                random: random.fork(),
                next: projects.map(|channel| (channel.project, 1)).collect(),
            };
            thread::spawn(move || writer.write())
        });
        Self {
            writers: writers.collect(),
            shared,
        }
    }

    /// Waits until that many events are committed.
    pub fn wait_for(&self, events: u64) {
        eventually(LONG, format!("{events} events"), || {
            (self.shared.committed.load(Ordering::SeqCst) >= events).then_some(())
        })
        .unwrap();
    }

    pub fn stop(self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.join().expect("a writer");
        }
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn keeps_up(&self) -> bool {
        let arrived: u64 = self.webhooks.iter().map(Webhook::event_count).sum();
        self.committed.load(Ordering::SeqCst) < arrived + BACKLOG * self.webhooks.len() as u64
    }
}

struct Writer {
    shared: Arc<Shared>,
    random: Rng,
    /// The next number of each project.
    next: Vec<(i64, i64)>,
}

impl Writer {
    fn write(mut self) {
        let mut client: Option<Client> = None;
        loop {
            eventually(LONG, "a server to write to and deliveries to keep up", || {
                if client.is_none() {
                    client = self.shared.server.connect(NoTls).ok();
                }
                (self.shared.stopped() || client.is_some() && self.shared.keeps_up()).then_some(())
            })
            .unwrap();
            if self.shared.stopped() {
                return;
            }
            if client
                .as_mut()
                .is_some_and(|client| self.transaction(client).is_err())
            {
                client = None;
            }
        }
    }

    /// Numbers are used up whatever becomes of it.
    fn transaction(&mut self, client: &mut Client) -> Result<(), postgres::Error> {
        const COMPLETE: &str = "\
            INSERT INTO tasks_task (title, description, status, priority, emoji, experience_reward, completed_at, created_at, \
                                    updated_at, created_by_id, project_id) \
            SELECT 'Task ' || n, '', 'completed', 'medium', '', 10, now(), now(), now(), $1, p \
              FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS t (p, n, place) ORDER BY place";
        let count = self.random.usize(1..=LARGEST_TRANSACTION);
        let (mut projects, mut numbers) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let place = self.random.usize(..self.next.len());
            let (project, number) = &mut self.next[place];
            projects.push(*project);
            numbers.push(*number);
            *number += 1;
        }
        let mut transaction = client.transaction()?;
        transaction.execute(COMPLETE, &[&id::ADA, &projects, &numbers])?;
        if self.random.u32(..ROLLED_BACK) == 0 {
            return transaction.rollback();
        }
        transaction.commit()?;
        self.shared.committed.fetch_add(count as u64, Ordering::SeqCst);
        Ok(())
    }
}
