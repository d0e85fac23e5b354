//! The concurrency limiter: how many connections the queues may hold.

use std::time::Duration;

use super::clock::Tick;

/// A request that takes longer than this is slow. Most endpoints that ever answer have answered by then, and those that hang hold their
/// connection until the timeout.
pub(super) const SLOW: Duration = Duration::from_millis(500);

/// What a queue's last requests say of the next one: whether it will hold its connection for long.
///
/// This is about time and not about success: an endpoint that refuses everything at once holds no connection for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The last request was slow and failed, or it failed when a previous worker made it.
    Suspect,
    /// It was never called, as far as is known.
    Unproven,
    /// It works, or did when it was last called.
    Proven,
    /// It answered at once within the last minute.
    Prompt,
}

impl Standing {
    pub(super) const ALL: [Standing; 4] = [
        Standing::Suspect,
        Standing::Unproven,
        Standing::Proven,
        Standing::Prompt,
    ];

    /// Returns how many of `connections` the queues of this standing and of lower ones may hold together.
    pub(super) fn share(self, connections: usize) -> usize {
        let eighths = match self {
            Standing::Suspect => 1,
            Standing::Unproven => 3,
            Standing::Proven => 7,
            Standing::Prompt => 8,
        };
        (connections * eighths / 8).max(1)
    }
}

/// The connections: a number of them for requests that are young, and more, as far as the process may open files, for slow ones. A slow
/// request is set aside on one of these.
///
/// Queues share by [`Standing`]: those that are more likely to hang leave room for the others. When no more can be set aside, slow requests
/// stay where they are, in the share of their queues. No request is given up early for another's sake: it may have been delivered, and
/// would be delivered again. So:
///
/// - As long as slow requests can be set aside, connections are free again within [`SLOW`]: a queue that comes after `n`
///   others leaves after `n * SLOW` divided by its share at the latest, even if all of them hang.
/// - When no more can be set aside, what suspects hold delays nobody else, what queues that were never called hold delays
///   none that works, and nothing but queues that stopped answering within the last minute delays one that has answered
///   within it.
#[derive(Debug)]
pub(super) struct ConcurrencyLimiter {
    young: Area,
    aside: Area,
}

#[derive(Debug)]
struct Area {
    limit: usize,
    busy: [usize; Standing::ALL.len()],
}

impl Area {
    fn new(limit: usize) -> Self {
        Area {
            limit,
            busy: [0; Standing::ALL.len()],
        }
    }

    fn take(&mut self, standing: Standing) {
        self.busy[standing as usize] += 1;
    }

    fn release(&mut self, standing: Standing) {
        let busy = &mut self.busy[standing as usize];
        *busy = busy.saturating_sub(1);
    }
}

impl ConcurrencyLimiter {
    /// Makes the limiter. A `young` of 0 counts as 1.
    pub(super) fn new(young: usize, slow: usize) -> Self {
        ConcurrencyLimiter {
            young: Area::new(young.max(1)),
            aside: Area::new(slow),
        }
    }

    pub(super) fn set(&mut self, young: usize, slow: usize) {
        self.young.limit = young.max(1);
        self.aside.limit = slow;
    }

    /// Returns how many requests the queues of this standing and of lower ones may have.
    pub(super) fn share(&self, standing: Standing) -> usize {
        standing.share(self.young.limit)
    }

    /// Returns whether a queue of this standing may have one more: its own share and each wider one must have room.
    pub(super) fn free(&self, standing: Standing) -> bool {
        let mut below = 0;
        Standing::ALL.into_iter().all(|other| {
            below += self.young.busy[other as usize];
            (other as usize) < standing as usize || below < other.share(self.young.limit)
        })
    }

    pub(super) fn take(&mut self, standing: Standing) {
        self.young.take(standing);
    }

    /// Sets a slow request aside, if there is room. Suspects may fill only a part of it: there has to be room for other queues that turn
    /// out to hang.
    pub(super) fn set_aside(&mut self, standing: Standing) -> bool {
        let held: usize = self.aside.busy.iter().sum();
        let suspects = self.aside.busy[Standing::Suspect as usize];
        let room = held < self.aside.limit
            && (standing != Standing::Suspect || suspects < standing.share(self.aside.limit));
        if room {
            self.young.release(standing);
            self.aside.take(standing);
        }
        room
    }

    pub(super) fn release(&mut self, standing: Standing, aside: bool) {
        match aside {
            true => self.aside.release(standing),
            false => self.young.release(standing),
        }
    }
}

/// How the last request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Suspect,
    Unproven,
    Proven,
    /// It answered at once, at this moment.
    Prompt(Tick),
}

impl Record {
    /// Judges an answer, or its absence, to a request that took `out`.
    pub(super) fn of(failed: bool, out: Duration, now: Tick) -> Self {
        match (out > SLOW, failed) {
            (false, _) => Record::Prompt(now),
            (true, false) => Record::Proven,
            (true, true) => Record::Suspect,
        }
    }

    pub(super) fn standing(self, now: Tick) -> Standing {
        /// Endpoints break at any time: the longer ago the last answer was, the less it says.
        const A_MOMENT: Duration = Duration::from_secs(60);
        match self {
            Record::Suspect => Standing::Suspect,
            Record::Unproven => Standing::Unproven,
            Record::Prompt(at) if now.since(at) <= A_MOMENT => Standing::Prompt,
            Record::Prompt(_) | Record::Proven => Standing::Proven,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(concurrency: &mut ConcurrencyLimiter, standing: Standing) -> usize {
        let mut taken = 0;
        while concurrency.free(standing) {
            concurrency.take(standing);
            taken += 1;
        }
        taken
    }

    #[test]
    fn each_standing_leaves_room_for_the_better_ones() {
        let mut concurrency = ConcurrencyLimiter::new(16, 0);
        let taken = Standing::ALL.map(|standing| fill(&mut concurrency, standing));
        assert_eq!(taken, [2, 4, 8, 2]);
    }

    #[test]
    fn shares_are_of_the_connections_that_there_are() {
        let mut concurrency = ConcurrencyLimiter::new(16, 0);
        let shares =
            |concurrency: &ConcurrencyLimiter| Standing::ALL.map(|standing| concurrency.share(standing));
        assert_eq!(shares(&concurrency), [2, 6, 14, 16]);
        concurrency.set(0, 0);
        assert_eq!(shares(&concurrency), [1; 4]);
    }

    #[test]
    fn the_best_may_use_everything() {
        let mut concurrency = ConcurrencyLimiter::new(16, 0);
        assert_eq!(fill(&mut concurrency, Standing::Prompt), 16);
        assert!(
            Standing::ALL
                .into_iter()
                .all(|standing| !concurrency.free(standing))
        );
        concurrency.release(Standing::Prompt, false);
        assert!(concurrency.free(Standing::Suspect));
    }

    #[test]
    fn a_single_connection_serves_everybody() {
        for standing in Standing::ALL {
            assert_eq!(fill(&mut ConcurrencyLimiter::new(0, 0), standing), 1);
        }
    }

    #[test]
    fn what_is_set_aside_is_in_nobodys_way() {
        let mut concurrency = ConcurrencyLimiter::new(8, 8);
        let mut aside = 0;
        while fill(&mut concurrency, Standing::Unproven) > 0 {
            while concurrency.young.busy[Standing::Unproven as usize] > 0
                && concurrency.set_aside(Standing::Unproven)
            {
                aside += 1;
            }
        }
        assert_eq!(aside, 8);
        assert!(concurrency.free(Standing::Proven));
        concurrency.release(Standing::Unproven, true);
        assert!(!concurrency.free(Standing::Unproven));
        assert!(concurrency.set_aside(Standing::Unproven) && concurrency.free(Standing::Unproven));
    }

    #[test]
    fn an_answer_says_less_the_longer_it_is_ago() {
        let now = Tick::DISTANT_PAST.after(Duration::from_secs(1_000));
        let standing = |failed, out, later| {
            let record = Record::of(failed, out, now);
            record.standing(now.after(Duration::from_secs(later)))
        };
        for failed in [false, true] {
            assert_eq!(standing(failed, SLOW, 60), Standing::Prompt);
            assert_eq!(standing(failed, SLOW, 61), Standing::Proven);
        }
        let slow = SLOW + Duration::from_millis(1);
        assert_eq!(standing(false, slow, 0), Standing::Proven);
        assert_eq!(standing(true, slow, 1_000), Standing::Suspect);
        assert_eq!(Record::Unproven.standing(now), Standing::Unproven);
        assert_eq!(Record::Proven.standing(now), Standing::Proven);
    }

    #[test]
    fn suspects_leave_room_aside() {
        let mut concurrency = ConcurrencyLimiter::new(32, 16);
        fill(&mut concurrency, Standing::Suspect);
        let aside = (0..4)
            .filter(|_| concurrency.set_aside(Standing::Suspect))
            .count();
        assert_eq!(aside, 2);
        fill(&mut concurrency, Standing::Prompt);
        assert!(concurrency.set_aside(Standing::Prompt));
    }
}
