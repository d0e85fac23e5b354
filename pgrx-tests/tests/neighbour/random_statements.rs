//! sqlsmith throws statements at a database with the extension, as a role that may do to it what others may.

use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, thread};

use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Limits;
use zentry_e2e::site::Site;

/// As many are in the log, at least, before anything is said of them.
const STATEMENTS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(600);

const OTHER_ROLES: &str = "
    CREATE ROLE smith LOGIN;
    GRANT CREATE ON SCHEMA public TO smith;
    SELECT zentry_grant('smith', 'manager');
    DO $$ DECLARE t regclass;
    BEGIN
        FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO smith', t);
        END LOOP;
    END $$";

/// An entry of the log: its lines, the first of which begins with the SQLSTATE.
fn entries(log: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in log.lines() {
        match entries.last_mut() {
            Some(entry)
                if !line.starts_with("@@") || line.contains("  LOCATION:") || line.contains("  CONTEXT:") =>
            {
                entry.push('\n');
                entry.push_str(line);
            }
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}

/// An internal error that came out of our library, or out of our SQL.
fn is_ours(entry: &str) -> bool {
    entry.starts_with("@@XX")
        && (entry.contains(".rs:") || entry.contains("CONTEXT:") && entry.contains("zentry_"))
}

#[test]
#[ignore = "takes minutes: make test-assert runs it"]
fn random_statements_crash_nothing() {
    let seconds = env::var("ZENTRY_SQLSMITH_SECONDS").map_or(180, |seconds| seconds.parse().unwrap());
    let seed = fastrand::u32(..);
    println!("seed {seed}, {seconds} s");
    let options = ClusterOptions::default()
        .set("log_error_verbosity", "verbose")
        .set("log_line_prefix", "@@%e ")
        .set("statement_timeout", "2s")
        .set("temp_file_limit", "1GB");
    let site = Site::start(options).unwrap();
    let mut client = site.database("zentry").unwrap();
    client.batch_execute(OTHER_ROLES).unwrap();
    site.channel(&mut client)
        .unwrap()
        .webhook
        .limit(Limits::default());
    let postmaster = site.cluster.postmaster_pid().unwrap();
    let target = format!(
        "host={} port={} user=smith dbname=zentry",
        site.cluster.dir().display(),
        site.cluster.port()
    );
    let start = Instant::now();
    // On a busy machine it takes minutes to read the catalogue, before it says anything.
    let enough = || {
        let statements = || entries(&site.cluster.log_since(0).unwrap()).len();
        start.elapsed() >= Duration::from_secs(seconds)
            && (start.elapsed() >= Duration::from_secs(seconds) + PATIENCE || statements() > STATEMENTS)
    };
    while !enough() {
        // It leaves when it loses its connection, which many a statement ends.
        let mut smith = std::process::Command::new("sqlsmith")
            .arg(format!("--target={target}"))
            .arg(format!("--seed={}", u64::from(seed) + start.elapsed().as_secs()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sqlsmith is missing: scripts/bootstrap assert");
        while smith.try_wait().unwrap().is_none() && !enough() {
            thread::sleep(Duration::from_millis(200));
        }
        let _ = smith.kill();
        smith.wait().unwrap();
    }
    assert_eq!(site.cluster.postmaster_pid(), Some(postmaster));
    let log = site.cluster.log_since(0).unwrap();
    for fault in ["terminated by signal", "TRAP:", "PANIC:"] {
        assert!(!log.contains(fault), "seed {seed}: {fault}");
    }
    let entries = entries(&log);
    assert!(entries.len() > STATEMENTS, "sqlsmith has done nothing");
    let ours: Vec<_> = entries.iter().filter(|entry| is_ours(entry)).collect();
    assert!(ours.is_empty(), "seed {seed}: {ours:#?}");
    site.connect("zentry")
        .unwrap()
        .batch_execute("SELECT count(*) FROM zentry_notify.notification_log")
        .unwrap();
}
