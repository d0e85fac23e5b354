//! Trying rows of a source together: those that fail are separated from those that work, and what takes long gets no more than its share of
//! the time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The most rows that are tried at once: what is found for them is in memory together.
const PAGE: usize = 256;
/// The time for all rows of a source in one batch.
const BUDGET: Duration = Duration::from_secs(5);
/// The time for a page.
const LIMIT: Duration = Duration::from_secs(2);
/// The number of failing rows of a batch that are looked into one by one.
const CULPRITS: usize = 64;
/// The most rows that fail together after that.
const CROWD: usize = 16;
/// The time that a row, and each try, takes without being charged.
const USUAL_ROW: Duration = Duration::from_millis(2);
const USUAL_TRY: Duration = Duration::from_millis(50);

/// A try that takes longer than this beyond the usual delays others noticeably, and is counted separately.
const LONG: Duration = Duration::from_millis(500);

/// How much time rows may take beyond the usual.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// The most at once.
    full: Duration,
    /// In the long run, one part in `share`.
    share: u32,
    /// The most for long tries within `window`.
    most: Duration,
    window: Duration,
}

/// The allowance of one source's rows.
const OF_SOURCE: Allowance = Allowance {
    full: Duration::from_secs(20),
    share: 10,
    most: Duration::from_secs(60),
    window: Duration::from_secs(3_600),
};
/// The allowance of everything that belongs to a role, however many tables it has and however it changes them.
const OF_OWNER: Allowance = Allowance {
    full: Duration::from_secs(30),
    share: 5,
    most: Duration::from_secs(60),
    window: Duration::from_secs(600),
};

/// The time that is left of an allowance.
#[derive(Clone, Debug)]
struct Account {
    allowance: Allowance,
    left: Duration,
    /// Time that was taken beyond what was left. It is paid back first.
    owed: Duration,
    as_of: Option<Instant>,
    is_spent: bool,
    /// The beginning of the window, and the time of long tries since.
    long: Option<(Instant, Duration)>,
}

impl Account {
    /// Once the account is spent, nothing is tried before so much is left again.
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

/// The account that all credits of a role share.
#[derive(Clone, Debug)]
pub struct SharedBudget(Rc<RefCell<Account>>);

impl Default for SharedBudget {
    fn default() -> Self {
        SharedBudget(Rc::new(RefCell::new(Account::new(OF_OWNER))))
    }
}

impl SharedBudget {
    /// Charges that time.
    pub fn took(&self, took: Duration, now: Instant) {
        self.0.borrow_mut().charge(took, now);
    }

    pub fn is_spent(&self, now: Instant) -> bool {
        self.0.borrow_mut().is_spent(now)
    }
}

/// The credit of rows: how long they may take beyond the usual. It is some time at once, a tenth of the time in the long run, and little
/// for tries that each take long.
#[derive(Clone, Debug)]
pub struct Credit {
    own: Account,
    owners: SharedBudget,
    /// Whether some row has worked.
    pub worked: bool,
}

impl Credit {
    /// Makes the credit of a source whose owner has this budget.
    pub fn new(owners: SharedBudget) -> Self {
        Credit {
            own: Account::new(OF_SOURCE),
            owners,
            worked: false,
        }
    }

    /// Charges what so many rows have taken beyond the usual.
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
        Credit::new(SharedBudget::default())
    }
}

/// Why rows fail.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault<'a, F> {
    /// These rows fail, and others may work.
    Theirs(&'a F),
    /// No row works.
    Everybodys(&'a F),
    /// There was no time to try them.
    NoTime,
}

/// What is tried with rows.
pub trait Trial<R> {
    type Failure;

    /// Returns the time. Tests have another clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Returns how long a row may take by itself, after it was too slow together with others.
    fn alone(&self) -> Duration;

    /// Tries the rows together, and keeps what is found.
    fn attempt(&mut self, rows: &[R], limit: Duration) -> Result<(), Self::Failure>;

    fn is_late(failure: &Self::Failure) -> bool;

    /// Returns why it cannot work for any row, if it cannot. `worked` says that it has worked for some.
    fn hopeless(&mut self, worked: bool) -> Option<Self::Failure>;

    /// Gives up on the rows, which lack what could not be found. A single row may be looked into until `until`.
    fn fail(&mut self, rows: &[R], fault: Fault<Self::Failure>, until: Instant);
}

/// Tries all rows. An error says that it cannot work for any row. `credit` is that of everybody who can write such rows.
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
    /// Runs `f`, and charges what it takes beyond the usual.
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
            // Halves would be too slow as well, as long as one of their rows is.
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
mod tests;
