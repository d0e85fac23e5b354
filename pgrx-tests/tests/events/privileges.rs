//! Managers change what messages say, readers may look at it, and the public may nothing.

use zentry_e2e::scene::Scene;

use crate::support::Session;

/// A session of a new role with the privilege.
pub fn role(scene: &mut Scene, privilege: Option<&str>) -> Session {
    let name = format!("{}_{}", privilege.unwrap_or("nobody"), scene.database.name());
    scene
        .client
        .batch_execute(&format!("CREATE ROLE {name} LOGIN"))
        .unwrap();
    if let Some(privilege) = privilege {
        scene
            .client
            .batch_execute(&format!("SELECT zentry_grant('{name}', '{privilege}')"))
            .unwrap();
    }
    Session::as_role(scene, &name)
}

#[test]
fn who_may_change_and_who_may_look() {
    let mut scene = Scene::start().unwrap();
    let mut manager = role(&mut scene, Some("manager"));
    let mut reader = role(&mut scene, Some("reader"));
    let mut nobody = role(&mut scene, None);
    manager.run("SELECT zentry_register_event_type('own', 'Own'); SELECT zentry_set_wording('task_completed', title => 'Done'); \
                 SELECT zentry_preview('own'); SELECT zentry_reset_event_type('task_completed')");
    for call in [
        "SELECT zentry_register_event_type('other', 'Other')",
        "SELECT zentry_unregister_event_type('own')",
        "SELECT zentry_set_wording('own', title => 'x')",
        "SELECT zentry_reset_event_type('own')",
        "UPDATE zentry_notify.event_type SET title = 'x'",
        "SELECT * FROM zentry_notify.event_wording",
    ] {
        assert!(reader.fails(call).starts_with("42501 "), "{call}");
        assert!(nobody.fails(call).starts_with("42501 "), "{call}");
    }
    for look in [
        "SELECT zentry_preview('own', 'teams')",
        "SELECT * FROM zentry_notify.event_definition",
        "SELECT * FROM zentry_notify.event_types",
    ] {
        reader.run(look);
        assert!(nobody.fails(look).starts_with("42501 "), "{look}");
    }
    manager.run("SELECT zentry_unregister_event_type('own')");
    assert!(
        manager
            .fails("DELETE FROM zentry_notify.event_type")
            .starts_with("42501 ")
    );
}
