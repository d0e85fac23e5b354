//! The fields of `webhook-integrations/`: what each takes, and the words of refusals.

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;

use crate::integrations::{SETTINGS, Stage};
use crate::support::API;

#[test]
fn refusals_name_the_field() -> Result<()> {
    let stage = Stage::start()?;
    let url = stage.scene.emulator.discord_webhook().url();
    let good = json!({"name": "a", "webhook_type": "discord", "webhook_url": url});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(101))),
        ("name", json!(true)),
        ("name", json!(null)),
        ("name", json!("a\0b")),
        ("webhook_type", json!("fax")),
        ("webhook_type", json!("x".repeat(300))),
        ("webhook_url", json!("https://example.com/api/webhooks/1/x")),
        ("webhook_url", json!("nonsense")),
        ("webhook_url", json!(format!("{url}/{}", "x".repeat(2048)))),
        ("event_types", json!(["no_such_event"])),
        ("event_types", json!("task_completed")),
        ("event_types", json!([null])),
        ("project", json!("x")),
        ("project", json!(1.5)),
        ("project", json!(0)),
        ("project", json!(1e30)),
        ("is_active", json!("perhaps")),
    ] {
        let answer = stage.call("POST", "", with(field, value.clone()), 400)?;
        let text = answer[field][0]
            .as_str()
            .unwrap_or_else(|| panic!("{field} {value}: {answer}"));
        assert!(
            !text.contains(url.rsplit('/').next().unwrap()),
            "the secret is in {text}"
        );
    }
    let missing = stage.call("POST", "", json!({}), 400)?;
    for field in ["name", "webhook_type", "webhook_url"] {
        assert_eq!(missing[field], json!(["This field is required."]));
    }
    let answer = stage.call("POST", "", json!([1]), 400)?;
    assert!(answer["non_field_errors"][0].is_string(), "{answer}");
    assert_eq!(stage.get("")?["count"], json!(0));
    Ok(())
}

/// What a read shows can be written back, and null takes away.
#[test]
fn everything_is_set_and_taken_away() -> Result<()> {
    let stage = Stage::start()?;
    let url = stage.scene.emulator.discord_webhook().url();
    let other = stage.call(
        "POST",
        "",
        json!({"name": "o", "webhook_type": "discord", "webhook_url": url}),
        201,
    )?;
    let set = json!({
        "omit_keys": ["task_description"], "filter": "($.\"points\" > 20)", "min_streak_days": 3, "milestones": [50, 100],
        "quiet_hours": "22:00-07:00 Europe/Berlin", "mention": "role:123456789012345678", "username": "Ops",
        "avatar_url": "https://app.example.com/a.png", "announce": true, "thread_name": "Releases",
        "applied_tags": ["123456789012345678"], "rate_limit": "25/5min", "rate_group": "anna", "notify_webhook_id": other["id"],
        "notices": true, "digest": "0 9 * * 1-5", "max_events_per_message": 5, "min_interval": "00:00:02", "max_age": "2 days", "thread_by": "task"
    });
    assert_eq!(set.as_object().unwrap().len(), SETTINGS.len());
    let mut body = set.clone();
    body["name"] = json!("a");
    body["webhook_type"] = json!("discord");
    body["webhook_url"] = json!(url);
    let created = stage.call("POST", "", body, 201)?;
    let one = format!("{}/", created["id"]);
    for key in SETTINGS {
        assert_eq!(created[key], set[key], "{key}");
    }
    let changed = stage.call("PUT", &one, stage.get(&one)?, 200)?;
    for key in SETTINGS {
        assert_eq!(changed[key], set[key], "{key}");
    }
    for (filter, count) in [
        ("notices=true", 1),
        ("rate_group=anna", 1),
        ("rate_group=bob", 0),
        ("state=active", 2),
        ("state=gone", 0),
    ] {
        assert_eq!(
            stage.get(&format!("?{filter}"))?["count"],
            json!(count),
            "{filter}"
        );
    }
    assert_eq!(
        stage.get(&format!("?notify_webhook_id={}", other["id"]))?["count"],
        json!(1)
    );
    // What another webhook has that was given none of it.
    let mut none = other.clone();
    none.as_object_mut()
        .unwrap()
        .retain(|key, _| SETTINGS.contains(&&**key));
    let changed = stage.call("PATCH", &one, none.clone(), 200)?;
    for key in SETTINGS {
        assert_eq!(changed[key], none[key], "{key}");
    }
    for (field, value) in [
        ("digest", json!("often")),
        ("rate_limit", json!("often")),
        ("min_interval", json!("a while")),
        ("max_age", json!("-1 day")),
        ("max_age", json!([5])),
        ("max_events_per_message", json!(11)),
        ("max_events_per_message", json!(1e20)),
        ("max_events_per_message", json!(null)),
        ("notify_webhook_id", json!(987_654)),
        ("milestones", json!(["half"])),
        ("notices", json!("perhaps")),
        ("username", json!("clyde")),
        ("thread_by", json!("user")),
    ] {
        let answer = stage.call("PATCH", &one, json!({ field: value }), 400)?;
        assert!(answer[field][0].is_string(), "{field} {value}: {answer}");
    }
    let resumed = stage.call("POST", &format!("{one}resume/"), json!({}), 200)?;
    assert_eq!(resumed["id"], created["id"]);
    stage.call("POST", "987654/resume/", json!({}), 404)?;
    Ok(())
}

/// What a client misspells is not passed over: it would have meant something else.
#[test]
fn fields_that_nobody_knows_are_refused() -> Result<()> {
    let stage = Stage::start()?;
    let url = stage.scene.emulator.discord_webhook().url();
    let good = json!({"name": "a", "webhook_type": "discord", "webhook_url": url});
    let mut slip = good.clone();
    slip["evnt_types"] = json!(["task_completed"]);
    slip["weather"] = json!("fine");
    let answer = stage.call("POST", "", slip, 400)?;
    assert_eq!(
        answer,
        json!({"evnt_types": ["There is no such field. Perhaps \"event_types\" is meant."], "weather": ["There is no such field."]})
    );
    assert_eq!(stage.get("")?["count"], json!(0));
    let created = stage.call("POST", "", good, 201)?;
    let one = format!("{}/", created["id"]);
    for method in ["PUT", "PATCH"] {
        let answer = stage.call(method, &one, json!({"is_activ": false, "name": "b"}), 400)?;
        assert!(
            answer["is_activ"][0].as_str().unwrap().contains("\"is_active\""),
            "{answer}"
        );
        // What was read means nothing.
        stage.call(method, &one, created.clone(), 200)?;
    }
    let answer = stage.call("POST", &format!("{one}test/"), json!({"message": "x"}), 400)?;
    assert!(answer["message"][0].is_string(), "{answer}");
    assert_eq!(stage.get(&one)?["name"], json!("a"));
    Ok(())
}

/// One who fills in a form hears of all that is wrong, whoever finds it: the types here, the rest in the database.
#[test]
fn all_that_is_wrong_is_said_at_once() -> Result<()> {
    let stage = Stage::start()?;
    let url = stage.scene.emulator.discord_webhook().url();
    let wrong = json!({
        "name": "", "webhook_type": "fax", "webhook_url": "nonsense", "event_types": ["no_such_event"], "filter": "((", "min_streak_days": -1,
        "milestones": [500], "quiet_hours": "at night", "username": "clyde", "avatar_url": "x", "applied_tags": ["x"], "rate_limit": "often",
        "notify_webhook_id": 987_654, "digest": "often", "max_events_per_message": 11, "min_interval": "a while", "max_age": "-1 day",
        "omit_keys": [null], "is_active": "perhaps", "evnt_types": []
    });
    let answer = stage.call("POST", "", wrong.clone(), 400)?;
    let said: Vec<&String> = answer.as_object().unwrap().keys().collect();
    // A type that there is not has no URLs.
    let mut expected: Vec<&String> = wrong
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| *key != "webhook_url")
        .collect();
    expected.sort();
    assert_eq!(said, expected, "{answer}");
    let both = json!({"webhook_type": "discord", "webhook_url": "nonsense", "digest": "often"});
    let answer = stage.call("POST", "", both, 400)?;
    let said: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(said, ["digest", "name", "webhook_url"], "{answer}");
    assert_eq!(stage.get("")?["count"], json!(0));

    let created = stage.call(
        "POST",
        "",
        json!({"name": "a", "webhook_type": "discord", "webhook_url": url}),
        201,
    )?;
    let one = format!("{}/", created["id"]);
    let answer = stage.call("PATCH", &one, wrong.clone(), 400)?;
    assert_eq!(answer.as_object().unwrap().len(), expected.len(), "{answer}");
    assert_eq!(stage.get(&one)?, created, "nothing of it is done");
    Ok(())
}

/// A field that a form sends as a file is refused, and nothing is changed: no field is a file.
#[test]
fn a_file_changes_nothing() -> Result<()> {
    let stage = Stage::start()?;
    let url = stage.scene.emulator.register(Kind::Signed).url();
    let new = json!({"name": "Billing", "webhook_type": "webhook", "webhook_url": url, "headers": {"Authorization": "Bearer swordfish"}});
    let created = stage.call("POST", "", new, 201)?;
    let one = format!("{}/", created["id"]);
    let before = stage.get(&one)?;
    let given = [
        "name",
        "webhook_type",
        "webhook_url",
        "project",
        "event_types",
        "is_active",
        "headers",
    ];
    for field in given.iter().chain(&SETTINGS) {
        let part = format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"{{}}\"");
        let body = format!("--XX\r\n{part}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--XX--\r\n");
        let path = format!("{API}/webhook-integrations/{one}");
        let kind = "multipart/form-data; boundary=XX";
        let answer = stage.server.send("PATCH", &path, &stage.manager, kind, &body)?;
        assert_eq!(answer.status, 400, "{field}: {answer:?}");
        let why = json!({*field: ["The submitted data was a file, which this field cannot take."]});
        assert_eq!(answer.json, why);
    }
    assert_eq!(stage.get(&one)?, before);
    Ok(())
}
