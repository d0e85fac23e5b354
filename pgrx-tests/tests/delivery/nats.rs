//! Events in a stream of a real nats-server: each once, in order, whatever is killed.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::ConnectOptions;
use serde_json::{Value, json};
use zentry_e2e::nats::{NatsServer, Observer, Stored};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Delivery, SOON, Scene, all_sent, all_sent_at_once};
use zentry_e2e::wait::eventually;

use crate::{TASKS, replace_worker, scene};

/// Made for these tests: a user's seed and its public key.
pub const SEED: &str = "SUAEH4OYGVZ4EVYKFFUR4XEWFM3N2X7T5VFLVR6XKERCFRFAQBM5HK4BJM";
pub const PUBLIC: &str = "UD3WDJVIVXYBVZU7IF5NMBVTNF6YP3JZ6CICZNY2XBUMRTVPPKXO2333";

/// A scene whose database may publish to these servers.
pub fn scene_with(servers: &[NatsServer], settings: &[(&str, &str)]) -> Scene {
    let hosts: Vec<String> = servers.iter().map(NatsServer::host).collect();
    let hosts = hosts.join(", ");
    let mut all = vec![("allowed_hosts", &*hosts)];
    all.extend(settings);
    let mut scene = scene(&all);
    scene.client = scene.database.connect().unwrap();
    scene
}

pub fn register(scene: &mut Scene, url: &str, secret: Option<&str>) -> i64 {
    let register = "SELECT zentry_register_webhook('Stream', 'nats', $1, event_types => $2, secret => $3)";
    scene
        .client
        .query_one(register, &[&url, &TASKS, &secret])
        .unwrap()
        .get(0)
}

/// A server with a stream, and a scene with a webhook that publishes to it.
pub fn stream(more: &Value) -> (Scene, NatsServer, Observer, i64) {
    let server = NatsServer::start().unwrap();
    let observer = server.observer().unwrap();
    observer.create_stream(more).unwrap();
    let mut scene = scene_with(std::slice::from_ref(&server), &[]);
    let id = register(&mut scene, &server.url(), None);
    (scene, server, observer, id)
}

fn number(message: &Stored) -> i64 {
    let title = message.data["data"]["task_title"].as_str().unwrap();
    title.strip_prefix("Task ").unwrap().parse().unwrap()
}

/// Each of the numbers is there once, and in order in its subject.
pub fn assert_complete(messages: &[Stored], numbers: impl IntoIterator<Item = i64>) {
    let mut of_subject: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for message in messages {
        of_subject
            .entry(&message.subject)
            .or_default()
            .push(number(message));
        assert!(ids.insert(&message.id), "twice: {message:?}");
    }
    assert!(
        of_subject.values().all(|numbers| numbers.is_sorted()),
        "out of order"
    );
    let mut all: Vec<i64> = of_subject.into_values().flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(numbers), "missing or twice");
}

pub fn wait_for_error(scene: &mut Scene, part: &str) -> Delivery {
    let all = scene
        .wait_until(part, |all| {
            all.iter().any(|delivery| delivery.error_message.contains(part))
        })
        .unwrap();
    let found = all
        .into_iter()
        .find(|delivery| delivery.error_message.contains(part));
    found.unwrap()
}

/// Who goes on with a trace finds the span that is exported.
#[test]
fn a_message_has_the_span_of_its_delivery() {
    let (mut scene, _server, observer, _) = stream(&json!({}));
    scene
        .client
        .batch_execute(
            "SET zentry_notify.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'",
        )
        .unwrap();
    numbered::complete(&mut scene.client, [1]).unwrap();
    scene
        .client
        .batch_execute("RESET zentry_notify.traceparent")
        .unwrap();
    numbered::complete(&mut scene.client, [2]).unwrap();
    assert!(all_sent_at_once(&scene.settle().unwrap()));
    let span: String = scene
        .client
        .query_one("SELECT span_id FROM zentry_notify.delivery_traces", &[])
        .unwrap()
        .get(0);
    let traces: Vec<String> = observer
        .messages()
        .unwrap()
        .into_iter()
        .map(|message| message.traceparent)
        .collect();
    assert_eq!(
        traces,
        [
            format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01"),
            String::new()
        ]
    );
}

#[test]
fn an_event_is_a_message_of_its_subject() {
    let (mut scene, _server, observer, id) = stream(&json!({}));
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent_at_once(&deliveries), "{deliveries:#?}");
    let messages = observer.messages().unwrap();
    assert_complete(&messages, 1..=3);
    let system: i64 = scene
        .client
        .query_one("SELECT system_identifier FROM pg_control_system()", &[])
        .unwrap()
        .get(0);
    let database = scene.database.name();
    for (message, delivery) in messages.iter().zip(&deliveries) {
        let project = &delivery.payload["project_id"];
        assert_eq!(
            message.subject,
            format!("zentry.{database}.task_completed.{project}")
        );
        assert!(
            message.id.starts_with(&format!("{system}.{database}.")),
            "{}",
            message.id
        );
        assert_eq!(message.data["type"], "task_completed");
        assert_eq!(message.data["data"], delivery.payload);
        assert_eq!(delivery.response_status_code, Some(200));
        let acknowledgement: Value = serde_json::from_str(&delivery.response_body).unwrap();
        assert_eq!(acknowledgement["seq"], message.sequence);
    }
    let test = scene
        .client
        .query_one(
            "SELECT status, error_message FROM zentry_test_webhook($1)",
            &[&id],
        )
        .unwrap();
    assert_eq!(
        test.get::<_, &str>(0),
        "sent",
        "{:?}",
        test.get::<_, Option<&str>>(1)
    );
    let last = observer.messages().unwrap().pop().unwrap();
    assert_eq!(last.subject, format!("zentry.{database}.test.none"));
}

/// Two webhooks tell the same stream of an event: the second time it is a repeat.
#[test]
fn what_comes_again_is_one_message() {
    let (mut scene, server, observer, _) = stream(&json!({}));
    register(&mut scene, &server.url(), None);
    numbered::complete(&mut scene.client, 1..=20).unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent_at_once(&deliveries));
    assert_eq!(deliveries.len(), 40);
    assert_complete(&observer.messages().unwrap(), 1..=20);
    let is_repeat = |delivery: &&Delivery| {
        let acknowledgement: Value = serde_json::from_str(&delivery.response_body).unwrap();
        acknowledgement["duplicate"] == true
    };
    assert_eq!(deliveries.iter().filter(is_repeat).count(), 20);
}

#[test]
fn a_restart_loses_nothing_and_repeats_nothing() {
    let (mut scene, mut server, observer, id) = stream(&json!({}));
    for round in 0..4 {
        numbered::complete(&mut scene.client, 100 * round + 1..=100 * round + 60).unwrap();
        if round == 2 {
            replace_worker(&mut scene.client);
        }
        let some = u64::try_from(100 * round + 20).unwrap();
        eventually(SOON, "some of them to be there", || {
            let state = observer.state().ok()?;
            (state["last_seq"].as_u64()? >= some).then_some(())
        })
        .unwrap();
        server.kill();
        numbered::complete(&mut scene.client, 100 * round + 61..=100 * round + 100).unwrap();
        server.restart().unwrap();
        scene.client.execute("SELECT zentry_resume($1)", &[&id]).unwrap();
        let sent = scene.settle().unwrap();
        assert!(all_sent(&sent));
    }
    assert_complete(&observer.messages().unwrap(), 1..=400);
}

/// As many events as `$ZENTRY_STREAM_EVENTS` says, 600 unless it does: `make torture` takes 100,000.
#[test]
fn a_cluster_goes_on_while_its_servers_are_killed() {
    let wanted = std::env::var("ZENTRY_STREAM_EVENTS").map_or(600, |events| events.parse().unwrap());
    let mut servers = NatsServer::cluster(3).unwrap();
    let urls: Vec<String> = servers.iter().map(NatsServer::url).collect();
    let observer = Observer::connect(&urls, ConnectOptions::new()).unwrap();
    observer.create_stream(&json!({ "num_replicas": 3 })).unwrap();
    let mut scene = scene_with(&servers, &[]);
    let hosts: Vec<String> = servers.iter().map(NatsServer::host).collect();
    let id = register(&mut scene, &format!("nats://{}", hosts.join(",")), None);
    let step = wanted / 6;
    for part in 0..6 {
        let numbers = part * step + 1..=(part + 1) * step;
        for number in numbers.clone().step_by(1000) {
            numbered::complete(&mut scene.client, number..=(number + 999).min(*numbers.end())).unwrap();
        }
        // Each of them once, and one of them that comes back while events pass.
        let index = usize::try_from(part % 3).unwrap();
        if part < 3 {
            servers[index].kill();
        } else {
            servers[index].restart().unwrap();
        }
        if part < 3 {
            let enough = part * step + step / 3;
            wait_for_sequence(&observer, enough);
            servers[index].restart().unwrap();
        }
        // One of three may be away, and one that has not caught up counts as away.
        observer.wait_until_whole(3).unwrap();
    }
    let all = u64::try_from(6 * step).unwrap();
    eventually(SOON * 10, "all of them to be sent", || {
        let _ = scene.client.execute("SELECT zentry_resume($1)", &[&id]);
        let sent = "SELECT count(*) FROM zentry_notify.notification_log WHERE status = 'sent'";
        let sent: i64 = scene.client.query_one(sent, &[]).ok()?.get(0);
        (u64::try_from(sent).ok()? == all).then_some(())
    })
    .unwrap();
    assert_complete(&observer.messages().unwrap(), 1..=6 * step);
}

/// While a leader is found nobody knows the stream's state.
fn wait_for_sequence(observer: &Observer, number: i64) {
    let number = u64::try_from(number).unwrap();
    eventually(SOON * 10, "some of them to be there", || {
        let state = observer.state().ok()?;
        (state["last_seq"].as_u64()? >= number).then_some(())
    })
    .unwrap();
}

#[test]
fn a_stream_that_is_not_there_yet_gets_all_of_it() {
    let server = NatsServer::start().unwrap();
    let observer = server.observer().unwrap();
    let mut scene = scene_with(std::slice::from_ref(&server), &[]);
    let id = register(&mut scene, &server.url(), None);
    numbered::complete(&mut scene.client, 1..=5).unwrap();
    let waiting = wait_for_error(&mut scene, "503: no stream takes the subject");
    assert_eq!(waiting.status, "retry");
    observer.create_stream(&json!({})).unwrap();
    scene.client.execute("SELECT zentry_resume($1)", &[&id]).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    assert_complete(&observer.messages().unwrap(), 1..=5);
}

/// Tells of a task with a long title.
fn complete_long(scene: &mut Scene) {
    const COPY: &str = "INSERT INTO tasks_task (title, description, status, priority, emoji, experience_reward, completed_at, created_at, \
                        updated_at, created_by_id, project_id) \
                        SELECT repeat('x', 200), '', status, priority, emoji, experience_reward, now(), now(), now(), created_by_id, project_id \
                        FROM tasks_task WHERE title = 'Task 1'";
    scene.client.batch_execute(COPY).unwrap();
}

/// The client knows the stream's limits, and where they are new, the server says so.
#[test]
fn what_is_too_large_fails_alone() {
    for (limit, known, said) in [
        ("max_msg_size", true, "max_msg_size"),
        ("max_msg_size", false, "10054"),
        ("max_bytes", true, "max_bytes"),
    ] {
        let (mut scene, _server, observer, _) = stream(&json!({}));
        numbered::complete(&mut scene.client, [1]).unwrap();
        assert!(all_sent(&scene.settle().unwrap()));
        // With the subject and what a record has around it, which count for the whole stream alone.
        let size = observer.state().unwrap()["bytes"].as_u64().unwrap();
        let more = if limit == "max_bytes" { 100 } else { 0 };
        observer.update_stream(&json!({ limit: size + more })).unwrap();
        if known {
            replace_worker(&mut scene.client);
        }
        complete_long(&mut scene);
        numbered::complete(&mut scene.client, [2]).unwrap();
        let deliveries = scene.settle().unwrap();
        let statuses: Vec<&str> = deliveries.iter().map(|delivery| &*delivery.status).collect();
        assert_eq!(statuses, ["sent", "failed", "sent"], "{deliveries:#?}");
        let error = &deliveries[1].error_message;
        assert!(error.contains("too large") && error.contains(said), "{error}");
        // What is old makes way for what is new, but not for what has no place at all.
        let first = if limit == "max_bytes" { 2 } else { 1 };
        assert_complete(&observer.messages().unwrap(), first..=2);
    }
}

fn note_of(scene: &mut Scene, id: i64) -> Option<String> {
    let note = "SELECT min(detail) FROM zentry_status() WHERE subject = format('stream of webhook %s', $1::bigint) AND state = 'attention'";
    scene.client.query_one(note, &[&id]).unwrap().get(0)
}

/// What is not as it should be of a stream is in the status as long as it is so, and no longer.
#[test]
fn a_stream_that_is_not_as_it_should_be_is_in_the_status() {
    let short = json!({ "duplicate_window": 1_000_000_000 });
    let (mut scene, server, observer, id) = stream(&short);
    assert_eq!(note_of(&mut scene, id), None, "nobody has looked");
    numbered::complete(&mut scene.client, [1]).unwrap();
    let noted = |scene: &mut Scene, wanted: bool| {
        eventually(SOON, "the note", || {
            (note_of(scene, id).is_some() == wanted).then_some(())
        })
        .unwrap();
    };
    noted(&mut scene, true);
    let note = note_of(&mut scene, id).unwrap();
    assert!(note.contains("duplicate_window"), "{note}");
    // A worker that knows nothing of it takes it away.
    observer.update_stream(&json!({})).unwrap();
    replace_worker(&mut scene.client);
    numbered::complete(&mut scene.client, [2]).unwrap();
    noted(&mut scene, false);
    // So does a test, as it writes one down.
    let test = "SELECT status FROM zentry_test_webhook($1)";
    for (configuration, wanted) in [(&short, true), (&json!({}), false), (&short, true)] {
        observer.update_stream(configuration).unwrap();
        scene.client.query_one(test, &[&id]).unwrap();
        assert_eq!(note_of(&mut scene, id).is_some(), wanted, "{configuration}");
    }
    // It is that of the stream, and not of another one that the webhook gets.
    let elsewhere = format!("{}/other", server.url());
    let update = "SELECT zentry_update_webhook($1, webhook_url => $2)";
    scene.client.execute(update, &[&id, &elsewhere]).unwrap();
    assert_eq!(note_of(&mut scene, id), None);
}
