//! The JSON of `event_source`: how a row becomes an event's data, the audience, progress and transition; and the statements that look up what the row
//! lacks.

use serde::Deserialize;
use serde_json::Value;

/// Where one value of the event's data comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Expression {
    /// A column of the row.
    Column(String),
    Lookup(Lookup),
    Constant {
        value: Value,
    },
    /// A column's value before the write.
    Old {
        old: String,
    },
    /// SQL over the row `new`, with every name qualified, and the columns that it reads.
    Sql {
        expression: String,
        columns: Vec<String>,
    },
}

/// A look-up: `column` of the row of the table `from` whose column `match` equals `key`.
#[derive(Clone, Debug, Deserialize)]
pub struct Lookup {
    pub from: String,
    pub r#match: String,
    pub key: Box<Key>,
    pub column: String,
}

/// The key of a look-up: a column of the written row, or what another look-up finds.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Key {
    Column(String),
    Lookup(Lookup),
}

/// The audience of the event: `event_source.audience`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// The webhooks of the project that this key of the data has, and those of every project.
    Project { project: String },
    /// The webhooks of the projects of the person that this key of the data has, and those of every project.
    Person {
        person: String,
        projects: Vec<Membership>,
    },
    /// Every webhook that subscribes.
    All {
        #[serde(rename = "all")]
        _all: bool,
    },
}

/// A table that says which projects (`column`) a person (`match`) belongs to.
#[derive(Clone, Debug, Deserialize)]
pub struct Membership {
    pub from: String,
    pub r#match: String,
    pub column: String,
}

/// What counts as a project's progress: `event_source.progress`.
#[derive(Clone, Debug, Deserialize)]
pub struct Progress {
    /// The column of the project.
    pub group: String,
    /// The column of the status.
    pub status: String,
    /// The status of a completed task, as text.
    pub done: String,
}

/// How a write changed a project's tasks: an element of `progress` in `event.context`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProgressNote {
    /// The id of the source of milestones; None: the event's own source.
    pub source: Option<i64>,
    /// The project's id, as text.
    pub project: String,
    /// The change of the project's number of completed tasks. A task that is reopened does not change it: progress that falls fires nothing.
    pub done: i32,
    /// The change of the project's number of tasks.
    pub total: i32,
}

/// The change that a write has to make for the event to fire: `event_source.transition`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Transition {
    /// The column gets this value, which is given as text.
    Becomes { column: String, to: String },
    /// The column becomes greater, or is greater than 0 in a new row.
    Rises {
        column: String,
        #[serde(rename = "rises")]
        _rises: bool,
    },
}

/// Returns a table's name, qualified and quoted. It raises an error if the table does not exist.
pub type Resolve<'a> = &'a dyn Fn(&str) -> String;

impl Lookup {
    /// Returns the column of the written row that the chain of look-ups starts from.
    pub fn root(&self) -> &str {
        match &*self.key {
            Key::Column(name) => name,
            Key::Lookup(inner) => inner.root(),
        }
    }

    /// Returns the look-up as a scalar subquery, in which the value of the root is the parameter of that number.
    pub fn sql(&self, parameter: usize, resolve: Resolve) -> String {
        let key = match &*self.key {
            Key::Column(_) => format!("${parameter}"),
            Key::Lookup(inner) => inner.sql(parameter, resolve),
        };
        format!(
            "(SELECT t.{column} FROM {from} t WHERE t.{matched} OPERATOR(pg_catalog.=) {key} LIMIT 1)",
            column = quote(&self.column),
            from = resolve(&self.from),
            matched = quote(&self.r#match),
        )
    }
}

/// Returns the statement that selects, of the projects in `$2`, those that person `$1` belongs to.
pub fn memberships_sql(memberships: &[Membership], resolve: Resolve) -> String {
    let belongs: Vec<String> = memberships
        .iter()
        .map(|m| {
            format!(
                "EXISTS (SELECT FROM {from} m WHERE m.{person} OPERATOR(pg_catalog.=) $1 AND m.{project} OPERATOR(pg_catalog.=) p)",
                from = resolve(&m.from),
                person = quote(&m.r#match),
                project = quote(&m.column),
            )
        })
        .collect();
    format!(
        "SELECT p FROM pg_catalog.unnest($2) p WHERE {}",
        belongs.join(" OR ")
    )
}

fn quote(identifier: &str) -> String {
    pgrx::spi::quote_identifier(identifier)
}
