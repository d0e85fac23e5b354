//! Enriching: finding out what an event's row lacks, for a batch of a source's events in one statement, as the owner of the attached table.
//!
//! A value that cannot be found out is null; no event waits for it. What fails for a batch is tried again in parts, so that one event
//! fails alone. A look-up that cannot work for any event is left out, with null in its place; a source none of whose look-ups can work is
//! suspended, and its events are sent without them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::attached::{self, Attached, Patience};
use super::attempt::{Attempt, TOO_LONG, TOO_LONG_AT_TIMES};
use super::events::{Captured, Columns};
use super::limited::{self, Failure};
use super::lock_waits::on_credit;
use super::prepared::{LIMIT, Prepared};
use super::query::{Enriched, Row};
use super::source::{Credits, HELD, Source, Sources, Suspension, Tried, Weight};
use crate::event_source::{Audience, ColumnRef, Expression};
use crate::pg::time_limit::Numbered;

/// The prepared statements of the sources.
#[derive(Default)]
pub struct Enricher {
    prepared: HashMap<i64, Prepared>,
    /// Suspensions that are to be written.
    pub suspensions: Vec<Suspension>,
}

impl Enricher {
    /// Forgets all statements, since the configuration has changed.
    pub fn forget(&mut self) {
        self.prepared.clear();
    }

    /// Enriches the events of one source, whose indexes in `events` are `places`, until what is found has `room` bytes.
    pub fn enrich(
        &mut self,
        sources: &mut Sources,
        credits: &mut Credits,
        source: i64,
        events: &[Captured],
        places: &[usize],
        room: usize,
    ) -> Found {
        let Some(known) = sources.get(source) else {
            return Found::nothing(room);
        };
        let _source = Numbered::new(source, known.owner);
        let enrichment = self.of_source(known, credits, events, places, room);
        if let Some((weight, reason)) = enrichment.reason {
            if weight == Weight::Suspended {
                sources.suspend(source);
            }
            self.suspensions.push(Suspension {
                source,
                reason,
                weight,
            });
        }
        enrichment.found
    }

    fn of_source(
        &mut self,
        source: &Source,
        credits: &mut Credits,
        events: &[Captured],
        places: &[usize],
        room: usize,
    ) -> Enrichment {
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
        let mut enrichment = match source.is_left_out() {
            // The table was attached again while its owner's look-ups are held back.
            true if source.held_for().is_some() => Enrichment {
                reason: Some((Weight::LeftOut, HELD.to_owned())),
                ..Enrichment::nothing(source, &rows, room)
            },
            true => Enrichment::nothing(source, &rows, room),
            false => self.try_source(source, credits, rows, room),
        };
        if let Some(projects) = projects {
            for (place, enriched) in &mut enrichment.found.of_events {
                enriched.project = projects.get(place).copied().flatten();
            }
        }
        enrichment
    }

    fn try_source(
        &mut self,
        source: &Source,
        credits: &mut Credits,
        mut rows: Vec<Row>,
        room: usize,
    ) -> Enrichment {
        // Rows are grouped by the owners of their partitions, since each owner answers for what their rows fail or wait for. The first row stays
        // the first: there is always room for it.
        let mut first: HashMap<Option<u32>, usize> = HashMap::new();
        for row in &rows {
            first.entry(row.partition_owner).or_insert(row.place);
        }
        rows.sort_by_key(|row| first.get(&row.partition_owner).copied());
        let credit = credits.of(source, Tried::LookUps, None);
        if credit.is_spent(Instant::now()) {
            return Enrichment::late(source, &rows, room);
        }
        let failure = match on_credit(credit, || self.prepare(source)) {
            Ok(()) => match self.prepared.get(&source.definition.id) {
                Some(prepared) => match look_up(source, prepared, &rows, credits, room) {
                    Ok(enrichment) => return enrichment,
                    Err(failure) => failure,
                },
                None => return Enrichment::nothing(source, &rows, room),
            },
            Err(failure) => failure,
        };
        if !matches!(failure, Failure::Passing(_)) {
            return self.without_what_fails(source, credits, &rows, room, &failure);
        }
        pgrx::warning!(
            "zentry_notify: events {} to {} are told without all that is looked up for them: {}",
            rows.first().map_or(0, |row| row.id),
            rows.last().map_or(0, |row| row.id),
            failure.reason()
        );
        // A table that is locked by somebody else is left out; the others are read.
        let prepared = on_credit(credits.of(source, Tried::LookUps, None), || {
            Self::look(source, Patience::Passes)
                .and_then(|attached| Prepared::new(source, attached, &BTreeSet::new()))
        });
        match prepared.and_then(|prepared| look_up(source, &prepared, &rows, credits, room)) {
            Ok(enrichment) => Enrichment {
                reason: None,
                ..enrichment
            },
            Err(_) => Enrichment::nothing(source, &rows, room),
        }
    }

    /// Leaves out the keys that cannot be found out for any row, from now on. If no key is left, the source is suspended.
    fn without_what_fails(
        &mut self,
        source: &Source,
        credits: &mut Credits,
        rows: &[Row],
        room: usize,
        failure: &Failure,
    ) -> Enrichment {
        let id = source.definition.id;
        self.prepared.remove(&id);
        let suspended = |failure: &Failure| Enrichment {
            reason: Some((Weight::Suspended, failure.reason())),
            ..Enrichment::nothing(source, rows, room)
        };
        let prepared = on_credit(credits.of(source, Tried::LookUps, None), || {
            Self::look(source, Patience::Waits).map(|attached| Prepared::of_what_works(source, attached))
        });
        let prepared = match prepared {
            Ok(Some(prepared)) => prepared,
            Ok(None) => return suspended(failure),
            Err(failure) => return suspended(&failure),
        };
        match look_up(source, &prepared, rows, credits, room) {
            Ok(enrichment) => {
                self.note_left_out(id, &prepared);
                self.prepared.insert(id, prepared);
                enrichment
            }
            Err(failure) => suspended(&failure),
        }
    }

    fn note_left_out(&mut self, source: i64, prepared: &Prepared) {
        if !prepared.refusals.is_empty() {
            self.suspensions.push(Suspension {
                source,
                reason: format!(
                    "left out, with null in its place: {}",
                    prepared.refusals.join("; ")
                ),
                weight: Weight::LeftOut,
            });
        }
    }

    /// Prepares the source's statement, if need be, and locks what it reads.
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
            let attached = Self::look(source, Patience::Waits)?;
            let prepared = Prepared::new(source, attached, &BTreeSet::new())?;
            self.note_left_out(id, &prepared);
            self.prepared.insert(id, prepared);
        }
        Ok(())
    }

    fn look(source: &Source, patience: Patience) -> Result<Attached, Failure> {
        let look = || Attached::look(source.relation, attached::names(&source.definition), patience);
        let attached = limited::limited(LIMIT, look)?;
        let attached = attached.ok_or_else(|| Failure::lasting("the attached table does not exist"))?;
        attached.try_others(source.definition.id);
        Ok(attached)
    }
}

/// What was found out about events.
#[derive(Default)]
pub struct Found {
    /// What was looked up for each event, with its index.
    pub of_events: Vec<(usize, Enriched)>,
    /// The lowest index of an event for which there was no room.
    pub left: Option<usize>,
    /// The room that is left.
    pub room: usize,
}

impl Found {
    fn nothing(room: usize) -> Found {
        Found {
            room,
            ..Found::default()
        }
    }
}

/// What was found out about a source's events, and what is wrong with the source.
#[derive(Default)]
struct Enrichment {
    found: Found,
    reason: Option<(Weight, String)>,
}

impl Enrichment {
    /// The result for rows of which nothing can be found out.
    fn nothing(source: &Source, rows: &[Row], room: usize) -> Enrichment {
        let nothing = rows
            .iter()
            .map(|row| (row.place, Enriched::nothing(bare_nulls(source))));
        Enrichment {
            found: Found {
                of_events: nothing.collect(),
                ..Found::nothing(room)
            },
            reason: None,
        }
    }

    /// The result for rows whose source has used up its time.
    fn late(source: &Source, rows: &[Row], room: usize) -> Enrichment {
        pgrx::warning!(
            "zentry_notify: events {} to {} ({}) are told without what can't be found out about them: {TOO_LONG}",
            rows.iter().map(|row| row.id).min().unwrap_or_default(),
            rows.iter().map(|row| row.id).max().unwrap_or_default(),
            source.definition.event_type,
        );
        Enrichment {
            reason: Some((Weight::Remark, TOO_LONG_AT_TIMES.to_owned())),
            ..Enrichment::nothing(source, rows, room)
        }
    }
}

/// Looks the rows up, which are in the order of the owners of their partitions. An error says that it cannot work for any row.
fn look_up(
    source: &Source,
    prepared: &Prepared,
    rows: &[Row],
    credits: &mut Credits,
    room: usize,
) -> Result<Enrichment, Failure> {
    let mut enrichment = Enrichment {
        found: Found::nothing(room),
        reason: None,
    };
    let found = &mut enrichment.found;
    for rows in rows.chunk_by(|one, other| one.partition_owner == other.partition_owner) {
        let event_type = &source.definition.event_type;
        let Some(mut attempt) = Attempt::new(event_type, source, prepared, found.room) else {
            let nothing = rows.iter().map(|row| (row.place, Enriched::default()));
            found.of_events.extend(nothing);
            continue;
        };
        let owner = rows.first().and_then(|row| row.partition_owner);
        match attempt.run(rows, credits.of(source, Tried::LookUps, owner)) {
            Err(Failure::Passing(_)) | Ok(()) => {
                enrichment.reason = enrichment
                    .reason
                    .or(attempt.remark().map(|remark| (Weight::Remark, remark)));
            }
            Err(failure) => return Err(failure),
        }
        found.room = attempt.room;
        found.left = found.left.into_iter().chain(attempt.left).min();
        found.of_events.extend(attempt.found);
    }
    Ok(enrichment)
}

/// Returns the column that says which project's webhooks hear, if there is one.
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

/// Returns the detail for when nothing can be looked up, since not even the tables are known.
fn bare_nulls(source: &Source) -> Option<Arc<str>> {
    let definition = &source.definition;
    let nulls = definition.columns.iter().filter(|(key, expression)| {
        matches!(expression, Expression::Lookup(_) | Expression::Sql { .. }) && !definition.omit.contains(key)
    });
    let nulls: serde_json::Map<_, _> = nulls
        .map(|(key, _)| (key.clone(), serde_json::Value::Null))
        .collect();
    (!nulls.is_empty()).then(|| serde_json::Value::Object(nulls).to_string().into())
}
