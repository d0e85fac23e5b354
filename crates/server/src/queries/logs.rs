//! The log of deliveries, newest first. It may have millions of rows, so the extension finds the ids of a page by an index, and counts are the
//! planner's estimate where counting would take long.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use super::integrations;
use crate::database::Session;

/// A delivery of one event to one webhook, in the shape of Zentry's serializer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entry {
    pub id: i64,
    /// The integration's id
    pub webhook_integration: i64,
    pub webhook_integration_name: Option<String>,
    /// `discord`, `teams`, `slack`, `google_chat` or `mattermost`
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
    /// The delivery that repeats this one, which failed. Clients do not ask for it.
    #[serde(skip)]
    pub retried_as: Option<i64>,
}

impl Entry {
    /// Failed, and not sent again yet, or waits to be tried again.
    pub fn can_be_retried(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "retry") && self.retried_as.is_none()
    }
}

const COLUMNS: &str = "l.id, l.webhook_integration_id, l.webhook_integration_name, l.webhook_type, l.event_type, l.payload, l.status, \
                       l.response_status_code, l.response_body, l.error_message, l.retry_count, l.created_at, l.sent_at, l.retried_as";

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
            retried_as: row.get("retried_as"),
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

/// Conditions of a filter, with their values.
struct Conditions {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    fn of(filter: &Filter, webhooks: Option<&[i64]>) -> Self {
        let mut conditions = Self {
            sql: vec!["true".to_owned()],
            values: Vec::new(),
        };
        if let Some(ids) = webhooks {
            conditions.push("l.webhook_integration_id = ANY ($::bigint[])", ids.to_vec());
        }
        if let Some(name) = &filter.event_type {
            conditions.push("l.event_type = $::text", name.clone());
        }
        // Literal: the planner has to see which partial index it means.
        match filter.status {
            Some(status @ (Status::Pending | Status::Retry)) => {
                let name = status.name();
                conditions.sql.push(format!(
                    "l.status IN ('pending', 'retry') AND l.status = '{name}'"
                ));
            }
            Some(status) => conditions.sql.push(format!("l.status = '{}'", status.name())),
            None => {}
        }
        conditions
    }

    /// A condition with one value, which stands where the `$` is.
    fn push(&mut self, condition: &str, value: impl ToSql + Sync + Send + 'static) {
        let parameter = self.parameter(value);
        self.sql.push(condition.replace('$', &parameter));
    }

    /// The name of a value in the statement.
    fn parameter(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// The ids that fit.
    fn ids(&self) -> String {
        format!(
            "SELECT l.id FROM zentry_notify.logs l WHERE {}",
            self.sql.join(" AND ")
        )
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
            .collect()
    }
}

/// The webhooks that a filter lets through; none: all.
async fn webhooks(session: &Session<'_>, filter: &Filter) -> Result<Option<Vec<i64>>, Error> {
    let id = filter.webhook_integration;
    let Some(name) = &filter.webhook_type else {
        return Ok(id.map(|id| vec![id]));
    };
    let ids = integrations::ids_of_type(session, name).await?;
    let ids = ids
        .into_iter()
        .filter(|of_type| id.is_none_or(|id| id == *of_type));
    Ok(Some(ids.collect()))
}

/// At most `limit` deliveries.
pub async fn list(session: &Session<'_>, filter: &Filter, start: Start, limit: i64) -> Result<Window, Error> {
    const IDS: &str = "SELECT id FROM zentry_notify.log_ids($1::bigint[], $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint + $7::bigint) AS id \
                        ORDER BY id DESC OFFSET $7::bigint";
    let (before, after, offset) = match start {
        Start::Offset(offset) => (None, None, offset),
        Start::Before(id) => (Some(id), None, 0),
        Start::After(id) => (None, Some(id), 0),
    };
    // One more than wanted tells whether there is another page.
    let rows = limit.saturating_add(1);
    let webhooks = webhooks(session, filter).await?;
    let status = filter.status.map(Status::name);
    let ids = session
        .query(
            IDS,
            &[
                &webhooks,
                &filter.event_type,
                &status,
                &before,
                &after,
                &rows,
                &offset,
            ],
        )
        .await?;
    let ids: Vec<i64> = ids.iter().map(|row| row.get(0)).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM zentry_notify.logs l WHERE l.id = ANY ($1::bigint[]) ORDER BY l.id DESC"
    );
    let found = session.query(&sql, &[&ids]).await?;
    let mut entries: Vec<Entry> = found.iter().map(Entry::from).collect();
    let one_more = entries.len() as i64 > limit;
    let more = match start {
        Start::After(_) => {
            if one_more {
                entries.remove(0); // the newest: it is on a page before this one
            }
            true
        }
        Start::Offset(_) | Start::Before(_) => {
            if one_more {
                entries.pop();
            }
            one_more
        }
    };
    Ok(Window { entries, more })
}

pub async fn get(session: &Session<'_>, id: i64) -> Result<Option<Entry>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM zentry_notify.logs l WHERE l.id = $1");
    let rows = session.query(&sql, &[&id]).await?;
    Ok(rows.first().map(Entry::from))
}

/// A delivery with what its clients do not ask for.
#[derive(Clone, Debug)]
pub struct Detail {
    pub entry: Entry,
    pub attempts: i32,
    pub next_attempt_at: Option<Timestamp>,
    /// The failed delivery that this one repeats
    pub retry_of: Option<i64>,
}

pub async fn detail(session: &Session<'_>, id: i64) -> Result<Option<Detail>, Error> {
    let sql = format!(
        "SELECT {COLUMNS}, l.attempts, l.next_attempt_at, l.retry_of FROM zentry_notify.logs l WHERE l.id = $1"
    );
    let rows = session.query(&sql, &[&id]).await?;
    Ok(rows.first().map(|row| Detail {
        entry: row.into(),
        attempts: row.get("attempts"),
        next_attempt_at: row.get("next_attempt_at"),
        retry_of: row.get("retry_of"),
    }))
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exact(i64),
    Estimate(i64),
}

/// The exact number where the planner thinks that counting is cheap, else what it thinks.
pub async fn count(session: &Session<'_>, filter: &Filter) -> Result<Count, Error> {
    // In the planner's unit, a page read in sequence: a few milliseconds, some 50,000 rows by an index.
    const CHEAP: f64 = 1_000.0;
    let webhooks = webhooks(session, filter).await?;
    let conditions = Conditions::of(filter, webhooks.as_deref());
    let ids = conditions.ids();
    let plan = session
        .query_one(&format!("EXPLAIN (FORMAT JSON) {ids}"), &conditions.values())
        .await?;
    let plan: Value = plan.get(0);
    let number = |name: &str| plan.pointer(&format!("/0/Plan/{name}")).and_then(Value::as_f64);
    if let (Some(rows), Some(cost)) = (number("Plan Rows"), number("Total Cost"))
        && cost > CHEAP
    {
        return Ok(Count::Estimate(rows as i64));
    }
    let row = session
        .query_one(
            &format!("SELECT count(*) FROM ({ids}) found"),
            &conditions.values(),
        )
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

/// Send all failed deliveries again that fit and were not sent again yet; how many that are.
pub async fn retry_failed(
    session: &Session<'_>,
    webhook: Option<i64>,
    event_type: Option<&str>,
    since: Option<Timestamp>,
) -> Result<i64, Error> {
    const SQL: &str = "SELECT zentry_retry_failed($1::bigint, $2::text, $3::timestamptz)";
    let row = session.query_one(SQL, &[&webhook, &event_type, &since]).await?;
    Ok(row.get(0))
}
