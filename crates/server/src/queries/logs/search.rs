//! Searches for a time or a text, row by row. An index finds the candidates.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Error;

use super::entry::{COLUMNS, Entry};
use super::filter::Filter;
use super::window::{Start, Window};
use crate::database::Session;

/// The part of a filter that an index can find.
pub(super) struct Candidates<'a> {
    pub session: &'a Session<'a>,
    pub webhooks: Option<Vec<i64>>,
    pub event_type: Option<&'a str>,
    pub statuses: Vec<Option<&'static str>>,
}

impl Candidates<'_> {
    /// Returns candidates, newest first: the newest below `before`, or with `after` the oldest above it.
    pub async fn ids(&self, before: Option<i64>, after: Option<i64>, most: i64) -> Result<Vec<i64>, Error> {
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

/// Checks candidates until enough match, up to a maximum number of candidates, so that a search does not take long.
pub(super) async fn search(
    candidates: &Candidates<'_>,
    filter: &Filter,
    start: Start,
    limit: i64,
) -> Result<Window, Error> {
    const MOST: usize = 50_000;
    let session = candidates.session;
    // Ids follow the time, except for long transactions.
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
        // The nearest matches.
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

/// The maximum time from an event to the write of its delivery.
const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// Returns the first delivery from a time on, by binary search; each step reads one delivery.
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

/// Returns the matching ones of these, newest first.
async fn fitting(session: &Session<'_>, filter: &Filter, ids: &[i64]) -> Result<Vec<Entry>, Error> {
    // Only values of the data are searched, since users do not see the keys.
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

/// Returns the pattern for LIKE that matches the text anywhere.
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

#[cfg(test)]
mod tests;
