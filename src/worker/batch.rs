//! The open batch: captured events become deliveries in memory, which are written with their outcomes.

mod write;

use std::collections::HashSet;
use std::time::Instant;

use webhook::event::Event;
use webhook::open_batch::OpenEvent;
use webhook::schedule::{DeliveryId, QueueId};

use super::cursor::{CHANGED_BY_OTHERS, Moment, StoredCursor};
use super::events::PAGE;
use super::parts::Fate;
use super::source::Weight;
use super::state::Worker;
use super::{database, events};
use crate::acting_as::ActingAs;
use crate::pg::signals;
use write::Refused;

/// Beyond these bounds nothing is routed until something has been written.
const MAX_DELIVERIES: usize = 10_000;
const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 24 << 20;
/// Nothing is routed while there is room for fewer deliveries than this: small pages cost more.
const ROOM: usize = 1_000;

impl Worker {
    /// Routes a page of captured events into the open batch, from which they can be sent at once.
    pub fn route(&mut self) -> Result<(), String> {
        self.more_events = true;
        if !self.cursor.may_route() || self.legacy_waits {
            return Ok(());
        }
        let Some(room) = self.room() else {
            return Ok(());
        };
        let ranges = self.cursor.cursor().to_read();
        let (slot, store, router, ledger) = (self.slot, &self.store, &mut self.router, &mut self.ledger);
        let cursor = &self.cursor;
        let read = database::routing("zentry_notify: route events", || {
            let mut page = {
                let _agent = ActingAs::agent();
                // The cursor is read with the same snapshot as the events: events that a dump brings must not be sent before the dump's
                // cursor says which of them were sent.
                if let Some(changed) = cursor.load(store) {
                    return Err(Box::new(changed));
                }
                events::read(&store.events, &ranges, room)
            };
            // Events that were written after settings had changed are routed by the new settings.
            if signals::asks_for_reload() && !page.events.is_empty() {
                return Ok(None);
            }
            // What a partly routed event says of its project's progress has been written already.
            for event in &mut page.events {
                if cursor.left_of(event.id).is_some() {
                    event.context.progress.clear();
                }
            }
            let moment = Moment::of_snapshot(cursor.cursor(), &page);
            if slot.configuration_is_noted() || router.has_unknown(&page.events) {
                router.load(slot);
            }
            let mut routed = router.route(&page.events);
            page.cut(routed.len());
            ledger.count(router, &page);
            for (event, routed) in page.events.iter().zip(&mut routed) {
                if let Some(left) = cursor.left_of(event.id) {
                    routed.queues.retain(|queue| left.contains(&queue.0));
                }
            }
            let count = routed.iter().map(|routed| routed.queues.len()).sum();
            let ids = store.delivery_ids.next(count);
            Ok(Some((page, moment, routed, ids)))
        })?;
        let (page, moment, routed, ids) = match read {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(()),
            Err(changed) => {
                self.take_up(*changed);
                return Ok(());
            }
        };
        if !page.events.is_empty() {
            self.heard_by = ids.len().div_ceil(page.events.len());
        }
        self.cursor.read(&page, moment);
        self.more_events = !page.complete;
        self.ledger.counted();
        self.suspend()?;
        let now = Instant::now();
        let mut ids = ids.into_iter().map(DeliveryId);
        let mut heard: Vec<QueueId> = Vec::new();
        for (event, routed) in page.events.into_iter().zip(routed) {
            heard.extend(&routed.queues);
            let deliveries: Vec<_> = ids
                .by_ref()
                .take(routed.queues.len())
                .zip(routed.queues)
                .collect();
            let told = Event {
                event_type: event.event_type,
                data: routed.payload,
                occurred_at: event.created_at,
                traceparent: event.context.traceparent,
            };
            // An event that no webhook hears needs no detail.
            let detail = routed.detail.filter(|_| !deliveries.is_empty());
            self.batch.add(event.id, told, detail, deliveries, now);
        }
        if self.ledger.has_news() || self.senders.have_any() {
            self.batch.hurry();
        }
        heard.sort_unstable();
        heard.dedup();
        self.scheduler.notice(heard);
        Ok(())
    }

    /// Returns how many events can be routed before something is written, if each is heard by as many webhooks as the last ones. None:
    /// none.
    pub fn room(&mut self) -> Option<usize> {
        let each = self.heard_by.max(1);
        let room = MAX_DELIVERIES.saturating_sub(self.batch.occupied(Instant::now()));
        let full = room < ROOM.min(PAGE * each)
            || self.batch.events() >= MAX_EVENTS
            || self.batch.bytes() >= MAX_BYTES;
        self.batch.set_full(full);
        (!full).then(|| (room / each).clamp(1, PAGE))
    }

    /// Writes which sources' look-ups do not work.
    fn suspend(&mut self) -> Result<(), String> {
        for suspension in std::mem::take(&mut self.router.enricher.suspensions) {
            if suspension.weight == Weight::Suspended {
                pgrx::warning!(
                    "zentry_notify: what event source {} looks up can't be found out, its events are told without it: {}",
                    suspension.source,
                    suspension.reason
                );
            }
            database::transaction("zentry_notify: suspend look-ups", || suspension.write())?;
        }
        Ok(())
    }

    /// Writes the events that have been in memory for long enough, or all of them.
    pub fn flush(&mut self, all: bool) {
        let now = Instant::now();
        let due = match self.batch.wait(now) {
            Some(wait) => wait.is_zero(),
            None => self.ledger.wants_all(),
        };
        let again = self.batch.has_refused() && (all || !self.refusal.is_waiting());
        if !all && (!due && !again || self.back_off.is_waiting()) {
            return;
        }
        let events = self.batch.take(all || self.ledger.wants_all(), again, now);
        if events.is_empty() && !self.ledger.wants_all() {
            return;
        }
        let written = match again {
            true => self.write_in_parts(&events),
            false => self
                .write_all(&events)
                .or_else(|failure| match failure.is_of_rows() {
                    true => self.write_in_parts(&events),
                    false => Err(failure),
                }),
        };
        match written {
            Ok(written) => {
                self.write_deferred = false;
                self.cursor.wrote(written.cursor);
                self.more_events |= self.ledger.wrote();
                self.leave_waiting(&events, &written.deliveries);
                let before = self.batch.refused_queues();
                if again {
                    self.batch.forgive();
                }
                self.keep(events, &written.deliveries, written.refused, now);
                for queue in before {
                    if !self.batch.refuses(queue) {
                        self.postponed.webhooks.insert(queue.0);
                    }
                }
            }
            Err(failure) if failure.message() == CHANGED_BY_OTHERS => {
                self.cursor = StoredCursor::default();
                self.postponed.configuration = true;
            }
            Err(failure) => {
                self.batch.put_back(events, now);
                self.write_deferred = true;
                self.failed("writing deliveries", failure.describe());
            }
        }
    }

    /// Keeps what was not written: what was refused stays until it is tried again.
    fn keep(
        &mut self,
        events: Vec<OpenEvent>,
        written: &HashSet<DeliveryId>,
        refused: Refused,
        now: Instant,
    ) {
        let mut left = Vec::new();
        for mut event in events {
            let unknown = refused.events.get(&event.id);
            event
                .deliveries
                .retain(|delivery| !written.contains(&delivery.id));
            if event.deliveries.is_empty() && unknown.is_none() {
                continue;
            }
            event.split = true;
            match unknown {
                None => event.detail = None,
                Some(Fate::Refused) => event
                    .deliveries
                    .iter()
                    .for_each(|delivery| self.batch.refuse(delivery.queue, delivery.id)),
                Some(_) => {}
            }
            left.push(event);
        }
        for (queue, delivery) in &refused.deliveries {
            self.batch.refuse(*queue, *delivery);
        }
        for queue in &refused.queues {
            self.batch.refuse_queue(*queue);
        }
        self.batch.put_back(left, now);
        if let Some(failure) = refused.progress {
            self.refused_apart("writing how far projects have come", failure.describe());
        }
        if let Some(failure) = refused.failure {
            let what = match refused.deliveries.first() {
                Some((queue, _)) => format!("writing deliveries of webhook {}", queue.0),
                None => "writing what was found out about events".to_owned(),
            };
            self.refused_apart(&what, failure.describe());
        }
    }

    /// Notes that the unfinished deliveries of these events now wait in the table.
    fn leave_waiting(&mut self, events: &[OpenEvent], written: &HashSet<DeliveryId>) {
        let mut switched_off = Vec::new();
        let deliveries = events
            .iter()
            .flat_map(|event| event.deliveries.iter().map(move |delivery| (event, delivery)));
        for (event, delivery) in deliveries {
            if !delivery.is_finished() && written.contains(&delivery.id) {
                // Deliveries that senders post do not count here.
                if delivery.last.is_none() && self.senders.leaves(delivery.queue) {
                    self.batch.spilled(delivery.id, event);
                }
                self.drained.remove(&delivery.queue);
                self.claim_cursors.lower(delivery.queue, delivery.id.0);
                self.scheduler.notice([delivery.queue]);
                self.senders.notice(delivery.queue);
                if self.switched_off.contains_key(&delivery.queue) {
                    switched_off.push(delivery.queue);
                }
            }
        }
        switched_off
            .iter()
            .for_each(|queue| self.postponed.webhooks.insert(queue.0));
    }

    /// Looks whether the dump's cursor has come.
    pub fn look_for_cursor(&mut self) -> Result<(), String> {
        let (cursor, store) = (&self.cursor, &self.store);
        let found = database::transaction("zentry_notify: look for the route cursor", || cursor.load(store))?;
        if let Some(found) = found {
            self.take_up(found);
        }
        Ok(())
    }

    /// Goes on from a cursor that is not the one that was known: what is in memory is dropped, and read again if it is still in the tables.
    pub fn take_up(&mut self, cursor: StoredCursor) {
        self.cursor = cursor;
        self.batch = Default::default();
        self.write_deferred = false;
        self.ledger = Default::default();
        self.drained.clear();
        self.legacy_waits = true;
        self.more_events = true;
        let queues: Vec<QueueId> = self.webhooks.keys().copied().collect();
        self.scheduler.retry_now(queues);
    }
}
