//! Whether endpoints can be reached by a way out.

use super::QueueId;
use super::backoff;
use super::clock::Tick;
use super::member::Member;

/// If so many webhooks in a row cannot be reached by a way, it is the way's fault.
const ENOUGH: usize = 3;

/// What is known of a way. It matters where there are several.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Webhooks, each with whose it is, that could not be reached since one was reached.
    failed: Vec<(Member, QueueId)>,
    /// How often in a row the way was found to be down.
    pauses: u32,
    down_until: Option<Tick>,
}

impl Reach {
    pub(super) fn reached(&mut self) {
        *self = Reach::default();
    }

    pub(super) fn failed(&mut self, queue: (Member, QueueId), now: Tick, random: &mut fastrand::Rng) {
        if self.is_down(now) {
            // The request had left before.
            return;
        }
        if !self.failed.contains(&queue) {
            self.failed.push(queue);
        }
        if self.is_doubted() || self.failed.len() >= ENOUGH {
            self.failed.clear();
            self.pauses = self.pauses.saturating_add(1);
            self.down_until = Some(now.after(backoff::edge(self.pauses, random)));
        }
    }

    /// Returns whether the way was found to be down, and has reached nothing since.
    pub(super) fn is_doubted(&self) -> bool {
        self.pauses > 0
    }

    pub(super) fn is_down(&self, now: Tick) -> bool {
        self.down_until.is_some_and(|until| now < until)
    }

    pub(super) fn down_until(&self) -> Tick {
        self.down_until.unwrap_or(Tick::DISTANT_PAST)
    }
}
