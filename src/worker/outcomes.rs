//! Writing outcomes: those of the open batch with its deliveries, others in the table, as far as the database takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use webhook::schedule::{Changes, DeliveryChange, InARow, QueueChange, QueueId};

use super::counters::Sums;
use super::database;
use super::parts::{Fate, Parts, Piece};
use super::state::Worker;
use super::unrecorded::State;
use crate::pg::subtransaction::Failure;
use crate::settings;
use crate::wake::WebhookSet;

/// The most outcomes in one statement.
const RECORD_PAGE: usize = 5_000;

impl Worker {
    /// Writes what has changed, as far as the database takes it.
    pub fn settle(&mut self) {
        if !self.unrecorded.is_empty() && !self.back_off.is_waiting() && !self.refusal.is_waiting() {
            let again = std::mem::take(&mut self.unrecorded);
            self.record(&again.deliveries.iter().collect::<Vec<_>>());
            for queue in again
                .queues
                .iter()
                .filter(|queue| !self.unrecorded.queues.contains(queue))
            {
                self.postponed.webhooks.insert(queue.0);
            }
            again
                .states
                .into_values()
                .for_each(|state| self.record_state(state));
            self.record_in_a_row(again.in_a_row);
        }
        self.uncounted.add(self.scheduler.take_tally().into());
        for report in self.scheduler.take_ways() {
            self.registry.ways().add(&report);
        }
        self.note_streams();
        let changes = self.scheduler.take_changes();
        if changes.is_empty() {
            return self.count();
        }
        for (way, until) in &changes.discord_parked {
            self.registry.ways().park_discord(*way, *until);
        }
        let now = Instant::now();
        let (routed, waiting): (Vec<_>, Vec<_>) = changes
            .deliveries
            .iter()
            .partition(|change| self.batch.note(change, now));
        self.uncounted.add_outcomes(&routed);
        self.record(&waiting);
        if changes
            .queues
            .iter()
            .any(|change| matches!(change, QueueChange::SwitchedOff { .. }))
        {
            // Its waiting deliveries have to be in the table to be failed there.
            self.flush(true);
        }
        for state in self.states_of(&changes) {
            self.record_state(state);
        }
        let in_a_row = changes.in_a_row.into_iter();
        let in_a_row = in_a_row.filter_map(|(queue, counts)| Some((queue, (self.since(queue)?, counts))));
        self.record_in_a_row(in_a_row.collect());
        self.note_expired(&changes.deliveries);
    }

    /// Returns since when the webhook is what was called, as far as it is known here.
    fn since(&self, queue: QueueId) -> Option<Timestamp> {
        self.webhooks.get(&queue).map(|webhook| webhook.activated_at)
    }

    /// Notes which webhooks' deliveries have expired, for the notices. If the database does not take it, it is not tried again.
    fn note_expired(&mut self, changes: &[DeliveryChange]) {
        let expired = changes.iter().filter(|change| change.expired());
        let queues: BTreeSet<i64> = expired.map(|change| change.queue.0).collect();
        if queues.is_empty() {
            return;
        }
        let queues: Vec<i64> = queues.into_iter().collect();
        let noted = database::transaction("zentry_notify: note what has expired", || {
            self.store.note_expired(&queues);
        });
        if let Err(error) = noted {
            self.refused_apart("noting what has expired", error);
        }
    }

    /// Notes what is wrong with streams. As with expired deliveries, nothing is tried again: the stream is looked at again in a minute.
    fn note_streams(&mut self) {
        let notes = self.streams.take_changes();
        if notes.is_empty() {
            return;
        }
        let noted = database::transaction("zentry_notify: note what streams are like", || {
            for (queue, note) in &notes {
                self.store.note_stream(*queue, note.as_deref());
            }
        });
        if let Err(error) = noted {
            for (queue, _) in notes {
                self.streams.forget(queue);
            }
            self.refused_apart("noting what streams are like", error);
        }
    }

    fn record_in_a_row(&mut self, counted: BTreeMap<QueueId, (Timestamp, InARow)>) {
        if counted.is_empty() {
            return;
        }
        let recorded = database::transaction("zentry_notify: record what is counted of webhooks", || {
            self.store.record_in_a_row(&counted);
        });
        if let Err(error) = recorded {
            self.refused_apart("recording what is counted of webhooks", error);
            self.unrecorded.in_a_row.extend(counted);
        }
    }

    /// Records the changes in one statement. If that fails, it records what can be recorded, so that no other webhook is held up.
    fn record(&mut self, changes: &[&DeliveryChange]) {
        for page in changes.chunks(RECORD_PAGE) {
            match self.write_and_count(page) {
                Ok(()) => {}
                Err(failure) if failure.is_of_known_rows() => self.record_in_parts(page.to_vec()),
                Err(failure) => self.keep_unrecorded(page, &failure),
            }
            if !settings::log_payloads() {
                self.housekeeping.hurry();
            }
        }
    }

    fn record_in_parts(&mut self, mut changes: Vec<&DeliveryChange>) {
        // A stable sort: the changes of a delivery stay in their order.
        changes.sort_by_key(|change| change.queue);
        let store = &self.store;
        let since = |queue| self.since(queue);
        let parts = database::attempt("zentry_notify: record what can be recorded of deliveries", || {
            database::be_impatient();
            let pieces = changes.iter().map(|change| Piece {
                queue: change.queue,
                waits: false,
            });
            Parts::write(pieces.collect(), Failure::is_of_known_rows, |places| {
                let part: Vec<&DeliveryChange> = places.iter().map(|place| changes[*place]).collect();
                store.record(&part, since);
            })
        });
        let parts = match parts {
            Ok(parts) => parts,
            Err(failure) => return self.keep_unrecorded(&changes, &failure),
        };
        let (recorded, refused): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .zip(parts.fates)
            .partition(|(_, fate)| *fate == Fate::Written);
        let recorded: Vec<&DeliveryChange> = recorded.into_iter().map(|(change, _)| change).collect();
        self.uncounted.add_outcomes(&recorded);
        let Some((first, _)) = refused.first() else { return };
        let what = format!("recording deliveries of webhook {}", first.queue.0);
        for (change, _) in refused {
            self.unrecorded.deliveries.push(change.clone());
            self.unrecorded.queues.insert(change.queue);
        }
        // Changes that were not tried are tried again together with those that were refused.
        let reason = parts.failure.map(|failure| failure.describe());
        self.refused_apart(&what, reason.unwrap_or_else(|| "it takes too long".to_owned()));
    }

    /// Keeps the changes, since the database takes none now.
    fn keep_unrecorded(&mut self, changes: &[&DeliveryChange], failure: &Failure) {
        for change in changes {
            self.unrecorded.deliveries.push((*change).clone());
            self.unrecorded.queues.insert(change.queue);
        }
        self.failed("recording deliveries", failure.describe());
    }

    /// Writes the changes, and the counts that are due with them.
    fn write_and_count(&mut self, changes: &[&DeliveryChange]) -> Result<(), Failure> {
        let Some(due) = self.take_due() else {
            self.write(changes, None)?;
            self.uncounted.add_outcomes(changes);
            return Ok(());
        };
        let written = self.write(changes, Some(&due));
        match &written {
            Ok(()) => self.miscount.succeeded(),
            Err(_) => self.uncounted.give_back(due),
        }
        written
    }

    fn write(&self, changes: &[&DeliveryChange], due: Option<&Sums>) -> Result<(), Failure> {
        database::attempt("zentry_notify: record deliveries", || {
            self.store.record(changes, |queue| self.since(queue));
            if let Some(due) = due {
                let mut sums = due.clone();
                sums.add_outcomes(changes);
                self.store.count(&sums);
            }
        })
    }

    /// Takes the counts that are due, unless the database has refused counts: these must not keep outcomes from being recorded.
    fn take_due(&mut self) -> Option<Sums> {
        (!self.back_off.is_waiting() && !self.miscount.is_waiting())
            .then(|| self.uncounted.take_due())
            .flatten()
    }

    /// Adds counts that were not written together with outcomes.
    pub fn count(&mut self) {
        if self.uncounted.wait().is_none() {
            return;
        }
        let Some(due) = self.take_due() else { return };
        match database::transaction("zentry_notify: count", || self.store.count(&due)) {
            Ok(()) => self.miscount.succeeded(),
            Err(error) => {
                self.uncounted.give_back(due);
                self.look_for_installation();
                if !self.uninstalled {
                    self.miscount.failed("counting", error);
                    self.slot.set_refused(true);
                }
            }
        }
    }

    fn states_of(&self, changes: &Changes) -> Vec<State> {
        let last_error = |queue| {
            changes
                .deliveries
                .iter()
                .rev()
                .find(|d| d.queue == queue)?
                .error
                .clone()
        };
        let state = |change: &QueueChange| {
            let queue = change.queue();
            State {
                change: change.clone(),
                since: self.since(queue).unwrap_or(Timestamp::UNIX_EPOCH),
                error: last_error(queue),
            }
        };
        changes.queues.iter().map(state).collect()
    }

    fn record_state(&mut self, state: State) {
        let queue = state.change.queue();
        self.unrecorded.states.remove(&queue);
        let recorded = database::transaction("zentry_notify: record a webhook's state", || {
            self.store
                .record_queue(&state.change, state.since, state.error.as_deref());
        });
        let recorded = recorded.and_then(|()| match &state.change {
            QueueChange::SwitchedOff { queue, reason, at } => {
                self.switched_off.insert(*queue, reason.clone());
                self.fail_waiting(*queue, reason, *at)
            }
            _ => Ok(()),
        });
        if let Err(error) = recorded {
            self.refused_apart(&format!("recording the state of webhook {}", queue.0), error);
            self.unrecorded.states.insert(queue, state);
        }
    }

    /// Fails deliveries that were captured before their transaction could see that the webhook is off, and committed afterwards.
    pub fn fail_late(&mut self, noted: &WebhookSet) -> Result<(), String> {
        let late = |(queue, _): &(&QueueId, &Arc<str>)| noted.may_contain(queue.0);
        let late = self.switched_off.iter().filter(late);
        let late: Vec<(QueueId, Arc<str>)> = late.map(|(queue, reason)| (*queue, reason.clone())).collect();
        late.iter()
            .try_for_each(|(queue, reason)| self.fail_waiting(*queue, reason, Timestamp::now()))
    }

    fn fail_waiting(&mut self, queue: QueueId, reason: &str, at: Timestamp) -> Result<(), String> {
        let reason = format!("not sent, the webhook was switched off: {reason}");
        loop {
            let given_up = database::transaction("zentry_notify: give up deliveries", || {
                self.store.fail_waiting(queue, &reason, at)
            })?;
            self.uncounted.add(given_up.sums);
            // The rest is left to housekeeping.
            if !given_up.more || self.is_called_away() {
                return Ok(());
            }
            pgrx::check_for_interrupts!();
        }
    }
}
