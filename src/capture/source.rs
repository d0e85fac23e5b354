//! A table that fires an event, with everything that a write needs, prepared.

use std::cell::OnceCell;
use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use pgrx::{IntoDatum, PgRelation};
use serde_json::Value;

use super::prepare::Builder;
use super::value::Kind;
use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};

/// A column of the table that the event needs.
#[derive(Debug)]
pub struct Column {
    pub(super) name: String,
    pub attribute: i32,
    pub kind: Kind,
    pub(super) type_oid: pg_sys::Oid,
}

/// Where one key of the data comes from.
pub(super) enum Origin {
    /// Index in `columns`.
    Column(usize),
    /// Index in the enrichment's result.
    Lookup(usize),
    /// JSON text.
    Constant(String),
}

pub(super) struct Entry {
    /// `"key":`
    pub(super) label: Vec<u8>,
    pub(super) origin: Origin,
}

/// The statement that looks up what the row itself does not have.
pub(super) struct Enrichment {
    pub(super) plan: Plan,
    /// Index in `columns` of each parameter.
    pub(super) parameters: Vec<usize>,
    /// For each result, its parameter.
    pub(super) roots: Vec<usize>,
    pub(super) kinds: Vec<OnceCell<Kind>>,
}

/// Who hears of it.
pub enum Audience {
    All,
    /// Those of the project whose id is in this column.
    Project(usize),
    /// Those of the projects of the person whose id is in this column, as the plan picks them.
    Person {
        column: usize,
        plan: Plan,
    },
}

/// Columns that a milestone depends on.
pub struct Progress {
    pub group: usize,
    pub status: usize,
    /// The status of a task that counts, as JSON text and as it is.
    pub done: Vec<u8>,
    pub done_text: String,
}

pub struct Source {
    pub id: i64,
    pub event_type: String,
    /// The table's owner: whose rights lookups have.
    pub(super) owner: pg_sys::Oid,
    pub columns: Vec<Column>,
    pub(super) entries: Vec<Entry>,
    pub(super) enrichment: Option<Enrichment>,
    pub audience: Audience,
    pub progress: Option<Progress>,
    /// The tables that it reads.
    pub relations: Vec<pg_sys::Oid>,
    /// Keys of the data that are left out.
    pub omit: Vec<String>,
}

/// A row of `event_source`, as it stands there.
pub(super) struct SourceRow {
    pub(super) id: i64,
    pub(super) columns: String,
    pub(super) audience: String,
    pub(super) progress: Option<String>,
    pub(super) omit: Vec<String>,
}

/// The event's data as JSON text.
pub struct Data {
    pub json: String,
    /// A lookup found nothing although the row has a key: the other row may be written later in the transaction.
    pub incomplete: bool,
}

impl Source {
    /// Reads the source of `event_type` on `relation` (or, for a partition, on the table that it belongs to) and prepares
    /// its statements. None: not attached, or suspended. Whatever does not work any more raises an error.
    pub fn load(event_type: &str, relation: &PgRelation) -> Option<Source> {
        let row = Self::row(event_type, relation.oid())?;
        Some(Builder::new(relation).build(event_type, row))
    }

    fn row(event_type: &str, relation: pg_sys::Oid) -> Option<SourceRow> {
        const SQL: &str = "SELECT s.id, s.columns::pg_catalog.text, s.audience::pg_catalog.text, s.progress::pg_catalog.text, \
                                  (pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->) 'omit')::pg_catalog.text \
                           FROM zentry_notify.event_source s \
                           WHERE s.event_type OPERATOR(pg_catalog.=) $1 AND s.suspended_at IS NULL \
                             AND (s.relation OPERATOR(pg_catalog.=) $2 OR s.relation OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.pg_partition_ancestors($2)))";
        let _agent = ActingAs::agent();
        with_spi(|| {
            let plan = Plan::prepare(SQL, &[pg_sys::TEXTOID, pg_sys::OIDOID]);
            let rows = plan.execute(&[event_type.into_datum(), relation.into_datum()]);
            if rows.len() == 0 {
                return None;
            }
            // SAFETY: the types are those of the statement's columns.
            unsafe {
                // By way of JSON, because the column came with 0.2.0 and the library may be newer than the SQL.
                let omit = rows.get(0, 5).0.and_then(|d| String::from_datum(d, false));
                Some(SourceRow {
                    id: i64::from_datum(rows.get(0, 1).0?, false)?,
                    columns: String::from_datum(rows.get(0, 2).0?, false)?,
                    audience: String::from_datum(rows.get(0, 3).0?, false)?,
                    progress: rows.get(0, 4).0.and_then(|d| String::from_datum(d, false)),
                    omit: serde_json::from_str(&omit.unwrap_or_default()).unwrap_or_default(),
                })
            }
        })
    }

    /// Makes the event's data of the row's values, which are in the order of `columns`.
    pub fn data(&self, values: &[Option<pg_sys::Datum>]) -> Data {
        let mut json = Vec::with_capacity(512);
        let mut incomplete = false;
        let mut write = |found: Option<(&Enrichment, &crate::plan::Rows)>| {
            json.push(b'{');
            for (i, entry) in self.entries.iter().enumerate() {
                if i > 0 {
                    json.push(b',');
                }
                json.extend_from_slice(&entry.label);
                match (&entry.origin, found) {
                    (Origin::Constant(text), _) => json.extend_from_slice(text.as_bytes()),
                    // SAFETY: values and columns go together.
                    (Origin::Column(c), _) => unsafe { self.columns[*c].kind.write(values[*c], &mut json) },
                    (Origin::Lookup(l), Some((enrichment, rows))) => {
                        let (value, type_oid) = rows.get(0, l + 1);
                        let kind = *enrichment.kinds[*l].get_or_init(|| Kind::of(type_oid));
                        incomplete |= value.is_none() && values[enrichment.roots[*l]].is_some();
                        // SAFETY: the kind is that of the result's type.
                        unsafe { kind.write(value, &mut json) }
                    }
                    (Origin::Lookup(_), None) => json.extend_from_slice(b"null"),
                }
            }
            json.push(b'}');
        };
        match &self.enrichment {
            None => write(None),
            Some(enrichment) => {
                let parameters: Vec<_> = enrichment.parameters.iter().map(|c| values[*c]).collect();
                let _owner = ActingAs::role(self.owner);
                with_spi(|| write(Some((enrichment, &enrichment.plan.execute(&parameters)))));
            }
        }
        Data {
            // The database is in UTF-8, as CREATE EXTENSION makes sure, so nothing is replaced.
            json: String::from_utf8(json)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            incomplete,
        }
    }

    /// The column's value as JSON text.
    pub fn json(&self, column: usize, values: &[Option<pg_sys::Datum>]) -> Vec<u8> {
        let mut json = Vec::new();
        // SAFETY: values and columns go together.
        unsafe { self.columns[column].kind.write(values[column], &mut json) };
        json
    }

    /// The column's value as plain text; None: null.
    pub fn text(&self, column: usize, values: &[Option<pg_sys::Datum>]) -> Option<String> {
        match serde_json::from_slice(&self.json(column, values)).unwrap_or_default() {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    pub fn column_name(&self, column: usize) -> &str {
        &self.columns[column].name
    }

    pub fn column_type(&self, column: usize) -> pg_sys::Oid {
        self.columns[column].type_oid
    }

    /// The column's value from its text form; an error for what is no such value.
    pub fn parse(&self, column: usize, text: &CStr) -> pg_sys::Datum {
        let column = &self.columns[column];
        let (mut input, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
        // SAFETY: the type's own input function, with the parameter that the catalogue gives for it.
        unsafe {
            pg_sys::getTypeInputInfo(column.type_oid, &mut input, &mut parameter);
            pg_sys::OidInputFunctionCall(input, text.as_ptr().cast_mut(), parameter, -1)
        }
    }

    /// Runs `f` with the rights of the table's owner.
    pub fn as_owner<T>(&self, f: impl FnOnce() -> T) -> T {
        let _owner = ActingAs::role(self.owner);
        f()
    }

    /// The values in their types' text form, which outlives the statement.
    pub fn store(&self, values: &[Option<pg_sys::Datum>]) -> Vec<Option<CString>> {
        let store = |(value, column): (&Option<pg_sys::Datum>, &Column)| {
            let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
            value.map(|value| {
                // SAFETY: the value is of the column's type, and the output function is that type's.
                unsafe {
                    pg_sys::getTypeOutputInfo(column.type_oid, &mut output, &mut is_varlena);
                    CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, value)).to_owned()
                }
            })
        };
        values.iter().zip(&self.columns).map(store).collect()
    }

    /// The values from what [`store`](Self::store) made of them.
    pub fn restore(&self, stored: &[Option<CString>]) -> Vec<Option<pg_sys::Datum>> {
        stored
            .iter()
            .enumerate()
            .map(|(column, text)| Some(self.parse(column, text.as_deref()?)))
            .collect()
    }

    /// Of these projects, those that the person belongs to.
    pub fn projects_of_person(
        &self,
        plan: &Plan,
        person: Option<pg_sys::Datum>,
        candidates: Vec<i64>,
    ) -> Vec<i64> {
        if person.is_none() || candidates.is_empty() {
            return Vec::new();
        }
        let _owner = ActingAs::role(self.owner);
        with_spi(|| {
            let rows = plan.execute(&[person, candidates.into_datum()]);
            // SAFETY: the plan's only column is a bigint.
            (0..rows.len())
                .filter_map(|row| unsafe { i64::from_datum(rows.get(row, 1).0?, false) })
                .collect()
        })
    }
}

impl Source {
    /// Runs its statements with nulls: what will not work (a privilege, a type) fails here, where it is caught.
    pub(super) fn rehearse(&self) {
        let nulls = vec![None; self.columns.len()];
        self.data(&nulls);
        if let Audience::Person { plan, .. } = &self.audience {
            with_spi(|| plan.execute(&[None, Vec::<i64>::new().into_datum()]));
        }
    }
}
