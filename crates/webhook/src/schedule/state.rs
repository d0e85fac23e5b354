//! The states of queues, and how queues change between them.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Tick;
use super::endpoint_queue::{Life, State};
use super::pool::Pool;
use super::run_queue::Group;
use super::{QueueId, Scheduler};
use crate::way::WayId;

/// How long a queue may wait and keep its rows.
const KEEPS_ROWS: Duration = Duration::from_secs(5);

impl Scheduler {
    /// Puts a queue that is in no collection where it belongs.
    pub(super) fn settle(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let unrecorded = queue.changed_in == Some(self.batch);
        if queue.rows.is_empty() {
            // Thousands of idle queues should not keep the memory of their largest page.
            queue.rows = VecDeque::new();
        }
        if queue.in_flight.is_some() {
            queue.state = State::InFlight;
        } else if queue.life != Life::Active {
            self.lay_down(id, unrecorded);
        } else if queue.rows.is_empty() && !queue.more {
            queue.state = State::Idle;
            queue.turn = None;
            queue.gathers_since = None;
            queue.resumed = false;
        } else if queue.gate(&self.clock) > self.clock.now() {
            if !queue.stands_in_line(&self.clock) {
                queue.turn = None;
            } else if queue.turn.is_none() {
                self.numbers_given += 1;
                queue.turn = Some(self.numbers_given);
            }
            self.wait(id);
        } else {
            self.enqueue(id, unrecorded);
        }
    }

    /// Puts a queue that could send if it has rows into the run queue where it belongs.
    fn enqueue(&mut self, id: QueueId, unrecorded: bool) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let turn = *queue.turn.get_or_insert_with(|| {
            self.numbers_given += 1;
            self.numbers_given
        });
        if !queue.rows.is_empty() && queue.has_to_gather() {
            self.give_rows_back(id);
        }
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        if !queue.rows.is_empty() {
            queue.state = State::Ready(self.ready.join(queue.group(&self.clock), turn, id));
        } else if unrecorded {
            queue.state = State::Recording;
            self.recording.push(id);
        } else {
            queue.state = State::Hungry(self.hungry.join(queue.group(&self.clock), turn, id));
        }
    }

    /// Puts a queue that has nothing to do to rest. A retired one stays until its changes are taken: should it come back, they have to be
    /// recorded before its rows are read.
    fn lay_down(&mut self, id: QueueId, unrecorded: bool) {
        self.give_rows_back(id);
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        if queue.life == Life::Off {
            queue.state = State::Idle;
        } else if unrecorded {
            queue.state = State::Recording;
            self.recording.push(id);
        } else {
            self.queues.remove(&id);
        }
    }

    fn wait(&mut self, id: QueueId) {
        let scarce = self.prefetch.scarce();
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let until = queue.gate(&self.clock);
        queue.state = State::Waiting(until);
        self.timers.insert((until, id));
        if scarce || until.since(self.clock.now()) > KEEPS_ROWS {
            self.give_rows_back(id);
        }
    }

    /// Takes a queue out of the collection that holds it. It has to be settled again.
    pub(super) fn leave_state(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut queue.state, State::Idle) {
            State::Hungry(ticket) => self.hungry.leave(ticket),
            State::Ready(ticket) => self.ready.leave(ticket),
            State::Claimed(ticket, promised) => {
                self.claimed.leave(ticket);
                self.prefetch.withdraw(queue.weight(promised));
                queue.more = true;
            }
            State::Waiting(until) => {
                self.timers.remove(&(until, id));
            }
            State::Idle | State::Recording | State::InFlight => {}
        }
    }

    /// Forgets the rows that are not in flight. They are read again.
    pub(super) fn give_rows_back(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let keep = queue.in_flight.map_or(0, |in_flight| in_flight.taken);
        let extra = queue.rows.len().saturating_sub(keep);
        if extra > 0 {
            queue.rows.truncate(keep);
            queue.rows.shrink_to_fit();
            queue.gave_back();
            self.prefetch.count(queue);
        }
    }

    /// Retires a queue whose webhook is not active any more.
    pub(super) fn retire(&mut self, id: QueueId) {
        self.leave_state(id);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.life = Life::Retired;
        }
        self.settle(id);
    }

    /// Reads the clock, settles the queues whose time has come, and sets the requests aside that have become slow.
    pub(super) fn advance(&mut self, now: jiff::Timestamp) {
        let now = self.clock.read(now);
        while let Some((until, id)) = self.timers.first().copied()
            && until <= now
        {
            self.leave_state(id);
            self.settle(id);
        }
        self.set_slow_aside();
        // Somebody else who sends by the same ways may have parked them.
        let parked_until = self.gates.parked_until(Pool::Discord, self.clock.now());
        if parked_until > std::mem::replace(&mut self.parked_until, parked_until) {
            self.give_up_places(Pool::Discord);
        }
    }

    /// Parks this way for the queues of a pool until that moment. The queues stay where they are, or all of them would have to move twice.
    pub(super) fn park(&mut self, way: WayId, pool: Pool, until: Tick) {
        self.gates.park(way, pool, until);
        self.give_up_places(pool);
    }

    /// Makes the queues of a pool give their rows back, if none can leave for long.
    pub(super) fn give_up_places(&mut self, pool: Pool) {
        if self
            .gates
            .parked_until(pool, self.clock.now())
            .since(self.clock.now())
            <= KEEPS_ROWS
        {
            return;
        }
        let groups = Group::ALL.into_iter().filter(|group| group.pool == pool);
        let ready: Vec<QueueId> = groups.flat_map(|group| self.ready.queues(group)).collect();
        for id in ready {
            self.leave_state(id);
            self.give_rows_back(id);
            self.settle(id);
        }
    }
}
