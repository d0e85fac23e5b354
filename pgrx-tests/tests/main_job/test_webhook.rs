//! `zentry_test_webhook`: a message at once, from the caller's session.

use std::sync::mpsc;
use std::thread;

use postgres::{Client, Row};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{Channel, SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use crate::support::{assert_clean, sqlstate};

/// What the function returned.
#[derive(Debug, PartialEq)]
struct Outcome {
    log_id: i64,
    status: String,
    code: Option<i32>,
    error: Option<String>,
}

impl Outcome {
    fn of(row: &Row) -> Self {
        Outcome {
            log_id: row.get("log_id"),
            status: row.get("status"),
            code: row.get("response_status_code"),
            error: row.get("error_message"),
        }
    }
}

fn test(client: &mut Client, channel: &Channel) -> Outcome {
    let row = client
        .query_one("SELECT * FROM zentry_test_webhook($1)", &[&channel.id])
        .unwrap();
    Outcome::of(&row)
}

/// Failed, with this code and an error that contains these words; the log says the same.
fn assert_failed(scene: &mut Scene, outcome: &Outcome, code: Option<i32>, words: &str) {
    assert_eq!(
        (outcome.status.as_str(), outcome.code),
        ("failed", code),
        "{outcome:?}"
    );
    let error = outcome.error.as_deref().unwrap();
    assert!(error.contains(words), "{error}");
    let deliveries = scene.deliveries().unwrap();
    let logged = deliveries
        .iter()
        .find(|delivery| delivery.id == outcome.log_id)
        .unwrap();
    assert_eq!(logged.status, "failed");
    assert_eq!(
        (logged.response_status_code, logged.error_message.as_str()),
        (code, error)
    );
    assert_eq!(logged.sent_at, None);
}

/// It is nobody else's, and must not look as if the worker had left it.
#[test]
fn its_event_does_not_wait_to_be_routed() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    zentry::extend_streak(&mut scene.client, zentry::id::CHEN).unwrap();
    scene.settle().unwrap();
    for _ in 0..2 {
        test(&mut scene.client, &channel);
        scene.settle().unwrap();
    }
    assert_eq!(channel.webhook.event_count(), 3);
}

#[test]
fn a_message_that_is_taken() {
    let mut scene = Scene::start().unwrap();
    for kind in Kind::CHATS {
        let code = if kind == Kind::Workflow { 202 } else { 200 };
        let channel = scene.channel(kind).unwrap();
        let outcome = test(&mut scene.client, &channel);
        assert_eq!(
            (outcome.status.as_str(), outcome.code, &outcome.error),
            ("sent", Some(code), &None)
        );
        let shown = channel.webhook.shown();
        assert_eq!(shown.len(), 1, "{kind:?}");
        assert_eq!(shown[0].title, "🔔 Webhook Test");
        assert_eq!(shown[0].text, "Test message from Zentry!");
        let logged = scene.deliveries().unwrap().pop().unwrap();
        assert_eq!(
            (logged.id, logged.webhook_integration_id),
            (outcome.log_id, channel.id)
        );
        assert_eq!(
            (logged.event_type.as_str(), logged.status.as_str()),
            ("test", "sent")
        );
        assert_eq!(logged.payload["message"], "Test message from Zentry!");
        assert!(logged.sent_at.is_some());
        if kind == Kind::Connector {
            assert_eq!(logged.response_body, "1");
        }
    }
    assert_clean(&scene);
}

#[test]
fn a_message_of_the_callers() {
    let mut scene = Scene::start().unwrap();
    let text = "Hello **team**, <at>all</at> @everyone\n# 2 < 3 & [link](https://example.org)";
    for kind in Kind::CHATS {
        let channel = scene.channel(kind).unwrap();
        scene
            .client
            .query_one("SELECT * FROM zentry_test_webhook($1, $2)", &[&channel.id, &text])
            .unwrap();
        let shown = channel.webhook.shown();
        assert_eq!(shown[0].text.replace('\u{200b}', ""), text, "{kind:?}");
    }
    assert_clean(&scene);
}

#[test]
fn a_message_is_cut_to_500_characters() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let whole = "🎉".repeat(499);
    // Half of a flag is a letter in a box, and half of a family is a man.
    for (index, (end, kept)) in [("ab", "a"), ("🇩🇪", ""), ("👨‍👩‍👧", "")].into_iter().enumerate()
    {
        let long = format!("{whole}{end}{whole}");
        scene
            .client
            .query_one("SELECT * FROM zentry_test_webhook($1, $2)", &[&channel.id, &long])
            .unwrap();
        let cut = format!("{whole}{kept}");
        assert_eq!(channel.webhook.shown()[index].text, cut);
        assert_eq!(scene.deliveries().unwrap()[index].payload["message"], cut);
    }
    assert_clean(&scene);
}

#[test]
fn a_message_that_is_null_or_empty() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    for message in [None, Some("")] {
        let row = scene
            .client
            .query_one(
                "SELECT * FROM zentry_test_webhook($1, $2)",
                &[&channel.id, &message],
            )
            .unwrap();
        assert_eq!(Outcome::of(&row).status, "sent");
    }
    let texts: Vec<String> = channel
        .webhook
        .shown()
        .into_iter()
        .map(|event| event.text)
        .collect();
    assert_eq!(texts, ["Test message from Zentry!", ""]);
    assert_clean(&scene);
}

#[test]
fn a_webhook_that_is_switched_off_can_be_tried() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, is_active => false)",
            &[&channel.id],
        )
        .unwrap();
    assert_eq!(test(&mut scene.client, &channel).status, "sent");
}

#[test]
fn a_message_that_is_refused() {
    let mut scene = Scene::start().unwrap();
    let cases = [
        (Kind::Discord, 400, "400 bad request"),
        (Kind::Discord, 401, "401: the URL or its token is wrong"),
        (Kind::Discord, 403, "403 forbidden"),
        (Kind::Discord, 404, "404: the webhook does not exist any more"),
        (Kind::Discord, 500, "500: the server failed"),
        (Kind::Connector, 400, "400 bad request"),
        (Kind::Connector, 410, "410: the webhook does not exist any more"),
        (Kind::Workflow, 400, "400: the flow is switched off"),
        (Kind::Workflow, 401, "401: the flow wants a signed-in caller"),
        (Kind::Workflow, 404, "404: the webhook does not exist any more"),
        (Kind::Workflow, 503, "503: the server is unavailable"),
    ];
    for (kind, code, words) in cases {
        let channel = scene.channel(kind).unwrap();
        channel.webhook.script([Behaviour::Status(code)]);
        let outcome = test(&mut scene.client, &channel);
        assert_failed(&mut scene, &outcome, Some(code.into()), words);
        // It is a trial: nothing is switched off by it, and nothing is tried again.
        assert_eq!(test(&mut scene.client, &channel).status, "sent");
    }
    assert_clean(&scene);
}

#[test]
fn a_message_that_is_rate_limited() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::RateLimited {
        retry_after: std::time::Duration::from_millis(1500),
        global: false,
    }]);
    let outcome = test(&mut scene.client, &channel);
    assert_failed(&mut scene, &outcome, Some(429), "rate limited");
    assert!(outcome.error.unwrap().contains("1.5 s"));
}

#[test]
fn the_200_that_says_that_nothing_was_delivered() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Connector).unwrap();
    channel.webhook.script([Behaviour::InnerError(429)]);
    let outcome = test(&mut scene.client, &channel);
    assert_failed(&mut scene, &outcome, Some(200), "200 but not delivered");
}

#[test]
fn an_endpoint_that_cannot_be_reached() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    scene.emulator.stop();
    let outcome = test(&mut scene.client, &channel);
    assert_failed(&mut scene, &outcome, None, "connection failed");
    scene.emulator.restart().unwrap();
    assert_eq!(test(&mut scene.client, &channel).status, "sent");
}

#[test]
fn an_endpoint_that_does_not_answer() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([Behaviour::Hang]);
    scene
        .client
        .batch_execute("SET zentry_notify.request_timeout = '300ms'")
        .unwrap();
    let outcome = test(&mut scene.client, &channel);
    assert_failed(&mut scene, &outcome, None, "no answer within 300ms");
}

/// A session that waits for an endpoint that never answers, five minutes long unless it is stopped; what became of the
/// call, and the session.
fn hanging(scene: &mut Scene, settings: &str) -> (Channel, mpsc::Receiver<(String, Client)>) {
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.always(Behaviour::Hang);
    let mut client = scene.database.connect().unwrap();
    client
        .batch_execute("SET zentry_notify.request_timeout = '5min'; SET application_name = 'hanging'")
        .unwrap();
    client.batch_execute(settings).unwrap();
    let (ended, end) = mpsc::channel();
    let id = channel.id;
    thread::spawn(move || {
        let result = client.query_one("SELECT * FROM zentry_test_webhook($1)", &[&id]);
        // The test has failed when it does not listen any more.
        let _ = ended.send((sqlstate(result), client));
    });
    (channel, end)
}

fn assert_usable(scene: &mut Scene, channel: &Channel, mut client: Client) {
    client.batch_execute("RESET statement_timeout").unwrap();
    channel.webhook.recover();
    eventually(SOON, "the connection to be closed", || {
        (channel.webhook.in_flight() == 0).then_some(())
    })
    .unwrap();
    assert!(
        scene.deliveries().unwrap().is_empty(),
        "its log row is rolled back"
    );
    assert_eq!(test(&mut client, channel).status, "sent");
    assert_eq!(scene.deliveries().unwrap().len(), 1);
}

#[test]
fn statement_timeout_ends_it_and_leaves_the_session_usable() {
    let mut scene = Scene::start().unwrap();
    let (channel, end) = hanging(&mut scene, "SET statement_timeout = '500ms'");
    let (state, client) = end.recv_timeout(SOON).unwrap();
    assert_eq!(state, "57014");
    assert_usable(&mut scene, &channel, client);
}

#[test]
fn cancelling_ends_it_and_leaves_the_session_usable() {
    let mut scene = Scene::start().unwrap();
    let (channel, end) = hanging(&mut scene, "");
    channel.webhook.wait_for(1, SOON);
    let cancelled = scene
        .client
        .execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'hanging' AND datname = current_database()",
            &[],
        )
        .unwrap();
    assert_eq!(cancelled, 1);
    let (state, client) = end.recv_timeout(SOON).unwrap();
    assert_eq!(state, "57014");
    assert_usable(&mut scene, &channel, client);
}

#[test]
fn a_cancelled_one_in_a_savepoint_leaves_the_transaction_usable() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.always(Behaviour::Hang);
    scene
        .client
        .batch_execute("SET zentry_notify.request_timeout = '5min'; SET statement_timeout = '500ms'")
        .unwrap();
    let mut transaction = scene.client.transaction().unwrap();
    let mut savepoint = transaction.transaction().unwrap();
    let cancelled = savepoint.query_one("SELECT * FROM zentry_test_webhook($1)", &[&channel.id]);
    assert_eq!(sqlstate(cancelled), "57014");
    savepoint.rollback().unwrap();
    channel.webhook.recover();
    transaction.batch_execute("RESET statement_timeout").unwrap();
    transaction
        .query_one("SELECT * FROM zentry_test_webhook($1)", &[&channel.id])
        .unwrap();
    transaction.commit().unwrap();
    assert_eq!(scene.deliveries().unwrap().len(), 1);
}
