//! The flags and latches in shared memory: a commit sets them, the launcher and the workers wait on them.
//!
//! There is no lock: a commit sets flags first and looks for somebody to wake afterwards; a worker that leaves says so first
//! and looks at the flags afterwards. Shared memory holds numbers only, never a pointer.

use std::cell::RefCell;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64};

use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgAtomic, pg_shmem_init};

use crate::version;

/// Databases with work that the launcher can keep apart. When a database finds no place, the launcher looks at all of them.
const SLOTS: usize = 1024;
/// Places that a database may have, from the one that its OID hashes to.
const WINDOW: usize = 16;
const LANE_WORDS: usize = 16;
const NOBODY: i32 = -1;
const NEVER: i64 = i64::MAX;

/// Which integrations may have new rows, as bits that their ids hash to: a worker reads what it must, whatever else waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneSet([u64; LANE_WORDS]);

impl LaneSet {
    pub const ALL: LaneSet = LaneSet([u64::MAX; LANE_WORDS]);
    pub const NONE: LaneSet = LaneSet([0; LANE_WORDS]);

    pub fn insert(&mut self, integration: i64) {
        let (word, bit) = Self::place(integration);
        self.0[word] |= bit;
    }

    /// True for every integration that was inserted, and for a few others.
    pub fn may_contain(&self, integration: i64) -> bool {
        let (word, bit) = Self::place(integration);
        self.0[word] & bit != 0
    }

    fn merge(&mut self, other: LaneSet) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(bits, others)| *bits |= others);
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn place(integration: i64) -> (usize, u64) {
        let place = integration as u64 as usize % (LANE_WORDS * 64);
        (place / 64, 1 << (place % 64))
    }
}

/// What a worker has to look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    pub lanes: LaneSet,
    /// Integrations of which somebody has made deliveries due now, whatever they were waiting for.
    pub overdue: LaneSet,
    /// Projects whose progress has to be counted.
    pub progress: bool,
    /// Integrations or sources have changed.
    pub configuration: bool,
}

impl Work {
    const NONE: Work = Work {
        lanes: LaneSet::NONE,
        overdue: LaneSet::NONE,
        progress: false,
        configuration: false,
    };

    pub const ALL: Work = Work {
        lanes: LaneSet::ALL,
        overdue: LaneSet::NONE,
        progress: true,
        configuration: true,
    };

    pub fn merge(&mut self, other: Work) {
        self.lanes.merge(other.lanes);
        self.overdue.merge(other.overdue);
        self.progress |= other.progress;
        self.configuration |= other.configuration;
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.overdue.is_empty() && !self.progress && !self.configuration
    }
}

/// A [`LaneSet`] in shared memory.
struct SharedLaneSet([AtomicU64; LANE_WORDS]);

impl SharedLaneSet {
    const fn empty() -> Self {
        SharedLaneSet([const { AtomicU64::new(0) }; LANE_WORDS])
    }

    fn add(&self, lanes: LaneSet) {
        for (shared, bits) in self.0.iter().zip(lanes.0).filter(|(_, bits)| *bits != 0) {
            shared.fetch_or(bits, SeqCst);
        }
    }

    fn take(&self) -> LaneSet {
        // Words that are zero are only read: they stay in every processor's cache.
        LaneSet(std::array::from_fn(|i| match self.0[i].load(SeqCst) {
            0 => 0,
            _ => self.0[i].swap(0, SeqCst),
        }))
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| word.load(SeqCst) == 0)
    }
}

/// A database that has or had work.
pub struct Slot {
    /// Its OID; 0: the place is free.
    database: AtomicU32,
    lanes: SharedLaneSet,
    overdue: SharedLaneSet,
    progress: AtomicBool,
    configuration: AtomicBool,
    /// Process number of its worker.
    worker: AtomicI32,
    /// The worker looks again by itself within a moment, so nobody has to wake it.
    looking: AtomicBool,
    /// When something falls due without a commit, in microseconds since 1970.
    due: AtomicI64,
    /// Until when no worker may be in the database, in microseconds since 1970.
    held_until: AtomicI64,
    /// Until when a worker would find nothing that it may do, in microseconds since 1970. A change of the configuration ends it.
    paused_until: AtomicI64,
    /// Whether it was said that the database's SQL does not go with the library.
    outdated: AtomicBool,
    /// Whether the last worker left because it wanted to.
    left_in_order: AtomicBool,
}

impl Slot {
    const fn free() -> Self {
        Slot {
            database: AtomicU32::new(0),
            lanes: SharedLaneSet::empty(),
            overdue: SharedLaneSet::empty(),
            progress: AtomicBool::new(false),
            configuration: AtomicBool::new(false),
            worker: AtomicI32::new(NOBODY),
            looking: AtomicBool::new(false),
            due: AtomicI64::new(NEVER),
            held_until: AtomicI64::new(0),
            paused_until: AtomicI64::new(0),
            outdated: AtomicBool::new(false),
            left_in_order: AtomicBool::new(true),
        }
    }

    pub fn database(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.database.load(SeqCst))
    }

    pub fn add(&self, work: &Work) {
        self.lanes.add(work.lanes);
        self.overdue.add(work.overdue);
        if work.progress {
            self.progress.store(true, SeqCst);
        }
        if work.configuration {
            self.configuration.store(true, SeqCst);
        }
    }

    /// Takes the work out; what is added from now on is there at the next call.
    pub fn take(&self) -> Work {
        Work {
            lanes: self.lanes.take(),
            overdue: self.overdue.take(),
            progress: self.progress.swap(false, SeqCst),
            configuration: self.configuration.swap(false, SeqCst),
        }
    }

    pub fn has_work(&self) -> bool {
        self.progress.load(SeqCst)
            || self.configuration.load(SeqCst)
            || !self.lanes.is_empty()
            || !self.overdue.is_empty()
    }

    pub fn due(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.due.load(SeqCst)).ok()
    }

    pub fn set_due(&self, at: Option<Timestamp>) {
        self.due
            .store(at.map_or(NEVER, Timestamp::as_microsecond), SeqCst);
    }

    /// Sends the worker away and keeps it away until then; None: it may come back.
    pub fn hold_until(&self, until: Option<Timestamp>) {
        self.held_until
            .store(until.map_or(0, Timestamp::as_microsecond), SeqCst);
        wake_process(self.worker.load(SeqCst));
    }

    /// How long no worker may be in the database.
    pub fn held_for(&self) -> Option<Duration> {
        time_left(&self.held_until)
    }

    /// Starts no worker for that long, unless the configuration changes: it could do nothing.
    pub fn pause_for(&self, pause: Duration) {
        let until = Timestamp::now().checked_add(pause).unwrap_or(Timestamp::MAX);
        self.paused_until.store(until.as_microsecond(), SeqCst);
    }

    pub fn paused_for(&self) -> Option<Duration> {
        time_left(&self.paused_until)
    }

    /// True when it was otherwise before.
    pub fn set_outdated(&self, outdated: bool) -> bool {
        self.outdated.swap(outdated, SeqCst) != outdated
    }

    pub fn has_worker(&self) -> bool {
        self.worker.load(SeqCst) != NOBODY
    }

    /// Says whether the worker will look by itself within a moment. When it says no, it has to look once more.
    pub fn set_looking(&self, looking: bool) {
        self.looking.store(looking, SeqCst);
    }

    /// False when another worker serves the database already.
    fn enter(&self) -> bool {
        let entered = self
            .worker
            .compare_exchange(NOBODY, version::my_process_number(), SeqCst, SeqCst)
            .is_ok();
        if entered {
            self.left_in_order.store(false, SeqCst);
        }
        entered
    }

    /// True when this process was its worker.
    fn leave(&self) -> bool {
        self.set_looking(false);
        self.worker
            .compare_exchange(version::my_process_number(), NOBODY, SeqCst, SeqCst)
            .is_ok()
    }

    /// Says that the worker leaves because it wants to, not because it died.
    pub fn in_order(&self) {
        self.left_in_order.store(true, SeqCst);
    }

    pub fn left_in_order(&self) -> bool {
        self.left_in_order.load(SeqCst)
    }

    /// Gives the place of a database that does not exist any more to others.
    pub fn release(&self) {
        self.take();
        self.hold_until(None);
        self.paused_until.store(0, SeqCst);
        self.outdated.store(false, SeqCst);
        self.set_due(None);
        self.left_in_order.store(true, SeqCst);
        self.database.store(0, SeqCst);
    }
}

/// All that is shared.
pub struct Registry {
    launcher: AtomicI32,
    workers: AtomicU32,
    /// The launcher has to look at every database.
    survey: AtomicBool,
    /// How many databases wait for a worker that none can be started for.
    waiting: AtomicU32,
    /// Until when Discord has banned this address, in microseconds since 1970: a worker that starts anew must know.
    discord_parked_until: AtomicI64,
    slots: [Slot; SLOTS],
}

// SAFETY: atomics only, no pointer, the same layout in every process.
unsafe impl PGRXSharedMemory for Registry {}

// SAFETY: the name is ours alone.
static REGISTRY: PgAtomic<Registry> = unsafe { PgAtomic::new(c"zentry_notify") };

pub fn request_shared_memory() {
    pg_shmem_init!(
        REGISTRY = Registry {
            launcher: AtomicI32::new(NOBODY),
            workers: AtomicU32::new(0),
            survey: AtomicBool::new(true),
            waiting: AtomicU32::new(0),
            discord_parked_until: AtomicI64::new(0),
            slots: [const { Slot::free() }; SLOTS],
        }
    );
    PRELOADED.store(true, SeqCst);
}

/// Set in the postmaster; the processes that it forks inherit it.
static PRELOADED: AtomicBool = AtomicBool::new(false);

/// None when the library was not preloaded: nothing can be woken then.
pub fn registry() -> Option<&'static Registry> {
    PRELOADED.load(SeqCst).then(|| REGISTRY.get())
}

impl Registry {
    /// The database's slot, taken when it has none; None when its window is full.
    pub fn slot(&self, database: pg_sys::Oid) -> Option<&Slot> {
        let oid = database.to_u32();
        let start = oid.wrapping_mul(0x9E37_79B1) as usize;
        let window = || (0..WINDOW).map(|i| &self.slots[start.wrapping_add(i) % SLOTS]);
        window()
            .find(|slot| slot.database.load(SeqCst) == oid)
            .or_else(|| {
                window().find(
                    |slot| match slot.database.compare_exchange(0, oid, SeqCst, SeqCst) {
                        Ok(_) => true,
                        Err(now) => now == oid,
                    },
                )
            })
    }

    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.database.load(SeqCst) != 0)
    }

    pub fn launcher_enters(&self) {
        self.launcher.store(version::my_process_number(), SeqCst);
        self.survey.store(true, SeqCst);
    }

    /// Workers that serve a database now.
    pub fn workers(&self) -> u32 {
        self.workers.load(SeqCst)
    }

    /// Makes this process the slot's worker; false when there is one already.
    pub fn enter(&self, slot: &Slot) -> bool {
        let entered = slot.enter();
        if entered {
            self.workers.fetch_add(1, SeqCst);
        }
        entered
    }

    /// The end of what [`enter`](Self::enter) began; harmless when repeated.
    pub fn leave(&self, slot: &Slot) {
        if slot.leave() {
            self.workers.fetch_sub(1, SeqCst);
        }
    }

    pub fn take_survey(&self) -> bool {
        self.survey.swap(false, SeqCst)
    }

    /// Says how many databases wait for another's worker to leave.
    pub fn let_wait(&self, databases: usize) {
        self.waiting
            .store(u32::try_from(databases).unwrap_or(u32::MAX), SeqCst);
        if databases > 0 {
            self.slots()
                .for_each(|slot| wake_process(slot.worker.load(SeqCst)));
        }
    }

    pub fn others_wait(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    pub fn ask_for_survey(&self) {
        self.survey.store(true, SeqCst);
    }

    pub fn park_discord(&self, until: Timestamp) {
        self.discord_parked_until
            .fetch_max(until.as_microsecond(), SeqCst);
    }

    pub fn discord_parked_until(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.discord_parked_until.load(SeqCst)).ok()
    }

    pub fn wake_launcher(&self) {
        wake_process(self.launcher.load(SeqCst));
    }

    /// The slot of a database that has or had work.
    pub fn known_slot(&self, database: pg_sys::Oid) -> Option<&Slot> {
        self.slots().find(|slot| slot.database() == database)
    }

    /// Adds work for a database and wakes who does it.
    pub fn notify(&self, database: pg_sys::Oid, work: &Work) {
        let Some(slot) = self.slot(database) else {
            self.ask_for_survey();
            return self.wake_launcher();
        };
        slot.add(work);
        if work.configuration {
            slot.paused_until.store(0, SeqCst);
        }
        match slot.worker.load(SeqCst) {
            NOBODY => self.wake_launcher(),
            _ if slot.looking.load(SeqCst) => {}
            worker => wake_process(worker),
        }
    }
}

/// From now to a moment in microseconds since 1970; None: it is past.
fn time_left(until: &AtomicI64) -> Option<Duration> {
    let left = until.load(SeqCst) - Timestamp::now().as_microsecond();
    u64::try_from(left)
        .ok()
        .filter(|left| *left > 0)
        .map(Duration::from_micros)
}

/// A process that has left by now, or its successor, is woken for nothing; every waiter checks its condition again.
fn wake_process(number: i32) {
    if number == NOBODY {
        return;
    }
    // SAFETY: the array of processes has a fixed size and stays; `number` came from a process that has a place in it.
    unsafe {
        let process = (*pg_sys::ProcGlobal).allProcs.add(number as usize);
        pg_sys::SetLatch(&raw mut (*process).procLatch);
    }
}

thread_local! {
    /// What the running transaction has written.
    static WRITTEN: RefCell<Work> = const { RefCell::new(Work::NONE) };
}

/// Lets the worker look at these integrations once the running transaction has committed.
pub fn at_commit(change: impl FnOnce(&mut Work)) {
    WRITTEN.with_borrow_mut(change);
}

pub fn register_callbacks() {
    // SAFETY: once per process; the callback neither raises errors nor allocates.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

#[pg_guard]
extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let written = WRITTEN.take();
    if event == XACT_EVENT_COMMIT
        && !written.is_empty()
        && let Some(registry) = registry()
    {
        // SAFETY: a plain variable of this process.
        registry.notify(unsafe { pg_sys::MyDatabaseId }, &written);
    }
}
