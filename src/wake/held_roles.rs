//! Roles whose sources have ended a worker: for a while, what may do so again is not run.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32};
use std::time::Duration;

use jiff::Timestamp;

use super::since::time_left;

/// The time for which code of a role that has ended a worker is not run.
const HOLD: Duration = Duration::from_secs(3600);
/// The same while it still runs in that worker. When that ends, a new hold begins if need be.
pub(super) const LONG_HOLD: Duration = Duration::from_secs(30 * 24 * 3600);
/// Maximum number of roles that are remembered as having ended a worker.
const MAX_ROLES: usize = 16;

/// The held roles of a database. Only its worker writes them.
pub(super) struct HeldRoles([HeldRole; MAX_ROLES]);

/// Which part of a role's sources is not tried for a while, even if a table is attached anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Expressions,
    /// All of it: not only expressions have ended a worker.
    Everything,
}

struct HeldRole {
    role: AtomicU32,
    /// The end of the hold, in microseconds since 1970.
    until: AtomicI64,
    everything: AtomicBool,
    /// Whether its tables are not read for sources of others either.
    tables: AtomicBool,
}

impl HeldRole {
    const fn free() -> Self {
        HeldRole {
            role: AtomicU32::new(0),
            until: AtomicI64::new(0),
            everything: AtomicBool::new(false),
            tables: AtomicBool::new(false),
        }
    }

    fn what(&self) -> Held {
        match self.everything.load(SeqCst) {
            true => Held::Everything,
            false => Held::Expressions,
        }
    }
}

impl HeldRoles {
    pub const fn none() -> Self {
        HeldRoles([const { HeldRole::free() }; MAX_ROLES])
    }

    /// Holds a role. Returns what of it is held. With `tables`, its tables are not read for sources of others.
    pub fn hold(&self, role: u32, tables: bool) -> Held {
        let everything = self.lately(role).is_some();
        // The place is the role's own, or else the one whose hold has ended or will end first.
        let known = self.0.iter().find(|held| held.role.load(SeqCst) == role);
        let place = known.or_else(|| self.0.iter().min_by_key(|held| held.until.load(SeqCst)));
        if let Some(held) = place {
            let until = Timestamp::now().checked_add(HOLD).unwrap_or(Timestamp::MAX);
            let tables = tables || everything && held.tables.load(SeqCst);
            held.role.store(role, SeqCst);
            held.tables.store(tables, SeqCst);
            held.everything.store(everything, SeqCst);
            held.until.store(until.as_microsecond(), SeqCst);
        }
        match everything {
            true => Held::Everything,
            false => Held::Expressions,
        }
    }

    /// Returns what of a role is held, and for how long.
    pub fn lately(&self, role: u32) -> Option<(Held, Duration)> {
        let held = self.0.iter().find(|held| held.role.load(SeqCst) == role)?;
        time_left(&held.until).map(|left| (held.what(), left))
    }

    /// Returns for how long a role's tables are not read for others. None: they may be.
    pub fn tables(&self, role: u32) -> Option<Duration> {
        let mut held = self.0.iter();
        let held = held.find(|held| held.role.load(SeqCst) == role && held.tables.load(SeqCst))?;
        time_left(&held.until)
    }

    pub fn forget(&self) {
        for held in &self.0 {
            held.role.store(0, SeqCst);
            held.until.store(0, SeqCst);
        }
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{Held, HeldRoles, MAX_ROLES};

    /// A role that is forgotten so may end another worker, and is held again then.
    #[pg_test]
    fn one_role_more_than_there_are_places_lets_one_go() {
        let held_roles = HeldRoles::none();
        let held = |role: u32| held_roles.lately(role).map(|(what, _)| what);
        let roles = 1..=u32::try_from(MAX_ROLES).unwrap_or(u32::MAX);
        for role in roles.clone() {
            assert_eq!(held_roles.hold(role, false), Held::Expressions);
        }
        assert!(roles.clone().all(|role| held(role) == Some(Held::Expressions)));
        let newcomer = 1_000;
        assert_eq!(held_roles.hold(newcomer, false), Held::Expressions);
        assert_eq!(held(newcomer), Some(Held::Expressions));
        let gone: Vec<u32> = roles.clone().filter(|role| held(*role).is_none()).collect();
        assert_eq!(gone.len(), 1);
        assert_eq!(held_roles.hold(gone[0], false), Held::Expressions);
        assert_eq!(held_roles.hold(gone[0], false), Held::Everything);
        assert_eq!(held(gone[0]), Some(Held::Everything));
    }

    /// A role whose table could not be read for others is held apart from one whose expressions did not end.
    #[pg_test]
    fn tables_are_held_apart_from_expressions() {
        let held_roles = HeldRoles::none();
        held_roles.hold(1, false);
        held_roles.hold(2, true);
        assert!(held_roles.tables(1).is_none());
        assert!(held_roles.tables(2).is_some());
        held_roles.hold(2, false);
        assert!(held_roles.tables(2).is_some());
        held_roles.forget();
        assert!(held_roles.tables(2).is_none());
        assert!(held_roles.lately(1).is_none());
    }
}
