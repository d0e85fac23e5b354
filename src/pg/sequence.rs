//! The sequence of an identity column.

use std::cell::Cell;

use pgrx::{IntoDatum, pg_sys};

use super::acting_as::ActingAs;
use super::relation::OpenRelation;
use super::subtransaction;
use super::version;

/// How far a sequence is put beyond the highest number of its table: others may draw from it at the same moment.
const MARGIN: i64 = 1_000;

/// Draws so many numbers of a sequence, ascending, without asking who may have them; others may draw in between. An error if it is gone.
pub fn draw(sequence: pg_sys::Oid, count: usize) -> Vec<i64> {
    // SAFETY: a sequence is opened by its OID.
    let next = || unsafe { pg_sys::nextval_internal(sequence, false) };
    std::iter::repeat_with(next).take(count).collect()
}

/// Gives numbers without asking who may have them.
#[derive(Debug)]
pub struct Sequence {
    oid: pg_sys::Oid,
    owner: pg_sys::Oid,
    /// The highest that this session was given.
    highest: Cell<i64>,
}

impl Sequence {
    /// Returns the identity's sequence. None: there is none, or it does not count as it was made to.
    pub fn of_identity(table: &OpenRelation, attribute: i16) -> Option<Self> {
        let oid = version::identity_sequence(table, attribute);
        (oid != pg_sys::InvalidOid && counts_up(oid)).then(|| Sequence {
            oid,
            owner: table.class().relowner,
            highest: Cell::new(i64::MIN),
        })
    }

    /// Returns the next number. None: it is not above the one before, because somebody has set the sequence back.
    pub fn next(&self) -> Option<i64> {
        // SAFETY: the sequence exists as long as its table is locked.
        let next = unsafe { pg_sys::nextval_internal(self.oid, false) };
        let rises = next > self.highest.get();
        if rises {
            self.highest.set(next);
        }
        rises.then_some(next)
    }

    /// Returns the next number above `used`, to which the sequence is advanced if it is behind. None: it could not be.
    pub fn next_above(&self, used: i64) -> Option<i64> {
        if let Some(next) = self.next()
            && next > used
        {
            return Some(next);
        }
        let target = used.max(self.highest.get()).saturating_add(MARGIN);
        let advanced = subtransaction::attempt(|| {
            let _one_at_a_time = Advancing::lock(self.oid);
            // Somebody else may have done it meanwhile.
            // SAFETY: as in next().
            let next = unsafe { pg_sys::nextval_internal(self.oid, false) };
            if next <= used {
                let _owner = ActingAs::role(self.owner);
                // SAFETY: the function takes a sequence and a number.
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

/// Whether the sequence goes up one by one to the end of bigint, and keeps no numbers for later in a session.
fn counts_up(sequence: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up; the row is read before it is released.
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

/// Only one session at a time advances a sequence.
struct Advancing(pg_sys::Oid);

impl Advancing {
    fn lock(sequence: pg_sys::Oid) -> Self {
        // SAFETY: a lock of no relation, on a name that nobody else takes.
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
            // SAFETY: taken in lock().
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
