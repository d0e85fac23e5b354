//! Locks on tables of others: nobody who writes waits behind us for longer than a moment, and no deadlock of ours costs a write.

use std::cell::Cell;
use std::ffi::CString;
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::setting;
use crate::subtransaction;

/// How long others may have to wait behind us at a time.
const IN_LINE: Duration = Duration::from_millis(50);
/// How long we wait without standing in anybody's way.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);
/// Without a lock_timeout of the session's.
const PATIENCE: Duration = Duration::from_secs(5);

/// A table that somebody else has locked for too long.
#[derive(Clone, Copy, Debug)]
pub struct Busy(pub pg_sys::Oid);

/// How long to try.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// As long as lock_timeout says, else some seconds.
    Session,
    /// As long as lock_timeout says, else for ever.
    Endless,
    /// One try: what is locked already keeps others waiting.
    Moment,
}

/// Locks all of the tables, or none: while it waits for one it holds none of the others, so that it is part of no deadlock.
/// The locks last until the end of the (sub)transaction.
pub fn tables(tables: &[pg_sys::Oid], mode: u32, patience: Patience) -> Result<(), Busy> {
    let mode = mode as pg_sys::LOCKMODE;
    let deadline = patience.deadline();
    let mut first = 0;
    loop {
        let Err(busy) = try_all(tables, first, mode) else {
            return Ok(());
        };
        if matches!(patience, Patience::Moment) || deadline.is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(Busy(tables[busy]));
        }
        // The one that is hardest to have comes first: then the others are held for the shortest time.
        first = busy;
        std::thread::sleep(BETWEEN_ATTEMPTS);
        pgrx::check_for_interrupts!();
    }
}

impl Patience {
    fn deadline(self) -> Option<Instant> {
        // SAFETY: a plain setting of this process.
        let setting = u64::try_from(unsafe { pg_sys::LockTimeout }).unwrap_or(0);
        match (self, setting) {
            (Patience::Moment, _) => None,
            (Patience::Session, 0) => Some(Instant::now() + PATIENCE),
            (Patience::Endless, 0) => None,
            (_, setting) => Some(Instant::now() + Duration::from_millis(setting)),
        }
    }
}

/// Locks the tables, beginning with the `first`; else none, and returns which one was not to be had. An error gives back what is locked.
fn try_all(tables: &[pg_sys::Oid], first: usize, mode: pg_sys::LOCKMODE) -> Result<(), usize> {
    let at = Cell::new(first);
    let moment = moment();
    let attempt = subtransaction::attempt(|| {
        // What others may wait for what we hold, all in all.
        let mut until = None;
        for place in (first..tables.len()).chain(0..first) {
            at.set(place);
            let left = until.map_or(moment, |until: Instant| {
                until.saturating_duration_since(Instant::now())
            });
            lock_soon(tables[place], mode, left);
            until.get_or_insert_with(|| Instant::now() + moment);
        }
    });
    match attempt {
        Err(failure) if failure.code() == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => Err(at.get()),
        Err(failure) => failure.raise(),
        Ok(()) => Ok(()),
    }
}

/// How long all locks of one try may take: shorter than the time after which somebody who waits for us looks for a deadlock.
fn moment() -> Duration {
    // SAFETY: a plain setting of this process.
    let deadlock = u64::try_from(unsafe { pg_sys::DeadlockTimeout }).unwrap_or(1000);
    IN_LINE.min(Duration::from_millis(deadlock / 4))
}

/// Locks a relation as a SELECT does, until the (sub)transaction ends; whether there is one with that OID is to be asked afterwards.
pub fn to_read(relation: pg_sys::Oid) {
    // SAFETY: a lock by OID, waited for as long as lock_timeout says.
    unsafe { pg_sys::LockRelationOid(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE) };
}

/// The same without waiting. False: it is not locked.
pub fn to_read_if_free(relation: pg_sys::Oid) -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::ConditionalLockRelationOid(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE) }
}

/// Waits no longer than that for the lock. An error: it was too short.
fn lock_soon(table: pg_sys::Oid, mode: pg_sys::LOCKMODE, longest: Duration) {
    // SAFETY: a lock by OID; whether there is such a table is the caller's to ask afterwards.
    if unsafe { pg_sys::ConditionalLockRelationOid(table, mode) } {
        return;
    }
    let milliseconds = CString::new(longest.as_millis().max(1).to_string()).unwrap_or_default();
    let _timeout = setting::hold(&[(c"lock_timeout", &milliseconds)]);
    // SAFETY: as above.
    unsafe { pg_sys::LockRelationOid(table, mode) };
}
