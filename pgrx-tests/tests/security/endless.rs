//! What a manager sets has an end: sessions that write an attached table read what is heard, and the worker reads all of it.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::role::Role;

#[test]
fn what_a_manager_sets_has_an_end() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let mut manager = Role::granted(&mut scene, "manager")?;
    for (setting, value) in [
        ("event_types", "array_fill('task_completed'::text, ARRAY[100000])"),
        ("omit_keys", "array_fill('task_title'::text, ARRAY[100000])"),
        ("milestones", "array_fill(50, ARRAY[100000])"),
        ("filter", "'$.points > 1' || repeat(' || $.points > 1', 3000)"),
        (
            "quiet_hours",
            "repeat('22:00-22:01, ', 100000) || '22:00-22:01 UTC'",
        ),
        ("digest", "repeat('0,', 100000) || '0 9 * * * UTC'"),
    ] {
        for restoring in ["off", "on"] {
            let call = format!(
                "SET check_function_bodies = {restoring}; SELECT zentry_update_webhook({}, {setting} => {value})",
                channel.id
            );
            let error = manager.client.batch_execute(&call).expect_err(&call);
            let error = error.as_db_error().expect("an error of the server");
            assert!(
                error
                    .message()
                    .contains(&format!("{setting} of a webhook is too long")),
                "{setting}: {error:?}"
            );
        }
    }
    // What is long and sensible is taken.
    manager.may(&format!(
        "SELECT zentry_update_webhook({}, event_types => array_fill('task_completed'::text, ARRAY[500]), quiet_hours => '22:00-07:00 Europe/Berlin', \
                                      filter => '$.points > 1' || repeat(' || $.points > 1', 500), digest => '0 9 * * 1-5 Europe/Berlin')",
        channel.id
    ));
    Ok(())
}
