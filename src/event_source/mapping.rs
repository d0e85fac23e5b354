//! How a row becomes an event's data: `event_source.columns`, and the statement that looks up what the row lacks.

use serde::Deserialize;
use serde_json::Value;

/// Where one value of the event's data comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Expression {
    Column(String),
    Lookup(Lookup),
    Constant {
        value: Value,
    },
    /// A column as it was before the write.
    Old {
        old: String,
    },
    /// SQL over the row `new`, with every name qualified, and the columns that it names.
    Sql {
        expression: String,
        columns: Vec<String>,
    },
}

/// `column` of the row of `from` whose column `match` equals `key`.
#[derive(Clone, Debug, Deserialize)]
pub struct Lookup {
    pub from: String,
    pub r#match: String,
    pub key: Box<Key>,
    pub column: String,
}

/// What a lookup goes by: a column of the written row, or what another lookup finds.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Key {
    Column(String),
    Lookup(Lookup),
}

/// Who hears of the event: `event_source.audience`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    Project {
        project: String,
    },
    Person {
        person: String,
        projects: Vec<Membership>,
    },
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

/// How far a project has come: `event_source.progress`.
#[derive(Clone, Debug, Deserialize)]
pub struct Progress {
    pub group: String,
    pub status: String,
    pub done: String,
}

/// How a write changed a project's tasks: an element of `progress` in `event.context`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProgressNote {
    /// The source of milestones; None: the event's own source.
    pub source: Option<i64>,
    /// The project's id, as text.
    pub project: String,
    /// Tasks that were completed (negative: that are not any more).
    pub done: i32,
    /// Tasks that came (negative: that went).
    pub total: i32,
}

/// What a write has to change for the event to fire: `event_source.transition`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Transition {
    /// What a column has to become, as text. Before 0.2.0, the triggers asked themselves.
    Becomes { column: String, to: String },
    /// An integer has to become greater, or to be greater than 0 in a new row.
    Rises {
        column: String,
        #[serde(rename = "rises")]
        _rises: bool,
    },
}

/// Gives a table's name, qualified and quoted, or an error when it does not exist.
pub type Resolve<'a> = &'a dyn Fn(&str) -> String;

impl Lookup {
    /// The column of the written row that the chain of lookups starts from.
    pub fn root(&self) -> &str {
        match &*self.key {
            Key::Column(name) => name,
            Key::Lookup(inner) => inner.root(),
        }
    }

    /// A scalar subquery; `parameter` stands for the root's value.
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

/// The statement that picks, of the projects in `$2`, those that person `$1` belongs to.
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
