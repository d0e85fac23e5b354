//! `make demo`, as somebody sees it who runs it.
#![allow(clippy::unwrap_used)]

use std::process::Command;

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
    ] {
        assert!(text.contains(shown), "{shown} is not shown:\n{text}");
    }
    let status: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("zentry_status()"))
        .skip(3)
        .take_while(|line| line.contains(" | "))
        .collect();
    assert!(status.len() > 10, "{status:#?}");
    assert!(status.iter().all(|line| line.contains("| ok ")), "{status:#?}");
}
