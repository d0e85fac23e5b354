//! The configuration as a file: `export`, `diff` and `apply`.

mod desk;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use postgres::Client;
use serde_json::Value;
use zentry_e2e::emulator::Kind;

use crate::compare;
use crate::guide::blocks;
use crate::support::{command, program};
pub use desk::Desk;

/// The rows of a table, without what is another one each time.
fn kept(client: &mut Client, table: &str) -> Result<Vec<Value>> {
    let sql = format!(
        "SELECT to_jsonb(t) - '{{id,created_at,updated_at,activated_at,webhook_integration_id,notify_webhook_id}}'::text[] \
                || jsonb_build_object('of', (SELECT w.name FROM zentry_notify.webhook w WHERE w.id::text = to_jsonb(t) ->> 'webhook_integration_id'), \
                                      'told', (SELECT w.name FROM zentry_notify.webhook w WHERE w.id::text = to_jsonb(t) ->> 'notify_webhook_id')) \
           FROM zentry_notify.{table} t ORDER BY 1"
    );
    Ok(client.query(&sql, &[])?.iter().map(|row| row.get(0)).collect())
}

const TABLES: [&str; 5] = [
    "webhook",
    "webhook_secret",
    "event_type",
    "event_wording",
    "event_source",
];

#[test]
fn everything_comes_back_as_it_was() -> Result<()> {
    // What is not set by people, or cannot be.
    const NOT_SET: [&str; 9] = [
        "event_source.progress",
        "event_source.rider",
        "event_source.suspended_at",
        "event_source.suspended_reason",
        "event_source.delete_when",
        "webhook.switched_off_at",
        "webhook.switched_off_reason",
        "webhook_secret.previous_secret",
        "webhook_secret.previous_until",
    ];
    let mut desk = Desk::full()?;
    // Whoever adds a column sets it above, and sees that it comes back.
    let columns = desk.scene.client.query(
        "SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
          WHERE c.relnamespace = 'zentry_notify'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND c.relname = ANY ($1)",
        &[&&TABLES[..]],
    )?;
    let names = columns
        .iter()
        .map(|row| (row.get::<_, String>(0), row.get::<_, String>(1)));
    for (table, column) in names.filter(|(table, column)| !NOT_SET.contains(&&*format!("{table}.{column}"))) {
        let set: bool = desk
            .scene
            .client
            .query_one(
                &format!(
                    "SELECT count(DISTINCT to_jsonb(t) -> '{column}') > 1 OR bool_or(to_jsonb(t) ->> '{column}' NOT IN ('', '[]', '{{}}', 'false', '0')) \
                       FROM zentry_notify.{table} t"
                ),
                &[],
            )?
            .get::<_, Option<bool>>(0)
            .unwrap_or_default();
        assert!(set, "no {table} has another {column} than others have");
    }
    let before: Vec<Vec<Value>> = TABLES
        .iter()
        .map(|table| kept(&mut desk.scene.client, table))
        .collect::<Result<_>>()?;
    let text = desk.export()?;
    for secret in desk.secrets.values() {
        let end = &secret[secret.len() - 10..];
        assert!(!text.contains(end), "{text}");
    }
    let empty = "SELECT zentry_detach(r) FROM (SELECT DISTINCT s.relation AS r FROM zentry_notify.event_sources s) x; \
        SELECT zentry_delete_webhook(w.id) FROM zentry_notify.webhooks w; \
        SELECT zentry_set_language(NULL, l.webhook_integration_id) FROM (SELECT DISTINCT w.webhook_integration_id FROM zentry_notify.event_wordings w WHERE w.event_type = '*') l; \
        SELECT zentry_reset_event_type(w.event_type) FROM zentry_notify.event_wordings w WHERE w.event_type <> '*'; \
        SELECT zentry_unregister_event_type('release_published')";
    desk.scene.client.batch_execute(empty)?;
    assert_ne!(desk.export()?, text);
    desk.applied(&[], &text)?;
    assert_eq!(desk.export()?, text, "to the letter");
    for (table, before) in TABLES.iter().zip(before) {
        let after = kept(&mut desk.scene.client, table)?;
        assert_eq!(after, before, "{table}\n{text}");
    }
    // The same again touches nothing, and neither does looking.
    let rows = desk.rows()?;
    let again = desk.applied(&[], &text)?;
    assert!(
        again.out.contains("Nothing was changed."),
        "{}{}",
        again.out,
        again.err
    );
    let diff = desk.of("diff", &["--prune"], &text)?;
    assert_eq!((diff.code, desk.rows()?), (0, rows), "{}{}", diff.out, diff.err);
    // In files as well.
    let ran = desk.run(&["export", "--secrets-dir", "secrets", "files.toml"])?;
    assert_eq!(ran.code, 0, "{}", ran.err);
    fs::create_dir(desk.directory.0.join("secrets"))?;
    let files = fs::read_to_string(desk.directory.0.join("files.toml"))?;
    for (variable, file) in [
        ("ZENTRY_BACKEND_CHANNEL_URL", "backend-channel.url"),
        ("ZENTRY_OPS_URL", "ops.url"),
        ("ZENTRY_SPACE_URL", "space.url"),
        ("ZENTRY_BILLING_URL", "billing.url"),
        ("ZENTRY_BILLING_SECRET", "billing.secret"),
        ("ZENTRY_BILLING_AUTHORIZATION", "billing.authorization"),
    ] {
        assert!(
            files.contains(&format!("{{ file = \"secrets/{file}\" }}")),
            "{files}"
        );
        fs::write(
            desk.directory.0.join("secrets").join(file),
            format!("{}\n", desk.secrets[variable]),
        )?;
    }
    desk.secrets.clear();
    let diff = desk.run(&["diff", "files.toml"])?;
    assert_eq!(diff.code, 0, "{}{}", diff.out, diff.err);
    Ok(())
}

#[test]
fn what_would_be_changed_is_shown_and_then_done() -> Result<()> {
    let mut desk = Desk::full()?;
    let text = desk.export()?;
    let other = desk.scene.emulator.register(Kind::Discord).url();
    let without_filter = text.lines().filter(|line| !line.starts_with("filter = "));
    let changed = (without_filter.collect::<Vec<_>>().join("\n") + "\n")
        .replace("notices = true", "notices = true\nis_active = false")
        .replace("notify_webhook = \"Ops\"", "notify_webhook = \"Space\"")
        .replace("footer = \"f\"\n", "");
    let rows = desk.rows()?;
    desk.secrets.insert("ZENTRY_OPS_URL", other);
    let diff = desk.of("diff", &["--json"], &changed)?;
    assert_eq!(diff.code, 1, "{}", diff.err);
    assert_eq!(desk.rows()?, rows, "looking changes nothing");
    let told: Vec<Value> = serde_json::from_str(&diff.out)?;
    let columns: BTreeSet<String> = told
        .iter()
        .filter(|one| one["object_type"] == "webhook")
        .flat_map(|one| {
            let name = one["object_name"].as_str().unwrap_or_default().to_owned();
            let columns = one["changes"].as_object().into_iter().flatten();
            columns.map(move |(column, _)| format!("{name}: {column}"))
        })
        .collect();
    let expected = [
        "Backend channel: filter",
        "Backend channel: notify_webhook_id",
        "Ops: is_active",
        "Ops: webhook_url",
    ];
    assert_eq!(columns, expected.map(str::to_owned).into(), "{told:#?}");
    assert!(
        told.iter().any(|one| one["object_type"] == "wording"),
        "{told:#?}"
    );
    let applied = desk.applied(&["--json"], &changed)?;
    let done: Vec<Value> = serde_json::from_str(&applied.out)?;
    let said = |all: &[Value]| -> Vec<Value> { all.iter().map(|one| one["changes"].clone()).collect() };
    assert_eq!(said(&done), said(&told));
    assert_eq!(desk.of("diff", &[], &changed)?.code, 0);
    // Whoever has no secrets can do without.
    desk.secrets.clear();
    let without = desk.of("diff", &[], &changed)?;
    assert_eq!(without.code, 2, "{}", without.out);
    assert!(
        without
            .err
            .contains("the environment has no ZENTRY_BACKEND_CHANNEL_URL\nhint: Set it: ")
            && without
                .err
                .contains("the environment has no ZENTRY_BILLING_SECRET"),
        "{}",
        without.err
    );
    let keeps = desk.of("diff", &["--keep-secrets"], &changed)?;
    assert_eq!(keeps.code, 0, "{}{}", keeps.out, keeps.err);
    Ok(())
}

#[test]
fn what_is_not_in_the_file_stays_unless_it_is_pruned() -> Result<()> {
    let mut desk = Desk::full()?;
    let text = desk.export()?;
    let ops = text
        .find("[webhook.Ops]")
        .map(|at| text[at..].split("\n\n").next().unwrap_or_default().to_owned())
        .context("the webhook")?;
    let rows = desk.rows()?;
    let left = desk.applied(&[], &ops)?;
    assert_eq!(desk.rows()?, rows);
    for what in [
        "webhook \"Backend channel\" is not in the file, and stays",
        "event type release_published",
        "wording milestone_reached ",
        "event source task_completed of public.job",
    ] {
        assert!(left.err.contains(what), "{what}: {}", left.err);
    }
    assert!(!left.err.contains("webhook \"Ops\""), "{}", left.err);
    let diff = desk.of("diff", &["--prune"], &ops)?;
    assert_eq!((diff.code, desk.rows()?), (1, rows), "{}", diff.err);
    desk.applied(&["--prune"], &ops)?;
    let head = text.lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(desk.export()?.trim(), format!("{head}\n\n{ops}").trim());
    // One of Zentry's own comes back alone.
    let source =
        "\n[[source]]\nevent_type = \"daily_streak\"\ntable = \"public.users_user\"\nbuilt_in = true\n";
    let both = format!("{ops}\n{source}");
    desk.applied(&["--prune"], &both)?;
    assert_eq!(desk.export()?.trim(), format!("{head}\n\n{both}").trim());
    Ok(())
}

#[test]
fn the_page_does_what_it_says() -> Result<()> {
    const PAGE: &str = include_str!("../../../docs/guide/configuration-as-code.md");
    let mut desk = Desk::new()?;
    let team = desk.scene.emulator.register(Kind::Discord).url();
    let path = program()?;
    let path = path.parent().context("a directory")?.display().to_string();
    let path = format!("{path}:{}", std::env::var("PATH")?);
    let secrets = [
        ("ZENTRY_TEAM_URL", team.clone()),
        ("OPERATIONS_URL", desk.scene.emulator.register(Kind::Slack).url()),
    ];
    let mut said: Option<String> = None;
    let mut compared = 0;
    for (kind, text) in blocks(PAGE) {
        match kind {
            "sql" => desk
                .scene
                .client
                .batch_execute(&text.replace("https://discord.com/api/webhooks/ID/TOKEN", &team))?,
            "toml" => desk.write(text)?,
            "sh run" => {
                let mut shell = Command::new("bash");
                let ours = command(&desk.scene, "postgres")?;
                for (name, value) in ours.get_envs() {
                    match value {
                        Some(value) => shell.env(name, value),
                        None => shell.env_remove(name),
                    };
                }
                let output = shell
                    .args(["-euc", &format!("exec 2>&1\n{text}")])
                    .env("PATH", &path)
                    .envs(secrets.clone())
                    .current_dir(&desk.directory.0)
                    .output()?;
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                ensure!(output.status.success(), "{text}");
                said = Some(text);
            }
            "text" => {
                compare::same(Some(text), &said.take().context("nothing was run")?)?;
                compared += 1;
            }
            _ => {}
        }
    }
    assert_eq!(compared, 3, "the page's answers");
    Ok(())
}
