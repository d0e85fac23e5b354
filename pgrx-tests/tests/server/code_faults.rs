//! What is wrong in a configuration file, and what its reader may not do.

use anyhow::Result;

use crate::code::*;
use crate::support::role_name;

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
            "zentry.toml:3:7: a secret must not be in this file\nhint: Write { env",
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
            "zentry.toml:4:1: a built-in source cannot have a mapping",
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
