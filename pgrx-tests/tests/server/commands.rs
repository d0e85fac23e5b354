//! The command line.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::fire;
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::id;

use crate::support::{Directory, Ran, command};

fn run(scene: &Scene, arguments: &[&str]) -> Result<Ran> {
    Ok(command(scene, "postgres")?.args(arguments).output()?.into())
}

fn json(ran: &Ran) -> Result<Value> {
    serde_json::from_str(&ran.out).with_context(|| format!("{}{}", ran.out, ran.err))
}

#[test]
fn webhooks_are_set_up_tried_and_listed() -> Result<()> {
    let scene = Scene::start()?;
    let (discord, teams) = (scene.emulator.discord_webhook(), scene.emulator.workflow());
    let project = id::WEBSITE.to_string();
    let set_up = run(
        &scene,
        &[
            "setup-webhooks",
            "--discord-url",
            &discord.url(),
            "--teams-url",
            &teams.url(),
            "--project-id",
            &project,
        ],
    )?;
    assert_eq!(set_up.code, 0, "{}", set_up.err);
    let secret = discord.url();
    let secret = secret.rsplit('/').next().expect("a token");
    assert!(!set_up.out.contains(secret), "{}", set_up.out);
    let listed = run(&scene, &["integrations"])?;
    for text in ["Discord", "Microsoft Teams", "Website Relaunch", "all", "yes"] {
        assert!(listed.out.contains(text), "{text} is not in\n{}", listed.out);
    }
    let listed = json(&run(
        &scene,
        &["integrations", "--json", "--webhook-type", "teams"],
    )?)?;
    assert_eq!(
        (listed.as_array().map(Vec::len), &listed[0]["name"]),
        (Some(1), &"Microsoft Teams".into())
    );

    let tried = run(
        &scene,
        &[
            "test-webhook",
            "--event-type",
            "task_completed",
            "--project-id",
            &project,
        ],
    )?;
    assert_eq!(
        (tried.code, tried.out.matches("sent").count()),
        (0, 2),
        "{}{}",
        tried.out,
        tried.err
    );
    assert_eq!((discord.event_count(), teams.event_count()), (1, 1));
    // An outcome that is not good is another exit code than a mistake.
    teams.script([Behaviour::Status(400)]);
    let tried = run(&scene, &["test-webhook", "--project-id", &project, "--json"])?;
    assert_eq!(tried.code, 3, "{}", tried.err);
    assert_eq!(json(&tried)?[1]["status"], "failed");
    let nobody = run(&scene, &["test-webhook", "--project-id", "999999"])?;
    assert_eq!(nobody.code, 3, "{}", nobody.out);
    let unknown = run(&scene, &["test-webhook", "--event-type", "no_such_event"])?;
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.err.contains("hint: The event types are"),
        "{}",
        unknown.err
    );

    let failed = json(&run(
        &scene,
        &["logs", "--status", "failed", "--limit", "5", "--json"],
    )?)?;
    let failed = failed[0]["id"].to_string();
    let retried = json(&run(&scene, &["retry", &failed, "--json"])?)?;
    assert_ne!(retried[0]["new_log_id"].to_string(), failed);
    let again = run(&scene, &["retry", "999999"])?;
    assert_eq!(again.code, 1);
    assert!(
        again.err.contains("there is no delivery with id 999999"),
        "{}",
        again.err
    );
    Ok(())
}

#[test]
fn the_status_is_told_by_words_and_by_exit_code() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let well = run(&scene, &["status"])?;
    assert_eq!(well.code, 0, "{}{}", well.out, well.err);
    for text in ["WHAT MENDS IT", "library", "event task_completed", "1 active"] {
        assert!(well.out.contains(text), "{text} is not in\n{}", well.out);
    }
    assert_eq!(
        json(&run(&scene, &["status", "--problems", "--json"])?)?,
        serde_json::json!([])
    );
    // What needs attention is not broken.
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene.client)?;
    scene.settle()?;
    let attention = eventually(SOON, "the failure to be counted", || {
        let ran = run(&scene, &["status", "--problems", "--json"]).ok()?;
        ran.out.contains("zentry_retry_failed").then_some(ran)
    })?;
    assert_eq!(
        (attention.code, &json(&attention)?[0]["state"]),
        (0, &"attention".into())
    );
    scene
        .client
        .batch_execute("ALTER TABLE tasks_task DISABLE TRIGGER USER")?;
    let broken = run(&scene, &["status", "--problems", "--json"])?;
    assert_eq!(broken.code, 4, "{}{}", broken.out, broken.err);
    let found = json(&broken)?;
    assert!(
        found.as_array().is_some_and(
            |all| !all.is_empty() && all.iter().all(|one| one["state"] != "ok" && one["remedy"] != "")
        ),
        "{found:#}"
    );
    Ok(())
}

#[test]
fn urls_can_come_by_the_environment() -> Result<()> {
    let scene = Scene::start()?;
    let output = command(&scene, "postgres")?
        .arg("setup-webhooks")
        .env("TEAMS_WEBHOOK_URL", scene.emulator.connector().url())
        .output()?;
    let ran = Ran::from(output);
    assert_eq!(
        (ran.code, ran.out.matches("Teams").count()),
        (0, 1),
        "{}{}",
        ran.out,
        ran.err
    );
    let nothing = run(&scene, &["setup-webhooks"])?;
    assert_eq!(nothing.code, 2, "{}", nothing.err);
    // Both or none.
    let wrong = run(
        &scene,
        &[
            "setup-webhooks",
            "--discord-url",
            &scene.emulator.discord_webhook().url(),
            "--teams-url",
            "https://example.com/",
        ],
    )?;
    assert_eq!(wrong.code, 1);
    assert_eq!(
        json(&run(&scene, &["integrations", "--json"])?)?
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    Ok(())
}

#[test]
fn logs_are_followed() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    fire(&mut scene.client)?;
    scene.settle()?;
    let mut child = command(&scene, "postgres")?
        .args(["logs", "--follow", "--limit", "1", "--json"])
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let mut lines = lines.map(|line| -> Result<Value> { Ok(serde_json::from_str(&line?)?) });
    let mut next = || lines.next().context("it ended")?;
    assert_eq!(next()?["status"], "sent");
    channel.webhook.script([Behaviour::Hang]);
    fire(&mut scene.client)?;
    let waits = next()?;
    assert_eq!(waits["status"], "pending");
    scene.client.batch_execute("UPDATE zentry_notify.notification_log SET status = 'failed', error_message = 'x' WHERE status = 'pending'")?;
    let failed = next()?;
    assert_eq!(
        (&failed["id"], &failed["status"]),
        (&waits["id"], &"failed".into())
    );
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn every_command_explains_itself() -> Result<()> {
    let scene = Scene::start()?;
    for name in [
        "serve",
        "test-webhook",
        "setup-webhooks",
        "integrations",
        "logs",
        "retry",
        "status",
        "completions",
        "man",
    ] {
        let help = run(&scene, &[name, "--help"])?;
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Example"), "{name}: {}", help.out);
        assert!(
            help.out.lines().all(|line| line.chars().count() <= 120),
            "{name}: {}",
            help.out
        );
    }
    assert!(run(&scene, &["--help"])?.out.contains("Exit codes:"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            run(&scene, &["completions", shell])?
                .out
                .contains("setup-webhooks"),
            "{shell}"
        );
    }
    let pages = Directory::new()?;
    let path = pages.0.to_str().context("a path")?;
    assert_eq!(run(&scene, &["man", path])?.code, 0);
    assert!(fs::read_to_string(pages.0.join("zentry-notify-logs.1"))?.contains("follow"));
    assert_eq!(run(&scene, &["no-such-command"])?.code, 2);
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
