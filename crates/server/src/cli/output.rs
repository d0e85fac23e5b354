//! Output of commands: tables, or JSON for scripts.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::queries::integrations::Integration;
use crate::queries::logs::Entry;

/// The columns of deliveries.
const HEADER: [&str; 7] = ["ID", "CREATED", "EVENT", "WEBHOOK", "STATUS", "CODE", "ERROR"];

fn cells(entry: &Entry) -> [String; 7] {
    [
        entry.id.to_string(),
        time(entry.created_at),
        entry.event_type.clone(),
        entry.webhook_integration_name.clone().unwrap_or_default(),
        entry.status.clone(),
        entry
            .response_status_code
            .map(|code| code.to_string())
            .unwrap_or_default(),
        // One delivery, one line.
        entry.error_message.replace(['\n', '\r'], " "),
    ]
}

/// Widths of the columns of a list whose rows are not known yet.
#[derive(Debug)]
pub struct Columns([usize; 7]);

impl Columns {
    /// Returns widths for these names, and for ids like this one.
    pub fn new<'a>(
        id: i64,
        events: impl Iterator<Item = &'a str>,
        webhooks: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut columns = Self(HEADER.map(str::len));
        columns.0[0] = id.to_string().len() + 1;
        columns.0[1] = "2026-11-29 08:00:00Z".len();
        columns.0[2] = events
            .map(UnicodeWidthStr::width)
            .max()
            .unwrap_or(0)
            .max(columns.0[2]);
        columns.0[3] = webhooks
            .map(UnicodeWidthStr::width)
            .max()
            .unwrap_or(0)
            .max(columns.0[3]);
        columns.0[4] = "pending".len();
        columns
    }

    /// Widens the column for a new name.
    fn widen(&mut self, cells: &[String; 7]) {
        for (width, cell) in self.0.iter_mut().zip(cells).take(6) {
            *width = cell.width().max(*width);
        }
    }

    fn line(&self, cells: &[String; 7]) -> String {
        let padded = cells.iter().zip(self.0).map(|(cell, width)| {
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            format!("{cell}{gap}")
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// Standard output, and its format.
#[derive(Debug)]
pub struct Output<W = io::Stdout> {
    json: bool,
    out: W,
}

impl Output {
    pub fn new(json: bool) -> Self {
        let out = io::stdout();
        Self { json, out }
    }
}

impl<W> Output<W>
where
    for<'a> &'a W: Write,
{
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one JSON document, or a table.
    pub fn rows<T: Serialize>(
        &self,
        rows: &[T],
        header: &[&str],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> Result<()> {
        let mut out = &self.out;
        if self.json {
            serde_json::to_writer_pretty(&mut out, rows).map_err(io::Error::from)?;
            writeln!(out)?;
            return Ok(());
        }
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(header)
            .add_rows(
                rows.iter()
                    .map(|row| cells(row).iter().map(|cell| visible(cell)).collect::<Vec<_>>()),
            );
        writeln!(out, "{}", table.trim_fmt())?;
        Ok(())
    }

    pub fn entries(&self, entries: &[Entry]) -> Result<()> {
        self.rows(entries, &HEADER, |entry| cells(entry).to_vec())
    }

    /// Prints the header of a list whose rows follow later.
    pub fn head(&self, columns: &Columns) -> Result<()> {
        if !self.json {
            let names = HEADER.map(ToOwned::to_owned);
            writeln!(&self.out, "{}", columns.line(&names))?;
        }
        Ok(())
    }

    /// Prints a row of such a list.
    pub fn entry(&self, entry: &Entry, columns: &mut Columns) -> Result<()> {
        let mut out = &self.out;
        if self.json {
            serde_json::to_writer(&mut out, entry).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            // One delivery, one line.
            let cells = cells(entry).map(|cell| visible(&cell.replace('\n', " ")));
            columns.widen(&cells);
            writeln!(out, "{}", columns.line(&cells))?;
        }
        out.flush()?;
        Ok(())
    }

    /// Prints a webhook that was registered or changed.
    pub fn integrations(&self, integrations: &[Integration]) -> Result<()> {
        self.rows(integrations, &["ID", "NAME", "URL", "ACTIVE"], |one| {
            vec![
                one.id.to_string(),
                one.name.clone(),
                one.webhook_url.clone(),
                if one.is_active { "yes" } else { "no" }.to_owned(),
            ]
        })
    }

    /// Prints a message, unless the output is JSON.
    pub fn say(&self, text: &str) -> Result<()> {
        if !self.json {
            writeln!(&self.out, "{}", visible(text))?;
        }
        Ok(())
    }
}

/// Returns a text without control characters other than line breaks. Users with fewer rights than the reader can set names, and control sequences
/// could move the cursor, hide a line or change the window's title.
pub fn visible(text: &str) -> String {
    // Marks that change the direction of writing, which could make a name read differently.
    let is_turn = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_odd = |c: char| c != '\n' && (c.is_control() || is_turn(c));
    if !text.contains(is_odd) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_odd(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Prints a line to standard error. Errors are ignored, because it may be closed.
pub fn tell(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", visible(&text.to_string()));
}

/// Returns a time in UTC, to the second.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{PipeWriter, Read};

    use serde_json::{Value, json};

    use super::*;
    use crate::queries::integrations::tests::usual;

    /// Returns what is printed, as JSON or not.
    fn printed(json: bool, print: impl FnOnce(&Output<PipeWriter>) -> Result<()>) -> String {
        let (mut read, out) = io::pipe().unwrap();
        print(&Output { json, out }).unwrap();
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        text
    }

    fn entry(id: i64, code: Option<i32>, error: &str) -> Entry {
        Entry {
            id,
            webhook_integration: 1,
            webhook_integration_name: Some("Team".into()),
            webhook_type: Some("discord".into()),
            event_type: "task_completed".into(),
            payload: json!({}),
            status: "failed".into(),
            response_status_code: code,
            response_body: String::new(),
            error_message: error.into(),
            retry_count: 0,
            created_at: "2026-11-29T08:00:00.9Z".parse().unwrap(),
            sent_at: None,
            retried_as: None,
            retry_of: None,
        }
    }

    const LINES: &str = "\
ID   CREATED               EVENT           WEBHOOK  STATUS   CODE  ERROR
100  2026-11-29 08:00:00Z  task_completed  Team     failed         \\u{1b}[2J of two lines
101  2026-11-29 08:00:00Z  task_completed  Team     failed   404
";

    fn entries() -> [Entry; 2] {
        [
            entry(100, None, "\u{1b}[2J of\ntwo lines"),
            entry(101, Some(404), ""),
        ]
    }

    #[test]
    fn people_get_a_table_and_scripts_get_json() {
        let words = |text: &str| {
            let lines = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            lines.collect::<Vec<_>>()
        };
        let table = printed(false, |output| output.entries(&entries()));
        assert_eq!(words(&table), words(LINES));
        let json = printed(true, |output| output.entries(&entries()));
        let ids: Vec<Value> = serde_json::from_str(&json).unwrap();
        assert!(ids.iter().map(|entry| &entry["id"]).eq([100, 101].as_slice()));
        assert!(json.ends_with("]\n"));
    }

    #[test]
    fn a_webhook_that_has_changed_is_shown() {
        let mut paused = usual(12, "Team", "discord");
        paused.is_active = false;
        let url = paused.webhook_url.clone();
        let both = [usual(3, "Mine", "discord"), paused];
        let table = printed(false, |output| output.integrations(&both));
        let words = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        let lines: Vec<Vec<String>> = table.lines().map(words).collect();
        assert_eq!(lines[0], ["ID", "NAME", "URL", "ACTIVE"]);
        assert_eq!(lines[1], ["3", "Mine", &*url, "yes"]);
        assert_eq!(lines[2], ["12", "Team", &*url, "no"]);
        let json = printed(true, |output| output.integrations(&both));
        let ids: Vec<Value> = serde_json::from_str(&json).unwrap();
        assert!(ids.iter().map(|one| &one["id"]).eq([3, 12].as_slice()));
    }

    #[test]
    fn a_list_without_end_is_lines_of_text_or_of_json() {
        let list = |output: &Output<PipeWriter>| {
            let mut columns = Columns::new(99, ["task_completed"].into_iter(), ["Team"].into_iter());
            output.head(&columns)?;
            entries()
                .iter()
                .try_for_each(|entry| output.entry(entry, &mut columns))
        };
        assert_eq!(printed(false, list), LINES);
        let json = printed(true, list);
        let ids = json
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone());
        assert_eq!(ids.collect::<Vec<_>>(), [100, 101]);
    }

    #[test]
    fn what_is_said_to_people_is_not_said_to_scripts() {
        let said = |json| printed(json, |output| output.say("a\tb\nc"));
        assert_eq!(said(false), "a\\u{9}b\nc\n");
        assert_eq!(said(true), "");
        assert!(Output::new(true).is_json() && !Output::new(false).is_json());
    }

    #[test]
    fn what_somebody_has_typed_moves_no_cursor() {
        assert_eq!(visible("日本 🚀\nline"), "日本 🚀\nline");
        assert_eq!(
            visible("\u{1b}[2Jgone\u{7}\r\t\u{9b}0m\u{202e}x"),
            "\\u{1b}[2Jgone\\u{7}\\u{d}\\u{9}\\u{9b}0m\\u{202e}x"
        );
    }

    #[test]
    fn lines_of_a_list_without_end_stand_below_each_other() {
        let mut columns = Columns::new(
            99,
            ["daily_streak", "milestone_reached"].into_iter(),
            ["日本", "Team channel"].into_iter(),
        );
        let mut line = |event: &str, webhook: &str| {
            let cells =
                ["100", "2026-11-29 08:00:00Z", event, webhook, "sent", "204", ""].map(ToOwned::to_owned);
            columns.widen(&cells);
            let line = columns.line(&cells);
            line.split("sent").next().unwrap_or_default().width()
        };
        let ascii = line("daily_streak", "Team channel");
        assert_eq!(
            line("milestone_reached", "日本"),
            ascii,
            "by columns, not by letters"
        );
        let wider = line("milestone_reached", "A name that nobody knew");
        assert!(wider > ascii);
        assert_eq!(line("daily_streak", "Team channel"), wider, "from then on");
    }
}
