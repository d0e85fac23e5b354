//! What a page says psql answers, and what it does answer.

use anyhow::{Result, bail};

/// In a page: anything, or as a line of its own any lines.
const ANYTHING: &str = "...";

/// An error that shows both unless `said` is what the page expects. Without an expectation only errors are none.
pub fn same(expected: Option<&str>, said: &str) -> Result<()> {
    let (wanted, found) = (lines(expected.unwrap_or(ANYTHING)), lines(said));
    let unexpected_error = is_error(&found) && !is_error(&wanted);
    if unexpected_error || !fits(&wanted, &found) {
        bail!("expected:\n{}\nfound:\n{said}", expected.unwrap_or("no error\n"));
    }
    Ok(())
}

fn is_error(lines: &[String]) -> bool {
    lines
        .iter()
        .any(|line| line.starts_with("ERROR:") || line.starts_with("FATAL:"))
}

/// Without what depends on the width of columns, or whether PostgreSQL ends a sentence of its own: 19 does where others do not.
fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            if line.starts_with("--") && line.chars().all(|c| c == '-' || c == '+') {
                "--".to_owned()
            } else if line.starts_with("DETAIL:") {
                line.trim_end_matches('.').to_owned()
            } else {
                line
            }
        })
        .filter(|line| !line.is_empty())
        .collect()
}

fn fits(wanted: &[String], found: &[String]) -> bool {
    match (wanted.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any == ANYTHING => {
            (0..=found.len()).any(|skipped| fits(rest, &found[skipped..]))
        }
        (Some((want, rest)), Some((line, others))) => line_fits(want, line) && fits(rest, others),
        _ => false,
    }
}

fn line_fits(want: &str, line: &str) -> bool {
    match want.split_once(ANYTHING) {
        None => want == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| &tail[at..])
                .chain([""])
                .any(|tail| line_fits(rest, tail))
        }),
    }
}

#[test]
fn anything_is_anything_and_the_rest_is_exact() {
    let said = " id | at \n----+----\n  7 | 2026-01-02 \n(1 row)\n\n";
    for expected in [
        None,
        Some(" id |  at\n-----+---\n 7 | 2026-01-02\n(1 row)\n"),
        Some("id | at\n...\n(1 row)"),
        Some("...\n7 | ...-02\n..."),
    ] {
        assert!(same(expected, said).is_ok(), "{expected:?}");
    }
    for expected in ["id | at\n(1 row)", "...\n8 | ...\n...", "...\n7 | ...\n", ""] {
        assert!(same(Some(expected), said).is_err(), "{expected}");
    }
    assert!(same(None, "ERROR:  no\n").is_err());
    assert!(same(Some("...\n"), "ERROR:  no\n").is_err());
    assert!(same(Some("ERROR: no\nHINT: ...\n"), "ERROR:  no\nHINT:  Say yes.\n").is_ok());
    assert!(same(Some("ERROR: no\nDETAIL: Why\n"), "ERROR:  no\nDETAIL:  Why.\n").is_ok());
}
