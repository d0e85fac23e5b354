//! What the log says of each outcome.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{Channel, Delivery, SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

use crate::support::assert_clean;

fn fire(scene: &mut Scene) {
    zentry::extend_streak(&mut scene.client, id::ADA).unwrap();
}

fn of<'a>(deliveries: &'a [Delivery], channel: &Channel) -> &'a Delivery {
    deliveries
        .iter()
        .find(|delivery| delivery.webhook_integration_id == channel.id)
        .unwrap()
}

#[test]
fn a_sent_delivery() {
    let mut scene = Scene::start().unwrap();
    let [discord, connector, workflow] =
        [Kind::Discord, Kind::Connector, Kind::Workflow].map(|kind| scene.channel(kind).unwrap());
    fire(&mut scene);
    let deliveries = scene.settle().unwrap();
    for delivery in &deliveries {
        assert_eq!(delivery.status, "sent");
        assert_eq!(delivery.error_message, "");
        assert_eq!((delivery.attempts, delivery.retry_count), (1, 0));
        assert_eq!((delivery.next_attempt_at, delivery.retry_of), (None, None));
        assert!(delivery.sent_at.unwrap() >= delivery.created_at, "{delivery:?}");
    }
    let discord = of(&deliveries, &discord);
    assert_eq!(discord.response_status_code, Some(200));
    // A Message object is longer than that.
    assert_eq!(
        discord.response_body.chars().count(),
        1000.min(discord.response_body.chars().count())
    );
    assert!(discord.response_body.starts_with('{') && discord.response_body.contains("\"id\""));
    let connector = of(&deliveries, &connector);
    assert_eq!(
        (connector.response_status_code, connector.response_body.as_str()),
        (Some(200), "1")
    );
    let workflow = of(&deliveries, &workflow);
    assert_eq!(
        (workflow.response_status_code, workflow.response_body.as_str()),
        (Some(202), "")
    );
    assert_clean(&scene);
}

#[test]
fn the_first_1000_characters_of_an_answer() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Workflow).unwrap();
    let mut answer = |status, body: String| {
        let headers = Vec::new();
        channel.webhook.script([Behaviour::Answer {
            status,
            headers,
            body,
        }]);
        fire(&mut scene);
        scene.settle().unwrap().pop().unwrap()
    };
    let long = answer(202, "🎉".repeat(999) + "ab");
    assert_eq!(
        (long.status.as_str(), long.response_body),
        ("sent", "🎉".repeat(999) + "a")
    );
    let refused = answer(400, "é".repeat(5000));
    assert_eq!(
        (refused.status.as_str(), refused.response_body),
        ("failed", "é".repeat(1000))
    );
    assert!(refused.error_message.chars().count() <= 500);
    // What Postgres could not store.
    let strange = answer(400, "a\0b".to_owned());
    assert_eq!(strange.response_body, "a\u{fffd}b");
}

#[test]
fn a_failed_delivery_says_why() {
    let mut scene = Scene::start().unwrap();
    let answer = |status: u16, body: &str| Behaviour::Answer {
        status,
        headers: Vec::new(),
        body: body.to_owned(),
    };
    let invalid = r#"{"message": "Invalid Form Body", "code": 50035, "errors": {"embeds": {"0": {"title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length."}]}}}}}"#;
    let cases = [
        (
            Kind::Discord,
            answer(400, invalid),
            400,
            "400 bad request: Invalid Form Body: embeds[0].title: Must be 256 or fewer in length.",
        ),
        (
            Kind::Discord,
            Behaviour::Status(401),
            401,
            "401: the URL or its token is wrong: Invalid Webhook Token",
        ),
        (
            Kind::Discord,
            Behaviour::Status(404),
            404,
            "404: the webhook does not exist any more: Unknown Webhook",
        ),
        (
            Kind::Discord,
            Behaviour::Status(403),
            403,
            "403 forbidden: Missing Permissions",
        ),
        (
            Kind::Connector,
            answer(400, "Summary or Text is required."),
            400,
            "400 bad request: Summary or Text is required.",
        ),
        (
            Kind::Connector,
            Behaviour::Status(410),
            410,
            "410: the webhook does not exist any more",
        ),
        (
            Kind::Connector,
            Behaviour::InnerError(413),
            200,
            "200 but not delivered: Webhook message delivery failed",
        ),
        (
            Kind::Workflow,
            Behaviour::Status(400),
            400,
            "400: the flow is switched off; switch it on in Power Automate: WorkflowTriggerIsNotEnabled",
        ),
        (
            Kind::Workflow,
            Behaviour::Status(401),
            401,
            "401: the flow wants a signed-in caller",
        ),
        (
            Kind::Workflow,
            Behaviour::Status(404),
            404,
            "404: the webhook does not exist any more: WorkflowNotFound",
        ),
        (
            Kind::Workflow,
            answer(413, ""),
            413,
            "413: the message is too large",
        ),
    ];
    let channels: Vec<Channel> = cases
        .iter()
        .map(|(kind, behaviour, ..)| {
            let channel = scene.channel(*kind).unwrap();
            channel.webhook.script([behaviour.clone()]);
            channel
        })
        .collect();
    fire(&mut scene);
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries.len(), cases.len());
    for (channel, (kind, behaviour, code, error)) in channels.iter().zip(&cases) {
        let delivery = of(&deliveries, channel);
        assert_eq!(delivery.status, "failed", "{kind:?} {behaviour:?}");
        assert_eq!(
            delivery.response_status_code,
            Some(*code),
            "{kind:?} {behaviour:?}"
        );
        assert!(
            delivery.error_message.starts_with(error),
            "{}",
            delivery.error_message
        );
        assert_eq!(delivery.sent_at, None);
        assert_eq!(delivery.attempts, 1);
        assert_eq!(channel.webhook.requests(), 1, "{kind:?} {behaviour:?}");
    }
    assert_clean(&scene);
}

#[test]
fn a_delivery_that_is_tried_again_says_why_and_when() {
    let mut scene = Scene::start().unwrap();
    let limited = Behaviour::RateLimited {
        retry_after: Duration::from_millis(3_600_250),
        global: false,
    };
    let cases = [
        (
            Kind::Discord,
            limited.clone(),
            Some(429),
            "429: rate limited, next try in 3600.25 s",
        ),
        (
            Kind::Workflow,
            limited,
            Some(429),
            "429: rate limited, next try in 3601 s",
        ),
        (
            Kind::Discord,
            Behaviour::in_an_hour(),
            Some(503),
            "503: the server is unavailable",
        ),
    ];
    let channels: Vec<Channel> = cases
        .iter()
        .map(|(kind, behaviour, ..)| {
            let channel = scene.channel(*kind).unwrap();
            channel.webhook.script([behaviour.clone()]);
            channel
        })
        .collect();
    fire(&mut scene);
    let deliveries = scene
        .wait_until("all to be tried", |deliveries| {
            deliveries.len() == 3 && deliveries.iter().all(|delivery| delivery.status == "retry")
        })
        .unwrap();
    for (channel, (kind, _, code, error)) in channels.iter().zip(&cases) {
        let delivery = of(&deliveries, channel);
        assert_eq!(
            (delivery.response_status_code, delivery.error_message.as_str()),
            (*code, *error),
            "{kind:?}"
        );
        let wait = delivery
            .next_attempt_at
            .unwrap()
            .duration_since(delivery.created_at);
        assert!(wait.as_secs() >= 3600, "{kind:?}: {wait:?}");
        // Being rate limited is no attempt.
        assert_eq!(delivery.attempts, i32::from(*code != Some(429)), "{kind:?}");
    }
}

/// An endpoint that fails for a while: what it said last stays until it takes the message.
#[test]
fn a_delivery_that_is_sent_at_last() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    channel.webhook.script([
        Behaviour::Status(500),
        Behaviour::DropBeforeAnswer,
        Behaviour::RateLimited {
            retry_after: Duration::from_millis(10),
            global: false,
        },
    ]);
    fire(&mut scene);
    let delivery = scene.settle().unwrap().remove(0);
    assert_eq!(
        (delivery.status.as_str(), delivery.error_message.as_str()),
        ("sent", "")
    );
    assert_eq!((delivery.response_status_code, delivery.attempts), (Some(200), 3));
    assert_eq!(
        (channel.webhook.requests(), channel.webhook.event_count()),
        (4, 1)
    );
    assert_clean(&scene);
}

#[test]
fn the_views_show_deliveries_and_their_webhooks() {
    let mut scene = Scene::start().unwrap();
    let good = scene.channel(Kind::Discord).unwrap();
    let bad = scene.channel(Kind::Discord).unwrap();
    bad.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene);
    scene.settle().unwrap();
    let failed = scene
        .client
        .query(
            "SELECT webhook_integration_name, webhook_type, response_status_code, payload->>'user_name' FROM zentry_notify.logs \
             WHERE status = 'failed' AND event_type = 'daily_streak' ORDER BY created_at DESC",
            &[],
        )
        .unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].get::<_, &str>(0), bad.webhook.name());
    assert_eq!(failed[0].get::<_, &str>(1), "discord");
    assert_eq!((failed[0].get(2), failed[0].get(3)), (Some(400), "ada"));

    // Counters are added to once in a second.
    const COUNTED: &str = "SELECT sum(sent + failed) = 2 FROM zentry_notify.webhooks";
    eventually(SOON, "both to be counted", || {
        let counted: bool = scene.client.query_one(COUNTED, &[]).unwrap().get(0);
        counted.then_some(())
    })
    .unwrap();
    let webhooks = scene
        .client
        .query(
            "SELECT id, state, pending, sent, failed, last_status, last_delivery_at IS NOT NULL FROM zentry_notify.webhooks ORDER BY id",
            &[],
        )
        .unwrap();
    let row = |index: usize| {
        let row = &webhooks[index];
        let counts: (i64, i64, i64) = (row.get(2), row.get(3), row.get(4));
        (
            row.get::<_, i64>(0),
            row.get::<_, String>(1),
            counts,
            row.get::<_, String>(5),
            row.get::<_, bool>(6),
        )
    };
    assert_eq!(row(0), (good.id, "active".into(), (0, 1, 0), "sent".into(), true));
    assert_eq!(
        row(1),
        (bad.id, "active".into(), (0, 0, 1), "failed".into(), true)
    );
}
