//! Each function of ours, called with what nobody should call it with; and what the catalogue says of each.

use anyhow::{Result, bail};
use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::Site;

/// The extension's functions, as `p`.
const OURS: &str = "pg_proc p \
     JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
     JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'";

/// Calls of each function in which all arguments are odd in the same way, and calls in which one argument is null and the others are plain.
const CALLS: &str = r#"
WITH ours AS (SELECT p.oid, p.oid::regproc AS name, p.proargtypes::oid[] AS types, p.pronargs FROM OURS),
kinds (kind) AS (VALUES ('null'), ('nothing'), ('odd'), ('largest'), ('smallest'), ('nulls within'), ('nested')),
value AS (
    SELECT o.oid, k.kind, a.place, a.type,
           coalesce(CASE k.kind
               WHEN 'nothing' THEN CASE WHEN t.typcategory = 'A' THEN '{}' WHEN t.typcategory = 'S' THEN '' WHEN t.typname IN ('json', 'jsonb') THEN '{}'
                                        WHEN t.typname = 'bytea' THEN '' WHEN t.typcategory = 'N' THEN '0' WHEN t.typcategory = 'B' THEN 'false' END
               WHEN 'odd' THEN CASE WHEN t.typcategory = 'S' THEN $$a'b"c\%$$ WHEN t.typname IN ('json', 'jsonb') THEN '[null]' WHEN t.typcategory = 'N' THEN '-1'
                                    WHEN t.typname = '_jsonb' THEN '{1}' WHEN t.typname = 'regclass' THEN 'pg_catalog.pg_class'
                                    WHEN t.typname IN ('_text', '_name') THEN '{"",x,x,"%"}' WHEN t.typcategory = 'A' THEN '{0,0}' END
               WHEN 'largest' THEN CASE t.typname WHEN 'json' THEN '{"": ""}' WHEN 'int8' THEN '9223372036854775807' WHEN 'int4' THEN '2147483647' WHEN 'oid' THEN '4294967295'
                                        WHEN 'float8' THEN 'Infinity' WHEN 'timestamptz' THEN 'infinity' WHEN 'interval' THEN '178000000 years'
                                        WHEN 'regclass' THEN '4294967295' WHEN '_int8' THEN '{9223372036854775807,9223372036854775807}'
                                        WHEN 'jsonb' THEN '{"id": 1e400, "": ""}' WHEN 'text' THEN repeat('x', 100000) WHEN 'bool' THEN 'true' END
               WHEN 'smallest' THEN CASE t.typname WHEN 'json' THEN '{"": ""}' WHEN 'int8' THEN '-9223372036854775808' WHEN 'int4' THEN '-2147483648' WHEN 'oid' THEN '0'
                                        WHEN 'float8' THEN 'NaN' WHEN 'timestamptz' THEN '-infinity' WHEN 'interval' THEN '-178000000 years'
                                        WHEN 'regclass' THEN '0' WHEN '_int8' THEN '{-9223372036854775808,-9223372036854775808}'
                                        WHEN 'jsonb' THEN 'null' WHEN 'text' THEN chr(1) END
               WHEN 'nulls within' THEN CASE WHEN t.typcategory = 'A' THEN '{NULL}' WHEN t.typname IN ('json', 'jsonb') THEN '{"id": null, "columns": [null]}' END
               WHEN 'nested' THEN CASE WHEN t.typname IN ('_text', '_int4', '_int8') THEN '{{1,2},{3,NULL}}' WHEN t.typname IN ('json', 'jsonb') THEN repeat('[', 300) || repeat(']', 300) END
           END, CASE WHEN k.kind <> 'null' THEN
               CASE WHEN t.typname IN ('_text', '_int4', '_int8', '_jsonb', '_float8') THEN '{1}' WHEN t.typcategory = 'S' THEN 'task_completed'
                    WHEN t.typname IN ('json', 'jsonb') THEN '{"name": "x"}' WHEN t.typname = 'regclass' THEN 'public.tasks_task' WHEN t.typname = 'regrole' THEN 'zentry_notify_agent'
                    WHEN t.typcategory = 'N' THEN '1' WHEN t.typcategory = 'B' THEN 'true' WHEN t.typname = 'timestamptz' THEN '2026-01-01' WHEN t.typname = 'interval' THEN '1 day'
                    WHEN t.typname = 'bytea' THEN '\x00' END END) AS text
      FROM ours o CROSS JOIN kinds k CROSS JOIN unnest(o.types) WITH ORDINALITY a (type, place) JOIN pg_type t ON t.oid = a.type)
SELECT DISTINCT format('SELECT %s(%s)', o.name, coalesce(string_agg(format('%L::%s', v.text, format_type(v.type, NULL)), ', ' ORDER BY v.place) FILTER (WHERE v.type IS NOT NULL), ''))
  FROM ours o CROSS JOIN kinds k LEFT JOIN value v ON v.oid = o.oid AND v.kind = k.kind GROUP BY o.oid, o.name, k.kind
 UNION
SELECT format('SELECT %s(%s)', o.name, string_agg(format('%L::%s', CASE WHEN v.place <> missing THEN v.text END, format_type(v.type, NULL)), ', ' ORDER BY v.place))
  FROM ours o CROSS JOIN generate_series(1, o.pronargs) missing JOIN value v ON v.oid = o.oid AND v.kind = 'nulls within' GROUP BY o.oid, o.name, missing
 ORDER BY 1
"#;

/// Calls of all functions of ours, with odd arguments.
fn calls(client: &mut Client) -> Result<Vec<String>> {
    let rows = client.query(&CALLS.replace("OURS", OURS), &[])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// No call is an internal error, a panic or a crash, whatever the arguments.
#[test]
fn odd_arguments_are_refused_in_words() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    let calls = calls(&mut scene.client)?;
    assert!(calls.len() > 300, "{}", calls.len());
    let mut wrong = Vec::new();
    for call in &calls {
        let begin = "BEGIN; SET LOCAL statement_timeout = '30s'; ";
        let outcome = scene.client.batch_execute(&format!("{begin}{call}"));
        let shown: String = call.chars().take(300).collect();
        if let Err(error) = outcome {
            let Some(server) = error.as_db_error() else {
                bail!("the session ended at {shown}: {error:?}");
            };
            let (code, message) = (server.code().code(), server.message());
            if code.starts_with("XX")
                || code == "57014"
                || message.contains("panic")
                || message.contains("contains NULL")
            {
                wrong.push(format!("{shown}: {code} {message}"));
            }
            // What PostgreSQL says of a literal that is none of its type is its own.
            let of_ours = call.starts_with("SELECT zentry_")
                && !call.starts_with("SELECT zentry_notify.")
                && !code.starts_with("22P0")
                && !message.contains("\"-1\"");
            if of_ours && server.hint().is_none_or(str::is_empty) {
                wrong.push(format!("{shown}: {code} {message}, and no hint"));
            }
            if of_ours && let Some(context) = server.where_() {
                wrong.push(format!("{shown}: {code} {message}, and the context {context}"));
            }
        }
        scene.client.batch_execute("ROLLBACK")?;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// What a session may have set, by itself, by its role or by its database.
const SESSIONS: [&str; 7] = [
    "SET session_replication_role = replica",
    "SET default_transaction_read_only = on",
    "SET default_transaction_isolation = serializable",
    "SET row_security = off",
    "SET search_path = ''",
    "SET check_function_bodies = off",
    "SET transaction_timeout = '10s'",
];

/// The first call of each function in `calls` that fails in a way that says nothing, in the session as it is.
fn failures(client: &mut Client, calls: &[String], session: &str) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for call in calls {
        let outcome = client.batch_execute(&format!("BEGIN; {call}"));
        if let Err(error) = outcome {
            let shown: String = call.chars().take(300).collect();
            let Some(server) = error.as_db_error() else {
                bail!("the session ended at {shown}: {error:?}");
            };
            let (code, message) = (server.code().code(), server.message());
            // It raises what it is told to.
            let is_told = call.starts_with("SELECT zentry_notify.refuse(");
            if code.starts_with("XX") || code == "P0001" && !is_told {
                wrong.push(format!("{session}: {shown}: {code} {message}"));
            }
        }
        client.batch_execute("ROLLBACK")?;
    }
    Ok(wrong)
}

/// Whatever the session has set, a call works or says why not.
#[test]
fn odd_sessions_get_no_internal_errors() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    let calls = calls(&mut scene.client)?;
    let mut wrong = Vec::new();
    for session in SESSIONS {
        let mut client = scene.database.connect()?;
        // PostgreSQL has the last of them from 17 on.
        if client.batch_execute(session).is_ok() {
            wrong.extend(failures(&mut client, &calls, session)?);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Nothing can be written there, nor a transaction be given a number.
#[test]
fn a_standby_gives_no_internal_errors() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut primary = site.database("zentry")?;
    site.channel(&mut primary)?;
    let calls = calls(&mut primary)?;
    let standby = Cluster::start_standby(&site.cluster, ClusterOptions::default())?;
    let mut client = standby.connect_as("postgres", "zentry")?;
    let wrong = failures(&mut client, &calls, "a standby")?;
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Triggers are off there, and so would be our rules. What is called does what it says.
#[test]
fn a_session_of_a_replica_may_call_everything() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let url = scene.emulator.register(Kind::Discord).url();
    let client = &mut scene.client;
    client.batch_execute(&format!(
        "SET session_replication_role = replica; CREATE ROLE tokens_{}; CREATE TABLE job (id bigint, title text, status text)",
        channel.id
    ))?;
    let mut value = |sql: &str| -> Result<Option<String>> {
        let row = client.query_one(&format!("SELECT ({sql})::text"), &[])?;
        Ok(row.get(0))
    };
    let register = format!("zentry_register_webhook('Second', 'discord', '{url}')");
    let id = value(&register)?.expect("an id");
    let wrong = value("zentry_register_webhook('Third', 'discord', 'nowhere')");
    assert!(wrong.is_err(), "its rules hold");
    value(&format!("zentry_update_webhook({id}, name => 'Renamed')"))?;
    let name = value(&format!(
        "SELECT name FROM zentry_notify.webhooks WHERE id = {id}"
    ))?;
    assert_eq!(name.as_deref(), Some("Renamed"));
    let status = value(&format!("SELECT status FROM zentry_test_webhook({})", channel.id))?;
    assert_eq!(status.as_deref(), Some("sent"));
    assert!(value("SELECT min(e) FROM zentry_test_event() e")?.is_some());
    value("zentry_register_event_type('release', 'Release')")?;
    value("zentry_set_wording('release', title => 'Released')")?;
    let words = "SELECT string_agg(title, '') FROM zentry_notify.event_wording";
    assert_eq!(value(words)?.as_deref(), Some("Released"));
    value("zentry_reset_event_type('release')")?;
    assert_eq!(value(words)?, None);
    value(
        "SELECT count(*) FROM zentry_attach('release', 'job', columns => '{\"title\": \"title\"}', operation => 'insert')",
    )?;
    let sources = "SELECT count(*) FROM zentry_notify.event_source WHERE event_type = 'release'";
    assert_eq!(value(sources)?.as_deref(), Some("1"));
    value("zentry_omit('release', 'job', '{title}')")?;
    value("zentry_detach('job')")?;
    assert_eq!(value(sources)?.as_deref(), Some("0"));
    value("zentry_unregister_event_type('release')")?;
    let token = format!("zentry_create_api_token('front end', 'tokens_{}')", channel.id);
    assert!(value(&token)?.is_some());
    assert_eq!(
        value("SELECT count(*) FROM zentry_notify.api_tokens")?.as_deref(),
        Some("1")
    );
    value("zentry_revoke_api_token('front end')")?;
    assert_eq!(
        value("SELECT count(*) FROM zentry_notify.api_tokens")?.as_deref(),
        Some("0")
    );
    value(&format!("zentry_resume({id})"))?;
    value(&format!("zentry_delete_webhook({id})"))?;
    let left = value(&format!(
        "SELECT count(*) FROM zentry_notify.webhook_secret WHERE webhook_integration_id = {id}"
    ))?;
    assert_eq!(left.as_deref(), Some("0"));
    Ok(())
}

/// What people get wrong beyond single arguments: SQLSTATE, and that there is a hint.
#[test]
fn what_is_absurd_is_refused_with_a_hint() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    for (call, code) in [
        ("SELECT zentry_stats('100000000 years')", "22023"),
        ("SELECT zentry_stats('-1 s')", "22023"),
        ("SELECT zentry_import_integrations(1::oid::regclass)", "42P01"),
        (
            "SELECT zentry_import_integrations('pg_catalog.pg_tables')",
            "42809",
        ),
        (
            "SELECT zentry_notify.log_ids(NULL, NULL, NULL, 9, NULL, -5)",
            "22023",
        ),
        ("SELECT zentry_detach(NULL)", "22004"),
        ("SELECT zentry_detach(1::oid::regclass)", "42704"),
        (
            "SET TRANSACTION READ ONLY; SELECT zentry_test_webhook(1)",
            "25006",
        ),
        ("SET TRANSACTION READ ONLY; SELECT zentry_attach()", "25006"),
    ] {
        let error = scene
            .client
            .batch_execute(&format!("BEGIN; {call}"))
            .expect_err(call);
        let error = error.as_db_error().expect("an error of the server");
        assert_eq!(error.code().code(), code, "{call}: {error:?}");
        assert!(
            error.hint().is_some_and(|hint| !hint.is_empty()),
            "{call}: {error:?}"
        );
        scene.client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}

/// Lines of what is wrong with the labels of functions.
const LABELS: [(&str, &str); 6] = [
    (
        "immutable, and not safe in a parallel query",
        "p.provolatile = 'i' AND p.proparallel <> 's'",
    ),
    (
        "in SQL or PL/pgSQL, and finds names by the session's path",
        "p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') AND p.prokind <> 'a' \
         AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)",
    ),
    (
        "of a definer, and finds names by the session's path",
        "p.prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)",
    ),
    ("leakproof", "p.proleakproof"),
    (
        "safe in a parallel query, and begins a subtransaction",
        "p.proparallel = 's' AND p.prosrc ~ '\\mEXCEPTION\\s+WHEN\\M'",
    ),
    (
        "stable or immutable, and writes",
        "p.provolatile <> 'v' AND regexp_replace(p.prosrc, '''([^'']|'''')*''', '', 'g') ~ '\\m(INSERT INTO|UPDATE zentry|DELETE FROM|TRUNCATE|setval|nextval|set_config|GRANT|REVOKE)\\M'",
    ),
];

#[test]
fn functions_are_what_they_are_labelled() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut wrong = Vec::new();
    for (what, condition) in LABELS {
        let sql = format!("SELECT p.oid::regprocedure::text FROM {OURS} WHERE {condition} ORDER BY 1");
        for row in scene.client.query(&sql, &[])? {
            wrong.push(format!("{}: {what}", row.get::<_, String>(0)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
