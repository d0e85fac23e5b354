//! Who may do what: the public nothing, applications only fire, readers read, managers manage.

use anyhow::Result;
use postgres::error::SqlState;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::fire;
use zentry_e2e::zentry::{self, id};

use crate::role::{Role, calls, relations};

#[test]
fn the_public_can_read_and_call_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    let (relations, calls) = (relations(&mut scene)?, calls(&mut scene)?);
    assert!(relations.len() > 8 && calls.len() > 15, "{relations:?} {calls:?}");
    let mut nobody = Role::create(&mut scene)?;
    for relation in relations {
        nobody.is_refused(&format!("SELECT * FROM {relation}"));
        if !relation.ends_with("_seq") {
            nobody.is_refused(&format!("DELETE FROM {relation}"));
        }
    }
    for call in calls {
        nobody.is_refused(&call);
    }
    nobody.is_refused(
        "CREATE TEMP TABLE mine (a int); \
         CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION zentry_notify.capture('task_completed')",
    );
    nobody.is_refused("SET ROLE zentry_notify_agent");
    for setting in [
        "allowed_hosts = '*.example'",
        "allow_http = on",
        "allow_private_addresses = on",
        "ca_file = '/x'",
        "proxy = 'http://x'",
    ] {
        nobody.is_refused(&format!("SET zentry_notify.{setting}"));
    }
    nobody.is_refused("SHOW zentry_notify.proxy");
    Ok(())
}

#[test]
fn an_application_without_privileges_fires_its_events_and_sees_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let mut application = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {0}; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {0}",
        application.name
    ))?;
    zentry::complete_task(&mut application.client, id::LANDING_PAGE, jiff::Timestamp::now())?;
    zentry::award_badge(&mut application.client, id::CHEN, id::TASK_MASTER)?;
    zentry::create_project(&mut application.client, "New", "", id::ADA, &[id::CHEN])?;
    fire(&mut application.client)?;
    channel.webhook.wait_for_events(4, SOON);
    application.is_refused("SELECT * FROM zentry_notify.logs");
    application.is_refused("SELECT webhook_url FROM zentry_notify.webhook_integration");
    application.is_refused("SELECT zentry_test_event()");
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn the_owner_of_the_tables_has_no_rights_on_ours() -> Result<()> {
    let mut scene = Scene::empty()?;
    let mut owner = Role::create(&mut scene)?;
    scene
        .client
        .batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {}", owner.name))?;
    zentry::load(&mut owner.client)?;
    scene.install()?;
    let channel = scene.channel(Kind::Discord)?;
    zentry::complete_task(&mut owner.client, id::LANDING_PAGE, jiff::Timestamp::now())?;
    channel.webhook.wait_for_events(1, SOON);
    owner.is_refused("SELECT * FROM zentry_notify.logs");
    owner.is_refused("SELECT * FROM zentry_attach()");
    owner.is_refused("SELECT zentry_detach('tasks_task')");
    // It is their table: they may stop it.
    owner.may("ALTER TABLE tasks_task DISABLE TRIGGER zentry_notify_task_completed_update");
    Ok(())
}

#[test]
fn a_reader_sees_redacted_urls_and_can_do_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(1, SOON);
    let mut reader = Role::granted(&mut scene, "reader")?;
    let url: String = reader
        .client
        .query_one("SELECT webhook_url FROM zentry_notify.webhooks", &[])?
        .get(0);
    assert!(url.ends_with("/***"), "{url}");
    reader.may("SELECT * FROM zentry_notify.webhooks");
    reader.may("SELECT * FROM zentry_notify.logs");
    reader.may("SELECT * FROM zentry_notify.attempts");
    reader.may("SELECT * FROM zentry_notify.event_types");
    reader.may("SELECT * FROM zentry_notify.event_sources");
    reader.may("SELECT * FROM zentry_logs(event_type => 'daily_streak')");
    reader.may("SELECT * FROM zentry_notify.delivery_totals");
    reader.may("SELECT * FROM zentry_notify.delivery_traces");
    reader.may("SELECT * FROM zentry_status()");
    reader.may("SELECT * FROM zentry_stats()");
    reader.may("SELECT * FROM zentry_stats_by_hour()");
    for table in [
        "webhook_integration",
        "notification_log",
        "webhook_circuit",
        "webhook_state",
        "webhook_count",
        "delivery_stat",
        "project_progress",
        "webhook",
        "webhook_secret",
        "event",
        "event_detail",
        "event_type",
        "event_source",
        "delivery",
        "delivery_attempt",
        "legacy_delivery",
    ] {
        reader.is_refused(&format!("SELECT * FROM zentry_notify.{table}"));
    }
    for write in [
        "UPDATE zentry_notify.webhooks SET name = 'x'",
        "DELETE FROM zentry_notify.logs",
        "INSERT INTO zentry_notify.event_type (name, title) VALUES ('x', 'X')",
        "UPDATE zentry_notify.event_source SET suspended_at = now()",
    ] {
        let error = reader.client.batch_execute(write).expect_err(write);
        let refused = [
            &SqlState::INSUFFICIENT_PRIVILEGE,
            &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        ];
        assert!(
            error.code().is_some_and(|code| refused.contains(&code)),
            "{write}: {error:?}"
        );
    }
    for call in [
        "SELECT zentry_register_webhook('a', 'discord', 'https://discord.com/api/webhooks/1/a')",
        "SELECT zentry_update_webhook(1, name => 'x')",
        "SELECT zentry_delete_webhook(1)",
        "SELECT zentry_test_webhook(1)",
        "SELECT zentry_test_event()",
        "SELECT zentry_retry(1)",
        "SELECT zentry_retry_failed()",
        "SELECT zentry_resume(1)",
        "SELECT zentry_promote()",
        "SELECT zentry_attach()",
        "SELECT zentry_detach('tasks_task')",
        "SELECT zentry_import_integrations()",
        "SELECT zentry_grant('pg_monitor', 'manager')",
        "SELECT zentry_revoke('pg_monitor')",
        "SELECT zentry_notify.wake(ARRAY[1])",
        "SELECT zentry_omit('task_completed', 'tasks_task', '{task_title}')",
        "BEGIN; LOCK TABLE zentry_notify.delivery",
        "TRUNCATE zentry_notify.delivery",
    ] {
        reader.is_refused(call);
        reader.client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}

#[test]
fn a_manager_manages_without_seeing_the_urls() -> Result<()> {
    let mut scene = Scene::start()?;
    let webhook = scene.emulator.register(Kind::Discord);
    let mut manager = Role::granted(&mut scene, "manager")?;
    let id = zentry_e2e::scene::register(&mut manager.client, &webhook, None, None)?;
    let status: String = manager
        .client
        .query_one("SELECT status FROM zentry_test_webhook($1)", &[&id])?
        .get(0);
    assert_eq!(status, "sent");
    manager.may("SELECT zentry_test_event('badge_earned')");
    webhook.wait_for_events(2, SOON);
    manager.may(&format!("SELECT zentry_update_webhook({id}, name => 'renamed')"));
    manager.may("SELECT zentry_retry_failed()");
    let url: String = manager
        .client
        .query_one("SELECT webhook_url FROM zentry_notify.webhooks", &[])?
        .get(0);
    assert!(url.ends_with("/***"), "{url}");
    for table in [
        "webhook_integration",
        "notification_log",
        "webhook_circuit",
        "webhook_state",
        "webhook_count",
        "delivery_stat",
        "webhook",
        "webhook_secret",
        "event",
        "delivery",
        "event_source",
        "api_token",
    ] {
        manager.is_refused(&format!("SELECT * FROM zentry_notify.{table}"));
        manager.is_refused(&format!("DELETE FROM zentry_notify.{table}"));
    }
    // Not theirs: the tables, and the right to hand rights on.
    assert_eq!(attached(&mut manager)?, 0);
    manager.is_refused("SELECT zentry_detach('tasks_task')");
    manager.is_refused("SELECT zentry_grant('pg_monitor', 'reader')");
    manager.is_refused("SELECT zentry_omit('task_completed', 'tasks_task', '{task_title}')");
    manager.is_refused("INSERT INTO zentry_notify.event_source (event_type, relation, columns, audience) VALUES ('badge_earned', 'tasks_task', '{}', '{\"all\": true}')");
    manager.may(&format!("SELECT zentry_delete_webhook({id})"));
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_manager_attaches_and_detaches_tables_of_their_own() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.install()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    scene
        .client
        .batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {}", manager.name))?;
    zentry::load(&mut manager.client)?;
    manager.may("SELECT * FROM zentry_attach()");
    let channel = scene.channel(Kind::Discord)?;
    fire(&mut manager.client)?;
    channel.webhook.wait_for_events(1, SOON);
    manager.may("SELECT zentry_detach('users_user')");
    fire(&mut manager.client)?;
    manager.may("SELECT zentry_test_event()");
    channel.webhook.wait_for_events(2, SOON);
    assert_eq!(scene.settle()?.len(), 2);
    // Another manager does not own them.
    let mut other = Role::granted(&mut scene, "manager")?;
    assert_eq!(attached(&mut other)?, 0);
    other.is_refused("SELECT zentry_detach('tasks_task')");
    Ok(())
}

/// How many tables zentry_attach attaches for the role.
fn attached(role: &mut Role) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM zentry_attach() WHERE state = 'attached'";
    Ok(role.client.query_one(SQL, &[])?.get(0))
}

/// What Django's models and admin do to their tables.
#[test]
fn an_application_uses_the_tables_as_its_own_but_not_what_the_extension_keeps_there() -> Result<()> {
    let mut scene = Scene::start()?;
    let webhook = scene.emulator.register(Kind::Discord);
    let mut application = Role::granted(&mut scene, "application")?;
    let id: i64 = application
        .client
        .query_one(
            "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, event_types, is_active, created_at, updated_at) \
             VALUES ('Mine', 'discord', $1, '[\"daily_streak\"]', true, now(), now()) RETURNING id",
            &[&webhook.url()],
        )?
        .get(0);
    application.may("UPDATE zentry_notify.webhook_integration SET name = 'Ours', updated_at = now()");
    application.may("SELECT webhook_url FROM zentry_notify.webhook_integration FOR UPDATE");
    application.may("SELECT * FROM zentry_notify.notification_log");
    application.may(&format!("SELECT * FROM zentry_test_webhook({id})"));
    for statement in [
        "UPDATE zentry_notify.webhook_integration SET switched_off_reason = 'x'",
        "UPDATE zentry_notify.webhook_integration SET activated_at = now()",
        "TRUNCATE zentry_notify.webhook",
        "UPDATE zentry_notify.notification_log SET status = 'sent'",
        "DELETE FROM zentry_notify.notification_log",
        "SELECT * FROM zentry_notify.webhook_count",
        "SELECT zentry_grant('pg_monitor', 'reader')",
    ] {
        application.is_refused(statement);
    }
    application.may("DELETE FROM zentry_notify.webhook_integration");
    scene
        .client
        .batch_execute(&format!("SELECT zentry_revoke('{}')", application.name))?;
    application.is_refused("SELECT name FROM zentry_notify.webhook_integration");
    application.is_refused("UPDATE zentry_notify.webhook_integration SET name = 'x'");
    Ok(())
}

#[test]
fn a_function_in_a_readers_query_gets_nothing_but_the_redacted_url() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let mut reader = Role::granted(&mut scene, "reader")?;
    // Cheap, so that the planner runs it as early as it can.
    reader.may(
        "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS \
         $$ BEGIN RAISE EXCEPTION 'leaked %', $1; END $$",
    );
    let error = reader
        .client
        .batch_execute("SELECT * FROM zentry_notify.webhooks WHERE pg_temp.leak(webhook_url)")
        .expect_err("it raises");
    let message = error
        .as_db_error()
        .expect("an error of the server")
        .message()
        .to_owned();
    let url = channel.webhook.url();
    let token = url.rsplit('/').next().expect("a token");
    assert!(
        message.contains("leaked") && !message.contains(token),
        "{message}"
    );
    let statistics: i64 = reader
        .client
        .query_one(
            "SELECT count(*) FROM pg_stats WHERE schemaname = 'zentry_notify' AND attname = 'webhook_url'",
            &[],
        )?
        .get(0);
    assert_eq!(statistics, 0);
    Ok(())
}
