//! Where each lane is, and how it gets there.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Tick;
use super::gates::Pool;
use super::lane::{Life, Place};
use super::turns::Group;
use super::{LaneId, Scheduler};

/// A lane that waits longer than this gives its rows back.
const KEEPS_ROWS: Duration = Duration::from_secs(5);

impl Scheduler {
    /// Puts a lane that is nowhere where it belongs.
    pub(super) fn settle(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let unrecorded = lane.changed_in == Some(self.batch);
        if lane.rows.is_empty() {
            // Thousands of idle lanes do not keep the room of their largest page.
            lane.rows = VecDeque::new();
        }
        if lane.flight.is_some() {
            lane.place = Place::InFlight;
        } else if lane.life != Life::Active {
            self.lay_down(id, unrecorded);
        } else if lane.rows.is_empty() && !lane.more {
            lane.place = Place::Idle;
            lane.turn = None;
        } else if lane.gate(&self.clock) > self.clock.now() {
            lane.turn = None;
            self.wait(id);
        } else {
            self.queue(id, unrecorded);
        }
    }

    /// A lane that could send, if it has rows.
    fn queue(&mut self, id: LaneId, unrecorded: bool) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let turn = *lane.turn.get_or_insert_with(|| {
            self.turns_given += 1;
            self.turns_given
        });
        if !lane.rows.is_empty() {
            lane.place = Place::Ready(self.ready.join(lane.group(&self.clock), turn, id));
        } else if unrecorded {
            lane.place = Place::Recording;
            self.recording.push(id);
        } else {
            lane.place = Place::Hungry(self.hungry.join(lane.group(&self.clock), turn, id));
        }
    }

    /// A retired lane stays until its changes are taken: should it come back, they have to be recorded before its rows
    /// are read.
    fn lay_down(&mut self, id: LaneId, unrecorded: bool) {
        self.give_rows_back(id);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if lane.life == Life::Off {
            lane.place = Place::Idle;
        } else if unrecorded {
            lane.place = Place::Recording;
            self.recording.push(id);
        } else {
            self.lanes.remove(&id);
        }
    }

    fn wait(&mut self, id: LaneId) {
        let scarce = self.stock.scarce();
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let until = lane.gate(&self.clock);
        lane.place = Place::Waiting(until);
        self.timers.insert((until, id));
        if scarce || until.since(self.clock.now()) > KEEPS_ROWS {
            self.give_rows_back(id);
        }
    }

    /// Takes a lane out of wherever it is; it has to be settled again.
    pub(super) fn unplace(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut lane.place, Place::Idle) {
            Place::Hungry(ticket) => self.hungry.leave(ticket),
            Place::Ready(ticket) => self.ready.leave(ticket),
            Place::Claimed(ticket, promised) => {
                self.claimed.leave(ticket);
                self.stock.withdraw(promised);
                lane.more = true;
            }
            Place::Waiting(until) => {
                self.timers.remove(&(until, id));
            }
            Place::Idle | Place::Recording | Place::InFlight => {}
        }
    }

    /// Forgets the rows that are not in flight; they are read again.
    pub(super) fn give_rows_back(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let keep = lane.flight.map_or(0, |flight| flight.taken);
        let extra = lane.rows.len().saturating_sub(keep);
        if extra > 0 {
            lane.rows.truncate(keep);
            lane.rows.shrink_to_fit();
            lane.more = true;
            self.stock.release(extra);
        }
    }

    /// The integration is not active any more.
    pub(super) fn retire(&mut self, id: LaneId) {
        self.unplace(id);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.life = Life::Retired;
        }
        self.settle(id);
    }

    /// Reads the clock, brings the lanes back whose time has come, and sets the requests aside that have become slow.
    pub(super) fn advance(&mut self, now: jiff::Timestamp) {
        let now = self.clock.read(now);
        while let Some((until, id)) = self.timers.first().copied()
            && until <= now
        {
            self.unplace(id);
            self.settle(id);
        }
        self.set_slow_aside();
    }

    /// Until then nothing leaves to the lanes of a pool. They go on waiting for their turns where they are, or all of
    /// them would have to move twice.
    pub(super) fn park(&mut self, pool: Pool, until: Tick) {
        self.gates.park(pool, until);
        if self.gates.parked_until(pool).since(self.clock.now()) <= KEEPS_ROWS {
            return;
        }
        let groups = Group::ALL.into_iter().filter(|group| group.pool == pool);
        let ready: Vec<LaneId> = groups.flat_map(|group| self.ready.lanes(group)).collect();
        for id in ready {
            self.unplace(id);
            self.give_rows_back(id);
            self.settle(id);
        }
    }
}
