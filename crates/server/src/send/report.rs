//! Outcomes of deliveries and states of webhooks that the database has not recorded yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Value, json};
use webhook::active::ActiveWebhook;
use webhook::delivery_columns::{attempt, attempts, body, code, finished_at, next_attempt, status};
use webhook::schedule::{Changes, DeliveryChange, DeliveryId, InARow, QueueChange, QueueId, Tally};

/// Outcomes that are still to be reported.
#[derive(Default)]
pub struct Pending {
    queues: BTreeMap<QueueId, OfQueue>,
    tally: Tally,
}

#[derive(Default)]
struct OfQueue {
    /// Each with the `activated_at` of the webhook that was called.
    deliveries: Vec<(DeliveryChange, Timestamp)>,
    states: Vec<(QueueChange, Timestamp)>,
    in_a_row: Option<(InARow, Timestamp)>,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.tally.is_empty()
    }

    /// Returns whether the queue has unreported outcomes.
    pub fn has(&self, queue: QueueId) -> bool {
        self.queues.contains_key(&queue)
    }

    pub fn queues(&self) -> Vec<QueueId> {
        self.queues.keys().copied().collect()
    }

    /// Adds changes of the scheduler. Outcomes and states are reported with the webhook's `activated_at`, so that they are not recorded after it was
    /// reactivated.
    pub fn add(&mut self, changes: Changes, tally: Tally, webhooks: &HashMap<QueueId, ActiveWebhook>) {
        let since = |queue: QueueId| {
            let webhook = webhooks.get(&queue);
            webhook.map_or(Timestamp::UNIX_EPOCH, |webhook| webhook.activated_at)
        };
        for change in changes.deliveries {
            let of_queue = self.queues.entry(change.queue).or_default();
            let since = since(change.queue);
            of_queue.deliveries.push((change, since));
        }
        for change in changes.queues {
            let queue = change.queue();
            let of_queue = self.queues.entry(queue).or_default();
            of_queue.states.push((change, since(queue)));
        }
        for (queue, counts) in changes.in_a_row {
            self.queues.entry(queue).or_default().in_a_row = Some((counts, since(queue)));
        }
        self.tally.merge(tally);
    }

    /// Drops the outcomes of a queue, which the database no longer accepts.
    pub fn forget(&mut self, queue: QueueId) {
        self.queues.remove(&queue);
    }

    /// Returns whether there are unreported counters.
    pub fn counts(&self) -> bool {
        !self.tally.is_empty()
    }

    /// Clears the counters, which the database has recorded.
    pub fn counted(&mut self) {
        self.tally = Tally::default();
    }

    /// Returns the outcomes of these queues, each with its epoch, as JSON for `record_outcomes`; `counts`: with the counters.
    pub fn report(&self, queues: &BTreeMap<QueueId, i64>, counts: bool, log_payloads: bool) -> Value {
        let none = Tally::default();
        let tally = if counts { &self.tally } else { &none };
        let of = || {
            queues
                .keys()
                .filter_map(|queue| Some((*queue, self.queues.get(queue)?)))
        };
        let deliveries = of().flat_map(|(_, of_queue)| &of_queue.deliveries);
        // The last outcome of a delivery counts.
        let last: BTreeMap<DeliveryId, &(DeliveryChange, Timestamp)> =
            deliveries.clone().map(|known| (known.0.id, known)).collect();
        let deliveries = deliveries.map(|(change, _)| change);
        let states =
            || of().flat_map(|(_, of_queue)| latest(&of_queue.states).map(move |state| (of_queue, state)));
        let expired = deliveries.clone().filter(|change| change.expired());
        let expired: BTreeSet<i64> = expired.map(|change| change.queue.0).collect();
        json!({
            "epochs": queues.iter().map(|(queue, epoch)| json!({"webhook_id": queue.0, "epoch": epoch})).collect::<Vec<_>>(),
            "deliveries": last.values().map(|(change, since)| json!({
                "id": change.id.0,
                "webhook_id": change.queue.0,
                "webhook_since": since,
                "status": status(change.outcome),
                "attempts": attempts(change),
                "code": code(change),
                "body": body(change, log_payloads),
                "error": change.error.as_deref(),
                "finished_at": finished_at(change),
                "next_attempt_at": next_attempt(change.outcome),
            })).collect::<Vec<_>>(),
            "misses": deliveries.filter(|change| change.is_miss()).map(|change| json!({
                "id": change.id.0,
                "webhook_id": change.queue.0,
                "at": change.at,
                "next_attempt_at": next_attempt(change.outcome),
                "code": code(change),
                "attempt": attempt(change),
                "error": change.error.as_deref(),
            })).collect::<Vec<_>>(),
            "switched_off": states().filter_map(|(_, (change, since))| match change {
                QueueChange::SwitchedOff { queue, reason, at } => Some(json!({
                    "webhook_id": queue.0, "since": since, "at": at, "reason": &**reason,
                })),
                _ => None,
            }).collect::<Vec<_>>(),
            "closed": states().filter_map(|(_, (change, _))| match change {
                QueueChange::SwitchedOff { queue, .. } | QueueChange::CircuitClosed { queue } => {
                    Some(json!({"webhook_id": queue.0}))
                }
                _ => None,
            }).collect::<Vec<_>>(),
            "opened": states().filter_map(|(of_queue, (change, since))| match change {
                QueueChange::CircuitOpened { queue, state } | QueueChange::CircuitMoved { queue, state } => Some(json!({
                    "webhook_id": queue.0, "webhook_since": since, "failures": state.failures, "since": state.since, "next_try": state.next_try,
                    "error": of_queue.deliveries.iter().rev().find_map(|(change, _)| change.error.as_deref()),
                })),
                _ => None,
            }).collect::<Vec<_>>(),
            "in_a_row": of().filter_map(|(queue, of_queue)| {
                let (counts, since) = of_queue.in_a_row.as_ref()?;
                Some(json!({
                    "webhook_id": queue.0, "since": since, "failures": counts.failures, "refusals": counts.refusals,
                    "limits": counts.limits, "posts": counts.posts,
                }))
            }).collect::<Vec<_>>(),
            "expired": expired,
            "tally": tally.iter().map(|(queue, event_type, counts)| json!({
                "webhook_id": queue.0, "event_type": event_type, "sent": counts.sent, "failed": counts.failed,
                "retried": counts.retried, "requests": counts.requests, "messages": counts.messages,
                "rate_limited": counts.rate_limited, "latency_sum": counts.latency_sum.as_secs_f64(),
                "latency": counts.latency.counts(),
            })).collect::<Vec<_>>(),
        })
    }
}

/// Returns the last state of each webhook: switched off, or the state of its circuit.
fn latest(states: &[(QueueChange, Timestamp)]) -> impl Iterator<Item = &(QueueChange, Timestamp)> {
    let off = states
        .iter()
        .find(|(change, _)| matches!(change, QueueChange::SwitchedOff { .. }));
    off.or(states.last()).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhook::schedule::{CircuitState, Outcome};

    const QUEUE: QueueId = QueueId(7);

    fn change(id: i64, outcome: Outcome, attempts: u32) -> DeliveryChange {
        DeliveryChange {
            id: DeliveryId(id),
            queue: QUEUE,
            outcome,
            at: Timestamp::UNIX_EPOCH,
            attempts,
            status_code: Some(500),
            body: Some("said".into()),
            error: (outcome != Outcome::Sent).then(|| "failed".into()),
        }
    }

    #[test]
    fn what_was_tried_twice_is_what_it_was_last_and_each_miss_is_told() {
        let next_attempt_at = Timestamp::UNIX_EPOCH;
        let state = CircuitState {
            failures: 5,
            since: Timestamp::UNIX_EPOCH,
            next_try: Timestamp::UNIX_EPOCH,
        };
        let changes = Changes {
            deliveries: vec![
                change(1, Outcome::Retry { next_attempt_at }, 1),
                change(1, Outcome::Sent, 1),
                change(2, Outcome::Failed, 1),
            ],
            queues: vec![
                QueueChange::CircuitOpened { queue: QUEUE, state },
                QueueChange::CircuitClosed { queue: QUEUE },
            ],
            ..Changes::default()
        };
        let mut pending = Pending::default();
        pending.add(changes, Tally::default(), &HashMap::new());
        assert!(pending.has(QUEUE) && !pending.has(QueueId(8)) && !pending.counts());
        assert!(!pending.is_empty());
        assert_eq!(pending.queues(), [QUEUE]);
        let report = pending.report(&BTreeMap::from([(QUEUE, 3)]), true, false);
        let of = |name: &str, key: &str| -> Vec<Value> {
            let rows = report[name].as_array().map(Vec::as_slice).unwrap_or_default();
            rows.iter().map(|row| row[key].clone()).collect()
        };
        assert_eq!(report["epochs"], json!([{"webhook_id": 7, "epoch": 3}]));
        assert_eq!(of("deliveries", "id"), [1, 2]);
        assert_eq!(of("deliveries", "status"), ["s", "f"]);
        // A sent delivery has one attempt more than it had failures, and its response is not stored.
        assert_eq!(of("deliveries", "attempts"), [2, 1]);
        assert_eq!(of("deliveries", "body"), [Value::Null, json!("said")]);
        assert_eq!(of("misses", "id"), [1, 2]);
        assert_eq!(of("closed", "webhook_id"), [7]);
        assert_eq!(of("opened", "webhook_id"), [0; 0]);
        pending.forget(QUEUE);
        assert!(pending.is_empty());
    }

    #[test]
    fn counters_are_told_once() {
        let mut tally = Tally::default();
        tally.failed(QUEUE, "task_completed");
        let mut pending = Pending::default();
        pending.add(Changes::default(), tally, &HashMap::new());
        assert!(pending.counts() && !pending.is_empty() && !pending.has(QUEUE));
        let told = |counts: bool| pending.report(&BTreeMap::new(), counts, true)["tally"].clone();
        assert_eq!(told(false), json!([]));
        let rows = told(true);
        let mut rows = rows.as_array().into_iter().flatten();
        let row = rows.find(|row| row["event_type"] == "task_completed");
        assert_eq!(
            row.map(|row| [&row["webhook_id"], &row["failed"]]),
            Some([&json!(7), &json!(1)])
        );
        pending.counted();
        assert!(!pending.counts() && pending.is_empty());
    }

    #[test]
    fn nothing_is_told_of_a_queue_without_an_epoch() {
        let changes = Changes {
            deliveries: vec![change(1, Outcome::Sent, 0)],
            ..Changes::default()
        };
        let mut pending = Pending::default();
        pending.add(changes, Tally::default(), &HashMap::new());
        let report = pending.report(&BTreeMap::new(), true, true);
        assert_eq!(report["deliveries"], json!([]));
    }
}
