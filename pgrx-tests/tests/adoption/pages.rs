//! The admin pages of django-zentry-notify in Chromium.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::django::{DJANGO_5_2, Project};

#[test]
fn django_s_admin_in_a_browser() {
    let mut scene = Scene::start().unwrap();
    let webhook = scene.emulator.register(Kind::Discord);
    let project = Project::new(&scene.database, &mut scene.client, &DJANGO_5_2).unwrap();
    let manager = format!("SELECT zentry_grant('{}', 'manager')", project.role());
    scene.client.batch_execute(&manager).unwrap();
    project.replace_app();
    project.manage(&["migrate"]);
    project.test_package("browser_*.py", &webhook, &scene.emulator);
}
