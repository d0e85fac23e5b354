//! A long log: pages, counts and searches read little of it.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::logs::*;
use crate::support::{Ran, command};

/// Counting a large log would take long: then the count says that it is an estimate, and is not far off.
#[test]
fn a_large_log_is_counted_by_estimate() -> Result<()> {
    let (mut scene, server, manager) = start()?;
    let (one, _) = fill(&mut scene, 300_000)?;
    for (query, rows) in [
        ("/notification-logs/".to_owned(), 300_000),
        ("/notification-logs/?webhook_type=discord".to_owned(), 100_000),
        ("/notification-logs/?event_type=badge_earned".to_owned(), 150_000),
        (format!("/webhook-integrations/{one}/logs/"), 100_000),
    ] {
        let page = server.get(&query, &manager)?.json;
        assert_eq!(
            page["count_is_estimate"],
            json!(true),
            "{query}: {}",
            page["count"]
        );
        let count = page["count"].as_i64().expect("a count");
        assert!((count - rows).abs() < rows / 5, "{query}: {count}");
        assert_eq!(ids(&page).len(), 20);
    }
    let far = server.get("/notification-logs/?page=501", &manager)?;
    assert_eq!(far.status, 404);
    assert!(
        far.json["detail"]
            .as_str()
            .is_some_and(|text| text.contains("next")),
        "{far:?}"
    );
    assert_eq!(server.get("/notification-logs/?page=500", &manager)?.status, 200);
    let last = server.get("/notification-logs/?page=last", &manager)?.json;
    let oldest: Vec<i64> = (1..=20).rev().collect();
    assert_eq!((ids(&last), &last["next"]), (oldest, &json!(null)));
    let previous = last["previous"]
        .as_str()
        .expect("a link")
        .replace(&server.url, "");
    let previous = server.call("GET", &previous, Some(&manager.text), None)?.json;
    assert_eq!(ids(&previous).last(), Some(&21));
    let known = server.get("/notification-logs/?page=9000&before=150000", &manager)?;
    assert_eq!(ids(&known.json)[0], 149_999);
    Ok(())
}

/// Rows of deliveries that statements have read, and index entries, as far as they are counted by now.
fn rows_read(scene: &mut Scene) -> Result<i64> {
    const SQL: &str = "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes \
                        WHERE relname IN ('delivery', 'legacy_delivery')) FROM pg_stat_user_tables WHERE relname IN ('delivery', 'legacy_delivery')";
    Ok(scene.client.query_one(SQL, &[])?.get(0))
}

/// However long the log is: a page reads what it shows, by an index, for every filter and from both ends.
#[test]
fn a_page_reads_little_of_a_long_log() -> Result<()> {
    const ROWS: i32 = 300_000;
    /// What is cheap enough to be counted, and the page itself.
    const BOUND: i64 = 100_000;
    let (mut scene, server, manager) = start()?;
    let (one, _) = fill(&mut scene, ROWS)?;
    // Of an integration that heard little, long ago, and waits for much.
    let rare = scene.channel(Kind::Discord)?.id;
    scene.client.execute(
        "UPDATE zentry_notify.delivery SET webhook_integration_id = $1 WHERE id IN (SELECT id FROM zentry_notify.delivery ORDER BY id LIMIT 30)",
        &[&rare],
    )?;
    scene
        .client
        .batch_execute("VACUUM (ANALYZE) zentry_notify.delivery")?;
    let oldest: i64 = scene
        .client
        .query_one("SELECT min(id) FROM zentry_notify.delivery", &[])?
        .get(0);
    let middle = oldest + i64::from(ROWS) / 2;
    let mut paths = Vec::new();
    for filter in [
        String::new(),
        format!("webhook_integration={one}"),
        format!("webhook_integration={rare}"),
        "webhook_type=discord".to_owned(),
        "event_type=daily_streak".to_owned(),
        "event_type=task_completed".to_owned(),
        format!("webhook_integration={rare}&event_type=badge_earned"),
        format!("webhook_integration={rare}&status=sent"),
        "status=sent".to_owned(),
        "status=failed".to_owned(),
        "status=pending".to_owned(),
        format!("webhook_integration={one}&status=retry"),
    ] {
        for place in [
            String::new(),
            format!("page=7&before={middle}"),
            format!("page=7&after={middle}"),
        ] {
            paths.push(format!("/notification-logs/?{filter}&{place}"));
        }
    }
    for path in paths {
        let before = rows_read(&mut scene)?;
        let answer = server.get(&path, &manager)?;
        assert!([200, 404].contains(&answer.status), "{path}: {answer:?}");
        // What was read is counted when the server's session has been idle for a while; then it is all there.
        let read = zentry_e2e::wait::eventually(zentry_e2e::scene::SOON, "the reads to be counted", || {
            let read = rows_read(&mut scene).ok()? - before;
            (read > 0).then_some(read)
        })?;
        assert!(read < BOUND, "{path}: {read} rows");
    }
    Ok(())
}

/// Of a time long ago, little is read: the ids of that time are found by halves.
#[test]
fn a_search_by_time_reads_little_of_a_long_log() -> Result<()> {
    const ROWS: i32 = 100_000;
    let mut scene = Scene::start()?;
    fill(&mut scene, ROWS)?;
    // A delivery a minute.
    scene.client.batch_execute(
        "UPDATE zentry_notify.delivery d SET finished_at = now() - (o.newest - d.id + 1) * interval '1 minute' \
           FROM (SELECT max(id) AS newest FROM zentry_notify.delivery) o",
    )?;
    scene
        .client
        .batch_execute("VACUUM (ANALYZE) zentry_notify.delivery")?;
    scene.client.batch_execute("SELECT pg_stat_force_next_flush()")?;
    let before = rows_read(&mut scene)?;
    let output = command(&scene, "postgres")?
        .args([
            "logs",
            "--json",
            "--limit",
            "1000",
            "--since",
            "30 days",
            "--until",
            "29 days 23 hours 50 minutes",
        ])
        .output()?;
    let ran = Ran::from(output);
    let found: Value = serde_json::from_str(&ran.out).with_context(|| ran.err.clone())?;
    assert_eq!(found.as_array().map(Vec::len), Some(10), "{}", ran.err);
    // The session has ended, and with it all is counted.
    let read = zentry_e2e::wait::eventually(zentry_e2e::scene::SOON, "the reads to be counted", || {
        let read = rows_read(&mut scene).ok()? - before;
        (read > 0).then_some(read)
    })?;
    assert!(read < 10_000, "{read} rows");
    Ok(())
}
