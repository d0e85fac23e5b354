//! The requests that both are asked, and why an answer may differ.

use serde_json::{Value, json};

use super::ROOT;

/// Why an answer is another one here; the words are those of the guide's table.
#[derive(Clone, Copy, Debug)]
pub struct Why(pub &'static str);

pub const SLASH: Why = Why("a missing slash at the end");
pub const PUT: Why = Why("PUT");
pub const FLAG_OMITTED: Why = Why("`is_active` left out of a form");
pub const PROJECT: Why = Why("an unknown project");
pub const TYPES: Why = Why("`event_types` left out");
pub const NO_FORM: Why = Why("a form that cannot be read");
pub const NO_PATH: Why = Why("an unknown path");
pub const FRACTION: Why = Why("a fraction for a project");
pub const FILTER: Why = Why("a filter that makes no sense");
pub const UNKNOWN: Why = Why("an unknown field");
pub const OPTIONS: Why = Why("OPTIONS");
pub const ACCEPT: Why = Why("`Accept` and `?format=`");
pub const EMPTY_TEXT: Why = Why("a message to post that is no text");
pub const PARSED: Why = Why("`event_types` in a form");
pub const JSON: &str = "application/json";
pub const URLENCODED: &str = "application/x-www-form-urlencoded";
pub const MULTIPART: &str = "multipart/form-data; boundary=XX";

/// A request, and why the answer differs, if it does.
pub struct Case {
    pub method: &'static str,
    pub path: String,
    pub media_type: &'static str,
    pub body: String,
    pub accept: &'static str,
    pub differs: Option<Why>,
}

impl Case {
    pub fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: format!("{ROOT}{path}"),
            media_type: "",
            body: String::new(),
            accept: "",
            differs: None,
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn body(self, media_type: &'static str, body: impl ToString) -> Self {
        Self {
            media_type,
            body: body.to_string(),
            ..self
        }
    }

    pub fn differs(self, why: Why) -> Self {
        Self {
            differs: Some(why),
            ..self
        }
    }
}

/// A new webhook, changed by these.
pub fn new(changes: &Value) -> Case {
    let mut body = json!({"name": "New", "webhook_type": "discord", "webhook_url": "URL", "project": 1, "event_types": ["task_completed"]});
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::String(text) if text == "OMITTED" => drop(body.as_object_mut().unwrap().remove(key)),
            value => body[key] = value.clone(),
        }
    }
    Case::new("POST", "webhook-integrations/").body(JSON, body)
}

pub fn multipart(fields: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body + "--XX--\r\n"
}

pub fn cases() -> Vec<Case> {
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
