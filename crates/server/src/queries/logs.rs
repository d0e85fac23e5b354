//! The log of deliveries, newest first. It may have millions of rows, so pages are found by key where a key is known, and counts
//! are the planner's estimate where counting would take long.

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

/// Conditions of a filter, with their values.
struct Conditions {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
    /// The ids of one webhook and one event type are in order in an index, others are not: the page is put together of these runs.
    runs: Option<Runs>,
    /// Deliveries that wait have other indexes than finished ones.
    kinds: &'static [&'static str],
}

/// Which runs of ids there are: of these webhooks (none: of all) and this event type (none: of each).
struct Runs {
    webhooks: Option<String>,
    event_type: Option<String>,
}

impl Runs {
    /// Every pair that deliveries can be of. What an event type that is gone has left is in the counters.
    fn sql(&self) -> String {
        let webhooks = match &self.webhooks {
            Some(ids) => format!("unnest({ids}::bigint[])"),
            None => "(SELECT w.id FROM zentry_notify.webhooks w)".to_owned(),
        };
        let types = match &self.event_type {
            Some(name) => format!("(SELECT {name}::text)"),
            None => "(SELECT t.name::text FROM zentry_notify.event_types t \
                      UNION SELECT d.event_type::text FROM zentry_notify.delivery_totals d WHERE d.event_type <> '*')"
                .to_owned(),
        };
        format!("{webhooks} run_of (webhook) CROSS JOIN {types} run_of_type (name)")
    }
}

const WAITING: &str = "l.status IN ('pending', 'retry')";
const FINISHED: &str = "l.status IN ('sent', 'failed')";

impl Conditions {
    async fn of(session: &Session<'_>, filter: &Filter) -> Result<Self, Error> {
        let mut conditions = Self {
            sql: Vec::new(),
            values: Vec::new(),
            runs: None,
            kinds: &["true"],
        };
        let webhooks = match (filter.webhook_integration, &filter.webhook_type) {
            (None, None) => None,
            (Some(id), None) => Some(vec![id]),
            (id, Some(name)) => {
                let ids = integrations::ids_of_type(session, name).await?;
                let ids = ids
                    .into_iter()
                    .filter(|of_type| id.is_none_or(|id| id == *of_type));
                Some(ids.collect::<Vec<_>>())
            }
        };
        let webhooks = webhooks.map(|ids| conditions.parameter(ids));
        let event_type = filter.event_type.clone().map(|name| conditions.parameter(name));
        conditions.sql.extend(
            webhooks
                .iter()
                .map(|ids| format!("l.webhook_integration_id = ANY ({ids}::bigint[])")),
        );
        conditions.sql.extend(
            event_type
                .iter()
                .map(|name| format!("l.event_type = {name}::text")),
        );
        match filter.status {
            // Literal: the planner has to see which partial index it means. Those that are not sent are few, and have one.
            Some(status) => {
                conditions.sql.push(format!("l.status = '{}'", status.name()));
                match status {
                    Status::Pending | Status::Retry => conditions.kinds = &[WAITING],
                    Status::Failed => {}
                    Status::Sent => conditions.in_runs(webhooks, event_type, &[FINISHED]),
                }
            }
            None => conditions.in_runs(webhooks, event_type, &[WAITING, FINISHED]),
        }
        Ok(conditions)
    }

    fn in_runs(
        &mut self,
        webhooks: Option<String>,
        event_type: Option<String>,
        kinds: &'static [&'static str],
    ) {
        if webhooks.is_some() || event_type.is_some() {
            self.kinds = kinds;
            self.runs = Some(Runs { webhooks, event_type });
        }
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

    /// All that fit, in no order.
    fn all(&self) -> String {
        format!("SELECT l.id FROM zentry_notify.logs l WHERE {}", self.and("true"))
    }

    fn and(&self, kind: &str) -> String {
        let all: Vec<&str> = self.sql.iter().map(String::as_str).chain([kind]).collect();
        all.join(" AND ")
    }

    /// The ids that fit, kind by kind and run by run, each with `tail` behind it.
    fn ids(&self, tail: &str) -> String {
        let branches = self.kinds.iter().map(|kind| match &self.runs {
            None => format!("(SELECT l.id FROM zentry_notify.logs l WHERE {} {tail})", self.and(kind)),
            Some(runs) => format!(
                "(SELECT found_in_run.id FROM {} CROSS JOIN LATERAL (SELECT l.id FROM zentry_notify.logs l \
                   WHERE l.webhook_integration_id = run_of.webhook AND l.event_type = run_of_type.name AND {} {tail}) found_in_run)",
                runs.sql(),
                self.and(kind)
            ),
        });
        branches.collect::<Vec<_>>().join(" UNION ALL ")
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
            .collect()
    }
}

/// At most `limit` deliveries.
pub async fn list(session: &Session<'_>, filter: &Filter, start: Start, limit: i64) -> Result<Window, Error> {
    let mut conditions = Conditions::of(session, filter).await?;
    let (order, offset) = match start {
        Start::Offset(offset) => ("DESC", offset),
        Start::Before(id) => {
            conditions.push("l.id < $", id);
            ("DESC", 0)
        }
        Start::After(id) => {
            conditions.push("l.id > $", id);
            ("ASC", 0)
        }
    };
    // One more than wanted tells whether there is another page.
    let rows = conditions.parameter(limit.saturating_add(1));
    let skip = conditions.parameter(offset);
    let ids = conditions.ids(&format!(
        "ORDER BY l.id {order} LIMIT {rows}::bigint + {skip}::bigint"
    ));
    // An array, so that the rows are found by it whatever the planner thinks of how many they are.
    let sql = format!(
        "SELECT {COLUMNS} FROM zentry_notify.logs l \
          WHERE l.id = ANY (ARRAY(SELECT found.id FROM ({ids}) found ORDER BY found.id {order} LIMIT {rows} OFFSET {skip})) \
          ORDER BY l.id DESC"
    );
    let rows = session.query(&sql, &conditions.values()).await?;
    let mut entries: Vec<Entry> = rows.iter().map(Entry::from).collect();
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
    let conditions = Conditions::of(session, filter).await?;
    let ids = conditions.all();
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
