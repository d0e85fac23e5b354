//! `/metrics` in each of its formats, read by the parsers of others.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::fire;
use zentry_e2e::wait::eventually;

use crate::monitoring::*;
use crate::support::{Ran, Server, Token, target};

/// Families by name, as Prometheus' own parser reads them.
fn parsed(format: &str, text: &str) -> Result<Value> {
    let library = target()?.join("tools/prometheus_client");
    ensure!(
        library.exists(),
        "{} is missing: scripts/bootstrap installs it",
        library.display()
    );
    let mut python = Command::new("python3")
        .args(["-c", include_str!("parse_metrics.py"), format])
        .env("PYTHONPATH", library)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    python
        .stdin
        .take()
        .context("no input")?
        .write_all(text.as_bytes())?;
    let ran = Ran::from(python.wait_with_output()?);
    ensure!(ran.code == 0, "{}in\n{text}", ran.err);
    Ok(serde_json::from_str(&ran.out)?)
}

/// The value of the only sample of this name whose labels have these among them.
fn sample(families: &Value, name: &str, labels: &Value) -> Option<f64> {
    let all = families.as_object()?.values();
    let mut samples = all.flat_map(|family| family["samples"].as_array().into_iter().flatten());
    let fits = |found: &&Value| {
        found[0] == name
            && labels
                .as_object()
                .is_some_and(|wanted| wanted.iter().all(|(label, value)| found[1][label] == *value))
    };
    let found = samples.find(fits)?;
    assert!(
        !samples.any(|other| fits(&other)),
        "{name} {labels} twice in {families:#}"
    );
    found[2].as_f64()
}

fn metrics_in(server: &Server, token: &Token, accept: &str) -> Result<(String, String)> {
    let answer = server.call_with("GET", "/metrics", Some(&token.text), &[("Accept", accept)])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok((answer.header("content-type").to_owned(), answer.text))
}

#[test]
fn each_format_is_read_by_its_own_parser_and_says_the_same() -> Result<()> {
    let mut scene = Scene::start()?;
    let (good, gone) = (scene.channel(Kind::Discord)?, scene.channel(Kind::Workflow)?);
    let name = "Team \"α\" \\ {x=1}\t# EOF";
    scene
        .client
        .execute("SELECT zentry_update_webhook($1, name => $2)", &[&good.id, &name])?;
    gone.webhook.script([Behaviour::Status(404)]);
    let server = Server::start(&mut scene)?;
    let reader = server.token(&mut scene, "reader")?;
    for _ in 0..3 {
        fire(&mut scene.client)?;
        scene.settle()?;
    }
    let waits = scene.channel(Kind::Discord)?;
    scene.client.execute(
        "SELECT zentry_update_webhook($1, digest => '1 hour')",
        &[&waits.id],
    )?;
    fire(&mut scene.client)?;
    scene.wait_until("a delivery to wait", |all| all.iter().any(|one| one.waits()))?;
    let open = eventually(SOON, "all to be counted", || {
        let (_, text) = metrics_in(&server, &reader, "application/openmetrics-text").ok()?;
        let all = parsed("openmetrics", &text).ok()?;
        let count = sample(
            &all,
            "zentry_notify_latency_seconds_count",
            &json!({"webhook": name}),
        )?;
        (count == 4.0).then_some(all)
    })?;
    let (kind, text) = metrics_in(&server, &reader, "text/plain")?;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!text.contains("# EOF\n") && !text.contains("# UNIT"), "{text}");
    let plain = parsed("text", &text)?;
    assert_eq!(sample_names(&open), sample_names(&plain));

    for all in [&open, &plain] {
        let of = |name: &str, labels: Value| sample(all, name, &labels);
        let team = json!({"webhook": name});
        assert_eq!(
            of(
                "zentry_notify_sent_total",
                json!({"webhook": name, "event_type": "daily_streak"})
            ),
            Some(4.0)
        );
        assert_eq!(of("zentry_notify_requests_total", team.clone()), Some(4.0));
        assert_eq!(of("zentry_notify_rate_limited_total", team.clone()), Some(0.0));
        assert_eq!(
            of(
                "zentry_notify_latency_seconds_bucket",
                json!({"webhook": name, "le": "+Inf"})
            ),
            Some(4.0)
        );
        assert!(of("zentry_notify_latency_seconds_sum", team).is_some_and(|sum| sum > 0.0));
        for (webhook, state) in [(good.id, "active"), (gone.id, "gone"), (waits.id, "active")] {
            for other in ["active", "failing", "gone", "off"] {
                let labels = json!({"webhook_id": webhook.to_string(), "state": other});
                let is = f64::from(u8::from(state == other));
                assert_eq!(
                    of("zentry_notify_webhook_state", labels),
                    Some(is),
                    "{webhook} {other}"
                );
            }
        }
        let waiting = json!({"webhook_id": waits.id.to_string()});
        assert_eq!(of("zentry_notify_pending", waiting.clone()), Some(1.0));
        assert!(of("zentry_notify_oldest_pending_seconds", waiting).is_some_and(|age| age >= 0.0));
        assert_eq!(of("zentry_notify_unrouted_events", json!({})), Some(0.0));
        for subject in ["library", "launcher", "worker"] {
            assert_eq!(
                of("zentry_notify_status", json!({"subject": subject})),
                Some(0.0),
                "{subject}"
            );
        }
        let broken = json!({"subject": format!("webhook {}", gone.id)});
        assert_eq!(of("zentry_notify_status", broken), Some(2.0));
        let version = env!("CARGO_PKG_VERSION");
        let build = json!({"version": version, "extension": version, "library": version});
        assert_eq!(of("zentry_notify_build_info", build), Some(1.0));
    }
    assert_eq!(open["zentry_notify_latency_seconds"]["type"], "histogram");
    assert_eq!(plain["zentry_notify_latency_seconds"]["type"], "histogram");
    assert_eq!(plain["zentry_notify_build_info"]["type"], "gauge");

    // What is asked for there is shown, and what is shown is described.
    let shown = names(&open);
    for file in [
        "packaging/prometheus/zentry_notify.rules.yml",
        "packaging/prometheus/zentry_notify.test.yml",
        "packaging/grafana/zentry_notify.json",
        "docs/reference/metrics.md",
    ] {
        let text = fs::read_to_string(beside_tests(file)).context(file)?;
        let asked = named(&text);
        assert!(!asked.is_empty(), "{file} names no metric");
        // A server of several databases shows it, and no other (tests/server/many).
        let of_several = "zentry_notify_database_up";
        let unknown: Vec<&&str> = asked
            .iter()
            .filter(|name| !shown.contains(**name) && **name != of_several)
            .collect();
        assert!(unknown.is_empty(), "{file} has {unknown:?}, which nobody shows");
        if file.starts_with("docs/reference") {
            let families = open.as_object().context("families")?.keys();
            let missing: Vec<&String> = families
                .filter(|name| {
                    !["", "_total", "_info"]
                        .iter()
                        .any(|end| asked.contains(&*format!("{name}{end}")))
                })
                .collect();
            assert!(missing.is_empty(), "{file} lacks {missing:?}");
        }
    }
    Ok(())
}
