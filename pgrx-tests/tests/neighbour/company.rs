//! With other libraries that hook into the server, before and after ours. They come from packages: `make test-company` installs them.

use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::{Kind, Limits};
use zentry_e2e::scene::{Delivery, register};
use zentry_e2e::site::Site;
use zentry_e2e::soundness;
use zentry_e2e::zentry::{self, id};

/// In an order in which the server starts without us: plprofiler 4.2.1 makes it forget the shared memory that those before it asked for.
const OTHERS: [&str; 7] = [
    "plprofiler",
    "pgaudit",
    "pg_stat_statements",
    "auto_explain",
    "set_user",
    "pg_cron",
    "pg_qualstats",
];
/// These two (2.4.2 and 2.3.0) can't be preloaded together: the server ends in signal 11.
const ONE_OF: [&str; 2] = ["pglogical", "plpgsql_check"];
/// Of all, the ones that are extensions too.
const EXTENSIONS: [&str; 8] = [
    "pgaudit",
    "pg_stat_statements",
    "plpgsql_check",
    "set_user",
    "pg_cron",
    "pglogical",
    "plprofiler",
    "pg_qualstats",
];
const OURS: &str = "zentry_notify";
const DATABASE: &str = "zentry";
/// What is said where our request for shared memory was dropped.
const DROPPED: &str = "did not get the shared memory that it requested";

fn site(libraries: &[&str]) -> Site {
    let options = ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    };
    Site::start(
        options
            .set("shared_preload_libraries", libraries.join(","))
            .set("wal_level", "logical")
            .set("max_worker_processes", 32)
            .set("cron.database_name", DATABASE)
            .set("auto_explain.log_min_duration", 0)
            .set("auto_explain.log_nested_statements", "on")
            .set("auto_explain.log_analyze", "on")
            .set("auto_explain.log_triggers", "on")
            .set("pgaudit.log", "all")
            .set("pg_stat_statements.track", "all")
            .set("pg_qualstats.sample_rate", 1)
            .set("plprofiler.enabled", "on"),
    )
    .unwrap()
}

/// Each of the five events once, and a write of every kind; everything arrives.
fn main_job(site: &Site, libraries: &[&str]) -> Client {
    let mut client = site.database(DATABASE).unwrap();
    for extension in EXTENSIONS {
        if extension == "pglogical" && !libraries.contains(&extension) {
            continue;
        }
        client
            .batch_execute(&format!("CREATE EXTENSION {extension}"))
            .unwrap_or_else(|error| panic!("{extension}: {error:?}"));
    }
    let channel = site.channel(&mut client).unwrap();
    channel.webhook.limit(Limits::default());
    zentry::complete_task(&mut client, id::LANDING_PAGE, jiff::Timestamp::now()).unwrap();
    zentry::award_badge(&mut client, id::CHEN, id::TASK_MASTER).unwrap();
    zentry::extend_streak(&mut client, id::CHEN).unwrap();
    client
        .batch_execute(
            "INSERT INTO tasks_project (id, name, description, emoji, created_by_id, created_at, updated_at)
                 VALUES (600, 'Atlas', 'Maps', '', 1, now(), now());
             UPDATE tasks_task SET status = 'completed' WHERE id BETWEEN 3 AND 9;
             SELECT zentry_test_webhook(id) FROM zentry_notify.webhooks",
        )
        .unwrap();
    let sent = Delivery::settle(&mut client).unwrap();
    for event_type in [
        "task_completed",
        "badge_earned",
        "project_created",
        "milestone_reached",
        "daily_streak",
    ] {
        assert!(
            sent.iter()
                .any(|delivery| delivery.event_type == event_type && delivery.status == "sent"),
            "{event_type}: {sent:#?}"
        );
    }
    assert_eq!(site.emulator.complaints(), [] as [&str; 0]);
    client
}

/// No process has died, and every error in the log is somebody's own.
fn assert_sound(cluster: &Cluster) {
    let log = cluster.log_since(0).unwrap();
    for fault in ["terminated by signal", "PANIC:", "backtrace", "TRAP:"] {
        assert!(!log.contains(fault), "{fault}");
    }
}

/// plpgsql_check compiles every statement of a function, also those that no test comes to.
fn assert_functions_correct(client: &mut Client) {
    const SQL: &str = "
        SELECT p.oid::regprocedure || ' on ' || coalesce(t.tgrelid::regclass::text, 'nothing') || ': ' || f.lineno || ' ' || f.message, f.level
          FROM pg_proc p
          JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'zentry_notify'
          LEFT JOIN pg_trigger t ON t.tgfoid = p.oid
         CROSS JOIN LATERAL plpgsql_check_function_tb(p.oid, coalesce(t.tgrelid, 0), fatal_errors => false,
                                                     oldtable => t.tgoldtable, newtable => t.tgnewtable) f
         WHERE p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')
           AND (p.prorettype <> 'trigger'::regtype OR t.tgrelid IS NOT NULL)";
    let found: Vec<String> = client
        .query(SQL, &[])
        .unwrap()
        .iter()
        .filter(|row| row.get::<_, String>(1) == "error")
        .map(|row| row.get(0))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// The catalogue's rows refer to what is there, and indexes and tables are whole.
fn assert_data_sound(cluster: &Cluster) {
    assert!(soundness::check_catalogue(cluster, DATABASE).unwrap());
    assert!(soundness::check(cluster, DATABASE).unwrap() > 100);
}

#[test]
#[ignore = "wants packages that make test-company installs"]
fn preloaded_after_all_others() {
    let mut libraries = OTHERS.to_vec();
    libraries.extend([ONE_OF[0], OURS]);
    let site = site(&libraries);
    assert!(!site.cluster.log_contains(DROPPED).unwrap());
    let mut client = main_job(&site, &libraries);
    assert_functions_correct(&mut client);
    assert_data_sound(&site.cluster);
    assert_sound(&site.cluster);
}

/// plprofiler forgets the requests for shared memory that were made before its own.
#[test]
#[ignore = "wants packages that make test-company installs"]
fn preloaded_before_all_others() {
    let mut libraries = vec![OURS];
    libraries.extend(OTHERS);
    libraries.push(ONE_OF[1]);
    let mut site = site(&libraries);
    let log = site.cluster.log_since(0).unwrap();
    let said = log
        .lines()
        .find(|line| line.contains(DROPPED))
        .expect("nothing is said");
    assert!(said.contains("WARNING:"), "{said}");
    assert!(log.contains("Preloaded after it: plprofiler, pgaudit"), "{log}");
    let mut client = main_job(&site, &libraries);
    assert_sound(&site.cluster);
    drop(client);
    // What is ours is made anew after a crash, as the server's own is.
    site.cluster.kill9().unwrap();
    site.cluster.start_again().unwrap();
    client = site.connect(DATABASE).unwrap();
    zentry::extend_streak(&mut client, id::CHEN).unwrap();
    let sent = Delivery::settle(&mut client).unwrap();
    assert_eq!(
        sent.iter()
            .filter(|delivery| delivery.event_type == "daily_streak")
            .count(),
        2
    );
    assert_data_sound(&site.cluster);
}

/// Statements with their parameters are in the log, those within functions too: a URL is there when somebody gives it, and not again.
#[test]
#[ignore = "wants packages that make test-company installs"]
fn pgaudit_with_parameters_shows_no_url_that_is_there_already() {
    let options = ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    };
    let site = Site::start(
        options
            .set("shared_preload_libraries", "pgaudit,zentry_notify")
            .set("pgaudit.log", "all")
            .set("pgaudit.log_parameter", "on")
            .set("pgaudit.log_catalog", "on")
            .set("pgaudit.log_level", "log"),
    )
    .unwrap();
    let mut client = site.database(DATABASE).unwrap();
    client.batch_execute("CREATE EXTENSION pgaudit").unwrap();
    let hidden = |client: &mut Client, hide: bool| {
        let value = if hide { "none" } else { "all" };
        client
            .batch_execute(&format!("SET pgaudit.log = '{value}'"))
            .unwrap();
    };
    let webhooks: Vec<_> = (0..3).map(|_| site.emulator.register(Kind::Discord)).collect();
    let other = site.emulator.register(Kind::Discord);
    let mut secrets: Vec<String> = webhooks
        .iter()
        .chain([&other])
        .map(|webhook| webhook.url().rsplit_once('/').expect("a token").1.to_owned())
        .collect();
    // Who gives a URL can keep it out of the log; what is done with it within the functions is hidden with it.
    hidden(&mut client, true);
    let ids: Vec<i64> = webhooks[..2]
        .iter()
        .map(|webhook| register(&mut client, webhook, None, None).unwrap())
        .collect();
    client
        .execute(
            "INSERT INTO notifications_webhookintegration VALUES (77, 'Old', 'discord', $1, '[\"*\"]'::jsonb, true, now(), now(), 1, 1)",
            &[&webhooks[2].url()],
        )
        .unwrap();
    client
        .execute(
            "SELECT zentry_update_webhook($1, webhook_url => $2)",
            &[&ids[1], &other.url()],
        )
        .unwrap();
    let token: String = client
        .query_one("SELECT zentry_create_api_token('x', 'pg_monitor')", &[])
        .unwrap()
        .get(0);
    secrets.push(token.rsplit_once('_').expect("a secret").1.to_owned());
    let imported = client
        .query("SELECT * FROM zentry_import_integrations()", &[])
        .unwrap();
    assert_eq!(imported.len(), 1);
    hidden(&mut client, false);
    let start = site.cluster.log_end().unwrap();
    for statement in [
        "SELECT zentry_update_webhook(77, name => 'Renamed', filter => '$.points > 0', is_active => false)",
        "SELECT zentry_update_webhook(77, is_active => true)",
        "UPDATE zentry_notify.webhook_integration SET name = name || '!', webhook_url = webhook_url",
        "SELECT zentry_test_webhook(id) FROM zentry_notify.webhooks",
        "SELECT * FROM zentry_status()",
    ] {
        client.batch_execute(statement).unwrap();
    }
    zentry::complete_task(&mut client, id::LANDING_PAGE, jiff::Timestamp::now()).unwrap();
    Delivery::settle(&mut client).unwrap();
    // The endpoint is gone: the worker switches it off.
    webhooks[0].remove();
    zentry::complete_task(&mut client, 3, jiff::Timestamp::now()).unwrap();
    zentry_e2e::site::wait_for(
        &mut client,
        "SELECT bool_or(w.state = 'gone') FROM zentry_notify.webhooks w",
    )
    .unwrap();
    client.batch_execute("SELECT zentry_delete_webhook(id) FROM zentry_notify.webhooks; SELECT zentry_revoke_api_token('x')").unwrap();
    client
        .batch_execute("DO $$ BEGIN RAISE LOG 'the end'; END $$")
        .unwrap();
    site.cluster
        .wait_for_log_since(start, "the end", zentry_e2e::scene::SOON)
        .unwrap();
    let log = site.cluster.log_since(start).unwrap();
    for seen in ["AUDIT: ", "switched_off_reason", "zentry_delete_webhook"] {
        assert!(log.contains(seen), "{seen}");
    }
    for secret in &secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None);
    }
}
