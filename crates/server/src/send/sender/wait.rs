//! What a sender waits for.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;
use webhook::schedule::QueueId;

use super::Sender;
use crate::send::clock;
use crate::send::link::lost;
use crate::send::pause;

impl Sender {
    /// Waits until something is to be done.
    pub(super) async fn wait(&mut self, stop: &mut watch::Receiver<bool>, until: Option<Duration>) {
        if self.scheduler.has_changes() || self.link.is_up() && self.wanted.is_anything() {
            return;
        }
        let now = clock::now();
        let in_session = |wait: Option<Duration>| wait.filter(|_| self.link.is_up());
        let wall = |at: Timestamp| Duration::try_from(at.duration_since(self.link.now())).unwrap_or_default();
        let waits = [
            in_session(self.scheduler.next_wake().map(wall)),
            in_session(self.link.ownership.quiet_for(now)),
            in_session(self.reporting.due_in(now)),
            in_session(self.wanted.settings.then(|| self.settings_at.saturating_sub(now))),
            in_session(self.reading.due_in(now)),
            self.link.begins_in(now),
            until.map(|until| until.saturating_sub(now)),
        ];
        let wait = waits.into_iter().flatten().min().unwrap_or(pause::LONGEST);
        // The next turn determines what is to be done.
        tokio::select! {
            judged = self.posts.judged() => self.judged(judged),
            word = self.link.word() => match word {
                Some(words) => self.heed(&words),
                None => self.lose(&lost()),
            },
            () = self.neighbours.told(), if self.link.is_up() => {}
            () = sleep(wait) => {}
            _ = stop.changed(), if until.is_none() => {}
        }
        while let Some(words) = self.link.next_word() {
            self.heed(&words);
        }
    }

    /// Handles a notification of the worker or another sender. Every role can send it, so it only causes a look at the database.
    fn heed(&mut self, words: &str) {
        for word in words.split_ascii_whitespace() {
            match word {
                "queues" => self.wanted.look = true,
                "settings" => self.wanted.settings = true,
                "all" => {
                    self.reading.rewind_all();
                    self.scheduler.notice_all();
                }
                number => {
                    if let Ok(queue) = number.parse().map(QueueId) {
                        self.reading.rewind(queue);
                        self.scheduler.notice([queue]);
                    }
                }
            }
        }
    }
}
