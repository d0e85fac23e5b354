//! A table that fires an event, with everything that a write needs, prepared.

use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use pgrx::{IntoDatum, PgRelation};
use serde_json::Value;

use super::enrichment::Enrichment;
use super::payload::Payload;
use super::prepare::Builder;
use super::value::{Kind, Scalar};
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
    Constant(Value),
}

pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
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
    /// The status of a task that counts.
    pub done: String,
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
    /// Keys of the data that are left out.
    pub omit: Vec<String>,
    pub(super) becomes: Option<Becomes>,
}

/// What a column has to be in the new row; the trigger's WHEN has asked whether it changed.
pub(super) struct Becomes {
    /// Index in `columns`.
    pub(super) column: usize,
    pub(super) value: String,
}

/// A row of `event_source`, as it stands there.
pub(super) struct SourceRow {
    pub(super) id: i64,
    pub(super) columns: String,
    pub(super) audience: String,
    pub(super) progress: Option<String>,
    pub(super) omit: Vec<String>,
    pub(super) transition: Option<String>,
}

/// The event's data.
pub struct Data {
    /// A jsonb.
    pub payload: pg_sys::Datum,
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

    /// By way of JSON, because the library may be newer than the SQL: 0.1.0 has neither `omit` nor transitions, for which its
    /// triggers ask themselves.
    fn row(event_type: &str, relation: pg_sys::Oid) -> Option<SourceRow> {
        const SQL: &str = "SELECT s.id, s.columns::pg_catalog.text, s.audience::pg_catalog.text, s.progress::pg_catalog.text, \
                                  (pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->) 'omit')::pg_catalog.text, \
                                  pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->>) 'transition' \
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
                let text = |column| rows.get(0, column).0.and_then(|d| String::from_datum(d, false));
                Some(SourceRow {
                    id: i64::from_datum(rows.get(0, 1).0?, false)?,
                    columns: text(2)?,
                    audience: text(3)?,
                    progress: text(4),
                    omit: serde_json::from_str(&text(5).unwrap_or_default()).unwrap_or_default(),
                    transition: text(6),
                })
            }
        })
    }

    /// Whether the row is what fires the event.
    pub fn fires(&self, values: &[Option<pg_sys::Datum>]) -> bool {
        let is = |becomes: &Becomes| {
            self.scalar(becomes.column, values).into_text().as_deref() == Some(&*becomes.value)
        };
        self.becomes.as_ref().is_none_or(is)
    }

    /// Makes the event's data of the row's values, which are in the order of `columns`, and of `more`. It is in the current
    /// memory context.
    pub fn data(&self, values: &[Option<pg_sys::Datum>], more: &[(&str, Value)]) -> Data {
        let found = self
            .enrichment
            .as_ref()
            .map(|enrichment| self.as_owner(|| enrichment.find(values)));
        let mut payload = Payload::new();
        for entry in &self.entries {
            let value = match (&entry.origin, &found) {
                (Origin::Constant(value), _) => Scalar::from(value),
                (Origin::Column(column), _) => self.scalar(*column, values),
                (Origin::Lookup(lookup), Some(found)) => found.scalar(*lookup),
                (Origin::Lookup(_), None) => Scalar::Null,
            };
            payload.set(&entry.key, value);
        }
        for (key, value) in more {
            payload.set(key, value.into());
        }
        Data {
            payload: payload.finish(),
            incomplete: found.is_some_and(|found| found.incomplete),
        }
    }

    /// The column's value.
    pub fn scalar<'a>(&self, column: usize, values: &'a [Option<pg_sys::Datum>]) -> Scalar<'a> {
        // SAFETY: values and columns go together.
        unsafe { self.columns[column].kind.read(values[column]) }
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
    /// Runs the statement that finds a person's projects with nulls: what will not work (a privilege, a type) fails here, where
    /// it is caught.
    pub(super) fn rehearse(&self) {
        if let Audience::Person { plan, .. } = &self.audience {
            with_spi(|| plan.execute(&[None, Vec::<i64>::new().into_datum()]));
        }
    }
}
