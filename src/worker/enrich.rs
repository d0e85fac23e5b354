//! What an event's row lacks is found out: for a batch of a source's events in one statement, as the owner of the attached table.
//!
//! Nobody waits for what can't be found out: it is null. What fails for a batch is tried again in parts, so that one event fails
//! alone; a source whose look-ups can't work for any event is suspended, and its events are told without them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use webhook::json_members::merged;

use super::attached::{self, Attached, Patience};
use super::attempt::{Attempt, Query, Row};
use super::events::{Captured, Columns};
use super::limited::{self, Failure};
use super::lookups::{Kind, Statement};
use super::source::{Credits, Source, Sources, Suspension, Tried, Weight};
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

impl Enriched {
    /// Adds what another statement has found out about the event.
    pub fn add(&mut self, more: Enriched) {
        self.detail = both(self.detail.take(), more.detail);
        self.project = self.project.or(more.project);
    }
}

/// The members of two details, where there are any.
fn both(one: Option<String>, other: Option<String>) -> Option<String> {
    match one {
        Some(one) => Some(merged(&one, other.as_deref())),
        None => other,
    }
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
    pub queries: Vec<Query>,
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
        credits: &mut Credits,
        source: i64,
        events: &[Captured],
        places: &[usize],
    ) -> Vec<(usize, Enriched)> {
        let Some(known) = sources.get(source) else {
            return Vec::new();
        };
        let told = self.of_source(known, credits, events, places);
        if let Some((weight, reason)) = told.reason {
            if weight == Weight::Suspended {
                sources.suspend(source);
            }
            self.suspensions.push(Suspension {
                source,
                reason,
                weight,
            });
        }
        told.found
    }

    fn of_source(
        &mut self,
        source: &Source,
        credits: &mut Credits,
        events: &[Captured],
        places: &[usize],
    ) -> Told {
        let rows: Vec<Row> = places
            .iter()
            .map(|place| Row {
                place: *place,
                id: events[*place].id,
                partition_owner: events[*place].context.partition_owner,
                columns: Columns::of(&events[*place], &source.image),
            })
            .collect();
        let projects: Option<HashMap<usize, Option<i64>>> = project_column(source).map(|column| {
            let project = |row: &Row| row.columns.text(&column)?.trim().parse().ok();
            rows.iter().map(|row| (row.place, project(row))).collect()
        });
        let mut told = match source.suspended {
            true => Told::nothing(source, &rows),
            false => self.try_source(source, credits, rows),
        };
        if let Some(projects) = projects {
            for (place, enriched) in &mut told.found {
                enriched.project = projects.get(place).copied().flatten();
            }
        }
        told
    }

    fn try_source(&mut self, source: &Source, credits: &mut Credits, rows: Vec<Row>) -> Told {
        let failure = match self.prepare(source) {
            Ok(()) => {
                return match self.prepared.get(&source.definition.id) {
                    Some(prepared) => look_up(source, prepared, rows, credits),
                    None => Told::default(),
                };
            }
            Err(failure) => failure,
        };
        if !matches!(failure, Failure::Passing(_)) {
            return Told {
                reason: Some((Weight::Suspended, failure.reason())),
                ..Told::nothing(source, &rows)
            };
        }
        pgrx::warning!(
            "zentry_notify: events {} to {} are told without all that is looked up for them: {}",
            rows.first().map_or(0, |row| row.id),
            rows.last().map_or(0, |row| row.id),
            failure.reason()
        );
        // Somebody has locked a table: what the others say is told.
        match Self::build(source, Patience::Passes) {
            Ok(prepared) if !prepared.queries.is_empty() => Told {
                reason: None,
                ..look_up(source, &prepared, rows, credits)
            },
            _ => Told::nothing(source, &rows),
        }
    }

    /// Sees to it that the source's statement is there, and what it reads is locked.
    fn prepare(&mut self, source: &Source) -> Result<(), Failure> {
        let id = source.definition.id;
        if let Some(prepared) = self.prepared.get(&id) {
            let same =
                prepared.queries.is_empty() || limited::limited(LIMIT, || prepared.attached.lock_again())?;
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
                    weight: Weight::LeftOut,
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
            return Err(Failure::lasting("the attached table does not exist"));
        };
        let mut prepared = Prepared {
            queries: Vec::new(),
            nulls: None,
            refusals: Vec::new(),
            attached,
        };
        for kind in [Kind::LookUps, Kind::Expressions] {
            let statement = Statement::new(&source.definition, &prepared.attached, kind, None);
            prepared.nulls = both(prepared.nulls, statement.nulls());
            prepared.refusals.extend(statement.refusals.clone());
            let query = Query::prepare(statement, kind, &prepared.attached, LIMIT)?;
            prepared.queries.extend(query);
        }
        Ok(prepared)
    }
}
/// What was found out about events of a source, and what is wrong with it.
#[derive(Default)]
struct Told {
    found: Vec<(usize, Enriched)>,
    reason: Option<(Weight, String)>,
}

impl Told {
    fn nothing(source: &Source, rows: &[Row]) -> Told {
        let nothing = rows
            .iter()
            .map(|row| (row.place, known_nothing(bare_nulls(source))));
        Told {
            found: nothing.collect(),
            reason: None,
        }
    }
}

/// Rows of each owner of partitions apart: what they make fail or wait is theirs.
fn look_up(source: &Source, prepared: &Prepared, rows: Vec<Row>, credits: &mut Credits) -> Told {
    let mut by_owner: BTreeMap<Option<u32>, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_owner.entry(row.partition_owner).or_default().push(row);
    }
    let mut told = Told::default();
    for (owner, rows) in by_owner {
        let Some(mut attempt) = Attempt::new(&source.definition.event_type, source, prepared) else {
            told.found
                .extend(rows.iter().map(|row| (row.place, Enriched::default())));
            continue;
        };
        let outcome = match &told.reason {
            Some((Weight::Suspended, _)) => {
                told.found.extend(Told::nothing(source, &rows).found);
                continue;
            }
            _ => attempt.run(&rows, credits.of(source.definition.id, Tried::LookUps, owner)),
        };
        match outcome {
            Err(Failure::Passing(_)) | Ok(()) => {
                told.reason = told
                    .reason
                    .or(attempt.remark().map(|remark| (Weight::Remark, remark)));
            }
            Err(failure) => told.reason = Some((Weight::Suspended, failure.reason())),
        }
        told.found.extend(attempt.found);
    }
    told
}

/// The column that says which project's webhooks hear, if one does.
fn project_column(source: &Source) -> Option<ColumnRef> {
    let Audience::Project { project } = &source.definition.audience else {
        return None;
    };
    match source.definition.columns.get(project)? {
        Expression::Column(name) => Some(ColumnRef::new(name)),
        Expression::Old { old } => Some(ColumnRef::old(old)),
        _ => None,
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
