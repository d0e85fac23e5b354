//! Processes that do not end although they were told to, and that other workers have replaced.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32};

use jiff::Timestamp;
use pgrx::prelude::*;

/// Maximum number of such processes of a server: each takes one of max_worker_processes, and may use a processor.
const MAX_STUCK: usize = 3;

/// The stuck processes. Only the launcher adds one, and the process itself removes it.
pub struct StuckList([Place; MAX_STUCK]);

struct Place {
    /// The process id. 0: the place is free.
    pid: AtomicI32,
    database: AtomicU32,
    /// The OID of the role that what runs there belongs to. 0: none.
    owner: AtomicU32,
    /// The time of the end request, in microseconds since 1970.
    since: AtomicI64,
}

/// A worker that was told to end.
#[derive(Clone, Copy, Debug)]
pub struct EndRequest {
    /// The process number.
    pub(super) number: i32,
    pub pid: i32,
    pub at: Timestamp,
}

/// A process that should have ended.
#[derive(Clone, Copy, Debug)]
pub struct Stuck {
    pub database: pg_sys::Oid,
    pub pid: i32,
    pub since: Timestamp,
    /// Whether another process has replaced it.
    pub replaced: bool,
}

/// The result of replacing a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    Yes,
    /// The process has ended.
    Needless,
    /// There are too many stuck processes already.
    TooMany,
}

impl StuckList {
    pub const fn none() -> Self {
        StuckList(
            [const {
                Place {
                    pid: AtomicI32::new(0),
                    database: AtomicU32::new(0),
                    owner: AtomicU32::new(0),
                    since: AtomicI64::new(0),
                }
            }; MAX_STUCK],
        )
    }

    pub fn iter(&self) -> impl Iterator<Item = Stuck> {
        self.0.iter().filter_map(|place| {
            let pid = place.pid.load(SeqCst);
            (pid != 0).then(|| Stuck {
                database: pg_sys::Oid::from(place.database.load(SeqCst)),
                pid,
                since: Timestamp::from_microsecond(place.since.load(SeqCst)).unwrap_or(Timestamp::MAX),
                replaced: true,
            })
        })
    }

    /// Adds a process. Returns false if there are too many already. It is called before the process loses its slot, so that the process
    /// finds itself here afterwards.
    pub fn add(&self, database: pg_sys::Oid, owner: u32, told: &EndRequest) -> bool {
        let Some(free) = self.0.iter().find(|place| place.pid.load(SeqCst) == 0) else {
            return false;
        };
        free.database.store(database.to_u32(), SeqCst);
        free.owner.store(owner, SeqCst);
        free.since.store(told.at.as_microsecond(), SeqCst);
        free.pid.store(told.pid, SeqCst);
        true
    }

    /// Removes a process. Returns true if it was there.
    pub fn remove(&self, pid: i32) -> bool {
        let mut places = self.0.iter();
        places.any(|place| place.pid.compare_exchange(pid, 0, SeqCst, SeqCst).is_ok())
    }

    /// Whether code of the role is stuck in the database, or in two others: no role may take all places.
    pub fn concerns(&self, database: pg_sys::Oid, role: u32) -> bool {
        let of_role = |place: &&Place| place.pid.load(SeqCst) != 0 && place.owner.load(SeqCst) == role;
        let here = |place: &Place| place.database.load(SeqCst) == database.to_u32();
        let found = || self.0.iter().filter(of_role);
        role != 0 && (found().any(here) || found().count() > 1)
    }
}
