//! Webhook URLs are passwords: no part of one is found anywhere but in the table that keeps it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use postgres::Client;
use postgres::types::ToSql;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::{Behaviour, Kind, Webhook};
use zentry_e2e::scene::{Delivery, SOON, register};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::zentry;

/// What of a URL gives it away: every long part that is not the same for all.
fn secrets(url: &str) -> Vec<String> {
    let parts = url.split(['/', '?', '&', '=', '@']).filter(|part| {
        part.len() >= 16
            && !part.contains(':')
            && !part.chars().all(|c| c.is_ascii_digit())
            && !part.contains("%2F")
    });
    let parts: Vec<String> = parts.map(str::to_owned).collect();
    assert!(!parts.is_empty(), "no secret in {url}");
    parts
}

/// What must not be found, and where it was looked for.
struct Search {
    secrets: Vec<String>,
    found: Vec<String>,
}

impl Search {
    fn new(urls: &[String]) -> Self {
        let mut secrets: Vec<String> = urls.iter().flat_map(|url| secrets(url)).collect();
        // The beginning of one is enough: an error may have been cut.
        for secret in &mut secrets {
            secret.truncate(12);
        }
        Self {
            secrets,
            found: Vec::new(),
        }
    }

    fn look_at(&mut self, place: &str, text: &str) {
        for line in text
            .lines()
            .filter(|line| self.secrets.iter().any(|secret| line.contains(secret.as_str())))
        {
            self.found.push(format!("{place}: {line}"));
        }
    }

    fn look_at_error(&mut self, place: &str, error: &postgres::Error) {
        self.look_at(place, &format!("{error:?}"));
    }
}

/// One of each kind, under their names.
fn webhooks(site: &Site, client: &mut Client) -> Result<Vec<(i64, Webhook)>> {
    [Kind::Discord, Kind::Connector, Kind::Workflow]
        .into_iter()
        .map(|kind| {
            let webhook = site.emulator.register(kind);
            Ok((register(client, &webhook, None, None)?, webhook))
        })
        .collect()
}

const FAILURES: usize = 11;

/// Every way in which a receiver can fail, with the URL itself in the answer where it can be.
fn misbehaviour(webhook: &Webhook) -> Vec<Behaviour> {
    let url = webhook.url();
    let echo = |status: u16, body: String| Behaviour::Answer {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body,
    };
    let all = vec![
        echo(500, format!("cannot handle {url}")),
        echo(
            400,
            serde_json::json!({ "message": format!("bad request for {url}"), "code": 50035 }).to_string(),
        ),
        echo(403, format!("{url} is forbidden")),
        echo(200, format!("Webhook message delivery failed with error: {url}")),
        Behaviour::Redirect(url.clone()),
        Behaviour::DropBeforeAnswer,
        Behaviour::Reset,
        Behaviour::CutAnswer,
        Behaviour::Garbage,
        Behaviour::Hang,
        echo(404, format!("{url} is unknown")),
    ];
    assert_eq!(all.len(), FAILURES);
    all
}

/// All text that a query gives.
fn text_of(client: &mut Client, relation: &str) -> Result<String> {
    let sql = format!("SELECT coalesce(string_agg(r::text, E'\\n'), '') FROM {relation} r");
    Ok(client.query_one(&sql, &[])?.get(0))
}

/// Looks over and over at what pg_stat_activity shows, until told to stop; everything that it has shown.
fn watch(mut client: Client, stop: Arc<AtomicBool>) -> thread::JoinHandle<BTreeSet<String>> {
    thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while !stop.load(Ordering::SeqCst) {
            for row in client
                .query("SELECT a::text FROM pg_stat_activity a", &[])
                .unwrap()
            {
                seen.insert(row.get(0));
            }
            thread::yield_now();
        }
        seen
    })
}

#[test]
fn no_secret_is_found_after_every_call_and_every_failure() -> Result<()> {
    let site = Site::start(
        ClusterOptions::default()
            .set("zentry_notify.request_timeout", "500ms")
            .set("zentry_notify.max_attempts", 2)
            .set("log_min_messages", "debug1")
            .set("log_error_verbosity", "verbose")
            .set("log_statement", "all")
            .set("log_min_duration_statement", 0)
            .set("log_parameter_max_length", 0),
    )?;
    let mut client = site.database("zentry")?;
    let stop = Arc::new(AtomicBool::new(false));
    let watching = watch(site.cluster.connect()?, stop.clone());
    // Every failure of every kind of receiver, in the session and in the worker, each with a webhook of its own.
    let webhooks: Vec<_> = (0..FAILURES)
        .map(|failure| {
            let webhooks = webhooks(&site, &mut client)?;
            for (_, webhook) in &webhooks {
                webhook.always(misbehaviour(webhook).swap_remove(failure));
            }
            Ok(webhooks)
        })
        .collect::<Result<Vec<_>>>()?
        .concat();
    let urls: Vec<String> = webhooks.iter().map(|(_, webhook)| webhook.url()).collect();
    let mut search = Search::new(&urls);
    for (id, _) in &webhooks {
        let rows = client.query("SELECT t::text FROM zentry_test_webhook($1) t", &[id])?;
        search.look_at("zentry_test_webhook", &rows[0].get::<_, String>(0));
    }
    fire(&mut client)?;
    for (_, webhook) in &webhooks {
        webhook.wait_for(2, SOON);
    }
    Delivery::settle(&mut client)?;

    // Calls that fail, and writes that break a rule of the table.
    let too_long = format!("{}{}", urls[0], "x".repeat(2100));
    let elsewhere = urls[0].replace("127.0.0.1", "169.254.169.254");
    let with_user = urls[0].replace("http://", "http://user:password@");
    let bad_urls = [
        &too_long,
        &elsewhere,
        &with_user,
        &urls[0].replace("/api/", "/ap/"),
        &format!("{} ", urls[0]),
        &urls[0].replace("http", "ftp"),
    ];
    for url in bad_urls {
        for kind in ["discord", "teams", "slack"] {
            let parameters: [&(dyn ToSql + Sync); 2] = [&kind, url];
            if let Err(error) = client.execute("SELECT zentry_register_webhook('x', $1, $2)", &parameters) {
                search.look_at_error("zentry_register_webhook", &error);
            }
            if let Err(error) = client.execute(
                "SELECT zentry_update_webhook(1, webhook_type => $1, webhook_url => $2)",
                &parameters,
            ) {
                search.look_at_error("zentry_update_webhook", &error);
            }
        }
    }
    let url = &urls[0];
    for insert in [
        "INSERT INTO zentry_notify.webhook_integration (webhook_type, webhook_url) VALUES ('discord', $1)",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_url) VALUES ('x', $1)",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, event_types) VALUES ('x', 'discord', $1, NULL)",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, event_types) VALUES ('x', 'discord', $1, '[\"nothing\"]')",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, is_active) VALUES ('x', 'discord', $1, NULL)",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, max_events_per_message) VALUES ('x', 'discord', $1, 99)",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, min_interval) VALUES ('x', 'discord', $1, '-1 s')",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, max_age) VALUES ('x', 'discord', $1, '0 s')",
        "INSERT INTO zentry_notify.webhook_integration (id, name, webhook_type, webhook_url) VALUES (1, 'x', 'discord', $1)",
        "INSERT INTO zentry_notify.webhook_integration (id, name, webhook_type, webhook_url) VALUES (NULL, 'x', 'discord', $1)",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, created_at) VALUES ('x', 'discord', $1, NULL)",
        "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, updated_at) VALUES ('x', 'discord', $1, NULL)",
    ] {
        let error = client.execute(insert, &[url]).expect_err(insert);
        search.look_at_error(insert, &error);
    }
    for update in [
        "max_events_per_message = 0",
        "max_events_per_message = NULL",
        "min_interval = '2 days'",
        "min_interval = NULL",
        "max_age = '-1 day'",
        "name = NULL",
        "name = ''",
        "webhook_type = NULL",
        "webhook_type = 'slack'",
        "webhook_url = NULL",
        "event_types = NULL",
        "is_active = NULL",
        "created_at = NULL",
        "id = NULL",
    ] {
        let sql = format!("UPDATE zentry_notify.webhook_integration SET {update} WHERE id = 1");
        let error = client.execute(&sql, &[]).expect_err(&sql);
        search.look_at_error(&sql, &error);
    }
    stop.store(true, Ordering::SeqCst);
    for line in watching.join().unwrap() {
        search.look_at("pg_stat_activity", &line);
    }
    for relation in [
        "zentry_notify.webhooks",
        "zentry_notify.logs",
        "zentry_notify.event_type",
        "zentry_notify.event_source",
        "zentry_notify.webhook_circuit",
        "zentry_notify.webhook_count",
        "zentry_notify.notification_log",
        "zentry_notify.delivery_totals",
        "zentry_status()",
    ] {
        let text = text_of(&mut client, relation)?;
        assert!(
            !text.is_empty() || relation.ends_with("circuit"),
            "{relation} is empty: nothing was tested"
        );
        search.look_at(relation, &text);
    }
    search.look_at("the server's log", &site.cluster.log_since(0)?);
    assert!(search.found.is_empty(), "{:#?}", search.found);
    Ok(())
}

#[test]
fn the_search_finds_what_is_there() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    let mut search = Search::new(&[channel.webhook.url()]);
    search.look_at(
        "the table",
        &text_of(&mut client, "zentry_notify.webhook_integration")?,
    );
    assert_eq!(search.found.len(), 1);
    let literal = format!(
        "SELECT zentry_register_webhook('x', 'slack', '{}')",
        channel.webhook.url()
    );
    client.batch_execute(&literal).expect_err("slack is unknown");
    search.look_at("the server's log", &site.cluster.log_since(0)?);
    assert!(
        search.found.len() > 1,
        "a statement that fails is logged with its literals"
    );
    Ok(())
}

#[test]
fn a_worker_that_dies_tells_nothing() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("log_min_messages", "debug5"))?;
    let mut client = site.database("zentry")?;
    let webhooks = webhooks(&site, &mut client)?;
    zentry::extend_streak(&mut client, 3)?;
    for (_, webhook) in &webhooks {
        webhook.wait_for_events(1, SOON);
    }
    client.batch_execute("ALTER ROLE zentry_notify_agent RENAME TO gone")?;
    client.execute("SELECT pg_terminate_backend($1)", &[&site.worker("zentry")?])?;
    site.cluster
        .wait_for_log("starting it again", Duration::from_secs(30))?;
    let urls: Vec<String> = webhooks.iter().map(|(_, webhook)| webhook.url()).collect();
    let mut search = Search::new(&urls);
    search.look_at("the server's log", &site.cluster.log_since(0)?);
    assert!(search.found.is_empty(), "{:#?}", search.found);
    Ok(())
}
