//! `webhook-integrations/`: the shapes that Zentry's clients know, and the words of refusals.

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::id;

use crate::support::{API, Server, Token};

/// What Zentry's serializer does not have.
pub const SETTINGS: [&str; 20] = [
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

pub struct Stage {
    pub scene: Scene,
    pub server: Server,
    pub manager: Token,
}

impl Stage {
    pub fn start() -> Result<Self> {
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
    pub fn call(&self, method: &str, path: &str, body: Value, status: u16) -> Result<Value> {
        let path = format!("{API}/webhook-integrations/{path}");
        let answer = self
            .server
            .call(method, &path, Some(&self.manager.text), Some(body))?;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        Ok(answer.json)
    }

    pub fn get(&self, path: &str) -> Result<Value> {
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
