//! The run queues: endpoint queues that wait for the same thing, in the order in which they came.

use std::collections::BTreeMap;

use super::QueueId;
use super::concurrency::Standing;
use super::pool::Pool;

/// Queues that are held up together: by the limits of their pool and by the share of their standing.
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

/// The place of an endpoint queue in a run queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) group: Group,
    number: u64,
}

/// A run queue: first come, first served, over all groups that may proceed. Groups that are held up are not looked at.
#[derive(Debug, Default)]
pub(super) struct RunQueue {
    /// The queues of each group, in the order of [`Group::ALL`].
    by_group: [BTreeMap<u64, QueueId>; Group::ALL.len()],
}

impl RunQueue {
    /// Adds a queue. `number` is its own, and gives the order.
    pub(super) fn join(&mut self, group: Group, number: u64, queue: QueueId) -> Ticket {
        self.by_group[group.index()].insert(number, queue);
        Ticket { group, number }
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.by_group[ticket.group.index()].remove(&ticket.number);
    }

    pub(super) fn waiting(&self, group: Group) -> usize {
        self.by_group[group.index()].len()
    }

    /// Returns the number of the group's first queue, or the largest number if there is none.
    pub(super) fn next(&self, group: Group) -> u64 {
        self.by_group[group.index()]
            .first_key_value()
            .map_or(u64::MAX, |(number, _)| *number)
    }

    pub(super) fn queues(&self, group: Group) -> impl Iterator<Item = QueueId> {
        self.by_group[group.index()].values().copied()
    }

    /// Returns the queue that came first, of the groups that `may` proceed.
    pub(super) fn first(&self, may: impl Fn(Group) -> bool) -> Option<(Group, QueueId)> {
        Group::ALL
            .iter()
            .zip(&self.by_group)
            .filter_map(|(group, numbers)| Some((*group, numbers.first_key_value()?)))
            .filter(|(group, _)| may(*group))
            .min_by_key(|(_, (number, _))| **number)
            .map(|(group, (_, queue))| (group, *queue))
    }
}
