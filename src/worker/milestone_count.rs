//! Counting the tasks of projects, with the rights of their table's owner, and finding the milestones that were reached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use serde_json::{Map, Value};
use webhook::apart::{Credit, Fault, Trial, divide};

use super::attached::{Attached, Patience};
use super::limited::{self, Failure};
use super::lock_waits::on_credit;
use super::source::Source;
use crate::acting_as::ActingAs;
use crate::event_source::{Expression, Progress};
use crate::pg::time_limit::Numbered;
use crate::plan::{Plan, with_spi};
use crate::settings;

/// The time limit for looking at the table, and for a project by itself.
const LIMIT: Duration = Duration::from_secs(2);

/// How events have changed a project's tasks since they were last counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    pub done: i64,
    pub total: i64,
}

/// A source of milestones, and a project's id as text.
pub type Project = (i64, String);

/// The progress of a project that is higher than ever before.
#[derive(Clone, Default)]
pub struct Derived {
    pub reached: u8,
    /// Data and context of the events that are to be written.
    pub events: Vec<(String, String)>,
}

/// Returns the highest progress that was recorded for each project.
fn highest(source: i64, projects: &[&str]) -> BTreeMap<String, u8> {
    const SQL: &str = "SELECT p.project_key, p.highest FROM zentry_notify.project_progress p \
                       WHERE p.event_source_id = $1 AND p.project_key = ANY ($2)";
    let _agent = ActingAs::agent();
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::INT8OID, pg_sys::TEXTARRAYOID])
            .execute(spi, &[source.into(), projects.to_vec().into()]);
        let entry = |row| {
            let project = rows.get::<String>(row, 1)?;
            let highest = rows.get::<i16>(row, 2)?;
            Some((project, u8::try_from(highest).ok()?))
        };
        (0..rows.len()).filter_map(entry).collect()
    })
}

/// The result of counting the projects of a source.
pub struct Counted {
    pub derived: Vec<(Project, Derived)>,
    /// Projects whose tasks cannot be counted.
    pub failed: Vec<String>,
    /// Projects for which no time was left.
    pub late: BTreeSet<String>,
}

/// Counts the tasks of the projects in `changes`. `unwritten` has the progress that is not in the table yet.
pub fn count_source(
    source: &Source,
    projects: &[(String, Change)],
    unwritten: &BTreeMap<Project, Derived>,
    credit: &mut Credit,
) -> Result<Counted, Failure> {
    let mut counted = Counted {
        derived: Vec::new(),
        failed: Vec::new(),
        late: BTreeSet::new(),
    };
    let Some(progress) = source
        .definition
        .progress
        .as_ref()
        .filter(|_| !source.is_left_out())
    else {
        return Ok(counted);
    };
    let _source = Numbered::new(source.definition.id, source.owner);
    if credit.is_spent(Instant::now()) {
        counted
            .late
            .extend(projects.iter().map(|(project, _)| project.clone()));
        return Ok(counted);
    }
    let look = || Attached::look(source.relation, Vec::new(), Patience::Waits);
    let Some(attached) = on_credit(credit, || limited::limited(LIMIT, look))? else {
        return Err(Failure::lasting("the attached table does not exist"));
    };
    let mut count = Count {
        source,
        attached: &attached,
        progress,
        tasks: BTreeMap::new(),
        counted: &mut counted,
        own_partitions: None,
    };
    if !attached.try_partitions(source.definition.id) {
        count.take_own_partitions();
    }
    divide(&mut count, projects, credit)?;
    let counts = count.tasks;
    let keys: Vec<&str> = projects.iter().map(|(project, _)| project.as_str()).collect();
    let before = highest(source.definition.id, &keys);
    let milestones = settings::milestones();
    for (project, change) in projects {
        let Some((total, done)) = counts.get(project) else {
            continue;
        };
        let reached = percent(*done, *total);
        // A milestone that was passed while no webhook listened is reported to nobody.
        let passed = percent(done - change.done, total - change.total);
        let key = (source.definition.id, project.clone());
        let unwritten = unwritten.get(&key).map(|derived| derived.reached);
        let known = before.get(project).copied().max(unwritten);
        let highest = known.map_or(passed, |highest| highest.max(passed));
        if known.is_some_and(|known| known >= reached) {
            continue;
        }
        let new = milestones.iter().filter(|m| highest < **m && **m <= reached);
        let events = new.map(|milestone| {
            (
                data(source, &attached, progress, project, *milestone, reached),
                serde_json::json!({"columns": {&progress.group: project}}).to_string(),
            )
        });
        let events = events.collect();
        counted.derived.push((key, Derived { reached, events }));
    }
    Ok(counted)
}

struct Count<'a> {
    source: &'a Source,
    attached: &'a Attached,
    progress: &'a Progress,
    /// The number of all tasks and of completed tasks, by project.
    tasks: BTreeMap<String, (i64, i64)>,
    counted: &'a mut Counted,
    /// The subquery that is read instead of the table, because the partitions of other owners cannot be read safely.
    own_partitions: Option<String>,
}

impl Count<'_> {
    fn take_own_partitions(&mut self) {
        let columns = [&self.progress.group, &self.progress.status];
        self.own_partitions = self.attached.own_partitions(columns.map(String::as_str));
    }

    fn of(&self, projects: &[&str], limit: Duration) -> Result<BTreeMap<String, (i64, i64)>, Failure> {
        let tasks = |table: &str| {
            limited::as_owner(self.attached.owner, limit, || {
                tasks(self.attached, self.progress, table, projects)
            })
        };
        match &self.own_partitions {
            Some(own) => tasks(own),
            None => tasks(&self.attached.name),
        }
    }
}

impl Trial<(String, Change)> for Count<'_> {
    type Failure = Failure;

    fn alone(&self) -> Duration {
        LIMIT
    }

    fn attempt(&mut self, projects: &[(String, Change)], limit: Duration) -> Result<(), Failure> {
        let keys: Vec<&str> = projects.iter().map(|(project, _)| project.as_str()).collect();
        let mut counted = self.of(&keys, limit);
        if matches!(counted, Err(Failure::Lasting(_) | Failure::Passing(_))) && self.own_partitions.is_none()
        {
            self.take_own_partitions();
            if self.own_partitions.is_some() {
                counted = self.of(&keys, limit);
            }
        }
        self.tasks.extend(counted?);
        Ok(())
    }

    fn is_late(failure: &Failure) -> bool {
        *failure == Failure::Late
    }

    fn hopeless(&mut self, _worked: bool) -> Option<Failure> {
        self.of(&[], LIMIT).err()
    }

    fn fail(&mut self, projects: &[(String, Change)], fault: Fault<Failure>, _until: Instant) {
        let keys = projects.iter().map(|(project, _)| project.clone());
        match fault {
            Fault::Theirs(failure) => {
                let first = projects.first().map_or("", |(project, _)| project.as_str());
                // A column of type text may hold anything.
                let first = match first.parse::<i64>() {
                    Ok(number) => format!("project {number}"),
                    Err(_) => "a project".to_owned(),
                };
                let others = match projects.len() {
                    0 | 1 => String::new(),
                    count => format!(" and {} others", count - 1),
                };
                pgrx::warning!(
                    "zentry_notify: the tasks of {first}{others} (event source {}) can't be counted: {}",
                    self.source.definition.id,
                    failure.reason_of_row()
                );
                self.counted.failed.extend(keys);
            }
            Fault::NoTime => self.counted.late.extend(keys),
            Fault::Everybodys(_) => {}
        }
    }
}

/// Returns the numbers of all tasks and of completed tasks of the projects. The caller has set the rights of the owner.
fn tasks(
    attached: &Attached,
    progress: &Progress,
    table: &str,
    projects: &[&str],
) -> BTreeMap<String, (i64, i64)> {
    let quote = pgrx::spi::quote_identifier::<&str>;
    let sql = format!(
        "SELECT p.project, c.total, c.done FROM unnest($1) AS p (project) CROSS JOIN LATERAL (\
           SELECT count(*) AS total, count(*) FILTER (WHERE t.{status} {equals} $2::{status_type}) AS done \
           FROM {table} t WHERE t.{group} OPERATOR(pg_catalog.=) p.project::{group_type}) AS c",
        status = quote(&progress.status),
        equals = attached.equality_of(&progress.status),
        status_type = attached.type_name(&progress.status),
        group = quote(&progress.group),
        group_type = attached.type_name(&progress.group),
    );
    with_spi(|spi| {
        let rows = Plan::prepare(spi, &sql, &[pg_sys::TEXTARRAYOID, pg_sys::TEXTOID])
            .execute(spi, &[projects.to_vec().into(), progress.done.as_str().into()]);
        let count = |row| {
            let number = |column| rows.get::<i64>(row, column);
            let project = rows.get::<String>(row, 1)?;
            Some((project, (number(2)?, number(3)?)))
        };
        (0..rows.len()).filter_map(count).collect()
    })
}

/// Returns the event's data as far as the project's id gives them. The rest is looked up when the event is routed.
fn data(
    source: &Source,
    attached: &Attached,
    progress: &Progress,
    project: &str,
    milestone: u8,
    reached: u8,
) -> String {
    let is_integer = matches!(
        attached.type_oid(&progress.group),
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID
    );
    let id = match project.parse::<i64>() {
        Ok(number) if is_integer => Value::from(number),
        _ => Value::from(project),
    };
    let mut data = Map::new();
    for (key, expression) in &source.definition.columns {
        match expression {
            Expression::Column(name) if *name == progress.group => drop(data.insert(key.clone(), id.clone())),
            Expression::Column(_) | Expression::Old { .. } => drop(data.insert(key.clone(), Value::Null)),
            Expression::Constant { value } => drop(data.insert(key.clone(), value.clone())),
            Expression::Lookup(_) | Expression::Sql { .. } => {}
        }
    }
    data.insert(
        "milestone_name".to_owned(),
        format!("{milestone}% Project Completion").into(),
    );
    data.insert("progress".to_owned(), reached.into());
    data.retain(|key, _| !source.definition.omit.contains(key));
    Value::Object(data).to_string()
}

/// Returns whole per cent, rounded down: 100 means all.
fn percent(done: i64, total: i64) -> u8 {
    if total <= 0 {
        return 0;
    }
    (i128::from(done.clamp(0, total)) * 100 / i128::from(total)) as u8
}
