//! What somebody keeps locked while a sender sends, and what a person has changed before it reports.

use anyhow::{Context, Result};
use postgres::fallible_iterator::FallibleIterator;
use serde_json::json;
use zentry_e2e::emulator::{Kind, Limits};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use super::calls::{Calls, take_soon};
use super::sender::{Sender, scene};

const TASKS: Option<&[&str]> = Some(&["task_completed"]);

fn channel(scene: &mut Scene) -> Result<Channel> {
    let channel = scene.channel_for(Kind::Discord, None, TASKS)?;
    channel.webhook.limit(Limits::default());
    Ok(channel)
}

/// A session that holds the queue of a webhook.
struct Holder {
    calls: Calls,
    queue: i64,
    epoch: i64,
}

impl Holder {
    fn begin(scene: &Scene, login: &str) -> Result<Self> {
        let mut calls = Calls::begin(scene, login)?;
        let (queue, epoch) = take_soon(&mut calls)?;
        Ok(Holder { calls, queue, epoch })
    }

    /// The delivery that waits.
    fn waiting(&mut self) -> Result<i64> {
        eventually(SOON, "the delivery to wait", || {
            self.calls.waiting(self.queue).ok()?.pop()
        })
    }

    /// Reports that it failed, and is tried again in an hour; `since` is that of the webhook when it was called.
    fn report_failure(&mut self, delivery: i64, since: &str) -> Result<()> {
        let sql = "SELECT (now() + interval '1 hour')::text, now()::text";
        let row = self.calls.client.query_one(sql, &[])?;
        let (later, now): (String, String) = (row.get(0), row.get(1));
        let queue = self.queue;
        let refused = self.calls.report(&json!({
            "epochs": [{"webhook_id": queue, "epoch": self.epoch}],
            "deliveries": [{"id": delivery, "webhook_id": queue, "webhook_since": since, "status": "r", "attempts": 5, "error": "500: down",
                            "next_attempt_at": later}],
            "opened": [{"webhook_id": queue, "webhook_since": since, "failures": 5, "since": now, "next_try": later, "error": "500: down"}],
        }))?;
        assert_eq!(refused, [0; 0]);
        Ok(())
    }
}

fn since(scene: &mut Scene, webhook: i64) -> Result<String> {
    let sql = "SELECT activated_at::text FROM zentry_notify.webhook WHERE id = $1";
    Ok(scene.client.query_one(sql, &[&webhook])?.get(0))
}

/// Somebody has a delivery of one webhook locked, as `BEGIN; SELECT zentry_retry(...)` does until its end.
#[test]
fn a_delivery_that_somebody_keeps_locked_holds_up_no_other_webhook() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let (locked, free) = (channel(&mut scene)?, channel(&mut scene)?);
    numbered::complete(&mut scene.client, [1])?;
    scene.wait_until("both to wait", |all| all.len() == 2)?;
    let mut guard = scene.database.connect()?;
    guard.batch_execute("BEGIN")?;
    guard.execute(
        "SELECT FROM zentry_notify.delivery WHERE webhook_integration_id = $1 FOR UPDATE",
        &[&locked.id],
    )?;
    let _sender = Sender::start(&mut scene, &login)?;
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
    let (mut scene, login) = scene("remote")?;
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
        let asked = holder.calls.look().ok()?["asked"].clone();
        (asked == json!([[channel.id, "retry"]])).then_some(())
    })?;
    Ok(())
}

#[test]
fn what_a_sender_reports_of_before_undoes_nothing_that_a_person_has_done() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
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
