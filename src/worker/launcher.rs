//! The launcher: starts a worker for each database that has work, and only then.

mod stuck;

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgrx::IntoDatum;
use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::prelude::*;

use super::database;
use crate::pg::catalogue::{self, Access};
use crate::pg::crash_note;
use crate::pg::process;
use crate::pg::signals;
use crate::pg::transaction;
use crate::pg::version;
use crate::pg::wait::Waiter;
use crate::settings;
use crate::wake::{Registry, Slot, Work, registry};
use stuck::EndingWorkers;

/// The first pause before a worker that died is started again. It is doubled as long as workers of the database die.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The pause after no worker could be registered. It does not wait for one of ours to end: others use background workers too.
const NO_WORKER_FREE_PAUSE: Duration = Duration::from_secs(2);
/// How often it is looked whether a closed database with work is open again.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// For how long it is looked so often.
const LOOKED_FOR: Duration = Duration::from_secs(600);
/// How often it is looked afterwards, and while a database is closed of which nothing is known.
const IDLE_LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// How often a worker looks into every database that has or had work, in case some work was missed.
const AUDIT_INTERVAL: Duration = Duration::from_secs(3600);
/// The shortest time between two warnings that no worker is free. Where workers are few, databases take turns, and there is never a free
/// one.
const WARNING_INTERVAL: Duration = Duration::from_secs(600);

pub fn register() {
    BackgroundWorkerBuilder::new("zentry_notify launcher")
        .set_type("zentry_notify launcher")
        .set_library("zentry_notify")
        .set_function("zentry_notify_launcher_main")
        .set_restart_time(Some(Duration::from_secs(1)))
        .enable_spi_access()
        .load();
}

pub fn run() {
    let Some(registry) = registry() else { return };
    signals::install();
    database::connect(None, c"zentry_notify launcher");
    registry.launcher_enters();
    let mut launcher = Launcher::new(registry);
    let waiter = Waiter::new(None, c"ZentryNotifyLauncherMain");
    transaction::report_idle();
    while !signals::terminated() {
        if signals::reload() {
            // What a setting held back may be sent now.
            registry.ask_for_survey();
        }
        let pause = launcher.turn();
        if !signals::noticed() {
            waiter.wait(pause);
        }
    }
    // The postmaster starts it again, unless the server shuts down.
    process::exit_to_restart()
}

/// Returns whether it is template1 or template0, which have these OIDs in every cluster.
fn is_stock_template(database: pg_sys::Oid) -> bool {
    matches!(database.to_u32(), 1 | 4)
}

struct Launcher {
    registry: &'static Registry,
    workers: HashMap<pg_sys::Oid, Running>,
    /// Databases that have work and no worker, with the time since when.
    waiting: HashMap<pg_sys::Oid, Instant>,
    dead: HashMap<pg_sys::Oid, Dead>,
    ending: EndingWorkers,
    /// The databases that exist, and whether they can be connected to.
    databases: HashMap<pg_sys::Oid, Access>,
    /// Databases that are closed and have work, with the time since when that is known.
    closed_with_work: HashMap<pg_sys::Oid, Instant>,
    looked: Instant,
    audited: Instant,
    /// When the last warning that no worker is free was logged.
    warned: Option<Instant>,
}

struct Running {
    handle: version::StartedWorker,
    since: Instant,
}

/// A database whose worker died.
struct Dead {
    pause: Duration,
    until: Instant,
}

impl Launcher {
    fn new(registry: &'static Registry) -> Self {
        Launcher {
            registry,
            workers: HashMap::new(),
            waiting: HashMap::new(),
            dead: HashMap::new(),
            ending: EndingWorkers::default(),
            databases: HashMap::new(),
            closed_with_work: HashMap::new(),
            looked: Instant::now(),
            audited: Instant::now(),
            warned: None,
        }
    }

    /// Does what is due. Returns how long nothing else will be.
    fn turn(&mut self) -> Option<Duration> {
        let survey = self.registry.take_survey();
        let changed = self.registry.take_databases_changed();
        let peep = self.next_look().is_some_and(|left| left.is_zero());
        let mut blind = None;
        if (survey || changed || peep)
            && let Err(error) = self.look(survey)
        {
            pgrx::log!("zentry_notify: could not list the databases, trying again: {error}");
            if survey {
                self.registry.ask_for_survey();
            }
            blind = Some(LOOK_INTERVAL);
        }
        if self.audited.elapsed() >= AUDIT_INTERVAL {
            self.audit();
        }
        let stuck = self
            .ending
            .replace(self.registry, |database| drop(self.workers.remove(&database)));
        self.reap();
        let next = self.look_for_work();
        let turned_away = self.serve_waiting();
        self.registry.let_wait(self.waiting.len());
        let retry = turned_away.then_some(NO_WORKER_FREE_PAUSE);
        let audit = AUDIT_INTERVAL.saturating_sub(self.audited.elapsed());
        [next, stuck, retry, blind, self.next_look(), Some(audit)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns when the databases have to be listed although no notice of a change has come. None: nothing depends on it. A notice comes
    /// from statements, not from an UPDATE of pg_database.
    fn next_look(&self) -> Option<Duration> {
        let is_news = |since: &Instant| since.elapsed() < LOOKED_FOR;
        let interval = if self.closed_with_work.values().any(is_news) {
            LOOK_INTERVAL
        } else if !self.closed_with_work.is_empty()
            || self
                .databases
                .iter()
                .any(|(database, access)| *access == Access::Closed && !is_stock_template(*database))
        {
            IDLE_LOOK_INTERVAL
        } else {
            return None;
        };
        Some(interval.saturating_sub(self.looked.elapsed()))
    }

    /// Lists the databases. Those that have been opened get a worker that looks for due work (with `all`, each open database does), and the
    /// workers of those that have been closed are sent away.
    fn look(&mut self, all: bool) -> Result<(), String> {
        self.looked = Instant::now();
        let databases = database::transaction_as_self("zentry_notify: list databases", catalogue::databases)?;
        if all {
            crash_note::keep(|database| databases.contains_key(&database));
        }
        for slot in self.registry.slots().filter(|slot| !slot.has_worker()) {
            if matches!(databases.get(&slot.database()), None | Some(Access::Invalid)) {
                crash_note::remove(slot.database());
                slot.release();
            }
        }
        for slot in self.registry.slots() {
            if databases.get(&slot.database()) == Some(&Access::Closed) {
                slot.dismiss();
            }
        }
        let before = std::mem::replace(&mut self.databases, databases);
        let opened =
            |database: &pg_sys::Oid| before.get(database).is_some_and(|access| *access != Access::Open);
        let open = self
            .databases
            .iter()
            .filter(|(_, access)| **access == Access::Open);
        for (database, _) in open.filter(|(database, _)| all || opened(database)) {
            if let Some(slot) = self.registry.slot(*database) {
                slot.look_again();
                slot.wake_worker();
            }
        }
        self.closed_with_work
            .retain(|database, _| self.databases.get(database) == Some(&Access::Closed));
        Ok(())
    }

    /// Has a worker look into each database that has or had work. It should find nothing.
    fn audit(&mut self) {
        self.audited = Instant::now();
        if let Err(error) = self.look(false) {
            return pgrx::log!("zentry_notify: could not list the databases: {error}");
        }
        let is_open = |slot: &&Slot| self.databases.get(&slot.database()) == Some(&Access::Open);
        for slot in self
            .registry
            .slots()
            .filter(is_open)
            .filter(|slot| !slot.has_worker())
        {
            slot.add(&Work::ALL);
        }
    }

    /// Notes the databases that need a worker now. Returns when the next one will.
    fn look_for_work(&mut self) -> Option<Duration> {
        let now = (Instant::now(), Timestamp::now());
        let mut next: Option<Duration> = None;
        let mut waiting = HashMap::new();
        for slot in self.registry.slots() {
            let database = slot.database();
            if self.workers.contains_key(&database)
                || slot.has_worker()
                || self.closed_with_work.contains_key(&database)
            {
                continue;
            }
            let wait = match (slot.has_work(), slot.due()) {
                (true, _) => Duration::ZERO,
                (false, Some(due)) => Duration::try_from(due.duration_since(now.1)).unwrap_or_default(),
                (false, None) => continue,
            };
            let paused = self
                .dead
                .get(&database)
                .map_or(Duration::ZERO, |d| d.until.saturating_duration_since(now.0));
            let kept_away = slot.held_for().max(slot.paused_for());
            let wait = wait.max(paused).max(kept_away.unwrap_or_default());
            if wait.is_zero() {
                let since = self.waiting.get(&database).copied();
                waiting.insert(database, since.unwrap_or(now.0));
            } else {
                next = Some(next.map_or(wait, |n| n.min(wait)));
            }
        }
        self.waiting = waiting;
        next
    }

    /// Starts workers, first for the databases that have waited longest. A worker that ends wakes the launcher, which then serves the next
    /// ones. Returns true when the server has no place for a worker that max_workers allows.
    fn serve_waiting(&mut self) -> bool {
        let mut queue: Vec<_> = self.waiting.iter().map(|(oid, since)| (*since, *oid)).collect();
        queue.sort_unstable_by_key(|(since, _)| *since);
        for (_, database) in queue {
            if self.serving() >= settings::max_workers() {
                return false;
            }
            match self.access(database) {
                None | Some(Access::Invalid) => self.forget(database),
                // Its work waits until the database is opened.
                Some(Access::Closed) => drop(self.closed_with_work.insert(database, Instant::now())),
                Some(Access::Open) if !self.start(database) => return true,
                Some(Access::Open) => {}
            }
            self.waiting.remove(&database);
        }
        false
    }

    /// Returns the number of workers, with those that a previous launcher started.
    fn serving(&self) -> usize {
        let others = |slot: &&Slot| slot.has_worker() && !self.workers.contains_key(&slot.database());
        self.workers.len() + self.registry.slots().filter(others).count()
    }

    /// Forgets a database that is gone, or invalid.
    fn forget(&mut self, database: pg_sys::Oid) {
        self.dead.remove(&database);
        crash_note::remove(database);
        if let Some(slot) = self.registry.known_slot(database) {
            slot.release();
        }
    }

    /// Notes which workers have ended.
    fn reap(&mut self) {
        let ended: Vec<pg_sys::Oid> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.handle.has_ended())
            .map(|(database, _)| *database)
            .collect();
        for database in ended {
            let Some(worker) = self.workers.remove(&database) else {
                continue;
            };
            match self.registry.slot(database) {
                Some(slot) if slot.left_in_order() => drop(self.dead.remove(&database)),
                // It was ended by what ran in it, which the next worker leaves out. Other work waits for that one.
                Some(slot) if slot.overran().unseen.swap(false, SeqCst) => {
                    pgrx::log!(
                        "zentry_notify: the worker of database {database} was ended by look-ups that go on when they are cancelled, starting the next one"
                    );
                    slot.add(&Work::ALL);
                }
                _ => self.back_off(database, worker.since.elapsed()),
            }
        }
    }

    /// Pauses before the next worker of a database whose worker died. A database that has been closed or is gone gets none.
    fn back_off(&mut self, database: pg_sys::Oid, lived: Duration) {
        match self.access(database) {
            None | Some(Access::Invalid) => return self.forget(database),
            Some(Access::Closed) => return,
            Some(Access::Open) => {}
        }
        let pause = match self.dead.get(&database) {
            Some(dead) if lived < LONGEST_PAUSE => (dead.pause * 2).min(LONGEST_PAUSE),
            _ => SHORTEST_PAUSE,
        };
        pgrx::log!(
            "zentry_notify: the worker of database {database} died, starting it again in {} s",
            pause.as_secs()
        );
        self.dead.insert(
            database,
            Dead {
                pause,
                until: Instant::now() + pause,
            },
        );
        // It may have died before it entered the slot, in which case it has not given its work back.
        if let Some(slot) = self.registry.slot(database) {
            slot.add(&Work::ALL);
        }
    }

    /// Returns the database's state. A database counts as open when its state cannot be read.
    fn access(&self, database: pg_sys::Oid) -> Option<Access> {
        let databases = database::transaction_as_self("zentry_notify: list databases", catalogue::databases);
        databases.map_or(Some(Access::Open), |databases| databases.get(&database).copied())
    }

    /// Starts a worker. Returns false when the server has no place for another background worker.
    fn start(&mut self, database: pg_sys::Oid) -> bool {
        let worker = BackgroundWorkerBuilder::new("zentry_notify worker")
            .set_type("zentry_notify worker")
            .set_library("zentry_notify")
            .set_function("zentry_notify_worker_main")
            .set_argument(database.into_datum())
            .set_notify_pid(process::pid())
            .enable_spi_access();
        let started = version::start_worker(&worker);
        self.registry.set_short_of_workers(started.is_none());
        match started {
            Some(handle) => {
                self.workers.insert(
                    database,
                    Running {
                        handle,
                        since: Instant::now(),
                    },
                );
                true
            }
            None => {
                if self.warned.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL) {
                    crate::report::warning(
                        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                        "zentry_notify: no background worker is free, notifications wait".to_owned(),
                        "Raise max_worker_processes; sending goes on as soon as a worker is free.",
                    );
                    self.warned = Some(Instant::now());
                }
                false
            }
        }
    }
}
