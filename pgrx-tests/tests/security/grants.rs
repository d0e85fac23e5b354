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
