//! Django itself, before and after.

use std::fs;

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry;

use crate::django::{DJANGO_5_2, Project};

#[test]
fn the_application_goes_over_and_back() {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    let webhook = scene.emulator.register(Kind::Discord);
    let project = Project::new(&scene.database, &mut scene.client, &DJANGO_5_2).unwrap();
    project.run_before(&webhook);

    // Over: the handlers go first, so that at no time both send.
    scene.install().unwrap();
    let application = format!("SELECT zentry_grant('{}', 'application')", project.role());
    scene.client.batch_execute(&application).unwrap();
    project.copy("after");
    let mut session = scene.database.connect_as(project.role()).unwrap();
    let imported = session
        .query(
            "SELECT name, state, reason FROM zentry_import_integrations()",
            &[],
        )
        .unwrap();
    let states: Vec<(&str, &str)> = imported.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(
        states,
        [("Website team", "imported"), ("Website team too", "refused")]
    );
    assert!(imported[1].get::<_, &str>(2).contains("example.org"));
    // A model that is not Django's any more gets its table's new name in a migration of its own.
    project.manage(&["makemigrations", "notifications"]);
    project.manage(&["makemigrations", "notifications"]);
    project.manage(&["makemigrations", "--check"]);
    project.manage(&["migrate"]);
    project.check("after", "edit", &webhook.url());
    assert_eq!(webhook.requests(), 0);
    project.check("after", "complete", &webhook.url());
    scene.settle().unwrap();
    assert_eq!(webhook.event_count(), 1);
    project.check("after", "log", &webhook.url());
    let old = "SELECT (SELECT count(*) FROM notifications_webhookintegration), (SELECT count(*) FROM notifications_notificationlog)";
    let row = scene.client.query_one(old, &[]).unwrap();
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1)),
        (2, 2),
        "the old tables stay as they were"
    );

    // And back.
    project.manage(&["migrate", "notifications", "0001"]);
    scene
        .client
        .batch_execute("DROP EXTENSION zentry_notify")
        .unwrap();
    project.copy("before");
    project.check("back", "", &webhook.url());
    assert_eq!(webhook.event_count(), 1);
}

/// The guide's Python is what was run above.
#[test]
fn the_guide_shows_this_code() {
    let here = env!("CARGO_MANIFEST_DIR");
    let guide = fs::read_to_string(format!("{here}/../docs/guide/adoption.md")).unwrap();
    let code: String = ["models", "serializers", "admin", "apps"]
        .map(|name| fs::read_to_string(format!("{here}/django/after/notifications/{name}.py")).unwrap())
        .concat();
    let blocks: Vec<&str> = guide
        .split("```python\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() > 5, "{blocks:?}");
    for block in blocks {
        assert!(code.contains(block), "not in pgrx-tests/django/after:\n{block}");
    }
}
