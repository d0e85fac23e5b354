//! Commands for webhooks: registered, changed, switched, tried and deleted.

use anyhow::{Context, Result};
use serde_json::Value;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::fire;
use zentry_e2e::wait::eventually;

use crate::commands::{json, run};
use crate::support::{Ran, command};

#[test]
fn a_program_s_secret_is_printed() -> Result<()> {
    const GIVEN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let scene = Scene::start()?;
    let url = scene.emulator.register(Kind::Signed).url();
    let with = |variables: &[(&str, &str)], arguments: &[&str]| -> Result<Ran> {
        let mut command = command(&scene, "postgres")?;
        command.env("WEBHOOK_URL", &url).envs(variables.iter().copied());
        Ok(command.args(arguments).output()?.into())
    };
    let register = [
        "register",
        "--json",
        "--name",
        "Billing",
        "--webhook-type",
        "webhook",
    ];
    let headers = [("WEBHOOK_HEADERS", r#"{"authorization": "Bearer swordfish"}"#)];
    let registered = with(&headers, &[&register[..], &["--headers"]].concat())?;
    assert_eq!(registered.code, 0, "{}", registered.err);
    let one = json(&registered)?[0].clone();
    assert_eq!(one["header_names"], serde_json::json!(["authorization"]));
    let first = one["secret"].as_str().context("a secret")?.to_owned();
    assert!(first.starts_with("whsec_"), "{first}");
    let given = with(&[("WEBHOOK_SECRET", GIVEN)], &register)?;
    assert_eq!(
        (given.code, given.out.contains("whsec_")),
        (0, false),
        "{}",
        given.err
    );
    let id = one["id"].to_string();
    let next = with(&[], &["new-secret", &id, "--grace", "7 days", "--json"])?;
    assert_eq!(next.code, 0, "{}", next.err);
    assert_ne!(json(&next)?[0]["secret"], first.as_str());
    let taken = with(&[], &["update", &id, "--headers", "{}", "--json"])?;
    assert_eq!(
        json(&taken)?[0]["header_names"],
        serde_json::json!([]),
        "{}",
        taken.err
    );
    for arguments in [
        ["update", &id, "--headers", "swordfish"],
        ["update", &id, "--headers", r#"{"host": "swordfish"}"#],
        ["new-secret", &id, "--secret", "whsec_swordfish"],
    ] {
        let refused = with(&[], &arguments)?;
        assert_eq!(refused.code, 1, "{arguments:?}");
        assert!(!refused.err.contains("swordfish"), "{}", refused.err);
    }
    Ok(())
}

#[test]
fn a_webhook_is_registered_changed_and_resumed() -> Result<()> {
    let mut scene = Scene::start()?;
    let webhook = scene.emulator.discord_webhook();
    let registered = run(
        &scene,
        &[
            "register",
            "--json",
            "--name",
            "Backend channel",
            "--webhook-type",
            "discord",
            "--webhook-url",
            &webhook.url(),
            "--event-type",
            "daily_streak",
            "--digest",
            "1 hour",
            "--milestones",
            "50,100",
            "--min-interval",
            "2 seconds",
        ],
    )?;
    assert_eq!(registered.code, 0, "{}", registered.err);
    let one = json(&registered)?[0].clone();
    assert_eq!(
        (&one["digest"], &one["milestones"], &one["min_interval"]),
        (
            &"1 hour".into(),
            &serde_json::json!([50, 100]),
            &"00:00:02".into()
        )
    );
    let id = one["id"].to_string();
    // A URL that is in the environment is not meant for every update.
    let elsewhere = |arguments: &[&str]| -> Result<Ran> {
        let mut command = command(&scene, "postgres")?;
        Ok(command
            .env("WEBHOOK_URL", "https://elsewhere.example/x")
            .args(arguments)
            .output()?
            .into())
    };
    let renamed = elsewhere(&["update", &id, "--name", "Backend"])?;
    assert_eq!(renamed.code, 0, "{}", renamed.err);
    let moved = elsewhere(&["update", &id, "--webhook-url"])?;
    assert!(moved.err.contains("elsewhere.example"), "{}", moved.err);
    let wrong = run(&scene, &["update", &id, "--digest", "often"])?;
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("hint: For example '1 hour'"), "{}", wrong.err);
    let changed = run(
        &scene,
        &[
            "update",
            &id,
            "--json",
            "--digest",
            "",
            "--milestones",
            "",
            "--notices",
            "true",
        ],
    )?;
    assert_eq!(changed.code, 0, "{}", changed.err);
    let one = json(&changed)?[0].clone();
    assert_eq!(
        (
            &one["digest"],
            &one["milestones"],
            &one["notices"],
            &one["min_interval"]
        ),
        (&Value::Null, &Value::Null, &true.into(), &"00:00:02".into())
    );

    webhook.script([Behaviour::RateLimited {
        retry_after: std::time::Duration::from_secs(3600),
        global: false,
    }]);
    fire(&mut scene.client)?;
    webhook.wait_for(1, SOON);
    eventually(SOON, "the delivery to wait", || {
        let row = scene.client.query_one(
            "SELECT count(*) FROM zentry_notify.logs WHERE status = 'retry'",
            &[],
        );
        (row.ok()?.get::<_, i64>(0) > 0).then_some(())
    })?;
    let resumed = run(&scene, &["resume", &id])?;
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    webhook.wait_for_events(1, SOON);
    assert_eq!(run(&scene, &["resume", "987654"])?.code, 1);
    assert_eq!(run(&scene, &["update", "987654", "--name", "x"])?.code, 1);
    Ok(())
}

#[test]
fn webhooks_are_switched_and_deleted_by_their_ids() -> Result<()> {
    let mut scene = Scene::start()?;
    let (one, other) = (scene.channel(Kind::Discord)?, scene.channel(Kind::Workflow)?);
    let (one, other) = (one.id.to_string(), other.id.to_string());
    let active = |scene: &Scene| -> Result<Vec<bool>> {
        let listed = json(&run(scene, &["integrations", "--json"])?)?;
        let all = listed.as_array().context("a list")?;
        Ok(all.iter().filter_map(|one| one["is_active"].as_bool()).collect())
    };
    let off = run(&scene, &["disable", &one, &other])?;
    assert_eq!(
        (off.code, off.out.matches(" no").count()),
        (0, 2),
        "{}{}",
        off.out,
        off.err
    );
    assert_eq!(active(&scene)?, [false, false]);
    // All or none.
    assert_eq!(run(&scene, &["enable", &one, "987654"])?.code, 1);
    assert_eq!(active(&scene)?, [false, false]);
    assert_eq!(run(&scene, &["enable", &one, &other])?.code, 0);
    assert_eq!(active(&scene)?, [true, true]);

    let unasked = run(&scene, &["delete", &one])?;
    assert_eq!(unasked.code, 1);
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    let unknown = run(&scene, &["delete", &one, "987654", "--yes"])?;
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.err.contains("no webhook with id 987654"),
        "{}",
        unknown.err
    );
    assert_eq!(active(&scene)?.len(), 2);
    let deleted = run(&scene, &["delete", &one, "--yes", "--json"])?;
    assert_eq!((deleted.code, json(&deleted)?[0]["id"].to_string()), (0, one));
    assert_eq!(active(&scene)?.len(), 1);
    Ok(())
}

/// What is allowed, and as a rule not meant: it is done, and said.
#[test]
fn what_is_as_a_rule_not_meant_is_warned_of() -> Result<()> {
    let mut scene = Scene::start()?;
    let url = scene.emulator.discord_webhook().url();
    let register = |scene: &Scene, name: &str, more: &[&str]| -> Result<Ran> {
        let arguments = [
            "register",
            "--name",
            name,
            "--webhook-type",
            "discord",
            "--webhook-url",
            &url,
            "--json",
        ];
        let ran = run(scene, &[&arguments[..], more].concat())?;
        assert_eq!(ran.code, 0, "{}", ran.err);
        Ok(ran)
    };
    let first = register(&scene, "First", &["--project-id", "1"])?;
    assert_eq!(first.err, "");
    let first = json(&first)?[0]["id"].to_string();
    let second = register(&scene, "Second", &[])?;
    let same = format!(
        "warning: webhook {} (Second): webhook {first} (First) has the same URL",
        json(&second)?[0]["id"]
    );
    assert!(second.err.contains(&same), "{}", second.err);
    assert_eq!(second.err.lines().count(), 1, "{}", second.err);
    let third = register(&scene, "Third", &["--project-id", "987654"])?;
    assert!(third.err.contains("there is no project 987654"), "{}", third.err);
    // SQL says the same.
    let (told, notices) = std::sync::mpsc::channel();
    let mut config = postgres::Config::new();
    let cluster = scene.database.cluster();
    config
        .host_path(cluster.dir())
        .port(cluster.port())
        .user("postgres")
        .dbname(scene.database.name())
        .notice_callback(move |notice| drop(told.send(notice.message().to_owned())));
    let mut client = config.connect(postgres::NoTls)?;
    client.execute(
        "SELECT zentry_register_webhook('Fourth', 'discord', $1, 987654)",
        &[&url],
    )?;
    client.execute(
        "SELECT zentry_update_webhook($1, name => 'Renamed')",
        &[&first.parse::<i64>()?],
    )?;
    drop(client);
    let notices: Vec<String> = notices.try_iter().collect();
    assert_eq!(notices.len(), 2, "{notices:#?}");
    assert!(
        notices[0].contains("has the same URL") && notices[1].contains("there is no project 987654"),
        "{notices:#?}"
    );
    scene.client.batch_execute("SELECT zentry_detach('tasks_task')")?;
    let deaf = run(&scene, &["update", &first, "--event-type", "task_completed"])?;
    assert!(
        deaf.err
            .contains("it hears nothing: no table is attached for task_completed"),
        "{}",
        deaf.err
    );
    Ok(())
}

/// A mistyped number is no webhook that has sent nothing.
#[test]
fn what_is_not_there_is_an_error_with_a_hint() -> Result<()> {
    let scene = Scene::start()?;
    for arguments in [
        &["logs", "--webhook", "4711"][..],
        &["logs", "--webhook", "4711", "--follow"],
        &["logs", "--attempts", "4711"],
        &["retry", "4711"],
        &["retry", "--failed", "--webhook", "4711"],
        &["update", "4711", "--name", "x"],
        &["resume", "4711"],
        &["new-secret", "4711"],
        &["enable", "4711"],
        &["delete", "4711", "--yes"],
        &["wording", "preview", "task_completed", "--webhook", "4711"],
        &["language", "de", "--webhook", "4711"],
        &["test-webhook", "--event-type", "lunch"],
        &["token", "revoke", "nobody's"],
        &["traces"],
    ] {
        let ran = run(&scene, arguments)?;
        assert_eq!(ran.code, 1, "{arguments:?}: {}{}", ran.out, ran.err);
        let (error, hint) = ran.err.split_once("\nhint: ").unwrap_or_default();
        assert!(
            error.starts_with("error: ") && hint.ends_with(".\n"),
            "{arguments:?}: {}",
            ran.err
        );
    }
    Ok(())
}
