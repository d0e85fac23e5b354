//! Processes that do not end although they were told to: others have their places in the databases.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32};

use jiff::Timestamp;
use pgrx::prelude::*;

/// How many the server may have: each holds a place of max_worker_processes, and may use a processor.
const MOST: usize = 3;

/// Their places. The launcher alone takes one, and the process that is there gives it back.
pub struct StuckList([Place; MOST]);

struct Place {
    /// 0: it is free.
    pid: AtomicI32,
    database: AtomicU32,
    /// Number of the role that what runs there is of; 0: of none.
    owner: AtomicU32,
    /// In microseconds since 1970.
    since: AtomicI64,
}

/// A worker that was told to end.
#[derive(Clone, Copy, Debug)]
pub struct EndRequest {
    /// Its place among the processes.
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
    /// Whether another one has its work.
    pub replaced: bool,
}

/// What became of the wish to have another process in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    Yes,
    /// It is gone.
    Needless,
    /// There are too many already.
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
            }; MOST],
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

    /// False: there are too many already. Who leaves its place in the database afterwards finds itself here.
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

    /// True when it was there.
    pub fn remove(&self, pid: i32) -> bool {
        let mut places = self.0.iter();
        places.any(|place| place.pid.compare_exchange(pid, 0, SeqCst, SeqCst).is_ok())
    }

    /// Whether something of the role's is stuck in the database, or in two of them: no role may take all places.
    pub fn concerns(&self, database: pg_sys::Oid, role: u32) -> bool {
        let of_role = |place: &&Place| place.pid.load(SeqCst) != 0 && place.owner.load(SeqCst) == role;
        let here = |place: &Place| place.database.load(SeqCst) == database.to_u32();
        let found = || self.0.iter().filter(of_role);
        role != 0 && (found().any(here) || found().count() > 1)
    }
}
