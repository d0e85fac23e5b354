//! Webhook URLs are passwords: no part of one is found anywhere but in the table that keeps it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::scene::{Delivery, SOON};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::zentry;

use crate::failing_receivers::{FAILURES, misbehaviour, webhooks};
use crate::refused_writes;
use crate::search::Search;
use crate::talkative::{contains, talkative_site, watch};

/// All text that a query gives.
fn text_of(client: &mut Client, relation: &str) -> Result<String> {
    let sql = format!("SELECT coalesce(string_agg(r::text, E'\\n'), '') FROM {relation} r");
    Ok(client.query_one(&sql, &[])?.get(0))
}

/// Every function of ours that somebody may call, with arguments that succeed and arguments that fail. `$1` stands for a URL that
/// comes from a table: it is in no statement and in no plan but those within our functions.
const CALLS: [(&str, &[&str]); 36] = [
    (
        "zentry_register_webhook",
        &[
            "('again', 'discord', $1)",
            "(NULL, 'discord', $1)",
            "('x', NULL, $1)",
            "(repeat('x', 101), 'discord', $1)",
            "('', 'discord', $1)",
            "('x', 'slack', $1)",
            "('x', 'discord', $1 || ' ')",
            "('x', 'discord', $1 || '#x')",
            "('x', 'discord', $1 || repeat('x', 2100))",
            "('x', 'discord', replace($1, '127.0.0.1', '169.254.169.254'))",
            "('x', 'discord', replace($1, '//', '//user:password@'))",
            "('x', 'discord', replace($1, 'http', 'ftp'))",
            "('x', 'discord', replace($1, '/api/', '/ap/'))",
            "('x', 'teams', replace($1, ':', ''))",
            "('x', 'discord', $1, event_types => '{nothing}')",
            "('x', 'discord', $1, omit_keys => '{NULL}')",
        ],
    ),
    (
        "zentry_update_webhook",
        &[
            "(1, webhook_url => $1)",
            "(1, name => 'other')",
            "(1, webhook_type => 'teams', webhook_url => $1)",
            "(1, webhook_type => 'slack', webhook_url => $1)",
            "(1, webhook_url => $1 || ' ')",
            "(1, webhook_url => replace($1, '127.0.0.1', '169.254.169.254'))",
            "(1, name => '', webhook_url => $1)",
            "(987654321, webhook_url => $1)",
            "(NULL, webhook_url => $1)",
        ],
    ),
    (
        "zentry_test_webhook",
        &["(1)", "(2, repeat('x', 1000))", "(NULL)", "(987654321)"],
    ),
    ("zentry_test_event", &["()", "('daily_streak')", "('nothing')"]),
    (
        "zentry_retry",
        &[
            "((SELECT min(id) FROM zentry_notify.logs WHERE status = 'failed'))",
            "((SELECT min(id) FROM zentry_notify.logs WHERE status = 'sent'))",
            "(NULL)",
        ],
    ),
    ("zentry_resume", &["(1)", "(NULL)", "(987654321)"]),
    ("zentry_promote", &["()"]),
    (
        "zentry_retry_failed",
        &["()", "(1, 'daily_streak', now())", "(987654321)"],
    ),
    (
        "zentry_logs",
        &[
            "()",
            "(1, 'daily_streak')",
            "(status => 'failed')",
            "(status => 'lost')",
            "(most => 0)",
        ],
    ),
    (
        "zentry_omit",
        &[
            "('task_completed', 'tasks_task', '{task_description}')",
            "('task_completed', 'pg_class', '{x}')",
            "(NULL, NULL, NULL)",
        ],
    ),
    (
        "zentry_grant",
        &["('pg_monitor', 'reader')", "('pg_monitor', 'nothing')"],
    ),
    ("zentry_revoke", &["('pg_monitor')"]),
    (
        "zentry_detach",
        &["('achievements_userbadge')", "('pg_class')", "(NULL)"],
    ),
    ("zentry_attach", &["()"]),
    (
        "zentry_register_event_type",
        &[
            "('release', 'Release')",
            "('release', $1)",
            "('release', '{{ ')",
            "($1, 'x')",
        ],
    ),
    (
        "zentry_set_wording",
        &[
            "('task_completed', title => 'Done')",
            "('task_completed', 1, title => '{% if %}')",
            "('nothing', 1)",
        ],
    ),
    (
        "zentry_set_language",
        &[
            "('de')",
            "('ja', 1)",
            "($1)",
            "('de', 987654321)",
            "(NULL, 1)",
            "('en')",
        ],
    ),
    ("zentry_notify.languages", &["()"]),
    ("zentry_notify.language_words", &["('de')", "($1)", "(NULL)"]),
    (
        "zentry_preview",
        &[
            "('task_completed', webhook_id => 1)",
            "($1)",
            "('task_completed', $1)",
        ],
    ),
    (
        "zentry_reset_event_type",
        &["('task_completed', 1)", "('task_completed')", "('nothing')"],
    ),
    (
        "zentry_unregister_event_type",
        &["('release')", "('task_completed')", "('nothing')"],
    ),
    ("zentry_status", &["()"]),
    ("zentry_stats", &["()", "(NULL)", "('-1 day')"]),
    ("zentry_stats_by_hour", &["()", "(1, 1)", "(0)", "(1, 987654321)"]),
    ("zentry_import_integrations", &["()"]),
    (
        "zentry_new_secret",
        &[
            "(7)",
            "(1)",
            "(NULL)",
            "(987654321)",
            "(7, 'whsec_x')",
            "(7, grace => '31 days')",
        ],
    ),
    ("zentry_delete_webhook", &["(3)", "(987654321)", "(NULL)"]),
    (
        "zentry_create_api_token",
        &[
            "('front end', 'reader')",
            "(NULL, 'reader')",
            "('x', 'nobody')",
            "('x', 'postgres')",
        ],
    ),
    (
        "zentry_revoke_api_token",
        &["('front end')", "('nothing')", "(NULL)"],
    ),
    ("zentry_webhook_types", &["()"]),
    (
        "zentry_notify.type_has",
        &["('discord', 'headers')", "($1, 'headers')"],
    ),
    ("zentry_notify.check_webhook_type", &["('discord')", "($1)"]),
    ("zentry_notify.redact_url", &["($1)", "('no URL')"]),
    ("zentry_notify.doubts", &["(1)", "(2)", "(NULL)"]),
    ("zentry_notify.sample_event", &["($1)", "('daily_streak')"]),
];

/// `sql` with the known URL for `$1`.
pub fn with_url(sql: &str) -> String {
    sql.replace("$1", "(SELECT url FROM pg_temp.known)")
}

/// What a function returns or raises.
fn call(client: &mut Client, search: &mut Search, function: &str, arguments: &str) {
    let sql = with_url(&format!("SELECT x::text FROM {function}{arguments} x"));
    match client.query(&sql, &[]) {
        Ok(rows) => rows
            .iter()
            .filter_map(|row| row.get::<_, Option<String>>(0))
            .for_each(|text| search.look_at(&sql, &text)),
        Err(error) => search.look_at_error(&sql, &error),
    }
}

#[test]
fn no_secret_is_found_after_every_call_and_every_failure() -> Result<()> {
    let site = talkative_site(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    client.batch_execute(
        "CREATE EXTENSION pg_stat_statements; CREATE ROLE reader LOGIN; GRANT pg_read_all_stats TO reader; \
         SELECT zentry_grant('reader', 'reader')",
    )?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut watcher = site.cluster.connect()?;
    // It asks without a pause: what it does would fill the log.
    watcher.batch_execute(
        "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_duration = off; \
         SET auto_explain.log_min_duration = -1; SET log_min_messages = error; SET pg_stat_statements.track = 'none'",
    )?;
    let watching = watch(watcher, stop.clone());
    // Every failure of every kind of receiver, in the session and in the worker, each with a webhook of its own; the first
    // ones succeed.
    // A plan of a statement's own would have the parameters in it.
    client.batch_execute("SET plan_cache_mode = force_generic_plan; CREATE TEMP TABLE known (url text)")?;
    let mut all = webhooks(&site, &mut client)?;
    for failure in 0..FAILURES {
        let failing = webhooks(&site, &mut client)?;
        for (_, webhook) in &failing {
            webhook.always(misbehaviour(webhook).swap_remove(failure));
        }
        all.extend(failing);
    }
    let urls: Vec<String> = all.iter().map(|(_, webhook)| webhook.url()).collect();
    client.execute("INSERT INTO known VALUES ($1)", &[&urls[0]])?;
    // What requests are signed by, and the headers' values.
    client.execute(
        "SELECT zentry_update_webhook(w.id, headers => $1::text::jsonb) FROM zentry_notify.webhook w WHERE w.webhook_type = 'webhook'",
        &[&r#"{"authorization": "Bearer MARKEDHEADERVALUE"}"#],
    )?;
    client.batch_execute("RESET plan_cache_mode")?;
    let proxy_password = "MARKEDPROXYPASSWORD".to_owned();
    let mut search = Search::for_urls(&urls);
    search.add(proxy_password.clone());
    search.add("MARKEDHEADERVALUE".to_owned());
    for row in client.query(
        "SELECT substr(s.signing_secret, 7) FROM zentry_notify.webhook_secret s WHERE s.signing_secret IS NOT NULL",
        &[],
    )? {
        search.add(row.get(0));
    }
    let token: String = client
        .query_one("SELECT zentry_create_api_token('front end', 'reader')", &[])?
        .get(0);
    search.add(token["zentry_12345678_".len()..].to_owned());
    for (id, _) in &all {
        let rows = client.query("SELECT t::text FROM zentry_test_webhook($1) t", &[id])?;
        search.look_at("zentry_test_webhook", &rows[0].get::<_, String>(0));
    }
    fire(&mut client)?;
    for (_, webhook) in &all {
        webhook.wait_for(2, SOON);
    }
    // What never works waits for its next try.
    Delivery::wait_until(&mut client, "each to be tried", |deliveries| {
        !deliveries.is_empty() && deliveries.iter().all(|delivery| delivery.status != "pending")
    })?;

    assert_eq!(
        functions(&mut client)?,
        CALLS
            .map(|(name, _)| name)
            .into_iter()
            .filter(|name| !name.contains('.'))
            .map(str::to_owned)
            .collect(),
        "every function is called here"
    );
    for (function, arguments) in CALLS {
        for arguments in arguments {
            call(&mut client, &mut search, function, arguments);
        }
    }
    refused_writes::try_each(&mut client, &mut search);
    // A proxy's password is one as well.
    client.batch_execute("SET plan_cache_mode = force_generic_plan")?;
    const SET_PROXY: &str = "SELECT set_config('zentry_notify.proxy', $1, false) <> ''";
    for proxy in ["ftp://u:PASSWORD@127.0.0.1:1", "http://u:PASSWORD@", "PASSWORD"] {
        let proxy = proxy.replace("PASSWORD", &proxy_password);
        let error = client.query(SET_PROXY, &[&proxy]).expect_err(&proxy);
        search.look_at_error(SET_PROXY, &error);
    }
    let proxy = format!("http://u:{proxy_password}@127.0.0.1:1");
    client.query(SET_PROXY, &[&proxy])?;
    call(&mut client, &mut search, "zentry_test_webhook", "(1)");
    client.batch_execute("RESET ALL")?;

    stop.store(true, Ordering::SeqCst);
    for line in watching.join().unwrap() {
        search.look_at("pg_stat_activity", &line);
    }
    let mut reader = site.cluster.connect_as("reader", "zentry")?;
    let readable = search.look_at_what_is_readable(&mut reader)?;
    for relation in [
        "zentry_notify.webhooks",
        "zentry_notify.logs",
        "zentry_notify.attempts",
        "zentry_notify.event_sources",
        "zentry_notify.delivery_totals",
        "zentry_notify.audit_log",
        "pg_stat_statements",
        "pg_stat_activity",
    ] {
        assert!(readable.iter().any(|name| name == relation), "{readable:?}");
        let rows: i64 = reader
            .query_one(&format!("SELECT count(*) FROM {relation}"), &[])?
            .get(0);
        assert!(rows > 0, "{relation} is empty: nothing was tested");
    }
    let status = text_of(&mut reader, "zentry_status()")?;
    assert!(status.contains("webhook"), "{status}");
    search.look_at("zentry_status()", &status);
    let statements: i64 = reader
        .query_one(
            "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%zentry_register_webhook%'",
            &[],
        )?
        .get(0);
    assert!(statements > 0, "pg_stat_statements has what was called");
    let log = text_of(&mut client, "zentry_notify.notification_log")?;
    for words in [
        "500: the server failed",
        "400 bad request",
        "403 forbidden",
        "redirects elsewhere",
        "no answer within 500ms",
        "connection failed",
        "invalid answer",
    ] {
        assert!(log.contains(words), "{words}");
    }
    for table in [
        "webhook_circuit",
        "webhook_count",
        "notification_log",
        "delivery_attempt",
        "audit_entry",
    ] {
        search.look_at(table, &text_of(&mut client, &format!("zentry_notify.{table}"))?);
    }
    let logs = site.cluster.dir().join("data/log");
    assert!(search.look_at_files(&logs)? >= 2, "stderr and csv");
    assert!(
        contains(&logs, "Query Text: INSERT INTO zentry_notify.webhook_integration")?,
        "auto_explain has logged the statements within the functions"
    );
    assert!(contains(&logs, "is switched off: ")?, "the worker's lines");
    search.look_at("the server's first log", &site.cluster.log_since(0)?);
    search.assert_nothing_found();
    Ok(())
}

/// What users may call.
fn functions(client: &mut Client) -> Result<BTreeSet<String>> {
    const SQL: &str = "SELECT p.proname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify' \
                       JOIN pg_proc p ON p.oid = d.objid WHERE d.classid = 'pg_proc'::regclass AND p.proname LIKE 'zentry\\_%'";
    Ok(client.query(SQL, &[])?.iter().map(|row| row.get(0)).collect())
}

#[test]
fn a_worker_that_dies_tells_nothing() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("log_min_messages", "debug5"))?;
    let mut client = site.database("zentry")?;
    let webhooks = webhooks(&site, &mut client)?;
    zentry::extend_streak(&mut client, 3)?;
    for (_, webhook) in &webhooks {
        webhook.wait_for_events(1, SOON);
    }
    client.batch_execute("ALTER ROLE zentry_notify_agent RENAME TO gone")?;
    client.execute("SELECT pg_terminate_backend($1)", &[&site.worker("zentry")?])?;
    site.cluster
        .wait_for_log("starting it again", Duration::from_secs(30))?;
    let urls: Vec<String> = webhooks.iter().map(|(_, webhook)| webhook.url()).collect();
    let mut search = Search::for_urls(&urls);
    search.look_at("the server's log", &site.cluster.log_since(0)?);
    search.assert_nothing_found();
    Ok(())
}
