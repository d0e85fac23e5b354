//! The demo's cluster and its database, and psql in it.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::Emulator;
use zentry_e2e::zentry;

/// The database's name.
pub(crate) const DATABASE: &str = "zentry";

/// Starts a private cluster whose worker takes the emulator for the services, with Zentry's tables and a little data in the database.
pub(crate) fn start(emulator: &Emulator) -> Result<Cluster> {
    let host = emulator.https_base().trim_start_matches("https://");
    let mut cluster = Cluster::start(
        ClusterOptions::default()
            .set("zentry_notify.allowed_hosts", host)
            .set("zentry_notify.allow_private_addresses", "on")
            // For the guide's page on change capture.
            .set("wal_level", "logical"),
    )?;
    let ca_file = cluster.dir().join("ca.pem");
    fs::write(&ca_file, emulator.ca_pem())?;
    cluster.conf(&[("zentry_notify.ca_file", &ca_file.to_string_lossy())])?;
    cluster
        .connect()?
        .batch_execute(&format!("CREATE DATABASE {DATABASE}"))?;
    zentry::load(&mut cluster.connect_as("postgres", DATABASE)?)?;
    Ok(cluster)
}

/// What psql prints for `sql`, notices included.
pub(crate) fn psql(cluster: &Cluster, options: &[&str], sql: &str) -> Result<String> {
    let mut psql = cluster
        .client_command("psql")
        .args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", DATABASE])
        .args(options)
        .env("PGOPTIONS", "--client-min-messages=notice --timezone=UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    psql.stdin
        .take()
        .context("psql has no input")?
        .write_all(sql.as_bytes())?;
    let output = psql.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "psql failed: {text}");
    Ok(text.into_owned())
}
