//! The REST API beside one of the application's own, by Django REST framework of today, on the same tables: request by request. What differs is listed here,
//! and stands with its reason in docs/guide/rest-api.md.

mod cases;

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
use crate::integrations::SETTINGS;
use crate::support::Server;
use cases::*;

const ROOT: &str = "/api/notifications/api/";
/// The lists that both have.
const LISTS: [&str; 2] = ["webhook-integrations", "notification-logs"];

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
        // A server may close a connection after an answer to a request whose body it did not read.
        .max_idle_connections(0)
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

/// The guide's table has these, besides the settings.
const EXTRA: [&str; 13] = [
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
    "created_by",
    "created_by_username",
];

fn without_what_differs(body: &Value) -> Value {
    match body {
        Value::Array(items) => items.iter().map(without_what_differs).collect(),
        Value::Object(entries) => entries
            .iter()
            // The root has the addresses of other lists, too.
            .filter(|(key, value)| {
                !EXTRA.iter().chain(&SETTINGS).any(|extra| *extra == key.as_str())
                    && value.as_str().is_none_or(|text| {
                        !text.ends_with(&format!("{ROOT}{key}/")) || LISTS.contains(&key.as_str())
                    })
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
