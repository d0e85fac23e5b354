//! What keeps a URL from being called, and how a person has it called again.

use std::time::Duration;

use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::{Site, fire, wait_for};

use crate::status::{line, not_ok, scene, status};

#[test]
fn a_host_that_is_not_allowed_any_more() {
    let mut site = Site::start(ClusterOptions::default()).unwrap();
    let mut client = site.database("shop").unwrap();
    let channel = site.channel(&mut client).unwrap();
    site.cluster
        .conf(&[("zentry_notify.allowed_hosts", "example.com")])
        .unwrap();
    fire(&mut client).unwrap();
    wait_for(
        &mut client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'retry'",
    )
    .unwrap();
    let told = line(&mut client, &format!("webhook {}", channel.id));
    let url = channel.webhook.url();
    let host = url.split('/').nth(2).unwrap();
    assert_eq!(told.state, "broken", "{told:?}");
    assert_eq!(
        told.detail,
        format!("zentry_notify.allowed_hosts does not have {host}: nothing is sent there")
    );
    let setting = format!("SET zentry_notify.allowed_hosts = 'example.com, {host}'");
    assert!(told.remedy.contains(&setting), "{told:?}");
    // As psql does, one after the other.
    for statement in told.remedy.split(';') {
        client.batch_execute(statement).unwrap();
    }
    channel.webhook.wait_for_events(1, SOON);
    wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
}

/// As psql does, one statement after the other; what follows a dash says what else could be done.
fn run(client: &mut Client, remedy: &str) {
    for statement in remedy.split("--").next().unwrap().split(';') {
        client.batch_execute(statement).unwrap();
    }
}

/// Wherever the worker has it from.
#[test]
fn settings_of_the_worker_that_keep_a_url_from_being_called() {
    let site = Site::start(ClusterOptions::default()).unwrap();
    let mut client = site.database("shop").unwrap();
    let channel = site.channel(&mut client).unwrap();
    let url = channel.webhook.url();
    let host = url.split('/').nth(2).unwrap();
    let subject = format!("webhook {}", channel.id);
    let mut told = 0;
    for place in [
        "SYSTEM",
        "ROLE ALL",
        "DATABASE shop",
        "ROLE postgres",
        "ROLE postgres IN DATABASE shop",
    ] {
        for (setting, value, detail, mended) in [
            (
                "zentry_notify.allowed_hosts",
                "example.com",
                format!("zentry_notify.allowed_hosts does not have {host}: nothing is sent there"),
                format!("example.com, {host}"),
            ),
            (
                "zentry_notify.allow_http",
                "off",
                "zentry_notify.allow_http is off: nothing is sent there".to_owned(),
                "on".to_owned(),
            ),
        ] {
            for statement in [
                &*format!("ALTER {place} SET {setting} = '{value}'"),
                "SELECT pg_reload_conf()",
            ] {
                client.batch_execute(statement).unwrap();
            }
            wait_for(
                &mut client,
                &format!("SELECT count(*) = 1 FROM zentry_status() WHERE subject = '{subject}' AND state = 'broken'"),
            )
            .unwrap();
            fire(&mut client).unwrap();
            wait_for(
                &mut client,
                "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'retry'",
            )
            .unwrap();
            let found = line(&mut client, &subject);
            assert_eq!(found.detail, detail, "{place}");
            let change = format!("ALTER {place} SET {setting} = '{mended}';");
            assert!(found.remedy.starts_with(&change), "{place}: {found:?}");
            run(&mut client, &found.remedy);
            told += 1;
            channel.webhook.wait_for_events(told, SOON);
            wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
        }
    }
}

/// A session's own settings say nothing of the worker.
#[test]
fn what_a_session_may_call_is_not_what_the_worker_may() {
    let mut scene = scene();
    scene
        .client
        .batch_execute("SET zentry_notify.allowed_hosts = 'example.com'; SET zentry_notify.allow_http = off")
        .unwrap();
    assert_eq!(not_ok(&mut scene.client).len(), 0);
}

#[test]
fn a_proxy_that_is_dead() {
    let mut site = Site::start(ClusterOptions::default()).unwrap();
    let mut client = site.database("shop").unwrap();
    let channel = site.channel(&mut client).unwrap();
    // Nobody listens there.
    site.cluster
        .conf(&[("zentry_notify.proxy", "http://127.0.0.1:1")])
        .unwrap();
    wait_for(&mut client, "SELECT current_setting('zentry_notify.proxy') <> ''").unwrap();
    fire(&mut client).unwrap();
    wait_for(
        &mut client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'retry' AND error_message LIKE '%by way of zentry_notify.proxy%'",
    )
    .unwrap();
    client
        .batch_execute(
            "INSERT INTO zentry_notify.webhook_circuit \
             SELECT webhook_integration_id, 5, now(), now() + interval '1 hour', error_message FROM zentry_notify.logs \
             ON CONFLICT (webhook_integration_id) DO UPDATE SET failures = 5",
        )
        .unwrap();
    let found = line(&mut client, &format!("webhook {}", channel.id));
    let told = "-- repair the proxy, or set another one: ALTER SYSTEM SET zentry_notify.proxy = 'URL'; SELECT pg_reload_conf(); then SELECT ";
    assert!(
        found.detail.contains("by way of zentry_notify.proxy"),
        "{found:?}"
    );
    let (_, resume) = found
        .remedy
        .split_once(told)
        .unwrap_or_else(|| panic!("{found:?}"));
    client
        .batch_execute("ALTER SYSTEM SET zentry_notify.proxy = ''")
        .unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    wait_for(&mut client, "SELECT current_setting('zentry_notify.proxy') = ''").unwrap();
    client.batch_execute(&format!("SELECT {resume}")).unwrap();
    channel.webhook.wait_for_events(1, SOON);
    wait_for(&mut client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
}

/// Deleted by hand, or not restored.
#[test]
fn a_webhook_whose_url_is_gone() {
    let mut scene = scene();
    let channel = scene.channel(Kind::Discord).unwrap();
    let client = &mut scene.client;
    client
        .execute(
            "DELETE FROM zentry_notify.webhook_secret WHERE webhook_integration_id = $1",
            &[&channel.id],
        )
        .unwrap();
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'pending'",
    )
    .unwrap();
    let refused = client
        .batch_execute(&format!("SELECT zentry_test_webhook({})", channel.id))
        .unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!(refused.code().code(), "55000", "{refused:?}");
    let named = format!("webhook {} has no URL", channel.id);
    assert!(refused.message().starts_with(&named), "{refused:?}");
    let url = channel.webhook.url();
    let hint = refused.hint().unwrap();
    assert!(
        hint.contains(&format!(
            "zentry_update_webhook({}, webhook_url => 'URL')",
            channel.id
        )),
        "{hint}"
    );
    // It is late by now, and the worker is not the one to blame.
    client
        .batch_execute("UPDATE zentry_notify.event SET created_at = created_at - interval '10 minutes'")
        .unwrap();
    let lines = not_ok(client);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(
        (lines[0].subject.as_str(), lines[0].state.as_str()),
        (format!("webhook {}", channel.id).as_str(), "broken")
    );
    assert!(lines[0].detail.starts_with("has no URL"), "{lines:#?}");
    assert_eq!(line(client, "webhooks").detail, "1 active, 1 without a URL");
    client
        .batch_execute(&lines[0].remedy.replace("URL", &url))
        .unwrap();
    channel.webhook.wait_for_events(1, SOON);
    wait_for(client, "SELECT bool_and(state = 'ok') FROM zentry_status()").unwrap();
}

fn for_a_day(global: bool) -> Behaviour {
    Behaviour::RateLimited {
        retry_after: Duration::from_secs(86_400),
        global,
    }
}

/// A limit of a day: it is said until when, and a person may know better.
#[test]
fn a_limit_that_a_person_lifts() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Workflow).unwrap();
    channel.webhook.script([for_a_day(false)]);
    fire(&mut scene.client).unwrap();
    let client = &mut scene.client;
    let subject = format!("webhook {}", channel.id);
    let is_told = format!("SELECT count(*) = 1 FROM zentry_status() WHERE subject = '{subject}'");
    wait_for(client, &is_told).unwrap();
    let told = line(client, &subject);
    let until: String = client
        .query_one(
            "SELECT 'rate limited until ' || to_char(next_attempt_at, 'YYYY-MM-DD HH24:MI') FROM zentry_notify.logs",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!((told.state, told.detail), ("attention".to_owned(), until));
    client.batch_execute(&told.remedy).unwrap();
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(channel.webhook.requests(), 2, "one probe");
    scene.settle().unwrap();
    let lines = status(&mut scene.client);
    assert!(lines.iter().all(|line| line.subject != subject), "{lines:#?}");
}

/// The same of a limit that holds for all webhooks of Discord's kind.
#[test]
fn a_limit_of_all_that_a_person_lifts() {
    let mut scene = Scene::start().unwrap();
    let first = scene.channel(Kind::Discord).unwrap();
    first.webhook.script([for_a_day(true)]);
    fire(&mut scene.client).unwrap();
    first.webhook.wait_for(1, SOON);
    wait_for(
        &mut scene.client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE response_status_code = 429",
    )
    .unwrap();
    let second = scene.channel(Kind::Discord).unwrap();
    let other = scene.channel(Kind::Workflow).unwrap();
    fire(&mut scene.client).unwrap();
    other.webhook.wait_for_events(1, SOON);
    assert_eq!(second.webhook.requests(), 0);
    scene
        .client
        .batch_execute(&format!("SELECT zentry_resume({})", first.id))
        .unwrap();
    first.webhook.wait_for_events(2, SOON);
    second.webhook.wait_for_events(1, SOON);
}

#[test]
fn what_cannot_be_resumed() {
    let mut scene = scene();
    let client = &mut scene.client;
    for (id, code) in [("4711", "P0002"), ("NULL", "22004")] {
        let error = client
            .batch_execute(&format!("SELECT zentry_resume({id})"))
            .unwrap_err();
        assert_eq!(error.code().unwrap().code(), code, "{error:?}");
    }
    client
        .batch_execute("SELECT zentry_update_webhook(1, is_active => false)")
        .unwrap();
    let error = client.batch_execute("SELECT zentry_resume(1)").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "55000", "{error:?}");
    assert!(error.hint().unwrap().contains("is_active => true"), "{error:?}");
}

/// One that was gone is tried again, and works.
#[test]
fn a_webhook_that_is_back() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::Status(404)]);
    fire(&mut scene.client).unwrap();
    let client = &mut scene.client;
    wait_for(client, "SELECT state = 'gone' FROM zentry_notify.webhooks").unwrap();
    client
        .batch_execute(&format!("SELECT zentry_resume({})", channel.id))
        .unwrap();
    fire(client).unwrap();
    channel.webhook.wait_for_events(1, SOON);
}

/// With nothing to try it with, nobody says that it works.
#[test]
fn a_webhook_that_is_resumed_when_nothing_waits_is_not_known_to_work() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let told = scene.channel(Kind::Workflow).unwrap();
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "SELECT zentry_update_webhook({}, event_types => '{{}}', notices => true)",
            told.id
        ))
        .unwrap();
    channel.webhook.script([Behaviour::Status(404)]);
    fire(client).unwrap();
    let state = |client: &mut Client| -> String {
        let row = client.query_one(
            "SELECT state FROM zentry_notify.webhooks WHERE id = $1",
            &[&channel.id],
        );
        row.unwrap().get(0)
    };
    wait_for(
        client,
        &format!(
            "SELECT state = 'gone' FROM zentry_notify.webhooks WHERE id = {}",
            channel.id
        ),
    )
    .unwrap();
    told.webhook.wait_for_events(1, SOON);
    for _ in 0..2 {
        client
            .batch_execute(&format!("SELECT zentry_resume({})", channel.id))
            .unwrap();
        assert_eq!(state(client), "failing");
    }
    let found = line(client, &format!("webhook {}", channel.id));
    assert!(
        found.detail.contains(
            "when nothing waited for it; not tried since: 404: the webhook does not exist any more"
        ),
        "{found:?}"
    );
    // The remedy tries it.
    channel.webhook.script([Behaviour::Status(500)]);
    client.batch_execute(&found.remedy).unwrap();
    assert_eq!(state(client), "failing");
    client.batch_execute(&found.remedy).unwrap();
    assert_eq!(state(client), "active");
    // It was a person who did that: nobody is told that it fails.
    assert_eq!(told.webhook.event_count(), 1);
}
