//! How many webhooks managers may register, and how many tables attach: each session that writes an attached table reads which events they hear, and
//! what is attached.

use anyhow::{Context, Result};
use postgres::Client;
use postgres::error::SqlState;
use zentry_e2e::scene::Scene;

use crate::role::Role;

/// What a manager is told who registers a webhook; none: it is registered.
fn register(client: &mut Client) -> Result<Option<(String, String)>> {
    let sql = "SELECT zentry_register_webhook('One more', 'slack', 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX')";
    match client.batch_execute(sql) {
        Ok(()) => Ok(None),
        Err(error) => {
            let error = error.as_db_error().context("an error of the database")?;
            assert_eq!(*error.code(), SqlState::CONFIGURATION_LIMIT_EXCEEDED);
            let hint = error.hint().context("it has a hint")?;
            Ok(Some((error.message().to_owned(), hint.to_owned())))
        }
    }
}

#[test]
fn managers_register_no_more_webhooks_than_there_is_room_for() -> Result<()> {
    let mut scene = Scene::start()?;
    let name = scene.database.name().to_owned();
    scene.client.batch_execute(&format!(
        "ALTER DATABASE \"{name}\" SET zentry_notify.max_webhooks = 2; ALTER DATABASE \"{name}\" SET zentry_notify.allowed_hosts = 'hooks.slack.com'"
    ))?;
    // (A session of before has the settings of before.)
    let role = Role::granted(&mut scene, "manager")?;
    let (mut one, mut other) = (
        scene.database.connect_as(&role.name)?,
        scene.database.connect_as(&role.name)?,
    );
    assert_eq!(register(&mut one)?, None);
    // What another transaction registers now takes room as well.
    other.batch_execute("BEGIN")?;
    assert_eq!(register(&mut other)?, None);
    let (message, hint) = register(&mut one)?.context("there is no room")?;
    assert_eq!(
        message,
        "there are 2 webhooks, and zentry_notify.max_webhooks is 2"
    );
    assert!(hint.contains("zentry_notify.webhooks lists them"), "{hint}");
    other.batch_execute("ROLLBACK")?;
    assert_eq!(register(&mut one)?, None);
    // Those that there are can be changed, and one that goes makes room.
    one.batch_execute(
        "SELECT zentry_update_webhook(min(id), name => 'Another') FROM zentry_notify.webhooks",
    )?;
    assert!(register(&mut one)?.is_some());
    one.batch_execute("SELECT zentry_delete_webhook(min(id)) FROM zentry_notify.webhooks")?;
    assert_eq!(register(&mut one)?, None);
    // A manager has no other way in, and does not raise it.
    let raise = one.batch_execute("SET zentry_notify.max_webhooks = 10");
    assert!(raise.is_err());
    assert!(register(&mut one)?.is_some());
    Ok(())
}

#[test]
fn managers_attach_no_more_tables_than_there_is_room_for() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut mallory = Role::mallory(&mut scene)?;
    mallory.client.batch_execute(
        "CREATE TABLE mallory.one (id bigint, title text); CREATE TABLE mallory.other (id bigint, title text); \
         SELECT zentry_register_event_type('made', 'Made'); \
         SELECT zentry_attach('made', 'mallory.one', '{\"title\": \"title\"}', operation => 'INSERT')",
    )?;
    // Without what is checked of each, which takes long for so many.
    scene.client.batch_execute(
        "ALTER TABLE zentry_notify.event_source DISABLE TRIGGER ALL; \
         INSERT INTO zentry_notify.event_source (event_type, relation, columns, audience) \
         SELECT 'made', 1000000 + n, '{}', '{}' FROM generate_series(1, 20000) n; \
         ALTER TABLE zentry_notify.event_source ENABLE TRIGGER ALL",
    )?;
    let attach =
        "SELECT zentry_attach('made', 'mallory.other', '{\"title\": \"title\"}', operation => 'INSERT')";
    let error = mallory
        .client
        .batch_execute(attach)
        .expect_err("there is no room");
    let error = error.as_db_error().context("an error of the database")?;
    assert!(
        error
            .message()
            .ends_with("event sources, and a database can have 20000"),
        "{error:?}"
    );
    // What is attached can be attached anew, and what goes makes room.
    mallory.client.batch_execute(&attach.replace("other", "one"))?;
    scene.client.batch_execute(
        "ALTER TABLE zentry_notify.event_source DISABLE TRIGGER ALL; DELETE FROM zentry_notify.event_source s WHERE s.relation::oid::bigint > 1000000; \
         ALTER TABLE zentry_notify.event_source ENABLE TRIGGER ALL",
    )?;
    mallory.client.batch_execute(attach)?;
    Ok(())
}
