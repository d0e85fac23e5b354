//! The lock that `apply` and `diff` of configuration files take.

use tokio_postgres::Error;

use crate::database::Session;

/// Returns the process and the role of another session that holds the lock.
pub async fn holder(session: &Session<'_>) -> Result<Option<(i32, String)>, Error> {
    // The function returns a key of 64 bits; a negative one sets the upper half as well.
    const SQL: &str = "SELECT l.pid, coalesce(a.usename::text, '') FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid() \
           AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
           AND l.objid::bigint = hashtext('zentry-notify apply')::bigint & 4294967295 \
         LIMIT 1";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows.first().map(|row| (row.get(0), row.get(1))))
}

/// Takes the lock, so that only one file is applied at a time: names are not unique in the database.
pub async fn take(session: &Session<'_>) -> Result<(), Error> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(hashtext('zentry-notify apply'))::text";
    session.query_one(SQL, &[]).await.map(drop)
}
