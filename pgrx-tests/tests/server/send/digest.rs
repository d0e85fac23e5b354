//! Digests, which are of all that has happened before them.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, all_sent};
use zentry_e2e::wait::eventually;

use super::sender::{Sender, scene};

#[test]
fn a_digest_waits_for_what_is_not_routed_yet() -> Result<()> {
    const EVENTS: i64 = 200;
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    scene.client.batch_execute(&format!(
        "SELECT zentry_update_webhook({}, digest => '1 hour')",
        channel.id
    ))?;
    numbered::complete(&mut scene.client, 1..=3)?;
    scene.wait_until("three to wait", |all| all.len() == 3)?;
    let offered = "SELECT FROM zentry_notify.sender_queue WHERE NOT recalled";
    eventually(SOON, "the webhook to be offered", || {
        scene.client.query_opt(offered, &[]).ok()?
    })?;
    // Nothing is routed meanwhile.
    let mut other = scene.database.connect()?;
    other.batch_execute("BEGIN; SELECT FROM zentry_notify.route_cursor FOR UPDATE")?;
    numbered::complete(&mut scene.client, 4..=EVENTS)?;
    scene
        .client
        .batch_execute("UPDATE zentry_notify.event SET created_at = created_at - interval '1 hour'")?;
    let _sender = Sender::start(&mut scene, &login)?;
    let heard = "SELECT FROM pg_stat_activity a JOIN zentry_notify.sender s ON s.process = a.pid WHERE a.query LIKE '%claim_deliveries%' \
                 AND a.state = 'idle' AND a.state_change > $1::text::timestamptz";
    for _ in 0..2 {
        let now: String = scene.client.query_one("SELECT now()::text", &[])?.get(0);
        eventually(SOON, "the sender to have read the digest", || {
            scene.client.query_opt(heard, &[&now]).ok()?
        })?;
    }
    other.batch_execute("COMMIT")?;
    scene.wait_until("all of them to be sent", |all| {
        all.len() == EVENTS as usize && all_sent(all)
    })?;
    assert_eq!(channel.webhook.requests(), 1);
    Ok(())
}
