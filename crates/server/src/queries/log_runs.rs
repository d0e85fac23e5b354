//! Pages of the log of one webhook, or of one event type. Their ids are in order in runs of an index, which the extension's function goes
//! through from the newest on; what is newer than an id is found by looking back from ever further ahead.

use tokio_postgres::Error;

use super::logs::Start;
use crate::database::Session;

/// What the function is asked for at most, at a time.
const MOST: i64 = 1_000;
/// Enough to end with any ids: each step halves or doubles.
const STEPS: usize = 130;

/// Whose deliveries.
pub struct Runs {
    /// None: of all webhooks.
    pub webhooks: Vec<Option<i64>>,
    pub event_type: Option<String>,
    pub status: Option<&'static str>,
}

impl Runs {
    /// At most `rows` ids of a page that starts there: newest first, or oldest first after an id.
    pub async fn ids(&self, session: &Session<'_>, start: Start, rows: i64) -> Result<Vec<i64>, Error> {
        match start {
            Start::Before(id) => self.newest(session, Some(id), rows).await,
            Start::Offset(offset) => match self.skip(session, offset).await? {
                Skipped::All => Ok(Vec::new()),
                Skipped::To(before) => self.newest(session, before, rows).await,
            },
            Start::After(id) => self.after(session, id, rows).await,
        }
    }

    /// The newest ones that are older than `before`.
    async fn newest(&self, session: &Session<'_>, before: Option<i64>, most: i64) -> Result<Vec<i64>, Error> {
        const SQL: &str = "SELECT l.id FROM unnest($1::bigint[]) w (id) \
             CROSS JOIN LATERAL zentry_logs(w.id, $2::text, $3::text, $4::bigint, $5::integer) l ORDER BY l.id DESC LIMIT $5::integer";
        let most = i32::try_from(most.clamp(1, MOST)).unwrap_or(1);
        let Self {
            webhooks,
            event_type,
            status,
        } = self;
        let rows = session
            .query(SQL, &[webhooks, event_type, status, &before, &most])
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn skip(&self, session: &Session<'_>, mut offset: i64) -> Result<Skipped, Error> {
        let mut before = None;
        while offset > 0 {
            let part = offset.min(MOST);
            let ids = self.newest(session, before, part).await?;
            match ids.last() {
                Some(last) if ids.len() as i64 == part => before = Some(*last),
                _ => return Ok(Skipped::All),
            }
            offset -= part;
        }
        Ok(Skipped::To(before))
    }

    /// The oldest ones that are newer than `id`, oldest first.
    async fn after(&self, session: &Session<'_>, id: i64, rows: i64) -> Result<Vec<i64>, Error> {
        let Some(newest) = self.newest(session, None, 1).await?.first().copied() else {
            return Ok(Vec::new());
        };
        let most = (4 * rows).min(MOST);
        // Up to `too_near` there are not enough, up to `too_far` more than can be told apart.
        let (mut too_near, mut too_far) = (0, i64::MAX);
        let mut reach = most;
        for _ in 0..STEPS {
            let end = id.saturating_add(reach);
            let mut found = self.newest(session, Some(end.saturating_add(1)), most).await?;
            let seen = found.len() as i64;
            found.retain(|one| *one > id);
            let all_seen = (found.len() as i64) < seen || seen < most;
            if all_seen && (found.len() as i64 >= rows || end >= newest) {
                found.reverse();
                found.truncate(usize::try_from(rows).unwrap_or_default());
                return Ok(found);
            }
            if all_seen {
                too_near = reach;
            } else {
                too_far = reach;
            }
            reach = match too_far {
                i64::MAX => reach.saturating_mul(2),
                _ => too_near + ((too_far - too_near) / 2).max(1),
            };
        }
        Ok(Vec::new())
    }
}

enum Skipped {
    All,
    /// What is next is older than this one; none: nothing was skipped.
    To(Option<i64>),
}
