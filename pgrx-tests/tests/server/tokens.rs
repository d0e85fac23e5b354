//! Tokens, as SQL makes and takes them.

use std::collections::HashSet;

use anyhow::Result;
use postgres::Client;
use postgres::error::SqlState;
use zentry_e2e::scene::Scene;

use crate::support::{Server, role_name};

/// A role that can log in, with these privileges, and a session of it.
fn session(scene: &mut Scene, privilege: Option<&str>) -> Result<(String, Client)> {
    let role = role_name("person");
    scene.client.batch_execute(&format!("CREATE ROLE {role} LOGIN"))?;
    if let Some(privilege) = privilege {
        scene
            .client
            .batch_execute(&format!("SELECT zentry_grant('{role}', '{privilege}')"))?;
    }
    let client = scene.database.connect_as(&role)?;
    Ok((role, client))
}

fn is_refused(client: &mut Client, statement: &str, code: &SqlState) {
    let error = client.batch_execute(statement).expect_err(statement);
    assert_eq!(error.code(), Some(code), "{statement}: {error:?}");
    let hint = error.as_db_error().and_then(|error| error.hint());
    assert!(
        *code == SqlState::INSUFFICIENT_PRIVILEGE || hint.is_some(),
        "{statement}: {error:?}"
    );
}

#[test]
fn a_token_is_shown_once_and_kept_as_a_hash() -> Result<()> {
    let mut scene = Scene::start()?;
    let (role, _) = session(&mut scene, Some("reader"))?;
    let mut seen = HashSet::new();
    for number in 0..20 {
        let sql = format!("SELECT zentry_create_api_token('{number}', '{role}')");
        let token: String = scene.client.query_one(&sql, &[])?.get(0);
        assert_eq!(token.len(), "zentry_".len() + 8 + 1 + 43, "{token}");
        assert!(seen.insert(token.clone()), "{token} twice");
        let row = scene.client.query_one(
            "SELECT token_hash = sha256(convert_to($1, 'UTF8')), to_jsonb(t)::text, token_key FROM zentry_notify.api_token t WHERE name = $2",
            &[&token, &number.to_string()],
        )?;
        let (hashed, row, key): (bool, String, String) = (row.get(0), row.get(1), row.get(2));
        assert!(hashed, "{row}");
        let secret = token.rsplit_once(&format!("{key}_")).expect("the key is in it").1;
        assert!(!row.contains(secret), "{row}");
    }
    Ok(())
}

#[test]
fn who_may_make_a_token_and_take_it_back() -> Result<()> {
    let mut scene = Scene::start()?;
    let (reader_role, mut reader) = session(&mut scene, Some("reader"))?;
    let (manager_role, mut manager) = session(&mut scene, Some("manager"))?;
    let (_, mut nobody) = session(&mut scene, None)?;
    let for_role = |role: &str| format!("SELECT zentry_create_api_token('{role}', '{role}')");
    is_refused(
        &mut nobody,
        &for_role(&manager_role),
        &SqlState::INSUFFICIENT_PRIVILEGE,
    );
    is_refused(
        &mut reader,
        &for_role(&reader_role),
        &SqlState::INSUFFICIENT_PRIVILEGE,
    );
    // Of roles that they are not.
    is_refused(
        &mut manager,
        &for_role(&reader_role),
        &SqlState::INSUFFICIENT_PRIVILEGE,
    );
    manager.batch_execute(&for_role(&manager_role))?;
    scene.client.batch_execute(&format!(
        "GRANT {reader_role} TO {manager_role}; {}",
        for_role(&reader_role)
    ))?;
    manager.batch_execute(&format!("SELECT zentry_revoke_api_token('{reader_role}')"))?;
    manager.batch_execute(&for_role(&reader_role))?;
    let (_, mut other) = session(&mut scene, Some("manager"))?;
    let revoke = format!("SELECT zentry_revoke_api_token('{manager_role}')");
    is_refused(&mut other, &revoke, &SqlState::INSUFFICIENT_PRIVILEGE);
    // A member that is acted as counts, and who acts as it does not.
    scene.client.batch_execute(&format!("SET ROLE {manager_role}"))?;
    is_refused(
        &mut scene.client,
        "SELECT zentry_create_api_token('x', 'pg_monitor')",
        &SqlState::INSUFFICIENT_PRIVILEGE,
    );
    scene.client.batch_execute("RESET ROLE")?;

    let listed: i64 = manager
        .query_one("SELECT count(*) FROM zentry_notify.api_tokens", &[])?
        .get(0);
    assert_eq!(listed, 2);
    is_refused(
        &mut reader,
        "SELECT * FROM zentry_notify.api_tokens",
        &SqlState::INSUFFICIENT_PRIVILEGE,
    );
    manager.batch_execute(&revoke)?;
    is_refused(&mut manager, &revoke, &SqlState::NO_DATA_FOUND);
    // Nobody is kept from tidying up after a role that is gone.
    scene
        .client
        .batch_execute(&format!("SELECT zentry_revoke('{reader_role}')"))?;
    drop(reader);
    scene.client.batch_execute(&format!("DROP ROLE {reader_role}"))?;
    manager.batch_execute(&format!("SELECT zentry_revoke_api_token('{reader_role}')"))?;
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_with_a_hint() -> Result<()> {
    let mut scene = Scene::start()?;
    let (role, _) = session(&mut scene, Some("reader"))?;
    let client = &mut scene.client;
    client.batch_execute(&format!("SELECT zentry_create_api_token('taken', '{role}')"))?;
    for (name, role, expires, code) in [
        ("''", role.as_str(), "NULL", &SqlState::INVALID_PARAMETER_VALUE),
        ("NULL", &role, "NULL", &SqlState::INVALID_PARAMETER_VALUE),
        (
            "repeat('x', 101)",
            &role,
            "NULL",
            &SqlState::STRING_DATA_RIGHT_TRUNCATION,
        ),
        ("'taken'", &role, "NULL", &SqlState::UNIQUE_VIOLATION),
        ("'a'", "nobody_of_this_name", "NULL", &SqlState::UNDEFINED_OBJECT),
        ("'a'", "postgres", "NULL", &SqlState::INVALID_ROLE_SPECIFICATION),
        ("'a'", &role, "now()", &SqlState::INVALID_PARAMETER_VALUE),
    ] {
        is_refused(
            client,
            &format!("SELECT zentry_create_api_token({name}, '{role}', {expires})"),
            code,
        );
    }
    is_refused(
        client,
        "SELECT zentry_revoke_api_token(NULL)",
        &SqlState::NO_DATA_FOUND,
    );
    Ok(())
}

#[test]
fn a_role_that_became_a_superuser_is_not_acted_as() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let token = server.token(&mut scene, "manager")?;
    assert_eq!(server.get("/webhook-integrations/", &token)?.status, 200);
    scene
        .client
        .batch_execute(&format!("ALTER ROLE {} SUPERUSER", token.role))?;
    assert_eq!(server.get("/webhook-integrations/", &token)?.status, 401);
    scene
        .client
        .batch_execute(&format!("ALTER ROLE {} NOSUPERUSER", token.role))?;
    Ok(())
}

#[test]
fn a_use_is_noted() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let token = server.token(&mut scene, "reader")?;
    let used = |scene: &mut Scene| -> Result<bool> {
        let sql = "SELECT last_used_at IS NOT NULL FROM zentry_notify.api_tokens WHERE name = $1";
        Ok(scene.client.query_one(sql, &[&token.name])?.get(0))
    };
    assert!(!used(&mut scene)?);
    let forged = format!("{}x", token.text);
    server.call("GET", "/metrics", Some(&forged), None)?;
    assert!(!used(&mut scene)?, "by a token that was refused");
    server.get("/webhook-integrations/", &token)?;
    assert!(used(&mut scene)?);
    Ok(())
}
