//! The log of deliveries, newest first. It may have millions of rows, so pages are found by key where a key is known, and counts
//! are the planner's estimate where counting would take long.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use crate::database::Session;

/// A delivery of one event to one webhook, in the shape of Zentry's serializer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entry {
    pub id: i64,
    /// The integration's id
    pub webhook_integration: i64,
    pub webhook_integration_name: Option<String>,
    /// `discord` or `teams`
    pub webhook_type: Option<String>,
    pub event_type: String,
    /// The event's data
    #[schema(value_type = Object)]
    pub payload: Value,
    /// `pending`, `retry` (waits to be tried again), `sent` or `failed`
    pub status: String,
    /// The HTTP status of the last answer; null: none came
    pub response_status_code: Option<i32>,
    /// The first 1000 characters of the last answer
    pub response_body: String,
    /// What went wrong; empty when nothing did
    pub error_message: String,
    /// How often it was sent anew by hand
    pub retry_count: i32,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
}

const COLUMNS: &str = "l.id, l.webhook_integration_id, l.webhook_integration_name, l.webhook_type, l.event_type, l.payload, l.status, \
                       l.response_status_code, l.response_body, l.error_message, l.retry_count, l.created_at, l.sent_at";

impl From<&Row> for Entry {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            webhook_integration: row.get("webhook_integration_id"),
            webhook_integration_name: row.get("webhook_integration_name"),
            webhook_type: row.get("webhook_type"),
            event_type: row.get("event_type"),
            payload: row.get("payload"),
            status: row.get("status"),
            response_status_code: row.get("response_status_code"),
            response_body: row.get("response_body"),
            error_message: row.get("error_message"),
            retry_count: row.get("retry_count"),
            created_at: row.get("created_at"),
            sent_at: row.get("sent_at"),
        }
    }
}

/// What has become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Status {
    Pending,
    Retry,
    Sent,
    Failed,
}

impl Status {
    pub const NAMES: &[&str] = &["pending", "retry", "sent", "failed"];

    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Retry, Self::Sent, Self::Failed];
        all.into_iter().find(|status| status.name() == name)
    }

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// Which deliveries are asked for; none: all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub webhook_integration: Option<i64>,
    pub webhook_type: Option<String>,
    pub event_type: Option<String>,
    pub status: Option<Status>,
}

/// Where a page of the log starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// So many rows from the newest one.
    Offset(i64),
    /// With what is older than this delivery.
    Before(i64),
    /// So that it ends before this delivery: what is newer than it.
    After(i64),
}

/// Rows in sight, newest first, and whether there are older ones.
#[derive(Debug)]
pub struct Window {
    pub entries: Vec<Entry>,
    pub more: bool,
}

/// Conditions with their values.
#[derive(Default)]
struct Conditions<'a> {
    sql: Vec<String>,
    values: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Conditions<'a> {
    fn of(filter: &'a Filter) -> Self {
        let mut conditions = Self::default();
        if let Some(id) = &filter.webhook_integration {
            conditions.push("l.webhook_integration_id =", id);
        }
        if let Some(name) = &filter.webhook_type {
            conditions.push("l.webhook_type =", name);
        }
        if let Some(name) = &filter.event_type {
            conditions.push("l.event_type =", name);
        }
        if let Some(status) = filter.status {
            // Literal: the planner has to see which partial index it means.
            conditions.sql.push(format!("l.status = '{}'", status.name()));
        }
        conditions
    }

    fn push(&mut self, comparison: &str, value: &'a (dyn ToSql + Sync)) {
        self.values.push(value);
        self.sql.push(format!("{comparison} ${}", self.values.len()));
    }

    fn clause(&self) -> String {
        if self.sql.is_empty() {
            return String::new();
        }
        format!("WHERE {}", self.sql.join(" AND "))
    }
}

/// At most `limit` deliveries.
pub async fn list(session: &Session<'_>, filter: &Filter, start: Start, limit: i64) -> Result<Window, Error> {
    let (key, offset) = match start {
        Start::Offset(offset) => (0, offset),
        Start::Before(id) | Start::After(id) => (id, 0),
    };
    let mut conditions = Conditions::of(filter);
    let order = match start {
        Start::After(_) => "ASC",
        Start::Offset(_) | Start::Before(_) => "DESC",
    };
    match start {
        Start::Offset(_) => {}
        Start::Before(_) => conditions.push("l.id <", &key),
        Start::After(_) => conditions.push("l.id >", &key),
    }
    let one_more = limit.saturating_add(1);
    let (limit_at, offset_at) = (conditions.values.len() + 1, conditions.values.len() + 2);
    // Each kind has an index of its own, by integration and id; no index has both.
    let kinds: &[&str] = match (filter.webhook_integration, filter.status) {
        (Some(_), None) => &[
            "l.status IN ('pending', 'retry')",
            "l.status IN ('sent', 'failed')",
        ],
        _ => &["true"],
    };
    let branches: Vec<String> = kinds
        .iter()
        .map(|kind| {
            conditions.sql.push((*kind).to_owned());
            let clause = conditions.clause();
            conditions.sql.pop();
            format!("(SELECT l.id FROM zentry_notify.logs l {clause} ORDER BY l.id {order} LIMIT ${limit_at}::bigint + ${offset_at}::bigint)")
        })
        .collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM zentry_notify.logs l \
          WHERE l.id IN (SELECT found.id FROM ({}) found ORDER BY found.id {order} LIMIT ${limit_at} OFFSET ${offset_at}) \
          ORDER BY l.id DESC",
        branches.join(" UNION ALL ")
    );
    conditions.values.push(&one_more);
    conditions.values.push(&offset);
    let rows = session.query(&sql, &conditions.values).await?;
    let mut entries: Vec<Entry> = rows.iter().map(Entry::from).collect();
    let full = entries.len() as i64 > limit;
    let more = match start {
        Start::After(_) => {
            if full {
                entries.remove(0); // the newest: it is on a page before this one
            }
            true
        }
        Start::Offset(_) | Start::Before(_) => {
            entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            full
        }
    };
    Ok(Window { entries, more })
}

pub async fn get(session: &Session<'_>, id: i64) -> Result<Option<Entry>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM zentry_notify.logs l WHERE l.id = $1");
    let rows = session.query(&sql, &[&id]).await?;
    Ok(rows.first().map(Entry::from))
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exact(i64),
    Estimate(i64),
}

/// The exact number where the planner thinks that counting is cheap, else what it thinks.
pub async fn count(session: &Session<'_>, filter: &Filter) -> Result<Count, Error> {
    // In the planner's unit, a page read in sequence: some ten milliseconds.
    const CHEAP: f64 = 5_000.0;
    let conditions = Conditions::of(filter);
    let from = format!("FROM zentry_notify.logs l {}", conditions.clause());
    let plan = session
        .query_one(
            &format!("EXPLAIN (FORMAT JSON) SELECT l.id {from}"),
            &conditions.values,
        )
        .await?;
    let plan: Value = plan.get(0);
    let number = |name: &str| plan.pointer(&format!("/0/Plan/{name}")).and_then(Value::as_f64);
    if let (Some(rows), Some(cost)) = (number("Plan Rows"), number("Total Cost"))
        && cost > CHEAP
    {
        return Ok(Count::Estimate(rows as i64));
    }
    let row = session
        .query_one(&format!("SELECT count(*) {from}"), &conditions.values)
        .await?;
    Ok(Count::Exact(row.get(0)))
}

/// Send it again; the id of the delivery that does, and its status.
pub async fn retry(session: &Session<'_>, id: i64) -> Result<(i64, String), Error> {
    let row = session
        .query_one("SELECT zentry_retry($1::bigint)", &[&id])
        .await?;
    let new_id: i64 = row.get(0);
    let row = session
        .query_one("SELECT status FROM zentry_notify.logs WHERE id = $1", &[&new_id])
        .await?;
    Ok((new_id, row.get(0)))
}
