//! All that is in shared memory: a place for each database, and what concerns the cluster.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32};
use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::way::WayId;

use super::held_roles::{Held, LONG_HOLD};
use super::since::Since;
use super::stuck::{EndRequest, Replaced, Stuck, StuckList};
use super::ways::Ways;
use super::{NOBODY, Slot, Work, wake_process};
use crate::pg::{process, version};

/// Databases with work that the launcher can keep apart. When a database finds no place, the launcher looks at all of them.
const SLOTS: usize = 1024;
/// Places that a database may have, from the one that its OID hashes to.
const WINDOW: usize = 16;

/// All that is shared.
pub struct Registry {
    launcher: AtomicI32,
    workers: AtomicU32,
    /// The launcher has to look at every database.
    survey: AtomicBool,
    /// The launcher has to look which databases are open.
    databases: AtomicBool,
    /// How many databases wait for a worker that none can be started for.
    waiting: AtomicU32,
    /// Since when the server has no place for another worker.
    short_of_workers: Since,
    /// What Discord allows each address: a worker that starts anew must know.
    ways: Ways,
    /// How often a person has ended that.
    discord_resumed: AtomicU32,
    stuck: StuckList,
    slots: [Slot; SLOTS],
}

impl Registry {
    /// Nobody is known yet.
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

    /// The end of what [`enter`](Self::enter) began; harmless when repeated. What a worker that died had taken out is there again.
    pub fn leave(&self, slot: &Slot) {
        if slot.leave() {
            slot.give_back();
            self.workers.fetch_sub(1, SeqCst);
        }
    }

    /// Takes the slot from a worker that does not end. What it writes from then on is not of the slot, and nobody counts on it.
    pub fn replace(&self, slot: &Slot, told: &EndRequest) -> Replaced {
        // First, so that it finds itself there when it leaves.
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

    /// Says that this process ends, if another one has its work. What was left out because of it may be tried again.
    pub fn stuck_one_ends(&self, database: pg_sys::Oid) {
        if self.stuck.remove(process::pid()) {
            self.notify(database, &Work::ALL);
        }
    }

    /// What of the role's sources is not tried now in the slot's database, and for how long. While something of the role's is stuck, that is
    /// everything.
    pub fn held(&self, slot: &Slot, role: u32) -> Option<(Held, Duration)> {
        let lately = slot.held_lately(role);
        if self.stuck.concerns(slot.database(), role) {
            let what = lately.map_or(Held::Everything, |(held, _)| held);
            return Some((what, LONG_HOLD));
        }
        lately
    }

    /// For how long none of the role's tables is read for somebody else's source in the slot's database; None: they may be.
    pub fn tables_held(&self, slot: &Slot, role: u32) -> Option<Duration> {
        if self.stuck.concerns(slot.database(), role) {
            return Some(LONG_HOLD);
        }
        slot.tables_held_lately(role)
    }

    /// The processes that were told to end and have not.
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

    /// Says how many databases wait for another's worker to leave.
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

    /// How many databases wait for another's worker to leave.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(SeqCst)
    }

    /// Says whether the server has no place for another worker.
    pub fn set_short_of_workers(&self, short: bool) {
        self.short_of_workers.set(short);
    }

    pub fn short_of_workers_since(&self) -> Option<Timestamp> {
        self.short_of_workers.get()
    }

    /// Says that settings of a database, or of all of them, are other ones now.
    pub fn settings_changed(&self, database: Option<pg_sys::Oid>) {
        let concerned = |slot: &&Slot| database.is_none_or(|database| slot.database() == database);
        for slot in self.slots().filter(concerned) {
            slot.settings_changed();
            slot.wake_worker();
        }
        self.wake_launcher();
    }

    /// Has a worker look whether something may be sent where nothing could: a transaction that was prepared may have changed a setting, in any
    /// database.
    pub fn look_where_held_back(&self) {
        let mut found = false;
        for slot in self
            .slots()
            .filter(|slot| slot.is_held_back() && !slot.has_worker())
        {
            slot.add(&Work::ALL);
            found = true;
        }
        if found {
            self.wake_launcher();
        }
    }

    /// Says that a database may be open now that was not.
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

    /// What is known of the ways out.
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// A person wants Discord to be tried: by every worker, and where a worker has left because of it, by another one.
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

    /// Changes whenever a person wants Discord to be tried.
    pub fn discord_resumed(&self) -> u32 {
        self.discord_resumed.load(SeqCst)
    }

    /// Until when none of these ways out may be used for Discord; None: one may.
    pub fn discord_parked_until(&self, ways: &[WayId]) -> Option<Timestamp> {
        let now = Timestamp::now();
        let parked = ways.iter().map(|way| self.ways.discord_parked_until(*way));
        parked.map(|until| until.filter(|until| *until > now)).min()?
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
        let new = slot.add(work);
        if work.configuration {
            slot.paused_until.store(0, SeqCst);
        } else if !new {
            return;
        }
        match slot.worker.load(SeqCst) {
            NOBODY => self.wake_launcher(),
            _ if slot.looking.load(SeqCst) => {}
            worker => wake_process(worker),
        }
    }
}
