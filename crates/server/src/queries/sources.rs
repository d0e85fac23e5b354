//! Event sources: the attached tables, attaching and detaching.

use serde_json::Value;
use tokio_postgres::Error;

use crate::database::Session;

/// An event source, as the arguments that create it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub event_type: String,
    /// The name with the schema.
    pub table: String,
    pub relation: u32,
    /// Whether `zentry_attach()` without arguments creates it.
    pub built_in: bool,
    /// A JSON object; keys with null are not guessed.
    pub columns: Value,
    pub condition: Option<String>,
    pub operation: Option<String>,
    pub audience: Value,
    pub done: Option<String>,
    pub omit: Vec<String>,
}

/// Returns the event sources by event type and table.
pub async fn list(session: &Session<'_>) -> Result<Vec<Source>, Error> {
    const SQL: &str = "SELECT s.event_type, s.table_name, s.relation, s.built_in, s.columns, s.condition, s.operation, s.audience, s.done, s.omit \
                         FROM zentry_notify.source_arguments() s ORDER BY s.event_type, s.table_name";
    let rows = session.query(SQL, &[]).await?;
    let sources = rows.iter().map(|row| Source {
        event_type: row.get(0),
        table: row.get(1),
        relation: row.get(2),
        built_in: row.get(3),
        columns: row.get(4),
        condition: row.get(5),
        operation: row.get(6),
        audience: row.get(7),
        done: row.get(8),
        omit: row.get(9),
    });
    Ok(sources.collect())
}

/// Returns the OID of a table, if it exists.
pub async fn relation(session: &Session<'_>, table: &str) -> Result<Option<u32>, Error> {
    const SQL: &str = "SELECT to_regclass($1::text)::oid";
    let row = session.query_one(SQL, &[&table]).await?;
    Ok(row.get(0))
}

/// The given arguments of an event source; `None`: guessed.
#[derive(Clone, Debug, Default)]
pub struct Attachment {
    pub columns: Value,
    pub condition: Option<String>,
    pub operation: Option<String>,
    pub audience: Option<Value>,
    pub done: Option<String>,
}

pub async fn attach(
    session: &Session<'_>,
    event_type: &str,
    relation: u32,
    given: &Attachment,
) -> Result<(), Error> {
    const SQL: &str = "SELECT count(*) FROM zentry_attach($1::text, $2::oid::regclass, $3::jsonb, $4::text, $5::text, $6::jsonb, $7::text)";
    let Attachment {
        columns,
        condition,
        operation,
        audience,
        done,
    } = given;
    session
        .query_one(
            SQL,
            &[
                &event_type,
                &relation,
                columns,
                condition,
                operation,
                audience,
                done,
            ],
        )
        .await
        .map(drop)
}

/// Attaches Zentry's own tables, and returns event type, table and state of each.
pub async fn attach_all(session: &Session<'_>) -> Result<Vec<(String, String, String)>, Error> {
    const SQL: &str = "SELECT a.event_type, a.relation, a.state FROM zentry_attach() a";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect())
}

pub async fn detach(session: &Session<'_>, event_type: &str, relation: u32) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_detach($2::oid::regclass, $1::text)::text";
    session.query_one(SQL, &[&event_type, &relation]).await.map(drop)
}

pub async fn omit(
    session: &Session<'_>,
    event_type: &str,
    relation: u32,
    keys: &[String],
) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_omit($1::text, $2::oid::regclass, $3::text[])::text";
    session
        .query_one(SQL, &[&event_type, &relation, &keys])
        .await
        .map(drop)
}
