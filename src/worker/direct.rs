//! Writing many rows without a statement, where nothing of other roles is in the way: one WAL record for a page of rows, and not one for
//! each.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;

use pgrx::pg_sys;
use webhook::open_batch::{OpenDelivery, OpenEvent};

use crate::pg::field::{Field, KeptJsonb, KeptText};
use crate::pg::memory::ScratchMemory;
use crate::pg::row_writer::{RowWriter, Table};
use crate::timestamp::since_2000;
use webhook::delivery_columns::{attempts, body, captured_at, code, finished_at, next_attempt, status};

static DELIVERY: Table = Table {
    name: c"delivery",
    columns: &[
        ("id", pg_sys::INT8OID),
        ("event_id", pg_sys::INT8OID),
        ("webhook_integration_id", pg_sys::INT8OID),
        ("next_attempt_at", pg_sys::TIMESTAMPTZOID),
        ("finished_at", pg_sys::TIMESTAMPTZOID),
        ("retry_of", pg_sys::INT8OID),
        ("response_status_code", pg_sys::INT2OID),
        ("attempts", pg_sys::INT2OID),
        ("retry_count", pg_sys::INT2OID),
        ("status", pg_sys::CHAROID),
        ("event_type", pg_sys::TEXTOID),
        ("response_body", pg_sys::TEXTOID),
        ("error_message", pg_sys::TEXTOID),
        ("traceparent", pg_sys::TEXTOID),
        ("captured_at", pg_sys::TIMESTAMPTZOID),
    ],
};

static EVENT_DETAIL: Table = Table {
    name: c"event_detail",
    columns: &[("event_id", pg_sys::INT8OID), ("data", pg_sys::JSONBOID)],
};

/// The most bytes of details that are written at once: while they are written, they are in memory several times.
const MAX_BYTES: usize = 4 << 20;

/// What the worker keeps for writing directly.
pub struct Direct {
    deliveries: RowWriter,
    details: RowWriter,
}

impl Direct {
    pub fn new() -> Self {
        Direct {
            deliveries: RowWriter::new(&DELIVERY),
            details: RowWriter::new(&EVENT_DETAIL),
        }
    }

    /// Writes the details. False: not all were written, so a statement has to write those that are missing.
    pub fn write_details(&mut self, found: &[(i64, &str)], known: &HashSet<i64>) -> bool {
        let mut new: Vec<(i64, &str)> = Vec::with_capacity(found.len());
        new.extend(found.iter().filter(|(event, _)| !known.contains(event)));
        let mut rest = new.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |(_, detail): &&(i64, &str)| {
                let fits = bytes < MAX_BYTES;
                bytes += detail.len();
                fits
            };
            let (part, after) = rest.split_at(rest.iter().take_while(fits).count());
            if !self.write_part(part) {
                return false;
            }
            rest = after;
        }
        true
    }

    fn write_part(&mut self, new: &[(i64, &str)]) -> bool {
        let _memory = ScratchMemory::enter(c"zentry_notify details");
        // Events of one project and person often have the same detail.
        let mut values: HashMap<&str, KeptJsonb> = HashMap::new();
        for (_, detail) in new {
            values
                .entry(detail)
                .or_insert_with(|| KeptJsonb::of(&CString::new(*detail).unwrap_or_default()));
        }
        let rows: Vec<[Field; 2]> = new
            .iter()
            .map(|(event, detail)| [Field::Int8(*event), Field::Jsonb(&values[detail])])
            .collect();
        self.details.write_unguarded(&rows).is_ok()
    }

    /// Writes the deliveries. False: nothing was written, so a statement has to.
    pub fn write_deliveries(
        &mut self,
        deliveries: &[(&OpenEvent, &OpenDelivery)],
        webhooks: &HashSet<i64>,
        log_payloads: bool,
    ) -> bool {
        let mut types: HashMap<&str, KeptText> = HashMap::new();
        let mut answers = Vec::with_capacity(deliveries.len());
        for (event, delivery) in deliveries {
            let event_type = &*event.event.event_type;
            if !types.contains_key(event_type) {
                types.insert(event_type, KeptText::of(event_type));
            }
            let last = delivery.last.as_ref();
            let body = last.and_then(|change| body(change, log_payloads));
            let error = last.and_then(|change| change.error.as_deref());
            let traceparent = event.event.traceparent.map(|traceparent| traceparent.to_string());
            answers.push((
                body.map(KeptText::of),
                error.map(KeptText::of),
                traceparent.as_deref().map(KeptText::of),
            ));
        }
        let mut rows: Vec<[Field; 15]> = Vec::with_capacity(deliveries.len());
        for ((event, delivery), (body, error, traceparent)) in deliveries.iter().zip(&answers) {
            if !webhooks.contains(&delivery.queue.0) {
                continue;
            }
            let last = delivery.last.as_ref();
            let time =
                |time: Option<_>| time.map_or(Field::Null, |time| Field::Timestamptz(since_2000(time)));
            let state = last.map_or("p", |change| status(change.outcome));
            rows.push([
                Field::Int8(delivery.id.0),
                Field::Int8(event.id),
                Field::Int8(delivery.queue.0),
                time(last.and_then(|change| next_attempt(change.outcome))),
                time(last.and_then(finished_at)),
                Field::Null,
                last.and_then(code).map_or(Field::Null, Field::Int2),
                Field::Int2(last.map_or(0, attempts)),
                Field::Int2(0),
                Field::Char(state.as_bytes()[0]),
                text(types.get(&*event.event.event_type)),
                text(body.as_ref()),
                text(error.as_ref()),
                text(traceparent.as_ref()),
                time(captured_at(&event.event)),
            ]);
        }
        self.deliveries.write_unguarded(&rows).is_ok()
    }
}

fn text(text: Option<&KeptText>) -> Field<'_> {
    text.map_or(Field::Null, |text| Field::Text(text.as_text()))
}
