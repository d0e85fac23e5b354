//! Look-ups of a batch of a source's events, as far as they work.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::apart::{Credit, Fault, Trial, divide};
use webhook::json_members::members;

use super::attached::Attached;
use super::enrich::{Enriched, Prepared, known_nothing};
use super::events::Columns;
use super::limited::Failure;
use super::lookups::{Kind, Statement};
use super::source::Source;
use crate::event_source::{Audience, ColumnRef, Expression};
use crate::plan::{Argument, Plan, with_spi};

/// For an event by itself, after its page has taken too long.
const LIMIT_ALONE: Duration = Duration::from_millis(600);
/// So many that fail, and none that works, are worth a remark.
const ALL_OF_THEM: usize = 16;

/// A statement that finds out what events lack.
pub struct Query {
    plan: Plan,
    kind: Kind,
    /// With whether it is of type json.
    columns: Vec<(ColumnRef, bool)>,
}

impl Query {
    /// None: there is nothing to find out.
    pub fn prepare(
        statement: Statement,
        kind: Kind,
        attached: &Attached,
        limit: Duration,
    ) -> Result<Option<Query>, Failure> {
        if statement.is_empty() {
            return Ok(None);
        }
        let prepare = || Query::of(statement, kind, attached);
        kind.as_owner(attached.owner, limit, prepare).map(Some)
    }

    fn of(statement: Statement, kind: Kind, attached: &Attached) -> Query {
        let (columns, sql) = statement.finish();
        let types: Vec<pg_sys::Oid> = [pg_sys::INT4ARRAYOID]
            .into_iter()
            .chain(columns.iter().map(|_| pg_sys::TEXTARRAYOID))
            .collect();
        Query {
            plan: with_spi(|spi| Plan::prepare(spi, &sql, &types)),
            kind,
            columns: columns
                .into_iter()
                .map(|column| {
                    let is_json = attached.type_oid(&column.name) == pg_sys::JSONOID;
                    (column, is_json)
                })
                .collect(),
        }
    }

    fn as_owner<T>(&self, owner: pg_sys::Oid, limit: Duration, f: impl FnOnce() -> T) -> Result<T, Failure> {
        self.kind.as_owner(owner, limit, f)
    }

    /// For a row that has nothing.
    fn run_with_nulls(&self) {
        let mut arguments: Vec<Argument> = vec![vec![0_i32].into()];
        arguments.extend(self.columns.iter().map(|_| Argument::from(vec![None::<String>])));
        with_spi(|spi| {
            self.plan.execute(spi, &arguments);
        });
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
    /// Where that is not the attached table's.
    pub partition_owner: Option<u32>,
    pub columns: Columns<'a>,
}

/// A source's part of a batch.
pub struct Attempt<'a> {
    event_type: &'a str,
    source: &'a Source,
    prepared: &'a Prepared,
    pub found: Vec<(usize, Enriched)>,
    /// How many rows have failed alone, and how the last one did.
    failed: (usize, Option<Failure>),
    /// The first and the last event that there was no time for.
    untried: Option<(i64, i64)>,
    /// It has worked for some row.
    worked: bool,
}

impl<'a> Attempt<'a> {
    /// None: there is nothing to find out.
    pub fn new(event_type: &'a str, source: &'a Source, prepared: &'a Prepared) -> Option<Self> {
        (!prepared.queries.is_empty()).then(|| Attempt {
            event_type,
            source,
            prepared,
            found: Vec::new(),
            failed: (0, None),
            untried: None,
            worked: false,
        })
    }

    /// An error: it can't work for any row.
    pub fn run(&mut self, rows: &[Row<'a>], credit: &mut Credit) -> Result<(), Failure> {
        let outcome = divide(self, rows, credit);
        if let (Err(Failure::Passing(_)), [first, .., last] | [first @ last]) = (&outcome, rows) {
            self.say(
                first.id,
                last.id,
                &outcome.as_ref().err().map(Failure::reason).unwrap_or_default(),
            );
        }
        if let Some((first, last)) = self.untried {
            self.say(first, last, "its look-ups take too long");
        }
        outcome
    }

    /// What people should know of it, though it works for some rows.
    pub fn remark(&self) -> Option<String> {
        if self.untried.is_some() {
            return Some("its look-ups take too long at times, and events are told without them".to_owned());
        }
        match &self.failed {
            (count, Some(failure)) if *count >= ALL_OF_THEM && !self.worked => Some(format!(
                "of none of its events all could be found out: {}",
                failure.reason_of_row()
            )),
            _ => None,
        }
    }

    fn try_rows(&self, rows: &[Row], limit: Duration) -> Result<Vec<(usize, Enriched)>, Failure> {
        let owner = self.prepared.attached.owner;
        let mut all: Vec<(usize, Enriched)> = Vec::new();
        for query in &self.prepared.queries {
            let found = query.as_owner(owner, limit, || query.run(rows))?;
            if all.is_empty() {
                all = found;
                continue;
            }
            let mut found: HashMap<usize, Enriched> = found.into_iter().collect();
            for (place, enriched) in &mut all {
                if let Some(more) = found.remove(place) {
                    enriched.add(more);
                }
            }
        }
        Ok(all)
    }

    /// Each key by itself: what fails is null, and a value that can't be converted stays the string that it is.
    fn piecemeal(&mut self, row: &Row, until: Instant) {
        let mut detail = serde_json::Map::new();
        if let Some(nulls) = &self.prepared.nulls {
            detail = serde_json::from_str(nulls).unwrap_or_default();
        }
        let mut project = None;
        let columns = &self.source.definition.columns;
        let is_sql = |key: &&String| matches!(columns.get(*key), Some(Expression::Sql { .. }));
        // Somebody's expression may be what takes long.
        let (last, first): (Vec<&String>, Vec<&String>) = columns.keys().partition(is_sql);
        for key in first.into_iter().chain(last) {
            if until <= Instant::now() {
                break;
            }
            let kind = if is_sql(&key) {
                Kind::Expressions
            } else {
                Kind::LookUps
            };
            let found = self.one_key(row, kind, key).ok().flatten().unwrap_or_default();
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

    fn one_key(&self, row: &Row, kind: Kind, key: &str) -> Result<Option<String>, Failure> {
        let attached = &self.prepared.attached;
        let statement = Statement::new(&self.source.definition, attached, kind, Some(key));
        let Some(query) = Query::prepare(statement, kind, attached, LIMIT_ALONE)? else {
            return Ok(None);
        };
        let mut found = query.as_owner(attached.owner, LIMIT_ALONE, || {
            query.run(std::slice::from_ref(row))
        })?;
        Ok(found.pop().and_then(|(_, enriched)| enriched.detail))
    }

    fn give_up(&mut self, rows: &[Row]) {
        let nulls = || known_nothing(self.prepared.nulls.clone());
        let told: Vec<_> = rows.iter().map(|row| (row.place, nulls())).collect();
        self.found.extend(told);
    }

    fn say(&self, first: i64, last: i64, reason: &str) {
        if first == last {
            pgrx::warning!(
                "zentry_notify: event {} ({}) is told without what can't be found out about it: {}",
                first,
                self.event_type,
                reason
            );
        } else {
            pgrx::warning!(
                "zentry_notify: events {} to {} ({}) are told without what can't be found out about them: {}",
                first,
                last,
                self.event_type,
                reason
            );
        }
    }
}

impl<'a> Trial<Row<'a>> for Attempt<'_> {
    type Failure = Failure;

    fn alone(&self) -> Duration {
        LIMIT_ALONE
    }

    fn attempt(&mut self, rows: &[Row<'a>], limit: Duration) -> Result<(), Failure> {
        self.found.extend(self.try_rows(rows, limit)?);
        self.worked = true;
        Ok(())
    }

    fn is_late(failure: &Failure) -> bool {
        *failure == Failure::Late
    }

    fn hopeless(&mut self, worked: bool) -> Option<Failure> {
        // Rights, names and types are looked at without any row.
        let mut outcome = self.try_rows(&[], LIMIT_ALONE).map(drop);
        if outcome.is_ok() && !worked {
            // What waits or fails whatever it is called with does so with nulls.
            let owner = self.prepared.attached.owner;
            let mut queries = self.prepared.queries.iter();
            outcome =
                queries.try_for_each(|query| query.as_owner(owner, LIMIT_ALONE, || query.run_with_nulls()));
        }
        outcome
            .err()
            .filter(|failure| !matches!(failure, Failure::Data(_)))
    }

    fn fail(&mut self, rows: &[Row<'a>], fault: Fault<Failure>, until: Instant) {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return;
        };
        match fault {
            Fault::Theirs(failure) => {
                self.say(first.id, last.id, &failure.reason_of_row());
                self.failed = (self.failed.0 + rows.len(), Some(failure.clone()));
                match rows {
                    [row] => self.piecemeal(row, until),
                    _ => self.give_up(rows),
                }
            }
            Fault::NoTime => {
                let (begin, _) = *self.untried.get_or_insert((first.id, last.id));
                self.untried = Some((begin, last.id));
                self.give_up(rows);
            }
            Fault::Everybodys(_) => self.give_up(rows),
        }
    }
}
