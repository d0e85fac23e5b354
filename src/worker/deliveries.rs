//! Deliveries in their table: read while they wait, written with their outcomes.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use pgrx::IntoDatum;
use webhook::event::Event;
use webhook::json_members::merged;
use webhook::open_batch::{OpenDelivery, OpenEvent};
use webhook::schedule::{Claim, Delivery, DeliveryChange, DeliveryId, QueueId, Tally};

use super::claim_cursors::ClaimCursors;
use super::counters::{End, Sums};
use super::store::Store;
use crate::plan::{Argument, JsonbText, Plan, Rows, with_spi};
use crate::settings;
use crate::timestamp::to_timestamptz;
use webhook::delivery_columns::{
    attempt, attempts, body, captured_at, code, finished_at, next_attempt, status,
};

/// The most deliveries that one statement fails, so that no transaction grows with the backlog.
const FAIL_PAGE: i32 = 10_000;

/// What was read of a queue.
#[derive(Default)]
pub struct QueuePage {
    /// The deliveries, in order of id.
    pub rows: Vec<Delivery>,
    /// Whether there are more, for which there was no room.
    pub cut: bool,
    /// Whether some were left out because a dump has still to bring their events.
    pub without_event: bool,
}

impl Store {
    /// Claims the first waiting deliveries of each queue from its cursor on, in the order of the claims. Data longer than `small` count
    /// towards `budget`, in bytes; when it is used up, a queue gets one delivery.
    pub fn claim(
        &self,
        claims: &[Claim],
        claim_cursors: &ClaimCursors,
        small: usize,
        budget: usize,
    ) -> Vec<QueuePage> {
        let mut found: HashMap<QueueId, QueuePage> = HashMap::new();
        let (of_digests, others): (Vec<&Claim>, Vec<&Claim>) =
            claims.iter().partition(|claim| claim.shown.is_some());
        let mut left = budget;
        if !others.is_empty() {
            self.read(&self.claim, &others, claim_cursors, small, &mut left, &mut found);
        }
        if !of_digests.is_empty() {
            self.read(
                &self.gather,
                &of_digests,
                claim_cursors,
                small,
                &mut left,
                &mut found,
            );
        }
        claims
            .iter()
            .map(|claim| found.remove(&claim.queue).unwrap_or_default())
            .collect()
    }

    fn read(
        &self,
        plan: &Plan,
        claims: &[&Claim],
        claim_cursors: &ClaimCursors,
        small: usize,
        left: &mut usize,
        found: &mut HashMap<QueueId, QueuePage>,
    ) {
        let queues: Vec<i64> = claims.iter().map(|claim| claim.queue.0).collect();
        let number = |count: usize| count.try_into().unwrap_or(i32::MAX);
        let pages: Vec<i32> = claims.iter().map(|claim| number(claim.limit)).collect();
        let from: Vec<i64> = claims.iter().map(|claim| claim_cursors.of(claim.queue)).collect();
        let shown: Vec<i32> = claims
            .iter()
            .filter_map(|claim| claim.shown.map(number))
            .collect();
        let mut arguments: Vec<Argument> = vec![queues.into(), pages.into(), from.into()];
        let is_of_digests = !shown.is_empty();
        if is_of_digests {
            arguments.push(shown.into());
        }
        // Only some rows of a digest have their data, also where another webhook hears the same event.
        let mut events: HashMap<i64, Event> = HashMap::new();
        with_spi(|spi| {
            let rows = plan.execute(spi, &arguments);
            for row in 0..rows.len() {
                let Some(queue) = rows.get(row, 2).map(QueueId) else {
                    continue;
                };
                let page = found.entry(queue).or_default();
                page.cut |= *left == 0 && !page.rows.is_empty() && !is_of_digests;
                if page.cut {
                    continue;
                }
                if rows.get(row, 10) == Some(false) {
                    page.without_event = true;
                    continue;
                }
                if is_of_digests {
                    events.clear();
                }
                if let Some((delivery, is_new)) = delivery(&rows, row, &mut events) {
                    if is_new && delivery.event.data.len() > small {
                        *left = left.saturating_sub(delivery.event.data.len());
                    }
                    page.rows.push(delivery);
                }
            }
        });
    }

    /// Runs a statement that selects some of these ids, and returns them.
    fn those(&self, statement: &Plan, ids: Vec<i64>) -> HashSet<i64> {
        with_spi(|spi| {
            let rows = statement.execute(spi, &[ids.into()]);
            (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect()
        })
    }

    /// Writes what was found out about events. The details of `doubtful` events may be written already; for others that is an error.
    pub fn write_details(&self, found: &[(i64, &str)], doubtful: Vec<i64>) {
        if found.is_empty() {
            return;
        }
        let known = match doubtful.is_empty() {
            true => HashSet::new(),
            false => self.those(&self.detailed, doubtful),
        };
        if self.direct.borrow_mut().write_details(found, &known) {
            return;
        }
        let (ids, details): (Vec<i64>, Vec<&str>) = found.iter().copied().unzip();
        with_spi(|spi| {
            self.details.execute(spi, &[ids.into(), details.into()]);
        });
    }

    /// Deletes events whose data are not kept.
    pub fn forget(&self, events: Vec<i64>) {
        if !events.is_empty() {
            with_spi(|spi| {
                self.forget.execute(spi, &[events.into()]);
            });
        }
    }

    /// Writes deliveries with their outcomes.
    pub fn write_deliveries(&self, deliveries: &[(&OpenEvent, &OpenDelivery)]) {
        if deliveries.is_empty() {
            return;
        }
        let log_payloads = settings::log_payloads();
        let queues: BTreeSet<i64> = deliveries.iter().map(|(_, delivery)| delivery.queue.0).collect();
        let webhooks = self.those(&self.webhooks, queues.into_iter().collect());
        if !self
            .direct
            .borrow_mut()
            .write_deliveries(deliveries, &webhooks, log_payloads)
        {
            self.insert_deliveries(deliveries, log_payloads);
        }
        self.write_misses(deliveries.iter().flat_map(|(_, delivery)| &delivery.misses));
    }

    fn insert_deliveries(&self, deliveries: &[(&OpenEvent, &OpenDelivery)], log_payloads: bool) {
        fn column<'a, T>(
            deliveries: &[(&'a OpenEvent, &'a OpenDelivery)],
            value: impl Fn(&'a OpenEvent, &'a OpenDelivery) -> T,
        ) -> Argument
        where
            Vec<T>: IntoDatum,
        {
            deliveries
                .iter()
                .map(|(event, delivery)| value(event, delivery))
                .collect::<Vec<T>>()
                .into()
        }
        let last = |delivery: &OpenDelivery| delivery.last.clone();
        with_spi(|spi| {
            self.deliveries.execute(
                spi,
                &[
                    column(deliveries, |_, d| d.id.0),
                    column(deliveries, |event, _| event.id),
                    column(deliveries, |_, d| d.queue.0),
                    column(deliveries, |event, _| &*event.event.event_type),
                    column(deliveries, |_, d| {
                        d.last.as_ref().map_or("p", |change| status(change.outcome))
                    }),
                    column(deliveries, |_, d| last(d).map_or(0, |change| attempts(&change))),
                    column(deliveries, |_, d| last(d).and_then(|change| code(&change))),
                    column(deliveries, |_, d| {
                        d.last.as_ref().and_then(|change| body(change, log_payloads))
                    }),
                    column(deliveries, |_, d| {
                        d.last.as_ref().and_then(|change| change.error.as_deref())
                    }),
                    column(deliveries, |_, d| {
                        last(d)
                            .and_then(|change| finished_at(&change))
                            .map(to_timestamptz)
                    }),
                    column(deliveries, |_, d| {
                        last(d)
                            .and_then(|change| next_attempt(change.outcome))
                            .map(to_timestamptz)
                    }),
                    column(deliveries, |event, _| {
                        event.event.traceparent.map(|traceparent| traceparent.to_string())
                    }),
                    column(deliveries, |event, _| {
                        captured_at(&event.event).map(to_timestamptz)
                    }),
                ],
            );
        });
    }

    /// Writes the failed attempts of deliveries that are in the table.
    fn write_misses<'a>(&self, misses: impl Iterator<Item = &'a DeliveryChange>) {
        let misses: Vec<&DeliveryChange> = misses.collect();
        if misses.is_empty() {
            return;
        }
        with_spi(|spi| {
            self.misses.execute(
                spi,
                &[
                    column(&misses, |c| c.id.0),
                    column(&misses, |c| to_timestamptz(c.at)),
                    column(&misses, |c| next_attempt(c.outcome).map(to_timestamptz)),
                    column(&misses, code),
                    column(&misses, attempt),
                    column(&misses, |c| c.error.as_deref()),
                ],
            );
        });
    }

    /// Writes the outcomes of deliveries that are in the table. `since`: since when a webhook is what was called.
    pub fn record(&self, changes: &[&DeliveryChange], since: impl Fn(QueueId) -> Option<Timestamp>) {
        if changes.is_empty() {
            return;
        }
        let log_payloads = settings::log_payloads();
        with_spi(|spi| {
            self.record.execute(
                spi,
                &[
                    column(changes, |c| c.id.0),
                    column(changes, |c| status(c.outcome)),
                    column(changes, attempts),
                    column(changes, code),
                    column(changes, |c| body(c, log_payloads)),
                    column(changes, |c| c.error.as_deref()),
                    column(changes, |c| finished_at(c).map(to_timestamptz)),
                    column(changes, |c| next_attempt(c.outcome).map(to_timestamptz)),
                    column(changes, |c| since(c.queue).map(to_timestamptz)),
                ],
            );
        });
        self.write_misses(changes.iter().copied().filter(|change| change.is_miss()));
    }

    /// Fails a page of the waiting deliveries of a webhook that was switched off. If somebody has switched it on again, they are left to be
    /// sent.
    pub fn fail_waiting(&self, queue: QueueId, reason: &str, at: Timestamp) -> GivenUp {
        let mut tally = Tally::default();
        let failed = with_spi(|spi| {
            let arguments = [queue.0.into(), reason.into(), FAIL_PAGE.into()];
            let rows = self.fail_waiting.execute(spi, &arguments);
            (0..rows.len())
                .filter_map(|row| rows.get::<String>(row, 1))
                .for_each(|event_type| tally.failed(queue, &event_type));
            rows.len()
        });
        let ends = (failed > 0).then(|| (queue, End::given_up(failed as i64, at, reason)));
        let ends = ends.into_iter().collect();
        GivenUp {
            sums: Sums { tally, ends },
            more: failed == FAIL_PAGE as usize,
        }
    }
}

/// Returns one value of each change, as an array.
fn column<'a, T>(changes: &[&'a DeliveryChange], value: impl Fn(&'a DeliveryChange) -> T) -> Argument
where
    Vec<T>: IntoDatum,
{
    changes
        .iter()
        .map(|change| value(change))
        .collect::<Vec<T>>()
        .into()
}

/// The deliveries that a page failed.
pub struct GivenUp {
    pub sums: Sums,
    /// Whether more may wait.
    pub more: bool,
}

/// Returns the waiting delivery of a row, and whether its event was not among those known. Deliveries of one event share its data.
fn delivery(rows: &Rows, row: usize, events: &mut HashMap<i64, Event>) -> Option<(Delivery, bool)> {
    let id: i64 = rows.get(row, 9)?;
    let known = events.get(&id).cloned();
    let is_new = known.is_none();
    let event = match known {
        Some(event) => event,
        None => {
            let event = event(rows, row)?;
            events.insert(id, event.clone());
            event
        }
    };
    let delivery = Delivery {
        id: DeliveryId(rows.get(row, 1)?),
        event_id: id,
        attempts: u32::from(rows.get::<i16>(row, 6)?.unsigned_abs()),
        created_at: event.occurred_at,
        next_attempt_at: rows.get::<Timestamp>(row, 8),
        event,
    };
    Some((delivery, is_new))
}

/// Returns the event of a row. A delivery whose event has been deleted is sent without data.
fn event(rows: &Rows, row: usize) -> Option<Event> {
    // A value of type json is stored as its text. That of a jsonb is made here, for the rows that are kept alone.
    let data = rows.get::<String>(row, 4);
    let detail = rows.get::<JsonbText>(row, 5).map(|detail| detail.0);
    let data = merged(data.as_deref().unwrap_or("{}"), detail.as_deref());
    Some(Event {
        event_type: rows.get::<String>(row, 3)?.into(),
        data: data.into(),
        occurred_at: rows.get::<Timestamp>(row, 7).unwrap_or_else(Timestamp::now),
        traceparent: rows
            .get::<&str>(row, 11)
            .and_then(|traceparent| traceparent.parse().ok()),
    })
}
