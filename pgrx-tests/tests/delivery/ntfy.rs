//! A topic of ntfy: what is published, with which token, and what its answers lead to.

use zentry_e2e::emulator::{Kind, Verdict};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, all_sent};
use zentry_e2e::wait::eventually;

use crate::{channel, of, scene};

#[test]
fn a_token_is_sent_and_shown_to_nobody() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Ntfy);
    let headers = r#"{"authorization": "Bearer tk_swordfish"}"#;
    let update = "SELECT zentry_update_webhook($1, headers => $2::text::jsonb)";
    scene.client.execute(update, &[&channel.id, &headers]).unwrap();
    numbered::complete(&mut scene.client, 1..=1).unwrap();
    assert!(all_sent(&of(&scene.settle().unwrap(), &channel)));
    let received = channel.webhook.received().pop().unwrap();
    assert_eq!(received.header("authorization"), Some("Bearer tk_swordfish"));
    assert_eq!(received.path, "/");
    let topic = channel.webhook.url().rsplit('/').next().unwrap().to_owned();
    assert_eq!(received.body["topic"], topic.as_str());
    assert_eq!(received.body["tags"][0], "task_completed");
    let shown: String = scene
        .client
        .query_one("SELECT string_agg(w::text, '') || (SELECT string_agg(l::text, '') FROM zentry_notify.logs l) FROM zentry_notify.webhooks w", &[])
        .unwrap()
        .get(0);
    assert!(!shown.contains("swordfish") && !shown.contains(&topic), "{shown}");
}

#[test]
fn what_a_wrong_token_keeps_is_sent_with_the_right_one() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Ntfy);
    let set = |token: &str| format!(r#"{{"authorization": "Bearer {token}"}}"#);
    let update = "SELECT zentry_update_webhook($1, headers => $2::text::jsonb)";
    scene
        .client
        .execute(update, &[&channel.id, &set("wrong")])
        .unwrap();
    numbered::complete(&mut scene.client, 1..=1).unwrap();
    eventually(SOON, "a request", || {
        (channel.webhook.requests() > 0).then_some(())
    })
    .unwrap();
    scene
        .client
        .execute(update, &[&channel.id, &set("tk_right")])
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&of(&deliveries, &channel)), "{deliveries:#?}");
    let refused = channel.webhook.received().remove(0);
    assert_eq!(refused.answer.status, Some(401));
    assert!(matches!(refused.verdict, Verdict::Refused(_)));
}

#[test]
fn it_has_no_secret_and_pings_nobody() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Ntfy);
    for (statement, said) in [
        (
            "SELECT zentry_new_secret($1)",
            "a webhook of type ntfy has no secret to sign by",
        ),
        (
            "SELECT zentry_update_webhook($1, mention => 'all')",
            "a message of ntfy mentions nobody",
        ),
    ] {
        let error = scene.client.execute(statement, &[&channel.id]).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert!(error.message().contains(said), "{error:?}");
    }
    let listed: Vec<String> = scene
        .client
        .query_one(
            "SELECT settings FROM zentry_webhook_types() WHERE webhook_type = 'ntfy'",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(listed, ["headers", "digest", "max_events_per_message"]);
}
