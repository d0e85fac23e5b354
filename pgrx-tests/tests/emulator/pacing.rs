//! Rate limits and what is told of them.

use std::time::Duration;

use serde_json::{Value, json};
use zentry_e2e::emulator::{Emulator, Limits, Options, RateLimit, Verdict};

use crate::{plain_client, post, send};

fn message() -> Value {
    json!({"content": "c", "allowed_mentions": {"parse": []}})
}

/// Windows that no test outlives.
fn long(requests: u32) -> RateLimit {
    RateLimit {
        requests,
        per: Duration::from_secs(3600),
    }
}

#[test]
fn discord_announces_its_limit_on_every_answer() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    webhook.limit(Limits {
        announced: Some(long(5)),
        unannounced: None,
    });
    for remaining in ["4", "3", "2", "1", "0"] {
        let answer = send(&webhook, &message());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit"), Some("5"));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(remaining));
        let after: f64 = answer.header("x-ratelimit-reset-after").unwrap().parse().unwrap();
        assert!((3000.0..=3600.0).contains(&after), "{after}");
        assert!(
            answer
                .header("x-ratelimit-reset")
                .unwrap()
                .parse::<f64>()
                .unwrap()
                > 1.7e9
        );
        assert!(answer.header("x-ratelimit-bucket").is_some());
    }
    let refused = send(&webhook, &message());
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["global"], false);
    assert!(refused.json()["retry_after"].is_f64());
    assert_eq!(refused.header("x-ratelimit-scope"), Some("user"));
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 3000);
    assert_eq!(webhook.received().pop().unwrap().verdict, Verdict::RateLimited);
    assert_eq!(emulator.complaints(), Vec::<String>::new());

    let old = post(
        &plain_client(),
        &format!("{}?wait=true", webhook.url()),
        &message().to_string(),
    )
    .unwrap();
    assert!(
        old.json()["retry_after"].as_u64().unwrap() > 3_000_000,
        "milliseconds: {}",
        old.text
    );
}

#[test]
fn an_invalid_message_counts_towards_the_limit() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    webhook.limit(Limits {
        announced: Some(long(2)),
        unannounced: None,
    });
    let answer = send(&webhook, &json!({}));
    assert_eq!(
        (answer.status, answer.header("x-ratelimit-remaining")),
        (400, Some("1"))
    );
}

#[test]
fn the_channel_limit_is_not_announced() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    webhook.limit(Limits {
        announced: Some(long(5)),
        unannounced: Some(long(1)),
    });
    assert_eq!(
        send(&webhook, &message()).header("x-ratelimit-remaining"),
        Some("4")
    );
    let refused = send(&webhook, &message());
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("3"));
    assert_eq!(refused.header("x-ratelimit-scope"), Some("shared"));
}

#[test]
fn the_global_limit_holds_over_all_webhooks() {
    let options = Options {
        discord_global: Some(long(1)),
        ..Options::default()
    };
    let emulator = Emulator::start_with(options).unwrap();
    assert_eq!(send(&emulator.discord_webhook(), &message()).status, 200);
    let refused = send(&emulator.discord_webhook(), &message());
    assert_eq!((refused.status, &refused.json()["global"]), (429, &json!(true)));
    assert_eq!(refused.header("x-ratelimit-global"), Some("true"));
}

#[test]
fn teams_throttles_without_announcing() {
    let emulator = Emulator::start().unwrap();
    let limits = Limits {
        announced: Some(long(1)),
        unannounced: None,
    };

    let connector = emulator.connector();
    connector.limit(limits);
    let card = json!({"@type": "MessageCard", "@context": "https://schema.org/extensions", "text": "t"});
    let taken = send(&connector, &card);
    assert_eq!(
        (taken.text.as_str(), taken.header("x-ratelimit-limit")),
        ("1", None)
    );
    let throttled = send(&connector, &card);
    assert_eq!(throttled.status, 200);
    assert!(
        throttled.text.contains("returned HTTP error 429"),
        "{}",
        throttled.text
    );

    let workflow = emulator.workflow();
    workflow.limit(limits);
    let body = json!({"type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": {"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "t"}]}}]});
    assert_eq!(send(&workflow, &body).status, 202);
    let throttled = send(&workflow, &body);
    assert_eq!(throttled.status, 429);
    assert!(throttled.header("retry-after").unwrap().parse::<u64>().unwrap() > 3000);
    assert!(!connector.received()[1].accepted() && !workflow.received()[1].accepted());
}

#[test]
fn limits_are_the_vendors_unless_switched_off() {
    let emulator = Emulator::start().unwrap();
    let limit = |webhook| {
        send(&webhook, &message())
            .header("x-ratelimit-limit")
            .map(str::to_owned)
    };
    assert_eq!(limit(emulator.discord_webhook()), Some("5".into()));
    let unlimited = Emulator::start_with(Options {
        rate_limits: false,
        ..Options::default()
    })
    .unwrap();
    assert_eq!(limit(unlimited.discord_webhook()), None);
}
