//! The configuration as a file: `export`, `diff` and `apply`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use postgres::Client;
use serde_json::Value;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::compare;
use crate::guide::blocks;
use crate::support::{Directory, Ran, command, program, role_name};

/// The command, a file, and the environment that it needs.
struct Desk {
    scene: Scene,
    directory: Directory,
    role: String,
    secrets: BTreeMap<&'static str, String>,
}

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl Desk {
    fn new() -> Result<Self> {
        Ok(Self {
            scene: Scene::start()?,
            directory: Directory::new()?,
            role: "postgres".to_owned(),
            secrets: BTreeMap::new(),
        })
    }

    /// With everything that can be set, each in some webhook, event type, wording or source.
    fn full() -> Result<Self> {
        let mut desk = Self::new()?;
        for (name, kind) in [
            ("ZENTRY_BACKEND_CHANNEL_URL", Kind::Discord),
            ("ZENTRY_OPS_URL", Kind::Discord),
            ("ZENTRY_SPACE_URL", Kind::GoogleChat),
            ("ZENTRY_BILLING_URL", Kind::Signed),
        ] {
            desk.secrets
                .insert(name, desk.scene.emulator.register(kind).url());
        }
        desk.secrets.insert("ZENTRY_BILLING_SECRET", SIGNING.to_owned());
        desk.secrets
            .insert("ZENTRY_BILLING_AUTHORIZATION", "Bearer swordfish".to_owned());
        let url = |name: &str| desk.secrets[name].clone();
        let client = &mut desk.scene.client;
        client.batch_execute(&format!(
            r#"
            SELECT zentry_register_event_type('release_published', 'Release {{{{ version }}}}', text => E'**{{{{ version }}}}**\n"quoted" ''''''', fields => '{{"Who": "{{{{ who }}}}", "A": "b"}}',
                   colour => '#112233', emoji => '🚀', footer => 'below', time_key => 'at', sample => '{{"version": "2.0", "who": null, "at": "2026-11-29T08:00:00Z", "n": 1.50}}',
                   url => '/releases/{{{{ version }}}}', thumbnail => 'https://app.example.com/a.png');
            SELECT zentry_register_webhook('Ops', 'discord', '{ops}', notices => true);
            SELECT zentry_register_webhook('Backend channel', 'discord', '{backend}', 1, '{{task_completed,daily_streak,milestone_reached}}', false, 3,
                   omit_keys => '{{task_description}}', filter => '$.points > 20', min_streak_days => 7, milestones => '{{50,100}}',
                   quiet_hours => '22:00-07:00 Europe/Berlin', mention => 'role:123456789012345678', username => 'Ops "bot"', avatar_url => 'https://app.example.com/b.png',
                   announce => true, thread_name => 'Releases', applied_tags => '{{123456789012345678}}', rate_limit => '25/5min', rate_group => 'anna',
                   notify_webhook_id => 1, digest => '0 9 * * 1-5 Europe/Berlin', max_events_per_message => 5, min_interval => '2 seconds', max_age => '1 day 02:00:00');
            SELECT zentry_register_webhook('Space', 'google_chat', '{space}', thread_by => 'task');
            SELECT zentry_register_webhook('Billing', 'webhook', '{billing}', secret => '{SIGNING}', headers => '{{"Authorization": "Bearer swordfish"}}');
            SELECT zentry_set_wording(e, w, title => 'T', text => 'x {{{{ project_name }}}}', fields => '{{"Project": "{{{{ project_name }}}}"}}', colour => '#445566', emoji => CASE WHEN w IS NULL THEN '' ELSE '🎉' END, footer => 'f',
                   url => '/x', thumbnail => '/y') FROM (VALUES ('milestone_reached', NULL), ('task_completed', 2)) v (e, w);
            SELECT zentry_set_language('de'); SELECT zentry_set_language('fr', 2);
            CREATE TABLE release (id bigint PRIMARY KEY, version text, author text, shipped boolean);
            SELECT zentry_attach('release_published', 'release', '{{"version": "upper(new.version)", "who": "author", "n": {{"value": 1.50}}, "at": null, "none": {{"value": null}}}}',
                   condition => $$NEW.shipped AND NEW.version <> 'x'$$, operation => 'insert, update', audience => '{{"all": true}}');
            CREATE TABLE job (id bigint PRIMARY KEY, title text, state text);
            SELECT zentry_attach('task_completed', 'job', done => 'finished');
            SELECT zentry_omit('task_completed', 'tasks_task', '{{task_description}}');
            SELECT zentry_omit('release_published', 'release', '{{who}}');
            "#,
            ops = url("ZENTRY_OPS_URL"),
            backend = url("ZENTRY_BACKEND_CHANNEL_URL"),
            space = url("ZENTRY_SPACE_URL"),
            billing = url("ZENTRY_BILLING_URL"),
        ))?;
        Ok(desk)
    }

    fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let mut command = command(&self.scene, &self.role)?;
        command
            .args(arguments)
            .envs(&self.secrets)
            .current_dir(&self.directory.0);
        Ok(command.output()?.into())
    }

    fn export(&self) -> Result<String> {
        let ran = self.run(&["export"])?;
        ensure!(ran.code == 0, "{}", ran.err);
        Ok(ran.out)
    }

    fn write(&self, text: &str) -> Result<()> {
        Ok(fs::write(self.directory.0.join("zentry.toml"), text)?)
    }

    /// What the command says of the file.
    fn of(&self, command: &str, options: &[&str], text: &str) -> Result<Ran> {
        self.write(text)?;
        self.run(&[&[command], options, &["zentry.toml"]].concat())
    }

    fn applied(&self, options: &[&str], text: &str) -> Result<Ran> {
        let ran = self.of("apply", options, text)?;
        ensure!(ran.code == 0, "{}\n{text}", ran.err);
        Ok(ran)
    }

    /// Everything that is configuration, and which versions of rows it is.
    fn rows(&mut self) -> Result<String> {
        const ROWS: &str = "SELECT string_agg(r, E'\\n' ORDER BY r) FROM (
            SELECT concat_ws(' ', w.xmin, w::text) AS r FROM zentry_notify.webhook w
            UNION ALL SELECT concat_ws(' ', s.xmin, s::text) FROM zentry_notify.webhook_secret s
            UNION ALL SELECT concat_ws(' ', t.xmin, t::text) FROM zentry_notify.event_type t
            UNION ALL SELECT concat_ws(' ', w.xmin, w::text) FROM zentry_notify.event_wording w
            UNION ALL SELECT concat_ws(' ', s.xmin, s::text) FROM zentry_notify.event_source s
            UNION ALL SELECT concat_ws(' ', t.tgrelid::regclass, t.tgname, t.xmin) FROM pg_trigger t WHERE NOT t.tgisinternal
            UNION ALL SELECT a::text FROM zentry_notify.audit_entry a) x";
        Ok(self.scene.client.query_one(ROWS, &[])?.get(0))
    }
}

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
fn what_is_wrong_is_said_with_its_place_and_changes_nothing() -> Result<()> {
    const HEAD: &str = "[webhook.Ops]\nwebhook_type = \"discord\"\nurl = { env = \"ZENTRY_OPS_URL\" }\n";
    const NEW: &str = "[webhook.New]\nwebhook_type = \"discord\"\nurl = { env = \"ZENTRY_OPS_URL\" }\n";
    const SOURCE: &str = "[[source]]\nevent_type = \"daily_streak\"\ntable = \"public.users_user\"\n";
    let mut desk = Desk::full()?;
    let rows = desk.rows()?;
    let cases = [
        ("= 1".to_owned(), "zentry.toml:1:1: "),
        (
            format!("{HEAD}evnt_types = []\n"),
            "zentry.toml:4:1: unknown key \"evnt_types\"\nhint: Perhaps \"event_types\" is meant.",
        ),
        (
            format!("{HEAD}event_types = [\"no_such\"]\n"),
            "zentry.toml:4:1: unknown event type \"no_such\"\nhint: The event types are",
        ),
        (format!("{HEAD}digest = \"often\"\n"), "zentry.toml:4:1: "),
        (
            format!("{HEAD}notify_webhook = \"Nobody\"\n"),
            "zentry.toml:4:1: there is no webhook \"Nobody\"\nhint: ",
        ),
        (
            format!("{HEAD}created_by_id = 9\n"),
            "zentry.toml:4:1: who registered a webhook can't be changed\nhint: ",
        ),
        (
            HEAD.replace("discord", "discrod"),
            "zentry.toml:2:1: unknown webhook type",
        ),
        (
            HEAD.replace("ZENTRY_OPS_URL", "NO_SUCH_VARIABLE"),
            "zentry.toml:3:1: the environment has no NO_SUCH_VARIABLE\nhint: Set it",
        ),
        (
            HEAD.replace("{ env = \"ZENTRY_OPS_URL\" }", "{ file = \"nowhere\" }"),
            "zentry.toml:3:1: nowhere can't be read\nhint: ",
        ),
        (
            HEAD.replace("{ env = \"ZENTRY_OPS_URL\" }", "\"https://swordfish\""),
            "zentry.toml:3:7: a secret stands elsewhere\nhint: Write { env",
        ),
        (
            HEAD.replace("ZENTRY_OPS_URL", "ZENTRY_BILLING_SECRET"),
            "zentry.toml:3:1: ",
        ),
        (format!("{HEAD}[webhook.Ops]\n"), "zentry.toml:4:"),
        (
            format!("{NEW}{HEAD}[webhook.Ops.wording.no_such]\ntitle = \"x\"\n"),
            "zentry.toml:7:",
        ),
        (
            "[wording.task_completed]\ntitle = \"{{ \"\n".to_owned(),
            "zentry.toml:",
        ),
        (
            "[event_type.X]\ntitle = \"x\"\n".to_owned(),
            "zentry.toml:1:13: an event type cannot have the name \"X\"\nhint: ",
        ),
        (
            SOURCE.replace("users_user", "no_such"),
            "zentry.toml:3:1: there is no table \"public.no_such\"\nhint: ",
        ),
        (
            format!("{SOURCE}built_in = true\ncondition = \"true\"\n"),
            "zentry.toml:4:1: a source that is built in has no mapping",
        ),
        (
            format!("{SOURCE}built_in = true\n{SOURCE}built_in = true\n"),
            "zentry.toml:5:",
        ),
        (
            SOURCE.replace("daily_streak", "daily_streek"),
            "hint: Perhaps \"daily_streak\" is meant.",
        ),
        (
            SOURCE.replace("public.users_user", "public.release").to_owned() + "built_in = true\n",
            "is not attached",
        ),
    ];
    for (text, expected) in cases {
        for command in ["diff", "apply"] {
            let ran = desk.of(command, &[], &text)?;
            let wanted = if command == "diff" { 2 } else { 1 };
            assert_eq!(ran.code, wanted, "{command}\n{text}\n{}{}", ran.out, ran.err);
            assert!(ran.err.contains(expected), "{command}\n{text}\n{}", ran.err);
            assert!(!ran.err.contains("swordfish"), "{}", ran.err);
        }
        assert_eq!(desk.rows()?, rows, "{text}");
    }
    let nowhere = desk.run(&["apply", "nowhere.toml"])?;
    assert!(
        nowhere.err.contains("nowhere.toml: it cannot be read"),
        "{}",
        nowhere.err
    );
    // Two of a name.
    desk.scene.client.batch_execute(
        "SELECT zentry_update_webhook(w.id, name => 'Ops') FROM zentry_notify.webhooks w WHERE w.name = 'Space'",
    )?;
    let export = desk.run(&["export"])?;
    assert_eq!(export.code, 1, "{}", export.out);
    for ran in [
        export,
        desk.of("apply", &[], HEAD)?,
        desk.of("apply", &["--prune"], "")?,
    ] {
        assert!(
            ran.err.contains("webhooks 1 and 3 have the same name, \"Ops\"")
                && ran
                    .err
                    .contains("hint: Give one another name: zentry-notify update 3 --name"),
            "{}",
            ran.err
        );
    }
    // Which is nothing to who names neither.
    let other = HEAD
        .replace("webhook.Ops", "webhook.\"Backend channel\"")
        .replace("OPS", "BACKEND_CHANNEL");
    assert_eq!(desk.of("apply", &[], &other)?.code, 0);
    Ok(())
}

#[test]
fn it_has_the_rights_of_who_asks() -> Result<()> {
    let mut desk = Desk::full()?;
    let text = desk.export()?;
    let changed = text.replace("notices = true", "notices = true\nannounce = true");
    for privilege in ["reader", "manager"] {
        desk.role = role_name(privilege);
        desk.scene.client.batch_execute(&format!(
            "CREATE ROLE {0} LOGIN; SELECT zentry_grant('{0}', '{privilege}')",
            desk.role
        ))?;
        assert_eq!(desk.export()?, text, "{privilege}");
        let ran = desk.of("apply", &[], &changed)?;
        if privilege == "reader" {
            assert_eq!(ran.code, 1);
            assert!(ran.err.contains("permission denied"), "{}", ran.err);
        } else {
            assert_eq!(ran.code, 0, "{}", ran.err);
            // Tables of others are theirs.
            let taken = desk.of(
                "apply",
                &[],
                &changed.replace("done = \"finished\"", "done = \"closed\""),
            )?;
            assert_eq!(taken.code, 1, "{}", taken.out);
            assert!(
                taken.err.contains("must be owner of table public.job"),
                "{}",
                taken.err
            );
        }
    }
    // Without the audit log nobody knows what is changed.
    desk.role = "postgres".to_owned();
    desk.scene
        .client
        .batch_execute("ALTER TABLE zentry_notify.webhook_secret DISABLE TRIGGER audit")?;
    let blind = desk.of("apply", &[], &text)?;
    assert!(
        (
            blind.code,
            blind.err.contains("a trigger of the audit log is switched off")
        ) == (1, true),
        "{}",
        blind.err
    );
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
