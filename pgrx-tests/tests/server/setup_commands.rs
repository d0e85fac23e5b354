//! Webhooks that are set up by one command, for a script or an installer.

use anyhow::Result;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::id;

use crate::commands::{json, run};
use crate::support::{Ran, command};

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
    for option in ["--discord-url", "--teams-url"] {
        assert!(nothing.err.contains(option), "{}", nothing.err);
    }
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
