//! Who may do what: every endpoint, with every kind of token.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::fire;

use crate::support::{API, MOMENT, Server, Token};

/// An endpoint, and what it answers to a reader and to a manager.
struct Endpoint {
    method: &'static str,
    path: String,
    body: Option<Value>,
    reader: u16,
    manager: u16,
}

fn endpoint(
    method: &'static str,
    path: impl Into<String>,
    body: Option<Value>,
    reader: u16,
    manager: u16,
) -> Endpoint {
    Endpoint {
        method,
        path: path.into(),
        body,
        reader,
        manager,
    }
}

/// All of them, so that what a manager does in one does not take the next one's thing away.
fn endpoints(scene: &mut Scene) -> Result<Vec<Endpoint>> {
    let channel = scene.channel(Kind::Discord)?;
    let url = scene.emulator.discord_webhook().url();
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene.client)?;
    let failed = scene.settle()?.remove(0).id;
    let one = format!("{API}/webhook-integrations/{}", channel.id);
    let new = json!({"name": "New", "webhook_type": "discord", "webhook_url": url});
    Ok(vec![
        endpoint("GET", format!("{API}/webhook-integrations"), None, 200, 200),
        endpoint("POST", format!("{API}/webhook-integrations"), Some(new), 403, 201),
        endpoint("GET", &one, None, 200, 200),
        endpoint("PUT", &one, Some(json!({"name": "Renamed"})), 403, 200),
        endpoint("PATCH", &one, Some(json!({"is_active": true})), 403, 200),
        endpoint(
            "POST",
            format!("{one}/test"),
            Some(json!({"test_message": "Hello"})),
            403,
            200,
        ),
        endpoint("GET", format!("{one}/logs"), None, 200, 200),
        endpoint("GET", format!("{API}/notification-logs"), None, 200, 200),
        endpoint("GET", format!("{API}/notification-logs/{failed}"), None, 200, 200),
        endpoint(
            "POST",
            format!("{API}/notification-logs/{failed}/retry"),
            None,
            403,
            200,
        ),
        endpoint("GET", API, None, 200, 200),
        endpoint("GET", format!("{API}/status"), None, 200, 200),
        endpoint("GET", "/metrics", None, 200, 200),
        endpoint("DELETE", &one, None, 403, 204),
    ])
}

#[test]
fn every_endpoint_looks_at_the_tokens_role() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--max-failed-tries", "1000"])?;
    let (reader, manager) = (
        server.token(&mut scene, "reader")?,
        server.token(&mut scene, "manager")?,
    );
    let revoked = server.token_of(&mut scene, &manager.role)?;
    scene
        .client
        .execute("SELECT zentry_revoke_api_token($1)", &[&revoked.name])?;
    let expired = server.token_of(&mut scene, &manager.role)?;
    scene.client.execute(
        "UPDATE zentry_notify.api_token SET expires_at = now() WHERE name = $1",
        &[&expired.name],
    )?;
    let mut forged = manager.text.clone();
    forged.replace_range(forged.len() - 1.., if forged.ends_with('x') { "y" } else { "x" });

    for Endpoint {
        method,
        path,
        body,
        reader: reads,
        manager: manages,
    } in endpoints(&mut scene)?
    {
        for path in [
            path.clone(),
            format!("{path}/"),
            path.replace("/api/notifications/api", "/api/notifications"),
        ] {
            if path == "/metrics/" {
                continue;
            }
            let call = |token: Option<&str>| server.call(method, &path, token, body.clone());
            for (what, token) in [
                ("no", None),
                ("an empty", Some("")),
                ("a forged", Some(forged.as_str())),
                ("a revoked", Some(&revoked.text)),
                ("an expired", Some(&expired.text)),
            ] {
                let answer = call(token)?;
                assert_eq!(
                    answer.status, 401,
                    "{method} {path} with {what} token: {answer:?}"
                );
                assert_eq!(answer.header("www-authenticate"), "Bearer");
                assert!(answer.json["detail"].is_string(), "{answer:?}");
            }
            let answer = call(Some(&reader.text))?;
            assert_eq!(answer.status, reads, "{method} {path} as a reader: {answer:?}");
            assert!(reads < 400 || answer.json["detail"].is_string(), "{answer:?}");
        }
        let answer = server.call(method, &path, Some(&manager.text), body)?;
        assert_eq!(answer.status, manages, "{method} {path} as a manager: {answer:?}");
    }
    let log = server.whole_log();
    for token in [&reader, &manager, &revoked, &expired] {
        assert!(!log.contains(&token.text), "the log has a token: {log}");
    }
    let complaints = scene.emulator.complaints();
    assert!(
        complaints.iter().all(|text| text.contains("400")),
        "{complaints:?}"
    );
    Ok(())
}

#[test]
fn a_role_that_the_server_may_not_act_as_is_not_acted_as() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let token = server.token(&mut scene, "manager")?;
    scene
        .client
        .batch_execute(&format!("REVOKE {} FROM {}", token.role, server.login))?;
    let answer = server.get("/webhook-integrations/", &token)?;
    assert_eq!(answer.status, 503, "{answer:?}");
    server.wait_for_log(&token.role)
}

#[test]
fn privileges_that_are_taken_back_are_gone_with_the_next_request() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let token = server.token(&mut scene, "reader")?;
    assert_eq!(server.get("/webhook-integrations/", &token)?.status, 200);
    scene
        .client
        .batch_execute(&format!("SELECT zentry_revoke('{}')", token.role))?;
    assert_eq!(server.get("/webhook-integrations/", &token)?.status, 403);
    scene
        .client
        .execute("SELECT zentry_revoke_api_token($1)", &[&token.name])?;
    assert_eq!(server.get("/webhook-integrations/", &token)?.status, 401);
    Ok(())
}

/// The only connection for requests is used by a manager, whose request ends in each way that there is, and then by a reader.
#[test]
fn a_connection_keeps_no_role() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let server = Server::start_with(&mut scene, &["--pool-size", "2"])?;
    let (reader, manager) = (
        server.token(&mut scene, "reader")?,
        server.token(&mut scene, "manager")?,
    );
    let one = format!("/webhook-integrations/{}/", channel.id);
    let reader_is_refused = || -> Result<()> {
        let answer = server.call(
            "PATCH",
            &format!("{API}{one}"),
            Some(&reader.text),
            Some(json!({"name": "x"})),
        )?;
        assert_eq!(answer.status, 403, "{answer:?}");
        Ok(())
    };
    let outcomes = BTreeMap::from([
        (200, ("PATCH", one.clone(), Some(json!({"name": "Renamed"})))),
        (400, ("PATCH", one.clone(), Some(json!({"webhook_type": "fax"})))),
        (404, ("GET", "/webhook-integrations/999999/".to_owned(), None)),
    ]);
    for (status, (method, path, body)) in outcomes {
        let answer = server.call(method, &format!("{API}{path}"), Some(&manager.text), body)?;
        assert_eq!(answer.status, status, "{answer:?}");
        reader_is_refused()?;
    }
    // The client goes away while the statement runs.
    channel.webhook.script([Behaviour::Slow(4 * MOMENT)]);
    let impatient = ureq::Agent::config_builder()
        .timeout_global(Some(MOMENT))
        .build()
        .new_agent();
    let left = impatient
        .post(format!("{}{API}{one}test/", server.url))
        .header("Authorization", format!("Bearer {}", manager.text))
        .send_empty();
    assert!(left.is_err(), "it should have taken longer");
    reader_is_refused()?;
    // As itself, the server can do nothing but look tokens up.
    let mut login = scene.database.connect_as(&server.login)?;
    for refused in [
        "SELECT * FROM zentry_notify.webhooks",
        "SELECT * FROM zentry_notify.logs",
        "SELECT * FROM zentry_notify.api_token",
        "SELECT * FROM zentry_notify.api_tokens",
        "SELECT zentry_retry(1)",
        "SELECT zentry_create_api_token('x', current_user)",
    ] {
        let error = login.batch_execute(refused).expect_err(refused);
        assert_eq!(
            error.code(),
            Some(&postgres::error::SqlState::INSUFFICIENT_PRIVILEGE),
            "{refused}: {error}"
        );
    }
    Ok(())
}

/// The server's search path is its own, so a function of the same name elsewhere is never called.
#[test]
fn a_function_of_the_same_name_gains_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let server = Server::start(&mut scene)?;
    let manager: Token = server.token(&mut scene, "manager")?;
    let trap = |schema: &str, arguments: &str| {
        format!(
            "CREATE FUNCTION {schema}.zentry_test_webhook({arguments}) RETURNS TABLE (log_id bigint, status text, \
             response_status_code integer, error_message text) LANGUAGE sql AS $$ SELECT 0::bigint, 'trapped', 0, '' $$; \
             GRANT EXECUTE ON FUNCTION {schema}.zentry_test_webhook({arguments}) TO PUBLIC;"
        )
    };
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA {0}; GRANT USAGE ON SCHEMA {0} TO {0}; {1} {2} {3}",
        manager.role,
        trap(&manager.role, "bigint, text"),
        trap("public", "text, text"),
        trap("public", "bigint")
    ))?;
    let answer = server.post(
        &format!("/webhook-integrations/{}/test/", channel.id),
        &manager,
        json!({}),
    )?;
    assert_eq!(answer.json["status"], "sent", "{answer:?}");
    Ok(())
}

/// What runs in a session, a trigger of the administrator's for one, may set what it likes: the next session has the server's own settings.
#[test]
fn nothing_of_a_session_is_left_for_the_next() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--pool-size", "2"])?;
    let manager = server.token(&mut scene, "manager")?;
    scene.client.batch_execute(
        "CREATE SEQUENCE ran; \
         CREATE FUNCTION leave_behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM nextval('public.ran'), set_config('default_transaction_read_only', 'on', false), set_config('row_security', 'on', false); \
           CREATE TEMPORARY TABLE IF NOT EXISTS webhooks (id bigint); \
           RETURN NEW; END $$; \
         CREATE TRIGGER leave_behind BEFORE UPDATE ON zentry_notify.api_token FOR EACH ROW EXECUTE FUNCTION leave_behind()",
    )?;
    // The token's first use is written down, in the only session that there is.
    assert_eq!(server.get("/webhook-integrations/", &manager)?.status, 200);
    let ran: bool = scene.client.query_one("SELECT is_called FROM ran", &[])?.get(0);
    assert!(ran);
    let webhook = scene.emulator.register(Kind::Discord);
    let new = json!({"name": "after", "webhook_type": "discord", "webhook_url": webhook.url()});
    let created = server.post("/webhook-integrations/", &manager, new)?;
    assert_eq!(created.status, 201, "{created:?}");
    let temporary: i64 = scene
        .client
        .query_one("SELECT count(*) FROM pg_class WHERE relpersistence = 't'", &[])?
        .get(0);
    assert_eq!(temporary, 0);
    Ok(())
}
