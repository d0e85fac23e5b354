//! The worker's loop: it routes captured events, sends waiting deliveries, and writes outcomes.

use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::schedule::{QueueId, Tally};

use super::back_off::BackOff;
use super::database;
use super::ended;
use super::memory::Buffers;
use super::pace::AWAITED;
use super::state::Worker;
use super::store::Store;
use crate::http::Http;
use crate::pg::process;
use crate::pg::signals;
use crate::pg::time_limit;
use crate::pg::wait::{self, Waiter};
use crate::settings;
use crate::wake::{Registry, Slot, WebhookSet, Work, registry};

/// The pause between two looks under steady writes, during which commits need not wake the worker: a signal costs the committing session as
/// much as a tenth of a one-row update.
const NAP: Duration = Duration::from_millis(1);
/// How long a worker that has to leave waits for answers in flight.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same when a statement such as DROP DATABASE wants the database for itself, for which PostgreSQL waits five seconds.
const PATIENCE_WHEN_IN_THE_WAY: Duration = Duration::from_secs(2);
/// How long a busy worker stays when other databases wait for a worker.
const SERVICE: Duration = Duration::from_secs(5);
/// When other databases wait, a worker whose next request is later than this leaves at once.
const SHORT_WHILE: Duration = Duration::from_secs(1);
/// How long no worker is started after one has found that zentry_notify.sending is off and has routed what there was. (A change of a
/// database's own setting is not signalled.)
const HELD_BACK: Duration = Duration::from_secs(2);

/// This runs in a signal's handler.
fn tell_launcher() {
    if let Some(registry) = registry() {
        registry.wake_launcher();
    }
}

impl Worker {
    pub fn serve(registry: &'static Registry, slot: &'static Slot, installation: pg_sys::Oid) {
        time_limit::note_in(slot.overran(), tell_launcher);
        let started = Http::start(0).and_then(|http| {
            ended::leave_out_what_ended(slot);
            let prepare = || (Store::prepare(), process::origin());
            let (store, origin) = database::transaction("zentry_notify: prepare", prepare)?;
            Ok((http, store, origin))
        });
        let (http, store, origin) = match started {
            Ok(started) => started,
            Err(error) => {
                // The launcher starts another one, with growing pauses.
                pgrx::ereport!(
                    FATAL,
                    PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR,
                    format!("zentry_notify: the worker could not start: {error}")
                );
            }
        };
        let waiter = Waiter::new(Some(http.socket()), c"ZentryNotifyWorkerMain");
        let mut worker = Worker::new(registry, slot, store, origin, http, installation);
        worker.name_ways();
        slot.not_held_back();
        match worker.run(&waiter) {
            Leaving::Idle => worker.say_when_due(),
            Leaving::HeldBack => {
                slot.pause_for(HELD_BACK);
                slot.set_due(None);
                slot.held_back();
            }
            // The next worker has to find out again what this one knew.
            Leaving::SentAway | Leaving::Uninstalled => {
                slot.add(&Work::ALL);
            }
        }
    }

    fn run(&mut self, waiter: &Waiter) -> Leaving {
        let started = Instant::now();
        let mut busy_at = started;
        let mut leaving: Option<Instant> = None;
        // Whether the worker has seen that sending is off, and claims nothing from then on.
        let mut held_back = false;
        loop {
            if let Some(patience) = self.has_to_leave(started.elapsed()) {
                self.scheduler.drain();
                let deadline = Instant::now() + patience;
                leaving = Some(leaving.map_or(deadline, |earlier| earlier.min(deadline)));
            }
            if !settings::sending() {
                held_back = true;
                self.scheduler.drain();
                self.batch.hurry();
            }
            let turn = self.turn();
            if leaving.is_some_and(|deadline| self.scheduler.in_flight() == 0 || deadline <= Instant::now()) {
                self.finish();
                return Leaving::SentAway;
            }
            match turn {
                Turn::Again => {
                    wait::check_for_interrupts();
                    busy_at = Instant::now();
                    continue;
                }
                Turn::Quiet => {}
                Turn::Uninstalled => return Leaving::Uninstalled,
            }
            if held_back && self.scheduler.in_flight() == 0 && !self.back_off.is_waiting() {
                self.finish();
                // If sending is on again, or may be, another worker has to come at once.
                let over = settings::sending() || signals::noticed();
                return if over {
                    Leaving::SentAway
                } else {
                    Leaving::HeldBack
                };
            }
            if leaving.is_none() && (signals::noticed() || self.has_to_leave(started.elapsed()).is_some()) {
                continue;
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
                self.finish();
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

    /// Writes everything that is in memory alone, as far as the database takes it.
    fn finish(&mut self) {
        self.uncounted.hurry();
        self.settle();
        self.flush(true);
    }

    /// Returns whether somebody waits for the worker to leave.
    pub(super) fn is_called_away(&self) -> bool {
        signals::terminated() || self.slot.held_for().is_some()
    }

    /// Returns how long the worker may still wait for answers, if it has to leave.
    fn has_to_leave(&self, served: Duration) -> Option<Duration> {
        let in_the_way = self.slot.held_for().map(|_| PATIENCE_WHEN_IN_THE_WAY);
        let terminated = (signals::terminated() || self.slot.is_stale()).then_some(PATIENCE);
        // A worker that leaves for other databases is in no hurry: it waits for all answers, so that nothing is sent twice.
        let others_turn = self.registry.others_wait() && served >= SERVICE && self.unrecorded.is_empty();
        in_the_way
            .or(terminated)
            .or(others_turn.then(settings::request_timeout))
    }

    /// Does everything that can be done now.
    fn turn(&mut self) -> Turn {
        self.heed_reload();
        self.share_discord();
        self.hear_answers();
        let mut work = self.slot.take();
        self.claim_cursors.forget(&work.webhooks);
        self.claim_cursors.forget(&work.overdue);
        self.claim_cursors.forget(&work.resumed);
        if !work.is_empty() {
            self.rushed = self.worked_at.elapsed() < NAP;
            self.worked_at = Instant::now();
        }
        if !self.back_off.is_waiting() {
            work.merge(std::mem::take(&mut self.postponed));
        }
        match self.work(&work) {
            Ok(()) => self.calm_down(),
            Err(error) => {
                self.postponed.merge(work);
                self.failed("reading the queue", error);
            }
        }
        if self.uninstalled {
            return Turn::Uninstalled;
        }
        // Reading may have taken a while: settings that have changed meanwhile hold for what is sent now. Webhooks are read anew first.
        if self.heed_reload() {
            return Turn::Again;
        }
        self.dispatch();
        // This comes after sending, so that writing holds up no message.
        self.flush(false);
        self.offer_what_is_quiet();
        self.tell_senders();
        let more = !self.postponed.is_empty() || self.can_route();
        let more = more && !self.back_off.is_waiting();
        if self.scheduler.has_changes() || self.slot.has_work() || more {
            Turn::Again
        } else {
            Turn::Quiet
        }
    }

    /// Reloads the settings, if a reload was asked for. Returns whether it was.
    fn heed_reload(&mut self) -> bool {
        let reloaded = signals::reload();
        if reloaded {
            self.reload();
        }
        reloaded
    }

    fn can_route(&mut self) -> bool {
        // If a cursor was taken up instead of a page, deliveries of 0.2.0 go first once more, and the page is read after that: nothing else
        // would wake the worker for it.
        let in_turn = !self.legacy_waits || !self.is_called_away();
        self.more_events && in_turn && self.cursor.may_route() && self.room().is_some()
    }

    /// Notes an error of the database, unless it comes of the extension having been dropped.
    pub(super) fn failed(&mut self, what: &str, error: String) {
        self.look_for_installation();
        if !self.uninstalled {
            self.back_off.failed(what, error);
            self.slot.set_refused(true);
        }
    }

    /// Notes an error that concerns some webhooks alone.
    pub(super) fn refused_apart(&mut self, what: &str, error: String) {
        self.look_for_installation();
        if !self.uninstalled {
            self.refusal.failed(what, error);
            self.slot.set_refused(true);
        }
    }

    pub(super) fn look_for_installation(&mut self) {
        self.uninstalled = database::installation()
            .is_ok_and(|found| found.map(|found| found.oid) != Some(self.installation));
    }

    /// Does the work that a transaction is needed for.
    fn work(&mut self, work: &Work) -> Result<(), String> {
        let divide = self.senders.is_due()
            && !work.configuration
            && self.senders.look(&mut self.drained, &mut self.claim_cursors)?;
        if work.configuration || divide {
            // What was judged of webhooks as they were is written down of these, and not of what they are from now on.
            self.settle();
            self.read_configuration()?;
            if self.uninstalled {
                return Ok(());
            }
            if std::mem::take(&mut self.events_awaited) {
                self.drained.clear();
                self.scheduler.notice_all();
            }
        }
        if !work.webhooks.is_empty() {
            let noted = self.noted(&work.webhooks);
            self.drained.retain(|queue| !noted.contains(queue));
            noted.iter().for_each(|queue| self.senders.notice(*queue));
            self.scheduler.notice(noted);
        }
        self.settle();
        if !work.overdue.is_empty() {
            let noted = self.noted(&work.overdue);
            self.drained.retain(|queue| !noted.contains(queue));
            self.senders.ask(&noted, false);
            self.scheduler.retry_now(noted);
        }
        if !work.resumed.is_empty() {
            let noted = self.noted(&work.resumed);
            self.drained.retain(|queue| !noted.contains(queue));
            self.senders.ask(&noted, true);
            if self.scheduler.resume(noted) {
                self.registry.unpark_discord();
                self.discord_resumed = self.registry.discord_resumed();
            }
        }
        if !self.cursor.may_route() && (work.events || self.awaited_at.elapsed() >= AWAITED) {
            self.awaited_at = Instant::now();
            self.look_for_cursor()?;
        }
        self.move_legacy()?;
        // Events that are committed while none are read are read afterwards.
        self.more_events |= work.events;
        if (self.more_events || self.ledger.is_due()) && !self.back_off.is_waiting() {
            self.route()?;
        }
        if !self.more_events {
            self.scheduler.notice(std::mem::take(&mut self.gathering));
        }
        self.claim()?;
        // What was just claimed may belong to a configuration that is newer than the one that was read.
        if self.slot.take_configuration() {
            let read = self.read_configuration();
            self.postponed.configuration |= read.is_err();
            read?;
            if self.uninstalled {
                return Ok(());
            }
        }
        self.fail_late(&work.webhooks)?;
        if self.housekeeping.is_due() && !self.back_off.is_waiting() {
            // Ids that will never be committed hold up the removal of events. While there are no new events, nothing else looks.
            if self.cursor.has_gaps() {
                self.route()?;
            }
            // Deliveries that were written by hand, or restored, may have ids below the cursors.
            self.claim_cursors.forget_all();
            self.drained.clear();
            let mut given_up = Tally::default();
            let kept = self.housekeeping.run(&mut given_up, &self.cursor);
            self.uncounted.add(given_up.into());
            kept?;
        }
        Ok(())
    }

    /// Ends each back-off when nothing is left that had failed.
    fn calm_down(&mut self) {
        if !self.write_deferred && !self.back_off.is_waiting() {
            self.back_off.succeeded();
        }
        if self.unrecorded.is_empty() && !self.batch.has_refused() {
            self.refusal.succeeded();
        }
        let known = [&self.back_off, &self.refusal, &self.miscount];
        self.slot.set_refused(known.into_iter().any(BackOff::is_failing));
    }

    fn noted(&self, queues: &WebhookSet) -> Vec<QueueId> {
        self.webhooks
            .keys()
            .copied()
            .filter(|queue| queues.may_contain(queue.0))
            .collect()
    }
}

/// Why a worker leaves.
enum Leaving {
    Idle,
    SentAway,
    /// zentry_notify.sending is off, and everything is routed.
    HeldBack,
    /// The extension was dropped, and perhaps created again.
    Uninstalled,
}

enum Turn {
    /// There is more to do at once.
    Again,
    Quiet,
    Uninstalled,
}
