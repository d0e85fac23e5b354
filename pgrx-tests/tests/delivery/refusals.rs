//! What will never be taken fails at once, and takes no other event along.

use serde_json::json;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;

use crate::{channel, of, scene, task};

/// 400 as an endpoint says it that does not tell why.
fn bad_request(kind: Kind) -> Behaviour {
    let body = match kind {
        Kind::Discord => json!({"message": "Cannot send this message", "code": 50006}).to_string(),
        Kind::Connector => "Bad payload received by generic incoming webhook.".to_owned(),
        Kind::Workflow => {
            json!({"error": {"code": "TriggerInputSchemaMismatch", "message": "It does not match."}})
                .to_string()
        }
        Kind::Signed => "no".to_owned(),
        Kind::Slack => "invalid_blocks".to_owned(),
        Kind::GoogleChat => {
            json!({"error": {"code": 400, "message": "Invalid JSON payload received.", "status": "INVALID_ARGUMENT"}})
                .to_string()
        }
        Kind::Ntfy => json!({"code": 40000, "http": 400, "error": "invalid request"}).to_string(),
        Kind::Mattermost => {
            json!({"id": "web.incoming_webhook.text.app_error", "message": "No text specified.", "status_code": 400})
                .to_string()
        }
    };
    Behaviour::Answer {
        status: 400,
        headers: Vec::new(),
        body,
    }
}

#[test]
fn a_message_that_is_refused_fails_at_once_and_the_next_one_is_sent() {
    let mut scene = scene(&[]);
    let refusals = Kind::CHATS
        .map(|kind| {
            [
                (kind, bad_request(kind), "400"),
                (kind, Behaviour::Status(413), "413"),
            ]
        })
        .concat();
    let trap = (
        Kind::Connector,
        Behaviour::InnerError(413),
        "200 but not delivered",
    );
    let channels: Vec<_> = refusals
        .into_iter()
        .chain([trap])
        .map(|(kind, behaviour, error)| {
            let channel = channel(&mut scene, kind);
            channel.webhook.script([behaviour]);
            (channel, error)
        })
        .collect();
    numbered::complete(&mut scene.client, [1]).unwrap();
    scene.settle().unwrap();
    numbered::complete(&mut scene.client, [2]).unwrap();
    let deliveries = scene.settle().unwrap();
    for (channel, error) in &channels {
        let own = of(&deliveries, channel);
        assert_eq!(
            (own[0].status.as_str(), own[0].attempts),
            ("failed", 1),
            "{error}"
        );
        assert!(
            own[0].error_message.starts_with(error),
            "{}",
            own[0].error_message
        );
        assert!(own[0].error_message.len() > error.len(), "it says why");
        assert!(!own[0].response_body.is_empty());
        assert_eq!(own[1].status, "sent");
        assert_eq!(channel.webhook.requests(), 2);
        assert_eq!(numbered::accepted(&channel.webhook), [2]);
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn an_embed_that_discord_names_fails_alone() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    let errors = json!({"3": {"title": {"_errors": [
        {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length."}]}}});
    channel.webhook.script([Behaviour::Answer {
        status: 400,
        headers: Vec::new(),
        body: json!({"message": "Invalid Form Body", "code": 50035, "errors": {"embeds": errors}})
            .to_string(),
    }]);
    numbered::complete(&mut scene.client, 1..=10).unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(
        numbered::messages(&channel.webhook),
        [[1, 2, 3, 5, 6, 7, 8, 9, 10]]
    );
    assert_eq!(channel.webhook.requests(), 2);
    for (delivery, number) in deliveries.iter().zip(1..) {
        if number == 4 {
            assert_eq!((delivery.status.as_str(), delivery.attempts), ("failed", 1));
            assert_eq!(
                delivery.error_message,
                "400 bad request: Invalid Form Body: embeds[3].title: Must be 256 or fewer in length."
            );
        } else {
            assert_eq!(
                (delivery.status.as_str(), delivery.error_message.as_str()),
                ("sent", "")
            );
        }
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn an_event_that_nobody_names_is_found_by_halves() {
    let mut scene = scene(&[]);
    let bad = [1, 4, 7, 10];
    let channels: Vec<_> = Kind::CHATS
        .into_iter()
        .flat_map(|kind| bad.map(|number| (kind, number)))
        .map(|(kind, number)| {
            let channel = channel(&mut scene, kind);
            channel.webhook.always(Behaviour::When {
                contains: task(kind, number),
                then: Box::new(bad_request(kind)),
            });
            (channel, number)
        })
        .collect();
    numbered::complete(&mut scene.client, 1..=10).unwrap();
    let deliveries = scene.settle().unwrap();
    for (channel, bad) in &channels {
        let own = of(&deliveries, channel);
        let failed = own.iter().filter(|delivery| delivery.status == "failed");
        let failed: Vec<_> = failed.map(|delivery| &delivery.payload["task_title"]).collect();
        assert_eq!(failed, [&json!(format!("Task {bad}"))]);
        let others = (1..=10).filter(|number| number != bad);
        assert!(numbered::accepted(&channel.webhook).into_iter().eq(others));
        // Ten, and at most ⌈log2 10⌉ more.
        let refused = channel.webhook.requests() - channel.webhook.accepted();
        assert!(refused <= 5, "{refused} refused, the bad one was {bad}");
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
