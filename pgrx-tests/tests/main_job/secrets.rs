//! The secret of a URL is nowhere to be read, whatever goes wrong.

use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::{Behaviour, Emulator, Kind, Webhook};
use zentry_e2e::scene::{Delivery, hosts, register};
use zentry_e2e::zentry::{self, id};

/// The parts of its URL by which one could post.
fn secrets(webhook: &Webhook) -> Vec<String> {
    let url = webhook.url();
    let last = |separator: char| url.rsplit(separator).next().unwrap().to_owned();
    match webhook.kind() {
        Kind::Discord => vec![last('/')],
        Kind::Connector => {
            let mut parts = url.rsplit('/').map(str::to_owned);
            let owner = parts.next().unwrap();
            vec![owner, parts.next().unwrap()]
        }
        Kind::Workflow => vec![last('=')],
    }
}

/// Answers that repeat what they were asked, and failures of every sort.
fn failures(webhook: &Webhook) -> Vec<Behaviour> {
    let echo = |status| Behaviour::Answer {
        status,
        headers: vec![("retry-after".to_owned(), "0".to_owned())],
        body: format!(
            "cannot {} because of {}",
            webhook.url(),
            secrets(webhook).join(" ")
        ),
    };
    vec![
        echo(500),
        Behaviour::DropBeforeAnswer,
        Behaviour::Garbage,
        Behaviour::Redirect(webhook.url()),
        echo(400),
        echo(403),
        echo(401),
    ]
}

#[test]
fn no_failure_shows_a_secret() {
    let emulator = Emulator::start().unwrap();
    let options = ClusterOptions::default()
        .set("zentry_notify.allowed_hosts", hosts(&emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on")
        .set("log_min_messages", "debug1")
        .set("log_error_verbosity", "verbose");
    let cluster = Cluster::start(options).unwrap();
    let mut client = cluster.connect().unwrap();
    zentry::load(&mut client).unwrap();
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let webhooks = [Kind::Discord, Kind::Connector, Kind::Workflow].map(|kind| emulator.register(kind));

    for webhook in &webhooks {
        let id = register(&mut client, webhook, None, None).unwrap();
        for behaviour in failures(webhook) {
            let name = format!("{:?} {behaviour:?}", webhook.kind());
            // By the worker, then by a session.
            webhook.script([behaviour.clone()]);
            zentry::extend_streak(&mut client, id::ADA).unwrap();
            let waits = |d: &Delivery| d.webhook_integration_id == id && d.status == "pending";
            Delivery::wait_until(&mut client, &name, |all| !all.iter().any(waits)).unwrap();
            client
                .batch_execute(
                    "UPDATE zentry_notify.notification_log SET status = 'failed' WHERE status = 'retry'; \
                     UPDATE zentry_notify.webhook_integration SET is_active = true",
                )
                .unwrap();
            webhook.script([behaviour]);
            client
                .query_one("SELECT * FROM zentry_test_webhook($1)", &[&id])
                .unwrap();
            webhook.recover();
        }
        // A URL that is refused, with the secret in it, as a parameter of the statement.
        for wrong in [
            webhook.url().replace("127.0.0.1", "example.org"),
            webhook.url().replace("http", "ftp"),
        ] {
            let refused = client
                .execute(
                    "UPDATE zentry_notify.webhook_integration SET webhook_url = $1 WHERE id = $2",
                    &[&wrong, &id],
                )
                .unwrap_err();
            assert_secret_free(&format!("{refused:?}"), webhook);
        }
        client
            .execute("SELECT zentry_update_webhook($1, is_active => false)", &[&id])
            .unwrap();
    }

    let mut text = |rows: &str| -> String {
        let all = format!("SELECT coalesce(string_agg(r::text, ' '), '') FROM {rows} r");
        client.query_one(&all, &[]).unwrap().get(0)
    };
    let shown = [
        text("zentry_notify.notification_log"),
        text("zentry_notify.logs"),
        text("zentry_notify.webhooks"),
        text("zentry_notify.webhook_circuit"),
        text("zentry_notify.webhook_count"),
        text("(SELECT switched_off_reason FROM zentry_notify.webhook_integration)"),
        text("pg_stat_activity"),
        cluster.log_since(0).unwrap(),
    ];
    for text in &shown {
        for webhook in &webhooks {
            assert_secret_free(text, webhook);
        }
    }
    // The failures were there to be seen.
    for words in [
        "500: the server failed",
        "400 bad request",
        "403 forbidden",
        "invalid answer",
        "redirects elsewhere",
    ] {
        assert!(shown[0].contains(words), "{words}");
    }
    assert!(shown[7].contains("is switched off"), "the server log tells of it");
}

fn assert_secret_free(text: &str, webhook: &Webhook) {
    for secret in secrets(webhook) {
        if let Some(at) = text.find(&secret) {
            let start = text[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
            panic!("{:?}: …{}", webhook.kind(), &text[start..at]);
        }
    }
}
