//! What an event's row lacks is found out: for a batch of a source's events in one statement, as the owner of the attached table.
//!
//! Nobody waits for what can't be found out: it is null. What fails for a batch is tried again in halves, so that one event fails
//! alone; a source whose look-ups fail whatever the data are, or take too long, is suspended, and its events are told without them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};
use webhook::json_members::members;

use super::attached::Attached;
use super::events::{Captured, Columns};
use super::limited::{self, Failure};
use super::lookups::Statement;
use super::source::{Source, Sources};
use crate::event_source::{Audience, ColumnRef, Expression};
use crate::plan::{Plan, with_spi};

/// Events in one statement: what they find is in memory together.
const PAGE: usize = 256;
/// For one statement.
const LIMIT: Duration = Duration::from_secs(2);
/// For an event by itself, after its page has taken too long.
const LIMIT_ALONE: Duration = Duration::from_secs(1);
/// For all statements of a source in one batch.
const BUDGET: Duration = Duration::from_secs(4);
/// Events of a batch whose failures are looked into one by one.
const CULPRITS: usize = 16;

/// What was found out about an event.
#[derive(Clone, Default)]
pub struct Enriched {
    /// A JSON object.
    pub detail: Option<String>,
    /// The project whose webhooks hear.
    pub project: Option<i64>,
}

/// A source's look-ups do not work.
pub struct Suspension {
    pub source: i64,
    pub reason: String,
    /// Some are left out, and the others work.
    pub note_only: bool,
}

/// Prepared statements of the sources.
#[derive(Default)]
pub struct Enricher {
    prepared: HashMap<i64, Prepared>,
    /// To be written down.
    pub suspensions: Vec<Suspension>,
}

struct Prepared {
    attached: Attached,
    /// None: there is nothing to find out.
    statement: Option<Query>,
    /// The detail when nothing can be known.
    nulls: Option<String>,
    refusals: Vec<String>,
}

struct Query {
    plan: Plan,
    /// With whether it is of type json.
    columns: Vec<(ColumnRef, bool)>,
}

impl Query {
    /// With the rights of the owner, which are the caller's to set.
    fn prepare(statement: Statement, attached: &Attached) -> Query {
        let (columns, sql) = statement.finish();
        let types: Vec<pg_sys::Oid> = [pg_sys::INT4ARRAYOID]
            .into_iter()
            .chain(columns.iter().map(|_| pg_sys::TEXTARRAYOID))
            .collect();
        Query {
            plan: with_spi(|| Plan::prepare(&sql, &types)),
            columns: columns
                .into_iter()
                .map(|column| {
                    let is_json = attached.type_oid(&column.name) == pg_sys::JSONOID;
                    (column, is_json)
                })
                .collect(),
        }
    }

    fn run(&self, events: &[Row]) -> Vec<(usize, Enriched)> {
        let numbers: Vec<i32> = (0..events.len()).map(|n| n as i32).collect();
        let mut arguments = vec![numbers.into_datum()];
        for (column, is_json) in &self.columns {
            let fits = |text: &String| !is_json || fits_jsonb(text);
            let values: Vec<Option<String>> = events
                .iter()
                .map(|row| row.columns.text(column).filter(fits))
                .collect();
            arguments.push(values.into_datum());
        }
        with_spi(|| {
            let rows = self.plan.execute(&arguments);
            let found = |row| {
                // SAFETY: the types are those of the statement's columns.
                unsafe {
                    let number = i32::from_datum(rows.get(row, 1).0?, false)?;
                    let project = rows.get(row, 3).0.and_then(|d| String::from_datum(d, false));
                    let enriched = Enriched {
                        detail: rows.get(row, 2).0.and_then(|d| String::from_datum(d, false)),
                        project: project.and_then(|text| text.parse().ok()),
                    };
                    Some((events.get(usize::try_from(number).ok()?)?.place, enriched))
                }
            };
            (0..rows.len()).filter_map(found).collect()
        })
    }
}

/// A json may have what a jsonb can't: half a character, a zero, a number beyond all bounds.
fn fits_jsonb(json: &str) -> bool {
    !json.contains("\\u0000") && serde_json::from_str::<serde_json::Value>(json).is_ok()
}

/// An event of the batch.
struct Row<'a> {
    /// In the batch.
    place: usize,
    id: i64,
    columns: Columns<'a>,
}

impl Enricher {
    /// The configuration has changed.
    pub fn forget(&mut self) {
        self.prepared.clear();
    }

    /// Finds out what the events of one source lack; what it returns is in the order of `places`, which are places in `events`.
    pub fn enrich(
        &mut self,
        sources: &mut Sources,
        source: i64,
        events: &[Captured],
        places: &[usize],
    ) -> Vec<(usize, Enriched)> {
        let mut suspended = None;
        let found = sources
            .get(source)
            .map(|source| self.of_source(source, events, places, &mut suspended));
        if let Some(reason) = suspended {
            sources.suspend(source);
            self.suspensions.push(Suspension {
                source,
                reason,
                note_only: false,
            });
        }
        found.unwrap_or_default()
    }

    fn of_source(
        &mut self,
        source: &Source,
        events: &[Captured],
        places: &[usize],
        suspended: &mut Option<String>,
    ) -> Vec<(usize, Enriched)> {
        let definition = &source.definition;
        let rows: Vec<Row> = places
            .iter()
            .map(|place| Row {
                place: *place,
                id: events[*place].id,
                columns: Columns::of(&events[*place], &source.image),
            })
            .collect();
        let blank = || bare_nulls(source);
        let mut found = if source.suspended {
            rows.iter()
                .map(|row| (row.place, known_nothing(blank())))
                .collect()
        } else {
            match self.prepare(source) {
                Ok(()) => {
                    let prepared = self.prepared.get(&definition.id);
                    match prepared.filter(|prepared| prepared.statement.is_some()) {
                        None => rows.iter().map(|row| (row.place, Enriched::default())).collect(),
                        Some(prepared) => {
                            let mut attempt = Attempt::new(&definition.event_type, source, prepared);
                            attempt.pages(&rows);
                            *suspended = attempt.suspended;
                            attempt.found
                        }
                    }
                }
                Err(failure) => {
                    if matches!(failure, Failure::Passing(_)) {
                        pgrx::warning!(
                            "zentry_notify: events {} to {} are told without what is looked up for them: {}",
                            rows.first().map_or(0, |row| row.id),
                            rows.last().map_or(0, |row| row.id),
                            failure.reason()
                        );
                    } else {
                        *suspended = Some(failure.reason());
                    }
                    rows.iter()
                        .map(|row| (row.place, known_nothing(blank())))
                        .collect()
                }
            }
        };
        if let Audience::Project { project } = &definition.audience {
            let column = match definition.columns.get(project) {
                Some(Expression::Column(name)) => Some(ColumnRef::new(name)),
                Some(Expression::Old { old }) => Some(ColumnRef::old(old)),
                _ => None,
            };
            if let Some(column) = column {
                let of_row: HashMap<usize, Option<i64>> = rows
                    .iter()
                    .map(|row| {
                        let text = row.columns.text(&column);
                        (row.place, text.and_then(|text| text.trim().parse().ok()))
                    })
                    .collect();
                for (place, enriched) in &mut found {
                    enriched.project = of_row.get(place).copied().flatten();
                }
            }
        }
        found
    }

    /// Sees to it that the source's statement is there, and what it reads is locked.
    fn prepare(&mut self, source: &Source) -> Result<(), Failure> {
        let id = source.definition.id;
        if let Some(prepared) = self.prepared.get(&id) {
            let same =
                prepared.statement.is_none() || limited::limited(LIMIT, || prepared.attached.lock_again())?;
            if !same {
                self.prepared.remove(&id);
            }
        }
        if !self.prepared.contains_key(&id) {
            let prepared = Self::build(source)?;
            if !prepared.refusals.is_empty() {
                self.suspensions.push(Suspension {
                    source: id,
                    reason: format!(
                        "left out, with null in its place: {}",
                        prepared.refusals.join("; ")
                    ),
                    note_only: true,
                });
            }
            self.prepared.insert(id, prepared);
        }
        Ok(())
    }

    fn build(source: &Source) -> Result<Prepared, Failure> {
        let attached = limited::limited(LIMIT, || Attached::look(source.relation, &source.definition))?;
        let Some(attached) = attached else {
            return Err(Failure::Lasting("the attached table does not exist".to_owned()));
        };
        let statement = Statement::new(&source.definition, &attached, None);
        let nulls = statement.nulls();
        let refusals = statement.refusals.clone();
        let statement = if statement.is_empty() {
            None
        } else {
            Some(limited::as_owner(attached.owner, LIMIT, || {
                Query::prepare(statement, &attached)
            })?)
        };
        Ok(Prepared {
            attached,
            statement,
            nulls,
            refusals,
        })
    }
}

fn known_nothing(nulls: Option<String>) -> Enriched {
    Enriched {
        detail: nulls,
        project: None,
    }
}

/// The detail when nothing can be known, not even what the tables are.
fn bare_nulls(source: &Source) -> Option<String> {
    let definition = &source.definition;
    let nulls = definition.columns.iter().filter(|(key, expression)| {
        matches!(expression, Expression::Lookup(_) | Expression::Sql { .. }) && !definition.omit.contains(key)
    });
    let nulls: serde_json::Map<_, _> = nulls
        .map(|(key, _)| (key.clone(), serde_json::Value::Null))
        .collect();
    (!nulls.is_empty()).then(|| serde_json::Value::Object(nulls).to_string())
}

/// A source's part of a batch.
struct Attempt<'a> {
    event_type: &'a str,
    source: &'a Source,
    prepared: &'a Prepared,
    ends: Instant,
    culprits: usize,
    found: Vec<(usize, Enriched)>,
    suspended: Option<String>,
}

impl<'a> Attempt<'a> {
    fn new(event_type: &'a str, source: &'a Source, prepared: &'a Prepared) -> Self {
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

    fn pages(&mut self, rows: &[Row]) {
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
