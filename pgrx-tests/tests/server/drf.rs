//! The REST API beside one of the application's own, by Django REST framework of today, on the same tables: request by request. What differs is listed here,
//! and stands with its reason in docs/guide/rest-api.md.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;
use zentry_e2e::emulator::{Kind, Limits};
use zentry_e2e::scene::{SOON, Scene};

use crate::django::{DJANGO_5_2, Project};
use crate::support::Server;

const ROOT: &str = "/api/notifications/api/";
const JSON: &str = "application/json";
const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=XX";

/// Why an answer is another one here; the words are those of the guide's table.
#[derive(Clone, Copy, Debug)]
struct Why(&'static str);

const SLASH: Why = Why("a missing slash at the end");
const PUT: Why = Why("PUT");
const FLAG_OMITTED: Why = Why("`is_active` left out of a form");
const PROJECT: Why = Why("a project that there is not");
const TYPES: Why = Why("`event_types` left out");
const NO_FORM: Why = Why("a form that cannot be read");
const NO_PATH: Why = Why("a path that there is not");
const FRACTION: Why = Why("a fraction for a project");
const FILTER: Why = Why("a filter that makes no sense");
const UNKNOWN: Why = Why("a field that there is not");
const OPTIONS: Why = Why("OPTIONS");
const ACCEPT: Why = Why("`Accept` and `?format=`");
const EMPTY_TEXT: Why = Why("a message to post that is no text");
const PARSED: Why = Why("`event_types` in a form");

/// A request, and why the answer differs, if it does.
struct Case {
    method: &'static str,
    path: String,
    media_type: &'static str,
    body: String,
    accept: &'static str,
    differs: Option<Why>,
}

impl Case {
    fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: format!("{ROOT}{path}"),
            media_type: "",
            body: String::new(),
            accept: "",
            differs: None,
        }
    }

    fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    fn body(self, media_type: &'static str, body: impl ToString) -> Self {
        Self {
            media_type,
            body: body.to_string(),
            ..self
        }
    }

    fn differs(self, why: Why) -> Self {
        Self {
            differs: Some(why),
            ..self
        }
    }
}

/// A new webhook, changed by these.
fn new(changes: &Value) -> Case {
    let mut body = json!({"name": "New", "webhook_type": "discord", "webhook_url": "URL", "project": 1, "event_types": ["task_completed"]});
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::String(text) if text == "OMITTED" => drop(body.as_object_mut().unwrap().remove(key)),
            value => body[key] = value.clone(),
        }
    }
    Case::new("POST", "webhook-integrations/").body(JSON, body)
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body + "--XX--\r\n"
}

fn cases() -> Vec<Case> {
    let one = "webhook-integrations/1/";
    let patch = |body: Value| Case::new("PATCH", "webhook-integrations/1/").body(JSON, body);
    let mut cases = vec![
        Case::get(""),
        // Pages.
        Case::get("webhook-integrations/"),
        Case::get("webhook-integrations/?page=2"),
        Case::get("webhook-integrations/?page=last"),
        Case::get("webhook-integrations/?page=3"),
        Case::get("webhook-integrations/?page=0"),
        Case::get("webhook-integrations/?page=-1"),
        Case::get("webhook-integrations/?page=x"),
        Case::get("webhook-integrations/?page="),
        Case::get("webhook-integrations/?is_active=false&page=last"),
        Case::get("notification-logs/"),
        Case::get("notification-logs/?page=2"),
        Case::get("notification-logs/?page=last"),
        Case::get("notification-logs/?page=9"),
        Case::get("webhook-integrations/1/logs/"),
        Case::get("webhook-integrations/1/logs/?page=last"),
        Case::get("webhook-integrations/99/logs/"),
        // Filters.
        Case::get("webhook-integrations/?webhook_type=discord&project=1"),
        Case::get("webhook-integrations/?webhook_type=irc"),
        Case::get("webhook-integrations/?webhook_type="),
        Case::get("webhook-integrations/?is_active=true"),
        Case::get("webhook-integrations/?is_active=True"),
        Case::get("webhook-integrations/?is_active=1"),
        Case::get("webhook-integrations/?is_active=yes").differs(FILTER),
        Case::get("webhook-integrations/?is_active=perhaps").differs(FILTER),
        Case::get("webhook-integrations/?project=99").differs(PROJECT),
        Case::get("webhook-integrations/?project=x"),
        Case::get("webhook-integrations/?nothing=x"),
        Case::get("notification-logs/?status=sent&event_type=daily_streak"),
        Case::get("notification-logs/?status=failed"),
        Case::get("notification-logs/?status=lost"),
        Case::get("notification-logs/?event_type=nothing"),
        // One.
        Case::get(one),
        Case::get("webhook-integrations/99/"),
        Case::get("webhook-integrations/x/"),
        Case::get("notification-logs/1/"),
        Case::get("notification-logs/9999/"),
        Case::get("nothing/").differs(NO_PATH),
        Case::get("webhook-integrations").differs(SLASH),
        Case::new("POST", "webhook-integrations")
            .body(JSON, json!({}))
            .differs(SLASH),
        // Methods.
        Case::new("DELETE", "webhook-integrations/"),
        Case::new("PUT", "webhook-integrations/").body(JSON, json!({})),
        Case::new("POST", one).body(JSON, json!({})),
        Case::new("POST", "notification-logs/").body(JSON, json!({})),
        Case::new("DELETE", "notification-logs/1/"),
        Case::get("webhook-integrations/1/test/"),
        Case::new("HEAD", "webhook-integrations/"),
        Case::new("OPTIONS", "webhook-integrations/").differs(OPTIONS),
        // Media types.
        Case::new("POST", "webhook-integrations/").body("text/plain", "{}"),
        Case::new("POST", "webhook-integrations/").body("application/xml", "<x/>"),
        Case::new("POST", "webhook-integrations/").body(JSON, "{"),
        Case::new("POST", "webhook-integrations/").body(JSON, ""),
        Case::new("POST", "webhook-integrations/").body(JSON, "[]"),
        Case::new("POST", "webhook-integrations/").body(JSON, "5"),
        Case::new("POST", "webhook-integrations/").body(JSON, "1.5"),
        Case::new("POST", "webhook-integrations/").body(JSON, "\"x\""),
        Case::new("POST", "webhook-integrations/").body(JSON, "true"),
        Case::new("POST", "webhook-integrations/").body(JSON, "null"),
        Case {
            accept: "application/xml",
            ..Case::get(one)
        }
        .differs(ACCEPT),
        Case {
            accept: "application/json",
            ..Case::get(one)
        },
        Case {
            accept: "*/*",
            ..Case::get(one)
        },
        Case::get("webhook-integrations/?format=json"),
        Case::get("webhook-integrations/?format=xml").differs(ACCEPT),
        // What is right.
        new(&json!({})),
        new(&json!({"is_active": false, "event_types": "OMITTED"})).differs(TYPES),
        new(&json!({"event_types": []})),
        // Types.
        new(&json!({"project": "1"})),
        new(&json!({"project": 1.0})),
        new(&json!({"project": 1.5})).differs(FRACTION),
        new(&json!({"project": true})),
        new(&json!({"project": "x"})),
        new(&json!({"project": [1]})),
        new(&json!({"project": 99})).differs(PROJECT),
        new(&json!({"project": null})),
        new(&json!({"project": "OMITTED"})),
        new(&json!({"is_active": "true"})),
        new(&json!({"is_active": "yes"})),
        new(&json!({"is_active": "On"})),
        new(&json!({"is_active": 1})),
        new(&json!({"is_active": 0})),
        new(&json!({"is_active": "no"})),
        new(&json!({"is_active": "f"})),
        new(&json!({"is_active": 2})),
        new(&json!({"is_active": "perhaps"})),
        new(&json!({"is_active": null})),
        new(&json!({"is_active": []})),
        new(&json!({"name": 5})),
        new(&json!({"name": 5.5})),
        new(&json!({"name": "  spaces  "})),
        new(&json!({"name": true})),
        new(&json!({"name": ["x"]})),
        new(&json!({"name": null})),
        new(&json!({"name": ""})),
        new(&json!({"name": "   "})),
        new(&json!({"name": "x".repeat(101)})),
        new(&json!({"name": "a\u{0}b"})),
        new(&json!({"name": "OMITTED"})),
        new(&json!({"name": "OMITTED", "webhook_type": "OMITTED", "webhook_url": "OMITTED"})),
        new(&json!({"webhook_type": "irc"})),
        new(&json!({"webhook_type": 5})),
        new(&json!({"webhook_url": "nowhere"})),
        new(&json!({"webhook_url": "https://example.org/x"})),
        new(&json!({"event_types": "task_completed"})),
        new(&json!({"event_types": {"a": 1}})),
        new(&json!({"event_types": null})),
        new(&json!({"event_types": [null]})),
        new(&json!({"event_types": ["lunch"]})),
        new(&json!({"created_at": "x", "id": 7, "project_name": "x"})),
        new(&json!({"evnt_types": ["*"]})).differs(UNKNOWN),
    ];
    // Forms. The webhook's URL is put in afterwards.
    let form = |fields: &str| Case::new("POST", "webhook-integrations/").body(URLENCODED, fields);
    cases.extend([
        form("name=A+form&webhook_type=discord&webhook_url=URL&project=1&event_types=task_completed&event_types=badge_earned&is_active=true"),
        form("name=5&webhook_type=discord&webhook_url=URL&project=1&is_active=on&event_types=*"),
        form("name=A+form&webhook_type=discord&webhook_url=URL&project=1&is_active=false&event_types=*"),
        form("name=A+form&webhook_type=discord&webhook_url=URL&project=&is_active=false&event_types=*"),
        form("name=A+form&webhook_type=discord&webhook_url=URL&project=1&is_active=false").differs(TYPES),
        form("name=A+form&webhook_type=discord&webhook_url=URL&project=1&event_types=*").differs(FLAG_OMITTED),
        form("name=A+form&webhook_type=discord&webhook_url=URL&project=1&is_active=true&event_types=%5B%22task_completed%22%5D").differs(PARSED),
        form("name=A&name=B&webhook_type=discord&webhook_url=URL&project=1&is_active=true&event_types=*"),
        form("name=A+form&webhook_type=discord&webhook_url=URL&project=x&is_active=perhaps"),
        Case::new("PATCH", one).body(URLENCODED, "name=Changed"),
        Case::new("POST", "webhook-integrations/").body(
            MULTIPART,
            multipart(&[
                ("name", "Several parts"),
                ("webhook_type", "discord"),
                ("webhook_url", "URL"),
                ("project", "1"),
                ("event_types", "task_completed"),
                ("event_types", "daily_streak"),
                ("is_active", "yes"),
            ]),
        ),
        Case::new("POST", "webhook-integrations/").body(MULTIPART, "x").differs(NO_FORM),
        Case::new("POST", "webhook-integrations/").body("multipart/form-data", multipart(&[("name", "x")])),
    ]);
    // Changes.
    cases.extend([
        patch(json!({"name": "Again"})),
        patch(json!({"name": 7, "project": "2", "is_active": "off"})),
        patch(json!({"is_active": 1})),
        patch(json!({})),
        patch(json!({"name": null})),
        patch(json!({"project": "x", "is_active": "x"})),
        Case::new("PATCH", "webhook-integrations/99/").body(JSON, json!({"name": "x"})),
        Case::new("PUT", one).body(JSON, json!({"name": "x"})).differs(PUT),
        Case::new("PUT", one).body(
            JSON,
            json!({"name": "All of it", "webhook_type": "discord", "webhook_url": "URL", "project": 1, "event_types": ["*"], "is_active": true}),
        ),
        Case::new("POST", "webhook-integrations/1/test/").body(JSON, json!({"test_message": "Hello"})),
        Case::new("POST", "webhook-integrations/1/test/"),
        Case::new("POST", "webhook-integrations/1/test/").body(JSON, json!({"test_message": 5})),
        Case::new("POST", "webhook-integrations/1/test/").body(JSON, json!({"test_message": ["x"]})).differs(EMPTY_TEXT),
        Case::new("POST", "webhook-integrations/1/test/").body(URLENCODED, "test_message=Hello"),
        Case::new("POST", "webhook-integrations/99/test/"),
        Case::new("DELETE", "webhook-integrations/2/"),
        Case::new("DELETE", "webhook-integrations/2/"),
    ]);
    cases
}

/// 21 webhooks, of which one is switched on and has got 21 messages.
fn scene() -> Result<(Scene, String)> {
    let mut scene = Scene::start()?;
    let channel = scene.channel_for(Kind::Discord, Some(1), None)?;
    channel.webhook.limit(Limits::default());
    let url = channel.webhook.url();
    scene.client.execute(
        "SELECT zentry_register_webhook('Number ' || n, 'discord', $1, 1, is_active => false) FROM generate_series(2, 21) n",
        &[&url],
    )?;
    scene.client.batch_execute(
        "DO $$ BEGIN FOR n IN 1..21 LOOP PERFORM zentry_test_event('daily_streak', 1); END LOOP; END $$",
    )?;
    let sent = scene.settle()?;
    ensure!(
        sent.len() == 21 && sent.iter().all(|delivery| delivery.status == "sent"),
        "{sent:#?}"
    );
    Ok((scene, url))
}

#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
}

fn asked(case: &Case, url: &str) -> (String, String) {
    let url = match case.media_type {
        URLENCODED => form_urlencoded::byte_serialize(url.as_bytes()).collect(),
        _ => url.to_owned(),
    };
    (case.path.clone(), case.body.replace("URL", &url))
}

fn by_django(cases: &[Case]) -> Result<Option<Vec<Answer>>> {
    let (mut scene, url) = scene()?;
    let Some(project) = Project::new(&scene.database, &mut scene.client, &DJANGO_5_2) else {
        return Ok(None);
    };
    project.copy("after");
    project.copy("rest");
    scene.client.batch_execute(&format!(
        "SELECT zentry_grant('{}', 'application')",
        project.role()
    ))?;
    let requests: Vec<Value> = cases
        .iter()
        .map(|case| {
            let (path, body) = asked(case, &url);
            json!({"method": case.method, "path": path, "type": case.media_type, "body": body, "accept": case.accept})
        })
        .collect();
    let mut child = project
        .python()
        .env("DJANGO_SETTINGS_MODULE", "zentry.rest_settings")
        .arg(crate::django::source("checks/rest.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("no stdin")?
        .write_all(json!(requests).to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    let answer = |answer: Value| Answer {
        status: u16::try_from(answer["status"].as_u64().unwrap_or_default()).unwrap_or_default(),
        body: answer["body"].clone(),
    };
    Ok(Some(answers.into_iter().map(answer).collect()))
}

fn by_the_server(cases: &[Case]) -> Result<Vec<Answer>> {
    let (mut scene, url) = scene()?;
    let server = Server::start(&mut scene)?;
    let manager = server.token(&mut scene, "manager")?;
    scene.client.batch_execute(&format!(
        "GRANT SELECT ON tasks_project, users_user TO {}",
        manager.role
    ))?;
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(SOON))
        .allow_non_standard_methods(true)
        .build()
        .new_agent();
    let ask = |case: &Case| -> Result<Answer> {
        let (path, body) = asked(case, &url);
        let mut request = Request::builder()
            .method(case.method)
            .uri(format!("{}{path}", server.url))
            .header("Authorization", format!("Bearer {}", manager.text));
        for (name, value) in [("Content-Type", case.media_type), ("Accept", case.accept)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let mut response = if matches!(case.method, "GET" | "HEAD" | "DELETE" | "OPTIONS") {
            agent.run(request.body(())?)?
        } else {
            agent.run(request.body(body)?)?
        };
        let text = response.body_mut().read_to_string()?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text.replace(&server.url, "http://testserver")).unwrap_or_default(),
        })
    };
    cases.iter().map(ask).collect()
}

/// Of an answer what is to be the same: of a refusal, which fields are wrong, and its words where they are about no value. Times are of the same form, ids are some.
fn comparable(answer: &Answer) -> Value {
    match answer.status {
        200..300 => without_what_differs(&answer.body),
        _ => match &answer.body {
            Value::Object(fields) if fields.contains_key("detail") => {
                let detail = fields["detail"].as_str().unwrap_or_default();
                // Its own words about what is no JSON; and Django names the model that it has not found.
                if answer.status == 404 && detail.ends_with(" matches the given query.") {
                    json!("Not found.")
                } else {
                    json!(detail.split(" parse error - ").next())
                }
            }
            Value::Object(fields) => {
                // What is wrong with no field, such as what is no object, is said in the same words.
                let no_field = fields.get("non_field_errors").map(Value::to_string);
                let mut names: Vec<&String> = fields.keys().collect();
                names.sort();
                json!([names, no_field])
            }
            other => other.clone(),
        },
    }
}

/// The guide's table has these.
const EXTRA: [&str; 33] = [
    "header_names",
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
    "created_by",
    "created_by_username",
];

fn without_what_differs(body: &Value) -> Value {
    match body {
        Value::Array(items) => items.iter().map(without_what_differs).collect(),
        Value::Object(entries) => entries
            .iter()
            // "status" of the root, which is another list.
            .filter(|(key, value)| {
                !EXTRA.contains(&key.as_str())
                    && value.as_str().is_none_or(|text| !text.ends_with("/api/status/"))
            })
            .map(|(key, value)| {
                let value = match key.as_str() {
                    "webhook_url" => json!("a URL"),
                    "id" | "log_id" if value.is_i64() => json!("a number"),
                    "response_body" | "payload" => json!(value.is_null()),
                    "next" | "previous" if value.is_string() => json!(value.as_str().map(without_keys)),
                    _ => without_what_differs(value),
                };
                (key.clone(), value)
            })
            .collect(),
        Value::String(text) if is_time(text) => json!("a time"),
        other => other.clone(),
    }
}

/// The log's links go by key as well.
fn without_keys(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with("before=") && !pair.starts_with("after="))
        .collect();
    format!("{path}?{}", kept.join("&"))
}

fn beginning(value: &Value) -> String {
    value.to_string().chars().take(500).collect()
}

/// As Python writes them.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    shape == "9999-99-99T99:99:99.999999Z" || shape == "9999-99-99T99:99:99Z"
}

#[test]
fn answers_are_those_of_django_rest_framework_but_for_what_is_listed() -> Result<()> {
    let cases = cases();
    let Some(theirs) = by_django(&cases)? else {
        return Ok(());
    };
    let ours = by_the_server(&cases)?;
    ensure!(theirs.len() == cases.len() && ours.len() == cases.len());
    let mut wrong = Vec::new();
    for ((case, theirs), ours) in cases.iter().zip(&theirs).zip(&ours) {
        let same = theirs.status == ours.status && comparable(theirs) == comparable(ours);
        let expected = match case.differs {
            None => same,
            // Neither is an error of the server.
            Some(_) => !same && ours.status < 500,
        };
        if !expected {
            wrong.push(format!(
                "{} {} {} {:?}\n  Django: {} {}\n  here:   {} {}",
                case.method,
                case.path,
                case.body,
                case.differs,
                theirs.status,
                beginning(&comparable(theirs)),
                ours.status,
                beginning(&comparable(ours)),
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// Each difference stands in the guide, with its reason.
#[test]
fn what_differs_is_in_the_guide() -> Result<()> {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/rest-api.md"))?;
    for case in cases() {
        if let Some(Why(what)) = case.differs {
            ensure!(
                guide.contains(&format!("| {what} |")),
                "the guide does not say: {what}"
            );
        }
    }
    Ok(())
}
