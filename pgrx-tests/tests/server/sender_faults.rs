//! Senders whose rows somebody keeps locked, and whose reports come when a person has changed something.

use std::process::Stdio;

use anyhow::{Context, Result};
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use serde_json::{Value, json};
use zentry_e2e::emulator::{Kind, Limits};
use zentry_e2e::numbered;
use zentry_e2e::program::Running;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use crate::support::{connecting, role_name};

const TASKS: Option<&[&str]> = Some(&["task_completed"]);

/// A scene whose database leaves sending to others, and the role of one.
fn scene() -> Result<(Scene, String)> {
    let mut scene = Scene::start()?;
    let login = role_name("sender");
    scene.client.batch_execute(&format!(
        "CREATE ROLE {login} LOGIN; SELECT zentry_grant('{login}', 'sender')"
    ))?;
    scene.database.set("zentry_notify.senders", "remote")?;
    Ok((scene, login))
}

fn channel(scene: &mut Scene) -> Result<Channel> {
    let channel = scene.channel_for(Kind::Discord, None, TASKS)?;
    channel.webhook.limit(Limits::default());
    Ok(channel)
}

/// A session that calls what `send` calls, and the queue that it holds.
struct Holder {
    client: Client,
    sender: i64,
    queue: i64,
    epoch: i64,
}

impl Holder {
    fn begin(scene: &Scene, login: &str) -> Result<Self> {
        let mut client = scene.database.connect_as(login)?;
        let row = client.query_one("SELECT zentry_notify.begin_sending('by hand', '10 minutes')", &[])?;
        let sender = row.get(0);
        let (queue, epoch) = eventually(SOON, "the webhook to be offered", || {
            let taken = look(&mut client, sender).ok()?["taken"].clone();
            serde_json::from_value::<Vec<(i64, i64)>>(taken).ok()?.pop()
        })?;
        Ok(Holder {
            client,
            sender,
            queue,
            epoch,
        })
    }

    fn look(&mut self) -> Result<Value> {
        look(&mut self.client, self.sender)
    }

    /// The delivery that waits.
    fn waiting(&mut self) -> Result<i64> {
        let sql =
            "SELECT c.id FROM zentry_notify.claim_deliveries($1, ARRAY[$2::bigint], '{10}', '{0}', '{10}') c";
        eventually(SOON, "the delivery to wait", || {
            let row = self.client.query_opt(sql, &[&self.sender, &self.queue]).ok()??;
            Some(row.get(0))
        })
    }

    /// Reports that it failed, and is tried again in an hour; `since` is that of the webhook when it was called.
    fn report_failure(&mut self, delivery: i64, since: &str) -> Result<()> {
        let sql = "SELECT (now() + interval '1 hour')::text, now()::text";
        let row = self.client.query_one(sql, &[])?;
        let (later, now): (String, String) = (row.get(0), row.get(1));
        let queue = self.queue;
        let report = json!({
            "epochs": [{"webhook_id": queue, "epoch": self.epoch}],
            "deliveries": [{"id": delivery, "webhook_id": queue, "webhook_since": since, "status": "r", "attempts": 5, "error": "500: down",
                            "next_attempt_at": later}],
            "opened": [{"webhook_id": queue, "webhook_since": since, "failures": 5, "since": now, "next_try": later, "error": "500: down"}],
            "misses": [], "switched_off": [], "closed": [], "in_a_row": [], "expired": [], "tally": [],
        });
        let sql = "SELECT zentry_notify.record_outcomes($1, $2)";
        let refused: Vec<i64> = self.client.query_one(sql, &[&self.sender, &report])?.get(0);
        assert_eq!(refused, [0; 0]);
        Ok(())
    }
}

fn look(client: &mut Client, sender: i64) -> Result<Value> {
    let sql = "SELECT zentry_notify.take_queues($1, '{}', NULL)";
    Ok(client.query_one(sql, &[&sender])?.get(0))
}

fn since(scene: &mut Scene, webhook: i64) -> Result<String> {
    let sql = "SELECT activated_at::text FROM zentry_notify.webhook WHERE id = $1";
    Ok(scene.client.query_one(sql, &[&webhook])?.get(0))
}

/// Somebody has a delivery of one webhook locked, as `BEGIN; SELECT zentry_retry(...)` does until its end.
#[test]
fn a_delivery_that_somebody_keeps_locked_holds_up_no_other_webhook() -> Result<()> {
    let (mut scene, login) = scene()?;
    let (locked, free) = (channel(&mut scene)?, channel(&mut scene)?);
    numbered::complete(&mut scene.client, [1])?;
    scene.wait_until("both to wait", |all| all.len() == 2)?;
    let mut guard = scene.database.connect()?;
    guard.batch_execute("BEGIN")?;
    guard.execute(
        "SELECT FROM zentry_notify.delivery WHERE webhook_integration_id = $1 FOR UPDATE",
        &[&locked.id],
    )?;
    let cluster = scene.database.cluster();
    let mut command = connecting(cluster.dir(), cluster.port(), scene.database.name(), &login)?;
    let arguments = [
        "send",
        "--name",
        "here",
        "--patience",
        "5",
        "--log-level",
        "debug",
    ];
    let _sender = Running(command.args(arguments).stderr(Stdio::inherit()).spawn()?);
    for number in 2..=6 {
        free.webhook.wait_for_events(number - 1, SOON);
        numbered::complete(&mut scene.client, [i64::try_from(number)?])?;
    }
    free.webhook.wait_for_events(6, SOON);
    let sql = "SELECT count(*) FROM zentry_notify.logs WHERE webhook_integration_id = $1 AND status = 'sent'";
    eventually(SOON, "what was sent to be written down", || {
        (scene.client.query_one(sql, &[&free.id]).ok()?.get::<_, i64>(0) == 6).then_some(())
    })?;
    guard.batch_execute("ROLLBACK")?;
    assert!(all_sent(&scene.settle()?));
    for channel in [&locked, &free] {
        assert_eq!(numbered::accepted(&channel.webhook), (1..=6).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn a_retry_is_heard_also_when_the_row_of_the_queue_was_locked() -> Result<()> {
    let (mut scene, login) = scene()?;
    let channel = channel(&mut scene)?;
    let mut holder = Holder::begin(&scene, &login)?;
    numbered::complete(&mut scene.client, [1])?;
    let delivery = holder.waiting()?;
    let since = since(&mut scene, channel.id)?;
    holder.report_failure(delivery, &since)?;
    let mut guard = scene.database.connect()?;
    guard.batch_execute("BEGIN; SELECT FROM zentry_notify.sender_queue FOR UPDATE")?;
    let mut hears = scene.database.connect()?;
    hears.batch_execute("LISTEN zentry_notify_senders")?;
    scene.client.execute("SELECT zentry_retry($1)", &[&delivery])?;
    let mut told = hears.notifications();
    let mut told = told.timeout_iter(SOON);
    while !told
        .next()?
        .context("the worker tells nobody")?
        .payload()
        .contains("queues")
    {}
    guard.batch_execute("ROLLBACK")?;
    eventually(SOON, "the retry to be heard", || {
        let asked = holder.look().ok()?["asked"].clone();
        (asked == json!([[channel.id, "retry"]])).then_some(())
    })?;
    Ok(())
}

#[test]
fn what_a_sender_reports_of_before_undoes_nothing_that_a_person_has_done() -> Result<()> {
    let (mut scene, login) = scene()?;
    let channel = channel(&mut scene)?;
    let mut holder = Holder::begin(&scene, &login)?;
    numbered::complete(&mut scene.client, [1])?;
    let delivery = holder.waiting()?;
    let before = since(&mut scene, channel.id)?;
    holder.report_failure(delivery, &before)?;
    assert_eq!(held_back(&mut scene)?, (true, true));
    scene.client.execute("SELECT zentry_resume($1)", &[&channel.id])?;
    assert_eq!(held_back(&mut scene)?, (false, false));
    // That it had failed once more is known to the sender when the person has done that.
    holder.report_failure(delivery, &before)?;
    assert_eq!(held_back(&mut scene)?, (false, false));
    let now = since(&mut scene, channel.id)?;
    holder.report_failure(delivery, &now)?;
    assert_eq!(held_back(&mut scene)?, (true, true));
    Ok(())
}

/// Whether the delivery waits for its next attempt, and whether the webhook is said to fail.
fn held_back(scene: &mut Scene) -> Result<(bool, bool)> {
    let sql = "SELECT max(d.next_attempt_at) > now(), EXISTS (SELECT FROM zentry_notify.webhook_circuit) FROM zentry_notify.delivery d";
    let row = scene.client.query_one(sql, &[])?;
    Ok((row.get(0), row.get(1)))
}
