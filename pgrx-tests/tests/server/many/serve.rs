//! The API and the metrics of several databases behind one server.

use anyhow::{Context, Result};
use serde_json::json;
use zentry_e2e::cable::Cable;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;

use super::{GONE, connection, login};
use crate::support::{API, Server, Token};

/// Two scenes behind one server, and a database that is not there.
pub struct Two {
    pub server: Server,
    pub sales: (Scene, Token),
    pub shop: (Scene, Token),
}

impl Two {
    pub fn start() -> Result<Self> {
        let (mut sales, mut shop) = (Scene::start()?, Scene::start()?);
        let login = login(&mut [&mut sales, &mut shop], "server")?;
        let names = [
            format!("sales={}", connection(&sales)),
            format!("shop={}", connection(&shop)),
            format!("gone={GONE}"),
        ];
        let arguments: Vec<&str> = names.iter().flat_map(|name| ["--database", name]).collect();
        let cluster = sales.database.cluster();
        let server = Server::start_on(cluster.dir(), cluster.port(), "postgres", &login, &arguments)?;
        let tokens = (
            server.token(&mut sales, "manager")?,
            server.token(&mut shop, "manager")?,
        );
        Ok(Two {
            server,
            sales: (sales, tokens.0),
            shop: (shop, tokens.1),
        })
    }
}

#[test]
fn each_database_has_tokens_lists_and_metrics_of_its_own() -> Result<()> {
    let mut two = Two::start()?;
    let channel = two.sales.0.channel(Kind::Discord)?;
    let call = |path: &str, token: &Token| two.server.call("GET", path, Some(&token.text), None);
    let list = |name: &str| format!("/{name}{API}/webhook-integrations/");
    let found = call(&list("sales"), &two.sales.1)?;
    assert_eq!(
        (found.status, found.json["count"].as_i64()),
        (200, Some(1)),
        "{}",
        found.text
    );
    let found = call(&list("shop"), &two.shop.1)?;
    assert_eq!(
        (found.status, found.json["count"].as_i64()),
        (200, Some(0)),
        "{}",
        found.text
    );
    // Links in answers lead back below the name.
    let root = call("/sales/api/notifications/api/", &two.sales.1)?;
    assert_eq!(root.status, 200, "{}", root.text);
    let below = format!("{}/sales/api/", two.server.url);
    let listed = root.json.as_object().context("links")?.values();
    let listed: Vec<&str> = listed.filter_map(|link| link.as_str()).collect();
    assert!(
        !listed.is_empty() && listed.iter().all(|link| link.starts_with(&below)),
        "{}",
        root.text
    );
    // No other's token, and none without a name.
    for (path, token) in [(list("shop"), &two.sales.1), (list("sales"), &two.shop.1)] {
        assert_eq!(call(&path, token)?.status, 401, "{path}");
    }
    for path in [format!("{API}/webhook-integrations/"), list("nobody")] {
        assert_eq!(call(&path, &two.sales.1)?.status, 404, "{path}");
    }
    let made = two.server.call(
        "POST",
        &format!("/sales{API}/webhook-integrations/{}/test/", channel.id),
        Some(&two.sales.1.text),
        Some(json!({})),
    )?;
    assert_eq!(made.status, 200, "{}", made.text);
    channel.webhook.wait_for_events(1, SOON);

    for (name, token, webhooks) in [("sales", &two.sales.1, 1), ("shop", &two.shop.1, 0)] {
        let metrics = call(&format!("/{name}/metrics"), token)?;
        assert_eq!(metrics.status, 200, "{}", metrics.text);
        let samples = metrics
            .text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let own = format!("database=\"{name}\"");
        assert!(
            samples.clone().count() > 5 && samples.clone().all(|line| line.contains(&own)),
            "{}",
            metrics.text
        );
        let active = samples
            .clone()
            .find(|line| line.contains("_integrations") && line.contains("\"active\""));
        assert!(
            active.is_some_and(|line| line.ends_with(&format!(" {webhooks}"))),
            "{active:?}"
        );
    }
    let described = two.server.call("GET", "/sales/openapi.json", None, None)?;
    assert_eq!(described.json["servers"], json!([{"url": "/sales"}]));
    Ok(())
}

#[test]
fn a_database_that_is_down_takes_none_away() -> Result<()> {
    let two = Two::start()?;
    let health = two.server.call("GET", "/healthz", None, None)?;
    let known = json!({"status": "degraded", "databases": {"sales": "ok", "shop": "ok", "gone": "down"}});
    assert_eq!((health.status, &health.json), (200, &known));
    for (path, status) in [
        ("/sales/healthz", 200),
        ("/shop/healthz", 200),
        ("/gone/healthz", 503),
    ] {
        assert_eq!(two.server.call("GET", path, None, None)?.status, status, "{path}");
    }
    let up = two.server.call("GET", "/metrics", None, None)?;
    assert_eq!(up.status, 200);
    for (name, value) in [("sales", 1), ("shop", 1), ("gone", 0)] {
        let line = format!("zentry_notify_database_up{{database=\"{name}\"}} {value}");
        assert!(up.text.lines().any(|found| found == line), "{}", up.text);
    }
    let log = two.server.whole_log();
    assert!(log.contains("waiting for the database gone: "), "{log}");
    Ok(())
}

#[test]
fn a_database_that_falls_silent_keeps_nobody_from_hearing_how_the_others_are() -> Result<()> {
    let mut scene = Scene::start()?;
    let cable = Cable::to(scene.database.cluster())?;
    let login = login(&mut [&mut scene], "server")?;
    let names = [
        format!("near={}", connection(&scene)),
        format!(
            "far=host=127.0.0.1 port={} dbname={}",
            cable.port(),
            scene.database.name()
        ),
    ];
    let cluster = scene.database.cluster();
    // A request may take longer than anybody waits here.
    let arguments = [
        "--request-timeout",
        "3600",
        "--database",
        &names[0],
        "--database",
        &names[1],
    ];
    let server = Server::start_on(cluster.dir(), cluster.port(), "postgres", &login, &arguments)?;
    let health = || server.call("GET", "/healthz", None, None);
    let well = json!({"status": "ok", "databases": {"near": "ok", "far": "ok"}});
    eventually(SOON, "both to answer", || {
        health().ok().filter(|health| health.json == well)
    })?;
    cable.cut();
    let known = json!({"status": "degraded", "databases": {"near": "ok", "far": "down"}});
    let degraded = eventually(SOON, "one to be missed", || {
        health().ok().filter(|health| health.json == known)
    })?;
    assert_eq!(degraded.status, 200);
    let up = server.call("GET", "/metrics", None, None)?;
    let line = "zentry_notify_database_up{database=\"far\"} 0";
    assert!(up.text.lines().any(|found| found == line), "{}", up.text);
    server.wait_for_log("the database far cannot be reached: it does not answer in time")?;
    cable.mend();
    eventually(SOON, "both to answer again", || {
        health().ok().filter(|health| health.json == well)
    })?;
    server.wait_for_log("the database far answers again")
}

#[test]
fn what_is_the_servers_own_is_answered_and_logged_as_what_is_a_databases() -> Result<()> {
    let two = Two::start()?;
    let call = |method: &str, path: &str| two.server.call(method, path, None, None);
    for path in [
        "/healthz",
        "/healthz/",
        "/metrics",
        "/metrics/",
        "/",
        "/sales/healthz/",
    ] {
        assert_eq!(call("GET", path)?.status, 200, "{path}");
    }
    for path in ["/healthz", "/sales/healthz", "/sales", "/sales/"] {
        let refused = call("POST", path)?;
        let why = json!({"detail": "Method \"POST\" not allowed."});
        assert_eq!((refused.status, &refused.json), (405, &why), "{path}");
    }
    let page = call("GET", "/sales")?;
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    for path in [
        "/nobody/healthz",
        "/nobody",
        "/sale/healthz",
        "/Sales/healthz",
        "/s%61les/healthz",
        "//sales/healthz",
        "/docs/",
    ] {
        let refused = call("GET", path)?;
        assert_eq!(
            (refused.status, &refused.json),
            (404, &json!({"detail": "Not found."})),
            "{path}"
        );
    }
    assert_eq!(call("GET", "/gone/healthz")?.status, 503);
    // Why a database is away is in the log, whoever has asked.
    for needle in [
        "path=\"/healthz\"",
        "path=\"/nobody/healthz\"",
        "path=\"/sales\"",
        "the database gone cannot be reached: cannot connect to the database: error connecting to server: Connection refused",
        "path=\"/gone/healthz\"}",
    ] {
        two.server.wait_for_log(needle)?;
    }
    Ok(())
}
