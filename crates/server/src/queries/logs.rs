//! The delivery log, newest first. It may have millions of rows, so the extension finds the ids of a page by an index, and counts are the planner's
//! estimate if counting would take long.

mod attempts;
mod count;
mod entry;
mod filter;
mod search;
mod window;

use jiff::Timestamp;
use tokio_postgres::Error;

use crate::database::Session;
pub use attempts::{Attempt, attempts};
pub use count::{Count, count};
use entry::COLUMNS;
pub use entry::Entry;
pub use filter::{Filter, Status};
use search::{Candidates, search};
pub use window::{Start, Window};

/// Returns at most `limit` deliveries.
pub async fn list(session: &Session<'_>, filter: &Filter, start: Start, limit: i64) -> Result<Window, Error> {
    let candidates = Candidates {
        session,
        webhooks: filter.webhooks(session).await?,
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
    // One more row shows whether there is another page.
    let rows = limit.saturating_add(1);
    let mut ids = candidates.ids(before, after, rows.saturating_add(offset)).await?;
    ids.drain(..ids.len().min(usize::try_from(offset).unwrap_or(usize::MAX)));
    let sql = format!(
        "SELECT {COLUMNS} FROM zentry_notify.logs l WHERE l.id = ANY ($1::bigint[]) ORDER BY l.id DESC"
    );
    let found = session.query(&sql, &[&ids]).await?;
    Ok(Window::of(found.iter().map(Entry::from).collect(), start, limit))
}

pub async fn get(session: &Session<'_>, id: i64) -> Result<Option<Entry>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM zentry_notify.logs l WHERE l.id = $1");
    let rows = session.query(&sql, &[&id]).await?;
    Ok(rows.first().map(Entry::from))
}

/// A delivery with fields that are not part of the API.
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

/// Re-sends a delivery, and returns the id and status of the delivery that does.
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

/// Re-sends all matching failed deliveries that were not re-sent yet, and returns their number.
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
