//! A clock that never goes back, made of wall-clock time, which may.

use std::time::Duration;

use jiff::Timestamp;

/// A step of the wall clock back by less than this counts as two readings that crossed: the clock stands still.
const STEP: i64 = 1_000_000;

/// A moment on the scheduler's clock, in microseconds (the resolution of PostgreSQL).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(i64);

impl Tick {
    pub(super) const DISTANT_PAST: Tick = Tick(i64::MIN);

    /// Returns the moment after `wait`, rounded up so that a wait is never cut short.
    pub(super) fn after(self, wait: Duration) -> Tick {
        let micros = wait.as_nanos().div_ceil(1_000);
        Tick(self.0.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX)))
    }

    /// So many microseconds later. The distant past stays what it is.
    pub(super) fn shifted(self, micros: i64) -> Tick {
        match self {
            Tick::DISTANT_PAST => self,
            Tick(at) => Tick(at.saturating_add(micros)),
        }
    }

    /// How many microseconds it is later than a clock that says this.
    pub(super) fn ahead_of(self, clock: Duration) -> i64 {
        let clock = i64::try_from(clock.as_micros()).unwrap_or(i64::MAX);
        self.0.saturating_sub(clock)
    }

    /// Returns the time since `earlier`, or zero if that is later.
    pub(super) fn since(self, earlier: Tick) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// Translates between wall-clock time, in which rows are written, and [`Tick`]s, in which waits are kept.
///
/// When the wall clock is set back, ticks go on from where they were: what was to wait for one more second waits for that, and not for an
/// hour and a second.
#[derive(Debug)]
pub(super) struct Clock {
    /// The latest wall-clock time that was read, in microseconds.
    seen: i64,
    /// How far the wall clock has been set back, in all.
    slip: i64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Clock {
            seen: i64::MIN,
            slip: 0,
        }
    }

    pub(super) fn read(&mut self, wall: Timestamp) -> Tick {
        let wall = wall.as_microsecond();
        let back = self.seen.saturating_sub(wall);
        if back <= 0 {
            self.seen = wall;
        } else if back > STEP {
            self.slip = self.slip.saturating_add(back);
            self.seen = wall;
        }
        self.now()
    }

    /// Returns the latest tick that was read.
    pub(super) fn now(&self) -> Tick {
        Tick(self.seen.saturating_add(self.slip))
    }

    pub(super) fn tick(&self, wall: Timestamp) -> Tick {
        Tick(wall.as_microsecond().saturating_add(self.slip))
    }

    pub(super) fn wall(&self, tick: Tick) -> Timestamp {
        let micros = tick.0.saturating_sub(self.slip);
        Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn ticks_go_on_when_the_wall_clock_is_set_back() {
        let mut clock = Clock::new();
        let due = clock.read(at(10_000)).after(Duration::from_secs(5));
        assert!(clock.read(at(6_400)) < due);
        assert!(clock.read(at(6_404)) < due);
        assert_eq!(clock.read(at(6_405)), due);
        assert_eq!(clock.wall(due), at(6_405));
    }

    #[test]
    fn readings_that_cross_do_not_make_time_run_faster() {
        let mut clock = Clock::new();
        let start = clock.read(at(100));
        for _ in 0..10 {
            clock.read(at(100) - Duration::from_millis(3));
            clock.read(at(100));
        }
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn what_is_later_is_no_time_ago() {
        let tick = Clock::new().read(at(100));
        let later = tick.after(Duration::from_micros(1_500_000));
        assert_eq!(later.since(tick), Duration::from_millis(1_500));
        assert_eq!(tick.since(later), Duration::ZERO);
    }

    #[test]
    fn waits_are_rounded_up() {
        let tick = Clock::new().read(at(0));
        assert!(tick.after(Duration::from_nanos(1)) > tick);
    }

    #[test]
    fn the_ends_of_time_hold() {
        let mut clock = Clock::new();
        let end = clock.read(Timestamp::MAX).after(Duration::MAX);
        assert_eq!(clock.wall(end), Timestamp::MAX);
        assert_eq!(clock.wall(Tick::DISTANT_PAST), Timestamp::MIN);
        clock.read(Timestamp::MIN);
        assert!(clock.now() >= clock.tick(Timestamp::MIN));
    }
}
