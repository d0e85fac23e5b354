//! The worker's statements on the extension's own tables, prepared once.

use std::cell::RefCell;

use pgrx::prelude::*;

use super::direct::Direct;
use super::statements::{deliveries, events, webhooks};
use crate::pg::sequence;
use crate::plan::{Plan, with_spi};

/// The plans that are kept for the worker's life.
pub struct Store {
    pub active_webhooks: Plan,
    pub wordings: Plan,
    pub events: Plan,
    pub stored_cursor: Plan,
    pub cursor_at: Plan,
    pub cursor: Plan,
    pub claim: Plan,
    pub gather: Plan,
    pub record: Plan,
    pub misses: Plan,
    pub count: Plan,
    pub tally: Plan,
    pub switch_off: Plan,
    pub fail_waiting: Plan,
    pub set_circuit: Plan,
    pub close_circuit: Plan,
    pub set_in_a_row: Plan,
    pub note_expired: Plan,
    pub note_stream: Plan,
    pub details: Plan,
    pub deliveries: Plan,
    pub forget: Plan,
    pub delivery_ids: DeliveryIds,
    pub direct: RefCell<Direct>,
    /// Which of some webhooks exist.
    pub webhooks: Plan,
    /// Which of some events have details already.
    pub detailed: Plan,
}

/// Returns the OID of one of the extension's tables.
pub fn table(name: &str) -> u32 {
    let sql = format!("SELECT pg_catalog.to_regclass('zentry_notify.{name}')::pg_catalog.oid");
    let oid = with_spi(|spi| {
        Plan::prepare(spi, &sql, &[])
            .execute(spi, &[])
            .get::<pg_sys::Oid>(0, 1)
    });
    oid.unwrap_or(pg_sys::InvalidOid).to_u32()
}

impl Store {
    pub fn prepare() -> Store {
        let (event, delivery, webhook) = (table("event"), table("delivery"), table("webhook"));
        Store {
            active_webhooks: webhooks::active_webhooks(),
            wordings: events::wordings(),
            events: events::events(event),
            stored_cursor: events::stored_cursor(),
            cursor_at: events::cursor_at(),
            cursor: events::cursor(event),
            claim: deliveries::claim(delivery),
            gather: deliveries::gather(delivery),
            record: deliveries::record(delivery),
            misses: deliveries::misses(delivery),
            count: webhooks::count(webhook),
            tally: webhooks::tally(webhook),
            switch_off: webhooks::switch_off(),
            fail_waiting: deliveries::fail_waiting(),
            set_circuit: webhooks::set_circuit(),
            close_circuit: webhooks::close_circuit(),
            set_in_a_row: webhooks::set_in_a_row(webhook),
            note_expired: webhooks::note_expired(webhook),
            note_stream: webhooks::note_stream(webhook),
            details: events::details(),
            deliveries: deliveries::deliveries(webhook),
            forget: events::forget(event),
            delivery_ids: DeliveryIds(table("delivery_id_seq")),
            direct: RefCell::new(Direct::new()),
            webhooks: webhooks::webhooks(webhook),
            detailed: events::detailed(),
        }
    }
}

/// The sequence of deliveries' ids.
pub struct DeliveryIds(u32);

impl DeliveryIds {
    /// Draws `count` ids, in ascending order. Other sessions may draw in between.
    pub fn next(&self, count: usize) -> Vec<i64> {
        sequence::draw(pg_sys::Oid::from(self.0), count)
    }
}
