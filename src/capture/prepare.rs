//! Preparing a source: names become columns, look-ups become a statement, and all of it is tried once.

use std::collections::BTreeMap;

use pgrx::IntoDatum;
use pgrx::PgRelation;
use pgrx::prelude::*;

use super::computed::{Computed, Parameter};
use super::enrichment::Enrichment;
use super::foreign_code;
use super::lookup::DirectLookups;
use super::source::{Audience, Becomes, Column, Entry, Origin, Progress, Source, SourceRow};
use super::value::Kind;
use super::watch::{CONFIGURATION, Watch};
use crate::acting_as::ActingAs;
use crate::event_source::{self, Expression, Lookup};
use crate::plan::{Plan, with_spi};

pub struct Builder<'a> {
    relation: &'a PgRelation,
    owner: pg_sys::Oid,
    columns: Vec<Column>,
    parameters: Vec<usize>,
    lookups: Vec<Lookup>,
    expressions: Vec<String>,
    /// Columns that expressions name.
    named: Vec<usize>,
    /// As of which it is prepared.
    changes: u64,
}

impl<'a> Builder<'a> {
    pub fn new(relation: &'a PgRelation) -> Self {
        Builder {
            relation,
            // SAFETY: an open relation has its catalogue row.
            owner: unsafe { (*(*relation.as_ptr()).rd_rel).relowner },
            columns: Vec::new(),
            parameters: Vec::new(),
            lookups: Vec::new(),
            expressions: Vec::new(),
            named: Vec::new(),
            changes: CONFIGURATION.with(Watch::changes),
        }
    }

    pub fn build(mut self, event_type: &str, row: SourceRow) -> Source {
        let owner = self.owner;
        let mapping: BTreeMap<String, Expression> = parse(&row.columns, "columns");
        let mut entries: Vec<Entry> = mapping
            .iter()
            .filter(|(key, _)| !row.omit.contains(key))
            .map(|(key, expression)| self.entry(key, expression))
            .collect();
        // As a jsonb has them: sorting what is sorted costs little.
        entries.sort_by(|a, b| (a.key.len(), &a.key).cmp(&(b.key.len(), &b.key)));
        let progress = row.progress.map(|text| {
            let progress: event_source::Progress = parse(&text, "progress");
            Progress {
                group: self.column(&progress.group),
                status: self.column(&progress.status),
                done: progress.done,
                has_own_updates: row.has_update_trigger,
            }
        });
        let becomes = row.transition.map(|text| {
            let transition: event_source::Transition = parse(&text, "transition");
            Becomes {
                column: self.column(&transition.column),
                value: transition.to,
            }
        });
        let _owner = ActingAs::role(owner);
        let audience = self.audience(parse(&row.audience, "audience"), &mapping);
        let enrichment = self.enrichment();
        let computed = self.computed();
        let source = Source {
            id: row.id,
            event_type: event_type.to_owned(),
            owner,
            columns: self.columns,
            entries,
            enrichment,
            computed,
            audience,
            progress,
            omit: row.omit,
            becomes,
        };
        source.rehearse();
        source
    }

    fn entry(&mut self, key: &str, expression: &Expression) -> Entry {
        let origin = match expression {
            Expression::Column(name) => Origin::Column(self.column(name)),
            Expression::Lookup(lookup) => Origin::Lookup(self.lookup(lookup)),
            Expression::Constant { value } => Origin::Constant(value.clone()),
            Expression::Old { old } => Origin::Column(self.column_of(old, true)),
            Expression::Sql { expression, columns } => Origin::Computed(self.expression(expression, columns)),
        };
        Entry {
            key: key.to_owned(),
            origin,
        }
    }

    /// Index of the column in `columns`; an unknown name is an error.
    fn column(&mut self, name: &str) -> usize {
        self.column_of(name, false)
    }

    fn column_of(&mut self, name: &str, old: bool) -> usize {
        if let Some(known) = self.columns.iter().position(|c| c.name == name && c.old == old) {
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
            old,
            attribute: i32::from(attribute.attnum),
            kind: Kind::of(attribute.atttypid),
            type_oid: attribute.atttypid,
        });
        self.columns.len() - 1
    }

    /// Index in the enrichment's result.
    fn lookup(&mut self, lookup: &Lookup) -> usize {
        let column = self.column(lookup.root());
        if !self.parameters.contains(&column) {
            self.parameters.push(column);
        }
        self.lookups.push(lookup.clone());
        self.lookups.len() - 1
    }

    /// Index in what the expressions give.
    fn expression(&mut self, expression: &str, columns: &[String]) -> usize {
        for name in columns {
            let column = self.column(name);
            if !self.named.contains(&column) {
                self.named.push(column);
            }
        }
        self.expressions.push(expression.to_owned());
        self.expressions.len() - 1
    }

    fn computed(&self) -> Option<Computed> {
        let parameter = |index: &usize| {
            let column = &self.columns[*index];
            Parameter {
                index: *index,
                name: &column.name,
                type_oid: column.type_oid,
            }
        };
        let parameters: Vec<_> = self.named.iter().map(parameter).collect();
        (!self.expressions.is_empty()).then(|| Computed::prepare(&self.expressions, &parameters))
    }

    fn enrichment(&self) -> Option<Enrichment> {
        if self.lookups.is_empty() {
            return None;
        }
        let known = |name: &str| {
            self.columns
                .iter()
                .position(|c| c.name == name && !c.old)
                .unwrap_or_default()
        };
        let roots: Vec<usize> = self.lookups.iter().map(|lookup| known(lookup.root())).collect();
        let list: Vec<String> = self
            .lookups
            .iter()
            .zip(&roots)
            .map(|(lookup, root)| {
                let parameter = self.parameters.iter().position(|c| c == root).unwrap_or_default();
                lookup.sql(parameter + 1, &|name| self.resolve(name).1)
            })
            .collect();
        let types: Vec<pg_sys::Oid> = self
            .parameters
            .iter()
            .map(|c| self.columns[*c].type_oid)
            .collect();
        let column = |name: &str| (known(name), self.columns[known(name)].type_oid);
        let direct =
            DirectLookups::prepare(&self.lookups, &|name| self.resolve(name).0, &column, self.changes);
        let sql = format!("SELECT {}", list.join(", "));
        Some(Enrichment::prepare(
            &sql,
            self.parameters.clone(),
            &types,
            roots,
            direct,
        ))
    }

    fn audience(
        &mut self,
        audience: event_source::Audience,
        mapping: &BTreeMap<String, Expression>,
    ) -> Audience {
        match audience {
            event_source::Audience::All { all: true } => Audience::All,
            event_source::Audience::All { all: false } => {
                pgrx::error!("an audience of nobody: leave the source detached")
            }
            event_source::Audience::Project { project } => match mapping.get(&project) {
                Some(Expression::Lookup(lookup)) => {
                    let column = self.column(lookup.root());
                    let sql = format!(
                        "SELECT {}::pg_catalog.text",
                        lookup.sql(1, &|name| self.resolve(name).1)
                    );
                    let types = [self.columns[column].type_oid];
                    Audience::ProjectFound {
                        column,
                        plan: with_spi(|| Plan::prepare(&sql, &types)),
                    }
                }
                _ => Audience::Project(self.key_column(&project, mapping)),
            },
            event_source::Audience::Person { person, projects } => {
                let column = self.key_column(&person, mapping);
                let known: Vec<_> = projects.into_iter().filter(|m| self.exists(&m.from)).collect();
                if known.is_empty() {
                    return Audience::All;
                }
                let sql = event_source::memberships_sql(&known, &|name| self.resolve(name).1);
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

    /// The table's OID and its name, qualified and quoted. From now on it is noticed when the table changes.
    fn resolve(&self, name: &str) -> (pg_sys::Oid, String) {
        let Some((oid, qualified)) = find_relation(name) else {
            pgrx::ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                format!("relation \"{name}\" does not exist")
            );
        };
        foreign_code::refuse(oid, self.owner);
        CONFIGURATION.with(|watch| watch.add(oid));
        (oid, qualified)
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
