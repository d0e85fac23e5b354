//! The slot of a database in shared memory.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64};
use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;

use super::held_roles::{Held, HeldRoles};
use super::occupant::Occupant;
use super::process_number::{NOBODY, wake_process};
use super::since::{Since, time_left};
use super::stuck::EndRequest;
use super::webhook_set::SharedWebhookSet;
use super::work::Work;
use crate::pg::process;
use crate::pg::time_limit::Overran;
use crate::pg::version;

const NEVER: i64 = i64::MAX;
/// The time for which events are written in subtransactions after one could not be stored. Each further one begins it anew.
const CAREFUL: Duration = Duration::from_secs(600);

/// The slot of a database that has or had work.
pub struct Slot {
    /// The OID of the database. 0: the slot is free.
    pub(super) database: AtomicU32,
    webhooks: SharedWebhookSet,
    overdue: SharedWebhookSet,
    resumed: SharedWebhookSet,
    events: AtomicBool,
    configuration: AtomicBool,
    /// The process number of the worker.
    pub(super) worker: AtomicI32,
    /// Whether the worker looks again by itself within a moment, so that it need not be woken.
    pub(super) looking: AtomicBool,
    /// When something falls due without a commit, in microseconds since 1970.
    due: AtomicI64,
    /// Until when no worker may be in the database, in microseconds since 1970.
    held_until: AtomicI64,
    /// Until when a worker could do nothing, in microseconds since 1970. A change of the configuration ends it.
    pub(super) paused_until: AtomicI64,
    /// Whether the last worker left because sending is off.
    held_back: AtomicBool,
    /// Whether it was logged that the database's SQL does not fit the library.
    outdated: AtomicBool,
    /// Whether the last worker left by itself, and did not die.
    left_in_order: AtomicBool,
    /// Since when the database has refused what its worker writes.
    refused: Since,
    /// The number of events that could not be written, since the server started.
    lost: AtomicU64,
    /// Until when sessions write events in subtransactions, in microseconds since 1970.
    careful_until: AtomicI64,
    /// Whether settings of the database or of a role have changed since the worker began, so that it has old ones.
    stale: AtomicBool,
    /// Whether a prepared transaction was committed since the worker began, in any database: it may have changed settings.
    prepared_committed: AtomicBool,
    /// The event source whose look-ups have ended a worker because they did not react to a cancel.
    overran: Overran,
    /// The roles whose sources have ended a worker lately. Only the worker writes them.
    held_roles: HeldRoles,
}

impl Slot {
    pub(super) const fn free() -> Self {
        Slot {
            database: AtomicU32::new(0),
            webhooks: SharedWebhookSet::empty(),
            overdue: SharedWebhookSet::empty(),
            resumed: SharedWebhookSet::empty(),
            events: AtomicBool::new(false),
            configuration: AtomicBool::new(false),
            worker: AtomicI32::new(NOBODY),
            looking: AtomicBool::new(false),
            due: AtomicI64::new(NEVER),
            held_until: AtomicI64::new(0),
            paused_until: AtomicI64::new(0),
            held_back: AtomicBool::new(false),
            outdated: AtomicBool::new(false),
            left_in_order: AtomicBool::new(true),
            refused: Since::never(),
            lost: AtomicU64::new(0),
            careful_until: AtomicI64::new(0),
            stale: AtomicBool::new(false),
            prepared_committed: AtomicBool::new(false),
            overran: Overran::nothing(),
            held_roles: HeldRoles::none(),
        }
    }

    /// Returns the note of what runs, and of what has overrun.
    pub fn overran(&self) -> &Overran {
        &self.overran
    }

    /// Holds a role whose code has ended a worker: for a while its expressions are not run, and nothing of it at all if that happens again. `tables`
    /// says that it was one of its tables, which was read for a source of another role: then none of them is read for others.
    pub fn hold_role(&self, role: u32, tables: bool) -> Held {
        self.held_roles.hold(role, tables)
    }

    /// Returns which part of the role's sources is not tried because they have ended a worker, and for how long.
    pub(super) fn held_lately(&self, role: u32) -> Option<(Held, Duration)> {
        self.held_roles.lately(role)
    }

    /// Returns for how long none of the role's tables is read for sources of others because one has ended a worker.
    pub(super) fn tables_held_lately(&self, role: u32) -> Option<Duration> {
        self.held_roles.tables(role)
    }

    pub fn database(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.database.load(SeqCst))
    }

    /// Adds work. Returns true if some of it was not there yet. False: whoever added the same has woken the worker, which has not taken it
    /// yet.
    pub fn add(&self, work: &Work) -> bool {
        let webhooks = self.webhooks.add(work.webhooks);
        let overdue = self.overdue.add(work.overdue);
        let resumed = self.resumed.add(work.resumed);
        let events = work.events && !self.events.swap(true, SeqCst);
        let configuration = work.configuration && !self.configuration.swap(true, SeqCst);
        webhooks | overdue | resumed | events | configuration
    }

    /// Takes the work out. What is added from now on is there at the next call.
    pub fn take(&self) -> Work {
        Work {
            webhooks: self.webhooks.take(),
            overdue: self.overdue.take(),
            resumed: self.resumed.take(),
            events: self.events.swap(false, SeqCst),
            configuration: self.take_configuration(),
        }
    }

    /// Takes out whether the configuration has changed.
    pub fn take_configuration(&self) -> bool {
        self.configuration.swap(false, SeqCst)
    }

    /// Returns whether the configuration has changed, and leaves it to be taken.
    pub fn configuration_is_noted(&self) -> bool {
        self.configuration.load(SeqCst)
    }

    pub fn has_work(&self) -> bool {
        self.events.load(SeqCst)
            || self.configuration.load(SeqCst)
            || !self.webhooks.is_empty()
            || !self.overdue.is_empty()
            || !self.resumed.is_empty()
    }

    pub fn due(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.due.load(SeqCst)).ok()
    }

    pub fn set_due(&self, at: Option<Timestamp>) {
        self.due
            .store(at.map_or(NEVER, Timestamp::as_microsecond), SeqCst);
    }

    /// Sends the worker away and starts none until then. None: one may be started.
    pub fn hold_until(&self, until: Option<Timestamp>) {
        self.held_until
            .store(until.map_or(0, Timestamp::as_microsecond), SeqCst);
        self.wake_worker();
    }

    /// Wakes the worker, if there is one.
    pub fn wake_worker(&self) {
        wake_process(self.worker.load(SeqCst));
    }

    /// Returns for how long no worker may be in the database.
    pub fn held_for(&self) -> Option<Duration> {
        time_left(&self.held_until)
    }

    /// Starts no worker for that long, unless the configuration changes: it could do nothing.
    pub fn pause_for(&self, pause: Duration) {
        let until = Timestamp::now().checked_add(pause).unwrap_or(Timestamp::MAX);
        self.paused_until.store(until.as_microsecond(), SeqCst);
    }

    /// Notes that the worker begins, and has not found sending off.
    pub fn not_held_back(&self) {
        self.held_back.store(false, SeqCst);
    }

    /// Notes that the worker leaves because sending is off. Another one looks at the settings, after the pause, if a prepared transaction may have
    /// changed them since this one began.
    pub fn held_back(&self) {
        self.held_back.store(true, SeqCst);
        if self.prepared_committed.load(SeqCst) {
            self.add(&Work::ALL);
        }
    }

    /// Notes that a prepared transaction was committed, which may have changed settings. Returns whether that concerns the database, since nothing
    /// could be sent in it.
    pub(super) fn prepared_committed(&self) -> bool {
        // The worker that leaves does this in the opposite order, so that one of the two sees what the other has noted.
        self.prepared_committed.store(true, SeqCst);
        let concerned = self.held_back.load(SeqCst);
        if concerned {
            self.add(&Work::ALL);
        }
        concerned
    }

    pub fn paused_for(&self) -> Option<Duration> {
        time_left(&self.paused_until)
    }

    /// Sets whether the SQL does not fit the library. Returns true if that was otherwise before.
    pub fn set_outdated(&self, outdated: bool) -> bool {
        self.outdated.swap(outdated, SeqCst) != outdated
    }

    pub fn has_worker(&self) -> bool {
        self.worker.load(SeqCst) != NOBODY
    }

    /// Sets whether the worker will look by itself within a moment. After setting it to false, the worker has to look once more.
    pub fn set_looking(&self, looking: bool) {
        self.looking.store(looking, SeqCst);
    }

    /// Makes this process the worker. Returns false if another one is.
    pub(super) fn enter(&self) -> bool {
        let entered = self
            .worker
            .compare_exchange(NOBODY, version::my_process_number(), SeqCst, SeqCst)
            .is_ok();
        if entered {
            self.overran.process_changes();
            self.stale.store(false, SeqCst);
            self.prepared_committed.store(false, SeqCst);
            self.left_in_order.store(false, SeqCst);
            self.refused.set(false);
        }
        entered
    }

    /// Returns whether this process is its worker.
    pub fn is_mine(&self) -> bool {
        self.worker.load(SeqCst) == version::my_process_number()
    }

    /// Frees the slot from this process. Returns true if it was the worker.
    pub(super) fn leave(&self) -> bool {
        self.is_mine() && self.vacate(version::my_process_number())
    }

    /// Frees the slot from that process. Returns true if it was the worker.
    pub(super) fn vacate(&self, number: i32) -> bool {
        self.set_looking(false);
        self.worker
            .compare_exchange(number, NOBODY, SeqCst, SeqCst)
            .is_ok()
    }

    /// Returns the worker, if that was told to end because of what runs in it, and when.
    pub fn told_to_end(&self) -> Option<EndRequest> {
        let at = self.overran.told_at()?;
        let number = self.worker.load(SeqCst);
        (number != NOBODY).then(|| EndRequest {
            number,
            pid: process::pid_of(number),
            at: Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX),
        })
    }

    /// Notes that the worker leaves by itself, and did not die.
    pub fn in_order(&self) {
        self.left_in_order.store(true, SeqCst);
    }

    pub fn left_in_order(&self) -> bool {
        self.left_in_order.load(SeqCst)
    }

    /// Notes that settings of the database have changed: a worker with the new ones has to find out again what may be done.
    pub(super) fn settings_changed(&self) {
        self.stale.store(true, SeqCst);
        self.look_again();
    }

    /// Sends the worker away, if there is one, since no process is to be in the database. The next one does what it had not done.
    pub fn dismiss(&self) {
        if self.has_worker() {
            self.settings_changed();
            self.wake_worker();
        }
    }

    /// Has a worker look into the database, whatever the last one has found.
    pub fn look_again(&self) {
        self.paused_until.store(0, SeqCst);
        self.add(&Work::ALL);
    }

    /// Returns whether the worker has old settings, and has to be replaced by one that has the new ones.
    pub fn is_stale(&self) -> bool {
        self.stale.load(SeqCst)
    }

    /// Puts back the work of a worker that died, or that has looked with old settings.
    pub(super) fn give_back(&self) {
        if self.is_stale() {
            self.look_again();
        } else if !self.left_in_order() {
            self.add(&Work::ALL);
        }
    }

    /// Returns the worker's process, until that is gone.
    pub fn occupant(&self) -> Option<Occupant> {
        let number = self.worker.load(SeqCst);
        (number != NOBODY).then(|| Occupant::of(number))
    }

    /// Sets whether the database refuses what its worker writes.
    pub fn set_refused(&self, refused: bool) {
        self.refused.set(refused);
    }

    pub fn refused_since(&self) -> Option<Timestamp> {
        self.refused.get()
    }

    /// Counts events that could not be written.
    pub fn count_lost(&self, events: u64) {
        self.lost.fetch_add(events, SeqCst);
    }

    /// Returns the number of events that could not be written since the server started.
    pub fn lost(&self) -> u64 {
        self.lost.load(SeqCst)
    }

    /// Has events written in subtransactions for a while, so that they fail no write: one could not be stored.
    pub fn be_careful(&self) {
        let until = Timestamp::now().checked_add(CAREFUL).unwrap_or(Timestamp::MAX);
        self.careful_until.store(until.as_microsecond(), SeqCst);
    }

    pub fn is_careful(&self) -> bool {
        self.careful_until.load(SeqCst) != 0 && time_left(&self.careful_until).is_some()
    }

    /// Frees the slot of a database that does not exist any more.
    pub fn release(&self) {
        self.take();
        self.refused.set(false);
        self.hold_until(None);
        self.paused_until.store(0, SeqCst);
        self.careful_until.store(0, SeqCst);
        self.held_back.store(false, SeqCst);
        self.outdated.store(false, SeqCst);
        self.lost.store(0, SeqCst);
        self.stale.store(false, SeqCst);
        self.prepared_committed.store(false, SeqCst);
        self.overran.forget();
        self.overran.process_changes();
        self.overran.unseen.store(false, SeqCst);
        self.held_roles.forget();
        self.set_due(None);
        self.left_in_order.store(true, SeqCst);
        self.database.store(0, SeqCst);
    }
}
