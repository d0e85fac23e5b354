//! The projects of the persons whom events are about.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};

use super::attached::{Attached, Found};
use super::limited::{self, Failure};
use super::source::Source;
use crate::event_source::{Audience, ColumnRef, Expression, Membership};
use crate::plan::{Plan, with_spi};

/// For a batch.
const LIMIT: Duration = Duration::from_secs(2);
/// Memberships that are read for a batch.
const MAX_ROWS: usize = 200_000;

/// Who hears of the events of such a source.
pub enum PersonsProjects {
    /// Nothing says which projects a person belongs to.
    Everybody,
    Of(HashMap<String, HashSet<i64>>),
}

/// The column that says whom a source's events are about, and the tables of memberships; None: its audience is another one.
pub fn person_of(source: &Source) -> Option<(ColumnRef, &[Membership])> {
    let Audience::Person { person, projects } = &source.definition.audience else {
        return None;
    };
    let column = match source.definition.columns.get(person)? {
        Expression::Column(name) => ColumnRef::new(name),
        Expression::Old { old } => ColumnRef::old(old),
        _ => return None,
    };
    Some((column, projects))
}

/// Reads the projects of these persons, in one statement, as the owner of the attached table.
pub fn projects(source: &Source, persons: Vec<String>) -> Result<PersonsProjects, Failure> {
    let Some((column, memberships)) = person_of(source) else {
        return Ok(PersonsProjects::Everybody);
    };
    let attached = limited::limited(LIMIT, || Attached::look(source.relation, &source.definition))?;
    let Some(attached) = attached else {
        return Err(Failure::Lasting("the attached table does not exist".to_owned()));
    };
    let quote = pgrx::spi::quote_identifier::<&str>;
    let tables: Vec<String> = memberships
        .iter()
        .filter_map(|membership| match attached.looked_up(&membership.from) {
            Found::Table(table) => Some(format!(
                "SELECT m.{}::text AS project FROM {} m WHERE m.{} OPERATOR(pg_catalog.=) e.person::{}",
                quote(&membership.column),
                table.name,
                quote(&membership.r#match),
                attached.type_name(&column.name),
            )),
            Found::Refused(_) => None,
        })
        .collect();
    if tables.is_empty() {
        return Ok(PersonsProjects::Everybody);
    }
    let sql = format!(
        "SELECT e.person, m.project FROM unnest($1) AS e (person) CROSS JOIN LATERAL ({}) AS m LIMIT {MAX_ROWS}",
        tables.join(" UNION ALL ")
    );
    limited::as_owner(attached.owner, LIMIT, || {
        with_spi(|| {
            let rows = Plan::prepare(&sql, &[pg_sys::TEXTARRAYOID]).execute(&[persons.into_datum()]);
            let mut found: HashMap<String, HashSet<i64>> = HashMap::new();
            for row in 0..rows.len() {
                // SAFETY: both columns are texts.
                let text =
                    |column| unsafe { rows.get(row, column).0.and_then(|d| String::from_datum(d, false)) };
                if let (Some(person), Some(project)) = (text(1), text(2))
                    && let Ok(project) = project.parse()
                {
                    found.entry(person).or_default().insert(project);
                }
            }
            PersonsProjects::Of(found)
        })
    })
}
