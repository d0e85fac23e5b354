//! What an event's row lacks is found out: for a batch of a source's events in one statement, as the owner of the attached table.
//!
//! Nobody waits for what can't be found out: it is null. What fails for a batch is tried again in halves, so that one event fails
//! alone; a source whose look-ups fail whatever the data are, or take too long, is suspended, and its events are told without them.

use std::collections::HashMap;
use std::time::Duration;

use super::attached::{self, Attached, Patience};
use super::attempt::{Attempt, Query, Row};
use super::events::{Captured, Columns};
use super::limited::{self, Failure};
use super::lookups::Statement;
use super::source::{Source, Sources};
use crate::event_source::{Audience, ColumnRef, Expression};

/// For one statement.
pub const LIMIT: Duration = Duration::from_secs(2);

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

pub struct Prepared {
    pub attached: Attached,
    /// None: there is nothing to find out.
    pub statement: Option<Query>,
    /// The detail when nothing can be known.
    pub nulls: Option<String>,
    refusals: Vec<String>,
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
                    let passing = matches!(failure, Failure::Passing(_));
                    if passing {
                        pgrx::warning!(
                            "zentry_notify: events {} to {} are told without all that is looked up for them: {}",
                            rows.first().map_or(0, |row| row.id),
                            rows.last().map_or(0, |row| row.id),
                            failure.reason()
                        );
                    } else {
                        *suspended = Some(failure.reason());
                    }
                    Self::without_what_is_locked(source, &rows, passing).unwrap_or_else(|| {
                        rows.iter()
                            .map(|row| (row.place, known_nothing(blank())))
                            .collect()
                    })
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

    /// Somebody has locked a table: what the others say is told. None: nothing is known.
    fn without_what_is_locked(
        source: &Source,
        rows: &[Row],
        passing: bool,
    ) -> Option<Vec<(usize, Enriched)>> {
        let prepared = passing.then(|| Self::build(source, Patience::Passes).ok())??;
        prepared.statement.as_ref()?;
        let mut attempt = Attempt::new(&source.definition.event_type, source, &prepared);
        attempt.pages(rows);
        Some(attempt.found)
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
            let prepared = Self::build(source, Patience::Waits)?;
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

    fn build(source: &Source, patience: Patience) -> Result<Prepared, Failure> {
        let attached = limited::limited(LIMIT, || {
            Attached::look(source.relation, attached::names(&source.definition), patience)
        })?;
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

pub fn known_nothing(nulls: Option<String>) -> Enriched {
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
