//! Rows of one source are tried together. Those that fail are told apart from those that work, and what takes long has no more than
//! its share of the time.

use std::time::{Duration, Instant};

/// Rows that are tried at once: what they find is in memory together.
const PAGE: usize = 256;
/// For all rows of a source in one batch.
const BUDGET: Duration = Duration::from_secs(5);
/// For a page.
const LIMIT: Duration = Duration::from_secs(2);
/// Rows of a batch whose failures are looked into one by one.
const CULPRITS: usize = 64;
/// Rows that fail together after that.
const CROWD: usize = 16;
/// What a row may take without being asked about it, and what each try may.
const USUAL_ROW: Duration = Duration::from_millis(2);
const USUAL_TRY: Duration = Duration::from_millis(50);

/// How long rows may take beyond what is usual: a while at once, and a tenth of the time in the long run.
#[derive(Clone, Debug)]
pub struct Credit {
    left: Duration,
    as_of: Option<Instant>,
    is_spent: bool,
    /// Some row has worked.
    pub worked: bool,
}

impl Credit {
    const FULL: Duration = Duration::from_secs(20);
    /// Once it is spent, nothing is tried before there is so much again.
    const ENOUGH: Duration = Duration::from_secs(2);
    const SHARE: u32 = 10;

    fn refill(&mut self, now: Instant) {
        let since = self
            .as_of
            .map_or(Duration::ZERO, |as_of| now.saturating_duration_since(as_of));
        self.as_of = Some(now);
        self.left = (self.left + since / Self::SHARE).min(Self::FULL);
        self.is_spent &= self.left < Self::ENOUGH;
    }

    fn charge(&mut self, took: Duration, now: Instant) {
        self.refill(now);
        self.left = self.left.saturating_sub(took);
        self.is_spent |= self.left.is_zero();
    }

    pub fn is_spent(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.is_spent
    }
}

impl Default for Credit {
    fn default() -> Self {
        Credit {
            left: Self::FULL,
            as_of: None,
            is_spent: false,
            worked: false,
        }
    }
}

/// Why rows come to nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault<'a, F> {
    /// These rows fail, and others may work.
    Theirs(&'a F),
    /// No row works.
    Everybodys(&'a F),
    /// There was no time to try them.
    NoTime,
}

/// What is done with rows.
pub trait Trial<R> {
    type Failure;

    /// Another clock is for tests.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// How long a row may take by itself, after it was late with others.
    fn alone(&self) -> Duration;

    /// Tries the rows together, and keeps what it finds.
    fn attempt(&mut self, rows: &[R], limit: Duration) -> Result<(), Self::Failure>;

    fn is_late(failure: &Self::Failure) -> bool;

    /// Why it can't work for any row, if it can't. `worked`: it has worked for some.
    fn hopeless(&mut self, worked: bool) -> Option<Self::Failure>;

    /// Leaves the rows without what could not be found; a single one may be looked into `until` then.
    fn fail(&mut self, rows: &[R], fault: Fault<Self::Failure>, until: Instant);
}

/// Tries all rows. An error: it can't work for any row. `credit` is that of all who can write such rows.
pub fn divide<R, T: Trial<R>>(trial: &mut T, rows: &[R], credit: &mut Credit) -> Result<(), T::Failure> {
    let ends = trial.now() + BUDGET;
    let mut division = Division {
        trial,
        credit,
        ends,
        culprits: 0,
        was_asked: false,
        hopeless: None,
    };
    for page in rows.chunks(PAGE) {
        division.part(page, LIMIT);
    }
    match division.hopeless {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

struct Division<'a, R, T: Trial<R>> {
    trial: &'a mut T,
    credit: &'a mut Credit,
    ends: Instant,
    culprits: usize,
    was_asked: bool,
    hopeless: Option<T::Failure>,
}

impl<R, T: Trial<R>> Division<'_, R, T> {
    /// Runs `f`, and takes what it takes beyond what is usual off the credit.
    fn timed<V>(&mut self, rows: usize, f: impl FnOnce(&mut Self) -> V) -> V {
        let began = self.trial.now();
        let value = f(self);
        let now = self.trial.now();
        let usual = USUAL_TRY + USUAL_ROW * u32::try_from(rows).unwrap_or(u32::MAX);
        self.credit
            .charge(now.saturating_duration_since(began).saturating_sub(usual), now);
        value
    }

    fn part(&mut self, rows: &[R], limit: Duration) {
        if rows.is_empty() {
            return;
        }
        if let Some(failure) = &self.hopeless {
            return self.trial.fail(rows, Fault::Everybodys(failure), self.ends);
        }
        let now = self.trial.now();
        if now >= self.ends || self.credit.is_spent(now) {
            return self.trial.fail(rows, Fault::NoTime, self.ends);
        }
        match self.timed(rows.len(), |division| division.trial.attempt(rows, limit)) {
            Ok(()) => self.credit.worked = true,
            Err(failure) => self.apart(rows, &failure),
        }
    }

    fn apart(&mut self, rows: &[R], failure: &T::Failure) {
        if !self.was_asked {
            self.was_asked = true;
            let worked = self.credit.worked;
            self.hopeless = self.timed(0, |division| division.trial.hopeless(worked));
            if let Some(failure) = &self.hopeless {
                return self.trial.fail(rows, Fault::Everybodys(failure), self.ends);
            }
        }
        if rows.len() == 1 || self.culprits >= CULPRITS && rows.len() <= CROWD {
            self.culprits += 1;
            return self.timed(rows.len(), |division| {
                division.trial.fail(rows, Fault::Theirs(failure), division.ends);
            });
        }
        if T::is_late(failure) {
            // Halves would be late as well, as long as one of theirs is.
            let alone = self.trial.alone();
            rows.chunks(1).for_each(|row| self.part(row, alone));
        } else {
            let (a, b) = rows.split_at(rows.len() / 2);
            self.part(a, LIMIT);
            self.part(b, LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Failure {
        Late,
        Bad,
    }

    /// Rows are what they do: 0 works, 1 is bad, 2 hangs.
    struct World {
        now: Instant,
        hopeless: Option<Failure>,
        worked: Vec<usize>,
        failed: Vec<usize>,
        untried: Vec<usize>,
        tries: usize,
    }

    type Row = (usize, u8);

    impl World {
        fn new() -> Self {
            World {
                now: Instant::now(),
                hopeless: None,
                worked: Vec::new(),
                failed: Vec::new(),
                untried: Vec::new(),
                tries: 0,
            }
        }
    }

    impl Trial<Row> for World {
        type Failure = Failure;

        fn now(&self) -> Instant {
            self.now
        }

        fn alone(&self) -> Duration {
            Duration::from_millis(600)
        }

        fn attempt(&mut self, rows: &[Row], limit: Duration) -> Result<(), Failure> {
            self.tries += 1;
            for (_, does) in rows {
                match does {
                    0 => self.now += Duration::from_micros(50),
                    1 => return Err(Failure::Bad),
                    _ => {
                        self.now += limit;
                        return Err(Failure::Late);
                    }
                }
            }
            self.worked.extend(rows.iter().map(|(place, _)| place));
            Ok(())
        }

        fn is_late(failure: &Failure) -> bool {
            *failure == Failure::Late
        }

        fn hopeless(&mut self, _worked: bool) -> Option<Failure> {
            self.hopeless
        }

        fn fail(&mut self, rows: &[Row], fault: Fault<Failure>, _until: Instant) {
            let places = rows.iter().map(|(place, _)| *place);
            match fault {
                Fault::NoTime => self.untried.extend(places),
                Fault::Theirs(_) | Fault::Everybodys(_) => self.failed.extend(places),
            }
        }
    }

    fn rows(count: usize, odd: &[(usize, u8)]) -> Vec<Row> {
        let does = |place| {
            odd.iter()
                .find(|(at, _)| *at == place)
                .map_or(0, |(_, does)| *does)
        };
        (0..count).map(|place| (place, does(place))).collect()
    }

    #[test]
    fn a_row_that_fails_or_hangs_fails_alone() {
        for does in [1, 2] {
            for at in [0, 100, 255, 256, 999] {
                let mut world = World::new();
                let outcome = divide(&mut world, &rows(1_000, &[(at, does)]), &mut Credit::default());
                assert_eq!(outcome, Ok(()));
                assert_eq!(world.failed, [at], "{does}");
                assert_eq!(
                    (world.worked.len(), world.untried.len()),
                    (999, 0),
                    "{does} at {at}"
                );
            }
        }
    }

    #[test]
    fn what_works_for_no_row_is_not_tried_for_each() {
        let mut world = World::new();
        world.hopeless = Some(Failure::Bad);
        let all: Vec<Row> = (0..1_000).map(|place| (place, 1)).collect();
        assert_eq!(
            divide(&mut world, &all, &mut Credit::default()),
            Err(Failure::Bad)
        );
        assert_eq!((world.failed.len(), world.tries), (1_000, 1));
    }

    #[test]
    fn many_that_fail_cost_a_bounded_number_of_tries() {
        let mut world = World::new();
        let all: Vec<Row> = (0..10_000)
            .map(|place| (place, u8::from(place % 2 == 0)))
            .collect();
        assert_eq!(divide(&mut world, &all, &mut Credit::default()), Ok(()));
        assert!(world.tries < 2_000, "{}", world.tries);
        assert_eq!(world.failed.len() + world.worked.len(), 10_000);
        // Nobody who works is lost for more than those beside them.
        assert!(world.worked.len() >= CULPRITS, "{}", world.worked.len());
    }

    #[test]
    fn rows_that_hang_have_a_share_of_the_time() {
        let mut world = World::new();
        let mut credit = Credit::default();
        let began = world.now;
        let mut blocked = Duration::ZERO;
        while world.now - began < Duration::from_secs(3_600) {
            let before = world.now;
            assert_eq!(
                divide(&mut world, &rows(10, &[(3, 2), (7, 2)]), &mut credit),
                Ok(())
            );
            blocked += world.now - before;
            world.now += Duration::from_millis(20);
        }
        assert!(blocked < Duration::from_secs(3_600 / 8), "{blocked:?}");
        // Others are not concerned, and neither are these when they behave.
        world.untried.clear();
        divide(&mut world, &rows(10, &[]), &mut Credit::default()).unwrap();
        world.now += Duration::from_secs(60);
        divide(&mut world, &rows(10, &[]), &mut credit).unwrap();
        assert_eq!(world.untried.len(), 0);
    }
}
