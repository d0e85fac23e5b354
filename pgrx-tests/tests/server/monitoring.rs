//! `/healthz`, `/metrics`, what is made of them in packaging/, and the API's description.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use zentry_e2e::cluster::{ClusterOptions, StopMode};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::release::earlier_versions;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::fire;
use zentry_e2e::wait::eventually;

use crate::support::{API, Ran, Server};

/// The value of the only line of `metric` that has all of `labels`.
pub fn value(text: &str, metric: &str, labels: &[&str]) -> Option<f64> {
    let mut lines = text.lines().filter(|line| {
        line.strip_prefix(metric)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    let found = lines.next()?.rsplit(' ').next()?.parse().ok();
    assert_eq!(lines.next(), None, "{metric} {labels:?} twice in\n{text}");
    found
}

/// As `zentry_status()` says.
#[test]
fn status_is_a_list_of_parts() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let reader = server.token(&mut scene, "reader")?;
    let status = server.get("/status/", &reader)?.json;
    let parts = status.as_array().unwrap();
    assert_eq!(
        (parts[0]["subject"].as_str(), parts[0]["state"].as_str()),
        (Some("library"), Some("ok"))
    );
    let webhooks = parts.iter().find(|part| part["subject"] == "webhooks").unwrap();
    assert_eq!(webhooks["state"], "attention", "none is registered");
    let remedy = webhooks["remedy"].as_str().unwrap();
    assert!(remedy.contains("zentry_register_webhook("), "{webhooks}");
    Ok(())
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

pub fn sample_names(families: &Value) -> BTreeSet<String> {
    let families = families.as_object().into_iter().flatten();
    let samples = families.flat_map(|(_, family)| family["samples"].as_array().into_iter().flatten());
    samples
        .filter_map(|sample| sample[0].as_str().map(ToOwned::to_owned))
        .collect()
}

/// Of samples and of families; of the latter without what is put behind them in OpenMetrics.
pub fn names(families: &Value) -> BTreeSet<String> {
    let of_families = families
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone());
    of_families.chain(sample_names(families)).collect()
}

/// Metrics that a text names.
pub fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("zentry_notify_")).collect()
}

pub fn beside_tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn promtool(arguments: &[&str]) -> Result<Ran> {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(beside_tests("packaging/prometheus"))
        .output()
        .context("no promtool: scripts/bootstrap tests installs it")?;
    Ok(output.into())
}

/// promtool is content with a test of an alert that no rule has, and with an alert that no test has.
#[test]
fn every_alert_is_tested() -> Result<()> {
    let checked = promtool(&["check", "rules", "--lint-fatal", "zentry_notify.rules.yml"])?;
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    let tested = promtool(&["test", "rules", "zentry_notify.test.yml"])?;
    assert_eq!(tested.code, 0, "{}{}", tested.out, tested.err);

    let read = |file: &str| fs::read_to_string(beside_tests(&format!("packaging/prometheus/{file}")));
    let (rules, tests) = (read("zentry_notify.rules.yml")?, read("zentry_notify.test.yml")?);
    let after = |text: &str, key: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(key));
        lines.map(|name| name.trim().to_owned()).collect()
    };
    let alerts = after(&rules, "- alert:");
    assert_eq!(alerts.len(), 9, "{alerts:?}");
    // Of each test of an alert: its name, and whether it has to fire.
    let cases: Vec<(String, bool)> = tests
        .split("- alertname:")
        .skip(1)
        .map(|case| {
            let name = case.lines().next().unwrap_or_default().trim().to_owned();
            (name, !case.contains("exp_alerts: []"))
        })
        .collect();
    for alert in &alerts {
        for fires in [true, false] {
            assert!(
                cases.contains(&(alert.clone(), fires)),
                "no test in which {alert} {}",
                if fires { "fires" } else { "does not fire" }
            );
        }
    }
    let unknown: Vec<_> = cases.iter().filter(|(name, _)| !alerts.contains(name)).collect();
    assert!(unknown.is_empty(), "no rule has {unknown:?}");
    Ok(())
}

/// Grafana's own check is Grafana; here: it is JSON, and each query is PromQL.
#[test]
fn the_dashboards_queries_are_promql() -> Result<()> {
    let text = fs::read_to_string(beside_tests("packaging/grafana/zentry_notify.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
    assert!(queries.len() >= panels.len() && panels.len() > 10, "{queries:#?}");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut rules = String::from("groups:\n- name: dashboard\n  rules:\n");
    for (number, query) in queries.iter().enumerate() {
        let query = query
            .replace("$__rate_interval", "5m")
            .replace("$webhook", ".*")
            .replace("$database", ".*");
        rules += &format!("  - record: query:{number}\n    expr: {}\n", json!(query));
    }
    let directory = crate::support::Directory::new()?;
    let file = directory.0.join("queries.yml");
    fs::write(&file, rules)?;
    let checked = promtool(&["check", "rules", file.to_str().context("a path")?])?;
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    Ok(())
}

#[test]
fn health_is_the_databases() -> Result<()> {
    let mut site = zentry_e2e::site::Site::start(ClusterOptions::default())?;
    let mut client = site.database("health")?;
    client.batch_execute("CREATE ROLE server LOGIN; SELECT zentry_grant('server', 'server')")?;
    drop(client);
    let server = Server::start_on(site.cluster.dir(), site.cluster.port(), "health", "server", &[])?;
    let health = || server.call("GET", "/healthz", None, None).ok();
    // A result is used for a second.
    let becomes = |status: u16| {
        eventually(SOON, format!("/healthz to answer {status}"), || {
            health().filter(|answer| answer.status == status)
        })
    };
    assert_eq!(becomes(200)?.json, json!({"status": "ok"}));
    site.cluster.stop(StopMode::Fast)?;
    let down = becomes(503)?.json;
    assert_eq!(down, json!({"detail": "The database is not available."}));
    server.wait_for_log("the database cannot be reached: ")?;
    site.cluster.start_again()?;
    becomes(200)?;
    server.wait_for_log("the database answers again")?;
    Ok(())
}

/// A database that answers, but lacks what the server needs, is not well, and it is said what is to be done.
#[test]
fn health_is_the_extension_s() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let says = |said: &str, status: u16| {
        eventually(SOON, format!("/healthz to say {said:?}"), || {
            let answer = server.call("GET", "/healthz", None, None).ok()?;
            (answer.status == status && answer.text.contains(said)).then_some(())
        })
    };
    says("ok", 200)?;
    let earlier = earlier_versions()?;
    let earlier = earlier.last().context("no version before this one")?;
    scene
        .client
        .batch_execute("DROP EXTENSION zentry_notify CASCADE")?;
    says("The database does not have the extension zentry_notify.", 503)?;
    scene
        .client
        .batch_execute(&format!("CREATE EXTENSION zentry_notify VERSION '{earlier}'"))?;
    says(
        "too old for this server: ALTER EXTENSION zentry_notify UPDATE;",
        503,
    )?;
    server.wait_for_log(&format!(
        "the database cannot be used: the extension is of version {earlier}, and this program needs "
    ))?;
    scene
        .client
        .batch_execute("ALTER EXTENSION zentry_notify UPDATE")?;
    says("ok", 200)
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
    assert_eq!((paths.len(), operations), (21, 28), "{:?}", paths.keys());
    // The root has the address of whatever can be read without knowing a number or a name.
    let lists: BTreeSet<&str> = paths
        .iter()
        .filter(|(path, of)| !path.contains('{') && of.get("get").is_some())
        .filter_map(|(path, _)| Some(path.strip_prefix(API)?.trim_matches('/')))
        .filter(|name| !name.is_empty())
        .collect();
    let manager = server.token(&mut scene, "manager")?;
    let root = server.get("/", &manager)?.json;
    let root = root.as_object().expect("a root");
    assert_eq!(root.keys().map(String::as_str).collect::<BTreeSet<_>>(), lists);
    for name in lists {
        assert_eq!(root[name], format!("{}{API}/{name}/", server.url));
        assert_eq!(server.get(&format!("/{name}/"), &manager)?.status, 200, "{name}");
    }
    let event = &description["components"]["schemas"]["event_task_completed"]["properties"];
    assert_eq!(event["type"]["enum"], json!(["task_completed"]));
    assert_eq!(
        event["data"]["properties"]["task_id"]["type"],
        json!(["integer", "string", "null"])
    );
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
