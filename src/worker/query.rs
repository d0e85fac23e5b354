//! A prepared statement that looks up what a batch of events lacks, as the owner of the attached table.

use std::time::Duration;

use pgrx::prelude::*;
use webhook::json_members::merged;

use super::attached::Attached;
use super::events::Columns;
use super::limited::{self, Failure};
use super::lookups::Statement;
use crate::event_source::ColumnRef;
use crate::pg::jsonb;
use crate::plan::{Argument, Plan, with_spi};

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
    pub detail: Option<String>,
    /// The project whose webhooks hear.
    pub project: Option<i64>,
}

impl Enriched {
    /// Returns the result for when nothing can be looked up. `nulls` is the detail in that case.
    pub fn nothing(nulls: Option<String>) -> Enriched {
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
pub fn both(one: Option<String>, other: Option<String>) -> Option<String> {
    match one {
        Some(one) => Some(merged(&one, other.as_deref())),
        None => other,
    }
}

/// A prepared statement.
pub struct Query {
    plan: Plan,
    /// The columns that it takes, each with whether it is of type json.
    columns: Vec<(ColumnRef, bool)>,
}

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

    /// Runs the statement. Returns what was looked up for the events, with their indexes.
    pub fn run(
        &self,
        owner: pg_sys::Oid,
        limit: Duration,
        events: &[Row],
    ) -> Result<Vec<(usize, Enriched)>, Failure> {
        limited::as_owner(owner, limit, || self.run_now(events))
    }

    fn run_now(&self, events: &[Row]) -> Vec<(usize, Enriched)> {
        let numbers: Vec<i32> = (0..events.len()).map(|n| n as i32).collect();
        let mut arguments = vec![numbers.into()];
        for (column, is_json) in &self.columns {
            let fits = |text: &String| !is_json || jsonb::takes(text);
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
