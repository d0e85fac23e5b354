//! Outcomes are written down: those of the open batch with its deliveries, others in the table, as far as the database takes them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use webhook::schedule::{Changes, DeliveryChange, InARow, LaneChange, LaneId};

use super::counters::Sums;
use super::database;
use super::event_loop::Worker;
use super::parts::{Fate, Parts, Piece};
use crate::pg::subtransaction::Failure;
use crate::settings;
use crate::wake::LaneSet;

/// Outcomes in one statement.
const RECORD_PAGE: usize = 5_000;

/// What the database did not take.
#[derive(Default)]
pub struct Unrecorded {
    deliveries: Vec<DeliveryChange>,
    /// Those of the deliveries. They are not read meanwhile: what is in them would be sent again.
    pub lanes: HashSet<LaneId>,
    /// The last state of each integration.
    states: HashMap<LaneId, State>,
    /// The last of what is counted of each webhook, with since when it is what it was.
    in_a_row: BTreeMap<LaneId, (Timestamp, InARow)>,
}

impl Unrecorded {
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.states.is_empty() && self.in_a_row.is_empty()
    }
}

/// A new state of an integration, with the URL that was called and the last failure.
struct State {
    change: LaneChange,
    url: String,
    error: Option<Arc<str>>,
}

impl Worker {
    /// Writes down what has changed, as far as the database takes it.
    pub fn settle(&mut self) {
        if !self.unrecorded.is_empty() && !self.trouble.is_on() && !self.refusal.is_on() {
            let again = std::mem::take(&mut self.unrecorded);
            self.record(&again.deliveries);
            for lane in again
                .lanes
                .iter()
                .filter(|lane| !self.unrecorded.lanes.contains(lane))
            {
                self.postponed.lanes.insert(lane.0);
            }
            again
                .states
                .into_values()
                .for_each(|state| self.record_state(state));
            self.record_in_a_row(again.in_a_row);
        }
        self.uncounted.add(self.scheduler.take_tally().into());
        let changes = self.scheduler.take_changes();
        if changes.is_empty() {
            return self.count();
        }
        if let Some(until) = changes.discord_parked_until {
            self.registry.park_discord(until);
        }
        let now = Instant::now();
        let (routed, waiting): (Vec<_>, Vec<_>) = changes
            .deliveries
            .iter()
            .cloned()
            .partition(|change| self.batch.note(change, now));
        self.uncounted.add_outcomes(&routed.iter().collect::<Vec<_>>());
        self.record(&waiting);
        if changes
            .lanes
            .iter()
            .any(|change| matches!(change, LaneChange::SwitchedOff { .. }))
        {
            // What waits for it has to be in the table to be given up.
            self.flush(true);
        }
        for state in self.states_of(&changes) {
            self.record_state(state);
        }
        let since = |lane| self.lanes.get(&lane).map(|lane| lane.activated_at);
        let in_a_row = changes.in_a_row.into_iter();
        let in_a_row = in_a_row.filter_map(|(lane, counts)| Some((lane, (since(lane)?, counts))));
        self.record_in_a_row(in_a_row.collect());
        self.note_expired(&changes.deliveries);
    }

    /// Somebody may want to be told. That is no promise: what the database does not take is not tried again.
    fn note_expired(&mut self, changes: &[DeliveryChange]) {
        let expired = changes.iter().filter(|change| change.expired());
        let lanes: BTreeSet<i64> = expired.map(|change| change.lane.0).collect();
        if lanes.is_empty() {
            return;
        }
        let lanes: Vec<i64> = lanes.into_iter().collect();
        let noted = database::transaction("zentry_notify: note what has expired", || {
            self.queue.note_expired(&lanes);
        });
        if let Err(error) = noted {
            self.met_aside("noting what has expired", error);
        }
    }

    fn record_in_a_row(&mut self, counted: BTreeMap<LaneId, (Timestamp, InARow)>) {
        if counted.is_empty() {
            return;
        }
        let recorded = database::transaction("zentry_notify: record what is counted of webhooks", || {
            self.queue.record_in_a_row(&counted);
        });
        if let Err(error) = recorded {
            self.met_aside("recording what is counted of webhooks", error);
            self.unrecorded.in_a_row.extend(counted);
        }
    }

    /// All in one statement; where that fails, what can be recorded, so that what can't holds up no other webhook.
    fn record(&mut self, changes: &[DeliveryChange]) {
        for page in changes.chunks(RECORD_PAGE) {
            let page: Vec<&DeliveryChange> = page.iter().collect();
            match self.write_and_count(&page) {
                Ok(()) => {}
                Err(failure) if failure.is_of_known_rows() => self.record_in_parts(page),
                Err(failure) => self.keep_unrecorded(&page, &failure),
            }
            if !settings::log_payloads() {
                self.housekeeping.hurry();
            }
        }
    }

    fn record_in_parts(&mut self, mut changes: Vec<&DeliveryChange>) {
        // What became of a delivery stays in its order.
        changes.sort_by_key(|change| change.lane);
        let queue = &self.queue;
        let parts = database::attempt("zentry_notify: record what can be recorded of deliveries", || {
            database::be_impatient();
            let pieces = changes.iter().map(|change| Piece {
                lane: change.lane,
                waits: false,
            });
            Parts::write(pieces.collect(), Failure::is_of_known_rows, |places| {
                queue.record(&places.iter().map(|place| changes[*place]).collect::<Vec<_>>());
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
        let what = format!("recording deliveries of webhook {}", first.lane.0);
        for (change, _) in refused {
            self.unrecorded.deliveries.push(change.clone());
            self.unrecorded.lanes.insert(change.lane);
        }
        // What was not tried is tried with what was refused.
        let reason = parts.failure.map(|failure| failure.describe());
        self.met_aside(&what, reason.unwrap_or_else(|| "it takes too long".to_owned()));
    }

    /// The database takes nothing now.
    fn keep_unrecorded(&mut self, changes: &[&DeliveryChange], failure: &Failure) {
        for change in changes {
            self.unrecorded.deliveries.push((*change).clone());
            self.unrecorded.lanes.insert(change.lane);
        }
        self.met("recording deliveries", failure.describe());
    }

    /// With what is due to be counted, these outcomes included.
    fn write_and_count(&mut self, changes: &[&DeliveryChange]) -> Result<(), Failure> {
        let Some(due) = self.take_due() else {
            self.write(changes, None)?;
            self.uncounted.add_outcomes(changes);
            return Ok(());
        };
        let written = self.write(changes, Some(&due));
        match &written {
            Ok(()) => self.miscount.over(),
            Err(_) => self.uncounted.give_back(due),
        }
        written
    }

    fn write(&self, changes: &[&DeliveryChange], due: Option<&Sums>) -> Result<(), Failure> {
        database::attempt("zentry_notify: record deliveries", || {
            self.queue.record(changes);
            if let Some(due) = due {
                let mut sums = due.clone();
                sums.add_outcomes(changes);
                self.queue.count(&sums);
            }
        })
    }

    /// Not while the database does not take them: what can't be counted must not keep outcomes from being recorded.
    fn take_due(&mut self) -> Option<Sums> {
        (!self.trouble.is_on() && !self.miscount.is_on())
            .then(|| self.uncounted.take_due())
            .flatten()
    }

    /// Adds to the counters what no outcome has taken along.
    pub fn count(&mut self) {
        if self.uncounted.wait().is_none() {
            return;
        }
        let Some(due) = self.take_due() else { return };
        match database::transaction("zentry_notify: count", || self.queue.count(&due)) {
            Ok(()) => self.miscount.over(),
            Err(error) => {
                self.uncounted.give_back(due);
                self.look_for_installation();
                if !self.uninstalled {
                    self.miscount.met("counting", error);
                    self.slot.set_refused(true);
                }
            }
        }
    }

    fn states_of(&self, changes: &Changes) -> Vec<State> {
        let last_error = |lane| {
            changes
                .deliveries
                .iter()
                .rev()
                .find(|d| d.lane == lane)?
                .error
                .clone()
        };
        let state = |change: &LaneChange| {
            let lane = lane_of(change);
            State {
                change: change.clone(),
                url: self
                    .lanes
                    .get(&lane)
                    .map_or_else(String::new, |lane| lane.url.clone()),
                error: last_error(lane),
            }
        };
        changes.lanes.iter().map(state).collect()
    }

    fn record_state(&mut self, state: State) {
        let lane = lane_of(&state.change);
        self.unrecorded.states.remove(&lane);
        let recorded = database::transaction("zentry_notify: record an integration's state", || {
            self.queue
                .record_lane(&state.change, &state.url, state.error.as_deref());
        });
        let recorded = recorded.and_then(|()| match &state.change {
            LaneChange::SwitchedOff { lane, reason, at } => {
                self.switched_off.insert(*lane, reason.clone());
                self.fail_waiting(*lane, reason, *at)
            }
            _ => Ok(()),
        });
        if let Err(error) = recorded {
            self.met_aside(&format!("recording the state of webhook {}", lane.0), error);
            self.unrecorded.states.insert(lane, state);
        }
    }

    /// What was captured before its transaction could see that the webhook is switched off, and committed after.
    pub fn fail_late(&mut self, noted: &LaneSet) -> Result<(), String> {
        let late = |(lane, _): &(&LaneId, &Arc<str>)| noted.may_contain(lane.0);
        let late = self.switched_off.iter().filter(late);
        let late: Vec<(LaneId, Arc<str>)> = late.map(|(lane, reason)| (*lane, reason.clone())).collect();
        late.iter()
            .try_for_each(|(lane, reason)| self.fail_waiting(*lane, reason, Timestamp::now()))
    }

    fn fail_waiting(&mut self, lane: LaneId, reason: &str, at: Timestamp) -> Result<(), String> {
        let reason = format!("not sent, the webhook was switched off: {reason}");
        loop {
            let given_up = database::transaction("zentry_notify: give up deliveries", || {
                self.queue.fail_waiting(lane, &reason, at)
            })?;
            self.uncounted.add(given_up.sums);
            // What is left then is housekeeping's.
            if !given_up.more || self.is_called_away() {
                return Ok(());
            }
            pgrx::check_for_interrupts!();
        }
    }
}

fn lane_of(change: &LaneChange) -> LaneId {
    match change {
        LaneChange::SwitchedOff { lane, .. }
        | LaneChange::CircuitOpened { lane, .. }
        | LaneChange::CircuitMoved { lane, .. }
        | LaneChange::CircuitClosed { lane } => *lane,
    }
}
