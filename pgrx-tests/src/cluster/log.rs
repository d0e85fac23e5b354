//! The log of a cluster's server.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::Cluster;
use crate::wait::eventually;

impl Cluster {
    /// The server's log from byte `start` on.
    pub fn log_since(&self, start: u64) -> Result<String> {
        let mut file = File::open(self.log_path())?;
        file.seek(SeekFrom::Start(start))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Where the server's log ends now: a start for [`Self::log_since`].
    pub fn log_end(&self) -> Result<u64> {
        Ok(fs::metadata(self.log_path())?.len())
    }

    /// Whether the server has logged `needle`.
    pub fn log_contains(&self, needle: &str) -> Result<bool> {
        Ok(self.log_since(0)?.contains(needle))
    }

    /// Wait until the server has logged `needle`.
    pub fn wait_for_log(&self, needle: &str, timeout: Duration) -> Result<()> {
        self.wait_for_log_since(0, needle, timeout)
    }

    /// Wait until the server has logged `needle` at or after byte `start`.
    pub fn wait_for_log_since(&self, start: u64, needle: &str, timeout: Duration) -> Result<()> {
        eventually(timeout, format!("the server to log {needle:?}"), || {
            self.log_since(start).ok()?.contains(needle).then_some(())
        })
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.dir.join("log")
    }

    pub(crate) fn print_log_tail(&self) {
        const LINES: usize = 60;
        let log = self.log_since(0).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LINES)..];
        eprintln!("--- the end of the server's log ---\n{}\n---", tail.join("\n"));
    }
}
