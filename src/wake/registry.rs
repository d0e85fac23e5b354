//! The registry in shared memory: a slot for each database, and what concerns the whole cluster.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32};
use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::way::WayId;

use super::held_roles::{Held, LONG_HOLD};
use super::process_number::{NOBODY, wake_process};
use super::since::Since;
use super::slot::Slot;
use super::stuck::{EndRequest, Replaced, Stuck, StuckList};
use super::ways::Ways;
use super::work::Work;
use crate::pg::{process, version};

/// Maximum number of databases with slots. If a database finds none, the launcher looks into all databases.
const SLOTS: usize = 1024;
/// Number of slots that a database may take one of, from the one that its OID hashes to.
const WINDOW: usize = 16;

/// Everything that is shared.
pub struct Registry {
    launcher: AtomicI32,
    workers: AtomicU32,
    /// Whether the launcher has to look into every database.
    survey: AtomicBool,
    /// Whether the launcher has to list the databases.
    databases: AtomicBool,
    /// The number of databases that wait for a worker, while none can be started.
    waiting: AtomicU32,
    /// Since when the server has no place for another worker.
    short_of_workers: Since,
    /// What Discord allows each address, which a new worker has to know.
    ways: Ways,
    /// How often a person has ended a park of Discord.
    discord_resumed: AtomicU32,
    stuck: StuckList,
    slots: [Slot; SLOTS],
}

impl Registry {
    /// Makes a registry without databases.
    pub fn new() -> Self {
        Registry {
            launcher: AtomicI32::new(NOBODY),
            workers: AtomicU32::new(0),
            survey: AtomicBool::new(true),
            databases: AtomicBool::new(false),
            waiting: AtomicU32::new(0),
            short_of_workers: Since::never(),
            ways: Ways::none(),
            discord_resumed: AtomicU32::new(0),
            stuck: StuckList::none(),
            slots: [const { Slot::free() }; SLOTS],
        }
    }

    /// Returns the database's slot, and takes one if it has none. None: all slots that it may have are taken.
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

    /// Returns the number of workers that serve a database now.
    pub fn workers(&self) -> u32 {
        self.workers.load(SeqCst)
    }

    /// Makes this process the slot's worker. Returns false if there is another one.
    pub fn enter(&self, slot: &Slot) -> bool {
        let entered = slot.enter();
        if entered {
            self.workers.fetch_add(1, SeqCst);
        }
        entered
    }

    /// Ends what [`enter`](Self::enter) began; it may be called again. Work that the worker had taken out and not done is put back.
    pub fn leave(&self, slot: &Slot) {
        if slot.leave() {
            slot.give_back();
            self.workers.fetch_sub(1, SeqCst);
        }
    }

    /// Takes the slot from a worker that does not end. What that one writes afterwards does not reach the slot.
    pub fn replace(&self, slot: &Slot, told: &EndRequest) -> Replaced {
        // It is added first, so that the process finds itself there when it leaves.
        let owner = slot.overran().ran().map_or(0, |ran| ran.owner);
        if !self.stuck.add(slot.database(), owner, told) {
            return Replaced::TooMany;
        }
        if !slot.vacate(told.number) {
            self.stuck.remove(told.pid);
            return Replaced::Needless;
        }
        slot.give_back();
        self.workers.fetch_sub(1, SeqCst);
        Replaced::Yes
    }

    /// Notes that this process ends, if another one has replaced it. What was left out because of it may be tried again.
    pub fn stuck_one_ends(&self, database: pg_sys::Oid) {
        if self.stuck.remove(process::pid()) {
            self.notify(database, &Work::ALL);
        }
    }

    /// Returns which part of the role's sources is not tried now in the slot's database, and for how long. While a process is stuck in code of the
    /// role, that is everything.
    pub fn held(&self, slot: &Slot, role: u32) -> Option<(Held, Duration)> {
        let lately = slot.held_lately(role);
        if self.stuck.concerns(slot.database(), role) {
            let what = lately.map_or(Held::Everything, |(held, _)| held);
            return Some((what, LONG_HOLD));
        }
        lately
    }

    /// Returns for how long none of the role's tables is read for a source of another role in the slot's database. None: they may be.
    pub fn tables_held(&self, slot: &Slot, role: u32) -> Option<Duration> {
        if self.stuck.concerns(slot.database(), role) {
            return Some(LONG_HOLD);
        }
        slot.tables_held_lately(role)
    }

    /// Returns the processes that were told to end and have not.
    pub fn stuck(&self) -> impl Iterator<Item = Stuck> {
        let told = self.slots().filter_map(|slot| {
            slot.told_to_end().map(|told| Stuck {
                database: slot.database(),
                pid: told.pid,
                since: told.at,
                replaced: false,
            })
        });
        self.stuck.iter().chain(told)
    }

    pub fn take_survey(&self) -> bool {
        self.survey.swap(false, SeqCst)
    }

    /// Sets the number of databases that wait for another's worker to leave.
    pub fn let_wait(&self, databases: usize) {
        self.waiting
            .store(u32::try_from(databases).unwrap_or(u32::MAX), SeqCst);
        if databases > 0 {
            self.slots().for_each(Slot::wake_worker);
        }
    }

    pub fn others_wait(&self) -> bool {
        self.waiting() > 0
    }

    /// Returns the number of databases that wait for another's worker to leave.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(SeqCst)
    }

    /// Sets whether the server has no place for another worker.
    pub fn set_short_of_workers(&self, short: bool) {
        self.short_of_workers.set(short);
    }

    pub fn short_of_workers_since(&self) -> Option<Timestamp> {
        self.short_of_workers.get()
    }

    /// Notes that settings of a database, or of all of them, have changed.
    pub fn settings_changed(&self, database: Option<pg_sys::Oid>) {
        let concerned = |slot: &&Slot| database.is_none_or(|database| slot.database() == database);
        for slot in self.slots().filter(concerned) {
            slot.settings_changed();
            slot.wake_worker();
        }
        self.wake_launcher();
    }

    /// Notes that a prepared transaction was committed in this database, which may have written anything there, and changed a setting in any
    /// database. Has a worker look into this database, and into each one in which nothing could be sent. A pause goes on: where there is nothing to
    /// do, however many such transactions there are, they start no worker each.
    pub fn prepared_committed(&self, database: pg_sys::Oid) {
        let mut concerned = false;
        for slot in self.slots() {
            concerned |= slot.prepared_committed();
        }
        if concerned {
            self.wake_launcher();
        }
        match self.slot(database) {
            Some(slot) if slot.add(&Work::ALL) => self.wake(slot),
            Some(_) => {}
            None => {
                self.ask_for_survey();
                self.wake_launcher();
            }
        }
    }

    /// Notes that a database may have been opened.
    pub fn databases_changed(&self) {
        self.databases.store(true, SeqCst);
        self.wake_launcher();
    }

    pub fn take_databases_changed(&self) -> bool {
        self.databases.swap(false, SeqCst)
    }

    pub fn ask_for_survey(&self) {
        self.survey.store(true, SeqCst);
    }

    /// Returns what is known of the ways out.
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// Ends the parks of Discord, since a person wants it to be tried: by every worker, and by a new one where a worker has left because of
    /// them.
    pub fn unpark_discord(&self) {
        self.ways.unpark_discord();
        self.discord_resumed.fetch_add(1, SeqCst);
        for slot in self.slots() {
            if slot.due().is_some() {
                slot.set_due(Some(Timestamp::now()));
            }
            slot.wake_worker();
        }
        self.wake_launcher();
    }

    /// Returns a number that changes whenever a person ends the parks of Discord.
    pub fn discord_resumed(&self) -> u32 {
        self.discord_resumed.load(SeqCst)
    }

    /// Returns until when none of these ways out may be used for Discord. None: one may.
    pub fn discord_parked_until(&self, ways: &[WayId]) -> Option<Timestamp> {
        let now = Timestamp::now();
        let parked = ways.iter().map(|way| self.ways.discord_parked_until(*way));
        parked.map(|until| until.filter(|until| *until > now)).min()?
    }

    pub fn wake_launcher(&self) {
        wake_process(self.launcher.load(SeqCst));
    }

    /// Returns the slot of a database that has or had work.
    pub fn known_slot(&self, database: pg_sys::Oid) -> Option<&Slot> {
        self.slots().find(|slot| slot.database() == database)
    }

    /// Adds work for a database, and wakes the process that does it.
    pub fn notify(&self, database: pg_sys::Oid, work: &Work) {
        let Some(slot) = self.slot(database) else {
            self.ask_for_survey();
            return self.wake_launcher();
        };
        let new = slot.add(work);
        if work.configuration {
            slot.paused_until.store(0, SeqCst);
        } else if !new {
            return;
        }
        self.wake(slot);
    }

    /// Wakes the process that does the slot's work.
    fn wake(&self, slot: &Slot) {
        match slot.worker.load(SeqCst) {
            NOBODY => self.wake_launcher(),
            _ if slot.looking.load(SeqCst) => {}
            worker => wake_process(worker),
        }
    }
}
