//! `/healthz`, `/metrics`, and the API's description.

use anyhow::Result;
use serde_json::json;
use zentry_e2e::cluster::{ClusterOptions, StopMode};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::fire;
use zentry_e2e::wait::eventually;

use crate::support::Server;

/// The value of the only line of `metric` that has all of `labels`.
fn value(text: &str, metric: &str, labels: &[&str]) -> Option<f64> {
    let mut lines = text.lines().filter(|line| {
        line.strip_prefix(metric)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    let found = lines.next()?.rsplit(' ').next()?.parse().ok();
    assert_eq!(lines.next(), None, "{metric} {labels:?} twice in\n{text}");
    found
}

#[test]
fn metrics_show_what_was_sent_and_what_waits() -> Result<()> {
    let mut scene = Scene::start()?;
    let (good, bad, late) = (
        scene.channel(Kind::Discord)?,
        scene.channel(Kind::Workflow)?,
        scene.channel(Kind::Connector)?,
    );
    let server = Server::start(&mut scene)?;
    let reader = server.token(&mut scene, "reader")?;
    let metrics = || -> Result<String> {
        let answer = server.call("GET", "/metrics", Some(&reader.text), None)?;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer
                .header("content-type")
                .starts_with("application/openmetrics-text")
        );
        Ok(answer.text)
    };
    bad.webhook.script([Behaviour::Status(400)]);
    late.webhook.script([Behaviour::Hang]);
    fire(&mut scene.client)?;
    good.webhook.wait_for_events(1, SOON);
    scene.wait_until("two outcomes", |all| {
        all.iter().filter(|one| !one.waits()).count() == 2
    })?;
    // Counters follow the outcomes within a second.
    let text = eventually(SOON, "two outcomes to be counted", || {
        let text = metrics().ok()?;
        (text.matches("_sent_total{").count() == 2).then_some(text)
    })?;
    let id = |id: i64| format!("webhook_id=\"{id}\"");
    let streak = "event_type=\"daily_streak\"";
    for (metric, webhook, number) in [
        ("sent", good.id, 1.0),
        ("failed", good.id, 0.0),
        ("sent", bad.id, 0.0),
        ("failed", bad.id, 1.0),
        ("retried", bad.id, 0.0),
    ] {
        let metric = format!("zentry_notify_{metric}_total");
        assert_eq!(
            value(&text, &metric, &[&id(webhook), streak]),
            Some(number),
            "{metric} of {webhook} in\n{text}"
        );
    }
    let waits = [id(late.id), "event_type=\"daily_streak\"".to_owned()];
    let waits: Vec<&str> = waits.iter().map(String::as_str).collect();
    assert_eq!(value(&text, "zentry_notify_pending", &waits), Some(1.0), "{text}");
    assert!(
        value(&text, "zentry_notify_oldest_pending_seconds", &waits)
            .is_some_and(|age| (0.0..60.0).contains(&age)),
        "{text}"
    );
    let states = ["active", "failing", "gone", "off"].map(|state| {
        let label = format!("state=\"{state}\"");
        value(&text, "zentry_notify_integrations", &[&label])
    });
    assert_eq!(states.into_iter().flatten().sum::<f64>(), 3.0, "{text}");
    assert!(states.iter().all(Option::is_some), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    Ok(())
}

#[test]
fn health_is_the_databases() -> Result<()> {
    let mut site = zentry_e2e::site::Site::start(ClusterOptions::default())?;
    let mut client = site.database("health")?;
    client.batch_execute("CREATE ROLE server LOGIN; SELECT zentry_grant('server', 'server')")?;
    drop(client);
    let server = Server::start_on(site.cluster.dir(), site.cluster.port(), "health", "server", &[])?;
    let health = || -> Result<u16> { Ok(server.call("GET", "/healthz", None, None)?.status) };
    assert_eq!(health()?, 200);
    site.cluster.stop(StopMode::Fast)?;
    assert_eq!(health()?, 503);
    site.cluster.start_again()?;
    assert_eq!(health()?, 200);
    Ok(())
}

#[test]
fn the_api_describes_itself() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let description = server.call("GET", "/openapi.json", None, None)?.json;
    assert_eq!(description["openapi"], "3.1.0");
    let paths = description["paths"].as_object().expect("paths");
    let operations: usize = paths
        .values()
        .map(|path| path.as_object().map_or(0, |path| path.len()))
        .sum();
    assert_eq!((paths.len(), operations), (10, 14), "{:?}", paths.keys());
    assert_eq!(
        description["components"]["securitySchemes"]["token"]["scheme"],
        json!("bearer")
    );
    let page = server.call("GET", "/docs/", None, None)?;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'self'"),
        "{page:?}"
    );
    // Its parts are here, and nothing is loaded from elsewhere.
    for part in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert!(page.text.contains(part), "{page:?}");
        assert_eq!(
            server.call("GET", &format!("/docs/{part}"), None, None)?.status,
            200
        );
    }
    assert!(!page.text.contains("//"), "{}", page.text);
    Ok(())
}
