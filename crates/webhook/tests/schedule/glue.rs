//! What the scheduler is driven by: a table of rows, and the turn of the loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use webhook::event::Event;
use webhook::schedule::{
    Changes, CircuitState, Compose, Composed, Delivery, DeliveryChange, DeliveryId, InARow, Outcome,
    QueueChange, QueueId, Request, Scheduler,
};
use webhook::way::WayId;

/// A row of the log.
#[derive(Clone, Debug)]
pub struct Row {
    pub delivery: Delivery,
    pub last: Option<DeliveryChange>,
    /// Written when its integration was switched off.
    pub abandoned: Option<Arc<str>>,
}

impl Row {
    pub fn finished(&self) -> bool {
        self.abandoned.is_some() || self.sent() || self.outcome() == Some(Outcome::Failed)
    }

    pub fn sent(&self) -> bool {
        self.outcome() == Some(Outcome::Sent)
    }

    pub fn outcome(&self) -> Option<Outcome> {
        self.last.as_ref().map(|change| change.outcome)
    }

    pub fn error(&self) -> Option<&str> {
        let recorded = self.last.as_ref().and_then(|change| change.error.as_deref());
        self.abandoned.as_deref().or(recorded)
    }
}

/// The database.
#[derive(Debug, Default)]
pub struct Tables {
    pub rows: BTreeMap<QueueId, BTreeMap<DeliveryId, Row>>,
    pub circuits: BTreeMap<QueueId, CircuitState>,
    pub in_a_row: BTreeMap<QueueId, InARow>,
    pub switched_off: BTreeMap<QueueId, Arc<str>>,
    pub discord_parked: BTreeMap<WayId, Timestamp>,
}

impl Tables {
    pub fn write(&mut self, queue: QueueId, id: i64, created_at: Timestamp) {
        let event = Event {
            event_type: "task_completed".into(),
            data: "{}".into(),
            occurred_at: created_at,
            traceparent: None,
        };
        let id = DeliveryId(id);
        let delivery = Delivery {
            id,
            event_id: id.0,
            event,
            attempts: 0,
            created_at,
            next_attempt_at: None,
        };
        self.rows.entry(queue).or_default().insert(
            id,
            Row {
                delivery,
                last: None,
                abandoned: None,
            },
        );
    }

    pub fn unfinished(&self, queue: QueueId) -> impl Iterator<Item = &Row> {
        self.rows
            .get(&queue)
            .into_iter()
            .flat_map(|rows| rows.values())
            .filter(|row| !row.finished())
    }

    pub fn row(&self, queue: QueueId, id: DeliveryId) -> &Row {
        &self.rows[&queue][&id]
    }

    pub fn record(&mut self, changes: &Changes) {
        for change in &changes.deliveries {
            let row = self
                .rows
                .get_mut(&change.queue)
                .and_then(|rows| rows.get_mut(&change.id))
                .unwrap();
            assert!(!row.finished(), "{change:?} after {:?}", row.last);
            row.delivery.attempts = change.attempts;
            row.delivery.next_attempt_at = match change.outcome {
                Outcome::Retry { next_attempt_at } | Outcome::Waiting { next_attempt_at } => {
                    Some(next_attempt_at)
                }
                Outcome::Sent | Outcome::Failed => None,
            };
            row.last = Some(change.clone());
        }
        for change in &changes.queues {
            match change {
                QueueChange::SwitchedOff { queue, reason, .. } => {
                    self.circuits.remove(queue);
                    self.switched_off.insert(*queue, reason.clone());
                    let rows = self.rows.entry(*queue).or_default();
                    for row in rows.values_mut().filter(|row| !row.finished()) {
                        row.abandoned = Some(reason.clone());
                    }
                }
                QueueChange::CircuitOpened { queue, state } => {
                    assert!(self.circuits.insert(*queue, *state).is_none(), "opened twice");
                }
                QueueChange::CircuitMoved { queue, state } => {
                    let before = self.circuits.insert(*queue, *state);
                    assert!(
                        before.is_some_and(|before| before.since == state.since),
                        "moved without being open"
                    );
                }
                QueueChange::CircuitClosed { queue } => {
                    assert!(self.circuits.remove(queue).is_some(), "closed without being open");
                }
            }
        }
        self.in_a_row.extend(changes.in_a_row.clone());
        self.discord_parked.extend(changes.discord_parked.clone());
    }
}

/// Takes so many deliveries into a message, whose body is their ids.
pub struct Room(pub usize);

impl Compose for Room {
    fn compose(&mut self, _: QueueId, deliveries: &[Delivery]) -> Composed {
        let taken = deliveries.len().min(self.0);
        let ids: Vec<String> = deliveries[..taken]
            .iter()
            .map(|delivery| delivery.id.0.to_string())
            .collect();
        Composed {
            body: ids.join(" ").into_bytes(),
            message_id: None,
            publication: None,
            traceparent: None,
            taken,
        }
    }
}

/// What a turn of the loop did.
#[derive(Debug, Default)]
pub struct Turn {
    pub requests: Vec<Request>,
    pub claimed: usize,
    pub changes: Vec<Changes>,
}

impl Turn {
    pub fn did_something(&self) -> bool {
        !self.requests.is_empty() || self.claimed > 0 || !self.changes.is_empty()
    }
}

/// Records, claims and polls once.
pub fn turn(scheduler: &mut Scheduler, tables: &mut Tables, now: Timestamp, room: usize) -> Turn {
    let mut turn = Turn::default();
    let changes = scheduler.take_changes();
    tables.record(&changes);
    if !changes.is_empty() {
        turn.changes.push(changes);
    }
    for claim in scheduler.claims(now) {
        assert!(claim.limit > 0, "an empty claim");
        let rows: Vec<Delivery> = tables
            .unfinished(claim.queue)
            .take(claim.limit)
            .map(|row| row.delivery.clone())
            .collect();
        scheduler.supply(claim.queue, rows, now);
        turn.claimed += 1;
    }
    turn.requests = scheduler.poll(now, &mut Room(room));
    turn
}
