//! What can die, and how.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zentry_e2e::cluster::{Cluster, StopMode};
use zentry_e2e::emulator::Emulator;
use zentry_e2e::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug)]
pub enum Disaster {
    /// As `pg_terminate_backend`.
    WorkerTerminated,
    /// As a postmaster that shuts down immediately: the server takes it for a crash.
    WorkerQuit,
    /// As the kernel that is out of memory: the server takes it for a crash.
    WorkerKilled,
    LauncherTerminated,
    /// All connections break, and new ones are refused for a while.
    NetworkLost,
    /// As a loss of power.
    ServerKilled,
    ServerStoppedAtOnce,
}

impl Disaster {
    pub const ALL: [Self; 7] = [
        Self::WorkerTerminated,
        Self::WorkerQuit,
        Self::WorkerKilled,
        Self::LauncherTerminated,
        Self::NetworkLost,
        Self::ServerKilled,
        Self::ServerStoppedAtOnce,
    ];

    /// Lets it happen, and sees to it that life can go on. When the sender was dead for certain; none when it was not hit.
    pub fn strike(self, cluster: &mut Cluster, emulator: &Emulator) -> Option<Timestamp> {
        match self {
            Self::WorkerTerminated => signal(cluster, "worker", Signal::SIGTERM),
            Self::WorkerQuit => signal(cluster, "worker", Signal::SIGQUIT),
            Self::WorkerKilled => signal(cluster, "worker", Signal::SIGKILL),
            Self::LauncherTerminated => {
                signal(cluster, "launcher", Signal::SIGTERM);
                return None;
            }
            Self::NetworkLost => return Some(lose_network(cluster, emulator)),
            Self::ServerKilled => cluster.kill9().unwrap(),
            Self::ServerStoppedAtOnce => cluster.stop(StopMode::Immediate).unwrap(),
        }
        let dead = Timestamp::now();
        if cluster.postmaster_pid().is_none() {
            cluster.start_again().unwrap();
        }
        Some(dead)
    }
}

/// Sends a signal to one of our processes, and waits until it is gone.
fn signal(cluster: &Cluster, who: &str, signal: Signal) {
    const PROCESS: &str = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zentry_notify ' || $1";
    let process = eventually(PATIENCE, format!("a {who}"), || {
        // The server may still recover from the last one.
        let mut client = cluster.connect().ok()?;
        let row = client.query_opt(PROCESS, &[&who]).ok()??;
        let process = Pid::from_raw(row.get(0));
        kill(process, signal).ok().map(|()| process)
    })
    .unwrap();
    eventually(PATIENCE, format!("the {who} to end"), || {
        (!fs::exists(format!("/proc/{process}")).unwrap()).then_some(())
    })
    .unwrap();
}

/// Until deliveries have noticed.
fn lose_network(cluster: &Cluster, emulator: &Emulator) -> Timestamp {
    const NOTICED: &str = "SELECT FROM zentry_notify.notification_log WHERE status = 'retry' LIMIT 1";
    emulator.stop();
    let lost = Timestamp::now();
    eventually(PATIENCE, "a delivery that waits for another try", || {
        let mut client = cluster.connect().ok()?;
        client.query_opt(NOTICED, &[]).ok()?.map(drop)
    })
    .unwrap();
    emulator.restart().unwrap();
    lost
}
