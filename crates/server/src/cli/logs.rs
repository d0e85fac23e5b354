//! `logs`: the log of deliveries.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::time::sleep;

use super::output::{Columns, Output, time};
use super::since::Since;
use super::target::Target;
use super::webhook::{no_webhook, types};
use crate::database::{Access, Connection, Session, explain, explain_begin};
use crate::queries::logs::{self, Entry, Filter, Start, Status};
use crate::queries::{events, integrations};

/// Show deliveries, newest first, or follow them as they come
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify logs --status failed --limit 5
  zentry-notify logs --since '2 hours' --search 'Deploy'
  zentry-notify logs --webhook 3 --follow
  zentry-notify logs --attempts 42
  zentry-notify logs --follow --json | jq 'select(.status == \"failed\").error_message'")]
pub struct Logs {
    /// Only those in this status
    #[arg(long)]
    status: Option<Status>,
    /// Only those of this event type
    #[arg(long, value_name = "EVENT")]
    event_type: Option<String>,
    #[arg(long, value_name = "TYPE", value_parser = types(), help = crate::vendors::listed())]
    webhook_type: Option<String>,
    /// Only those of this integration
    #[arg(long, value_name = "ID")]
    webhook: Option<i64>,
    /// Only those of events since then: '1 day', 2h, 2026-11-29 or '2026-11-29 08:00' (UTC)
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only those of events before then, likewise
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<Since>,
    /// Only those with this text in their event's data, error or response
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Maximum number of deliveries
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(i64).range(0..=100_000))]
    limit: i64,
    /// Show the unsuccessful attempts of this delivery instead, the first fifty of them
    #[arg(long, value_name = "DELIVERY", conflicts_with_all = ["status", "event_type", "webhook_type", "webhook", "since", "until", "search", "limit", "follow"])]
    attempts: Option<i64>,
    /// Then follow the log: a line for each new delivery, and for each change of a status
    #[arg(long, short)]
    follow: bool,
}

impl Logs {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        if let Some(id) = self.attempts {
            let mut connection = target.connect().await?;
            let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
            return attempts(&session, id, output).await;
        }
        let filter = Filter {
            webhook_integration: self.webhook,
            webhook_type: self.webhook_type,
            event_type: self.event_type,
            status: self.status,
            since: self.since.map(|since| since.0),
            until: self.until.map(|until| until.0),
            text: self.search,
            ..Filter::default()
        };
        let mut connection = target.connect().await?;
        if self.follow {
            {
                let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
                known(&session, self.webhook).await?;
            }
            follow(&mut connection, filter, self.limit, output).await?;
        } else {
            let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
            known(&session, self.webhook).await?;
            let window = logs::list(&session, &filter, Start::Offset(0), self.limit)
                .await
                .map_err(explain)?;
            output.entries(&window.entries)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns an error if there is no such webhook, since a mistyped id would look like one without deliveries.
async fn known(session: &Session<'_>, webhook: Option<i64>) -> Result<()> {
    let Some(id) = webhook else { return Ok(()) };
    let found = integrations::get(session, id).await.map_err(explain)?;
    found.map(|_| ()).ok_or_else(|| no_webhook(id))
}

async fn attempts(session: &Session<'_>, id: i64, output: &Output) -> Result<ExitCode> {
    let found = logs::attempts(session, id).await.map_err(explain)?;
    if found.is_empty() {
        let known = logs::get(session, id).await.map_err(explain)?;
        anyhow::ensure!(
            known.is_some(),
            "there is no delivery with id {id}\nhint: zentry-notify logs lists them."
        );
    }
    let header = ["ATTEMPT", "WHEN", "CODE", "NEXT", "ERROR"];
    output.rows(&found, &header, |one| {
        let attempt = one.attempt.map(|number| number.to_string());
        let code = one.response_status_code.map(|code| code.to_string());
        vec![
            attempt.unwrap_or_else(|| one.in_place_of_a_number().to_owned()),
            time(one.attempted_at),
            code.unwrap_or_default(),
            one.next_attempt_at.map_or_else(|| "given up".to_owned(), time),
            one.error_message.replace(['\n', '\r'], " "),
        ]
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Follows the log until Ctrl-C. Unfinished deliveries are read again, to show changes of their status.
async fn follow(connection: &mut Connection, filter: Filter, limit: i64, output: &Output) -> Result<()> {
    const PAUSE: Duration = Duration::from_secs(1);
    const PAGE: i64 = 1000;
    let wanted = filter.status;
    let every_status = Filter {
        status: None,
        ..filter
    };
    let (mut columns, mut last) = beginning(connection).await?;
    output.head(&columns)?;
    let mut tell = |entry: &Entry| -> Result<()> {
        if wanted.is_none_or(|status| status.name() == entry.status) {
            output.entry(entry, &mut columns)?;
        }
        Ok(())
    };

    let mut unfinished: BTreeMap<i64, String> = BTreeMap::new();
    let (mut start, mut page) = match limit {
        0 => (Start::After(last), PAGE),
        limit => (Start::Offset(0), limit),
    };
    loop {
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let newest = newest(&session).await?;
        for (id, status) in unfinished.clone() {
            let Some(entry) = logs::get(&session, id).await.map_err(explain)? else {
                unfinished.remove(&id);
                continue;
            };
            if entry.status != status {
                tell(&entry)?;
                note(&mut unfinished, &entry);
            }
        }
        let window = logs::list(&session, &every_status, start, page)
            .await
            .map_err(explain)?;
        for entry in window.entries.iter().rev() {
            tell(entry)?;
            note(&mut unfinished, entry);
            last = last.max(entry.id);
        }
        drop(session);
        let more = matches!(start, Start::After(_)) && window.entries.len() as i64 == page;
        if !more {
            // Deliveries that the filter excludes are read only once.
            last = last.max(newest);
        }
        (start, page) = (Start::After(last), PAGE);
        if !more {
            sleep(PAUSE).await;
        }
    }
}

/// Returns the id of the newest delivery; 0: there is none.
async fn newest(session: &Session<'_>) -> Result<i64> {
    let window = logs::list(session, &Filter::default(), Start::Offset(0), 1)
        .await
        .map_err(explain)?;
    Ok(window.entries.first().map_or(0, |entry| entry.id))
}

/// Returns column widths that fit the present deliveries, and the id of the newest one.
async fn beginning(connection: &mut Connection) -> Result<(Columns, i64)> {
    let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
    let types = events::types(&session).await.map_err(explain)?;
    let names = integrations::names(&session).await.map_err(explain)?;
    let newest = newest(&session).await?;
    let columns = Columns::new(
        newest,
        types.iter().map(|kind| kind.name.as_str()),
        names.iter().map(|(_, name)| name.as_str()),
    );
    Ok((columns, newest))
}

fn note(unfinished: &mut BTreeMap<i64, String>, entry: &Entry) {
    if matches!(entry.status.as_str(), "pending" | "retry") {
        unfinished.insert(entry.id, entry.status.clone());
    } else {
        unfinished.remove(&entry.id);
    }
}
