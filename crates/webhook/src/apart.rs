//! Rows of one source are tried together. Those that fail are told apart from those that work, and what takes long has no more than
//! its share of the time.

use std::cell::RefCell;
use std::rc::Rc;
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

/// What is beyond that by so much delays others noticeably, and is counted apart.
const LONG: Duration = Duration::from_millis(500);

/// How much time somebody may take beyond what is usual.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// At once.
    full: Duration,
    /// In the long run, one part in so many.
    share: u32,
    /// By what takes long, within `window`.
    most: Duration,
    window: Duration,
}

/// Of one source's rows.
const OF_SOURCE: Allowance = Allowance {
    full: Duration::from_secs(20),
    share: 10,
    most: Duration::from_secs(60),
    window: Duration::from_secs(3_600),
};
/// Of all that belongs to a role, however many tables it has and whatever it changes about them.
const OF_OWNER: Allowance = Allowance {
    full: Duration::from_secs(30),
    share: 5,
    most: Duration::from_secs(60),
    window: Duration::from_secs(600),
};

/// Time that is left of an allowance.
#[derive(Clone, Debug)]
struct Account {
    allowance: Allowance,
    left: Duration,
    /// What took longer than there was time for is paid back first.
    owed: Duration,
    as_of: Option<Instant>,
    is_spent: bool,
    /// When the window began, and what took long since.
    long: Option<(Instant, Duration)>,
}

impl Account {
    /// Once it is spent, nothing is tried before there is so much again.
    const ENOUGH: Duration = Duration::from_secs(2);

    fn new(allowance: Allowance) -> Self {
        Account {
            allowance,
            left: allowance.full,
            owed: Duration::ZERO,
            as_of: None,
            is_spent: false,
            long: None,
        }
    }

    fn refill(&mut self, now: Instant) {
        let since = self
            .as_of
            .map_or(Duration::ZERO, |as_of| now.saturating_duration_since(as_of));
        self.as_of = Some(now);
        let earned = since / self.allowance.share;
        let paid = earned.min(self.owed);
        self.owed -= paid;
        self.left = (self.left + (earned - paid)).min(self.allowance.full);
        self.is_spent &= self.left < Self::ENOUGH;
        let window = self.allowance.window;
        self.long = self
            .long
            .filter(|(began, _)| now.saturating_duration_since(*began) < window);
    }

    fn charge(&mut self, took: Duration, now: Instant) {
        self.refill(now);
        self.owed += took.saturating_sub(self.left);
        self.left = self.left.saturating_sub(took);
        self.is_spent |= self.left.is_zero();
        if took >= LONG {
            self.long.get_or_insert((now, Duration::ZERO)).1 += took;
        }
    }

    fn is_spent(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.is_spent || self.long.is_some_and(|(_, long)| long >= self.allowance.most)
    }
}

/// What all credits of a role have together.
#[derive(Clone, Debug)]
pub struct Purse(Rc<RefCell<Account>>);

impl Default for Purse {
    fn default() -> Self {
        Purse(Rc::new(RefCell::new(Account::new(OF_OWNER))))
    }
}

impl Purse {
    /// Takes that off.
    pub fn took(&self, took: Duration, now: Instant) {
        self.0.borrow_mut().charge(took, now);
    }

    pub fn is_spent(&self, now: Instant) -> bool {
        self.0.borrow_mut().is_spent(now)
    }
}

/// How long rows may take beyond what is usual: a while at once, a tenth of the time in the long run, and little by what takes long each time.
#[derive(Clone, Debug)]
pub struct Credit {
    own: Account,
    owners: Purse,
    /// Some row has worked.
    pub worked: bool,
}

impl Credit {
    /// Of a source whose owner has this purse.
    pub fn new(owners: Purse) -> Self {
        Credit {
            own: Account::new(OF_SOURCE),
            owners,
            worked: false,
        }
    }

    /// Takes off what so many rows have taken beyond what is usual.
    pub fn took(&mut self, took: Duration, rows: usize, now: Instant) {
        let usual = USUAL_TRY + USUAL_ROW * u32::try_from(rows).unwrap_or(u32::MAX);
        let beyond = took.saturating_sub(usual);
        self.own.charge(beyond, now);
        self.owners.took(beyond, now);
    }

    pub fn is_spent(&mut self, now: Instant) -> bool {
        let owners = self.owners.is_spent(now);
        self.own.is_spent(now) || owners
    }
}

impl Default for Credit {
    fn default() -> Self {
        Credit::new(Purse::default())
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
        self.credit.took(now.saturating_duration_since(began), rows, now);
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

    /// How long others were held up in so much time by rows that each take so long, whatever the limit says.
    fn held_up(world: &mut World, credits: &mut [Credit], each: Duration, time: Duration) -> Duration {
        let began = world.now;
        let mut blocked = Duration::ZERO;
        while world.now - began < time {
            for credit in credits.iter_mut() {
                if !credit.is_spent(world.now) {
                    world.now += each;
                    blocked += each;
                    credit.took(each, 1, world.now);
                }
            }
            world.now += Duration::from_millis(100);
        }
        blocked
    }

    #[test]
    fn what_can_not_be_ended_in_time_is_paid_back() {
        let mut world = World::new();
        let mut credit = Credit::default();
        credit.took(Duration::from_secs(50), 1, world.now);
        let mut wait = Duration::ZERO;
        while credit.own.is_spent {
            world.now += Duration::from_secs(1);
            wait += Duration::from_secs(1);
            credit.own.refill(world.now);
        }
        assert!(wait >= Duration::from_secs(300), "{wait:?}");
    }

    #[test]
    fn rows_that_are_slow_each_time_hold_up_others_for_a_minute_an_hour() {
        for each in [1_500, 7_000] {
            let mut world = World::new();
            let each = Duration::from_millis(each);
            let mut credits = [Credit::default()];
            let blocked = held_up(&mut world, &mut credits, each, Duration::from_secs(3_500));
            assert!(blocked <= Duration::from_secs(70), "{blocked:?}");
            assert!(credits[0].is_spent(world.now));
            // An hour later it may have been mended.
            world.now += Duration::from_secs(3_600);
            assert!(!credits[0].is_spent(world.now));
        }
    }

    #[test]
    fn many_tables_of_one_owner_have_no_more_than_a_few() {
        let mut world = World::new();
        let purse = Purse::default();
        let mut credits: Vec<Credit> = (0..50).map(|_| Credit::new(purse.clone())).collect();
        let time = Duration::from_secs(3_600);
        let blocked = held_up(&mut world, &mut credits, Duration::from_secs(2), time);
        assert!(blocked <= time / 9, "{blocked:?}");
        // Below what takes long, it is a share.
        let purse = Purse::default();
        let mut credits: Vec<Credit> = (0..50).map(|_| Credit::new(purse.clone())).collect();
        let blocked = held_up(&mut world, &mut credits, Duration::from_millis(400), time);
        assert!(blocked <= time / 3, "{blocked:?}");
        // What belongs to somebody else is not concerned.
        assert!(!Credit::default().is_spent(world.now));
    }

    #[test]
    fn a_source_that_is_attached_anew_has_what_its_owner_has() {
        let mut world = World::new();
        let purse = Purse::default();
        let (mut blocked, began) = (Duration::ZERO, world.now);
        while world.now - began < Duration::from_secs(3_600) {
            let mut credit = Credit::new(purse.clone());
            blocked += held_up(
                &mut world,
                std::slice::from_mut(&mut credit),
                Duration::from_secs(2),
                Duration::from_secs(5),
            );
        }
        assert!(blocked <= Duration::from_secs(400), "{blocked:?}");
    }
}
