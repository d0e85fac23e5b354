//! What a person has resumed leaves, whatever was judged just before and written down just after.

use std::time::Duration;

use webhook::outcome::Verdict;
use webhook::schedule::{DeliveryId, QueueId};

use crate::desk::{BROKEN, Desk, SENT, ids, queue, seconds, too_fast};

const IN_AN_HOUR: Verdict = Verdict::Retry {
    wait: Some(Duration::from_secs(3600)),
};

#[test]
fn a_time_that_was_written_down_after_a_person_had_resumed_holds_nothing_back() {
    for how in [IN_AN_HOUR, too_fast(seconds(3600.0))] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=3);
        let request = desk.one();
        // The person's change of the rows comes between this answer and its record.
        desk.answer(&request, how);
        desk.record();
        assert!(desk.row(1, 1).delivery.next_attempt_at > Some(desk.now));
        desk.scheduler.resume([QueueId(1)]);
        let request = desk.one();
        assert_eq!(ids(&request), [1, 2, 3]);
        // What fails from then on is waited for.
        desk.answer(&request, how);
        desk.nothing_leaves();
        desk.pass(seconds(3600.0));
        let request = desk.one();
        desk.answer(&request, SENT);
    }
}

#[test]
fn what_was_resumed_long_ago_is_due_when_its_row_says_so() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, BROKEN);
    desk.record();
    desk.scheduler.resume([QueueId(1)]);
    let request = desk.one();
    desk.answer(&request, SENT);
    desk.nothing_leaves();
    // Set by hand.
    desk.tables.write(QueueId(1), 2, desk.now);
    let rows = desk.tables.rows.get_mut(&QueueId(1)).unwrap();
    let row = rows.get_mut(&DeliveryId(2)).unwrap();
    row.delivery.next_attempt_at = Some(desk.now + seconds(60.0));
    desk.scheduler.notice([QueueId(1)]);
    desk.nothing_leaves();
    desk.pass(seconds(60.0));
    assert_eq!(ids(&desk.one()), [2]);
}
