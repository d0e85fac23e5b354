//! `make demo`, as somebody sees it who runs it.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Columns of the narrowest terminal that the demo is meant for.
const WIDTH: usize = 100;

#[test]
fn it_succeeds_and_every_line_of_it_can_be_read() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");

    let wide: Vec<&str> = text
        .lines()
        .filter(|line| textwrap::core::display_width(line) > WIDTH)
        .collect();
    assert!(wide.is_empty(), "wider than {WIDTH} columns: {wide:#?}");

    for shown in [
        "Teams workflow",
        "Slack",
        "Google Chat",
        "Mattermost",
        "Task Completed",
        "Badge Earned",
        "Project Created",
        "Milestone Reached",
        "Daily Streak",
        "SELECT * FROM zentry_status();",
        "FROM zentry_stats('1 hour')",
        "✓ Everything arrived, and nothing else did",
        "All times are in UTC",
        "What next?",
        "make psql",
        "make web",
    ] {
        assert!(text.contains(shown), "{shown} is not shown:\n{text}");
    }
    // What the emulator says of itself, nobody outside of it knows.
    assert!(!text.contains("RateLimited"), "{text}");
    let status: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("zentry_status()"))
        .skip(3)
        .take_while(|line| line.contains(" | "))
        .collect();
    assert!(status.len() > 10, "{status:#?}");
    assert!(status.iter().all(|line| line.contains("| ok ")), "{status:#?}");
}

/// A script of the project, and what it says.
fn script(name: &str, arguments: &[&str], state: &Path, input: &str) -> Output {
    let mut script = Command::new(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../scripts")
            .join(name),
    )
    .args(arguments)
    .env("ZENTRY_DEMO_STATE", state)
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    script.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    script.wait_with_output().unwrap()
}

#[test]
fn a_kept_demo_has_what_the_guide_tries() {
    let state = std::env::temp_dir().join(format!("zentry-demo-{}.env", std::process::id()));
    // A file of its own, which goes while it runs: as when the demo is built again.
    let built = Path::new(env!("CARGO_BIN_EXE_demo"));
    let place = built.with_file_name(format!("kept-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let program = place.join("demo");
    std::fs::copy(built, &program).unwrap();
    let kept = Command::new(&program)
        .arg("--keep")
        .env("ZENTRY_DEMO_STATE", &state)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&kept.stdout);
    assert!(
        kept.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&kept.stderr)
    );
    std::fs::remove_dir_all(&place).unwrap();
    assert!(
        said.contains("What next?") && said.contains(":'workflow'"),
        "{said}"
    );
    let sql = "SELECT zentry_register_webhook(name, kind, url)
                 FROM (VALUES ('D', 'discord', :'discord'), ('C', 'teams', :'teams'), ('W', 'teams', :'workflow'), ('S', 'slack', :'slack'),
                              ('G', 'google_chat', :'google_chat'), ('M', 'mattermost', :'mattermost'), ('N', 'ntfy', :'ntfy'),
                              ('P', 'webhook', :'program')) v (name, kind, url);
               SELECT count(*) FROM zentry_attach('task_completed', 'task');
               SELECT zentry_attach('badge_earned', 'badge'), zentry_attach('project_created', 'project'), zentry_attach('daily_streak', 'streak');
               UPDATE task SET status = 'completed', reason = 'done' WHERE id = 1;
               SELECT pg_create_logical_replication_slot('reader', 'test_decoding', true);";
    let tried = script("psql", &["--set=ON_ERROR_STOP=1"], &state, sql);
    let stopped = script("stop", &[], &state, "");
    assert!(
        tried.status.success(),
        "{}{}",
        String::from_utf8_lossy(&tried.stdout),
        String::from_utf8_lossy(&tried.stderr)
    );
    assert!(
        stopped.status.success(),
        "{}",
        String::from_utf8_lossy(&stopped.stderr)
    );
    assert!(!state.exists(), "it removes what it has written");
}

/// The server that has the port goes on, with its token: nothing was done.
#[test]
fn a_port_that_is_taken_is_told_first() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let state = Path::new("/nowhere/demo.env");
    for (port, words) in [(port.as_str(), "is taken"), ("eighty", "it must be a number")] {
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/web"))
            .env("ZENTRY_DEMO_STATE", state)
            .env("PORT", port)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains(words) && said.contains("PORT="), "{said}");
        assert!(!said.contains("Building") && output.stdout.is_empty(), "{said}");
    }
}
