//! The log of deliveries, newest first. It may have millions of rows, so the extension finds the ids of a page by an index, and counts are the
//! planner's estimate where counting would take long.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use super::integrations;
use super::times;
use crate::database::Session;

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
            None if filter.waiting => conditions.sql.push("l.status IN ('pending', 'retry')".to_owned()),
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

/// What an index finds of a filter.
struct Candidates<'a> {
    session: &'a Session<'a>,
    webhooks: Option<Vec<i64>>,
    event_type: Option<&'a str>,
    statuses: Vec<Option<&'static str>>,
}

impl Candidates<'_> {
    /// Newest first: the newest below `before`, or with `after` the oldest above it.
    async fn ids(&self, before: Option<i64>, after: Option<i64>, most: i64) -> Result<Vec<i64>, Error> {
        const IDS: &str = "SELECT l.id FROM unnest($3::text[]) AS s (status) \
             CROSS JOIN LATERAL zentry_notify.log_ids($1::bigint[], $2::text, s.status, $4::bigint, $5::bigint, $6::bigint) AS l (id)";
        let rows = self
            .session
            .query(
                IDS,
                &[
                    &self.webhooks,
                    &self.event_type,
                    &self.statuses,
                    &before,
                    &after,
                    &most,
                ],
            )
            .await?;
        let mut ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        ids.sort_unstable();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if after.is_some() {
            ids.truncate(most);
        }
        ids.reverse();
        ids.truncate(most);
        Ok(ids)
    }
}

/// Looks at the candidates one after the other until enough fit; at so many at most, so that nobody waits for long.
async fn search(
    candidates: &Candidates<'_>,
    filter: &Filter,
    start: Start,
    limit: i64,
) -> Result<Window, Error> {
    const MOST: usize = 50_000;
    let session = candidates.session;
    // Ids follow the time, but for transactions that were open for long.
    let low = match filter.since {
        Some(since) => first_of(session, since.checked_sub(SLACK).unwrap_or(since)).await?,
        None => i64::MIN,
    };
    let high = match filter.until {
        Some(until) => first_of(session, until.checked_add(SLACK).unwrap_or(until)).await?,
        None => i64::MAX,
    };
    let upwards = matches!(start, Start::After(_));
    let (mut below, mut above, skip) = match start {
        Start::Offset(offset) => (high, low.saturating_sub(1), offset),
        Start::Before(id) => (id.min(high), low.saturating_sub(1), 0),
        Start::After(id) => (high, id.max(low.saturating_sub(1)), 0),
    };
    let wanted = usize::try_from(limit.saturating_add(1).saturating_add(skip)).unwrap_or(usize::MAX);
    let mut entries: Vec<Entry> = Vec::new();
    let (mut looked_at, mut chunk) = (0, 200);
    let mut reached = None;
    while entries.len() < wanted {
        let after = upwards.then_some(above);
        let ids = candidates.ids(Some(below), after, chunk).await?;
        let is_last = (ids.len() as i64) < chunk || ids.last().is_some_and(|id| !upwards && *id <= above);
        let ids: Vec<i64> = ids.into_iter().filter(|id| *id > above).collect();
        let Some((newest, oldest)) = ids.first().copied().zip(ids.last().copied()) else {
            break;
        };
        let mut found = fitting(session, filter, &ids).await?;
        if upwards {
            found.append(&mut entries);
            entries = found;
            above = newest;
        } else {
            entries.append(&mut found);
            below = oldest;
        }
        if is_last {
            break;
        }
        looked_at += ids.len();
        if looked_at >= MOST {
            reached = Some(if upwards { newest } else { oldest });
            break;
        }
        chunk = 5_000;
    }
    if upwards {
        // The nearest ones.
        let far = entries.len().saturating_sub(wanted);
        entries.drain(..far);
    } else {
        entries.truncate(wanted);
        entries.drain(..entries.len().min(usize::try_from(skip).unwrap_or(usize::MAX)));
    }
    let mut window = Window::of(entries, start, limit);
    window.reached = reached.filter(|_| !window.more);
    Ok(window)
}

/// How much later than its event a delivery may be written.
const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// The first delivery from a time on, by halves: each step is a look at one of them.
async fn first_of(session: &Session<'_>, at: Timestamp) -> Result<i64, Error> {
    const SQL: &str = "WITH RECURSIVE step (low, high) AS ( \
           SELECT (SELECT l.id FROM zentry_notify.logs l ORDER BY l.id LIMIT 1), \
                  (SELECT l.id FROM zentry_notify.logs l ORDER BY l.id DESC LIMIT 1) + 1 \
            UNION ALL \
           SELECT CASE WHEN l.created_at < $1 THEN l.id + 1 ELSE s.low END, \
                  CASE WHEN l.created_at < $1 THEN s.high ELSE s.low + (s.high - s.low) / 2 END \
             FROM step s \
             LEFT JOIN LATERAL (SELECT l.id, l.created_at FROM zentry_notify.logs l \
                                 WHERE l.id >= s.low + (s.high - s.low) / 2 AND l.id < s.high ORDER BY l.id LIMIT 1) l ON true \
            WHERE s.low < s.high) \
         SELECT coalesce(max(s.low), 0) FROM step s";
    let row = session.query_one(SQL, &[&at]).await?;
    Ok(row.get(0))
}

/// Those of these that fit, newest first.
async fn fitting(session: &Session<'_>, filter: &Filter, ids: &[i64]) -> Result<Vec<Entry>, Error> {
    // What people have read is the data's values; their keys nobody has.
    let sql = format!(
        "SELECT {COLUMNS} FROM zentry_notify.logs l \
          WHERE l.id = ANY ($1::bigint[]) \
            AND ($2::timestamptz IS NULL OR l.created_at >= $2) AND ($3::timestamptz IS NULL OR l.created_at < $3) \
            AND ($4::text IS NULL OR l.error_message ILIKE $4 OR l.response_body ILIKE $4 \
                 OR EXISTS (SELECT FROM jsonb_path_query(l.payload, 'strict $.**') v \
                             WHERE jsonb_typeof(v) IN ('string', 'number') AND v #>> '{{}}' ILIKE $4)) \
          ORDER BY l.id DESC"
    );
    let pattern = filter.text.as_deref().map(pattern);
    let rows = session
        .query(&sql, &[&ids, &filter.since, &filter.until, &pattern])
        .await?;
    Ok(rows.iter().map(Entry::from).collect())
}

/// For LIKE: the text anywhere.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
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

/// A request for a delivery that came to nothing
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// Its place among those of the delivery, from 1
    pub number: i32,
    /// When the answer came, or was not waited for any longer
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub attempted_at: Timestamp,
    /// Which attempt it was, from 1; null: a rate limit, which is no attempt
    pub attempt: Option<i32>,
    /// The HTTP status of the answer; null: none came
    pub response_status_code: Option<i32>,
    /// What went wrong
    pub error_message: String,
    /// When it was to be tried again; null: it was given up
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
}

/// Those of a delivery, in order: the first fifty, and the last when it was given up.
pub async fn attempts(session: &Session<'_>, id: i64) -> Result<Vec<Attempt>, Error> {
    const SQL: &str = "SELECT a.number, a.attempted_at, a.attempt, a.response_status_code, a.error_message, a.next_attempt_at \
                         FROM zentry_notify.attempts a WHERE a.log_id = $1 ORDER BY a.number";
    let rows = session.query(SQL, &[&id]).await?;
    let attempts = rows.iter().map(|row| Attempt {
        number: row.get(0),
        attempted_at: row.get(1),
        attempt: row.get(2),
        response_status_code: row.get(3),
        error_message: row.get(4),
        next_attempt_at: row.get(5),
    });
    Ok(attempts.collect())
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exact(i64),
    Estimate(i64),
    /// Of a search, which looks no further than to the page's end.
    Unknown,
}

/// The exact number where the planner thinks that counting is cheap, else what it thinks.
pub async fn count(session: &Session<'_>, filter: &Filter) -> Result<Count, Error> {
    // In the planner's unit, a page read in sequence: a few milliseconds, some 50,000 rows by an index.
    const CHEAP: f64 = 1_000.0;
    if filter.is_search() {
        return Ok(Count::Unknown);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_no_pattern() {
        assert_eq!(pattern(r"50 %_\x"), r"%50 \%\_\\x%");
    }
}
