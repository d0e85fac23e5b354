//! Ids of messages, by which a receiver recognises a message that it has already.

use std::fmt::Write as _;

use ring::digest::{Context, SHA256};

use crate::schedule::{Delivery, QueueId};

/// The number of bytes of the digest that are used, as many as a UUID has.
const LENGTH: usize = 16;

/// Returns the id of a message to a webhook, made of the webhook and the events. It is the same for each attempt, also after a crash, when the events
/// are routed again and their deliveries have other ids.
///
/// The time of an event is part of it, because ids begin at 1 again if the extension is created anew.
pub fn message_id(queue: QueueId, deliveries: &[Delivery]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(&queue.0.to_be_bytes());
    for delivery in deliveries {
        context.update(&delivery.event_id.to_be_bytes());
        context.update(&delivery.event.occurred_at.as_microsecond().to_be_bytes());
    }
    let digest = context.finish();
    let mut name = String::with_capacity(2 * LENGTH);
    for byte in &digest.as_ref()[..LENGTH] {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::event::Event;
    use crate::schedule::DeliveryId;

    fn delivery(id: i64, event_id: i64, at: i64) -> Delivery {
        Delivery {
            id: DeliveryId(id),
            event_id,
            event: Event {
                event_type: "task_completed".into(),
                data: "{}".into(),
                occurred_at: Timestamp::from_second(at).unwrap_or_default(),
                traceparent: None,
            },
            attempts: 0,
            created_at: Timestamp::UNIX_EPOCH,
            next_attempt_at: None,
        }
    }

    #[test]
    fn what_is_told_decides() {
        let name = |deliveries: &[Delivery]| message_id(QueueId(1), deliveries);
        let first = name(&[delivery(5, 2, 0)]);
        assert_eq!(first.len(), 32);
        assert_eq!(first, name(&[delivery(6, 2, 0)]), "routed again");
        for other in [
            name(&[delivery(5, 3, 0)]),
            name(&[delivery(5, 2, 1)]),
            name(&[delivery(5, 2, 0), delivery(6, 3, 0)]),
            message_id(QueueId(2), &[delivery(5, 2, 0)]),
            name(&[]),
        ] {
            assert_ne!(other, first);
        }
    }
}
