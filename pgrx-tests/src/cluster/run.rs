//! Running a cluster's server: it is started, stopped, killed, suspended.

use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};

use super::Cluster;
use super::options::StopMode;
use super::process::{START_TIMEOUT, children, has_ended, pid};
use crate::wait::eventually;

const STOP_TIMEOUT: Duration = Duration::from_secs(60);

impl Cluster {
    /// Start the stopped server again.
    pub fn start_again(&mut self) -> Result<()> {
        anyhow::ensure!(self.server.is_none(), "the server runs already");
        self.start_server()
    }

    /// Stop the server and wait until it is gone.
    pub fn stop(&mut self, mode: StopMode) -> Result<()> {
        let mut server = self.server.take().context("the server does not run")?;
        kill(pid(&server), mode.signal())?;
        let stopped = eventually(STOP_TIMEOUT, format!("the {mode:?} shutdown"), || {
            server.try_wait().transpose()
        });
        if stopped.is_err() {
            self.server = Some(server);
        }
        stopped?.map(drop).context("cannot wait for the server")
    }

    /// Stop the server and start it again.
    pub fn restart(&mut self, mode: StopMode) -> Result<()> {
        self.stop(mode)?;
        self.start_server()
    }

    /// Kill the server and all of its processes at once, as a loss of power would.
    pub fn kill9(&mut self) -> Result<()> {
        let mut server = self.server.take().context("the server does not run")?;
        // Stopped first, so that it has no time for another child.
        kill(pid(&server), Signal::SIGSTOP)?;
        let children = children(server.id())?;
        server.kill()?;
        for child in &children {
            let _ = kill(*child, Signal::SIGKILL); // may have ended by itself
        }
        server.wait()?;
        eventually(STOP_TIMEOUT, "the killed server's processes to end", || {
            children.iter().all(|child| has_ended(*child)).then_some(())
        })
    }

    /// Let the server and all of its processes stand still, as a machine does that is suspended.
    pub fn pause(&self) -> Result<()> {
        self.signal_all(Signal::SIGSTOP)
    }

    /// Let a server that stands still go on.
    pub fn go_on(&self) -> Result<()> {
        self.signal_all(Signal::SIGCONT)
    }

    /// The postmaster first: one that stands still has no other child.
    fn signal_all(&self, signal: Signal) -> Result<()> {
        let server = self.server.as_ref().context("the server does not run")?;
        kill(pid(server), signal)?;
        for child in children(server.id())? {
            let _ = kill(child, signal); // may have ended by itself
        }
        Ok(())
    }

    /// The process id of the postmaster, while the server runs.
    pub fn postmaster_pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// Runs the server, and returns once it accepts connections; an error, with its log, when it ends before that.
    pub(super) fn start_server(&mut self) -> Result<()> {
        let start = self.log_end().unwrap_or(0);
        let limit = self
            .files
            .map(|(soft, hard)| format!("ulimit -S -n {soft}; ulimit -H -n {hard};"));
        let limit = limit.unwrap_or_default();
        let mut server = self
            .stage
            .as_server("sh")
            .args([
                "-c",
                &format!(r#"{limit} exec "$1" -D "$2" >>"$3" 2>&1"#),
                "start",
            ])
            .arg(self.stage.program("postgres"))
            .arg(self.dir.join("data"))
            .arg(self.log_path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0) // out of reach of the terminal's Ctrl-C
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run postgres")?;
        let ready = eventually(
            START_TIMEOUT,
            "the server to accept connections",
            || match server.try_wait() {
                Ok(None) => self.connect().ok().map(|_| None),
                ended => Some(Some(ended)),
            },
        )?;
        if let Some(ended) = ready {
            bail!(
                "the server did not start ({ended:?}):\n{}",
                self.log_since(start)?
            );
        }
        self.server = Some(server);
        Ok(())
    }
}
