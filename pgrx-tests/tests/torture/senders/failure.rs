//! What fails, and how it is mended.

use fastrand::Rng;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use zentry_e2e::cluster::{Cluster, StopMode};
use zentry_e2e::wait::eventually;

use super::account::Account;
use super::sender::Sender;
use super::{LONG, Setup};

#[derive(Clone, Copy, Debug)]
pub enum Failure {
    SenderKilled,
    /// For longer than the server waits for a word.
    SenderPaused,
    /// Likewise.
    SenderCutOff,
    SenderRestarted,
    /// Discord turns its address away.
    SenderBanned,
    WorkerTerminated,
    /// As a loss of power.
    ServerKilled,
    /// For longer than senders wait for an answer.
    ServerPaused,
    ServerRestarted,
}

impl Failure {
    pub const ALL: [Self; 9] = [
        Self::SenderKilled,
        Self::SenderPaused,
        Self::SenderCutOff,
        Self::SenderRestarted,
        Self::SenderBanned,
        Self::WorkerTerminated,
        Self::ServerKilled,
        Self::ServerPaused,
        Self::ServerRestarted,
    ];

    /// Lets it happen to one of the senders or to the server, and sees to it that life goes on.
    pub fn strike(self, setup: &mut Setup, whose: usize, random: &mut Rng, account: &mut Account) {
        if matches!(self, Self::ServerPaused) {
            // Or they do not notice.
            setup.wait_until_spread();
        }
        let everybody: Vec<i64> = setup.channels.iter().map(|channel| channel.id).collect();
        let held = held(&setup.cluster, &setup.senders[whose]);
        let at = Timestamp::now();
        let cluster = &mut setup.cluster;
        let sender = &mut setup.senders[whose];
        match self {
            Self::SenderKilled => {
                account.struck(at, held);
                sender.kill();
                if random.bool() {
                    wait_until_taken(cluster, sender);
                }
                sender.start_again();
            }
            Self::SenderPaused => {
                account.struck(at, held);
                sender.signal(Signal::SIGSTOP);
                wait_until_taken(cluster, sender);
                sender.signal(Signal::SIGCONT);
            }
            Self::SenderCutOff => {
                account.struck(at, held);
                sender.cable.cut();
                wait_until_taken(cluster, sender);
                sender.cable.mend();
            }
            // Nothing of it is in flight when it is gone.
            Self::SenderRestarted => {
                sender.end();
                sender.start_again();
            }
            Self::SenderBanned => {
                setup.emulator.ban(sender.address.into());
                let known = "SELECT s.banned_until IS NOT NULL AND NOT EXISTS ( \
                                 SELECT FROM zentry_notify.sender_queue q JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id \
                                  WHERE q.sender_id = s.id AND w.webhook_type = 'discord') \
                               FROM zentry_notify.sender s WHERE s.name = $1";
                wait_until(
                    cluster,
                    "the others to have its webhooks of Discord",
                    known,
                    &sender.name(),
                );
                setup.emulator.lift_ban(sender.address.into());
                // It would wait for an hour, as it was told.
                sender.end();
                sender.start_again();
            }
            Self::WorkerTerminated => {
                let worker = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' \
                                 AND $1::text IS NOT NULL";
                wait_until(cluster, "a worker", worker, "");
            }
            Self::ServerKilled => {
                account.struck(at, everybody);
                cluster.kill9().unwrap();
                cluster.start_again().unwrap();
            }
            Self::ServerPaused => {
                account.struck(at, everybody);
                let before: Vec<usize> = setup.senders.iter().map(lost).collect();
                cluster.pause().unwrap();
                eventually(LONG, "all senders to give the server up", || {
                    let mut senders = setup.senders.iter().zip(&before);
                    senders
                        .all(|(sender, before)| lost(sender) > *before)
                        .then_some(())
                })
                .unwrap();
                cluster.go_on().unwrap();
            }
            Self::ServerRestarted => {
                account.struck(at, everybody);
                cluster.restart(StopMode::Fast).unwrap();
            }
        }
    }
}

/// How often it has said that its session is over.
fn lost(sender: &Sender) -> usize {
    sender.said(" WARN ")
}

/// What it holds, once it holds something.
fn held(cluster: &Cluster, sender: &Sender) -> Vec<i64> {
    eventually(LONG, "a sender to hold webhooks", || {
        let held = sender.holds(&mut cluster.connect().ok()?)?;
        (!held.is_empty()).then_some(held)
    })
    .unwrap()
}

/// Waits until others hold what it held.
fn wait_until_taken(cluster: &Cluster, sender: &Sender) {
    let taken = "SELECT NOT EXISTS (SELECT FROM zentry_notify.sender WHERE name = $1) \
                    AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue WHERE sender_id IS NULL)";
    wait_until(cluster, "others to take its webhooks", taken, &sender.name());
}

/// Waits until a statement with one parameter says yes.
fn wait_until(cluster: &Cluster, what: &str, sql: &str, parameter: &str) {
    eventually(LONG, what, || {
        // The server may still recover from the last failure.
        let mut client = cluster.connect().ok()?;
        let row = client.query_opt(sql, &[&parameter]).ok()??;
        row.get::<_, bool>(0).then_some(())
    })
    .unwrap();
}
