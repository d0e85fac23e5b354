//! Queues of lanes, and whose turn it is.

use std::collections::BTreeMap;

use super::LaneId;
use super::gates::Pool;
use super::slots::Standing;

/// Lanes that are held up together: by the limits of their pool, by the share of their standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) pool: Pool,
    pub(super) standing: Standing,
}

impl Group {
    pub(super) const ALL: [Group; Pool::ALL.len() * Standing::ALL.len()] = {
        let mut all = [Group {
            pool: Pool::Open,
            standing: Standing::Proven,
        }; _];
        let mut index = 0;
        while index < all.len() {
            let pool = Pool::ALL[index / Standing::ALL.len()];
            let standing = Standing::ALL[index % Standing::ALL.len()];
            all[index] = Group { pool, standing };
            index += 1;
        }
        all
    };

    fn index(self) -> usize {
        self.pool as usize * Standing::ALL.len() + self.standing as usize
    }
}

/// Where a lane stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) group: Group,
    number: u64,
}

/// First come, first served, over all groups whose turn it can be: nobody is looked at that is held up.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// In the order of [`Group::ALL`].
    queues: [BTreeMap<u64, LaneId>; Group::ALL.len()],
}

impl Turns {
    /// `number` is the lane's own, and in the order in which turns are taken.
    pub(super) fn join(&mut self, group: Group, number: u64, lane: LaneId) -> Ticket {
        self.queues[group.index()].insert(number, lane);
        Ticket { group, number }
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.queues[ticket.group.index()].remove(&ticket.number);
    }

    pub(super) fn waiting(&self, group: Group) -> usize {
        self.queues[group.index()].len()
    }

    /// The number of the first in the queue; later than any when there is none.
    pub(super) fn next(&self, group: Group) -> u64 {
        self.queues[group.index()]
            .first_key_value()
            .map_or(u64::MAX, |(number, _)| *number)
    }

    pub(super) fn lanes(&self, group: Group) -> impl Iterator<Item = LaneId> {
        self.queues[group.index()].values().copied()
    }

    /// Who came first, of the groups that `may` proceed.
    pub(super) fn first(&self, may: impl Fn(Group) -> bool) -> Option<(Group, LaneId)> {
        Group::ALL
            .iter()
            .zip(&self.queues)
            .filter_map(|(group, queue)| Some((*group, queue.first_key_value()?)))
            .filter(|(group, _)| may(*group))
            .min_by_key(|(_, (number, _))| **number)
            .map(|(group, (_, lane))| (group, *lane))
    }
}
