//! A prepared statement that looks up what a batch of events lacks, as the owner of the attached table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pgrx::prelude::*;
use webhook::json_members::merged;

use super::attached::Attached;
use super::events::Columns;
use super::limited::{self, Failure};
use super::lookups::Statement;
use crate::event_source::ColumnRef;
use crate::pg::jsonb;
use crate::plan::{Argument, Plan, Rows, with_spi};

/// An event of the batch.
pub struct Row<'a> {
    /// The event's index in the batch.
    pub place: usize,
    pub id: i64,
    /// The owner of the event's partition, if that is not the attached table's.
    pub partition_owner: Option<u32>,
    pub columns: Columns<'a>,
}

/// What was looked up for an event.
#[derive(Clone, Default)]
pub struct Enriched {
    /// The detail: a JSON object.
    pub detail: Option<Arc<str>>,
    /// The project whose webhooks hear.
    pub project: Option<i64>,
}

impl Enriched {
    /// Returns how many bytes the detail has.
    pub fn length(&self) -> usize {
        self.detail.as_deref().map_or(0, str::len)
    }

    /// Returns the result for when nothing can be looked up. `nulls` is the detail in that case.
    pub fn nothing(nulls: Option<Arc<str>>) -> Enriched {
        Enriched {
            detail: nulls,
            project: None,
        }
    }

    /// Adds what another statement has looked up for the event.
    pub fn add(&mut self, more: Enriched) {
        self.detail = both(self.detail.take(), more.detail);
        self.project = self.project.or(more.project);
    }
}

/// Returns the members of both details.
pub fn both(one: Option<Arc<str>>, other: Option<Arc<str>>) -> Option<Arc<str>> {
    match one {
        Some(one) => Some(merged(&one, other.as_deref()).into()),
        None => other,
    }
}

/// A prepared statement.
pub struct Query {
    plan: Plan,
    /// The columns that it takes, each with its type; of a domain, its base type.
    columns: Vec<(ColumnRef, pg_sys::Oid)>,
    /// Whether the same values give the same result. Expressions may be volatile.
    is_repeatable: bool,
}

/// The values of the columns that a statement takes, in their types' text form.
type Values = Vec<Option<String>>;

/// What a statement has found for values. The events of a batch are often of few projects and persons.
#[derive(Default)]
pub struct Known(HashMap<Values, Enriched>);

/// The number of rows that are fetched at once: what is looked up for them is in memory twice.
const PART: u16 = 16;

impl Query {
    /// Prepares the statement. None: there is nothing to look up.
    pub fn prepare(
        statement: Statement,
        attached: &Attached,
        limit: Duration,
    ) -> Result<Option<Query>, Failure> {
        if statement.is_empty() {
            return Ok(None);
        }
        let prepare = || Query::of(statement, attached);
        limited::as_owner(attached.owner, limit, prepare).map(Some)
    }

    fn of(statement: Statement, attached: &Attached) -> Query {
        let is_repeatable = !statement.has_expressions();
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
                    let type_oid = attached.type_oid(&column.name);
                    (column, type_oid)
                })
                .collect(),
            is_repeatable,
        }
    }

    /// Runs the statement with a row of nulls, to find out whether it can work at all.
    pub fn try_with_nulls(&self, owner: pg_sys::Oid, limit: Duration) -> Result<(), Failure> {
        limited::as_owner(owner, limit, || self.run_with_nulls())
    }

    /// Runs the statement with a row of nulls.
    fn run_with_nulls(&self) {
        let mut arguments: Vec<Argument> = vec![vec![0_i32].into()];
        arguments.extend(self.columns.iter().map(|_| Argument::from(vec![None::<String>])));
        with_spi(|spi| {
            self.plan.execute(spi, &arguments);
        });
    }

    /// Runs the statement for events whose values are not known yet. Returns what was looked up for the events, with their indexes. Once that has
    /// `room` bytes, the rest of the events is left out.
    pub fn run(
        &self,
        owner: pg_sys::Oid,
        limit: Duration,
        events: &[Row],
        known: &mut Known,
        room: usize,
    ) -> Result<Vec<(usize, Enriched)>, Failure> {
        let values: Vec<Values> = events.iter().map(|event| self.values(event)).collect();
        let mut new = HashSet::new();
        let rows: Vec<&Values> = values
            .iter()
            .filter(|values| !self.is_repeatable || !known.0.contains_key(*values) && new.insert(*values))
            .collect();
        // Without events, the statement shows whether it can work at all.
        let found = match rows.is_empty() && !events.is_empty() {
            true => Vec::new(),
            false => limited::as_owner(owner, limit, || self.run_now(&rows, room))?,
        };
        let places = events.iter().map(|event| event.place);
        if !self.is_repeatable {
            let found = places.zip(found);
            return Ok(found.filter_map(|(place, found)| Some((place, found?))).collect());
        }
        let found = rows.into_iter().zip(found);
        let found = found.filter_map(|(values, found)| Some((values.clone(), found?)));
        known.0.extend(found);
        let found = places.zip(&values);
        let found = found.filter_map(|(place, values)| Some((place, known.0.get(values)?.clone())));
        Ok(found.collect())
    }

    fn values(&self, event: &Row) -> Values {
        let values = self.columns.iter().map(|(column, type_oid)| match *type_oid {
            pg_sys::JSONBOID => event.columns.json(column),
            pg_sys::JSONOID => event.columns.text(column).filter(|text| jsonb::takes(text)),
            _ => event.columns.text(column),
        });
        values.collect()
    }

    /// Returns what is looked up for each row of values. None: there was no room for it.
    fn run_now(&self, rows: &[&Values], room: usize) -> Vec<Option<Enriched>> {
        let numbers: Vec<i32> = (0..rows.len()).map(|n| n as i32).collect();
        let mut arguments = vec![numbers.into()];
        for column in 0..self.columns.len() {
            let values: Vec<Option<&str>> = rows.iter().map(|values| values[column].as_deref()).collect();
            arguments.push(values.into());
        }
        let mut all = vec![None; rows.len()];
        let mut bytes = 0;
        let mut take = |rows: &Rows| {
            for row in 0..rows.len() {
                let number = rows
                    .get::<i32>(row, 1)
                    .and_then(|number| usize::try_from(number).ok());
                let Some(found) = number.and_then(|number| all.get_mut(number)) else {
                    continue;
                };
                let detail = rows.get::<&str>(row, 2).filter(|detail| *detail != "{}");
                let project = rows.get::<&str>(row, 3);
                let enriched = Enriched {
                    detail: detail.map(Arc::from),
                    project: project.and_then(|text| text.parse().ok()),
                };
                bytes += enriched.length();
                *found = Some(enriched);
            }
            bytes < room
        };
        with_spi(|spi| self.plan.execute_in_parts(spi, &arguments, PART, &mut take));
        all
    }
}
