//! The log of deliveries, newest first. It may have millions of rows, so the extension finds the ids of a page by an index, and counts are the
//! planner's estimate where counting would take long.

mod attempts;
mod count;
mod search;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use super::integrations;
use super::times;
use crate::database::Session;
pub use attempts::{Attempt, attempts};
pub use count::{Count, count};
use search::{Candidates, search};

/// A delivery of one event to one webhook, in the shape of Zentry's serializer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entry {
    pub id: i64,
    /// The integration's id
    pub webhook_integration: i64,
    pub webhook_integration_name: Option<String>,
    /// One of the types of webhooks
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
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// The delivery that repeats this one, which failed. Clients do not ask for it.
    #[serde(skip)]
    pub retried_as: Option<i64>,
    /// The failed delivery that this one repeats. Clients do not ask for it.
    #[serde(skip)]
    pub retry_of: Option<i64>,
}

impl Entry {
    /// What it is about, in a few words: whom, or what. Of data that are of no usual shape, nothing.
    pub fn about(&self) -> Option<String> {
        const KEYS: [&str; 9] = [
            "task_title",
            "title",
            "badge_name",
            "milestone_name",
            "project_name",
            "name",
            "webhook_name",
            "user_name",
            "message",
        ];
        let said = |key: &&str| self.payload.get(key)?.as_str().filter(|text| !text.is_empty());
        let mut words: Vec<&str> = KEYS.iter().filter_map(said).collect();
        words.truncate(2);
        (!words.is_empty()).then(|| words.join(" · "))
    }

    /// Failed, and not sent again yet, or waits to be tried again.
    pub fn can_be_retried(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "retry") && self.retried_as.is_none()
    }
}

const COLUMNS: &str = "l.id, l.webhook_integration_id, l.webhook_integration_name, l.webhook_type, l.event_type, l.payload, l.status, \
                       l.response_status_code, l.response_body, l.error_message, l.retry_count, l.created_at, l.sent_at, l.retried_as, l.retry_of";

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
            retry_of: row.get("retry_of"),
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
    /// Those that are not finished: pending and retry alike.
    pub waiting: bool,
    /// Of events that happened from then on.
    pub since: Option<Timestamp>,
    /// Of events that happened before then.
    pub until: Option<Timestamp>,
    /// Those whose event, error or answer has this text in it.
    pub text: Option<String>,
}

impl Filter {
    /// Whether rows have to be looked at to tell: no index knows.
    fn is_search(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.text.is_some()
    }

    fn statuses(&self) -> Vec<Option<&'static str>> {
        match (self.status, self.waiting) {
            (Some(status), _) => vec![Some(status.name())],
            (None, true) => vec![Some(Status::Pending.name()), Some(Status::Retry.name())],
            (None, false) => vec![None],
        }
    }
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
    /// A search has not looked any further than to this delivery: there may be more.
    pub reached: Option<i64>,
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
    let candidates = Candidates {
        session,
        webhooks: webhooks(session, filter).await?,
        event_type: filter.event_type.as_deref(),
        statuses: filter.statuses(),
    };
    if filter.is_search() {
        return search(&candidates, filter, start, limit).await;
    }
    let (before, after, offset) = match start {
        Start::Offset(offset) => (None, None, offset),
        Start::Before(id) => (Some(id), None, 0),
        Start::After(id) => (None, Some(id), 0),
    };
    // One more than wanted tells whether there is another page.
    let rows = limit.saturating_add(1);
    let mut ids = candidates.ids(before, after, rows.saturating_add(offset)).await?;
    ids.drain(..ids.len().min(usize::try_from(offset).unwrap_or(usize::MAX)));
    let sql = format!(
        "SELECT {COLUMNS} FROM zentry_notify.logs l WHERE l.id = ANY ($1::bigint[]) ORDER BY l.id DESC"
    );
    let found = session.query(&sql, &[&ids]).await?;
    Ok(Window::of(found.iter().map(Entry::from).collect(), start, limit))
}

impl Window {
    /// Of one entry more than wanted, if there are as many.
    fn of(mut entries: Vec<Entry>, start: Start, limit: i64) -> Self {
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
        Self {
            entries,
            more,
            reached: None,
        }
    }
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
}

pub async fn detail(session: &Session<'_>, id: i64) -> Result<Option<Detail>, Error> {
    let sql =
        format!("SELECT {COLUMNS}, l.attempts, l.next_attempt_at FROM zentry_notify.logs l WHERE l.id = $1");
    let rows = session.query(&sql, &[&id]).await?;
    Ok(rows.first().map(|row| Detail {
        entry: row.into(),
        attempts: row.get("attempts"),
        next_attempt_at: row.get("next_attempt_at"),
    }))
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
