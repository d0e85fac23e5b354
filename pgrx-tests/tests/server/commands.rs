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

use crate::support::{Directory, Ran, command};

pub fn run(scene: &Scene, arguments: &[&str]) -> Result<Ran> {
    Ok(command(scene, "postgres")?.args(arguments).output()?.into())
}

pub fn json(ran: &Ran) -> Result<Value> {
    serde_json::from_str(&ran.out).with_context(|| format!("{}{}", ran.out, ran.err))
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
    assert_eq!(
        run(&scene, &["status", "--problems"])?.out,
        "",
        "cron mails what is said"
    );
    // What needs attention is not broken, but a problem.
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene.client)?;
    scene.settle()?;
    let attention = eventually(SOON, "the failure to be counted", || {
        let ran = run(&scene, &["status", "--problems", "--json"]).ok()?;
        ran.out.contains("zentry_retry_failed").then_some(ran)
    })?;
    assert_eq!(
        (attention.code, &json(&attention)?[0]["state"]),
        (1, &"attention".into())
    );
    assert_eq!(run(&scene, &["status"])?.code, 0);
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
fn without_any_of_before_logs_are_followed_from_now_on() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    fire(&mut scene.client)?;
    let old = scene.settle()?;
    assert!(!old.is_empty());
    let mut child = command(&scene, "postgres")?
        .args(["logs", "--follow", "--limit", "0"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let mut next = || -> Result<String> { Ok(lines.next().context("it ended")??) };
    assert!(next()?.starts_with("ID"));
    fire(&mut scene.client)?;
    let line = next()?;
    let id: i64 = line.split_whitespace().next().context("no id")?.parse()?;
    assert!(old.iter().all(|one| one.id < id), "{line}");
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn every_command_explains_itself() -> Result<()> {
    let scene = Scene::start()?;
    for name in [
        "serve",
        "send",
        "test-webhook",
        "setup-webhooks",
        "integrations",
        "logs",
        "retry",
        "status",
        "register",
        "update",
        "new-secret",
        "resume",
        "enable",
        "disable",
        "delete",
        "token",
        "wording",
        "language",
        "audit",
        "traces",
        "export",
        "diff",
        "apply",
        "completions",
        "man",
    ] {
        let help = run(&scene, &[name, "--help"])?;
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Example"), "{name}: {}", help.out);
        // What is the command's own comes first, and is not mixed with what all have.
        let (own, of_all) = help
            .out
            .split_once("Options of every command:")
            .context("no heading")?;
        assert!(own.contains("--help"), "{name}: {}", help.out);
        for option in ["--database-url ", "--database-url-file ", "--json"] {
            assert!(!own.contains(&format!("      {option}")), "{name}: {}", help.out);
            assert!(
                of_all.contains(&format!("      {option}")),
                "{name}: {}",
                help.out
            );
        }
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

/// Whoever reads what is printed may have heard enough.
#[test]
fn a_reader_that_goes_away_is_no_error() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["--help"],
        &["integrations"],
        &["integrations", "--json"],
        &["logs"],
        &["status"],
        &["token", "list"],
    ] {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let mut command = command(&scene, "postgres")?;
        let output = command
            .args(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()?;
        drop(command);
        let ran = Ran::from(output.wait_with_output()?);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn all_that_failed_is_sent_again_by_one_command() -> Result<()> {
    let mut scene = Scene::start()?;
    let (one, other) = (scene.channel(Kind::Discord)?, scene.channel(Kind::Discord)?);
    for channel in [&one, &other] {
        channel.webhook.script([Behaviour::Status(400)]);
    }
    fire(&mut scene.client)?;
    scene.settle()?;
    let retried = |scene: &Scene, arguments: &[&str]| -> Result<Value> {
        let ran = run(scene, &[&["retry", "--failed", "--json"], arguments].concat())?;
        assert_eq!(ran.code, 0, "{}", ran.err);
        Ok(json(&ran)?[0]["retried"].clone())
    };
    assert_eq!(retried(&scene, &["--event-type", "badge_earned"])?, 0);
    assert_eq!(retried(&scene, &["--since", "2100-01-01"])?, 0);
    assert_eq!(
        retried(&scene, &["--webhook", &one.id.to_string(), "--since", "1 day"])?,
        1
    );
    one.webhook.wait_for_events(1, SOON);
    assert_eq!(retried(&scene, &[])?, 1);
    other.webhook.wait_for_events(1, SOON);
    assert_eq!(retried(&scene, &[])?, 0, "each once");
    for wrong in [
        &["retry"][..],
        &["retry", "1", "--failed"],
        &["retry", "1", "--since", "1 day"],
    ] {
        assert_eq!(run(&scene, wrong)?.code, 2, "{wrong:?}");
    }
    Ok(())
}

#[test]
fn tokens_are_made_listed_and_revoked() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = crate::support::Server::start(&mut scene)?;
    let role = server.token(&mut scene, "reader")?.role;
    let made = run(
        &scene,
        &[
            "token",
            "create",
            "front end",
            "--role",
            &role,
            "--expires",
            "90 days",
        ],
    )?;
    assert_eq!(made.code, 0, "{}", made.err);
    let token = made.out.trim();
    assert!(
        token.starts_with("zentry_") && made.out.lines().count() == 1,
        "{}",
        made.out
    );
    assert_eq!(server.call("GET", "/metrics", Some(token), None)?.status, 200);
    let listed = json(&run(&scene, &["token", "list", "--json"])?)?;
    let all = listed.as_array().context("a list")?;
    let one = all
        .iter()
        .find(|one| one["name"] == "front end")
        .context("the token")?;
    assert_eq!(
        (&one["role"], &one["state"]),
        (&role.as_str().into(), &"good".into())
    );
    assert!(
        one["expires_at"].is_string() && one["last_used_at"].is_string(),
        "{one}"
    );
    assert!(!listed.to_string().contains(token), "no secret");
    assert_eq!(
        run(&scene, &["token", "create", "front end", "--role", &role])?.code,
        1,
        "one of a name"
    );
    assert_eq!(
        run(&scene, &["token", "create", "x", "--role", "postgres"])?.code,
        1,
        "no superuser's"
    );
    assert_eq!(
        run(
            &scene,
            &["token", "create", "x", "--role", &role, "--expires", "soon"]
        )?
        .code,
        2
    );
    assert_eq!(run(&scene, &["token", "revoke", "front end"])?.code, 0);
    assert_eq!(server.call("GET", "/metrics", Some(token), None)?.status, 401);
    assert_eq!(run(&scene, &["token", "revoke", "front end"])?.code, 1);
    Ok(())
}

#[test]
fn logs_are_searched_by_time_and_text() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    scene.client.execute(
        "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, status, error_message, created_at, sent_at) \
         SELECT $1, 'daily_streak', jsonb_build_object('user_name', 'user ' || n, 'note', '100 % \"true\"'), 'sent', '', \
                now() - (400 - n) * interval '1 hour', now() \
           FROM generate_series(1, 400) AS n",
        &[&channel.id],
    )?;
    let found = |scene: &Scene, arguments: &[&str]| -> Result<usize> {
        let all = ["--limit", "1000"];
        let limit: &[&str] = if arguments.contains(&"--limit") { &[] } else { &all };
        let ran = run(scene, &[&["logs", "--json"], arguments, limit].concat())?;
        assert_eq!(ran.code, 0, "{}", ran.err);
        Ok(json(&ran)?.as_array().map_or(0, Vec::len))
    };
    assert_eq!(found(&scene, &[])?, 400);
    assert_eq!(found(&scene, &["--since", "10 hours 30 minutes"])?, 11);
    assert_eq!(found(&scene, &["--since", "30 days"])?, 400);
    assert_eq!(found(&scene, &["--since", "2100-01-01"])?, 0);
    // As people read it: letters of either case, nothing of it a pattern, and no keys.
    assert_eq!(found(&scene, &["--search", "USER 39"])?, 11);
    assert_eq!(found(&scene, &["--search", "user 39", "--since", "5h30m"])?, 5);
    assert_eq!(found(&scene, &["--search", "100 % \"true\""])?, 400);
    assert_eq!(found(&scene, &["--search", "user_name"])?, 0);
    assert_eq!(found(&scene, &["--search", "user%9"])?, 0);
    assert_eq!(found(&scene, &["--search", "user 39", "--limit", "3"])?, 3);
    assert_eq!(run(&scene, &["logs", "--since", "yesterday"])?.code, 2);
    Ok(())
}
