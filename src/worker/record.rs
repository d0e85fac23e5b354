//! Outcomes go into the log, as far as the database takes them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use webhook::schedule::{Changes, DeliveryChange, LaneChange, LaneId, Tally};

use super::database;
use super::delivery::Worker;

/// Outcomes in one statement.
const RECORD_PAGE: usize = 5_000;

/// Counters are added to no more often, so that under load they cost nothing. A lane that was idle is counted with its outcome.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// What has to be added to the counters.
#[derive(Default)]
pub struct Uncounted {
    tally: Tally,
    last: Option<Instant>,
}

impl Uncounted {
    pub fn add(&mut self, tally: Tally) {
        self.tally.merge(tally);
    }

    /// How long it may wait; None: there is nothing.
    pub fn wait(&self) -> Option<Duration> {
        let since = self.last.map_or(COUNT_INTERVAL, |last| last.elapsed());
        (!self.tally.is_empty()).then(|| COUNT_INTERVAL.saturating_sub(since))
    }

    /// Nothing may wait any more: the worker leaves.
    pub fn hurry(&mut self) {
        self.last = None;
    }

    /// What has to be counted now. It is the caller's to give back if the database does not take it.
    fn take_due(&mut self) -> Option<Tally> {
        self.wait()?.is_zero().then(|| {
            self.last = Some(Instant::now());
            std::mem::take(&mut self.tally)
        })
    }
}

/// What the database did not take.
#[derive(Default)]
pub struct Unrecorded {
    deliveries: Vec<DeliveryChange>,
    /// Those of the deliveries. They are not read meanwhile: what is in them would be sent again.
    pub lanes: HashSet<LaneId>,
    /// The last state of each integration.
    states: HashMap<LaneId, State>,
}

impl Unrecorded {
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.states.is_empty()
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
        if !self.unrecorded.is_empty() && !self.trouble.is_on() {
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
        }
        self.uncounted.add(self.scheduler.take_tally());
        let changes = self.scheduler.take_changes();
        if changes.is_empty() {
            return self.count();
        }
        if let Some(until) = changes.discord_parked_until {
            self.registry.park_discord(until);
        }
        self.record(&changes.deliveries);
        for state in self.states_of(&changes) {
            self.record_state(state);
        }
    }

    /// All in one transaction; where that fails, each integration in its own, so that one that can't be recorded holds up no
    /// other.
    fn record(&mut self, changes: &[DeliveryChange]) {
        for page in changes.chunks(RECORD_PAGE) {
            let page: Vec<&DeliveryChange> = page.iter().collect();
            let tally = self.due_tally();
            if self.write(&page, tally.as_ref()).is_ok() {
                continue;
            }
            self.uncounted.add(tally.unwrap_or_default());
            let mut by_lane: HashMap<LaneId, Vec<&DeliveryChange>> = HashMap::new();
            for change in page {
                by_lane.entry(change.lane).or_default().push(change);
            }
            for (lane, changes) in by_lane {
                if let Err(error) = self.write(&changes, None) {
                    self.met(&format!("recording deliveries of webhook {}", lane.0), error);
                    self.unrecorded.deliveries.extend(changes.into_iter().cloned());
                    self.unrecorded.lanes.insert(lane);
                }
            }
        }
    }

    fn write(&self, changes: &[&DeliveryChange], tally: Option<&Tally>) -> Result<(), String> {
        database::transaction("zentry_notify: record deliveries", || {
            self.queue.record(changes);
            if let Some(tally) = tally {
                self.queue.tally(tally);
            }
        })
    }

    /// Not while the database is in trouble: what can't be counted must not keep outcomes from being recorded.
    fn due_tally(&mut self) -> Option<Tally> {
        (!self.trouble.is_on())
            .then(|| self.uncounted.take_due())
            .flatten()
    }

    /// Adds to the counters what no outcome has taken along.
    pub fn count(&mut self) {
        let Some(tally) = self.due_tally() else { return };
        let counted = database::transaction("zentry_notify: count", || self.queue.tally(&tally));
        if let Err(error) = counted {
            self.uncounted.add(tally);
            self.met("counting", error);
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
            LaneChange::SwitchedOff { lane, reason, at } => self.fail_waiting(*lane, reason, *at),
            _ => Ok(()),
        });
        if let Err(error) = recorded {
            self.met(&format!("recording the state of webhook {}", lane.0), error);
            self.unrecorded.states.insert(lane, state);
        }
    }

    fn fail_waiting(&mut self, lane: LaneId, reason: &str, at: Timestamp) -> Result<(), String> {
        let reason = format!("not sent, the webhook was switched off: {reason}");
        loop {
            let given_up = database::transaction("zentry_notify: give up deliveries", || {
                self.queue.fail_waiting(lane, &reason, at)
            })?;
            self.uncounted.add(given_up.tally);
            if !given_up.more {
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
