//! The sequence of an identity column.

use std::cell::Cell;

use pgrx::{IntoDatum, pg_sys};

use super::acting_as::ActingAs;
use super::lock;
use super::relation::{Locked, OpenRelation};
use super::subtransaction;
use super::version;

/// How far a sequence is advanced beyond the highest number of its table, since others may draw from it at the same moment.
const MARGIN: i64 = 1_000;

/// Draws `count` ascending numbers from a sequence without a privilege check; others may draw in between. It raises an error if the sequence does
/// not exist.
pub fn draw(sequence: pg_sys::Oid, count: usize) -> Vec<i64> {
    // SAFETY: nextval_internal opens the sequence by its OID, and raises an error for anything else.
    let next = || unsafe { pg_sys::nextval_internal(sequence, false) };
    std::iter::repeat_with(next).take(count).collect()
}

/// A sequence that is drawn from without a privilege check.
#[derive(Debug)]
pub struct Sequence {
    oid: pg_sys::Oid,
    owner: pg_sys::Oid,
    /// The highest number that this session has drawn.
    highest: Cell<i64>,
}

impl Sequence {
    /// Returns the sequence of an identity column. None: there is none, or somebody has changed how it counts.
    pub fn of_identity(table: &OpenRelation, attribute: i16) -> Option<Self> {
        let oid = version::identity_sequence(table, attribute);
        (oid != pg_sys::InvalidOid && counts_up(oid)).then(|| Sequence {
            oid,
            owner: table.class().relowner,
            highest: Cell::new(i64::MIN),
        })
    }

    /// Takes the lock that a number is drawn under, unless another session keeps it from being taken.
    pub fn lock_at_once(&self) -> Result<(), Locked> {
        match lock::at_once(self.oid, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE) {
            true => Ok(()),
            false => Err(Locked),
        }
    }

    /// Returns the next number. None: it is not above the highest one so far, because somebody has set the sequence back.
    pub fn next(&self) -> Option<i64> {
        // SAFETY: as in draw(). The caller has locked the table, so the sequence exists.
        let next = unsafe { pg_sys::nextval_internal(self.oid, false) };
        let rises = next > self.highest.get();
        if rises {
            self.highest.set(next);
        }
        rises.then_some(next)
    }

    /// Returns a number above `used`; a sequence that is behind is advanced beyond it. None: that failed.
    pub fn next_above(&self, used: i64) -> Option<i64> {
        if let Some(next) = self.next()
            && next > used
        {
            return Some(next);
        }
        let target = used.max(self.highest.get()).saturating_add(MARGIN);
        let advanced = subtransaction::attempt(|| {
            let _one_at_a_time = Advancing::lock(self.oid);
            // Another session may have advanced it meanwhile.
            // SAFETY: as in next().
            let next = unsafe { pg_sys::nextval_internal(self.oid, false) };
            if next <= used {
                let _owner = ActingAs::role(self.owner);
                // SAFETY: setval takes a regclass, which an OID is, and a bigint.
                unsafe {
                    pgrx::direct_function_call_as_datum(
                        pg_sys::setval_oid,
                        &[self.oid.into_datum(), target.into_datum()],
                    );
                }
            }
        });
        self.highest.set(used);
        advanced.ok().and_then(|()| self.next())
    }
}

/// Whether the sequence counts up by one to the end of bigint, and no session caches numbers of it.
fn counts_up(sequence: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up; the row is pinned until it is released, and not read afterwards.
    unsafe {
        let id = pg_sys::SysCacheIdentifier::SEQRELID;
        let tuple = pg_sys::SearchSysCache1(id as _, pg_sys::Datum::from(sequence));
        if tuple.is_null() {
            return false;
        }
        let form = &*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_sequence>(tuple);
        let counts_up = form.seqincrement == 1 && form.seqcache == 1 && form.seqmax == i64::MAX;
        pg_sys::ReleaseSysCache(tuple);
        counts_up
    }
}

/// A lock that lets one session at a time advance a sequence.
struct Advancing(pg_sys::Oid);

impl Advancing {
    fn lock(sequence: pg_sys::Oid) -> Self {
        // SAFETY: the lock manager takes any tag. PostgreSQL itself locks no object of class pg_sequence.
        unsafe {
            pg_sys::LockDatabaseObject(
                pg_sys::SequenceRelationId,
                sequence,
                0,
                pg_sys::ExclusiveLock as pg_sys::LOCKMODE,
            );
        }
        Advancing(sequence)
    }
}

impl Drop for Advancing {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the lock was taken by lock(), and is released only here; after an error, the abort of the subtransaction releases it.
            unsafe {
                pg_sys::UnlockDatabaseObject(
                    pg_sys::SequenceRelationId,
                    self.0,
                    0,
                    pg_sys::ExclusiveLock as pg_sys::LOCKMODE,
                );
            }
        }
    }
}
