//! Privileges are taken back, and renewed by an update.

use anyhow::{Context, Result};
use zentry_e2e::catalogue;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;

use crate::role::*;

#[test]
fn revoke_takes_back_everything() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    manager.may("SELECT zentry_retry_failed()");
    scene
        .client
        .batch_execute(&format!("SELECT zentry_revoke('{}')", manager.name))?;
    for relation in relations(&mut scene)? {
        manager.is_refused(&format!("SELECT * FROM {relation}"));
    }
    for call in calls(&mut scene)? {
        manager.is_refused(&call);
    }
    // Nothing is left that would keep the role from being dropped.
    let name = manager.name.clone();
    drop(manager);
    eventually(SOON, "the role to be dropped", || {
        scene.client.batch_execute(&format!("DROP ROLE {name}")).ok()
    })
}

#[test]
fn an_owner_keeps_what_it_owns() -> Result<()> {
    let mut scene = Scene::start()?;
    let refused = scene
        .client
        .batch_execute("SELECT zentry_revoke('postgres')")
        .err()
        .context("the owner's privileges were revoked")?;
    let refused = refused.as_db_error().context("no error of the database")?;
    assert_eq!(refused.code().code(), "22023");
    assert_eq!(
        refused.message(),
        "postgres owns the extension, and keeps its privileges"
    );
    // Nor does a grant to the owner, or what is done with a role that owns some of the extension's objects.
    let role = Role::granted(&mut scene, "reader")?.name;
    scene.client.batch_execute(&format!(
        "ALTER TABLE zentry_notify.event OWNER TO {role}; ALTER FUNCTION zentry_logs OWNER TO {role}; \
         SELECT zentry_grant('postgres', 'reader'); SELECT zentry_grant('{role}', 'sender'); SELECT zentry_revoke('{role}')"
    ))?;
    let lost: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM zentry_notify.members() m \
              CROSS JOIN LATERAL (SELECT c.relowner, c.relacl FROM pg_class c WHERE m.classid = 'pg_class'::regclass AND c.oid = m.objid \
                                   UNION ALL \
                                  SELECT p.proowner, p.proacl FROM pg_proc p WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid) o (owner, acl) \
              WHERE o.acl IS NOT NULL AND o.owner NOT IN (SELECT a.grantee FROM aclexplode(o.acl) a)",
            &[],
        )?
        .get(0);
    assert_eq!(lost, 0);
    let left: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM zentry_notify.grants() WHERE grantee = $1::text::regrole",
            &[&role],
        )?
        .get(0);
    assert_eq!(left, 0);
    Ok(())
}

#[test]
fn an_update_renews_what_was_granted_and_nothing_that_comes_by_membership() -> Result<()> {
    let mut scene = Scene::start()?;
    let superior = Role::granted(&mut scene, "application")?;
    for (privilege, added_later) in [
        ("reader", "public.zentry_stats(interval)"),
        ("manager", "public.zentry_retry(bigint)"),
        ("application", "public.zentry_test_webhook(bigint,text)"),
        ("server", "zentry_notify.note_api_token_use(text)"),
        (
            "sender",
            "zentry_notify.claim_deliveries(bigint,bigint[],integer[],bigint[],integer[])",
        ),
    ] {
        let role = Role::granted(&mut scene, privilege)?;
        let granted = catalogue::lines(&mut scene.client)?;
        scene.client.batch_execute(&format!(
            "REVOKE ALL ON FUNCTION {added_later} FROM {}",
            role.name
        ))?;
        assert_ne!(catalogue::lines(&mut scene.client)?, granted, "{privilege}");
        let told = scene.client.query_one(
            "SELECT detail, remedy FROM zentry_status() WHERE subject = 'privileges'",
            &[],
        )?;
        assert_eq!(
            (told.get::<_, String>(0), told.get::<_, String>(1)),
            (
                format!("{} may not call {added_later}", role.name),
                format!("SELECT public.zentry_grant('{}', '{privilege}');", role.name)
            )
        );
        scene.client.batch_execute(&format!(
            "GRANT {} TO {}; SELECT zentry_notify.renew_grants()",
            superior.name, role.name
        ))?;
        catalogue::compare(&granted, &catalogue::lines(&mut scene.client)?).context(privilege)?;
    }
    Ok(())
}
