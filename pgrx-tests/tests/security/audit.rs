//! The audit log: whatever way a change of the configuration takes, it says who made it, and no secret.

use anyhow::Result;
use postgres::Client;
use serde_json::{Value, json};
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{Scene, register};
use zentry_e2e::site::{Site, fire, wait_for};

use crate::role::Role;
use crate::search::Search;

/// Operation, object, who logged in, as whom it acted, and the changes, in their order.
pub fn entries(client: &mut Client) -> Result<Vec<(String, String, String, Value)>> {
    let rows = client.query(
        "SELECT a.operation, concat_ws(' ', a.object_type, a.object_key, a.object_name, a.webhook_id), \
                concat_ws(' as ', a.session_role, nullif(a.role_name, a.session_role)), a.changes \
           FROM zentry_notify.audit_log a ORDER BY a.changed_at",
        &[],
    )?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect())
}

/// Those of what is done, and nothing of before.
pub fn entries_of(
    client: &mut Client,
    act: impl FnOnce(&mut Client) -> Result<()>,
) -> Result<Vec<(String, String, String, Value)>> {
    let before = entries(client)?.len();
    act(client)?;
    Ok(entries(client)?.split_off(before))
}

#[test]
fn every_way_says_who_did_what() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    let mut application = Role::granted(&mut scene, "application")?;
    let owner = Role::create(&mut scene)?.name;
    scene
        .client
        .batch_execute(&format!("GRANT {} TO {owner}", manager.name))?;
    let (one, other) = (
        scene.emulator.register(Kind::Discord),
        scene.emulator.register(Kind::Discord),
    );
    let redacted = |url: &str| format!("{}/***", url.rsplit_once('/').expect("a token").0);
    let by_manager = manager.name.clone();

    // A webhook and its URL are one entry.
    let found = entries_of(&mut scene.client, |_| {
        manager.client.execute(
            "SELECT zentry_register_webhook('Team', 'discord', $1)",
            &[&one.url()],
        )?;
        Ok(())
    })?;
    let [(operation, object, who, changes)] = &found[..] else {
        panic!("{found:#?}")
    };
    assert_eq!(
        (&**operation, &**object, who),
        ("insert", "webhook 1 Team 1", &by_manager)
    );
    assert_eq!(changes["name"], json!({"old": null, "new": "Team"}));
    assert_eq!(
        changes["webhook_url"],
        json!({"old": null, "new": redacted(&one.url())})
    );
    assert_eq!(
        (&changes["digest"], &changes["signing_secret"]),
        (&Value::Null, &Value::Null)
    );
    let found = entries_of(&mut scene.client, |_| {
        manager.client.execute(
            "SELECT zentry_update_webhook(1, name => 'Channel', webhook_url => $1)",
            &[&other.url()],
        )?;
        Ok(())
    })?;
    assert_eq!(
        found,
        [(
            "update".to_owned(),
            "webhook 1 Channel 1".to_owned(),
            by_manager.clone(),
            json!({
                "name": {"old": "Team", "new": "Channel"},
                "webhook_url": {"old": redacted(&one.url()), "new": redacted(&other.url())},
            })
        )]
    );
    // A whole row that is saved as it is changes nothing, and neither does what only starts afresh.
    let found = entries_of(&mut scene.client, |_| {
        application.may("UPDATE zentry_notify.webhook_integration SET name = name, is_active = is_active, webhook_url = webhook_url");
        manager.may("SELECT zentry_resume(1); SELECT zentry_update_webhook(1, name => 'Channel')");
        Ok(())
    })?;
    assert_eq!(found, []);
    let found = entries_of(&mut scene.client, |_| {
        application.may("UPDATE zentry_notify.webhook_integration SET max_age = '1 day 02:00:00'");
        Ok(())
    })?;
    assert_eq!(
        found,
        [(
            "update".to_owned(),
            "webhook 1 Channel 1".to_owned(),
            application.name.clone(),
            json!({
                "max_age": {"old": null, "new": "1 day 02:00:00"},
            })
        )]
    );
    // SET ROLE, and what evades a restored dump's entries.
    let found = entries_of(&mut scene.client, |_| {
        let mut session = scene.database.connect_as(&owner)?;
        session.batch_execute(&format!(
            "SET ROLE {by_manager}; SET check_function_bodies = off; SET IntervalStyle = iso_8601; \
             SELECT zentry_update_webhook(1, min_interval => '2 seconds'); SELECT zentry_register_event_type('release', 'Release'); \
             SELECT zentry_set_wording('release', 1, title => 'New'); SELECT zentry_reset_event_type('release', 1)"
        ))?;
        Ok(())
    })?;
    let told: Vec<_> = found
        .iter()
        .map(|(operation, object, ..)| format!("{operation} {object}"))
        .collect();
    assert_eq!(
        told,
        [
            "update webhook 1 Channel 1",
            "insert event_type release release",
            "insert wording release Channel 1",
            "delete wording release Channel 1"
        ]
    );
    assert!(
        found
            .iter()
            .all(|(_, _, who, _)| *who == format!("{owner} as {by_manager}")),
        "{found:#?}"
    );
    assert_eq!(
        found[0].3,
        json!({"min_interval": {"old": "00:00:00", "new": "00:00:02"}})
    );
    // Superusers, directly.
    let found = entries_of(&mut scene.client, |client| {
        client.batch_execute(
            "UPDATE zentry_notify.event_type SET emoji = '!' WHERE name = 'release'; DELETE FROM zentry_notify.webhook; \
             SELECT zentry_detach('users_user'); SELECT zentry_create_api_token('front end', 'pg_monitor'); TRUNCATE zentry_notify.event_wording; \
             SELECT zentry_revoke_api_token('front end')",
        )?;
        Ok(())
    })?;
    let told: Vec<_> = found
        .iter()
        .map(|(operation, object, ..)| format!("{operation} {object}"))
        .collect();
    let token = found[3].1.split(' ').nth(1).expect("a key").to_owned();
    assert_eq!(
        told,
        [
            "update event_type release release".to_owned(),
            "delete webhook 1 Channel 1".to_owned(),
            "delete event_source daily_streak public.users_user".to_owned(),
            format!("insert api_token {token} front end"),
            "truncate wording".to_owned(),
            format!("delete api_token {token} front end"),
        ]
    );
    assert_eq!(found[1].3["name"], json!({"old": "Channel", "new": null}));
    assert_eq!(found[3].3["token_hash"], json!({"old": null, "new": "***"}));
    Ok(())
}

/// What the worker does all day is none; that it switches a webhook off is one, and its own.
#[test]
fn the_workers_ordinary_work_is_none() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let token: String = scene
        .client
        .query_one("SELECT zentry_create_api_token('x', 'pg_monitor')", &[])?
        .get(0);
    let before = entries(&mut scene.client)?.len();
    channel
        .webhook
        .script([Behaviour::Status(500), Behaviour::Status(400)]);
    fire(&mut scene.client)?;
    fire(&mut scene.client)?;
    scene.settle()?;
    scene.client.batch_execute(
        "UPDATE zentry_notify.event_source SET suspended_at = now(), suspended_reason = 'x'; SELECT * FROM zentry_attach()",
    )?;
    scene
        .client
        .execute("SELECT zentry_notify.note_api_token_use($1)", &[&&token[7..15]])?;
    assert_eq!(entries(&mut scene.client)?.len(), before);
    channel.webhook.always(Behaviour::Status(404));
    fire(&mut scene.client)?;
    wait_for(
        &mut scene.client,
        "SELECT NOT is_active FROM zentry_notify.webhook",
    )?;
    let found = entries(&mut scene.client)?.split_off(before);
    let [(operation, _, who, changes)] = &found[..] else {
        panic!("{found:#?}")
    };
    assert_eq!(
        (&**operation, &changes["is_active"]),
        ("update", &json!({"old": true, "new": false}))
    );
    assert!(who.ends_with(" as zentry_notify_agent"), "{who}");
    assert!(changes["switched_off_reason"]["new"].is_string(), "{changes}");
    Ok(())
}

#[test]
fn no_secret_is_told_and_a_change_of_one_is() -> Result<()> {
    const FIRST: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SECOND: &str = "whsec_Zk9Rc2V0dGVyIHN0aWxsIGEgc2VjcmV0IQ==";
    let mut scene = Scene::start()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    let mut reader = Role::granted(&mut scene, "reader")?;
    let webhook = scene.emulator.register(Kind::Signed);
    let found = entries_of(&mut scene.client, |_| {
        manager.client.execute(
            "SELECT zentry_register_webhook('Billing', 'webhook', $1, secret => $2, headers => '{\"Authorization\": \"Bearer swordfish\", \"x-a\": \"1\"}')",
            &[&webhook.url(), &FIRST],
        )?;
        manager
            .client
            .execute("SELECT zentry_new_secret(1, $1, grace => '0')", &[&SECOND])?;
        manager.may("SELECT zentry_update_webhook(1, headers => '{\"Authorization\": \"Bearer haddock\", \"x-a\": \"1\"}')");
        manager.may("SELECT zentry_update_webhook(1, headers => '{}')");
        Ok(())
    })?;
    let secret = |change: &Value| change["signing_secret"].clone();
    let headers = |change: &Value| change["headers"].clone();
    let names = json!(["x-a", "authorization"]);
    let changes: Vec<&Value> = found.iter().map(|(.., changes)| changes).collect();
    assert_eq!(secret(changes[0]), json!({"old": null, "new": "***"}));
    assert_eq!(headers(changes[0]), json!({"old": null, "new": names}));
    assert_eq!(
        *changes[1],
        json!({"signing_secret": {"old": "***", "new": "***"}})
    );
    assert_eq!(
        *changes[2],
        json!({"headers": {"old": names, "new": names}}),
        "values alone"
    );
    assert_eq!(*changes[3], json!({"headers": {"old": names, "new": null}}));
    assert_eq!(changes.len(), 4);
    let token: String = manager
        .client
        .query_one(
            &format!("SELECT zentry_create_api_token('front end', '{}')", manager.name),
            &[],
        )?
        .get(0);

    let mut search = Search::for_urls(&[webhook.url()]);
    for secret in [
        &FIRST["whsec_".len()..],
        &SECOND["whsec_".len()..],
        "swordfish",
        "haddock",
        &token["zentry_12345678_".len()..],
    ] {
        search.add(secret.to_owned());
    }
    let text = |client: &mut Client, relation: &str| -> Result<String> {
        Ok(client
            .query_one(
                &format!("SELECT coalesce(string_agg(a::text, E'\\n'), '') FROM zentry_notify.{relation} a"),
                &[],
            )?
            .get(0))
    };
    let all = text(&mut scene.client, "audit_entry")?;
    assert!(all.contains("front end"), "{all}");
    search.look_at("audit_entry", &all);
    search.assert_nothing_found();
    // Of tokens readers see nothing, also not by a function that is asked before the view's own condition.
    assert!(text(&mut manager.client, "audit_log")?.contains("front end"));
    let seen = text(&mut reader.client, "audit_log")?;
    assert!(
        seen.contains("Billing") && !seen.contains("front end") && !seen.contains("api_token"),
        "{seen}"
    );
    reader.may(
        "CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS \
         $$ BEGIN IF $1 LIKE '%front end%' THEN RAISE EXCEPTION 'seen'; END IF; RETURN true; END $$; \
         SELECT * FROM zentry_notify.audit_log a WHERE pg_temp.tell(a.object_name)",
    );
    for relation in ["audit_entry", "audit_log"] {
        for role in [&mut reader, &mut manager] {
            role.is_refused(&format!("DELETE FROM zentry_notify.{relation}"));
            role.is_refused(&format!("UPDATE zentry_notify.{relation} SET role_name = 'x'"));
        }
    }
    Ok(())
}

/// A token's name is what the server says, and nobody else.
#[test]
fn nobody_claims_a_token() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    let manager = Role::granted(&mut scene, "manager")?;
    let mut other = Role::granted(&mut scene, "manager")?;
    let mut server = Role::granted(&mut scene, "server")?;
    let row = scene.client.query_one(
        &format!("SELECT zentry_create_api_token('front end', '{}')", manager.name),
        &[],
    )?;
    let key = row.get::<_, String>(0)[7..15].to_owned();
    scene.client.batch_execute(&format!(
        "GRANT {} TO {}, {}; GRANT {} TO {}",
        manager.name, other.name, server.name, other.name, server.name
    ))?;
    let mut named = |client: &mut Client, role: &str, name: &str| -> Result<Option<String>> {
        client.batch_execute(&format!(
            "BEGIN; SET LOCAL zentry_notify.api_token_key = '{key}'; SET LOCAL ROLE {role}; SELECT zentry_update_webhook(1, name => '{name}'); COMMIT"
        ))?;
        let row = scene.client.query_one(
            "SELECT a.api_token::text FROM zentry_notify.audit_log a ORDER BY a.changed_at DESC LIMIT 1",
            &[],
        )?;
        Ok(row.get(0))
    };
    assert_eq!(
        named(&mut server.client, &manager.name, "a")?.as_deref(),
        Some("front end")
    );
    assert_eq!(
        named(&mut server.client, &other.name, "b")?,
        None,
        "it is another role's"
    );
    assert_eq!(
        named(&mut other.client, &manager.name, "c")?,
        None,
        "it is not the server"
    );
    assert_eq!(named(&mut other.client, "none", "d")?, None);
    Ok(())
}

#[test]
fn entries_leave_by_their_age() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("zentry_notify.log_retention", "100d"))?;
    let (mut client, channel) = site.served("old")?;
    client.batch_execute(
        "INSERT INTO zentry_notify.audit_entry (changed_at, session_role, role_name, object_type, operation) \
           SELECT now() - interval '3 days', 'x', 'x', 'webhook', 'truncate' FROM generate_series(1, 2500); \
         ALTER DATABASE old SET zentry_notify.log_retention = '2d'",
    )?;
    wait_for(&mut client, "SELECT count(*) = 1 FROM zentry_notify.audit_entry")?;
    register(&mut client, &channel.webhook, None, None)?;
    assert_eq!(entries(&mut client)?.len(), 2);
    Ok(())
}
