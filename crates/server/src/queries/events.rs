//! Sample events.

use tokio_postgres::Error;

use crate::database::Session;

/// Queue a sample for every webhook that would hear it; the ids in the log. Without a project, the first that a webhook has.
pub async fn test(session: &Session<'_>, event_type: &str, project: Option<i64>) -> Result<Vec<i64>, Error> {
    const SQL: &str = "SELECT id FROM zentry_test_event($1::text, $2::bigint) AS id";
    let rows = session.query(SQL, &[&event_type, &project]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
