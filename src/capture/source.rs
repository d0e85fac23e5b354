//! A table that fires an event, with everything that a write needs, prepared.

use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use pgrx::{IntoDatum, PgRelation};
use serde_json::Value;

use super::computed::Computed;
use super::enrichment::Enrichment;
use super::payload::Payload;
use super::prepare::Builder;
use super::row::Rows;
use super::value::{Kind, Scalar};
use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};

/// A column of the table that the event needs.
#[derive(Debug)]
pub struct Column {
    pub(super) name: String,
    /// As it was before the write.
    pub old: bool,
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
    /// Index in what the expressions give.
    Computed(usize),
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
    /// Those of the project that the plan finds by this column.
    ProjectFound {
        column: usize,
        plan: Plan,
    },
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
    /// A task that changes its project fires a trigger of milestones' own: as before 0.2.0, until the table is attached anew.
    pub has_own_updates: bool,
}

pub struct Source {
    pub id: i64,
    pub event_type: String,
    /// The table's owner: whose rights lookups have.
    pub(super) owner: pg_sys::Oid,
    pub columns: Vec<Column>,
    pub(super) entries: Vec<Entry>,
    pub(super) enrichment: Option<Enrichment>,
    pub(super) computed: Option<Computed>,
    pub audience: Audience,
    pub progress: Option<Progress>,
    /// Keys of the data that are left out.
    pub omit: Vec<String>,
    pub(super) becomes: Option<Becomes>,
}

/// What a column has to be in the new row and was not in the old one.
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
    pub(super) has_update_trigger: bool,
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
        // A partition, or a table that inherits, is written in the name of those above it.
        const SQL: &str = "WITH RECURSIVE up (relation, distance) AS (\
                             SELECT $2, 0 \
                             UNION ALL \
                             SELECT i.inhparent, u.distance OPERATOR(pg_catalog.+) 1 \
                             FROM up u JOIN pg_catalog.pg_inherits i ON i.inhrelid OPERATOR(pg_catalog.=) u.relation) \
                           SELECT s.id, s.columns::pg_catalog.text, s.audience::pg_catalog.text, s.progress::pg_catalog.text, \
                                  (pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->) 'omit')::pg_catalog.text, \
                                  pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->>) 'transition', \
                                  EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid OPERATOR(pg_catalog.=) $2 \
                                    AND t.tgname OPERATOR(pg_catalog.=) pg_catalog.format('zentry_notify_%s_update', s.event_type)) \
                           FROM up u JOIN zentry_notify.event_source s ON s.relation::pg_catalog.oid OPERATOR(pg_catalog.=) u.relation \
                           WHERE s.event_type OPERATOR(pg_catalog.=) $1 AND s.suspended_at IS NULL \
                           ORDER BY u.distance LIMIT 1";
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
                    has_update_trigger: bool::from_datum(rows.get(0, 7).0?, false)?,
                })
            }
        })
    }

    /// Whether the write is what fires the event.
    pub fn fires(&self, rows: &Rows) -> bool {
        let Some(becomes) = &self.becomes else { return true };
        let is = |tuple| {
            self.scalar_of(becomes.column, rows, tuple).into_text().as_deref() == Some(&*becomes.value)
        };
        rows.new.is_some_and(is) && !rows.old.is_some_and(is)
    }

    /// Makes the event's data of the row's values, which are in the order of `columns`, and of `more`. It is in the current
    /// memory context.
    pub fn data(&self, values: &[Option<pg_sys::Datum>], more: &[(&str, Value)]) -> Data {
        let found = self
            .enrichment
            .as_ref()
            .map(|enrichment| self.as_owner(|| enrichment.find(values)));
        let computed = self
            .computed
            .as_ref()
            .map(|computed| self.as_owner(|| computed.values(&self.event_type, values)));
        let mut payload = Payload::new();
        for entry in &self.entries {
            let value = match &entry.origin {
                Origin::Constant(value) => Scalar::from(value),
                Origin::Column(column) => self.scalar(*column, values),
                Origin::Lookup(lookup) => found.as_ref().map_or(Scalar::Null, |found| found.scalar(*lookup)),
                Origin::Computed(place) => computed
                    .as_ref()
                    .map_or(Scalar::Null, |computed| computed.scalar(*place)),
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

    /// The column's value in one of the write's rows.
    pub fn scalar_of(&self, column: usize, rows: &Rows, tuple: pg_sys::HeapTuple) -> Scalar<'_> {
        let column = &self.columns[column];
        // SAFETY: the column is of the rows' table; the row lives as long as the trigger's call.
        unsafe { column.kind.read(rows.value(tuple, column.attribute)) }
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

    /// The project that the plan finds; None: none, or one whose id is no number.
    pub fn found_project(&self, plan: &Plan, key: Option<pg_sys::Datum>) -> Option<i64> {
        self.as_owner(|| {
            with_spi(|| {
                let rows = plan.execute(&[key]);
                // SAFETY: the plan's only column is a text.
                unsafe { String::from_datum(rows.get(0, 1).0?, false)?.parse().ok() }
            })
        })
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
    /// Runs the statement that finds the projects with nulls: what will not work (a privilege, a type) fails here, where
    /// it is caught.
    pub(super) fn rehearse(&self) {
        match &self.audience {
            Audience::Person { plan, .. } => {
                with_spi(|| plan.execute(&[None, Vec::<i64>::new().into_datum()]));
            }
            Audience::ProjectFound { plan, .. } => {
                with_spi(|| plan.execute(&[None]));
            }
            Audience::All | Audience::Project(_) => {}
        }
    }
}
