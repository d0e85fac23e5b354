//! A table that fires an event, with everything that a write needs, prepared.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use pgrx::{IntoDatum, PgRelation};
use serde_json::Value;

use super::mapping::{self, Expression, Lookup};
use super::value::Kind;
use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};

/// A column of the table that the event needs.
#[derive(Debug)]
pub struct Column {
    name: String,
    pub attribute: i32,
    pub kind: Kind,
    type_oid: pg_sys::Oid,
}

/// Where one key of the data comes from.
enum Origin {
    /// Index in `columns`.
    Column(usize),
    /// Index in the enrichment's result.
    Lookup(usize),
    /// JSON text.
    Constant(String),
}

struct Entry {
    /// `"key":`
    label: Vec<u8>,
    origin: Origin,
}

/// The statement that looks up what the row itself does not have.
struct Enrichment {
    plan: Plan,
    /// Index in `columns` of each parameter.
    parameters: Vec<usize>,
    /// For each result, its parameter.
    roots: Vec<usize>,
    kinds: Vec<OnceCell<Kind>>,
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
    owner: pg_sys::Oid,
    pub columns: Vec<Column>,
    entries: Vec<Entry>,
    enrichment: Option<Enrichment>,
    pub audience: Audience,
    pub progress: Option<Progress>,
    /// The tables that it reads.
    pub relations: Vec<pg_sys::Oid>,
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
        let (id, columns, audience, progress) = Self::row(event_type, relation.oid())?;
        let builder = Builder::new(relation);
        Some(builder.build(id, event_type, &columns, &audience, progress.as_deref()))
    }

    /// id, columns, audience, progress
    fn row(event_type: &str, relation: pg_sys::Oid) -> Option<(i64, String, String, Option<String>)> {
        const SQL: &str = "SELECT s.id, s.columns::pg_catalog.text, s.audience::pg_catalog.text, s.progress::pg_catalog.text \
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
                Some((
                    i64::from_datum(rows.get(0, 1).0?, false)?,
                    String::from_datum(rows.get(0, 2).0?, false)?,
                    String::from_datum(rows.get(0, 3).0?, false)?,
                    rows.get(0, 4).0.and_then(|d| String::from_datum(d, false)),
                ))
            }
        })
    }

    /// Makes the event's data of the row's values, which are in the order of `columns`.
    pub fn data(&self, values: &[Option<pg_sys::Datum>]) -> Data {
        let mut json = Vec::with_capacity(512);
        let mut incomplete = false;
        let mut write = |found: Option<(&Enrichment, &crate::plan::Rows)>| {
            for (i, entry) in self.entries.iter().enumerate() {
                json.push(if i == 0 { b'{' } else { b',' });
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

struct Builder<'a> {
    relation: &'a PgRelation,
    columns: Vec<Column>,
    parameters: Vec<usize>,
    lookups: Vec<(String, usize)>,
    relations: std::cell::RefCell<Vec<pg_sys::Oid>>,
}

impl<'a> Builder<'a> {
    fn new(relation: &'a PgRelation) -> Self {
        Builder {
            relation,
            columns: Vec::new(),
            parameters: Vec::new(),
            lookups: Vec::new(),
            relations: std::cell::RefCell::new(vec![relation.oid()]),
        }
    }

    fn build(
        mut self,
        id: i64,
        event_type: &str,
        columns: &str,
        audience: &str,
        progress: Option<&str>,
    ) -> Source {
        // SAFETY: an open relation has its catalogue row.
        let owner = unsafe { (*(*self.relation.as_ptr()).rd_rel).relowner };
        let mapping: BTreeMap<String, Expression> = parse(columns, "columns");
        let entries: Vec<Entry> = mapping
            .iter()
            .map(|(key, expression)| self.entry(key, expression))
            .collect();
        let progress = progress.map(|text| {
            let progress: mapping::Progress = parse(text, "progress");
            Progress {
                group: self.column(&progress.group),
                status: self.column(&progress.status),
                done: Value::String(progress.done.clone()).to_string().into_bytes(),
                done_text: progress.done,
            }
        });
        let _owner = ActingAs::role(owner);
        let audience = self.audience(parse(audience, "audience"), &mapping);
        let enrichment = self.enrichment();
        let source = Source {
            id,
            event_type: event_type.to_owned(),
            owner,
            columns: self.columns,
            entries,
            enrichment,
            audience,
            progress,
            relations: self.relations.into_inner(),
        };
        source.rehearse();
        source
    }

    fn entry(&mut self, key: &str, expression: &Expression) -> Entry {
        let origin = match expression {
            Expression::Column(name) => Origin::Column(self.column(name)),
            Expression::Lookup(lookup) => Origin::Lookup(self.lookup(lookup)),
            Expression::Constant { value } => Origin::Constant(value.to_string()),
        };
        let mut label = Value::String(key.to_owned()).to_string().into_bytes();
        label.push(b':');
        Entry { label, origin }
    }

    /// Index of the column in `columns`; an unknown name is an error.
    fn column(&mut self, name: &str) -> usize {
        if let Some(known) = self.columns.iter().position(|c| c.name == name) {
            return known;
        }
        let descriptor = self.relation.tuple_desc();
        let Some(attribute) = descriptor.iter().find(|a| !a.attisdropped && a.name() == name) else {
            pgrx::ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                format!(
                    "column \"{name}\" of table \"{}\" does not exist",
                    self.relation.name()
                )
            );
        };
        self.columns.push(Column {
            name: name.to_owned(),
            attribute: i32::from(attribute.attnum),
            kind: Kind::of(attribute.atttypid),
            type_oid: attribute.atttypid,
        });
        self.columns.len() - 1
    }

    /// Index in the enrichment's result.
    fn lookup(&mut self, lookup: &Lookup) -> usize {
        let column = self.column(lookup.root());
        let parameter = self
            .parameters
            .iter()
            .position(|c| *c == column)
            .unwrap_or_else(|| {
                self.parameters.push(column);
                self.parameters.len() - 1
            });
        let sql = lookup.sql(parameter + 1, &|name| self.resolve(name));
        self.lookups.push((sql, column));
        self.lookups.len() - 1
    }

    fn enrichment(&self) -> Option<Enrichment> {
        if self.lookups.is_empty() {
            return None;
        }
        let list: Vec<&str> = self.lookups.iter().map(|(sql, _)| sql.as_str()).collect();
        let types: Vec<pg_sys::Oid> = self
            .parameters
            .iter()
            .map(|c| self.columns[*c].type_oid)
            .collect();
        Some(Enrichment {
            plan: with_spi(|| Plan::prepare(&format!("SELECT {}", list.join(", ")), &types)),
            parameters: self.parameters.clone(),
            roots: self.lookups.iter().map(|(_, root)| *root).collect(),
            kinds: self.lookups.iter().map(|_| OnceCell::new()).collect(),
        })
    }

    fn audience(&mut self, audience: mapping::Audience, mapping: &BTreeMap<String, Expression>) -> Audience {
        match audience {
            mapping::Audience::All { all: true } => Audience::All,
            mapping::Audience::All { all: false } => {
                pgrx::error!("an audience of nobody: leave the source detached")
            }
            mapping::Audience::Project { project } => Audience::Project(self.key_column(&project, mapping)),
            mapping::Audience::Person { person, projects } => {
                let column = self.key_column(&person, mapping);
                let known: Vec<_> = projects.into_iter().filter(|m| self.exists(&m.from)).collect();
                if known.is_empty() {
                    return Audience::All;
                }
                let sql = mapping::memberships_sql(&known, &|name| self.resolve(name));
                let types = [self.columns[column].type_oid, pg_sys::INT8ARRAYOID];
                Audience::Person {
                    column,
                    plan: with_spi(|| Plan::prepare(&sql, &types)),
                }
            }
        }
    }

    /// The column behind a key of the data.
    fn key_column(&mut self, key: &str, mapping: &BTreeMap<String, Expression>) -> usize {
        match mapping.get(key) {
            Some(Expression::Column(name)) => self.column(name),
            _ => pgrx::error!("the audience goes by \"{key}\", which is no column of the mapping"),
        }
    }

    fn exists(&self, name: &str) -> bool {
        find_relation(name).is_some()
    }

    fn resolve(&self, name: &str) -> String {
        let Some((oid, qualified)) = find_relation(name) else {
            pgrx::ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                format!("relation \"{name}\" does not exist")
            );
        };
        self.relations.borrow_mut().push(oid);
        qualified
    }
}

impl Source {
    /// Runs its statements with nulls: what will not work (a privilege, a type) fails here, where it is caught.
    fn rehearse(&self) {
        let nulls = vec![None; self.columns.len()];
        self.data(&nulls);
        if let Audience::Person { plan, .. } = &self.audience {
            with_spi(|| plan.execute(&[None, Vec::<i64>::new().into_datum()]));
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, column: &str) -> T {
    match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => pgrx::error!("event_source.{column} cannot be understood: {error}"),
    }
}

/// The table's OID and its name, qualified and quoted.
fn find_relation(name: &str) -> Option<(pg_sys::Oid, String)> {
    const SQL: &str = "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) \
                       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
                       WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)";
    with_spi(|| {
        let rows = Plan::prepare(SQL, &[pg_sys::TEXTOID]).execute(&[name.into_datum()]);
        if rows.len() == 0 {
            return None;
        }
        // SAFETY: the types are those of the statement's columns.
        unsafe {
            Some((
                pg_sys::Oid::from_datum(rows.get(0, 1).0?, false)?,
                String::from_datum(rows.get(0, 2).0?, false)?,
            ))
        }
    })
}
