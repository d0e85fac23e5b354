//! A database's place in shared memory.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64};
use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;

use super::held_roles::{Held, HeldRoles};
use super::since::{Since, time_left};
use super::stuck::EndRequest;
use super::webhook_set::SharedWebhookSet;
use super::{NOBODY, Occupant, Work, wake_process};
use crate::pg::process;
use crate::pg::time_limit::Overran;
use crate::pg::version;

const NEVER: i64 = i64::MAX;
/// For how long events are written carefully after one could not be stored. Each one that can't be begins it anew.
const CAREFUL: Duration = Duration::from_secs(600);

/// A database that has or had work.
pub struct Slot {
    /// Its OID; 0: the place is free.
    pub(super) database: AtomicU32,
    webhooks: SharedWebhookSet,
    overdue: SharedWebhookSet,
    /// Those of `overdue` are to be tried whatever their endpoints have asked for.
    resumed: AtomicBool,
    events: AtomicBool,
    configuration: AtomicBool,
    /// Process number of its worker.
    pub(super) worker: AtomicI32,
    /// The worker looks again by itself within a moment, so nobody has to wake it.
    pub(super) looking: AtomicBool,
    /// When something falls due without a commit, in microseconds since 1970.
    due: AtomicI64,
    /// Until when no worker may be in the database, in microseconds since 1970.
    held_until: AtomicI64,
    /// Until when a worker would find nothing that it may do, in microseconds since 1970. A change of the configuration ends it.
    pub(super) paused_until: AtomicI64,
    /// Whether the last worker left because nothing may be sent.
    held_back: AtomicBool,
    /// Whether it was said that the database's SQL does not go with the library.
    outdated: AtomicBool,
    /// Whether the last worker left because it wanted to.
    left_in_order: AtomicBool,
    /// Since when the database refuses what its worker wants.
    refused: Since,
    /// Events that could not be written, since the server started.
    lost: AtomicU64,
    /// Until when sessions write events so that they cannot fail what they belong to, in microseconds since 1970.
    careful_until: AtomicI64,
    /// Whether settings of the database or of a role have changed since its worker began: it has the old ones.
    stale: AtomicBool,
    /// The event source whose look-ups have ended a worker, because they heeded no cancel; 0: none.
    overran: Overran,
    /// The roles whose sources have ended a worker lately. The worker alone writes it.
    held_roles: HeldRoles,
}

impl Slot {
    pub(super) const fn free() -> Self {
        Slot {
            database: AtomicU32::new(0),
            webhooks: SharedWebhookSet::empty(),
            overdue: SharedWebhookSet::empty(),
            resumed: AtomicBool::new(false),
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
            overran: Overran::nothing(),
            held_roles: HeldRoles::none(),
        }
    }

    /// Where it is noted which event source's look-ups do not end.
    pub fn overran(&self) -> &Overran {
        &self.overran
    }

    /// Something of the role's has ended a worker: for a while its expressions do not run, and nothing at all when that happens again. `tables`: it
    /// was one of its tables, that was read for somebody else's source, and none of them is read for others.
    pub fn hold_role(&self, role: u32, tables: bool) -> Held {
        self.held_roles.hold(role, tables)
    }

    /// What of the role's sources is not tried because they have ended a worker, and for how long.
    pub(super) fn held_lately(&self, role: u32) -> Option<(Held, Duration)> {
        self.held_roles.lately(role)
    }

    /// For how long none of the role's tables is read for somebody else's source because one has ended a worker.
    pub(super) fn tables_held_lately(&self, role: u32) -> Option<Duration> {
        self.held_roles.tables(role)
    }

    pub fn database(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.database.load(SeqCst))
    }

    /// True when some of it was not there yet, false when whoever added the same has woken those who do it, and they have not
    /// taken it yet.
    pub fn add(&self, work: &Work) -> bool {
        let webhooks = self.webhooks.add(work.webhooks);
        // First: who takes the others takes it too.
        if work.resumed {
            self.resumed.store(true, SeqCst);
        }
        let overdue = self.overdue.add(work.overdue);
        let events = work.events && !self.events.swap(true, SeqCst);
        let configuration = work.configuration && !self.configuration.swap(true, SeqCst);
        webhooks | overdue | events | configuration
    }

    /// Takes the work out; what is added from now on is there at the next call.
    pub fn take(&self) -> Work {
        let overdue = self.overdue.take();
        Work {
            webhooks: self.webhooks.take(),
            overdue,
            // That of a webhook which is added at this moment comes with the webhook.
            resumed: !overdue.is_empty() && self.resumed.swap(false, SeqCst),
            events: self.events.swap(false, SeqCst),
            configuration: self.take_configuration(),
        }
    }

    /// Takes out whether the configuration has changed.
    pub fn take_configuration(&self) -> bool {
        self.configuration.swap(false, SeqCst)
    }

    /// Whether the configuration has changed, which stays to be taken.
    pub fn configuration_is_noted(&self) -> bool {
        self.configuration.load(SeqCst)
    }

    pub fn has_work(&self) -> bool {
        self.events.load(SeqCst)
            || self.configuration.load(SeqCst)
            || !self.webhooks.is_empty()
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
        self.wake_worker();
    }

    /// If it has one.
    pub fn wake_worker(&self) {
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

    /// Says whether the worker leaves because nothing may be sent.
    pub fn set_held_back(&self, held_back: bool) {
        self.held_back.store(held_back, SeqCst);
    }

    pub fn is_held_back(&self) -> bool {
        self.held_back.load(SeqCst)
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
    pub(super) fn enter(&self) -> bool {
        let entered = self
            .worker
            .compare_exchange(NOBODY, version::my_process_number(), SeqCst, SeqCst)
            .is_ok();
        if entered {
            self.overran.process_changes();
            self.stale.store(false, SeqCst);
            self.left_in_order.store(false, SeqCst);
            self.refused.set(false);
        }
        entered
    }

    /// Whether this process is its worker.
    pub fn is_mine(&self) -> bool {
        self.worker.load(SeqCst) == version::my_process_number()
    }

    /// True when this process was its worker.
    pub(super) fn leave(&self) -> bool {
        self.is_mine() && self.vacate(version::my_process_number())
    }

    /// True when that process was its worker.
    pub(super) fn vacate(&self, number: i32) -> bool {
        self.set_looking(false);
        self.worker
            .compare_exchange(number, NOBODY, SeqCst, SeqCst)
            .is_ok()
    }

    /// Its worker, if that was told to end because of what runs in it, and since when.
    pub fn told_to_end(&self) -> Option<EndRequest> {
        let at = self.overran.told_at()?;
        let number = self.worker.load(SeqCst);
        (number != NOBODY).then(|| EndRequest {
            number,
            pid: process::pid_at(number),
            at: Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX),
        })
    }

    /// Says that the worker leaves because it wants to, not because it died.
    pub fn in_order(&self) {
        self.left_in_order.store(true, SeqCst);
    }

    pub fn left_in_order(&self) -> bool {
        self.left_in_order.load(SeqCst)
    }

    /// Says that settings of the database have changed: what may be done is to be found out again, by a worker that has the new ones.
    pub(super) fn settings_changed(&self) {
        self.stale.store(true, SeqCst);
        self.look_again();
    }

    /// Sends the worker away, if there is one: nobody is to be in the database. What it had in hand is found out again by the next one.
    pub fn dismiss(&self) {
        if self.has_worker() {
            self.settings_changed();
            self.wake_worker();
        }
    }

    /// Has a worker look what there is to do, whatever the last one has found.
    pub fn look_again(&self) {
        self.paused_until.store(0, SeqCst);
        self.add(&Work::ALL);
    }

    /// Whether its worker has old settings, and has to make room for one that has the new ones.
    pub fn is_stale(&self) -> bool {
        self.stale.load(SeqCst)
    }

    /// Puts back what a worker had taken out that died, or that has looked with old settings.
    pub(super) fn give_back(&self) {
        if self.is_stale() {
            self.look_again();
        } else if !self.left_in_order() {
            self.add(&Work::ALL);
        }
    }

    /// Who its worker is, until that process is gone.
    pub fn occupant(&self) -> Option<Occupant> {
        let number = self.worker.load(SeqCst);
        (number != NOBODY).then(|| Occupant::of(number))
    }

    /// Says whether the database refuses what its worker wants.
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

    /// How many events could not be written since the server started.
    pub fn lost(&self) -> u64 {
        self.lost.load(SeqCst)
    }

    /// An event could not be stored: for a while they are written so that this fails no write.
    pub fn be_careful(&self) {
        let until = Timestamp::now().checked_add(CAREFUL).unwrap_or(Timestamp::MAX);
        self.careful_until.store(until.as_microsecond(), SeqCst);
    }

    pub fn is_careful(&self) -> bool {
        self.careful_until.load(SeqCst) != 0 && time_left(&self.careful_until).is_some()
    }

    /// Gives the place of a database that does not exist any more to others.
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
        self.overran.forget();
        self.overran.process_changes();
        self.overran.unseen.store(false, SeqCst);
        self.held_roles.forget();
        self.set_due(None);
        self.left_in_order.store(true, SeqCst);
        self.database.store(0, SeqCst);
    }
}
