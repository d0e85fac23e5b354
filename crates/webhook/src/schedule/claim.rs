//! Which lanes to read, and how much of each.

use jiff::Timestamp;

use super::clock::Tick;
use super::lane::Place;
use super::turns::Group;
use super::{Claim, Delivery, LaneId, Scheduler};

impl Scheduler {
    /// The lanes to read now. Each claim has to be [supplied](Self::supply) before its lane goes on.
    ///
    /// A lane is claimed when it holds no rows, nothing of it is in flight and its changes have been taken: what is read
    /// takes the place of what was known, and no row needs to be excluded.
    pub fn claims(&mut self, now: Timestamp) -> Vec<Claim> {
        self.advance(now);
        let mut claims = Vec::new();
        if self.draining {
            return claims;
        }
        let mut hungry: usize = Group::ALL
            .iter()
            .map(|group| self.hungry.waiting(*group).min(self.ahead(*group)))
            .sum();
        while self.stock.free() > 0
            && let Some((_, id)) = self.hungry.first(|group| self.may_claim(group))
        {
            claims.extend(self.claim(id, hungry));
            hungry = hungry.saturating_sub(1);
        }
        claims
    }

    fn claim(&mut self, id: LaneId, hungry: usize) -> Option<Claim> {
        self.unplace(id);
        let lane = self.lanes.get_mut(&id)?;
        let message = lane.message_size();
        let limit = lane
            .page
            .next(message, self.clock.now())
            // With one behind the first, to find out whether that one is to blame.
            .max(2)
            .min(self.stock.portion(hungry, message));
        let turn = lane.turn.unwrap_or_default();
        lane.place = Place::Claimed(self.claimed.join(lane.group(&self.clock), turn, id), limit);
        lane.more = false;
        self.stock.promise(limit);
        Some(Claim { lane: id, limit })
    }

    /// The rows of a claim, in order of id; fewer than its limit mean that the lane has no more. Rows for a lane that has
    /// been reconfigured since its claim are ignored.
    pub fn supply(&mut self, lane: LaneId, mut rows: Vec<Delivery>, now: Timestamp) {
        let now = self.clock.read(now);
        let id = lane;
        let Some(lane) = self.lanes.get(&id) else { return };
        let Place::Claimed(_, limit) = lane.place else {
            return;
        };
        let noticed = lane.more;
        self.unplace(id);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        rows.truncate(limit);
        let full = rows.len() == limit;
        if full {
            lane.page.filled(now);
        }
        if rows.first().is_some_and(|head| head.attempts > 0) {
            lane.health.failed_before();
        }
        self.stock.add(rows.len());
        lane.more = full || noticed;
        lane.rows = rows.into();
        self.settle(id);
    }

    fn may_claim(&self, group: Group) -> bool {
        self.gates.parked_until(group.pool) <= self.clock.now() && self.lacks(group)
    }

    /// Whether the next connections of a group would wait for rows, or lanes that came later go first.
    fn lacks(&self, group: Group) -> bool {
        let (ready, claimed) = (self.ready.waiting(group), self.claimed.waiting(group));
        let overtaken = self.hungry.next(group) < self.ready.next(group);
        claimed < self.ahead(group) && (overtaken || ready + claimed < self.ahead(group))
    }

    /// For how many lanes of a group to read ahead; those further back hold nothing.
    fn ahead(&self, group: Group) -> usize {
        2 * self.slots.share(group.standing)
    }

    /// When [`claims`](Self::claims) will have something, timers aside.
    pub(super) fn next_claim(&self) -> Option<Tick> {
        let groups = Group::ALL
            .iter()
            .filter(|group| self.hungry.waiting(**group) > 0 && self.lacks(**group));
        let parked = groups.map(|group| self.gates.parked_until(group.pool)).min()?;
        // Requests that become slow leave their rows' places to others.
        let room = match self.stock.free() {
            0 => self.next_slow()?,
            _ => self.clock.now(),
        };
        Some(parked.max(room))
    }
}
