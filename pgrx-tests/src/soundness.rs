//! Whether what is on disk is whole, by PostgreSQL's own `amcheck`, and by EDB's `pg_catcheck` where that is installed.

use anyhow::{Result, ensure};

use crate::cluster::Cluster;

/// Every index has all rows of its table in order, and every row of a table can be read.
const CHECK: &str = "
    SELECT (SELECT count(*) FROM (SELECT bt_index_parent_check(i.indexrelid, true, true)
                                    FROM pg_index i
                                    JOIN pg_class c ON c.oid = i.indexrelid
                                    JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree'
                                   WHERE c.relpersistence = 'p' AND i.indisvalid AND i.indisready) checked),
           array(SELECT format('%s, block %s, row %s: %s', c.oid::regclass, v.blkno, v.offnum, v.msg)
                   FROM pg_class c, verify_heapam(c.oid) v
                  WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p')";

/// Check all tables and indexes of a database, the extension's, the application's and the catalogue's; how many indexes there were.
pub fn check(cluster: &Cluster, database: &str) -> Result<i64> {
    let mut client = cluster.connect_as("postgres", database)?;
    client.batch_execute("CREATE EXTENSION IF NOT EXISTS amcheck")?;
    let row = client.query_one(CHECK, &[])?;
    let corrupt: Vec<String> = row.get(1);
    ensure!(corrupt.is_empty(), "{corrupt:#?}");
    Ok(row.get(0))
}

/// Check what the catalogue's rows refer to. False where there is no pg_catcheck: Debian has it for some versions of PostgreSQL only.
pub fn check_catalogue(cluster: &Cluster, database: &str) -> Result<bool> {
    if !cluster.stage().program("pg_catcheck").exists() {
        return Ok(false);
    }
    let checked = cluster.client_command("pg_catcheck").arg(database).output()?;
    ensure!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
    Ok(true)
}
