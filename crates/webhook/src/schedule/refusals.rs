//! The refusals of an address by Discord, which bans it for 10,000 in ten minutes ("Invalid Request Limit" of its documentation).

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Tick;

/// How long a refusal counts.
pub(super) const COUNTS_FOR: Duration = Duration::from_secs(600);
/// Refusals within this time are counted together, at the time of the first.
const TOGETHER: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The most refusals. 0: no cap.
    limit: u32,
    /// The refusals that still count, with their times, in order.
    counts: VecDeque<(Tick, u32)>,
    /// The sum of these.
    sum: u64,
}

impl Refusals {
    pub(super) fn new(limit: u32) -> Self {
        Refusals {
            limit,
            ..Refusals::default()
        }
    }

    pub(super) fn set(&mut self, limit: u32) {
        self.limit = limit;
    }

    pub(super) fn add(&mut self, count: u32, now: Tick) {
        self.trim(now);
        self.sum += u64::from(count);
        match self.counts.back_mut() {
            Some((first, known)) if now.since(*first) < TOGETHER => *known = known.saturating_add(count),
            _ => self.counts.push_back((now, count)),
        }
    }

    /// Returns when one more request may leave besides `out` in flight, each of which may be refused. None: not before one is answered.
    pub(super) fn opens_at(&self, out: usize) -> Option<Tick> {
        if self.limit == 0 {
            return Some(Tick::DISTANT_PAST);
        }
        let room = u64::from(self.limit).checked_sub(u64::try_from(out).unwrap_or(u64::MAX))?;
        let mut sum = self.sum;
        let mut opens = Tick::DISTANT_PAST;
        for (first, count) in &self.counts {
            if sum < room {
                break;
            }
            sum = sum.saturating_sub(u64::from(*count));
            opens = first.after(COUNTS_FOR + TOGETHER);
        }
        (sum < room).then_some(opens)
    }

    fn trim(&mut self, now: Tick) {
        while let Some((first, count)) = self.counts.front().copied()
            && now.since(first) >= COUNTS_FOR + TOGETHER
        {
            self.sum = self.sum.saturating_sub(u64::from(count));
            self.counts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::clock::Clock;
    use super::*;

    fn tick(seconds: i64) -> Tick {
        Clock::new().read(jiff::Timestamp::from_second(seconds).unwrap())
    }

    #[test]
    fn what_is_refused_counts_for_ten_minutes() {
        let mut refusals = Refusals::new(3);
        assert_eq!(refusals.opens_at(2), Some(Tick::DISTANT_PAST));
        assert_eq!(refusals.opens_at(3), None);
        refusals.add(1, tick(0));
        refusals.add(1, tick(100));
        assert_eq!(refusals.opens_at(0), Some(Tick::DISTANT_PAST));
        assert_eq!(refusals.opens_at(1), Some(tick(620)));
        refusals.add(1, tick(110));
        assert_eq!(refusals.opens_at(0), Some(tick(620)));
        refusals.add(1, tick(620));
        assert_eq!(refusals.opens_at(0), Some(tick(720)));
        assert_eq!(Refusals::new(0).opens_at(1_000_000), Some(Tick::DISTANT_PAST));
    }
}
