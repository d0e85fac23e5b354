//! Writing to our own tables: by a writer, or by a statement where the table needs one.

use std::rc::Rc;

use pgrx::{IntoDatum, pg_sys};

use super::session::session;
use super::unwritten::Notes;
use super::watch::{WRITTEN, Watch};
use super::writer::TableWriter;
use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};
use crate::wake::Work;

/// What a session keeps for it.
pub struct OurTables {
    log: Option<TableWriter>,
    notes: Option<TableWriter>,
    insert_deliveries: Plan,
    insert_notes: Plan,
    /// As of which the writers hold.
    changes: u64,
}

impl OurTables {
    /// As kept, or made anew.
    fn get() -> Rc<OurTables> {
        let changes = WRITTEN.with(Watch::changes);
        if let Some(known) = session(|s| s.tables.clone())
            && known.changes == changes
        {
            return known;
        }
        WRITTEN.with(Watch::clear);
        let prepared = Rc::new(OurTables::prepare(changes));
        session(|s| s.tables = Some(prepared.clone()));
        prepared
    }

    fn prepare(changes: u64) -> Self {
        use pg_sys::{INT4ARRAYOID, INT4OID, INT8ARRAYOID, INT8OID, JSONBOID, TEXTARRAYOID, TEXTOID};
        // Who writes to an application's table need not have a right on ours.
        let agent = ActingAs::agent();
        let prepare = |sql: &str, types: &[pg_sys::Oid]| with_spi(|| Plan::prepare(sql, types));
        OurTables {
            log: TableWriter::prepare(
                c"notification_log",
                &[
                    ("webhook_integration_id", INT8OID),
                    ("event_type", TEXTOID),
                    ("payload", JSONBOID),
                ],
                agent.current(),
                changes,
            ),
            notes: TableWriter::prepare(
                c"progress_note",
                &[
                    ("event_source_id", INT8OID),
                    ("project_key", TEXTOID),
                    ("done_change", INT4OID),
                    ("total_change", INT4OID),
                ],
                agent.current(),
                changes,
            ),
            insert_deliveries: prepare(
                "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
                 SELECT lane, $2, $3 FROM pg_catalog.unnest($1) lane",
                &[INT8ARRAYOID, TEXTOID, JSONBOID],
            ),
            insert_notes: prepare(
                "INSERT INTO zentry_notify.progress_note (event_source_id, project_key, done_change, total_change) \
                 SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))",
                &[INT8ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID],
            ),
            changes,
        }
    }
}

/// One row for each of the integrations; `event_type` is a text, `payload` a jsonb. Returns an id that none of theirs is below.
pub fn write_deliveries(event_type: pg_sys::Datum, payload: pg_sys::Datum, lanes: &[i64]) -> i64 {
    let tables = OurTables::get();
    let rows = lanes
        .iter()
        .map(|lane| [pg_sys::Datum::from(*lane), event_type, payload]);
    if let Some(lowest) = tables.log.as_ref().and_then(|log| log.write(rows)) {
        return lowest;
    }
    let _agent = ActingAs::agent();
    with_spi(|| {
        let arguments = [lanes.into_datum(), Some(event_type), Some(payload)];
        tables.insert_deliveries.execute(&arguments)
    });
    // Not by RETURNING: a rule of the DBA's may have no place for it.
    Work::UNKNOWN
}

pub fn write_notes(notes: &Notes) {
    let tables = OurTables::get();
    let rows = notes.iter().filter_map(|((source, project), change)| {
        Some([
            pg_sys::Datum::from(*source),
            project.as_str().into_datum()?,
            pg_sys::Datum::from(change.done),
            pg_sys::Datum::from(change.total),
        ])
    });
    if tables
        .notes
        .as_ref()
        .and_then(|notes| notes.write(rows))
        .is_none()
    {
        let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for ((source, project), change) in notes {
            columns.0.push(*source);
            columns.1.push(project.as_str());
            columns.2.push(change.done);
            columns.3.push(change.total);
        }
        let _agent = ActingAs::agent();
        with_spi(|| {
            tables.insert_notes.execute(&[
                columns.0.into_datum(),
                columns.1.into_datum(),
                columns.2.into_datum(),
                columns.3.into_datum(),
            ])
        });
    }
}
