#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::super::document::Content;
use super::*;
use crate::queries::integrations::tests::usual as webhook;

#[test]
fn each_secret_has_a_place_of_its_own() {
    let secrets = Secrets::Environment;
    let mut names = Names::new(&secrets);
    let mut said = |webhook: &str, what: &str| names.of(webhook, what).to_string();
    assert_eq!(
        said("Backend channel", "url"),
        "{ env = \"ZENTRY_BACKEND_CHANNEL_URL\" }"
    );
    assert_eq!(
        said("Backend-channel", "url"),
        "{ env = \"ZENTRY_BACKEND_CHANNEL_URL_2\" }"
    );
    assert_eq!(said("日本", "x-api-key"), "{ env = \"ZENTRY_X_API_KEY\" }");
    let secrets = Secrets::Directory("secrets".into());
    let mut names = Names::new(&secrets);
    assert_eq!(
        names.of("日本", "url").to_string(),
        "{ file = \"secrets/webhook.url\" }"
    );
    assert_eq!(
        names.of("Team", "url").to_string(),
        "{ file = \"secrets/team.url\" }"
    );
}

#[test]
fn any_name_is_a_key() {
    for name in [
        "plain",
        "A b",
        "a.b",
        "\"",
        "\\",
        "line\nline",
        "\u{7f}\u{1}",
        "日本",
        "",
        "'",
    ] {
        let read: toml::Table = toml::from_str(&format!("{} = 1", key(name))).unwrap();
        assert!(read.contains_key(name), "{name:?}");
    }
}

fn source(event_type: &str, built_in: bool) -> Source {
    Source {
        event_type: event_type.into(),
        table: "public.task".into(),
        relation: 1,
        built_in,
        columns: json!({}),
        condition: None,
        operation: None,
        audience: json!({"everybody": true}),
        done: None,
        omit: Vec::new(),
    }
}

fn title(title: &str) -> Words {
    Words {
        title: Some(title.into()),
        ..Words::default()
    }
}

/// The state of a database in which nothing is configured.
fn nothing() -> State {
    State {
        webhooks: Vec::new(),
        event_types: Vec::new(),
        wordings: Vec::new(),
        sources: Vec::new(),
    }
}

fn written(state: &State) -> String {
    let text = text(state, &Secrets::Environment);
    let content = toml::from_str::<Content>(&text);
    assert!(content.is_ok(), "{text}\n{content:?}");
    text.strip_prefix(HEAD).unwrap().to_owned()
}

#[test]
fn of_a_webhook_only_what_is_not_usual_is_said() {
    let usual = webhook(1, "team", "discord");
    let mut other = webhook(2, "other", "discord");
    other.project = Some(3);
    other.created_by = Some(4);
    other.event_types = json!(["task_completed"]);
    other.is_active = false;
    other.settings.announce = true;
    other.settings.omit_keys = vec!["email".into()];
    other.settings.milestones = Some(vec![50, 100]);
    other.settings.notify_webhook_id = Some(1);
    other.settings.max_events_per_message = 1;
    other.settings.min_interval = "00:01:00".into();
    // A value that is the default of one setting is written if another setting has it.
    other.settings.max_age = Some(MIN_INTERVAL.into());
    other.settings.min_streak_days = Some(MAX_EVENTS_PER_MESSAGE);
    let state = State {
        webhooks: vec![usual, other],
        ..nothing()
    };
    assert_eq!(
        written(&state),
        r#"
[webhook.team]
webhook_type = "discord"
url = { env = "ZENTRY_TEAM_URL" }

[webhook.other]
webhook_type = "discord"
url = { env = "ZENTRY_OTHER_URL" }
project_id = 3
created_by_id = 4
event_types = ["task_completed"]
is_active = false
announce = true
max_age = "00:00:00"
max_events_per_message = 1
milestones = [50, 100]
min_interval = "00:01:00"
min_streak_days = 10
notify_webhook = "team"
omit_keys = ["email"]
"#
    );
}

#[test]
fn secrets_are_named_where_a_type_has_them() {
    let mut program = webhook(1, "own program", "webhook");
    program.header_names = vec!["authorization".into(), "x-team".into()];
    let state = State {
        webhooks: vec![program, webhook(2, "stream", "nats")],
        ..nothing()
    };
    assert_eq!(
        written(&state),
        r#"
[webhook."own program"]
webhook_type = "webhook"
url = { env = "ZENTRY_OWN_PROGRAM_URL" }
secret = { env = "ZENTRY_OWN_PROGRAM_SECRET" }
headers = { authorization = { env = "ZENTRY_OWN_PROGRAM_AUTHORIZATION" }, x-team = { env = "ZENTRY_OWN_PROGRAM_X_TEAM" } }

[webhook.stream]
webhook_type = "nats"
url = { env = "ZENTRY_STREAM_URL" }
# If it has credentials: secret = { env = "ZENTRY_STREAM_SECRET" }
"#
    );
}

#[test]
fn event_types_and_wordings_stand_where_they_hold() {
    let wording = |event_type: &str, webhook, language: Option<&str>| Wording {
        event_type: event_type.into(),
        webhook,
        words: language.map_or_else(|| title("Done"), |_| Words::default()),
        language: language.map(Into::into),
    };
    let kind = |name: &str, sample| EventType {
        name: name.into(),
        words: title("Deployed"),
        time_key: None,
        sample,
    };
    let state = State {
        webhooks: vec![webhook(1, "team", "discord")],
        event_types: vec![
            EventType {
                time_key: Some("at".into()),
                ..kind("deployed", Some(json!({"version": "1.0"})))
            },
            // TOML has no null.
            kind("removed", Some(json!({"version": null}))),
        ],
        wordings: vec![
            wording("*", None, Some("de")),
            wording("task_completed", Some(1), None),
        ],
        ..nothing()
    };
    assert_eq!(
        written(&state),
        r#"
[event_type.deployed]
title = "Deployed"
time_key = "at"
sample = { version = "1.0" }

[event_type.removed]
title = "Deployed"
sample = '{"version":null}'

[wording."*"]
language = "de"

[webhook.team]
webhook_type = "discord"
url = { env = "ZENTRY_TEAM_URL" }

[webhook.team.wording.task_completed]
title = "Done"
"#
    );
}

#[test]
fn of_a_source_that_makes_itself_nothing_is_said_but_what_it_omits() {
    let state = State {
        sources: vec![
            Source {
                omit: vec!["email".into()],
                ..source("task_completed", true)
            },
            source("task_created", false),
            Source {
                columns: json!({"a": "title", "b": null, "c": {"value": null}, "d": {"value": 5}}),
                condition: Some("NEW.done".into()),
                operation: Some("UPDATE".into()),
                done: Some("done".into()),
                ..source("task_done", false)
            },
        ],
        ..nothing()
    };
    let text = written(&state);
    assert_eq!(
        text,
        r#"
[[source]]
event_type = "task_completed"
table = "public.task"
built_in = true
omit = ["email"]

[[source]]
event_type = "task_created"
table = "public.task"
columns = {}
audience = { everybody = true }

[[source]]
event_type = "task_done"
table = "public.task"
columns = { a = "title", c = { json = "null" }, d = { value = 5 } }
without = ["b"]
condition = "NEW.done"
operation = "UPDATE"
audience = { everybody = true }
done = "done"
"#
    );
    let read: Content = toml::from_str(&text).unwrap();
    assert_eq!(read.source[2].columns(), state.sources[2].columns);
}
