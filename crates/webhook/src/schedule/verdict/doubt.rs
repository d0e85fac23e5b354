//! Finding out whether a message makes the endpoint fail, by trying the one behind it.

use std::time::Duration;

use super::{DIGEST_PATIENCE, Ruling};
use crate::schedule::endpoint_queue::Doubt;

impl Ruling<'_> {
    /// Blames the first message, which failed again after the one behind it was taken.
    pub(super) fn doubt(&mut self) {
        if let (Doubt::Suspects(id), 1) = (self.queue.doubt, self.taken)
            && let Some(head) = self.queue.rows.pop_front_if(|head| head.id == id)
        {
            self.queue.doubt = Doubt::None;
            self.taken = 0;
            self.fail(head);
        }
        self.queue.blameless = None;
    }

    /// Splits a digest that the endpoint has failed over for long, since it may be what makes it fail: halves of it are tried.
    pub(super) fn split_digest(&mut self) {
        let attempts = self.queue.rows.front().map_or(0, |head| head.attempts);
        let patience = self.policy.max_attempts.max(1).saturating_mul(DIGEST_PATIENCE);
        if self.queue.config.digest.is_some() && self.taken > 1 && attempts >= patience {
            self.queue.refused = self.taken;
        }
    }

    /// Asks whether a message is what makes the endpoint fail, by trying the one behind it once, if the message has failed alone often
    /// enough, or twice as often as when that was last asked.
    pub(super) fn ask(&mut self, asked: Option<Duration>) {
        let now = self.clock.wall(self.clock.now());
        let (1, None, Some(head), Some(_)) =
            (self.taken, asked, self.queue.rows.front(), self.queue.rows.get(1))
        else {
            return;
        };
        let (id, attempts) = (head.id, head.attempts);
        let from = match self.queue.doubt {
            Doubt::Asks(_) => return,
            Doubt::Answered(known, answered) if known == id => answered.saturating_mul(2),
            _ => self.policy.max_attempts.max(1),
        };
        let max_age = self.queue.max_age(self.policy);
        if attempts >= from && self.queue.swap_first(max_age, now) {
            self.queue.doubt = Doubt::Asks(id);
        }
    }

    /// Notes that the endpoint has taken a message. If that was the one behind the first, the first is tried again at once.
    pub(super) fn suspect(&mut self) {
        match self.queue.doubt {
            Doubt::Asks(id) => {
                self.queue.doubt = Doubt::Suspects(id);
                self.queue.forget_hold();
                if let Some(head) = self.queue.rows.front_mut().filter(|head| head.id == id) {
                    head.next_attempt_at = None;
                }
            }
            _ => self.queue.doubt = Doubt::None,
        }
    }
}
