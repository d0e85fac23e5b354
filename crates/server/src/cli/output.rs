//! What commands print: tables for people, JSON for scripts.

use std::io::{self, Write};

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use crate::queries::logs::Entry;

/// Standard output, and how it is written to.
#[derive(Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
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
            .add_rows(rows.iter().map(cells));
        writeln!(out, "{}", table.trim_fmt())?;
        Ok(())
    }

    pub fn entries(&self, entries: &[Entry]) -> Result<()> {
        let header = ["ID", "CREATED", "EVENT", "WEBHOOK", "STATUS", "CODE", "ERROR"];
        self.rows(entries, &header, |entry| {
            vec![
                entry.id.to_string(),
                time(entry.created_at),
                entry.event_type.clone(),
                entry.webhook_integration_name.clone().unwrap_or_default(),
                entry.status.clone(),
                entry
                    .response_status_code
                    .map(|code| code.to_string())
                    .unwrap_or_default(),
                entry.error_message.clone(),
            ]
        })
    }

    /// A line of a list without end.
    pub fn entry(&self, entry: &Entry) -> Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, entry).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            let webhook = entry.webhook_integration_name.as_deref().unwrap_or_default();
            let code = entry
                .response_status_code
                .map(|code| code.to_string())
                .unwrap_or_default();
            let text = format!(
                "{:>6}  {}  {:17}  {webhook}  {} {code} {}",
                entry.id,
                time(entry.created_at),
                entry.event_type,
                entry.status,
                entry.error_message
            );
            writeln!(out, "{}", text.trim_end())?;
        }
        out.flush()?;
        Ok(())
    }

    /// For people only.
    pub fn say(&self, text: &str) -> Result<()> {
        if !self.json {
            writeln!(io::stdout(), "{text}")?;
        }
        Ok(())
    }
}

/// In UTC, whole seconds.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
