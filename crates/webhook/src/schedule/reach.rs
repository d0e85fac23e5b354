//! Whether a way out leads anywhere.

use super::QueueId;
use super::backoff;
use super::clock::Tick;
use super::gate::Member;

/// So many webhooks that cannot be reached by a way one after the other, and it is the way.
const ENOUGH: usize = 3;

/// What is known of it; of interest where there are several.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Who could not be reached by it since somebody was.
    failed: Vec<(Member, QueueId)>,
    /// How often in a row it was found to lead nowhere.
    pauses: u32,
    down_until: Option<Tick>,
}

impl Reach {
    pub(super) fn reached(&mut self) {
        *self = Reach::default();
    }

    pub(super) fn failed(&mut self, queue: (Member, QueueId), now: Tick, random: &mut fastrand::Rng) {
        if self.is_down(now) {
            // It had left before.
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

    /// It has led nowhere, and not been found to lead anywhere since.
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
