//! Waiting for tables that others have locked: a short time, which no role's credit is charged for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::apart::{Credit, SharedBudget};

use crate::pg::lock;
use crate::plan::{Plan, with_spi};

/// How long no table of an owner is waited for after one of its tables could not be locked within lock_timeout.
const NO_WAIT: Duration = Duration::from_secs(5);

thread_local! {
    static WAITS: RefCell<Waits> = RefCell::new(Waits::default());
}

#[derive(Default)]
struct Waits {
    /// The time that was waited in all.
    waited: Duration,
    /// Owners of tables that could not be locked, with the time of the last try.
    busy: HashMap<pg_sys::Oid, Instant>,
    /// The time that was waited for tables of each role. It is apart from the time of the role's look-ups, since others may have the right
    /// to lock its tables.
    budgets: HashMap<pg_sys::Oid, SharedBudget>,
}

/// Runs `f`, which is about no row in particular, and charges its time to the credit, without the time that was waited for locks.
pub fn on_credit<T>(credit: &mut Credit, f: impl FnOnce() -> T) -> T {
    let (began, before) = (Instant::now(), waited());
    let value = f();
    let now = Instant::now();
    let waiting = waited().saturating_sub(before);
    credit.took((now - began).saturating_sub(waiting), 0, now);
    value
}

fn waited() -> Duration {
    WAITS.with_borrow(|waits| waits.waited)
}

/// Locks a relation as a SELECT does, until the (sub)transaction ends, as [`lock::to_read`] does. It waits for lock_timeout at most, for a
/// limited time in all for tables of one role, and not at all shortly after a table of the same role could not be locked.
pub fn to_read(relation: pg_sys::Oid) {
    if lock::to_read_if_free(relation) {
        return;
    }
    let owner = owner_of(relation);
    let now = Instant::now();
    let may_wait = WAITS.with_borrow_mut(|waits| {
        waits
            .busy
            .retain(|_, since| now.saturating_duration_since(*since) < NO_WAIT);
        !waits.busy.contains_key(&owner) && !waits.budgets.entry(owner).or_default().is_spent(now)
    });
    if !may_wait {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            "a table is locked by somebody else"
        );
    }
    let mut wait = Wait {
        owner,
        began: now,
        locked: false,
    };
    lock::to_read(relation);
    wait.locked = true;
}

/// A wait for a lock, which is counted when it is over, by an error too.
struct Wait {
    owner: pg_sys::Oid,
    began: Instant,
    locked: bool,
}

impl Drop for Wait {
    fn drop(&mut self) {
        let now = Instant::now();
        let took = now.saturating_duration_since(self.began);
        WAITS.with_borrow_mut(|waits| {
            waits.waited += took;
            waits.budgets.entry(self.owner).or_default().took(took, now);
            if !self.locked {
                waits.busy.insert(self.owner, now);
            }
        });
    }
}

/// Returns the relation's owner. The relation need not be locked.
fn owner_of(relation: pg_sys::Oid) -> pg_sys::Oid {
    const SQL: &str = "SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) $1";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::OIDOID]).execute(spi, &[relation.into()]);
        rows.first::<pg_sys::Oid>().unwrap_or(pg_sys::InvalidOid)
    })
}
