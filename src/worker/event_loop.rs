//! The worker of a database: routes what was captured, sends what waits, writes down what became of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgrx::FromDatum;
use pgrx::prelude::*;
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::http_thread::Outgoing;
use webhook::outcome::{TransportError, judge, judge_absence};
use webhook::schedule::{LaneId, RequestId, Scheduler, Tally};

use super::counters::Uncounted;
use super::housekeeping::{self, Housekeeping};
use super::lanes::{Composer, Lane, config, idle_connections, policy};
use super::marks::Marks;
use super::memory::{Buffers, Slack};
use super::queue::Queue;
use super::record::Unrecorded;
use super::trouble::Trouble;
use super::wait::Waiter;
use super::wording::Wordings;
use super::{database, files, signals};
use crate::http::Http;
use crate::installation::Installation;
use crate::settings;
use crate::wake::{LaneSet, Registry, Slot, Work, registry};

/// Under steady writes the worker looks after each such pause instead of being woken by every commit: a signal costs the
/// committing session as much as a tenth of a one-row update.
const NAP: Duration = Duration::from_millis(1);
/// How long a worker that has to leave waits for answers in flight.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same when somebody wants the database for themselves, and waits five seconds for it.
const PATIENCE_WHEN_IN_THE_WAY: Duration = Duration::from_secs(2);
/// How long a busy worker stays when other databases wait for its place.
const SERVICE: Duration = Duration::from_secs(5);
/// When other databases wait, a worker whose next request is further off leaves at once.
const SHORT_WHILE: Duration = Duration::from_secs(1);
/// How long no worker is started after one has found that zentry_notify.sending is off. (Nobody tells when a database's own
/// setting changes.)
const HELD_BACK: Duration = Duration::from_secs(5);
/// The same when the database's SQL does not go with the library. ALTER EXTENSION UPDATE ends it.
const OUTDATED: Duration = Duration::from_secs(60);

pub struct Worker {
    pub(super) registry: &'static Registry,
    pub(super) slot: &'static Slot,
    pub(super) queue: Queue,
    pub(super) scheduler: Scheduler,
    /// Workers of the cluster, which share what Discord allows an address.
    pub(super) workers: u32,
    pub(super) wordings: Wordings,
    pub(super) lanes: HashMap<LaneId, Lane>,
    /// What this worker has switched off, and why. A transaction that began before may still write to it.
    pub(super) switched_off: HashMap<LaneId, Arc<str>>,
    pub(super) marks: Marks,
    pub(super) http: Http,
    /// Kept for each host.
    pub(super) idle_connections: usize,
    pub(super) in_flight: HashMap<RequestId, (EndpointKind, SecretUrl)>,
    pub(super) buffers: Buffers,
    pub(super) unrecorded: Unrecorded,
    pub(super) uncounted: Uncounted,
    pub(super) housekeeping: Housekeeping,
    /// Work that could not be done, to be tried again.
    pub(super) postponed: Work,
    pub(super) trouble: Trouble,
    /// The extension's OID when this worker began.
    pub(super) installation: pg_sys::Oid,
    /// It was dropped since; another may be there.
    pub(super) uninstalled: bool,
    pub(super) worked_at: Instant,
    /// Commits come faster than naps last.
    pub(super) rushed: bool,
    pub(super) slack: Slack,
}

impl Worker {
    fn serve(registry: &'static Registry, slot: &'static Slot, installation: pg_sys::Oid) {
        let started = Http::start(0).and_then(|http| {
            let queue = database::transaction("zentry_notify: prepare", Queue::prepare)?;
            Ok((http, queue))
        });
        let (http, queue) = match started {
            Ok(started) => started,
            Err(error) => {
                // The launcher tries again, with growing pauses.
                pgrx::ereport!(
                    FATAL,
                    PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR,
                    format!("zentry_notify: the worker could not start: {error}")
                );
            }
        };
        let seed = Timestamp::now().as_nanosecond() as u64;
        let waiter = Waiter::new(Some(http.socket()), c"ZentryNotifyWorkerMain");
        let mut worker = Worker {
            registry,
            slot,
            queue,
            scheduler: Scheduler::new(policy(registry.workers()), seed),
            workers: registry.workers(),
            wordings: Wordings::default(),
            lanes: HashMap::new(),
            switched_off: HashMap::new(),
            marks: Marks::default(),
            http,
            idle_connections: 0,
            in_flight: HashMap::new(),
            buffers: Buffers::default(),
            unrecorded: Unrecorded::default(),
            uncounted: Uncounted::default(),
            housekeeping: Housekeeping::new(),
            postponed: Work::ALL,
            trouble: Trouble::default(),
            installation,
            uninstalled: false,
            worked_at: Instant::now(),
            rushed: false,
            slack: Slack::default(),
        };
        if let Some(until) = registry.discord_parked_until() {
            worker.scheduler.park_discord(until, Timestamp::now());
        }
        match worker.run(&waiter) {
            Leaving::Idle => worker.say_when_due(),
            // What it knew has to be found out again, if there is anything.
            Leaving::SentAway | Leaving::Uninstalled => {
                slot.add(&Work::ALL);
            }
        }
    }

    fn run(&mut self, waiter: &Waiter) -> Leaving {
        let started = Instant::now();
        let mut busy_at = started;
        let mut leaving: Option<Instant> = None;
        loop {
            if let Some(patience) = self.has_to_leave(started.elapsed()) {
                self.scheduler.drain();
                let deadline = Instant::now() + patience;
                leaving = Some(leaving.map_or(deadline, |earlier| earlier.min(deadline)));
            }
            let turn = self.turn();
            if leaving.is_some_and(|deadline| self.scheduler.in_flight() == 0 || deadline <= Instant::now()) {
                self.uncounted.hurry();
                self.settle();
                return Leaving::SentAway;
            }
            match turn {
                Turn::Again => {
                    pgrx::check_for_interrupts!();
                    busy_at = Instant::now();
                    continue;
                }
                Turn::Quiet => {}
                Turn::Uninstalled => return Leaving::Uninstalled,
            }
            if self.scheduler.in_flight() == 0 && self.slack.is_due() {
                self.buffers = Buffers::default();
                self.slack.give_back();
            }
            if self.is_busy() {
                busy_at = Instant::now();
            }
            let idle_for = busy_at.elapsed();
            let others_wait = self.registry.others_wait();
            if leaving.is_none()
                && (idle_for >= settings::idle_timeout() || others_wait && !self.has_work_within(SHORT_WHILE))
            {
                return Leaving::Idle;
            }
            let stay = if others_wait {
                SERVICE.saturating_sub(started.elapsed())
            } else {
                settings::idle_timeout().saturating_sub(idle_for)
            };
            let limit = leaving.map_or(stay, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            self.wait(waiter, self.pause().map_or(limit, |pause| pause.min(limit)));
        }
    }

    fn wait(&mut self, waiter: &Waiter, limit: Duration) {
        if std::mem::take(&mut self.rushed) {
            self.slot.set_looking(true);
            waiter.wait(Some(limit.min(NAP)));
            self.slot.set_looking(false);
        } else {
            waiter.wait(Some(limit));
        }
    }

    /// Somebody waits for it to leave.
    pub(super) fn is_called_away(&self) -> bool {
        signals::terminated() || self.slot.held_for().is_some()
    }

    /// How long it may still wait for answers, if it has to leave.
    fn has_to_leave(&self, served: Duration) -> Option<Duration> {
        let in_the_way = self.slot.held_for().map(|_| PATIENCE_WHEN_IN_THE_WAY);
        let terminated = (signals::terminated() || !settings::sending()).then_some(PATIENCE);
        // Nobody hurries: answers are waited for, so that nothing is sent twice.
        let others_turn = self.registry.others_wait() && served >= SERVICE && self.unrecorded.is_empty();
        in_the_way
            .or(terminated)
            .or(others_turn.then(settings::request_timeout))
    }

    /// Everything that can be done now.
    fn turn(&mut self) -> Turn {
        if signals::reload() {
            self.reload();
        }
        self.share_discord();
        self.hear_answers();
        let mut work = self.slot.take();
        self.marks.lower(work.lowest);
        if !work.is_empty() {
            self.rushed = self.worked_at.elapsed() < NAP;
            self.worked_at = Instant::now();
        }
        if !self.trouble.is_on() {
            work.merge(std::mem::take(&mut self.postponed));
        }
        match self.work(&work) {
            Ok(()) => self.calm_down(),
            Err(error) => {
                self.postponed.merge(work);
                self.met("reading the queue", error);
            }
        }
        if self.uninstalled {
            return Turn::Uninstalled;
        }
        self.dispatch();
        if self.scheduler.has_changes() || self.slot.has_work() {
            Turn::Again
        } else {
            Turn::Quiet
        }
    }

    /// An error of the database, unless it comes of the extension's being gone.
    pub(super) fn met(&mut self, what: &str, error: String) {
        self.look_for_installation();
        if !self.uninstalled {
            self.trouble.met(what, error);
            self.slot.set_refused(true);
        }
    }

    fn look_for_installation(&mut self) {
        self.uninstalled =
            installation().is_ok_and(|found| found.map(|found| found.oid) != Some(self.installation));
    }

    /// What a transaction is needed for.
    fn work(&mut self, work: &Work) -> Result<(), String> {
        if work.configuration {
            self.read_configuration()?;
            if self.uninstalled {
                return Ok(());
            }
        }
        if !work.lanes.is_empty() {
            self.scheduler.notice(self.noted(&work.lanes));
        }
        self.settle();
        if !work.overdue.is_empty() {
            self.scheduler.retry_now(self.noted(&work.overdue));
        }
        self.claim()?;
        // What is claimed may be of after a change that the configuration did not have when it was read.
        if self.slot.take_configuration() {
            let read = self.read_configuration();
            self.postponed.configuration |= read.is_err();
            read?;
            if self.uninstalled {
                return Ok(());
            }
        }
        self.fail_late(&work.lanes)?;
        if self.housekeeping.is_due() && !self.trouble.is_on() {
            // What somebody has written by hand, or restored, may be below.
            self.marks.lower(Work::UNKNOWN);
            let mut given_up = Tally::default();
            let kept = self.housekeeping.run(&mut given_up);
            self.uncounted.add(given_up.into());
            kept?;
        }
        Ok(())
    }

    /// Trouble is over when nothing is left that had failed.
    fn calm_down(&mut self) {
        if self.unrecorded.is_empty() && !self.trouble.is_on() {
            self.trouble.over();
            self.slot.set_refused(false);
        }
    }

    fn noted(&self, lanes: &LaneSet) -> Vec<LaneId> {
        self.lanes
            .keys()
            .copied()
            .filter(|lane| lanes.may_contain(lane.0))
            .collect()
    }

    /// Unless the extension is another one now.
    fn read_configuration(&mut self) -> Result<(), String> {
        self.look_for_installation();
        if self.uninstalled {
            return Ok(());
        }
        self.configure()
    }

    fn configure(&mut self) -> Result<(), String> {
        let (integrations, wordings) = database::transaction("zentry_notify: read integrations", || {
            (self.queue.integrations(), self.queue.wordings())
        })?;
        self.wordings.update(wordings);
        let url_policy = settings::url_policy();
        self.lanes = integrations
            .iter()
            .map(|integration| (integration.id, Lane::of(integration, Ok(&url_policy))))
            .collect();
        self.switched_off.retain(|lane, _| !self.lanes.contains_key(lane));
        let idle_connections = idle_connections(&self.lanes);
        if idle_connections != self.idle_connections {
            self.idle_connections = idle_connections;
            self.reconfigure_client();
        }
        let configs = integrations
            .iter()
            .map(|integration| config(integration, &self.lanes[&integration.id]))
            .collect();
        self.scheduler.configure(configs, Timestamp::now());
        Ok(())
    }

    fn share_discord(&mut self) {
        let workers = self.registry.workers();
        if workers != self.workers {
            self.workers = workers;
            self.scheduler.set_policy(policy(workers));
        }
    }

    fn reload(&mut self) {
        self.scheduler.set_policy(policy(self.workers));
        self.postponed.configuration = true;
        self.reconfigure_client();
    }

    fn reconfigure_client(&self) {
        if let Err(error) = self.http.reconfigure(self.idle_connections) {
            pgrx::warning!("zentry_notify: the new settings are not used: {error}");
        }
    }

    fn hear_answers(&mut self) {
        for answer in self.http.answers() {
            self.buffers.keep(answer.buffer);
            let id = RequestId(answer.id);
            if let Some((kind, url)) = self.in_flight.remove(&id) {
                self.scheduler
                    .judged(id, &judge(kind, &url, answer.result.as_ref()), Timestamp::now());
            }
        }
    }

    fn claim(&mut self) -> Result<(), String> {
        let claims = self.scheduler.claims(Timestamp::now());
        if claims.is_empty() {
            return Ok(());
        }
        let (held_back, readable): (Vec<_>, Vec<_>) = claims
            .into_iter()
            .partition(|claim| self.unrecorded.lanes.contains(&claim.lane));
        let found = if readable.is_empty() {
            Ok(Vec::new())
        } else {
            database::transaction("zentry_notify: read what waits", || {
                self.queue.claim(&readable, &self.marks)
            })
        };
        let now = Timestamp::now();
        for claim in held_back {
            self.scheduler.supply(claim.lane, Vec::new(), now);
        }
        match found {
            Ok(found) => {
                for (lane, rows) in found {
                    if let Some(first) = rows.first() {
                        self.marks.set(lane, first.id.0);
                    }
                    self.scheduler.supply(lane, rows, now);
                }
            }
            Err(error) => {
                for claim in readable {
                    self.scheduler.supply(claim.lane, Vec::new(), now);
                    self.postponed.lanes.insert(claim.lane.0);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn dispatch(&mut self) {
        let mut composer = Composer {
            lanes: &self.lanes,
            catalogue: self.wordings.catalogue(),
            buffers: &mut self.buffers,
        };
        for request in self.scheduler.poll(Timestamp::now(), &mut composer) {
            let endpoint = match self.lanes.get(&request.lane).map(|lane| &lane.endpoint) {
                Some(Ok(endpoint)) => endpoint,
                Some(Err(reason)) => {
                    let refused = TransportError::Forbidden(reason.clone());
                    self.scheduler
                        .judged(request.id, &judge_absence(&refused), Timestamp::now());
                    continue;
                }
                None => continue,
            };
            let outgoing = Outgoing {
                id: request.id.0,
                kind: endpoint.kind(),
                url: endpoint.post_url().clone(),
                body: request.body,
            };
            self.slack.used();
            self.in_flight
                .insert(request.id, (endpoint.kind(), endpoint.post_url().clone()));
            if self.http.send(outgoing).is_err() {
                // What is in flight is still pending in the log; a new worker sends it.
                pgrx::ereport!(
                    FATAL,
                    PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                    "zentry_notify: the HTTP thread has ended"
                );
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.has_work_within(settings::idle_timeout())
    }

    fn has_work_within(&self, time: Duration) -> bool {
        self.scheduler.in_flight() > 0
            || !self.unrecorded.is_empty()
            || self.uncounted.wait().is_some()
            || self.housekeeping.wait().is_some()
            || !self.postponed.is_empty()
            || self.next_wake().is_some_and(|wake| wake < time)
    }

    fn next_wake(&self) -> Option<Duration> {
        let wake = self.scheduler.next_wake()?;
        Some(Duration::try_from(wake.duration_since(Timestamp::now())).unwrap_or_default())
    }

    fn pause(&self) -> Option<Duration> {
        let waits =
            !self.postponed.is_empty() || !self.unrecorded.is_empty() || self.uncounted.wait().is_some();
        let retry = self.trouble.until.filter(|_| waits);
        let retry = retry.map(|until| until.saturating_duration_since(Instant::now()));
        let now = (!self.postponed.is_empty() && !self.trouble.is_on()).then_some(Duration::ZERO);
        let count = self.uncounted.wait().filter(|_| !self.trouble.is_on());
        let tidy = self.housekeeping.wait().filter(|_| !self.trouble.is_on());
        let slack = self.slack.wait().filter(|_| self.scheduler.in_flight() == 0);
        [self.next_wake(), retry, now, count, tidy, slack]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells the launcher when somebody has to look again.
    fn say_when_due(&mut self) {
        let retention = housekeeping::due().unwrap_or_else(|error| {
            pgrx::log!("zentry_notify: could not look for the oldest delivery: {error}");
            None
        });
        self.slot.set_due(
            [self.scheduler.next_wake(), retention]
                .into_iter()
                .flatten()
                .min(),
        );
    }
}

/// Why a worker leaves.
enum Leaving {
    Idle,
    SentAway,
    /// The extension was dropped, and perhaps created again.
    Uninstalled,
}

enum Turn {
    /// There is more to do at once.
    Again,
    Quiet,
    Uninstalled,
}

fn installation() -> Result<Option<Installation>, String> {
    database::transaction_as_self("zentry_notify: look for the extension", Installation::find)
}
