//! Rows of `event_source`. They are read and written with the rights of the extension's owner; the callers have checked what the user may do.

use pgrx::PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED;
use pgrx::pg_sys;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ours::Ours;
use crate::pg::relation::OpenRelation;
use crate::pg::scan;
use crate::report;

/// A source as it is to be. The fields are those of `event_source`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Source {
    pub event_type: String,
    pub columns: Map<String, Value>,
    pub audience: Value,
    pub progress: Option<Value>,
    pub transition: Option<Value>,
    /// The conditions as people read them; None: there is no such trigger.
    pub insert_when: Option<String>,
    pub update_when: Option<String>,
    pub delete_when: Option<String>,
    /// Another event type that the triggers of this source fire too.
    pub rider: Option<String>,
    /// Whether a user has attached it, with a mapping or a condition; otherwise it is one of Zentry's.
    pub by_hand: bool,
}

/// A source as it is recorded.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// The OID of its table, which may have been dropped.
    pub relation: u32,
    /// Whether it has a `suspended_reason`.
    pub impaired: bool,
    #[serde(flatten)]
    pub source: Source,
}

/// Returns the statement that reads the sources under a condition, as a JSON array; null if there is none.
macro_rules! recorded {
    ($condition:literal) => {
        concat!(
            "SELECT json_agg(json_build_object('relation', s.relation::oid::bigint, 'impaired', s.suspended_reason IS NOT NULL,
                    'event_type', s.event_type, 'columns', s.columns, 'audience', s.audience, 'progress', s.progress,
                    'transition', s.transition, 'insert_when', s.insert_when, 'update_when', s.update_when,
                    'delete_when', s.delete_when, 'rider', s.rider, 'by_hand', s.by_hand) ORDER BY s.id)::text
               FROM zentry_notify.event_source s WHERE ",
            $condition
        )
    };
}

impl Recorded {
    /// Returns all sources of a table.
    pub fn of_table(ours: &Ours, table: pg_sys::Oid) -> Vec<Recorded> {
        let table = table.into();
        parsed(ours.text(recorded!("s.relation = $1::regclass"), &[table]))
    }

    /// Returns the sources that users have attached.
    pub fn by_hand(ours: &Ours) -> Vec<Recorded> {
        parsed(ours.text(recorded!("s.by_hand"), &[]))
    }
}

/// The role whose expressions a source has from now on (`event_source.written_by`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The owner of the table.
    Owner,
    /// The same as before: if the table has another owner since, the expressions must not run with that owner's rights.
    Unchanged,
}

/// Parses the result of [`recorded!`].
fn parsed(text: Option<String>) -> Vec<Recorded> {
    match text.map(|text| serde_json::from_str(&text)) {
        None => Vec::new(),
        Some(Ok(recorded)) => recorded,
        Some(Err(error)) => pgrx::error!("zentry_notify: event_source cannot be read: {error}"),
    }
}

impl Source {
    /// Writes the source in place of the one that was recorded for this event and table. It is not suspended any more; which keys are omitted stays.
    pub fn record(&self, ours: &Ours, table: pg_sys::Oid, author: Author) {
        const UPDATE: &str = "WITH changed AS (
                UPDATE zentry_notify.event_source AS s
                   SET columns = $3::jsonb, audience = $4::jsonb, progress = $5::jsonb, transition = $6::jsonb, insert_when = $7,
                       update_when = $8, delete_when = $9, rider = $10, by_hand = $11, suspended_at = NULL, suspended_reason = NULL,
                       written_by = CASE WHEN $12 THEN (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = s.relation) ELSE s.written_by END,
                       written_by_oid = CASE WHEN $12 THEN (SELECT c.relowner FROM pg_class c WHERE c.oid = s.relation) ELSE s.written_by_oid END
                 WHERE s.relation = $2::regclass AND s.event_type = $1 RETURNING s.id)
            SELECT min(c.id)::text FROM changed c";
        // Not by ON CONFLICT DO UPDATE: an INSERT is a restored row, which replaces what is there (replace_source).
        const INSERT: &str = "WITH written AS (
                INSERT INTO zentry_notify.event_source
                       (event_type, relation, columns, audience, progress, transition, insert_when, update_when, delete_when, rider, by_hand, written_by)
                SELECT $1, c.oid, $3::jsonb, $4::jsonb, $5::jsonb, $6::jsonb, $7, $8, $9, $10, $11, pg_get_userbyid(c.relowner)
                  FROM pg_class c WHERE c.oid = $2::regclass
                ON CONFLICT ON CONSTRAINT event_source_relation_event_type_key DO NOTHING RETURNING id)
            SELECT min(w.id)::text FROM written w";
        let text = |text: Option<String>| text.into();
        let json = |value: &Option<Value>| text(value.as_ref().map(Value::to_string));
        let arguments = [
            text(Some(self.event_type.clone())),
            table.into(),
            text(Some(Value::Object(self.columns.clone()).to_string())),
            text(Some(self.audience.to_string())),
            json(&self.progress),
            json(&self.transition),
            text(self.insert_when.clone()),
            text(self.update_when.clone()),
            text(self.delete_when.clone()),
            text(self.rider.clone()),
            self.by_hand.into(),
        ];
        let mut changed = arguments.to_vec();
        changed.push((author == Author::Owner).into());
        if ours.text(UPDATE, &changed).is_none() {
            check_room();
            ours.text(INSERT, &arguments);
        }
    }
}

/// Maximum number of sources in a database: when one has changed, each session that writes to an attached table reads them all.
const MAX_SOURCES: usize = 20_000;

/// Raises an error if there is no room for another source. Sources of transactions that are not committed yet count too.
fn check_room() {
    let table = scan::our_table(c"event_source").and_then(OpenRelation::open_briefly);
    let count = table.map_or(0, |table| scan::count_with_unfinished(&table));
    if count >= MAX_SOURCES {
        report::error(
            ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("there are {count} event sources, and a database can have {MAX_SOURCES}"),
            "",
            "Detach what nobody needs any more: SELECT event_type, relation FROM zentry_notify.event_sources lists what is attached. Of a partitioned table, attach the table and not each partition.",
        )
    }
}

/// Suspends a source that does not fit its table any more, unless it is suspended already.
pub fn suspend(ours: &Ours, table: pg_sys::Oid, event: &str, reason: &str) {
    const SQL: &str = "WITH changed AS (
            UPDATE zentry_notify.event_source AS s SET suspended_at = now(), suspended_reason = $3
             WHERE s.relation = $1::regclass AND s.event_type = $2 AND s.suspended_at IS NULL RETURNING s.id)
        SELECT min(c.id)::text FROM changed c";
    let text = |text: &str| text.into();
    ours.text(SQL, &[table.into(), text(event), text(reason)]);
}

/// Removes the sources of a table, or that of one event.
pub fn forget(ours: &Ours, table: pg_sys::Oid, event: Option<&str>) {
    const SQL: &str = "WITH gone AS (
            DELETE FROM zentry_notify.event_source s
             WHERE s.relation = $1::regclass AND s.event_type = coalesce($2, s.event_type) RETURNING s.id)
        SELECT min(g.id)::text FROM gone g";
    ours.text(SQL, &[table.into(), event.into()]);
}

/// Sets the keys that are left out of the data. Returns whether there is such a source.
pub fn omit(ours: &Ours, table: pg_sys::Oid, event: &str, keys: Vec<String>) -> bool {
    const SQL: &str = "WITH changed AS (
            UPDATE zentry_notify.event_source AS s SET omit = $3 WHERE s.relation = $1::regclass AND s.event_type = $2 RETURNING s.id)
        SELECT min(c.id)::text FROM changed c";
    ours.text(SQL, &[table.into(), event.into(), keys.into()])
        .is_some()
}
