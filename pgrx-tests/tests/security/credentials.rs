//! What a webhook's URL does not have, and what is a secret as it is: credentials of a stream, tokens in headers, what requests are signed by. As of
//! URLs, no part of one is found anywhere but in the table that keeps it.

use std::fs;

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::{Behaviour, Kind, Webhook};
use zentry_e2e::scene::{Delivery, SOON, hosts};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::wait::eventually;

use crate::raw_nats::{Manner, RawNats};
use crate::search::Search;
use crate::talkative::talkative_site;

/// Made for tests: a user's seed.
const SEED: &str = "SUAEH4OYGVZ4EVYKFFUR4XEWFM3N2X7T5VFLVR6XKERCFRFAQBM5HK4BJM";
/// `whsec_` and Base64 of 24 bytes.
const SIGNING: &str = "whsec_MARKEDtoSignByMARKEDtoSignByMARK";

/// Credentials of each form, and what must not be found of them.
fn credentials() -> [(String, &'static str); 4] {
    [
        ("zentry:MARKEDpassword1".to_owned(), "MARKEDpassword1"),
        ("MARKEDtoken2ofnats".to_owned(), "MARKEDtoken2ofnats"),
        (SEED.to_owned(), SEED),
        (
            format!(
                "-----BEGIN NATS USER JWT-----\neyMARKEDjwt3.eyJq.c2ln\n------END NATS USER JWT------\n\
                 -----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"
            ),
            "eyMARKEDjwt3",
        ),
    ]
}

/// What headers have, for `ntfy` and for programs.
const HEADERS: [(&str, &str); 3] = [
    (
        r#"{"authorization": "Bearer tk_MARKEDntfytoken"}"#,
        "tk_MARKEDntfytoken",
    ),
    (
        r#"{"authorization": "Basic TUFSS0VEYmFzaWM6TUFSS0VE"}"#,
        "TUFSS0VEYmFzaWM6TUFSS0VE",
    ),
    (
        r#"{"x-api-key": "MARKEDheader/\"value\\"}"#,
        r#"MARKEDheader/"value\"#,
    ),
];

const MANNERS: [Manner; 7] = [
    Manner::NamedAfterThePassword,
    Manner::RefusesLogin,
    Manner::CannotLogIn,
    Manner::Denies,
    Manner::Answers,
    Manner::Refuses,
    Manner::Leaves,
];

/// `$1` is a secret, `$2` the URL of a server of NATS, `$3` that of a topic of ntfy.
const REFUSED: [&str; 32] = [
    "zentry_register_webhook('x', 'nats', $2, secret => $1 || chr(1))",
    "zentry_register_webhook('x', 'nats', $2, secret => ':' || $1)",
    "zentry_register_webhook('x', 'nats', $2, secret => $1 || ':')",
    "zentry_register_webhook('x', 'nats', $2, secret => repeat($1, 1000))",
    "zentry_register_webhook('x', 'nats', $2, secret => '-----BEGIN NATS USER JWT-----' || $1 || '------END')",
    "zentry_register_webhook('x', 'nats', $2, secret => '-----BEGIN USER NKEY SEED-----' || $1 || '------END')",
    "zentry_register_webhook('x', 'nats', $2, secret => rpad('S', 58, 'A'), name => $1 || repeat('x', 100))",
    "zentry_register_webhook('x', 'nats', replace($2, '//', '//zentry:' || $1 || '@'))",
    "zentry_register_webhook('x', 'nats', replace($2, '//', '//' || $1 || '@'))",
    "zentry_register_webhook('x', 'nats', $2 || '?token=' || $1)",
    "zentry_register_webhook('x', 'nats', $2 || '#' || $1)",
    "zentry_register_webhook('x', 'nats', $2 || '/' || $1 || '!')",
    "zentry_register_webhook('x', 'nats', $2, secret => $1, event_types => '{nothing}')",
    "zentry_register_webhook('x', 'nats', $2, secret => $1, headers => jsonb_build_object('a', $1))",
    "zentry_register_webhook('x', 'ntfy', $3, secret => $1)",
    "zentry_register_webhook('x', 'ntfy', replace($3, '//', '//zentry:' || $1 || '@'))",
    "zentry_register_webhook('x', 'ntfy', $3 || '/' || $1)",
    "zentry_register_webhook('x', 'webhook', $3, secret => $1)",
    "zentry_register_webhook('x', 'webhook', $3, secret => 'whsec_' || $1)",
    "zentry_register_webhook('x', 'ntfy', $3, headers => to_jsonb($1))",
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_array($1))",
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_object('a', jsonb_build_array($1)))",
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_object('a', $1 || chr(10)))",
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_object('a', repeat($1, 1000)))",
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_object('host', $1))",
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_object('a', $1, 'A', $1))",
    // The name and the value in one, or the wrong way round.
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_object('authorization: Bearer ' || $1, ''))",
    "zentry_register_webhook('x', 'ntfy', $3, headers => jsonb_build_object('Bearer ' || $1, 'authorization'))",
    "zentry_new_secret(1, secret => $1 || chr(1))",
    "zentry_new_secret(987654321, secret => $1)",
    "zentry_new_secret(NULL, secret => $1)",
    "zentry_update_webhook(1, webhook_url => $2 || '?token=' || $1)",
];

/// A manager's session that has no secret in a statement of its own, nor in a plan.
fn manager(site: &Site) -> Result<Client> {
    let mut manager = site.cluster.connect_as("manager", "zentry")?;
    manager.batch_execute("SET plan_cache_mode = force_generic_plan")?;
    Ok(manager)
}

fn hear_of_nothing_but_tests(site: &Site, servers: &[RawNats]) -> Result<()> {
    let servers: Vec<String> = servers.iter().map(RawNats::host).collect();
    let all = format!("{}, {}", hosts(&site.emulator), servers.join(", "));
    let mut client = site.connect("zentry")?;
    client.batch_execute(&format!("ALTER SYSTEM SET zentry_notify.allowed_hosts = '{all}'"))?;
    client.batch_execute("ALTER SYSTEM SET log_min_messages = 'debug5'")?;
    client.batch_execute("SELECT pg_reload_conf()")?;
    eventually(SOON, "the servers to be allowed", || {
        let shown = site
            .connect("zentry")
            .ok()?
            .query_one("SHOW zentry_notify.allowed_hosts", &[]);
        (shown.ok()?.get::<_, String>(0) == all).then_some(())
    })
}

/// Answers with all that it was told.
fn echo(webhook: &Webhook, status: u16, said: &str) {
    webhook.always(Behaviour::Answer {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: serde_json::json!({ "error": format!("of {} {said}", webhook.url()) }).to_string(),
    });
}

#[test]
fn no_credentials_and_no_header_are_found_after_every_call_and_every_failure() -> Result<()> {
    let site = talkative_site(ClusterOptions::default().logical())?;
    let mut client = site.database("zentry")?;
    client.batch_execute(
        "CREATE EXTENSION pg_stat_statements; CREATE ROLE reader LOGIN; CREATE ROLE manager LOGIN; \
         GRANT pg_read_all_stats TO reader, manager; \
         SELECT zentry_grant('reader', 'reader'); SELECT zentry_grant('manager', 'manager')",
    )?;
    client.query(
        "SELECT pg_create_logical_replication_slot('all', 'test_decoding')",
        &[],
    )?;
    let servers = MANNERS
        .map(RawNats::start)
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    hear_of_nothing_but_tests(&site, &servers)?;
    let mut manager = manager(&site)?;

    let mut words: Vec<String> = [&SIGNING["whsec_".len()..], "MARKEDrefused"]
        .map(str::to_owned)
        .into();
    words.extend(credentials().map(|(_, marked)| marked.to_owned()));
    words.extend(HEADERS.map(|(_, marked)| marked.to_owned()));
    let mut search = Search::for_words(words);

    // Streams of all manners, by credentials of all forms.
    const REGISTER: &str = "SELECT zentry_register_webhook($1, $2, $3, event_types => '{daily_streak}', secret => $4, headers => $5::text::jsonb)";
    let none: Option<&str> = None;
    let mut ids = Vec::new();
    for server in &servers {
        for (secret, _) in credentials() {
            let id: i64 = manager
                .query_one(REGISTER, &[&"stream", &"nats", &server.url(), &secret, &none])?
                .get(0);
            ids.push(id);
        }
    }
    // Other credentials, and the same ones again.
    for (secret, _) in credentials() {
        manager.execute(
            "SELECT zentry_new_secret($1, secret => $2) IS NULL",
            &[&ids[0], &secret],
        )?;
    }
    // Topics and programs that say again what they got, and one that works.
    let mut topics = Vec::new();
    for kind in [Kind::Ntfy, Kind::Signed] {
        for (headers, marked) in HEADERS {
            for status in [200, 400, 401, 403, 500] {
                let webhook = site.emulator.register(kind);
                if status != 200 {
                    echo(&webhook, status, marked);
                }
                let secret = (kind == Kind::Signed).then_some(SIGNING);
                let id: i64 = manager
                    .query_one(
                        REGISTER,
                        &[&"told", &kind.webhook_type(), &webhook.url(), &secret, &headers],
                    )?
                    .get(0);
                manager.execute(
                    "SELECT zentry_update_webhook($1, headers => $2::text::jsonb)",
                    &[&id, &headers],
                )?;
                ids.push(id);
                topics.push(webhook);
            }
        }
    }
    for topic in topics.iter().filter(|topic| topic.kind() == Kind::Ntfy) {
        search.add(topic.url().rsplit('/').next().context("a topic")?.to_owned());
    }
    for id in &ids {
        let rows = manager.query("SELECT t::text FROM zentry_test_webhook($1) t", &[id])?;
        search.look_at("zentry_test_webhook", &rows[0].get::<_, String>(0));
    }
    fire(&mut client)?;
    Delivery::wait_until(&mut client, "each to be tried", |deliveries| {
        deliveries.len() >= 2 * ids.len() && deliveries.iter().all(|delivery| delivery.status != "pending")
    })?;

    // All that is refused, with the secret in it, as a value of a table.
    manager.batch_execute("CREATE TEMP TABLE known (secret text, nats text, ntfy text)")?;
    manager.execute(
        "INSERT INTO known VALUES ($1, $2, $3)",
        &[&"MARKEDrefused", &servers[0].url(), &topics[0].url()],
    )?;
    for call in REFUSED {
        let sql = ["secret", "nats", "ntfy"]
            .iter()
            .enumerate()
            .fold(call.to_owned(), |sql, (n, column)| {
                sql.replace(
                    &format!("${}", n + 1),
                    &format!("(SELECT k.{column} FROM pg_temp.known k)"),
                )
            });
        let error = manager.query(&format!("SELECT {sql}"), &[]).expect_err(call);
        search.look_at_error(call, &error);
    }
    manager.batch_execute("DROP TABLE known")?;

    look_around(&site, &mut client, &mut search)?;
    search.assert_nothing_found();
    Ok(())
}

/// Every place where somebody could see something: but for superusers, who could see all.
fn look_around(site: &Site, client: &mut Client, search: &mut Search) -> Result<()> {
    for role in ["reader", "manager"] {
        let mut session = site.cluster.connect_as(role, "zentry")?;
        let readable = search.look_at_what_is_readable(&mut session)?;
        for relation in [
            "zentry_notify.logs",
            "zentry_notify.webhooks",
            "zentry_notify.audit_log",
            "pg_stat_statements",
        ] {
            assert!(readable.iter().any(|name| name == relation), "{readable:?}");
        }
        const SHOWN: &str = "SELECT (SELECT string_agg(s::text, '|') FROM zentry_status() s) || (SELECT string_agg(s::text, '|') FROM zentry_stats() s) \
                             || (SELECT string_agg(s::text, '|') FROM zentry_logs(most => 1000) s)";
        let shown: String = session.query_one(SHOWN, &[])?.get(0);
        assert!(shown.contains("stream") && shown.contains("401"), "{shown}");
        search.look_at("status, statistics and logs", &shown);
    }
    // No table but that of the secrets has one, and nothing but its own rows is decoded with one.
    let tables = client.query(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = 'r' \
            AND c.relname <> 'webhook_secret'",
        &[],
    )?;
    for table in &tables {
        let table: String = table.get(0);
        let rows = format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {table} t");
        search.look_at(&table, client.query_one(&rows, &[])?.get(0));
    }
    let decoded = client.query(
        "SELECT data FROM pg_logical_slot_get_changes('all', NULL, NULL)",
        &[],
    )?;
    let decoded: Vec<String> = decoded.iter().map(|row| row.get(0)).collect();
    let of = |table: &str| {
        decoded
            .iter()
            .filter(|line| line.starts_with(&format!("table zentry_notify.{table}:")))
            .count()
    };
    assert!(of("webhook_secret") > 0 && of("audit_entry") > 0 && of("delivery") > 0);
    for line in &decoded {
        if !line.starts_with("table zentry_notify.webhook_secret:") {
            search.look_at("decoded", line);
        }
    }
    let dump = site
        .cluster
        .client_command("pg_dump")
        .args([
            "--dbname",
            "zentry",
            "--username",
            "postgres",
            "--exclude-table-data",
            "zentry_notify.webhook_secret",
        ])
        .output()?;
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(
        dump.contains("COPY zentry_notify.audit_entry"),
        "it is a dump of all"
    );
    search.look_at("a dump without the secrets", &dump);

    let logs = site.cluster.dir().join("data/log");
    assert!(search.look_at_files(&logs)? >= 2, "stderr and csv");
    let mut text = String::new();
    for entry in fs::read_dir(&logs)? {
        text.push_str(&String::from_utf8_lossy(&fs::read(entry?.path())?));
    }
    for words in [
        "is not as it should be",
        "Query Text: UPDATE zentry_notify.webhook_secret",
        "the name of one of the headers is not valid",
    ] {
        assert!(text.contains(words), "the log has no {words:?}");
    }
    search.look_at("the server's first log", &site.cluster.log_since(0)?);
    Ok(())
}
