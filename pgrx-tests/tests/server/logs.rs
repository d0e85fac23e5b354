//! `notification-logs/`

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::fire;

use crate::support::{API, Server, Token};

pub fn start() -> Result<(Scene, Server, Token)> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let manager = server.token(&mut scene, "manager")?;
    Ok((scene, server, manager))
}

/// Finished deliveries, as if they had been sent long ago: of two integrations, every tenth failed.
pub fn fill(scene: &mut Scene, rows: i32) -> Result<(i64, i64)> {
    let (one, other) = (
        scene.channel(Kind::Discord)?.id,
        scene.channel(Kind::Workflow)?.id,
    );
    scene.client.execute(
        "INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, status, attempts, finished_at) \
         SELECT 0, CASE WHEN n % 3 = 0 THEN $1 ELSE $2::bigint END, CASE WHEN n % 2 = 0 THEN 'daily_streak' ELSE 'badge_earned' END, \
                CASE WHEN n % 10 = 0 THEN 'f' ELSE 's' END::\"char\", 1, now() FROM generate_series(1, $3) n",
        &[&one, &other, &rows],
    )?;
    scene
        .client
        .batch_execute("VACUUM (ANALYZE) zentry_notify.delivery")?;
    Ok((one, other))
}

pub fn ids(page: &Value) -> Vec<i64> {
    let results = page["results"].as_array().expect("results");
    results
        .iter()
        .map(|entry| entry["id"].as_i64().expect("an id"))
        .collect()
}

/// Also those that no float has.
#[test]
fn numbers_keep_their_digits() -> Result<()> {
    let (mut scene, server, manager) = start()?;
    let channel = scene.channel(Kind::Discord)?;
    let id: i64 = scene
        .client
        .query_one(
            "WITH e AS (INSERT INTO zentry_notify.event (event_type, data, context) \
               VALUES ('daily_streak', '{\"a\": 12345678901234567.89, \"b\": 10.50, \"c\": 1e999}', '{\"routed\": true}') RETURNING id) \
             INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, status, finished_at) \
             SELECT id, $1, 'daily_streak', 's', now() FROM e RETURNING id",
            &[&channel.id],
        )?
        .get(0);
    let text = server.get(&format!("/notification-logs/{id}/"), &manager)?.text;
    let beyond = format!("1{}", "0".repeat(999));
    for number in ["12345678901234567.89", "10.50", &beyond] {
        assert!(text.contains(number), "{text}");
    }
    Ok(())
}

#[test]
fn a_delivery_is_shown_and_sent_again() -> Result<()> {
    let (mut scene, server, manager) = start()?;
    let channel = scene.channel(Kind::Discord)?;
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene.client)?;
    let failed = scene.settle()?.remove(0);
    let path = format!("/notification-logs/{}/", failed.id);
    let entry = server.get(&path, &manager)?.json;
    let mut keys: Vec<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "created_at",
            "error_message",
            "event_type",
            "id",
            "payload",
            "response_body",
            "response_status_code",
            "retry_count",
            "sent_at",
            "status",
            "webhook_integration",
            "webhook_integration_name",
            "webhook_type",
        ]
    );
    assert_eq!(
        (&entry["status"], &entry["response_status_code"]),
        (&json!("failed"), &json!(400))
    );
    assert_eq!(
        (&entry["webhook_integration"], &entry["webhook_type"]),
        (&json!(channel.id), &json!("discord"))
    );
    assert_eq!(entry["payload"], failed.payload);
    assert_eq!(entry["sent_at"], Value::Null);

    let retried = server.post(&format!("{path}retry/"), &manager, json!({}))?;
    assert_eq!(
        (retried.status, &retried.json["status"]),
        (200, &json!("pending")),
        "{retried:?}"
    );
    let new_id = retried.json["new_log_id"].as_i64().expect("an id");
    assert!(
        scene
            .settle()?
            .iter()
            .any(|delivery| delivery.id == new_id && delivery.status == "sent")
    );
    // By a request without a body, too.
    let again = server.call(
        "POST",
        &format!("{API}/notification-logs/{new_id}/retry/"),
        Some(&manager.text),
        None,
    )?;
    assert_eq!(again.status, 400);
    assert!(
        again.json["error"]
            .as_str()
            .is_some_and(|text| text.contains("sent already")),
        "{again:?}"
    );
    for path in [
        "/notification-logs/999999/",
        "/notification-logs/x/",
        "/notification-logs/99999999999999999999/",
        "/nothing/",
    ] {
        let answer = server.get(path, &manager)?;
        assert_eq!(
            (answer.status, &answer.json),
            (404, &json!({"detail": "Not found."})),
            "{path}"
        );
    }
    Ok(())
}

#[test]
fn lists_are_filtered_newest_first() -> Result<()> {
    let (mut scene, server, manager) = start()?;
    let (one, other) = fill(&mut scene, 60)?;
    let get = |query: &str| -> Result<Value> { Ok(server.get(query, &manager)?.json) };
    let all = get("/notification-logs/")?;
    let newest = ids(&all);
    assert_eq!((all["count"].as_i64(), newest.len()), (Some(60), 20));
    assert!(newest.is_sorted_by(|a, b| a > b), "{newest:?}");
    for (query, count) in [
        ("/notification-logs/?status=failed".to_owned(), 6),
        (
            "/notification-logs/?status=sent&event_type=daily_streak".to_owned(),
            24,
        ),
        ("/notification-logs/?event_type=daily_streak".to_owned(), 30),
        ("/notification-logs/?event_type=no_such_event".to_owned(), 0),
        ("/notification-logs/?webhook_type=discord".to_owned(), 20),
        (
            "/notification-logs/?webhook_type=teams&status=failed".to_owned(),
            4,
        ),
        ("/notification-logs/?status=pending".to_owned(), 0),
        (format!("/webhook-integrations/{one}/logs/"), 20),
        (format!("/webhook-integrations/{other}/logs/"), 40),
    ] {
        let page = get(&query)?;
        assert_eq!(page["count"], json!(count), "{query}");
        assert_eq!(ids(&page).len(), count.min(20), "{query}");
        assert_eq!(page.get("count_is_estimate"), None, "{query}");
    }
    assert_eq!(
        server.get("/webhook-integrations/999/logs/", &manager)?.status,
        404
    );
    for (query, field) in [
        ("status=lost", "status"),
        ("webhook_type=fax", "webhook_type"),
        ("event_type=%00", "event_type"),
        ("before=x", "before"),
    ] {
        let answer = server.get(&format!("/notification-logs/?{query}"), &manager)?;
        assert_eq!(answer.status, 400);
        assert!(answer.json[field][0].is_string(), "{answer:?}");
    }
    // What waits is among what is finished.
    scene.client.execute(
        "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, status, next_attempt_at) \
         VALUES ($1, 'daily_streak', '{}', 'retry', now() + interval '1 hour')",
        &[&one],
    )?;
    let page = get(&format!("/webhook-integrations/{one}/logs/"))?;
    assert_eq!(
        (&page["count"], &page["results"][0]["status"]),
        (&json!(21), &json!("retry"))
    );
    Ok(())
}

/// Whichever way one pages, every delivery is met once, also when new ones come meanwhile.
#[test]
fn links_lead_through_all_of_it_and_back() -> Result<()> {
    let (mut scene, server, manager) = start()?;
    fill(&mut scene, 130)?;
    let get = |url: &str| -> Result<Value> {
        let path = url.strip_prefix(&server.url).expect("an absolute link");
        Ok(server.call("GET", path, Some(&manager.text), None)?.json)
    };
    let before = |scene: &mut Scene| -> Result<Vec<i64>> {
        let rows = scene.client.query(
            "SELECT id FROM zentry_notify.logs WHERE status = 'sent' ORDER BY id DESC",
            &[],
        )?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    };
    let expected = before(&mut scene)?;
    let mut url = format!("{}{API}/notification-logs/?status=sent", server.url);
    let mut pages = Vec::new();
    loop {
        let page = get(&url)?;
        pages.push(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        assert!(
            next.contains("status=sent") && next.contains(&format!("page={}", pages.len() + 1)),
            "{next}"
        );
        url = next.to_owned();
        scene.client.batch_execute(
            "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, status) \
             SELECT id, 'daily_streak', '{}', 'sent' FROM zentry_notify.webhooks",
        )?;
    }
    assert_eq!(pages.concat(), expected);

    let mut back = Vec::new();
    loop {
        let page = get(&url)?;
        back.push(ids(&page));
        let Some(previous) = page["previous"].as_str() else {
            break;
        };
        url = previous.to_owned();
    }
    back.reverse();
    let (last, first) = (back.len() - 1, &back[0]);
    assert_eq!(back[1..=last], pages[1..=last]);
    assert!(first[0] > expected[0], "the first page has what has come since");
    Ok(())
}
