//! Claiming: deliveries that wait are read for the scheduler, from the table as long as the queue has some there, then from the open batch,
//! whose ids are higher.

use jiff::Timestamp;
use webhook::schedule::{Claim, Delivery};

use super::database;
use super::in_memory::SMALL;
use super::legacy;
use super::state::Worker;
use crate::pg::wait;

/// The most bytes of long data that claimed deliveries may hold in memory. Beyond that, a queue still gets one delivery.
const MAX_BYTES: usize = 32 << 20;

impl Worker {
    /// Moves deliveries of 0.2.0 that wait into the new tables, before anything else is routed.
    pub fn move_legacy(&mut self) -> Result<(), String> {
        while self.legacy_waits && self.cursor.may_route() && !self.is_called_away() {
            self.legacy_waits = database::transaction_as_self(
                "zentry_notify: move what waits since 0.2",
                legacy::move_waiting,
            )?;
            wait::check_for_interrupts();
            if !self.legacy_waits {
                // Their ids are lower than all that have been read.
                self.claim_cursors.forget_all();
                self.drained.clear();
                self.scheduler.notice_all();
            }
        }
        Ok(())
    }

    pub fn claim(&mut self) -> Result<(), String> {
        let claims = self.scheduler.claims(Timestamp::now());
        if claims.is_empty() {
            return Ok(());
        }
        let (held_back, readable): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| {
            self.unrecorded.queues.contains(&claim.queue) || self.batch.refuses(claim.queue)
        });
        let now = Timestamp::now();
        for claim in held_back {
            self.scheduler.supply(claim.queue, Vec::new(), now);
        }
        // A digest has all events that happened before it, so events that are not routed yet may belong to it.
        let (behind, readable): (Vec<_>, Vec<_>) = readable
            .into_iter()
            .partition(|claim| self.more_events && claim.shown.is_some() && claim.limit > 1);
        for claim in behind {
            self.gathering.push(claim.queue);
            self.scheduler.supply(claim.queue, Vec::new(), now);
        }
        let (routed, waiting): (Vec<_>, Vec<_>) = readable
            .into_iter()
            .partition(|claim| self.drained.contains(&claim.queue));
        for claim in routed {
            let rows = self.batch.rows(claim.queue, claim.limit);
            self.scheduler.supply(claim.queue, rows, now);
        }
        if waiting.is_empty() {
            return Ok(());
        }
        self.claim_from_table(&waiting)
    }

    fn claim_from_table(&mut self, claims: &[Claim]) -> Result<(), String> {
        let budget = MAX_BYTES.saturating_sub(self.in_memory.bytes());
        let found = database::transaction("zentry_notify: read what waits", || {
            self.store.claim(claims, &self.claim_cursors, SMALL, budget)
        });
        let now = Timestamp::now();
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                for claim in claims {
                    self.scheduler.supply(claim.queue, Vec::new(), now);
                    self.postponed.webhooks.insert(claim.queue.0);
                }
                return Err(error);
            }
        };
        for (claim, page) in claims.iter().zip(found) {
            let mut rows: Vec<Delivery> = page.rows;
            if let Some(first) = rows.first() {
                self.claim_cursors.set(claim.queue, first.id.0);
            }
            rows.iter().for_each(|row| self.in_memory.add(&row.event.data));
            if !page.cut && rows.len() < claim.limit {
                // Rows that are read may be given back, and have to be found again, so only a queue without rows in the table counts as
                // drained.
                if rows.is_empty() {
                    self.drained.insert(claim.queue);
                }
                rows.extend(self.batch.rows(claim.queue, claim.limit - rows.len()));
            }
            self.scheduler.supply(claim.queue, rows, now);
            self.events_awaited |= page.without_event;
            if page.cut {
                self.scheduler.notice([claim.queue]);
            }
        }
        Ok(())
    }
}
