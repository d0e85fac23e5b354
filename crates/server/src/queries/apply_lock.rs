//! The lock of those who apply a file of the configuration.

use tokio_postgres::Error;

use crate::database::Session;

/// Who has the lock of those who apply a file, another one than this session: its process and its role.
pub async fn holder(session: &Session<'_>) -> Result<Option<(i32, String)>, Error> {
    // A key of 64 bits, as the function gives it: a sign takes the upper half with it.
    const SQL: &str = "SELECT l.pid, coalesce(a.usename::text, '') FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid() \
           AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
           AND l.objid::bigint = hashtext('zentry-notify apply')::bigint & 4294967295 \
         LIMIT 1";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows.first().map(|row| (row.get(0), row.get(1))))
}

/// One at a time: names are no keys to the database.
pub async fn take(session: &Session<'_>) -> Result<(), Error> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(hashtext('zentry-notify apply'))::text";
    session.query_one(SQL, &[]).await.map(drop)
}
