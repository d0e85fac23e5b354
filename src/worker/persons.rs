//! The projects of the persons that events are about.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::apart::{Credit, Fault, Trial, divide};

use super::attached::{self, Attached, Patience};
use super::limited::{self, Failure};
use super::lock_waits::on_credit;
use super::source::{Source, Suspension, Weight};
use crate::event_source::{Audience, ColumnRef, Expression, Membership};
use crate::pg::time_limit::Numbered;
use crate::plan::{Plan, with_spi};
use crate::subtransaction;

/// The time limit for looking at the tables.
const LIMIT: Duration = Duration::from_secs(2);
/// The time limit for one person, after a page of persons has taken too long.
const LIMIT_ALONE: Duration = Duration::from_secs(1);
/// The most memberships that are read at once.
const MAX_ROWS: usize = 200_000;

/// Whose webhooks hear the events of a source about persons.
pub enum PersonsProjects {
    /// All of them: no table says which projects a person belongs to.
    Everybody,
    Of {
        found: Found,
        /// Why the projects of some persons are unknown.
        failure: Option<String>,
    },
}

type Found = HashMap<String, HashSet<i64>>;

/// Returns the column that says whom a source's events are about, and the tables of memberships. None: the source has another audience.
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

/// The prepared statements of the sources whose events are about persons.
#[derive(Default)]
pub struct Persons {
    prepared: HashMap<i64, Prepared>,
    /// What is wrong with sources, to be written.
    pub remarks: Vec<Suspension>,
}

struct Prepared {
    attached: Attached,
    /// The statement. None: no table says which projects a person belongs to.
    plan: Option<Plan>,
    /// Why tables of memberships that exist are not read.
    refusals: Vec<String>,
}

impl Prepared {
    fn new(source: &Source) -> Result<Prepared, Failure> {
        let memberships = person_of(source).map(|(_, memberships)| memberships);
        let memberships = memberships.into_iter().flatten();
        let names = memberships.map(|membership| membership.from.clone()).collect();
        let attached = limited::limited(LIMIT, || Attached::look(source.relation, names, Patience::Waits))?;
        let Some(attached) = attached else {
            return Err(Failure::lasting("the attached table does not exist"));
        };
        attached.try_others(source.definition.id);
        let sql = person_of(source).and_then(|(column, memberships)| sql(&attached, &column, memberships));
        let prepare = |sql: String| {
            limited::as_owner(attached.owner, LIMIT, || {
                with_spi(|spi| Plan::prepare(spi, &sql, &[pg_sys::TEXTARRAYOID]))
            })
        };
        let plan = sql.map(prepare).transpose()?;
        let refusals = attached.refusals();
        Ok(Prepared {
            attached,
            plan,
            refusals,
        })
    }

    fn remark(&self, source: i64) -> Option<Suspension> {
        (!self.refusals.is_empty()).then(|| Suspension {
            source,
            reason: format!("told to webhooks of fewer projects: {}", self.refusals.join("; ")),
            weight: Weight::Remark,
        })
    }
}

/// Returns the statement that selects the projects of the persons `$1`.
fn sql(attached: &Attached, column: &ColumnRef, memberships: &[Membership]) -> Option<String> {
    let quote = pgrx::spi::quote_identifier::<&str>;
    let tables: Vec<String> = memberships
        .iter()
        .filter_map(|membership| match attached.looked_up(&membership.from) {
            attached::Found::Table(table) => Some(format!(
                "SELECT m.{}::text AS project FROM {} m WHERE m.{} OPERATOR(pg_catalog.=) e.person::{}",
                quote(&membership.column),
                table.name,
                quote(&membership.r#match),
                attached.type_name(&column.name),
            )),
            attached::Found::Missing(_) | attached::Found::Refused(_) => None,
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
    /// Forgets all statements, since the configuration has changed.
    pub fn forget(&mut self) {
        self.prepared.clear();
    }

    /// Reads the projects of these persons, as the owner of the attached table. Persons whose projects cannot be read hold up no others.
    pub fn projects(
        &mut self,
        source: &Source,
        persons: Vec<String>,
        credit: &mut Credit,
    ) -> Result<PersonsProjects, Failure> {
        let id = source.definition.id;
        if source.is_unending() {
            return Ok(PersonsProjects::Of {
                found: Found::new(),
                failure: None,
            });
        }
        let _source = Numbered::new(id, source.owner);
        if credit.is_spent(Instant::now()) {
            return Err(Failure::Late);
        }
        on_credit(credit, || self.make_ready(source))?;
        let Some(prepared) = self.prepared.get(&id) else {
            return Err(Failure::Late);
        };
        let Some(plan) = &prepared.plan else {
            return Ok(match prepared.refusals.first() {
                None => PersonsProjects::Everybody,
                // There are tables of memberships that are not read: that is no reason to tell all webhooks.
                Some(_) => PersonsProjects::Of {
                    found: Found::new(),
                    failure: Some(prepared.refusals.join("; ")),
                },
            });
        };
        let mut search = Search {
            plan,
            owner: prepared.attached.owner,
            found: HashMap::new(),
            failure: None,
        };
        divide(&mut search, &persons, credit)?;
        Ok(PersonsProjects::Of {
            found: search.found,
            failure: search.failure,
        })
    }

    /// Prepares the source's statement, if need be, and locks what it reads.
    fn make_ready(&mut self, source: &Source) -> Result<(), Failure> {
        let id = source.definition.id;
        if let Some(prepared) = self.prepared.get(&id)
            && !limited::limited(LIMIT, || prepared.attached.lock_again())?
        {
            self.prepared.remove(&id);
        }
        if let Entry::Vacant(new) = self.prepared.entry(id) {
            let prepared = Prepared::new(source)?;
            self.remarks.extend(prepared.remark(id));
            new.insert(prepared);
        }
        Ok(())
    }
}

struct Search<'a> {
    plan: &'a Plan,
    owner: pg_sys::Oid,
    found: Found,
    failure: Option<String>,
}

impl Trial<String> for Search<'_> {
    type Failure = Failure;

    fn alone(&self) -> Duration {
        LIMIT_ALONE
    }

    fn attempt(&mut self, persons: &[String], limit: Duration) -> Result<(), Failure> {
        let (found, rows) = limited::as_owner(self.owner, limit, || read(self.plan, persons))?;
        if rows >= MAX_ROWS && persons.len() > 1 {
            // One person may have all of them.
            return Err(Failure::Data(subtransaction::sqlstate(
                PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            )));
        }
        self.found
            .extend(persons.iter().map(|person| (person.clone(), HashSet::new())));
        self.found.extend(found);
        Ok(())
    }

    fn is_late(failure: &Failure) -> bool {
        *failure == Failure::Late
    }

    fn hopeless(&mut self, _worked: bool) -> Option<Failure> {
        let without_persons = limited::as_owner(self.owner, LIMIT_ALONE, || read(self.plan, &[]));
        without_persons.err()
    }

    fn fail(&mut self, _persons: &[String], fault: Fault<Failure>, _until: Instant) {
        self.failure = Some(match fault {
            Fault::Theirs(failure) => failure.reason_of_row(),
            Fault::Everybodys(failure) => failure.reason(),
            Fault::NoTime => Failure::Late.reason(),
        });
    }
}

/// Returns the projects of the persons, and how many memberships were read.
fn read(plan: &Plan, persons: &[String]) -> (Found, usize) {
    with_spi(|spi| {
        let rows = plan.execute(spi, &[persons.to_vec().into()]);
        let mut found = Found::new();
        for row in 0..rows.len() {
            let text = |column| rows.get::<String>(row, column);
            if let (Some(person), Some(project)) = (text(1), text(2))
                && let Ok(project) = project.parse()
            {
                found.entry(person).or_default().insert(project);
            }
        }
        (found, rows.len())
    })
}
