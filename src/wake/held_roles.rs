//! Roles whose sources have ended a worker: for a while, what may do so again does not run.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32};
use std::time::Duration;

use jiff::Timestamp;

use super::since::time_left;

/// For how long nothing of a role runs that may do what has ended a worker.
const HOLD: Duration = Duration::from_secs(3600);
/// The same while it still runs in that worker; when it ends, it is found out anew.
pub(super) const LONG_HOLD: Duration = Duration::from_secs(30 * 24 * 3600);
/// Roles that are known to have ended a worker.
const MOST: usize = 16;

/// The roles of a database. Its worker alone writes them.
pub(super) struct HeldRoles([HeldRole; MOST]);

/// What of a role's sources is not tried for a while, whatever is attached anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Expressions,
    /// It was not the expressions alone.
    Everything,
}

struct HeldRole {
    role: AtomicU32,
    /// In microseconds since 1970.
    until: AtomicI64,
    everything: AtomicBool,
}

impl HeldRole {
    const fn free() -> Self {
        HeldRole {
            role: AtomicU32::new(0),
            until: AtomicI64::new(0),
            everything: AtomicBool::new(false),
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
        HeldRoles([const { HeldRole::free() }; MOST])
    }

    /// Holds a role, which is known already or takes a place; returns what of it is held.
    pub fn hold(&self, role: u32) -> Held {
        let everything = self.lately(role).is_some();
        // One that is known, else the one that is free the longest, or will be first.
        let known = self.0.iter().find(|held| held.role.load(SeqCst) == role);
        let place = known.or_else(|| self.0.iter().min_by_key(|held| held.until.load(SeqCst)));
        if let Some(held) = place {
            let until = Timestamp::now().checked_add(HOLD).unwrap_or(Timestamp::MAX);
            held.role.store(role, SeqCst);
            held.everything.store(everything, SeqCst);
            held.until.store(until.as_microsecond(), SeqCst);
        }
        match everything {
            true => Held::Everything,
            false => Held::Expressions,
        }
    }

    /// What of a role is held, and for how long.
    pub fn lately(&self, role: u32) -> Option<(Held, Duration)> {
        let held = self.0.iter().find(|held| held.role.load(SeqCst) == role)?;
        time_left(&held.until).map(|left| (held.what(), left))
    }

    pub fn forget(&self) {
        for held in &self.0 {
            held.role.store(0, SeqCst);
            held.until.store(0, SeqCst);
        }
    }
}
