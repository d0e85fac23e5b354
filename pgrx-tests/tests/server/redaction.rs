//! Credentials, headers and what is signed by: given by every way, right and wrong, and shown by none.

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Scene, hosts};

use crate::page_access::Visitor;
use crate::support::{API, Directory, Ran, Server, command};

/// All of them have it.
const MARK: &str = "MARKEDswordfish";
/// What the log knows of the server's own: it is none of it.
const NATS: &str = "nats://127.0.0.1:1";

/// Texts that somebody could read, and where.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn look_at(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn assert_clean(&self) {
        let found: Vec<_> = self.0.iter().filter(|(_, text)| text.contains(MARK)).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// What is registered: what is right, and in many ways wrong.
fn bodies(url: &str, topic: &str) -> (Vec<Value>, Vec<Value>) {
    let stream = |secret: String| json!({"name": "stream", "webhook_type": "nats", "webhook_url": NATS, "secret": secret});
    let topic_with = |headers: Value| json!({"name": "topic", "webhook_type": "ntfy", "webhook_url": topic, "headers": headers});
    let signing = "whsec_TUFSS0VEc3dvcmRmaXNoTUFSS0VEc3dvcmRmaXNo";
    let good = vec![
        stream(format!("zentry:{MARK}")),
        stream(MARK.to_owned()),
        topic_with(json!({"authorization": format!("Bearer {MARK}")})),
        json!({"name": "program", "webhook_type": "webhook", "webhook_url": url, "secret": signing, "headers": {"x-key": MARK}}),
    ];
    let bad = vec![
        stream(format!(":{MARK}")),
        stream(format!("{MARK}\u{1}")),
        stream(format!("-----BEGIN NATS USER JWT-----{MARK}")),
        json!({"name": "x", "webhook_type": "nats", "webhook_url": format!("nats://zentry:{MARK}@127.0.0.1:1")}),
        json!({"name": "x", "webhook_type": "nats", "webhook_url": format!("{NATS}?token={MARK}")}),
        json!({"name": "x", "webhook_type": "ntfy", "webhook_url": topic, "secret": MARK}),
        json!({"name": "x", "webhook_type": "webhook", "webhook_url": url, "secret": MARK}),
        json!({"name": "x", "webhook_type": "webhook", "webhook_url": url, "secret": [MARK]}),
        topic_with(json!(MARK)),
        topic_with(json!([MARK])),
        topic_with(json!({"a": [MARK]})),
        topic_with(json!({"a": {"b": MARK}})),
        topic_with(json!({"a": format!("{MARK}\n")})),
        topic_with(json!({"host": MARK})),
        topic_with(json!({"a": MARK, "A": MARK})),
        topic_with(json!({format!("authorization: Bearer {MARK}"): ""})),
    ];
    (good, bad)
}

#[test]
fn no_answer_no_page_and_no_file_has_a_secret() -> Result<()> {
    let mut scene = Scene::start()?;
    let allowed = format!("{}, 127.0.0.1:1", hosts(&scene.emulator));
    scene.database.set("zentry_notify.allowed_hosts", &allowed)?;
    scene.client = scene.database.connect()?;
    let server = Server::start(&mut scene)?;
    let manager = server.token(&mut scene, "manager")?;
    let reader = server.token(&mut scene, "reader")?;
    let visitor = Visitor::new(&server, &manager.text);
    let url = scene.emulator.register(Kind::Signed).url();
    let topic = scene.emulator.register(Kind::Ntfy).url();
    let (good, bad) = bodies(&url, &topic);
    let mut seen = Seen::default();

    let mut ids = Vec::new();
    for body in &good {
        let made = server.post("/webhook-integrations/", &manager, body.clone())?;
        assert_eq!(made.status, 201, "{}", made.text);
        ids.push(made.json["id"].as_i64().expect("an id"));
        // A secret to sign by is shown to who has registered it, once.
        let mut made = made.json;
        made.as_object_mut().map(|made| made.remove("secret"));
        seen.look_at("registered", made.to_string());
    }
    for (number, body) in bad.iter().enumerate() {
        let answer = server.post("/webhook-integrations/", &manager, body.clone())?;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        seen.look_at(format!("refused {number}"), answer.text);
        let one = format!("{API}/webhook-integrations/{}/", ids[number % ids.len()]);
        let answer = server.call("PATCH", &one, Some(&manager.text), Some(body.clone()))?;
        seen.look_at(format!("changed {number}"), answer.text);
        let form: Vec<String> = body
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                form_urlencoded::Serializer::new(String::new())
                    .append_pair(name, &value)
                    .finish()
            })
            .collect();
        // What a page shows again to who has just typed it is no leak; what is hidden while it is typed is not.
        if body.get("secret").is_some() {
            let page = visitor.post("/admin/integrations/new/", &form.join("&"))?;
            seen.look_at(format!("form {number}"), page.text);
        }
    }
    for (index, id) in ids.iter().enumerate() {
        let secret = json!({"secret": format!("{MARK}:{index}\u{2}")});
        let answer = server.post(&format!("/webhook-integrations/{id}/secret/"), &manager, secret)?;
        assert_eq!(answer.status, 400, "{}", answer.text);
        seen.look_at("a new secret", answer.text);
        let answer = server.post(&format!("/webhook-integrations/{id}/test/"), &manager, json!({}))?;
        seen.look_at("a test", answer.text);
    }

    for token in [&manager, &reader] {
        let pages = Visitor::new(&server, &token.text);
        let one = |id: &i64| {
            [
                format!("/webhook-integrations/{id}/"),
                format!("/webhook-integrations/{id}/logs/"),
            ]
        };
        for path in [
            "/webhook-integrations/",
            "/notification-logs/",
            "/audit-log/",
            "/status/",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain(ids.iter().flat_map(one))
        {
            seen.look_at(path.clone(), server.get(&path, token)?.text);
        }
        seen.look_at(
            "metrics",
            server.call("GET", "/metrics", Some(&token.text), None)?.text,
        );
        let one = |id: &i64| {
            [
                format!("/admin/integrations/{id}/"),
                format!("/admin/integrations/{id}/edit/"),
            ]
        };
        for path in [
            "/admin/integrations/",
            "/admin/logs/",
            "/admin/status/",
            "/admin/events/",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain(ids.iter().flat_map(one))
        .chain(ids.iter().map(|id| format!("/admin/integrations/new/?from={id}")))
        {
            seen.look_at(path.clone(), pages.get(&path)?.text);
        }
    }

    // As a file: what is there, what would change, and what is refused.
    let directory = Directory::new()?;
    let mut settled = scene.database.connect()?;
    let run = |arguments: &[&str], secret: &str| -> Result<Ran> {
        let mut command = command(&scene, "postgres")?;
        command
            .args(arguments)
            .current_dir(&directory.0)
            .env("ZENTRY_MARKED", secret);
        Ok(command.output()?.into())
    };
    let file = |name: &str, text: &str| fs::write(directory.0.join(name), text);
    let exported = run(&["export"], MARK)?;
    assert!(
        exported.code != 0 && exported.err.contains("have the same name"),
        "{}",
        exported.err
    );
    settled.execute(
        "UPDATE zentry_notify.webhook_integration SET name = name || id",
        &[],
    )?;
    let exported = run(&["export"], MARK)?;
    assert_eq!(exported.code, 0, "{}", exported.err);
    seen.look_at("export", exported.out);
    let webhook = |rest: &str| format!("[webhook.x]\n{rest}\n");
    let stream = "webhook_type = \"nats\"\nurl = { file = \"nats\" }\nsecret = { env = \"ZENTRY_MARKED\" }";
    file("nats", NATS)?;
    file("topic", &topic)?;
    for (text, secret) in [
        (webhook(stream), MARK.to_owned()),
        (webhook(stream), format!("{MARK}\u{1}")),
        (webhook(stream), format!("{MARK}:")),
        (
            webhook("webhook_type = \"nats\"\nurl = { env = \"ZENTRY_MARKED\" }"),
            format!("nats://u:{MARK}@127.0.0.1:1"),
        ),
        (
            webhook(&format!(
                "webhook_type = \"nats\"\nurl = \"nats://u:{MARK}@127.0.0.1:1\""
            )),
            MARK.to_owned(),
        ),
        (
            webhook(&format!(
                "webhook_type = \"nats\"\nurl = {{ file = \"nats\" }}\nsecret = \"{MARK}\""
            )),
            MARK.to_owned(),
        ),
        (
            webhook(&format!(
                "webhook_type = \"nats\"\nurl = {{ file = \"nats\" }}\nsecret = {{ env = \"{MARK}'; x\" }}"
            )),
            MARK.to_owned(),
        ),
        (
            webhook(
                "webhook_type = \"ntfy\"\nurl = { file = \"topic\" }\nheaders = { authorization = { env = \"ZENTRY_MARKED\" } }",
            ),
            format!("Bearer {MARK}"),
        ),
        (
            webhook(
                "webhook_type = \"ntfy\"\nurl = { file = \"topic\" }\nheaders = { host = { env = \"ZENTRY_MARKED\" } }",
            ),
            MARK.to_owned(),
        ),
        (
            webhook(
                "webhook_type = \"ntfy\"\nurl = { file = \"topic\" }\nheaders = { a = { env = \"ZENTRY_MARKED\" } }",
            ),
            format!("{MARK}\u{1}"),
        ),
        (
            webhook(&format!(
                "webhook_type = \"ntfy\"\nurl = {{ file = \"topic\" }}\nheaders = {{ authorization = \"Bearer {MARK}\" }}"
            )),
            MARK.to_owned(),
        ),
    ] {
        file("zentry.toml", &text)?;
        for command in ["diff", "apply"] {
            let ran = run(&[command, "zentry.toml"], &secret)?;
            seen.look_at(format!("{command} {text}"), format!("{}{}", ran.out, ran.err));
        }
    }
    for arguments in [
        &["audit"][..],
        &["audit", "--json"],
        &["integrations"],
        &["integrations", "--json"],
        &["logs"],
        &["logs", "--json"],
        &["status"],
    ] {
        let ran = run(arguments, MARK)?;
        assert!(!format!("{}{}", ran.out, ran.err).is_empty(), "{arguments:?}");
        seen.look_at(arguments.join(" "), format!("{}{}", ran.out, ran.err));
    }
    seen.look_at("the server's log", server.whole_log());
    assert!(seen.0.len() > 80, "{}", seen.0.len());
    seen.assert_clean();
    Ok(())
}

/// A name of a webhook is a manager's, and the terminal is somebody else's.
#[test]
fn a_name_moves_no_cursor_and_is_no_command() -> Result<()> {
    let mut scene = Scene::start()?;
    let name = "\u{1b}[2J\u{1b}]0;x\u{7}'; touch pwned; '";
    for _ in 0..2 {
        let url = scene.emulator.register(Kind::Discord).url();
        scene.client.execute(
            "SELECT zentry_register_webhook($1, 'discord', $2)",
            &[&name, &url],
        )?;
    }
    let run = |scene: &Scene, arguments: &[&str]| -> Result<Ran> {
        Ok(command(scene, "postgres")?.args(arguments).output()?.into())
    };
    for arguments in [&["integrations"][..], &["audit"], &["export"], &["status"]] {
        let ran = run(&scene, arguments)?;
        let shown = format!("{}{}", ran.out, ran.err);
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{7}'),
            "{arguments:?}: {shown:?}"
        );
        assert!(!shown.contains("--name '"), "{shown}");
    }
    assert!(
        run(&scene, &["integrations"])?.out.contains("\\u{1b}[2J"),
        "it is seen"
    );
    Ok(())
}
