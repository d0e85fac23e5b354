#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

#[test]
fn json_comes_back_as_it_was() {
    for text in [
        r#"{"a":1,"b":"x","c":[true,{"d":-5}]}"#,
        r#"{"a":null}"#,
        r#"{"a":1.10}"#,
        r#"{"a":1e3,"b":12345678901234567890123}"#,
        r#"{"a":"line\nline \u001f \"'''\" 🦀"}"#,
    ] {
        let value: Value = serde_json::from_str(text).unwrap();
        let written = toml_of(&value).unwrap_or_else(|| toml::Value::String(value.to_string()));
        let line = format!("title = \"x\"\nsample = {written}\n");
        let read: EventType = toml::from_str(&line).unwrap();
        assert_eq!(read.sample.unwrap().0.to_string(), value.to_string(), "{line}");
    }
}

fn source(more: &str) -> Source {
    toml::from_str(&format!(
        "event_type = \"goal_reached\"\ntable = \"goal\"\n{more}"
    ))
    .unwrap()
}

#[test]
fn a_built_in_source_has_few_keys() {
    for more in ["", "built_in = true", "omit = [\"a\"]", "without = []"] {
        assert!(!source(more).says_more(), "{more}");
    }
    for more in [
        "columns = {a = \"b\"}",
        "without = [\"a\"]",
        "condition = \"true\"",
        "operation = \"insert\"",
        "audience = {a = \"b\"}",
        "done = \"done\"",
    ] {
        assert!(source(more).says_more(), "{more}");
    }
}

#[test]
fn a_source_says_what_its_columns_are() {
    let source = source(
        r#"
        without = ["user", "given"]
        audience = { user_id = "owner" }
        [columns]
        given = "column"
        fixed = { json = "null" }
        plain = { value = 5 }
        "#,
    );
    let columns = json!({"user": null, "given": "column", "fixed": {"value": null}, "plain": {"value": 5}});
    assert_eq!(source.columns(), columns);
    assert_eq!(source.audience(), Some(json!({"user_id": "owner"})));
    assert_eq!(self::source("").columns(), json!({}));
    assert_eq!(self::source("").audience(), None);
}

const WEBHOOK: &str = "webhook_type = \"discord\"\nurl = {env = \"URL\"}\n";

/// What the file does not have is set to its default, so that it is reset in the database.
#[test]
fn a_webhook_has_all_settings() {
    let bare: Webhook = toml::from_str(WEBHOOK).unwrap();
    assert_eq!(bare.event_types, ["*"]);
    assert!(bare.is_active && bare.headers.is_empty() && bare.secret.is_none());
    let rules = bare.rules();
    let empty = Some(String::new());
    let texts = [
        rules.filter,
        rules.quiet_hours,
        rules.mention,
        rules.username,
        rules.avatar_url,
        rules.thread_name,
        rules.rate_limit,
        rules.rate_group,
        rules.digest,
        rules.thread_by,
    ];
    assert!(texts.iter().all(|text| *text == empty), "{texts:?}");
    assert_eq!(
        (rules.omit_keys, rules.applied_tags),
        (Some(vec![]), Some(vec![]))
    );
    assert_eq!((rules.min_streak_days, rules.milestones), (Some(0), Some(vec![])));
    assert_eq!((rules.announce, rules.notices), (Some(false), Some(false)));
    assert_eq!(rules.max_events_per_message, Some(10));
    assert_eq!(rules.min_interval.as_deref(), Some("00:00:00"));
    assert_eq!(rules.max_age.as_deref(), Some("0"));
    assert_eq!(rules.notify_webhook_id, None);
    let text = format!(
        "{WEBHOOK}event_types = []\nis_active = false\nfilter = \"$.a\"\nmin_streak_days = 7\nmilestones = [50, 100]\n\
         announce = true\nmax_events_per_message = 3\nmin_interval = \"1 min\"\nmax_age = \"1 day\"\ndigest = \"0 8 * * *\""
    );
    let full: Webhook = toml::from_str(&text).unwrap();
    assert!(full.event_types.is_empty() && !full.is_active);
    let rules = full.rules();
    assert_eq!(rules.filter.as_deref(), Some("$.a"));
    assert_eq!(
        (rules.min_streak_days, rules.milestones),
        (Some(7), Some(vec![50, 100]))
    );
    assert_eq!(
        (rules.announce, rules.max_events_per_message),
        (Some(true), Some(3))
    );
    assert_eq!(rules.min_interval.as_deref(), Some("1 min"));
    assert_eq!(rules.max_age.as_deref(), Some("1 day"));
    assert_eq!(rules.digest.as_deref(), Some("0 8 * * *"));
}

#[test]
fn words_go_by_their_names() {
    let parts = "title = \"title\"\ntext = \"text\"\ncolour = \"colour\"\nemoji = \"emoji\"\nfooter = \"footer\"\n\
         url = \"url\"\nthumbnail = \"thumbnail\"\nfields = [{name = \"a\", value = \"b\"}]\n";
    let expected = Words::of(
        |name| Some(name.to_owned()),
        Some(json!([{"name": "a", "value": "b"}])),
    );
    let wording: Wording = toml::from_str(parts).unwrap();
    assert_eq!(wording.words(), expected);
    let own: EventType = toml::from_str(&format!("{parts}time_key = \"at\"\nsample = {{a = 1}}\n")).unwrap();
    let named = own_event_types::EventType {
        name: "goal_reached".to_owned(),
        words: expected,
        time_key: Some("at".to_owned()),
        sample: Some(json!({"a": 1})),
    };
    assert_eq!(own.named("goal_reached"), named);
}
