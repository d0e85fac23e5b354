//! The projects of the persons whom events are about.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use pgrx::prelude::*;

use super::attached::{Attached, Found, Patience};
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

/// Prepared statements of the sources whose events are about persons.
#[derive(Default)]
pub struct Persons(HashMap<i64, Prepared>);

struct Prepared {
    attached: Attached,
    /// None: no table says which projects a person belongs to.
    plan: Option<Plan>,
}

impl Prepared {
    fn new(source: &Source) -> Result<Prepared, Failure> {
        let memberships = person_of(source).map(|(_, memberships)| memberships);
        let memberships = memberships.into_iter().flatten();
        let names = memberships.map(|membership| membership.from.clone()).collect();
        let attached = limited::limited(LIMIT, || Attached::look(source.relation, names, Patience::Waits))?;
        let Some(attached) = attached else {
            return Err(Failure::Lasting("the attached table does not exist".to_owned()));
        };
        let sql = person_of(source).and_then(|(column, memberships)| sql(&attached, &column, memberships));
        let prepare = |sql: String| {
            limited::as_owner(attached.owner, LIMIT, || {
                with_spi(|spi| Plan::prepare(spi, &sql, &[pg_sys::TEXTARRAYOID]))
            })
        };
        let plan = sql.map(prepare).transpose()?;
        Ok(Prepared { attached, plan })
    }
}

/// The statement that finds the projects of the persons `$1`.
fn sql(attached: &Attached, column: &ColumnRef, memberships: &[Membership]) -> Option<String> {
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
    (!tables.is_empty()).then(|| {
        format!(
            "SELECT e.person, m.project FROM unnest($1) AS e (person) CROSS JOIN LATERAL ({}) AS m LIMIT {MAX_ROWS}",
            tables.join(" UNION ALL ")
        )
    })
}

impl Persons {
    /// The configuration has changed.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Reads the projects of these persons, in one statement, as the owner of the attached table.
    pub fn projects(&mut self, source: &Source, persons: Vec<String>) -> Result<PersonsProjects, Failure> {
        let id = source.definition.id;
        if let Some(prepared) = self.0.get(&id)
            && !limited::limited(LIMIT, || prepared.attached.lock_again())?
        {
            self.0.remove(&id);
        }
        let prepared = match self.0.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Prepared::new(source)?),
        };
        let Some(plan) = &prepared.plan else {
            return Ok(PersonsProjects::Everybody);
        };
        limited::as_owner(prepared.attached.owner, LIMIT, || read(plan, persons))
    }
}

fn read(plan: &Plan, persons: Vec<String>) -> PersonsProjects {
    with_spi(|spi| {
        let rows = plan.execute(spi, &[persons.into()]);
        let mut found: HashMap<String, HashSet<i64>> = HashMap::new();
        for row in 0..rows.len() {
            let text = |column| rows.get::<String>(row, column);
            if let (Some(person), Some(project)) = (text(1), text(2))
                && let Ok(project) = project.parse()
            {
                found.entry(person).or_default().insert(project);
            }
        }
        PersonsProjects::Of(found)
    })
}
