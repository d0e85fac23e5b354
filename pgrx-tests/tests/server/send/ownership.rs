//! A webhook has one holder at a time: what others report of it, or read of it, is refused.

use anyhow::{Context, Result};
use zentry_e2e::emulator::Kind;
use zentry_e2e::numbered;
use zentry_e2e::scene::SOON;
use zentry_e2e::wait::eventually;

use super::calls::{Calls, take_soon};
use super::sender::{channels, role, scene};

#[test]
fn what_a_holder_of_before_reports_is_refused() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut first = Calls::begin(&scene, &login)?;
    let (queue, epoch) = take_soon(&mut first)?;
    assert_eq!(queue, channel.id);
    numbered::complete(&mut scene.client, [1, 2])?;
    let waiting = eventually(SOON, "the deliveries to wait", || {
        first.waiting(queue).ok().filter(|waiting| waiting.len() == 2)
    })?;
    // Its session is over; nobody has taken the queue, so what it did counts.
    drop(first);
    let mut again = Calls::begin(&scene, &login)?;
    assert_eq!(again.record(queue, epoch, waiting[0])?, [0; 0]);
    drop(again);
    let mut other = Calls::begin(&scene, &login)?;
    let (_, later) = take_soon(&mut other)?;
    assert!(later > epoch);
    let mut again = Calls::begin(&scene, &login)?;
    assert_eq!(other.waiting(queue)?, waiting[1..]);
    assert_eq!(again.record(queue, epoch, waiting[1])?, [queue]);
    assert_eq!(other.waiting(queue)?, waiting[1..]);
    assert_eq!(again.waiting(queue)?, [0; 0]);
    assert_eq!(other.record(queue, later, waiting[1])?, [0; 0]);
    assert_eq!(other.waiting(queue)?, [0; 0]);
    let status: Vec<String> = scene
        .deliveries()?
        .into_iter()
        .map(|delivery| delivery.status)
        .collect();
    assert_eq!(status, ["sent", "sent"]);
    Ok(())
}

#[test]
fn a_sender_sees_what_it_holds_and_nothing_else() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channels = channels(&mut scene, 2)?;
    let mut one = Calls::begin(&scene, &login)?;
    let mut other = Calls::begin(&scene, &login)?;
    let (of_one, of_other) = (take_soon(&mut one)?.0, take_soon(&mut other)?.0);
    let urls = |calls: &mut Calls| -> Result<Vec<String>> {
        let sql = "SELECT w ->> 'webhook_url' FROM jsonb_array_elements(zentry_notify.sending_webhooks($1) -> 'webhooks') w";
        let rows = calls.client.query(sql, &[&calls.sender])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    };
    let url = |id: i64| {
        let channel = channels.iter().find(|channel| channel.id == id).unwrap();
        channel.webhook.url()
    };
    let seen = urls(&mut one)?;
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].starts_with(url(of_one).split('?').next().unwrap()),
        "{seen:?}"
    );
    assert_ne!(of_one, of_other);
    numbered::complete(&mut scene.client, [1])?;
    eventually(SOON, "its delivery to wait", || {
        one.waiting(of_one).ok().filter(|waiting| !waiting.is_empty())
    })?;
    assert_eq!(one.waiting(of_other)?, [0; 0]);
    // The number of another session's sender is of no use.
    one.sender = other.sender;
    for refused in [
        one.take().map(drop),
        one.waiting(of_other).map(drop),
        urls(&mut one).map(drop),
    ] {
        let error = refused.expect_err("a sender of another session");
        let error = error.downcast::<postgres::Error>()?;
        let said = error.as_db_error().context("the database's error")?;
        assert!(
            said.message().ends_with("does not belong to this session"),
            "{said:?}"
        );
        assert!(
            said.hint().is_some_and(|hint| hint.contains("transaction mode")),
            "{said:?}"
        );
    }
    for refused in [
        "SELECT * FROM zentry_notify.webhook_secret",
        "SELECT * FROM zentry_notify.sender",
        "SELECT * FROM zentry_notify.webhooks",
        "SELECT zentry_status()",
        "SELECT zentry_notify.offer_queues('{1}')",
        "SELECT zentry_notify.forget_gone_senders()",
    ] {
        assert!(other.client.batch_execute(refused).is_err(), "{refused}");
    }
    Ok(())
}

#[test]
fn what_another_role_holds_is_not_a_senders_to_report() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let other = role(&mut scene)?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut holder = Calls::begin(&scene, &login)?;
    let (queue, epoch) = take_soon(&mut holder)?;
    numbered::complete(&mut scene.client, [1])?;
    let delivery = eventually(SOON, "the delivery to wait", || holder.waiting(queue).ok()?.pop())?;
    // It has guessed when the queue was taken.
    let mut hostile = Calls::begin(&scene, &other)?;
    assert_eq!(hostile.record(queue, epoch, delivery)?, [queue]);
    assert_eq!(holder.waiting(queue)?, [delivery]);
    assert_eq!(holder.record(queue, epoch, delivery)?, [0; 0]);
    Ok(())
}
