//! Reading the configuration as it is now, whatever the transaction's snapshot: a transaction with an old snapshot captures for the present webhooks.

use std::collections::HashSet;
use std::ffi::CStr;

use pgrx::pg_sys;

use crate::event_source;
use crate::pg::relation::{Locked, OpenRelation, owner_of};
use crate::pg::scan::{self, ScannedRow};
use crate::pg::watch::CONFIGURATION;

/// The event types that some active webhook hears.
#[derive(Debug, Default)]
pub struct Wanted {
    all: bool,
    types: HashSet<String>,
}

impl Wanted {
    /// Reads them without waiting for a lock, since whoever may write the view of the webhooks can lock the table under it.
    ///
    /// # Errors
    /// The table is locked.
    pub fn read() -> Result<Self, Locked> {
        let mut wanted = Wanted::default();
        // The library may be newer than the SQL: before 0.3 the table had another name.
        let names = [c"webhook", c"webhook_integration"];
        let Some(table) = names.into_iter().find_map(our_table) else {
            return Ok(wanted);
        };
        let Some(webhooks) = OpenRelation::open_if_free(table)? else {
            return Ok(wanted);
        };
        scan::newest_rows(&webhooks, |row| {
            if !row.is_true("is_active") {
                return;
            }
            let names: Option<Vec<String>> = row
                .text("event_types")
                .and_then(|names| serde_json::from_str(&names).ok());
            match names {
                Some(names) => wanted.types.extend(names),
                // What cannot be parsed counts as all: an event that no webhook hears costs little.
                None => wanted.all = true,
            }
        });
        wanted.all |= wanted.types.contains("*");
        Ok(wanted)
    }

    pub fn has(&self, event_type: &str) -> bool {
        self.all || self.types.contains(event_type)
    }
}

/// A row of `event_source`.
#[derive(Debug)]
pub struct SourceRow {
    pub row: event_source::Row,
    /// The owner of the partition that is written, if that is not the attached table's.
    pub partition_owner: Option<pg_sys::Oid>,
    pub on_insert: bool,
    pub on_update: bool,
    pub on_delete: bool,
}

/// Returns the source of an event on a table, or else on the nearest table that this one is a partition of or inherits from.
pub fn read_source(event_type: &str, relation: pg_sys::Oid) -> Option<SourceRow> {
    let sources = open(c"event_source")?;
    let mut family = vec![relation];
    family.extend(scan::ancestors(relation));
    let mut nearest: Option<(usize, SourceRow)> = None;
    scan::newest_rows(&sources, |row| {
        // A suspended source counts too: it may be suspended because of its look-ups, which do not concern capture.
        let attached = row.oid("relation");
        let Some(distance) = family.iter().position(|member| Some(*member) == attached) else {
            return;
        };
        if row.text("event_type").as_deref() != Some(event_type) {
            return;
        }
        if nearest.as_ref().is_none_or(|(known, _)| distance < *known) {
            nearest = source_row(row).map(|source| (distance, source));
        }
    });
    let (distance, mut source) = nearest?;
    let owners = family
        .get(distance)
        .and_then(|attached| owner_of(*attached).zip(owner_of(relation)));
    source.partition_owner = owners
        .filter(|(attached, written)| attached != written)
        .map(|(_, written)| written);
    Some(source)
}

/// Converts a row. A source that was attached by 0.1.0 has no conditions until it is attached again, so it fires on every operation of its triggers.
fn source_row(row: &ScannedRow) -> Option<SourceRow> {
    let says = ["insert_when", "update_when", "delete_when"]
        .iter()
        .any(|condition| row.is_given(condition));
    let fires = |condition: &str| !says || row.is_given(condition);
    Some(SourceRow {
        row: event_source::Row {
            id: row.number("id")?,
            event_type: row.text("event_type")?,
            columns: row.text("columns")?,
            audience: row.text("audience")?,
            progress: row.text("progress"),
            transition: row.text("transition"),
            omit: row.texts("omit"),
            written_by: None,
            written_by_oid: None,
        },
        partition_owner: None,
        on_insert: fires("insert_when"),
        on_update: fires("update_when"),
        on_delete: fires("delete_when"),
    })
}

/// Opens a table of the extension, of whose changes this session is notified from now on.
fn open(name: &CStr) -> Option<OpenRelation> {
    OpenRelation::open_briefly(our_table(name)?)
}

fn our_table(name: &CStr) -> Option<pg_sys::Oid> {
    let oid = scan::our_table(name)?;
    CONFIGURATION.with(|watch| watch.add(oid));
    Some(oid)
}
