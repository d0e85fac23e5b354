//! A sender at an address of its own, on a cable of its own.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use postgres::Client;
use zentry_e2e::cable::Cable;
use zentry_e2e::cluster::Cluster;
use zentry_e2e::program::{self, Running};
use zentry_e2e::proxy::Proxy;

/// How long the server waits for a word of a sender.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Sender {
    pub address: Ipv4Addr,
    pub cable: Cable,
    /// The way out that has the address.
    proxy: Proxy,
    ca_file: PathBuf,
    /// What it has said, over all of its lives.
    log: PathBuf,
    child: Running,
}

impl Sender {
    /// `target` is Discord, whose authority is in the file.
    pub fn start(cluster: &Cluster, address: Ipv4Addr, target: SocketAddr, ca_file: &Path) -> Self {
        let cable = Cable::to(cluster).unwrap();
        let log = std::env::temp_dir().join(format!("zentry-sender-{}-{address}", std::process::id()));
        let _ = fs::remove_file(&log);
        let proxy = Proxy::from_address(address, target).unwrap();
        let child = spawn(&cable, address, &proxy, ca_file, &log);
        Self {
            address,
            cable,
            proxy,
            ca_file: ca_file.to_owned(),
            log,
            child,
        }
    }

    pub fn name(&self) -> String {
        format!("at {}", self.address)
    }

    /// The webhooks that it holds; none: the database does not say.
    pub fn holds(&self, client: &mut Client) -> Option<Vec<i64>> {
        let sql = "SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q JOIN zentry_notify.sender s ON s.id = q.sender_id \
                    WHERE s.name = $1";
        let rows = client.query(sql, &[&self.name()]).ok()?;
        Some(rows.iter().map(|row| row.get(0)).collect())
    }

    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal).unwrap();
    }

    /// As the kernel that is out of memory.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in order.
    pub fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
    }

    pub fn start_again(&mut self) {
        self.child = spawn(&self.cable, self.address, &self.proxy, &self.ca_file, &self.log);
    }

    /// How many sessions it has had.
    pub fn sessions(&self) -> usize {
        self.said(": sending")
    }

    pub fn said(&self, words: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().filter(|line| line.contains(words)).count()
    }
}

fn spawn(cable: &Cable, address: Ipv4Addr, proxy: &Proxy, ca_file: &Path, log: &Path) -> Running {
    let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut command = program::connecting("127.0.0.1".as_ref(), cable.port(), "postgres", "sender").unwrap();
    let child = command
        .args(["send", "--name", &format!("at {address}")])
        .args(["--patience", &PATIENCE.as_secs().to_string()])
        .args(["--proxy", &proxy.url()])
        .arg("--ca-file")
        .arg(ca_file)
        .stderr(Stdio::from(log))
        .spawn();
    Running(child.unwrap())
}

impl Drop for Sender {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("--- what the sender {} said ---\n{said}---", self.name());
        }
        let _ = fs::remove_file(&self.log);
    }
}
