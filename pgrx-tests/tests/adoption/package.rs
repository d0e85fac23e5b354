//! django-zentry-notify: in the place of the application's own integration, and its own tests.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Stdio};

use zentry_e2e::emulator::{Kind, Limits};
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry;

use crate::django::{DJANGO_4_2, DJANGO_5_2, DJANGO_6_1, Project, Release, source};

#[test]
fn with_django_4_2() {
    goes_over_and_back(&DJANGO_4_2);
}

#[test]
fn with_django_5_2() {
    goes_over_and_back(&DJANGO_5_2);
}

#[test]
fn with_django_6_1() {
    goes_over_and_back(&DJANGO_6_1);
}

fn goes_over_and_back(release: &'static Release) {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    let webhook = scene.emulator.register(Kind::Discord);
    webhook.limit(Limits::default());
    let Some(project) = Project::new(&scene.database, &mut scene.client, release) else {
        return;
    };
    project.run_before(&webhook);
    scene.install().unwrap();
    let manager = format!("SELECT zentry_grant('{}', 'manager')", project.role());
    scene.client.batch_execute(&manager).unwrap();
    // Another webhook, so that events are captured before the application's are taken over. Their numbers stay free.
    let channels = [(); 3].map(|()| scene.channel(Kind::Discord).unwrap());
    channels[2].webhook.limit(Limits::default());
    for taken in &channels[..2] {
        let delete = format!("SELECT zentry_delete_webhook({})", taken.id);
        scene.client.batch_execute(&delete).unwrap();
    }

    // Over, while the application runs as it was.
    zentry::bulk_create_tasks(&mut scene.client, zentry::id::WEBSITE, zentry::id::ADA, 3000).unwrap();
    let (mut old_process, input) = start_old_process(&project);
    project.replace_app();
    project.manage(&["migrate"]);
    drop(input);
    assert!(old_process.wait().unwrap().success());
    scene.settle().unwrap();
    each_was_told_once(&mut scene);
    assert!(
        project
            .manage(&["makemigrations", "--check"])
            .contains("No changes")
    );
    project.check("moved", "6", &webhook.url());
    scene.settle().unwrap();
    assert_eq!(times_told(&mut scene, 6), (0, 1));

    // Back.
    project.manage(&["migrate", "notifications", "0001"]);
    project.copy("before");
    project.check("given_back", "", &webhook.url());
    scene.settle().unwrap();
    assert_eq!(times_told(&mut scene, 5), (1, 0));

    // And over again, for the package's own tests.
    project.replace_app();
    // Its files are nobody's any more, but others import them still: the project's URLs do.
    project.remove("notifications");
    project.manage(&["migrate"]);
    project.check("moved", "7", &webhook.url());
    scene.settle().unwrap();
    assert_eq!(times_told(&mut scene, 7), (0, 1));
    project.test_package("test_*.py", &webhook, &scene.emulator);
    let url = webhook.url();
    let token = url.rsplit('/').next().unwrap();
    assert_eq!(
        scene.database.cluster().log_contains(token).unwrap(),
        !release.sends_values_apart,
        "whether a URL is in the server's log"
    );
}

/// Who may not create the extension, or use it, is told what a superuser has to do.
#[test]
fn what_migrate_lacks_it_says() {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    let webhook = scene.emulator.register(Kind::Discord);
    let project = Project::new(&scene.database, &mut scene.client, &DJANGO_5_2).unwrap();
    project.run_before(&webhook);
    project.replace_app();
    let grant = format!("SELECT zentry_grant('{}', 'manager');", project.role());
    let said = project.manage_in_vain(&["migrate"]);
    assert!(
        said.contains("CREATE EXTENSION zentry_notify;\n") && said.contains(&grant),
        "{said}"
    );
    let said = project.manage_in_vain(&["check", "--database", "default", "--fail-level", "WARNING"]);
    assert!(said.contains("zentry_notify.W001"), "{said}");
    scene.install().unwrap();
    let said = project.manage_in_vain(&["migrate"]);
    assert!(said.contains(&grant), "{said}");
    assert_eq!(active(&mut scene), 2);
    scene
        .client
        .batch_execute("DROP EXTENSION zentry_notify")
        .unwrap();
    project.manage_as_superuser(&["migrate"]);
    assert_eq!(active(&mut scene), 1);
    scene.client.batch_execute(&grant).unwrap();
    project.check("moved", "6", &webhook.url());
    scene.settle().unwrap();
    assert_eq!(times_told(&mut scene, 6), (0, 1));
}

/// How many of the application's own integrations are switched on.
fn active(scene: &mut Scene) -> i64 {
    let count = "SELECT count(*) FROM notifications_webhookintegration WHERE is_active";
    scene.client.query_one(count, &[]).unwrap().get(0)
}

/// It, and the input that keeps it going.
fn start_old_process(project: &Project) -> (Child, ChildStdin) {
    let mut command = project.python();
    command
        .arg(source("checks/old_process.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut said = String::new();
    let stdout = process.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    let input = process.stdin.take().unwrap();
    (process, input)
}

/// How often the application and the extension have told the webhook's channel of a task.
const TOLD: &str = "SELECT t.id, \
        (SELECT count(*) FROM notifications_notificationlog l JOIN notifications_webhookintegration w ON w.id = l.webhook_integration_id \
          WHERE w.name = 'Website team' AND l.payload ->> 'task_id' = t.id::text) AS by_application, \
        (SELECT count(*) FROM zentry_notify.logs l WHERE l.webhook_integration_name = 'Website team' AND l.event_type = 'task_completed' \
            AND l.payload ->> 'task_id' = t.id::text) AS by_extension \
   FROM tasks_task t";

fn times_told(scene: &mut Scene, task: i64) -> (i64, i64) {
    let row = scene
        .client
        .query_one(&format!("{TOLD} WHERE t.id = $1"), &[&task])
        .unwrap();
    (row.get(1), row.get(2))
}

fn each_was_told_once(scene: &mut Scene) {
    let wrong = format!(
        "SELECT string_agg(told::text, ' ') FILTER (WHERE by_application + by_extension <> 1), sum(by_application)::bigint, sum(by_extension)::bigint \
         FROM ({TOLD} WHERE t.title LIKE 'Task %' AND t.status = 'completed') told"
    );
    let row = scene.client.query_one(&wrong, &[]).unwrap();
    let (wrong, by_application, by_extension): (Option<String>, i64, i64) =
        (row.get(0), row.get(1), row.get(2));
    assert_eq!(wrong, None, "(task, told by the application, by the extension)");
    assert!(
        by_application > 0 && by_extension > 0,
        "{by_application} by the application, {by_extension} by the extension"
    );
}
