//! From where on each queue has to be read. Finished deliveries leave the index of waiting ones only when vacuum comes by, and it
//! passes over them as long as any session holds an older snapshot: without claim cursors, each claim would read them all again.

use std::collections::HashMap;

use webhook::schedule::QueueId;

use crate::wake::WebhookSet;

/// Below every id.
const UNKNOWN: i64 = i64::MIN;

/// No delivery of a queue waits below its claim cursor. Ids are not commit order, so whoever commits a delivery says of which queue it is, and
/// the cursor of that one is forgotten; the others' hold.
#[derive(Debug, Default)]
pub struct ClaimCursors(HashMap<QueueId, i64>);

impl ClaimCursors {
    /// The id to read from.
    pub fn of(&self, queue: QueueId) -> i64 {
        self.0.get(&queue).copied().unwrap_or(UNKNOWN)
    }

    /// The queue was read, and its first delivery that waits is `first`.
    pub fn set(&mut self, queue: QueueId, first: i64) {
        self.0.insert(queue, first);
    }

    /// A delivery of the queue waits from now on.
    pub fn lower(&mut self, queue: QueueId, id: i64) {
        if let Some(cursor) = self.0.get_mut(&queue) {
            *cursor = id.min(*cursor);
        }
    }

    /// Deliveries of these queues were committed, whatever their ids.
    pub fn forget(&mut self, queues: &WebhookSet) {
        if !queues.is_empty() {
            self.0.retain(|queue, _| !queues.may_contain(queue.0));
        }
    }

    /// Deliveries of any queue may be there, whatever their ids.
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
