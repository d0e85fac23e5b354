#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::queries::integrations::tests::usual;

fn sent(pairs: &[(&str, &str)]) -> Draft {
    Draft::sent(
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

#[test]
fn what_is_typed_becomes_values() {
    let draft = sent(&[
        ("name", " Team "),
        ("project", "7"),
        ("event_type", "task_completed"),
        ("event_type", "badge_earned"),
        ("milestones", "50 %, 100"),
        ("omit_keys", "a, b,"),
        ("is_active", "true"),
    ]);
    let new = draft.new_integration().unwrap();
    assert_eq!(
        (new.name.as_str(), new.project, new.is_active),
        ("Team", Some(7), Some(true))
    );
    assert_eq!(new.event_types.unwrap(), ["task_completed", "badge_earned"]);
    assert_eq!(new.rules.milestones, Some(vec![50, 100]));
    assert_eq!(new.rules.omit_keys.unwrap(), ["a", "b"]);
    // An empty text and 0 mean no setting to the database.
    assert_eq!(
        (new.rules.filter.as_deref(), new.rules.min_streak_days),
        (Some(""), Some(0))
    );
}

#[test]
fn what_is_cleared_is_taken_away() {
    let change = sent(&[("name", "Team"), ("event_type", "*"), ("event_type", "x")])
        .change()
        .unwrap();
    assert_eq!(change.webhook_url, None, "the URL stays");
    assert_eq!(change.project, Some(None));
    assert_eq!(change.event_types.unwrap(), ["*"]);
    assert_eq!(
        (change.rules.filter.as_deref(), change.rules.min_streak_days),
        (Some(""), Some(0))
    );
    assert_eq!(
        (change.rules.milestones, change.is_active),
        (Some(vec![]), Some(false))
    );
}

#[test]
fn single_events_take_the_place_of_all_that_were_heard_before() {
    let all = ("event_type", "*");
    for (pairs, heard) in [
        (&[("heard_all", "true"), all, ("event_type", "a")][..], &["a"][..]),
        (&[("heard_all", "true"), all], &["*"]),
        (&[("heard_all", "true"), ("event_type", "a")], &["a"]),
        (&[all, ("event_type", "a")], &["*"]),
    ] {
        assert_eq!(sent(pairs).event_types(), heard, "{pairs:?}");
    }
}

#[test]
fn what_is_no_number_is_named() {
    let wrong = sent(&[("project", "one"), ("milestones", "50, x")])
        .change()
        .unwrap_err();
    assert_eq!(wrong.keys().collect::<Vec<_>>(), ["milestones", "project"]);
}

fn shown(integration: crate::queries::integrations::Integration) -> Webhook {
    Webhook {
        integration,
        state: "active".into(),
        state_since: None,
        reason: None,
        next_try_at: None,
        held_until: None,
        pending: 0,
        sent: 0,
        failed: 0,
        last_delivery_at: None,
        last_status: None,
    }
}

/// Each field of the draft is read from the form's field of the same name; credentials are read from `secret`.
#[test]
fn each_field_is_read_from_the_form() {
    let names = "name webhook_type webhook_url project filter min_streak_days milestones quiet_hours mention omit_keys username avatar_url \
                 thread_name applied_tags digest max_events_per_message min_interval max_age rate_limit rate_group notify_webhook_id \
                 thread_by headers secret event_type";
    let pairs: Vec<(&str, &str)> = names.split_whitespace().map(|name| (name, name)).collect();
    let expected = Draft {
        name: "name".into(),
        webhook_type: "webhook_type".into(),
        webhook_url: "webhook_url".into(),
        project: "project".into(),
        event_types: vec!["event_type".into()],
        is_active: false,
        filter: "filter".into(),
        min_streak_days: "min_streak_days".into(),
        milestones: "milestones".into(),
        quiet_hours: "quiet_hours".into(),
        mention: "mention".into(),
        omit_keys: "omit_keys".into(),
        username: "username".into(),
        avatar_url: "avatar_url".into(),
        announce: false,
        thread_name: "thread_name".into(),
        applied_tags: "applied_tags".into(),
        digest: "digest".into(),
        max_events_per_message: "max_events_per_message".into(),
        min_interval: "min_interval".into(),
        max_age: "max_age".into(),
        rate_limit: "rate_limit".into(),
        rate_group: "rate_group".into(),
        notify_webhook_id: "notify_webhook_id".into(),
        notices: false,
        thread_by: "thread_by".into(),
        headers: "headers".into(),
        credentials: "secret".into(),
    };
    assert_eq!(sent(&pairs), expected);
    let ticked = |name: &str| sent(&[(name, "true"), ("other", "x")]);
    let none = Draft::default();
    let (is_active, announce, notices) = (true, true, true);
    assert_eq!(
        ticked("is_active"),
        Draft {
            is_active,
            ..none.clone()
        }
    );
    assert_eq!(
        ticked("announce"),
        Draft {
            announce,
            ..none.clone()
        }
    );
    assert_eq!(ticked("notices"), Draft { notices, ..none });
}

#[test]
fn what_there_is_comes_back_as_it_was() {
    let mut one = usual(1, "Team", "discord");
    assert_eq!(
        Draft::of(&shown(one.clone())),
        Draft {
            name: "Team".into(),
            ..Draft::fresh()
        },
        "what is usual is not shown"
    );
    one.project = Some(7);
    one.is_active = false;
    one.event_types = json!(["a", "b"]);
    one.settings.milestones = Some(vec![50, 100]);
    one.settings.max_events_per_message = 3;
    one.settings.min_interval = "00:01:00".into();
    one.settings.min_streak_days = Some(5);
    let draft = Draft::like(&shown(one));
    assert_eq!((draft.name.as_str(), draft.is_active), ("Team (copy)", false));
    let new = draft.new_integration().unwrap();
    assert_eq!((new.webhook_type.as_str(), new.project), ("discord", Some(7)));
    assert_eq!(new.event_types.unwrap(), ["a", "b"]);
    assert_eq!(new.rules.milestones, Some(vec![50, 100]));
    assert_eq!(new.rules.max_events_per_message, Some(3));
    assert_eq!(new.rules.min_streak_days, Some(5));
    assert_eq!(new.rules.min_interval.as_deref(), Some("00:01:00"));
    assert_eq!(new.rules.max_age.as_deref(), Some("0"));
}

#[test]
fn what_a_service_has_no_place_for_is_left_out() {
    let of = |webhook_type: &str| {
        let draft = sent(&[
            ("webhook_type", webhook_type),
            ("webhook_url", "https://a.example/x"),
            ("project", "0"),
            ("announce", "true"),
            ("username", "Ada"),
            ("headers", r#"{"a": "b"}"#),
            ("secret", "creds"),
        ]);
        let change = draft.change().unwrap();
        assert_eq!(change.webhook_url.as_deref(), Some("https://a.example/x"));
        assert_eq!(change.project, Some(None), "0 is no project");
        let new = draft.new_integration().unwrap();
        assert_eq!(new.headers, change.headers);
        (new.rules.announce, new.rules.username, new.headers, new.secret)
    };
    let (no, none) = (Some(false), Some(String::new()));
    assert_eq!(of("discord"), (Some(true), Some("Ada".into()), None, None));
    assert_eq!(of("ntfy"), (no, none.clone(), Some(json!({"a": "b"})), None));
    assert_eq!(of("nats"), (no, none, None, Some("creds".into())));
    let silent = sent(&[("webhook_type", "discord")]).new_integration().unwrap();
    assert_eq!(silent.rules.announce, Some(false));
    for headers in ["[]", "{", "5"] {
        let wrong = sent(&[("webhook_type", "ntfy"), ("headers", headers)])
            .change()
            .unwrap_err();
        assert_eq!(wrong.keys().collect::<Vec<_>>(), ["headers"]);
    }
    let given = |webhook_type| sent(&[("webhook_type", webhook_type)]);
    assert_eq!(given("nats").credentials(), None);
    assert_eq!(given("ntfy").change().unwrap().headers, None);
}
