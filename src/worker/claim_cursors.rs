//! The claim cursors: from which id on each queue is read. Finished deliveries stay in the index of waiting ones until vacuum removes them,
//! which it cannot while a session holds an older snapshot. Without claim cursors, each claim would read all of them again.

use std::collections::HashMap;

use webhook::schedule::QueueId;

use crate::wake::WebhookSet;

/// An id below every other.
const UNKNOWN: i64 = i64::MIN;

/// The claim cursor of each queue: no delivery of the queue waits below it. Ids are not in commit order, so a transaction that commits
/// deliveries says for which queues, and their cursors are forgotten.
#[derive(Debug, Default)]
pub struct ClaimCursors(HashMap<QueueId, i64>);

impl ClaimCursors {
    /// Returns the id to read from.
    pub fn of(&self, queue: QueueId) -> i64 {
        self.0.get(&queue).copied().unwrap_or(UNKNOWN)
    }

    /// Notes that the queue was read and that its first waiting delivery is `first`.
    pub fn set(&mut self, queue: QueueId, first: i64) {
        self.0.insert(queue, first);
    }

    /// Notes that a delivery of the queue waits from now on.
    pub fn lower(&mut self, queue: QueueId, id: i64) {
        if let Some(cursor) = self.0.get_mut(&queue) {
            *cursor = id.min(*cursor);
        }
    }

    /// Forgets the cursors of these queues, of which deliveries with any ids were committed.
    pub fn forget(&mut self, queues: &WebhookSet) {
        if !queues.is_empty() {
            self.0.retain(|queue, _| !queues.may_contain(queue.0));
        }
    }

    /// Forgets all cursors: deliveries with any ids may have been committed for any queue.
    pub fn forget_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_of_one_queue_leaves_the_claim_cursors_of_the_others() {
        let mut claim_cursors = ClaimCursors::default();
        claim_cursors.set(QueueId(1), 100);
        claim_cursors.set(QueueId(2), 200);
        let mut written = WebhookSet::NONE;
        claim_cursors.forget(&written);
        written.insert(2);
        claim_cursors.forget(&written);
        assert_eq!(
            (claim_cursors.of(QueueId(1)), claim_cursors.of(QueueId(2))),
            (100, UNKNOWN)
        );
        claim_cursors.lower(QueueId(1), 150);
        claim_cursors.lower(QueueId(2), 150);
        assert_eq!(
            (claim_cursors.of(QueueId(1)), claim_cursors.of(QueueId(2))),
            (100, UNKNOWN)
        );
        claim_cursors.lower(QueueId(1), 50);
        assert_eq!(claim_cursors.of(QueueId(1)), 50);
        claim_cursors.forget(&WebhookSet::ALL);
        assert_eq!(claim_cursors.of(QueueId(1)), UNKNOWN);
    }
}
