//! `webhook-integrations/`: the shapes that Zentry's clients know, and the words of refusals.

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::id;

use crate::support::{API, Server, Token};

/// What Zentry's serializer does not have.
const SETTINGS: [&str; 20] = [
    "omit_keys",
    "filter",
    "min_streak_days",
    "milestones",
    "quiet_hours",
    "mention",
    "username",
    "avatar_url",
    "announce",
    "thread_name",
    "applied_tags",
    "rate_limit",
    "rate_group",
    "notify_webhook_id",
    "notices",
    "digest",
    "max_events_per_message",
    "min_interval",
    "max_age",
    "thread_by",
];

struct Stage {
    scene: Scene,
    server: Server,
    manager: Token,
}

impl Stage {
    fn start() -> Result<Self> {
        let mut scene = Scene::start()?;
        let server = Server::start(&mut scene)?;
        let manager = server.token(&mut scene, "manager")?;
        Ok(Self {
            scene,
            server,
            manager,
        })
    }

    /// The answer to a request with a body, which must have this status.
    fn call(&self, method: &str, path: &str, body: Value, status: u16) -> Result<Value> {
        let path = format!("{API}/webhook-integrations/{path}");
        let answer = self
            .server
            .call(method, &path, Some(&self.manager.text), Some(body))?;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        Ok(answer.json)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let answer = self
            .server
            .get(&format!("/webhook-integrations/{path}"), &self.manager)?;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        Ok(answer.json)
    }
}

#[test]
fn an_integration_lives() -> Result<()> {
    let stage = Stage::start()?;
    let webhook = stage.scene.emulator.discord_webhook();
    let created = stage.call(
        "POST",
        "",
        json!({"name": "Backend channel", "webhook_type": "discord", "webhook_url": webhook.url(), "project": id::WEBSITE,
               "event_types": ["task_completed", "badge_earned"], "created_by": 5}),
        201,
    )?;
    let keys: Vec<&str> = created.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "id",
        "name",
        "webhook_type",
        "webhook_url",
        "project",
        "project_name",
        "created_by",
        "created_by_username",
        "event_types",
        "is_active",
        "created_at",
        "updated_at",
        "header_names",
        "state",
        "state_since",
        "reason",
        "next_try_at",
        "held_until",
        "pending",
        "sent",
        "failed",
        "last_delivery_at",
        "last_status",
    ];
    expected.extend(SETTINGS);
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let url = created["webhook_url"].as_str().unwrap();
    assert!(url.ends_with("/***") && !webhook.url().contains(url), "{url}");
    assert_eq!(created["event_types"], json!(["task_completed", "badge_earned"]));
    assert_eq!(
        (&created["is_active"], &created["project"]),
        (&json!(true), &json!(id::WEBSITE))
    );
    let time = created["created_at"].as_str().unwrap();
    assert!(
        time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(),
        "{time}"
    );

    let one = format!("{}/", created["id"]);
    assert_eq!(stage.get(&one)?, created);
    // What it leaves out stays, and the URL that a read shows is the one that is there.
    let changed = stage.call(
        "PUT",
        &one,
        json!({"name": "Renamed", "webhook_url": url, "project": null}),
        200,
    )?;
    assert_eq!(
        (&changed["name"], &changed["project"]),
        (&json!("Renamed"), &Value::Null)
    );
    assert_eq!(changed["event_types"], created["event_types"]);
    let changed = stage.call("PATCH", &one, json!({"is_active": false, "event_types": []}), 200)?;
    assert_eq!(
        (&changed["is_active"], &changed["event_types"]),
        (&json!(false), &json!([]))
    );
    let trial = stage.call(
        "POST",
        &format!("{one}test/"),
        json!({"test_message": "Hello from REST"}),
        200,
    )?;
    assert_eq!(
        (&trial["status"], &trial["response_status_code"]),
        (&json!("sent"), &json!(200))
    );
    assert!(
        trial["log_id"].is_i64() && trial["message"].is_string(),
        "{trial}"
    );
    assert!(
        webhook.received()[0].events()[0]
            .shown(Kind::Discord)
            .text
            .contains("Hello from REST")
    );

    let answer = stage.server.call(
        "DELETE",
        &format!("{API}/webhook-integrations/{one}"),
        Some(&stage.manager.text),
        None,
    )?;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    stage.call("PATCH", &one, json!({}), 404)?;
    assert_eq!(stage.scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_failed_test_message_is_a_result() -> Result<()> {
    let mut stage = Stage::start()?;
    let channel = stage.scene.channel(Kind::Discord)?;
    channel.webhook.script([Behaviour::Status(500)]);
    let trial = stage.call("POST", &format!("{}/test/", channel.id), json!({}), 200)?;
    assert_eq!(
        (&trial["status"], &trial["response_status_code"]),
        (&json!("failed"), &json!(500))
    );
    assert!(trial["message"].as_str().unwrap().contains("500"), "{trial}");
    Ok(())
}

#[test]
fn lists_are_filtered_and_paged() -> Result<()> {
    let mut stage = Stage::start()?;
    let url = stage.scene.emulator.workflow().url();
    for number in 1..=45 {
        let project = (number % 3 == 0).then_some(id::WEBSITE);
        stage.scene.client.execute(
            "SELECT zentry_register_webhook($1, 'teams', $2, $3, NULL, $4)",
            &[&format!("Number {number}"), &url, &project, &(number % 2 == 0)],
        )?;
    }
    let first = stage.get("")?;
    assert_eq!((&first["count"], &first["previous"]), (&json!(45), &Value::Null));
    assert_eq!(first["results"].as_array().unwrap().len(), 20);
    assert_eq!(first["results"][0]["name"], "Number 45");

    let mut names = Vec::new();
    let mut next = Some(format!(
        "{}{API}/webhook-integrations/?is_active=true",
        stage.server.url
    ));
    while let Some(url) = next {
        let path = url
            .strip_prefix(&stage.server.url)
            .expect("an absolute link to the same host");
        let page = stage
            .server
            .call("GET", path, Some(&stage.manager.text), None)?
            .json;
        names.extend(
            page["results"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].clone()),
        );
        next = page["next"].as_str().map(str::to_owned);
    }
    let expected: Vec<Value> = (1..=22)
        .rev()
        .map(|n| json!(format!("Number {}", 2 * n)))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(stage.get("?page=3")?["results"].as_array().unwrap().len(), 5);
    assert!(
        stage.get("?page=3")?["previous"]
            .as_str()
            .unwrap()
            .ends_with("?page=2")
    );
    for (filter, count) in [
        ("webhook_type=teams", 45),
        ("webhook_type=discord", 0),
        ("project=1", 15),
        ("project=1&is_active=false", 8),
        ("project=", 45),
        ("is_active=False", 23),
    ] {
        assert_eq!(
            stage.get(&format!("?{filter}"))?["count"],
            json!(count),
            "{filter}"
        );
    }
    for page in ["4", "0", "-1", "x", "9223372036854775807", "99999999999999999999"] {
        let answer = stage
            .server
            .get(&format!("/webhook-integrations/?page={page}"), &stage.manager)?;
        assert_eq!(
            (answer.status, &answer.json),
            (404, &json!({"detail": "Invalid page."})),
            "{page}"
        );
    }
    for (filter, field) in [
        ("webhook_type=fax", "webhook_type"),
        ("project=x", "project"),
        ("is_active=maybe", "is_active"),
        ("webhook_type=%00", "webhook_type"),
    ] {
        let answer = stage
            .server
            .get(&format!("/webhook-integrations/?{filter}"), &stage.manager)?;
        assert_eq!(answer.status, 400);
        assert!(answer.json[field][0].is_string(), "{filter}: {answer:?}");
    }
    Ok(())
}

/// Who may read the application's tables sees its names, and nobody else does.
#[test]
fn names_are_shown_to_those_who_may_read_them() -> Result<()> {
    let mut stage = Stage::start()?;
    let url = stage.scene.emulator.discord_webhook().url();
    stage.scene.client.execute(
        "SELECT zentry_register_webhook('a', 'discord', $1, $2, NULL, true, $3)",
        &[&url, &id::WEBSITE, &id::ADA],
    )?;
    let names = |stage: &Stage| -> Result<(Value, Value)> {
        let one = stage.get("")?["results"][0].clone();
        Ok((one["project_name"].clone(), one["created_by_username"].clone()))
    };
    assert_eq!(names(&stage)?, (Value::Null, Value::Null));
    let role = stage.manager.role.clone();
    stage
        .scene
        .client
        .batch_execute(&format!("GRANT SELECT (id, name) ON tasks_project TO {role}"))?;
    assert_eq!(names(&stage)?, (json!("Website Relaunch"), Value::Null));
    stage
        .scene
        .client
        .batch_execute(&format!("GRANT SELECT ON users_user TO {role}"))?;
    assert_eq!(names(&stage)?.1, json!("ada"));
    // A policy is code of the table's owner, which must not run as whoever asks.
    stage
        .scene
        .client
        .batch_execute("ALTER TABLE tasks_project ENABLE ROW LEVEL SECURITY")?;
    assert_eq!(names(&stage)?.0, Value::Null);
    stage
        .scene
        .client
        .batch_execute("DROP TABLE users_user CASCADE")?;
    assert_eq!(names(&stage)?, (Value::Null, Value::Null));
    Ok(())
}

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

/// Of type `webhook`: what signs and what the headers are is written, and read by nobody.
#[test]
fn a_program_s_secret_is_shown_once() -> Result<()> {
    const GIVEN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let stage = Stage::start()?;
    let url = stage.scene.emulator.register(Kind::Signed).url();
    let new = json!({"name": "Billing", "webhook_type": "webhook", "webhook_url": url, "headers": {"Authorization": "Bearer swordfish"}});
    let created = stage.call("POST", "", new.clone(), 201)?;
    let made = created["secret"].as_str().unwrap().to_owned();
    assert!(made.starts_with("whsec_"), "{created}");
    assert_eq!(created["header_names"], json!(["authorization"]));
    let one = format!("{}/", created["id"]);
    let read = stage.get(&one)?;
    assert!(
        !read.to_string().contains("whsec_") && !read.to_string().contains("swordfish"),
        "{read}"
    );
    // What is read can be written: nothing changes.
    assert_eq!(
        stage.call("PUT", &one, read.clone(), 200)?["header_names"],
        read["header_names"]
    );
    let again = stage.call("POST", &format!("{one}secret/"), json!({"grace": "7 days"}), 200)?;
    assert_ne!(again["secret"], json!(made));
    let given = stage.call("POST", &format!("{one}secret/"), json!({"secret": GIVEN}), 200)?;
    assert_eq!(given, json!({"secret": GIVEN}));
    let mut own = new.clone();
    own["secret"] = json!(GIVEN);
    assert_eq!(
        stage.call("POST", "", own, 201)?["secret"],
        Value::Null,
        "it is known"
    );
    let none = stage.call("PATCH", &one, json!({"headers": null}), 200)?;
    assert_eq!(none["header_names"], json!([]));

    for (body, field) in [
        (json!({"secret": "whsec_swordfish"}), "secret"),
        (json!({"grace": "31 days"}), "grace"),
        (json!({"grace": "a while"}), "grace"),
    ] {
        let answer = stage.call("POST", &format!("{one}secret/"), body, 400)?;
        assert!(answer[field][0].is_string(), "{answer}");
        assert!(!answer.to_string().contains("swordfish"), "{answer}");
    }
    for headers in [
        json!({"host": "x"}),
        json!({"x-team": "swordfish\n"}),
        json!(["x"]),
        json!({"x-team": 7}),
    ] {
        let answer = stage.call("PATCH", &one, json!({ "headers": headers }), 400)?;
        assert!(answer["headers"][0].is_string(), "{answer}");
        assert!(!answer.to_string().contains("swordfish"), "{answer}");
    }
    // All that is wrong, at once.
    let answer = stage.call(
        "POST",
        "",
        json!({"name": "x", "webhook_type": "webhook", "webhook_url": "https://hooks.example.net/", "secret": "whsec_x", "headers": {"host": "x"}}),
        400,
    )?;
    let wrong: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(wrong, ["headers", "secret", "webhook_url"]);
    let discord = stage.scene.emulator.discord_webhook().url();
    let body = json!({"name": "x", "webhook_type": "discord", "webhook_url": discord});
    let other = stage.call("POST", "", body.clone(), 201)?;
    assert_eq!(other["secret"], Value::Null);
    stage.call("POST", &format!("{}/secret/", other["id"]), json!({}), 400)?;
    stage.call("POST", "987654/secret/", json!({}), 404)?;
    stage.call(
        "PATCH",
        &format!("{}/", other["id"]),
        json!({"headers": {"x-team": "blue"}}),
        400,
    )?;
    stage.call("PATCH", &format!("{}/", other["id"]), json!({"headers": {}}), 200)?;
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
