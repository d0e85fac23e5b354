//! What commands print: tables for people, JSON for scripts.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::queries::integrations::Integration;
use crate::queries::logs::Entry;

/// Of deliveries.
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

/// How wide the columns of a list without end are, whose rows nobody knows yet.
#[derive(Debug)]
pub struct Columns([usize; 7]);

impl Columns {
    /// For these names and ids like this one.
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

    /// For a name that is new.
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

/// Standard output, and how it is written to.
#[derive(Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One JSON document, or a table.
    pub fn rows<T: Serialize>(
        &self,
        rows: &[T],
        header: &[&str],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> Result<()> {
        let mut out = io::stdout().lock();
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

    /// What stands above a list without end.
    pub fn head(&self, columns: &Columns) -> Result<()> {
        if !self.json {
            let names = HEADER.map(ToOwned::to_owned);
            writeln!(io::stdout(), "{}", columns.line(&names))?;
        }
        Ok(())
    }

    /// A line of a list without end.
    pub fn entry(&self, entry: &Entry, columns: &mut Columns) -> Result<()> {
        let mut out = io::stdout().lock();
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

    /// What was registered or changed.
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

    /// For people only.
    pub fn say(&self, text: &str) -> Result<()> {
        if !self.json {
            writeln!(io::stdout(), "{}", visible(text))?;
        }
        Ok(())
    }
}

/// What people who may change less than the reader does have typed, as a terminal may be shown it: a name could move the cursor, hide a line or change
/// the window's title. Lines stay.
pub fn visible(text: &str) -> String {
    // Marks that turn the direction of what follows: a name could be read backwards.
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

/// On standard error. Whoever has closed it does not want to know.
pub fn tell(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", visible(&text.to_string()));
}

/// In UTC, whole seconds.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(line("milestone_reached", "A name that nobody knew") > ascii);
    }
}
