//! The senders of a process: they send by the same ways out, so that what Discord says to one of them holds for all.

use tokio::sync::watch;
use webhook::schedule::{Policy, Scheduler, SharedWays};

/// What a sender has in common with the others of its process.
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// How many databases there are.
    count: u32,
    ways: SharedWays,
    say: watch::Sender<()>,
    hear: watch::Receiver<()>,
}

impl Neighbours {
    /// Of as many senders as there are databases.
    pub fn new(databases: usize) -> Self {
        let (say, hear) = watch::channel(());
        Neighbours {
            count: u32::try_from(databases).unwrap_or(u32::MAX).max(1),
            ways: SharedWays::new(),
            say,
            hear,
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Makes a scheduler that sends by the ways of all.
    pub fn scheduler(&self, seed: u64) -> Scheduler {
        // Of a database that has not said its settings yet nothing leaves, and nobody is held to them.
        let unknown = Policy {
            discord_per_second: 0,
            ..Policy::default()
        };
        Scheduler::sharing(self.ways.clone(), unknown, seed)
    }

    /// Lets the others look at the ways again.
    pub fn tell(&self) {
        if self.count > 1 {
            self.say.send_replace(());
        }
    }

    /// Notes that the ways are about to be looked at.
    pub fn listen(&mut self) {
        self.hear.mark_unchanged();
    }

    /// Waits until somebody has told something since.
    pub async fn told(&mut self) {
        // It cannot fail: who waits could tell something, too.
        let _ = self.hear.changed().await;
    }
}
