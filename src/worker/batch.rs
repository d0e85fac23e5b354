//! The open batch: captured events become deliveries in memory, and are written down with what became of them.

use std::time::Instant;

use webhook::event::Event;
use webhook::open_batch::OpenEvent;
use webhook::schedule::{DeliveryId, LaneId};

use super::cursor::{CHANGED_BY_OTHERS, Moment, StoredCursor};
use super::event_loop::Worker;
use super::{database, events};
use crate::acting_as::ActingAs;

/// Beyond these bounds nothing more is routed before something is written.
const MAX_DELIVERIES: usize = 10_000;
const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 24 << 20;

impl Worker {
    /// Routes a page of what was captured. What it makes is in memory, and can be sent at once.
    pub fn route(&mut self) -> Result<(), String> {
        self.more_events = true;
        if !self.cursor.may_route() || self.legacy_waits || !self.has_room() {
            return Ok(());
        }
        let ranges = self.cursor.cursor().to_read();
        let (slot, queue, router, ledger) = (self.slot, &self.queue, &mut self.router, &mut self.ledger);
        let cursor = &self.cursor;
        let read = database::routing("zentry_notify: route events", || {
            let page = {
                let _agent = ActingAs::agent();
                // With the events' own snapshot: those that a dump brings must not be sent before its cursor says which of them were.
                if let Some(changed) = cursor.load(&queue.stored_cursor) {
                    return Err(changed);
                }
                events::read(&queue.events, &ranges)
            };
            let moment = Moment::of_snapshot();
            if slot.configuration_is_noted() || router.has_unknown(&page.events) {
                router.load();
            }
            ledger.count(router, &page);
            let routed = router.route(&page.events);
            let count = routed.iter().map(|routed| routed.lanes.len()).sum();
            let ids = queue.delivery_ids.next(count);
            Ok((page, moment, routed, ids))
        })?;
        let (page, moment, routed, ids) = match read {
            Ok(read) => read,
            Err(changed) => {
                self.take_up(changed);
                return Ok(());
            }
        };
        self.cursor.read(&page, moment);
        self.more_events = !page.complete;
        self.ledger.counted();
        self.suspend()?;
        let now = Instant::now();
        let mut ids = ids.into_iter().map(DeliveryId);
        let mut heard: Vec<LaneId> = Vec::new();
        for (event, routed) in page.events.into_iter().zip(routed) {
            heard.extend(&routed.lanes);
            let deliveries: Vec<_> = ids.by_ref().take(routed.lanes.len()).zip(routed.lanes).collect();
            let told = Event {
                event_type: event.event_type,
                data: routed.payload,
                occurred_at: event.created_at,
            };
            // Nobody is shown what nobody hears of.
            let detail = routed.detail.filter(|_| !deliveries.is_empty());
            self.batch.add(event.id, told, detail, deliveries, now);
        }
        if self.ledger.has_news() {
            self.batch.hurry();
        }
        heard.sort_unstable();
        heard.dedup();
        self.scheduler.notice(heard);
        Ok(())
    }

    /// Whether more can be routed before something is written.
    pub fn has_room(&mut self) -> bool {
        let full = self.batch.deliveries() >= MAX_DELIVERIES
            || self.batch.events() >= MAX_EVENTS
            || self.batch.bytes() >= MAX_BYTES;
        self.batch.set_full(full);
        !full
    }

    /// Writes down which sources' look-ups do not work.
    fn suspend(&mut self) -> Result<(), String> {
        for suspension in std::mem::take(&mut self.router.enricher.suspensions) {
            if !suspension.note_only {
                pgrx::warning!(
                    "zentry_notify: what event source {} looks up can't be found out, its events are told without it: {}",
                    suspension.source,
                    suspension.reason
                );
            }
            database::transaction("zentry_notify: suspend look-ups", || {
                super::source::write_suspension(suspension.source, &suspension.reason, suspension.note_only);
            })?;
        }
        Ok(())
    }

    /// Writes down what has been in memory for long enough, or all of it.
    pub fn flush(&mut self, all: bool) {
        let now = Instant::now();
        let due = match self.batch.wait(now) {
            Some(wait) => wait.is_zero(),
            None => self.ledger.wants_all(),
        };
        if !all && (!due || self.trouble.is_on()) {
            return;
        }
        let events = self.batch.take(all || self.ledger.wants_all(), now);
        if events.is_empty() && !self.ledger.wants_all() {
            return;
        }
        let (queue, cursor, ledger) = (&self.queue, &self.cursor, &self.ledger);
        let written = database::transaction("zentry_notify: write deliveries", || {
            queue.write(&events);
            ledger.write();
            cursor.write(&queue.cursor, events.iter().map(|event| event.id))
        });
        match written {
            Ok(set) => {
                self.unwritten = false;
                self.cursor.wrote(set);
                self.more_events |= self.ledger.wrote();
                self.leave_waiting(&events);
            }
            Err(error) if error.contains(CHANGED_BY_OTHERS) => {
                self.cursor = StoredCursor::default();
                self.postponed.configuration = true;
            }
            Err(error) => {
                self.batch.put_back(events, now);
                self.unwritten = true;
                self.met("writing deliveries", error);
            }
        }
    }

    /// What is not finished waits in the table from now on.
    fn leave_waiting(&mut self, events: &[OpenEvent]) {
        let mut switched_off = Vec::new();
        for delivery in events.iter().flat_map(|event| &event.deliveries) {
            if !delivery.is_finished() {
                self.drained.remove(&delivery.lane);
                self.marks.lower_lane(delivery.lane, delivery.id.0);
                self.scheduler.notice([delivery.lane]);
                if self.switched_off.contains_key(&delivery.lane) {
                    switched_off.push(delivery.lane);
                }
            }
        }
        switched_off
            .iter()
            .for_each(|lane| self.postponed.lanes.insert(lane.0));
    }

    /// Goes on from a cursor that is not the one that was known: what is in memory is forgotten, and read again if it is there.
    pub fn take_up(&mut self, cursor: StoredCursor) {
        self.cursor = cursor;
        self.batch = Default::default();
        self.unwritten = false;
        self.ledger = Default::default();
        self.drained.clear();
        self.legacy_waits = true;
        self.more_events = true;
        let lanes: Vec<LaneId> = self.lanes.keys().copied().collect();
        self.scheduler.retry_now(lanes);
    }
}
