//! `zentry-notify send` as a process of a test, and a database that leaves sending to it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;
use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::program::Running;
use zentry_e2e::scene::{Channel, SOON, Scene};
use zentry_e2e::wait::eventually;

use crate::support::{connecting, role_name};

/// How long the server waits for a word of a sender here.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running sender. It is killed when it is dropped.
pub struct Sender {
    pub name: String,
    pub child: Running,
}

impl Sender {
    /// Starts one for the scene's database, which logs in as `login`, and waits until it has a session.
    pub fn start(scene: &mut Scene, login: &str) -> Result<Self> {
        let cluster = scene.database.cluster();
        let (dir, port) = (cluster.dir().to_owned(), cluster.port());
        Self::start_at(scene, login, &dir, port, &[])
    }

    /// Starts one with further arguments.
    pub fn start_with(scene: &mut Scene, login: &str, arguments: &[&str]) -> Result<Self> {
        let cluster = scene.database.cluster();
        let (dir, port) = (cluster.dir().to_owned(), cluster.port());
        Self::start_at(scene, login, &dir, port, arguments)
    }

    /// Starts one that connects to this host and port.
    pub fn start_at(
        scene: &mut Scene,
        login: &str,
        host: &Path,
        port: u16,
        arguments: &[&str],
    ) -> Result<Self> {
        let name = role_name("sender");
        let mut command = connecting(host, port, scene.database.name(), login)?;
        let patience = PATIENCE.as_secs().to_string();
        let child = command
            .args([
                "send",
                "--name",
                &name,
                "--patience",
                &patience,
                "--log-level",
                "debug",
            ])
            .args(arguments)
            .stderr(Stdio::inherit())
            .spawn()?;
        let sender = Self {
            name,
            child: Running(child),
        };
        eventually(SOON, "the sender to be there", || {
            sender.number(&mut scene.client)
        })?;
        Ok(sender)
    }

    /// Returns its number in the database, while it has a session.
    pub fn number(&self, client: &mut Client) -> Option<i64> {
        let sql = "SELECT max(s.id) FROM zentry_notify.sender s WHERE s.name = $1";
        client.query_one(sql, &[&self.name]).ok()?.get(0)
    }

    /// Returns the webhooks that it holds.
    pub fn holds(&self, client: &mut Client) -> Vec<i64> {
        let sql = "SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q \
                   JOIN zentry_notify.sender s ON s.id = q.sender_id WHERE s.name = $1 ORDER BY 1";
        let rows = client.query(sql, &[&self.name]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Ends it in order.
    pub fn end(mut self) -> Result<()> {
        self.child.signal(Signal::SIGTERM)?;
        assert!(self.child.wait()?.success());
        Ok(())
    }
}

/// Makes a scene with `zentry_notify.senders` as given, and a role that may send.
pub fn scene(senders: &str) -> Result<(Scene, String)> {
    let mut scene = Scene::start()?;
    let login = role(&mut scene)?;
    scene.database.set("zentry_notify.senders", senders)?;
    Ok((scene, login))
}

/// Makes a role that may send.
pub fn role(scene: &mut Scene) -> Result<String> {
    let login = role_name("sender");
    scene.client.batch_execute(&format!(
        "CREATE ROLE {login} LOGIN; SELECT zentry_grant('{login}', 'sender')"
    ))?;
    Ok(login)
}

/// Makes channels of two types in turn, each of which gets a message for each event.
pub fn channels(scene: &mut Scene, count: usize) -> Result<Vec<Channel>> {
    let channels: Result<Vec<Channel>> = (0..count)
        .map(|number| {
            scene.channel(if number % 2 == 0 {
                Kind::Discord
            } else {
                Kind::Workflow
            })
        })
        .collect();
    let channels = channels?;
    scene
        .client
        .batch_execute("UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1")?;
    Ok(channels)
}

/// Returns how many webhooks each of them holds.
pub fn held(client: &mut Client, senders: &[&Sender]) -> Vec<usize> {
    senders.iter().map(|sender| sender.holds(client).len()).collect()
}
