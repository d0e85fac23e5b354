//! How long the worker may wait, and for what.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::state::Worker;
use super::{housekeeping, senders};
use crate::settings::{self, WhoSends};

/// How often it is looked whether a dump's cursor has come, while its events are here.
pub const AWAITED: Duration = Duration::from_secs(5);

/// How often a worker that sends when no sender does looks whether there are still senders.
const LOOKS_FOR_SENDERS: Duration = Duration::from_secs(30);

impl Worker {
    pub fn is_busy(&self) -> bool {
        self.has_work_within(settings::idle_timeout())
    }

    pub fn has_work_within(&self, time: Duration) -> bool {
        self.scheduler.in_flight() > 0
            || !self.unrecorded.is_empty()
            || !self.batch.is_empty()
            || self.uncounted.wait().is_some()
            || self.housekeeping.wait().is_some()
            || !self.postponed.is_empty()
            || self.senders.is_busy()
            || self.more_events
            || self.ledger.wait().is_some_and(|wait| wait < time)
            || self.next_wake().is_some_and(|wake| wake < time)
    }

    fn next_wake(&self) -> Option<Duration> {
        let wake = self.scheduler.next_wake()?;
        Some(Duration::try_from(wake.duration_since(Timestamp::now())).unwrap_or_default())
    }

    pub fn pause(&self) -> Option<Duration> {
        let waits = !self.postponed.is_empty()
            || self.more_events
            || !self.unrecorded.is_empty()
            || !self.batch.is_empty()
            || self.uncounted.wait().is_some();
        let retry = self.back_off.wait().filter(|_| waits);
        let calm = !self.back_off.is_waiting();
        let refused = !self.unrecorded.is_empty() || self.batch.has_refused();
        let refused = self.refusal.wait().filter(|_| calm && refused);
        let now = (!self.postponed.is_empty() && calm).then_some(Duration::ZERO);
        let write = self.batch.wait(Instant::now()).filter(|_| calm);
        let room = self
            .batch
            .room_wait(Instant::now())
            .filter(|_| self.more_events && calm);
        let count = self.uncounted.wait().filter(|_| calm);
        let count = count.max(self.miscount.wait().filter(|_| count.is_some()));
        let tidy = self.housekeeping.wait().filter(|_| calm);
        let projects = self.ledger.wait().filter(|_| calm && self.cursor.may_route());
        let slack = self.slack.wait().filter(|_| self.scheduler.in_flight() == 0);
        let senders = self.senders.wait().filter(|_| calm);
        let awaited = (!self.cursor.may_route()).then_some(AWAITED);
        [
            self.next_wake(),
            retry,
            refused,
            now,
            write,
            room,
            count,
            tidy,
            projects,
            slack,
            senders,
            awaited,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Sets the time at which the launcher has to start a worker again.
    pub fn say_when_due(&mut self) {
        let retention = housekeeping::due().unwrap_or_else(|error| {
            pgrx::log!("zentry_notify: could not look for the oldest delivery: {error}");
            None
        });
        let projects = self.ledger.wait().map(|wait| Timestamp::now() + wait);
        // The last sender may be gone without notice.
        let alone = self.senders.have_any()
            && settings::senders() == WhoSends::Both
            && senders::waits_for_one().unwrap_or(true);
        let alone = alone.then(|| Timestamp::now() + LOOKS_FOR_SENDERS);
        self.slot.set_due(
            [self.scheduler.next_wake(), retention, projects, alone]
                .into_iter()
                .flatten()
                .min(),
        );
        // This worker sets the flag and looks afterwards; who resumes does the reverse. So one of them sees the other.
        if self.registry.discord_resumed() != self.discord_resumed {
            self.slot.set_due(Some(Timestamp::now()));
        }
    }
}
