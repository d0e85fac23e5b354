//! `wordings/`, `languages/` and `api-tokens/`, and the commands that do the same.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::fire;

use crate::support::{API, Ran, Server, command};

fn run(scene: &Scene, arguments: &[&str]) -> Result<Ran> {
    Ok(Ran::from(command(scene, "postgres")?.args(arguments).output()?))
}

#[test]
fn words_are_set_previewed_and_taken_back() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let (manager, reader) = (
        server.token(&mut scene, "manager")?,
        server.token(&mut scene, "reader")?,
    );
    let channel = scene.channel(Kind::Discord)?;
    let call = |method: &str, path: &str, body: Value| {
        server.call(method, &format!("{API}{path}"), Some(&manager.text), Some(body))
    };
    assert_eq!(server.get("/wordings/", &reader)?.json, json!([]));
    let set = call(
        "PUT",
        "/wordings/task_completed/",
        json!({"title": "Finished", "emoji": "", "fields": {"Points": "{{ points }}"}}),
    )?;
    assert_eq!(set.status, 200, "{set:?}");
    assert_eq!(
        (&set.json["title"], &set.json["emoji"], &set.json["text"]),
        (&json!("Finished"), &json!(""), &Value::Null)
    );
    // What was read can be sent back, and what is left out is as before.
    assert_eq!(
        call("PUT", "/wordings/task_completed/", set.json.clone())?.json,
        set.json
    );
    let one = format!("/wordings/task_completed/?webhook_integration={}", channel.id);
    let set = call("PUT", &one, json!({"title": "Just here"}))?;
    assert_eq!(set.json["webhook_integration"], json!(channel.id), "{set:?}");
    assert_eq!(
        server.get("/wordings/", &reader)?.json.as_array().map(Vec::len),
        Some(2)
    );
    for (query, title) in [
        ("".to_owned(), "Finished"),
        (format!("?webhook_integration={}", channel.id), "Just here"),
    ] {
        let path = format!("/event-types/task_completed/preview/{query}");
        let preview = server.get(&path, &reader)?;
        assert!(preview.text.contains(title), "{preview:?}");
    }
    let teams = server.get("/event-types/task_completed/preview/?webhook_type=teams", &reader)?;
    assert_eq!(teams.json["type"], json!("message"), "{teams:?}");
    assert_eq!(
        call("PUT", "/wordings/task_completed/", json!({"text": "x"}))?.json["title"],
        Value::Null
    );

    for (path, body, status, field) in [
        (
            "/wordings/task_completed/",
            json!({"colour": "bluish"}),
            400,
            "colour",
        ),
        ("/wordings/task_completed/", json!({"titel": "x"}), 400, "titel"),
        ("/wordings/task_completed/", json!({"fields": 5}), 400, "fields"),
        ("/wordings/nothing/", json!({"title": "x"}), 404, "detail"),
        (
            "/wordings/task_completed/?webhook_integration=99",
            json!({"title": "x"}),
            404,
            "detail",
        ),
    ] {
        let refused = call("PUT", path, body)?;
        assert_eq!(refused.status, status, "{path} {refused:?}");
        assert!(refused.json.get(field).is_some(), "{path} {refused:?}");
    }
    let forbidden = server.call(
        "PUT",
        &format!("{API}/wordings/task_completed/"),
        Some(&reader.text),
        Some(json!({"title": "x"})),
    )?;
    assert_eq!(forbidden.status, 403);
    for path in ["/wordings/task_completed/", &one] {
        assert_eq!(call("DELETE", path, Value::Null)?.status, 204);
    }
    assert_eq!(server.get("/wordings/", &reader)?.json, json!([]));
    Ok(())
}

#[test]
fn languages_are_set_and_shown() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let manager = server.token(&mut scene, "manager")?;
    let channel = scene.channel(Kind::Discord)?;
    let put = |body: Value| {
        server.call(
            "PUT",
            &format!("{API}/languages/"),
            Some(&manager.text),
            Some(body),
        )
    };
    let usual = server.get("/languages/", &manager)?.json;
    assert_eq!(
        usual["results"],
        json!([{"webhook_integration": null, "language": "en"}])
    );
    assert!(
        usual["available"].as_array().is_some_and(|all| all.len() == 6),
        "{usual}"
    );
    put(json!({"language": "de"}))?;
    let set = put(json!({"language": "ja", "webhook_integration": channel.id}))?;
    assert_eq!(
        set.json["results"],
        json!([{"webhook_integration": null, "language": "de"}, {"webhook_integration": channel.id, "language": "ja"}])
    );
    let refused = put(json!({"language": "tlh"}))?;
    assert!(
        refused.status == 400 && refused.json["language"][0].is_string(),
        "{refused:?}"
    );
    assert_eq!(
        put(json!({}))?.status,
        400,
        "nobody resets by leaving something out"
    );
    assert_eq!(
        put(json!({"language": "de", "webhook_integration": 99}))?.status,
        404
    );
    put(json!({"language": null, "webhook_integration": channel.id}))?;
    assert_eq!(put(json!({"language": null}))?.json, usual);
    Ok(())
}

#[test]
fn tokens_are_made_and_revoked_and_none_outlives_its_maker() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let (manager, reader) = (
        server.token(&mut scene, "manager")?,
        server.token(&mut scene, "reader")?,
    );
    assert_eq!(server.get("/api-tokens/", &reader)?.status, 403);
    let new = |name: &str, role: &str, expires_at: Option<&str>| json!({"name": name, "role": role, "expires_at": expires_at});
    let made = server.post(
        "/api-tokens/",
        &manager,
        new("front end", &manager.role, Some("2100-01-01T00:00:00Z")),
    )?;
    assert_eq!(made.status, 201, "{made:?}");
    let text = made.json["token"].as_str().context("a token")?.to_owned();
    let short = crate::support::Token {
        text: text.clone(),
        name: "front end".to_owned(),
        role: manager.role.clone(),
    };
    let listed = server.get("/api-tokens/", &short)?;
    assert!(listed.text.contains("front end") && !listed.text.contains(&text));

    for (name, role, expires_at, field) in [
        ("front end", manager.role.as_str(), None, "name"),
        ("", manager.role.as_str(), None, "name"),
        ("x", "nobody", None, "role"),
        ("x", "postgres", None, "role"),
        ("x", manager.role.as_str(), Some("soon"), "expires_at"),
        (
            "x",
            manager.role.as_str(),
            Some("2001-01-01T00:00:00Z"),
            "expires_at",
        ),
    ] {
        let refused = server.post("/api-tokens/", &manager, new(name, role, expires_at))?;
        assert_eq!(refused.status, 400, "{name} {role} {refused:?}");
        assert!(refused.json.get(field).is_some(), "{name} {role} {refused:?}");
    }
    // Of a role that the maker is not.
    let refused = server.post("/api-tokens/", &manager, new("x", &reader.role, None))?;
    assert!(
        refused.status == 403 && refused.text.contains("let a member of that role"),
        "{refused:?}"
    );
    // By a token that expires, none is made that is good for longer.
    for expires_at in [None, Some("2100-01-01T00:00:01Z")] {
        let refused = server.post("/api-tokens/", &short, new("x", &manager.role, expires_at))?;
        assert!(
            refused.status == 400 && refused.text.contains("must not outlive"),
            "{refused:?}"
        );
    }
    let made = server.post(
        "/api-tokens/",
        &short,
        new("child", &manager.role, Some("2099-12-31T00:00:00Z")),
    )?;
    assert_eq!(made.status, 201, "{made:?}");
    let maker: Option<String> = scene
        .client
        .query_one(
            "SELECT api_token::text FROM zentry_notify.audit_log WHERE object_type = 'api_token' AND object_name = 'child'",
            &[],
        )?
        .get(0);
    assert_eq!(
        maker.as_deref(),
        Some("front end"),
        "the audit log knows who made it"
    );

    let revoke = |name: &str| {
        server.call(
            "DELETE",
            &format!("{API}/api-tokens/{name}/"),
            Some(&manager.text),
            None,
        )
    };
    assert_eq!(revoke("front%20end")?.status, 204);
    assert_eq!(server.get("/api-tokens/", &short)?.status, 401);
    assert_eq!(revoke("front%20end")?.status, 404);
    Ok(())
}

#[test]
fn commands_do_the_same() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let id = channel.id.to_string();
    let done = |scene: &Scene, arguments: &[&str]| -> Result<String> {
        let ran = run(scene, arguments)?;
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        Ok(ran.out)
    };
    done(
        &scene,
        &["wording", "set", "task_completed", "--title", "Finished"],
    )?;
    done(
        &scene,
        &[
            "wording",
            "set",
            "task_completed",
            "--webhook",
            &id,
            "--fields",
            r#"{"Points": "{{ points }}"}"#,
        ],
    )?;
    let listed = done(&scene, &["wording", "list"])?;
    assert!(
        listed.contains("title: Finished") && listed.contains("Points"),
        "{listed}"
    );
    let preview = done(
        &scene,
        &["wording", "preview", "task_completed", "--webhook", &id],
    )?;
    assert!(
        preview.contains("Finished") && preview.contains("Points"),
        "{preview}"
    );
    assert_eq!(run(&scene, &["wording", "set", "task_completed"])?.code, 1);
    assert_eq!(
        run(&scene, &["wording", "set", "nothing", "--title", "x"])?.code,
        1
    );
    done(&scene, &["wording", "reset", "task_completed", "--webhook", &id])?;
    done(&scene, &["wording", "reset", "task_completed"])?;
    assert_eq!(done(&scene, &["wording", "list", "--json"])?.trim(), "[]");

    done(&scene, &["language", "de"])?;
    done(&scene, &["language", "ja", "--webhook", &id])?;
    let set: Value = serde_json::from_str(&done(&scene, &["language", "--json"])?)?;
    assert_eq!(
        set,
        json!([{"webhook": null, "language": "de"}, {"webhook": channel.id, "language": "ja"}])
    );
    assert!(run(&scene, &["language", "tlh"])?.err.contains("hint: "));
    done(&scene, &["language", "--reset", "--webhook", &id])?;
    done(&scene, &["language", "en"])?;
    assert!(done(&scene, &["language"])?.contains("en"));
    Ok(())
}

#[test]
fn attempts_are_shown_by_the_api_and_by_a_command() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let reader = server.token(&mut scene, "reader")?;
    let channel = scene.channel(Kind::Discord)?;
    channel.webhook.script([Behaviour::Status(500)]);
    fire(&mut scene.client)?;
    let delivery = scene.settle()?.remove(0);
    let path = format!("/notification-logs/{}/attempts/", delivery.id);
    let found = server.get(&path, &reader)?.json;
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(
        (
            &found[0]["number"],
            &found[0]["attempt"],
            &found[0]["response_status_code"]
        ),
        (&json!(1), &json!(1), &json!(500))
    );
    assert!(found[0]["next_attempt_at"].is_string(), "{found}");
    assert_eq!(
        server.get("/notification-logs/999999/attempts/", &reader)?.status,
        404
    );
    let ran = run(&scene, &["logs", "--attempts", &delivery.id.to_string()])?;
    assert!(ran.out.contains("500: the server failed"), "{}", ran.out);
    assert_eq!(run(&scene, &["logs", "--attempts", "999999"])?.code, 1);
    assert_eq!(run(&scene, &["logs", "--attempts", "1", "--follow"])?.code, 2);
    Ok(())
}
