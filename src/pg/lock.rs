//! Locks on users' tables, taken so that no writer waits behind them for longer than a moment, and that none becomes the victim of a deadlock.

use std::cell::Cell;
use std::ffi::CString;
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::setting;
use crate::subtransaction;

/// The longest time for which one attempt waits in a lock's queue, where others wait behind it.
const MAX_QUEUED: Duration = Duration::from_millis(50);
/// The pause between two attempts, in which nobody waits behind us.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);
/// The limit of all attempts in a session without `lock_timeout`.
const PATIENCE: Duration = Duration::from_secs(5);

/// A table that could not be locked in time.
#[derive(Clone, Copy, Debug)]
pub struct Busy(pub pg_sys::Oid);

/// How long to try.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// For `lock_timeout`, or [`PATIENCE`] if that is 0.
    Session,
    /// For `lock_timeout`, or without a limit if that is 0.
    Endless,
    /// One attempt, for a caller whose other locks keep others waiting.
    Moment,
}

/// Locks all of the tables, or none. While it waits for one it holds none of the others, so that it is part of no deadlock.
/// The locks last until the end of the (sub)transaction.
///
/// # Errors
/// The table that was not free in time. A cancel raises its own error.
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
        // The table that was not free is locked first next time, so that the others are held for the shortest time.
        first = busy;
        std::thread::sleep(BETWEEN_ATTEMPTS);
        pgrx::check_for_interrupts!();
    }
}

impl Patience {
    fn deadline(self) -> Option<Instant> {
        // SAFETY: a setting's variable, read on the main thread.
        let setting = u64::try_from(unsafe { pg_sys::LockTimeout }).unwrap_or(0);
        match (self, setting) {
            (Patience::Moment, _) => None,
            (Patience::Session, 0) => Some(Instant::now() + PATIENCE),
            (Patience::Endless, 0) => None,
            (_, setting) => Some(Instant::now() + Duration::from_millis(setting)),
        }
    }
}

/// Locks the tables, beginning with the one at index `first`, or none.
///
/// # Errors
/// The index of the table that was not free. The subtransaction has released the others.
fn try_all(tables: &[pg_sys::Oid], first: usize, mode: pg_sys::LOCKMODE) -> Result<(), usize> {
    let at = Cell::new(first);
    let moment = moment();
    let attempt = subtransaction::attempt(|| {
        // Once the first lock is held, others may wait for it: from then on the remaining locks share one moment.
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

/// Returns how long the locks of one attempt may take: less than `deadlock_timeout`, after which a session that waits for us looks for a deadlock.
fn moment() -> Duration {
    // SAFETY: a setting's variable, read on the main thread.
    let deadlock = u64::try_from(unsafe { pg_sys::DeadlockTimeout }).unwrap_or(1000);
    MAX_QUEUED.min(Duration::from_millis(deadlock / 4))
}

/// Locks a relation in ACCESS SHARE mode until the (sub)transaction ends. The caller checks afterwards whether a relation of that OID exists.
pub fn to_read(relation: pg_sys::Oid) {
    // SAFETY: the lock manager takes any OID. An error or a cancel while it waits releases what it holds.
    unsafe { pg_sys::LockRelationOid(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE) };
}

/// As [`to_read`], without waiting. Returns false if the lock is not free.
pub fn to_read_if_free(relation: pg_sys::Oid) -> bool {
    at_once(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE)
}

/// Locks a relation until the (sub)transaction ends, without waiting. Returns false if the lock is not free. The caller checks afterwards whether a
/// relation of that OID exists.
pub fn at_once(relation: pg_sys::Oid, mode: pg_sys::LOCKMODE) -> bool {
    // SAFETY: the lock manager takes any OID.
    unsafe { pg_sys::ConditionalLockRelationOid(relation, mode) }
}

/// Locks a table, and raises `lock_not_available` if that takes longer than `longest`.
fn lock_soon(table: pg_sys::Oid, mode: pg_sys::LOCKMODE, longest: Duration) {
    if at_once(table, mode) {
        return;
    }
    let milliseconds = CString::new(longest.as_millis().max(1).to_string()).unwrap_or_default();
    let _timeout = setting::hold(&[(c"lock_timeout", &milliseconds)]);
    // SAFETY: the lock manager takes any OID; the caller checks afterwards whether there is such a table.
    unsafe { pg_sys::LockRelationOid(table, mode) };
}
