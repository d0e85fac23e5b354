//! The senders of a process share its ways out, so Discord's rate limits and bans apply to all of them.

use tokio::sync::watch;
use webhook::schedule::{Policy, Scheduler, SharedWays};

/// What a sender shares with the others of its process.
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// The number of databases.
    count: u32,
    ways: SharedWays,
    say: watch::Sender<()>,
    hear: watch::Receiver<()>,
}

impl Neighbours {
    /// Returns the shared state of the senders for so many databases.
    pub fn new(databases: usize) -> Self {
        let (say, hear) = watch::channel(());
        Neighbours {
            count: u32::try_from(databases).unwrap_or(u32::MAX).max(1),
            ways: SharedWays::new(),
            say,
            hear,
        }
    }

    /// Returns the number of senders.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Returns a scheduler that uses the shared ways out.
    pub fn scheduler(&self, seed: u64) -> Scheduler {
        // Until its settings are read, a database sends nothing, and its policy must not limit the others.
        let unknown = Policy {
            discord_per_second: 0,
            ..Policy::default()
        };
        Scheduler::sharing(self.ways.clone(), unknown, seed)
    }

    /// Makes the others check the ways out again.
    pub fn tell(&self) {
        if self.count > 1 {
            self.say.send_replace(());
        }
    }

    /// Marks earlier calls of [`tell`](Self::tell) as seen, before the ways out are checked.
    pub fn listen(&mut self) {
        self.hear.mark_unchanged();
    }

    /// Waits for the next call of [`tell`](Self::tell) by any sender.
    pub async fn told(&mut self) {
        // It cannot fail, because this value has a sending end itself.
        let _ = self.hear.changed().await;
    }
}
