//! The log of 0.2.0, while it is moved.

use anyhow::Result;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::scene::{Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

use crate::*;

/// What waited in the old log goes before all that is new, in its order, and what was finished is in the log as it was.
#[test]
fn what_waits_in_the_old_log_is_sent_first_and_in_order() -> Result<()> {
    const WAITING: &str = "INSERT INTO zentry_notify.notification_log \
          (webhook_integration_id, event_type, payload, status, attempts, error_message, next_attempt_at) \
        SELECT 1, 'daily_streak', jsonb_build_object('user_name', 'old ' || n, 'streak_days', n), \
               CASE n % 3 WHEN 0 THEN 'retry' ELSE 'pending' END, CASE n % 3 WHEN 0 THEN 1 ELSE 0 END, \
               CASE n % 3 WHEN 0 THEN '503: not now' ELSE '' END, CASE n % 3 WHEN 0 THEN now() END \
          FROM generate_series(1, 2500) n";
    for_every_earlier_version(|mut story| {
        // A circuit that is open would let one of them through at a time.
        story
            .client
            .batch_execute(&format!("DELETE FROM zentry_notify.webhook_circuit; {WAITING}"))?;
        let before: i64 = story
            .client
            .query_one("SELECT max(id) FROM zentry_notify.notification_log", &[])?
            .get(0);
        story.client.batch_execute(UPDATE)?;
        for _ in 0..3 {
            fire(&mut story.client)?;
        }
        story.channel.webhook.wait_for_events(2503, SOON);
        let all = Delivery::settle(&mut story.client)?;
        let is_old = |d: &&Delivery| {
            let name = d.payload["user_name"].as_str();
            name.is_some_and(|name| name.starts_with("old "))
        };
        let old: Vec<_> = all.iter().filter(is_old).collect();
        assert_eq!(old.len(), 2500);
        assert!(old.iter().all(|d| d.status == "sent" && d.id <= before));
        let shown = story.channel.webhook.shown();
        let days = |text: &str| -> Option<usize> {
            let rest = text.strip_prefix("old ")?;
            rest.split(' ').next()?.parse().ok()
        };
        for (place, message) in shown.iter().enumerate().take(2500) {
            assert_eq!(days(&message.text), Some(place + 1), "{}", message.text);
        }
        assert_eq!(shown.len(), 2503);
        let left: i64 = story
            .client
            .query_one(
                "SELECT count(*) FROM zentry_notify.legacy_delivery WHERE status IN ('pending', 'retry')",
                &[],
            )?
            .get(0);
        assert_eq!(left, 0);
        assert_eq!(story.site.emulator.complaints(), Vec::<String>::new());
        Ok(())
    })
}

/// While the old log is moved, and ids of events are missing, events are read twice in a turn of the worker.
#[test]
fn milestones_are_told_once_while_the_old_log_is_moved() -> Result<()> {
    const OLD: &str = "INSERT INTO zentry_notify.legacy_delivery (id, webhook_integration_id, event_type, payload, status, sent_at) \
          SELECT 1000 + n, 1, 'daily_streak', jsonb_build_object('n', n), 'sent', now() FROM generate_series(1, 40000) n; \
        SELECT setval('zentry_notify.event_id_seq', 1000); SELECT setval('zentry_notify.delivery_id_seq', 50000)";
    const TOLD: &str = "SELECT count(*), count(DISTINCT (payload ->> 'project_id', payload ->> 'milestone_name')) \
          FROM zentry_notify.notification_log WHERE event_type = 'milestone_reached' AND status = 'sent'";
    const PROJECTS: i64 = 50;
    let site = Site::start(ClusterOptions::default())?;
    let (mut client, _channel) = site.served("old")?;
    let mut tasks = Vec::new();
    for number in 0..PROJECTS {
        let project = zentry::create_project(&mut client, &format!("Project {number}"), "", id::ADA, &[])?;
        tasks.push(zentry::bulk_create_tasks(&mut client, project, id::ADA, 4)?);
    }
    Delivery::settle(&mut client)?;
    client.batch_execute(OLD)?;
    // A setting brings a worker that looks at once.
    client.batch_execute("ALTER DATABASE old SET zentry_notify.log_retention = '99d'")?;
    for tasks in &tasks {
        for task in tasks {
            zentry::bulk_complete(&mut client, &[*task])?;
        }
    }
    let expected = (4 * PROJECTS, 4 * PROJECTS);
    eventually(SOON, "each milestone to be told once", || {
        let row = client.query_one(TOLD, &[]).ok()?;
        ((row.get(0), row.get(1)) == expected).then_some(())
    })?;
    wait_for(
        &mut client,
        "SELECT NOT EXISTS (SELECT FROM zentry_notify.legacy_delivery)",
    )?;
    let row = client.query_one(TOLD, &[])?;
    assert_eq!((row.get(0), row.get(1)), expected);
    Ok(())
}

/// Of the old log and of the new one, and events with their deliveries.
#[test]
fn the_old_log_and_the_new_one_leave_by_their_age() -> Result<()> {
    const EMPTY: &str = "DELETE FROM zentry_notify.delivery; DELETE FROM zentry_notify.event; \
        SELECT setval('zentry_notify.delivery_id_seq', 10000)";
    const OLD: &str = "INSERT INTO zentry_notify.legacy_delivery (id, webhook_integration_id, event_type, payload, status, created_at, sent_at) \
          SELECT n, 1, 'daily_streak', jsonb_build_object('n', n), CASE n % 10 WHEN 0 THEN 'failed' ELSE 'sent' END, t, t \
            FROM (SELECT n, CASE WHEN n <= 1500 THEN now() - interval '3 days' ELSE now() END AS t FROM generate_series(1, 1700) n) r";
    const NEW: &str = "WITH e AS (INSERT INTO zentry_notify.event (created_at, event_type, data, context) \
          SELECT CASE WHEN n <= 1500 THEN now() - interval '3 days' ELSE now() END, 'daily_streak', json_build_object('n', 10000 + n), '{\"routed\": true}' \
            FROM generate_series(1, 1700) n RETURNING id, created_at) \
        INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, status, finished_at) \
          SELECT id, 1, 'daily_streak', 's', created_at FROM e";
    let site = Site::start(ClusterOptions::default().set("zentry_notify.log_retention", "100d"))?;
    let (mut client, channel) = site.served("old")?;
    client.batch_execute(&format!("{EMPTY}; {OLD}; {NEW}"))?;
    // The new setting brings a new worker, which looks at once.
    client.batch_execute("ALTER DATABASE old SET zentry_notify.log_retention = '2d'")?;
    wait_for(
        &mut client,
        "SELECT NOT EXISTS (SELECT FROM zentry_notify.legacy_delivery) AND count(*) = 400 FROM zentry_notify.notification_log",
    )?;
    let kept: bool = client
        .query_one(
            "SELECT bool_and((payload ->> 'n')::integer % 10000 > 1500 AND created_at > now() - interval '1 day') FROM zentry_notify.notification_log",
            &[],
        )?
        .get(0);
    assert!(kept);
    // Events go once it is written that they are routed; the next worker, again, looks at once.
    client.batch_execute("ALTER DATABASE old SET zentry_notify.log_retention = '47h'")?;
    wait_for(
        &mut client,
        "SELECT NOT EXISTS (SELECT FROM zentry_notify.event WHERE created_at < now() - interval '2 days')",
    )?;
    assert_eq!(channel.webhook.event_count(), 1);
    Ok(())
}
