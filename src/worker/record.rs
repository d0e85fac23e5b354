//! Outcomes go into the log, as far as the database takes them.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use webhook::schedule::{Changes, DeliveryChange, LaneChange, LaneId};

use super::database;
use super::delivery::Worker;

/// Outcomes in one statement.
const RECORD_PAGE: usize = 5_000;

/// Outcomes that the database did not take. Their lanes are not read meanwhile: they would be sent again.
#[derive(Default)]
pub struct Unrecorded {
    pub deliveries: Vec<DeliveryChange>,
    pub lanes: HashSet<LaneId>,
}

impl Worker {
    /// Writes down what has changed, as far as the database takes it.
    pub fn settle(&mut self) {
        if !self.unrecorded.deliveries.is_empty() && !self.trouble.is_on() {
            let again = std::mem::take(&mut self.unrecorded);
            self.record(&again.deliveries);
            for lane in again
                .lanes
                .iter()
                .filter(|lane| !self.unrecorded.lanes.contains(lane))
            {
                self.postponed.lanes.insert(lane.0);
            }
        }
        let changes = self.scheduler.take_changes();
        if changes.is_empty() {
            return;
        }
        if let Some(until) = changes.discord_parked_until {
            self.registry.park_discord(until);
        }
        self.record(&changes.deliveries);
        self.record_lanes(&changes);
    }

    /// All in one transaction; where that fails, each integration in its own, so that one that can't be recorded holds up no
    /// other.
    fn record(&mut self, changes: &[DeliveryChange]) {
        for page in changes.chunks(RECORD_PAGE) {
            let page: Vec<&DeliveryChange> = page.iter().collect();
            if self.write(&page).is_ok() {
                continue;
            }
            let mut by_lane: HashMap<LaneId, Vec<&DeliveryChange>> = HashMap::new();
            for change in page {
                by_lane.entry(change.lane).or_default().push(change);
            }
            for (lane, changes) in by_lane {
                if let Err(error) = self.write(&changes) {
                    self.met(&format!("recording deliveries of webhook {}", lane.0), error);
                    self.unrecorded.deliveries.extend(changes.into_iter().cloned());
                    self.unrecorded.lanes.insert(lane);
                }
            }
        }
    }

    fn write(&self, changes: &[&DeliveryChange]) -> Result<(), String> {
        database::transaction("zentry_notify: record deliveries", || self.queue.record(changes))
    }

    fn record_lanes(&mut self, changes: &Changes) {
        for change in &changes.lanes {
            let lane = lane_of(change);
            let error = changes
                .deliveries
                .iter()
                .rev()
                .find(|d| d.lane == lane)
                .and_then(|d| d.error.as_deref());
            let url = self.lanes.get(&lane).map_or("", |lane| &lane.url);
            let recorded = database::transaction("zentry_notify: record an integration's state", || {
                self.queue.record_lane(change, url, error);
            });
            let recorded = recorded.and_then(|()| match change {
                LaneChange::SwitchedOff { lane, reason, at } => self.fail_waiting(*lane, reason, *at),
                _ => Ok(()),
            });
            if let Err(error) = recorded {
                self.met(&format!("recording the state of webhook {}", lane.0), error);
            }
        }
    }

    fn fail_waiting(&self, lane: LaneId, reason: &str, at: Timestamp) -> Result<(), String> {
        let reason = format!("not sent, the webhook was switched off: {reason}");
        while database::transaction("zentry_notify: give up deliveries", || {
            self.queue.fail_waiting(lane, &reason, at)
        })? {
            pgrx::check_for_interrupts!();
        }
        Ok(())
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
