//! Writes by pgbench, PostgreSQL's own load generator.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Way};
use crate::process;

/// The server waits for a session that has ended within this.
const UNTIL_WAITED_FOR: Duration = Duration::from_millis(50);

/// What its clients do, each with tasks of its own, none twice.
#[derive(Clone, Debug)]
pub struct Load {
    /// A statement with `:id`, the task's.
    pub statement: String,
    pub clients: u32,
    pub synchronous: bool,
    /// Of each client.
    pub transactions: u32,
}

#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// Transactions a second, of all clients.
    pub rate: f64,
    /// Processor time of the server's sessions for each transaction, in microseconds.
    pub processor: f64,
}

impl Load {
    /// Runs as many transactions as the bare statement needs for the wanted time.
    pub fn calibrated(mut self, bed: &Bed) -> Result<Self> {
        self.transactions = if self.synchronous { 300 } else { 3_000 };
        let rate = self.run(bed, Way::Bare)?.rate;
        let wanted = rate * bed.effort.seconds() / f64::from(self.clients);
        self.transactions = (wanted as u32).clamp(100, bed.effort.share());
        Ok(self)
    }

    pub fn run(&self, bed: &Bed, way: Way) -> Result<Ran> {
        let server = bed.cluster.postmaster_pid().context("the server runs")?;
        let before = process::ended_children(server)?;
        let report = self.pgbench(bed, way, None)?;
        thread::sleep(UNTIL_WAITED_FOR);
        let spent = process::ended_children(server)? - before;
        let rate = report
            .split("tps = ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        Ok(Ran {
            rate: rate.and_then(|rate| rate.parse().ok()).context(report.clone())?,
            processor: spent.as_secs_f64() * 1e6 / f64::from(self.clients * self.transactions),
        })
    }

    /// How long each transaction of a single client took, in microseconds.
    pub fn each(&self, bed: &Bed, way: Way) -> Result<Vec<f64>> {
        let directory = std::env::temp_dir().join(format!("zentry-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let logged = self.pgbench(bed, way, Some(&directory)).and_then(|_| {
            let log = std::fs::read_dir(&directory)?
                .next()
                .context("pgbench's log")??
                .path();
            Ok(std::fs::read_to_string(log)?)
        });
        std::fs::remove_dir_all(&directory)?;
        let took = |line: &str| line.split(' ').nth(2).and_then(|took| took.parse().ok());
        Ok(logged?.lines().filter_map(took).collect())
    }

    fn pgbench(&self, bed: &Bed, way: Way, log: Option<&Path>) -> Result<String> {
        let synchronous = if self.synchronous { "on" } else { "off" };
        let mut command = bed.cluster.client_command("pgbench");
        command
            .env("PGOPTIONS", format!("-c synchronous_commit={synchronous}"))
            .args([
                "--no-vacuum",
                "--protocol=prepared",
                "--define=n=0",
                "--file=/dev/stdin",
            ])
            .args(["--client", &self.clients.to_string()])
            .args(["--jobs", &self.clients.min(2).to_string()])
            .args(["--transactions", &self.transactions.to_string()]);
        if let Some(directory) = log {
            command.arg("--log").current_dir(directory);
        }
        let mut child = command
            .arg(way.database())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run pgbench")?;
        let mut script = child.stdin.take().context("pgbench's input")?;
        write!(
            script,
            "\\set n :n + 1\n\\set id :client_id * {} + :n\n{};\n",
            bed.effort.share(),
            self.statement
        )?;
        drop(script);
        let output = child.wait_with_output()?;
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success() && report.contains("tps = "),
            "pgbench: {report}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(report)
    }
}
