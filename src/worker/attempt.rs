//! Look-ups of a batch of a source's events, as far as they work.

use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::json_members::members;

use super::attached::Attached;
use super::enrich::{Enriched, LIMIT, Prepared, known_nothing};
use super::events::Columns;
use super::limited::{self, Failure};
use super::lookups::Statement;
use super::source::Source;
use crate::event_source::{Audience, ColumnRef};
use crate::plan::{Plan, with_spi};

/// Events in one statement: what they find is in memory together.
const PAGE: usize = 256;
/// For an event by itself, after its page has taken too long.
const LIMIT_ALONE: Duration = Duration::from_secs(1);
/// For all statements of a source in one batch.
const BUDGET: Duration = Duration::from_secs(4);
/// Events of a batch whose failures are looked into one by one.
const CULPRITS: usize = 16;

/// The statement that finds out what events lack.
pub struct Query {
    plan: Plan,
    /// With whether it is of type json.
    columns: Vec<(ColumnRef, bool)>,
}

impl Query {
    /// With the rights of the owner, which are the caller's to set.
    pub fn prepare(statement: Statement, attached: &Attached) -> Query {
        let (columns, sql) = statement.finish();
        let types: Vec<pg_sys::Oid> = [pg_sys::INT4ARRAYOID]
            .into_iter()
            .chain(columns.iter().map(|_| pg_sys::TEXTARRAYOID))
            .collect();
        Query {
            plan: with_spi(|spi| Plan::prepare(spi, &sql, &types)),
            columns: columns
                .into_iter()
                .map(|column| {
                    let is_json = attached.type_oid(&column.name) == pg_sys::JSONOID;
                    (column, is_json)
                })
                .collect(),
        }
    }

    pub fn run(&self, events: &[Row]) -> Vec<(usize, Enriched)> {
        let numbers: Vec<i32> = (0..events.len()).map(|n| n as i32).collect();
        let mut arguments = vec![numbers.into()];
        for (column, is_json) in &self.columns {
            let fits = |text: &String| !is_json || fits_jsonb(text);
            let values: Vec<Option<String>> = events
                .iter()
                .map(|row| row.columns.text(column).filter(fits))
                .collect();
            arguments.push(values.into());
        }
        with_spi(|spi| {
            let rows = self.plan.execute(spi, &arguments);
            let found = |row| {
                let number = rows.get::<i32>(row, 1)?;
                let project = rows.get::<String>(row, 3);
                let enriched = Enriched {
                    detail: rows.get::<String>(row, 2).filter(|detail| detail != "{}"),
                    project: project.and_then(|text| text.parse().ok()),
                };
                Some((events.get(usize::try_from(number).ok()?)?.place, enriched))
            };
            (0..rows.len()).filter_map(found).collect()
        })
    }
}

/// A json may have what a jsonb can't: half a character, a zero, a number beyond all bounds.
fn fits_jsonb(json: &str) -> bool {
    use serde_json::Value;
    fn fits(value: &Value) -> bool {
        match value {
            Value::Number(number) => is_numeric(&number.to_string()),
            Value::Array(items) => items.iter().all(fits),
            Value::Object(members) => members.values().all(fits),
            Value::Null | Value::Bool(_) | Value::String(_) => true,
        }
    }
    !json.contains("\\u0000") && serde_json::from_str(json).is_ok_and(|value| fits(&value))
}

/// Well within the bounds of PostgreSQL's numeric: 131,072 digits before the point, 16,383 after it.
fn is_numeric(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: Result<i32, _> = exponent.parse();
    digits.len() < 8_000 && exponent.is_ok_and(|exponent| (-8_000..100_000).contains(&exponent))
}

/// An event of the batch.
pub struct Row<'a> {
    /// In the batch.
    pub place: usize,
    pub id: i64,
    pub columns: Columns<'a>,
}

/// A source's part of a batch.
pub struct Attempt<'a> {
    event_type: &'a str,
    source: &'a Source,
    prepared: &'a Prepared,
    ends: Instant,
    culprits: usize,
    pub found: Vec<(usize, Enriched)>,
    /// Why nothing more is looked up for it.
    pub suspended: Option<String>,
}

impl<'a> Attempt<'a> {
    pub fn new(event_type: &'a str, source: &'a Source, prepared: &'a Prepared) -> Self {
        Attempt {
            event_type,
            source,
            prepared,
            ends: Instant::now() + BUDGET,
            culprits: 0,
            found: Vec::new(),
            suspended: None,
        }
    }

    pub fn pages(&mut self, rows: &[Row]) {
        for page in rows.chunks(PAGE) {
            self.part(page, LIMIT);
        }
    }

    fn part(&mut self, rows: &[Row], limit: Duration) {
        let Some(query) = &self.prepared.statement else {
            return;
        };
        if self.suspended.is_some() || rows.is_empty() {
            return self.give_up(rows);
        }
        if self.ends <= Instant::now() {
            self.suspended = Some("its look-ups take too long".to_owned());
            return self.give_up(rows);
        }
        let found = limited::as_owner(self.prepared.attached.owner, limit, || query.run(rows));
        match found {
            Ok(found) => self.found.extend(found),
            Err(Failure::Lasting(reason)) => {
                self.suspended = Some(reason);
                self.give_up(rows);
            }
            Err(failure @ Failure::Passing(_)) => {
                self.say(rows, &failure);
                self.give_up(rows);
            }
            Err(Failure::Late) if rows.len() == 1 => {
                self.suspended = Some("its look-ups take too long".to_owned());
                self.give_up(rows);
            }
            Err(Failure::Late) => {
                // Is it one event's fault, or everyone's?
                let (first, others) = rows.split_at(1);
                self.part(first, LIMIT_ALONE);
                let (a, b) = others.split_at(others.len() / 2);
                self.part(a, limit);
                self.part(b, limit);
            }
            Err(failure @ Failure::Data(_)) if rows.len() == 1 => self.piecemeal(&rows[0], &failure),
            Err(failure @ Failure::Data(_)) if self.culprits >= CULPRITS => {
                self.say(rows, &failure);
                self.give_up(rows);
            }
            Err(Failure::Data(_)) => {
                let (a, b) = rows.split_at(rows.len() / 2);
                self.part(a, limit);
                self.part(b, limit);
            }
        }
    }

    /// Each key by itself: what fails is null, and a value that can't be converted stays the string that it is.
    fn piecemeal(&mut self, row: &Row, failure: &Failure) {
        self.culprits += 1;
        self.say(std::slice::from_ref(row), failure);
        let mut detail = serde_json::Map::new();
        if let Some(nulls) = &self.prepared.nulls {
            detail = serde_json::from_str(nulls).unwrap_or_default();
        }
        let mut project = None;
        let keys: Vec<&String> = self.source.definition.columns.keys().collect();
        for key in keys {
            if self.ends <= Instant::now() {
                break;
            }
            let statement = Statement::new(&self.source.definition, &self.prepared.attached, Some(key));
            if statement.is_empty() {
                continue;
            }
            let found = limited::as_owner(self.prepared.attached.owner, LIMIT_ALONE, || {
                Query::prepare(statement, &self.prepared.attached).run(std::slice::from_ref(row))
            });
            let found = found.ok().and_then(|mut found| found.pop());
            let found = found.and_then(|(_, enriched)| enriched.detail);
            let found = found.unwrap_or_default();
            for (key, value) in members(&found) {
                if let Ok(value) = serde_json::from_str(value) {
                    detail.insert(key, value);
                }
            }
        }
        if let Audience::Project { project: key } = &self.source.definition.audience {
            project = detail.get(key).and_then(serde_json::Value::as_i64);
        }
        let detail = (!detail.is_empty()).then(|| serde_json::Value::Object(detail).to_string());
        self.found.push((row.place, Enriched { detail, project }));
    }

    fn give_up(&mut self, rows: &[Row]) {
        let nulls = || known_nothing(self.prepared.nulls.clone());
        let told: Vec<_> = rows.iter().map(|row| (row.place, nulls())).collect();
        self.found.extend(told);
    }

    fn say(&self, rows: &[Row], failure: &Failure) {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return;
        };
        if first.id == last.id {
            pgrx::warning!(
                "zentry_notify: event {} ({}) is told without what can't be found out about it: {}",
                first.id,
                self.event_type,
                failure.reason()
            );
        } else {
            pgrx::warning!(
                "zentry_notify: events {} to {} ({}) are told without what can't be found out about them: {}",
                first.id,
                last.id,
                self.event_type,
                failure.reason()
            );
        }
    }
}
