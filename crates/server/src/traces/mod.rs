//! Deliveries as spans of the traces that their events were written in, exported by OTLP.
//!
//! Nothing is kept in the database of what was exported: a span's id is always the same, so that a span that is exported again is the same
//! one. What was exported is remembered as long as it may be read again.

mod client;
mod exporter;
mod span;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

pub use self::exporter::{Destination, Exporter};
use crate::cli::{explain, explain_begin, explain_pool};
use crate::database::{Access, Database, Identity};
use crate::queries::traces::{self, Traced};

/// Spans that are exported at once, at most.
const PAGE: usize = 500;

/// An outcome is committed later than it came, by seconds. So long, what was finished is looked through again.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// How far back a start looks: as long as a restart may take. What it finds may have been exported before.
const REACH: SignedDuration = SignedDuration::from_mins(10);

/// What follows the finished deliveries of a database.
pub struct Follower {
    database: Database,
    exporter: Exporter,
    /// What was finished before it is exported. None: nothing has been read.
    from: Option<Timestamp>,
    /// What is exported, of what was finished since then, and when that was.
    exported: HashMap<i64, Timestamp>,
}

impl Follower {
    /// `since`: what was finished before is left out; by default, before [`REACH`].
    pub fn new(database: Database, exporter: Exporter, since: Option<Timestamp>) -> Self {
        Self {
            database,
            exporter,
            from: since,
            exported: HashMap::new(),
        }
    }

    /// Exports what has been finished, and returns how many spans that were. After an error, the next call goes on where this one stood.
    pub async fn export(&mut self) -> Result<usize> {
        let (now, database) = self.now().await?;
        let from = *self.from.get_or_insert(now - REACH);
        let mut after = (from, i64::MIN);
        let mut exported = 0;
        loop {
            // No transaction is open while the receiver is waited for.
            let page = self.finished_after(after).await?;
            let Some(last) = page.last() else { break };
            after = (last.finished_at, last.delivery_id);
            let is_last = page.len() < PAGE;
            let new: Vec<&Traced> = page
                .iter()
                .filter(|traced| !self.exported.contains_key(&traced.delivery_id))
                .collect();
            exported += self.exporter.export(&database, &new).await?;
            let done = new.iter().map(|traced| (traced.delivery_id, traced.finished_at));
            self.exported.extend(done);
            if is_last {
                break;
            }
        }
        let from = from.max(now - LATE);
        self.from = Some(from);
        self.exported.retain(|_, finished_at| *finished_at >= from);
        Ok(exported)
    }

    /// Exports for ever, with a pause in between. What goes wrong is handed to `tell`, once for each reason; None: it is over.
    pub async fn follow(mut self, pause: Duration, tell: impl Fn(Option<&str>)) {
        let mut told: Option<String> = None;
        loop {
            let reason = self.export().await.err().map(|error| format!("{error:#}"));
            if reason != told {
                tell(reason.as_deref());
                told = reason;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The database's clock, and its name.
    async fn now(&self) -> Result<(Timestamp, String)> {
        let connection = self.database.connection(Identity::Login).await;
        let mut connection = connection.map_err(explain_pool)?;
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        traces::now(&session).await.map_err(explain)
    }

    async fn finished_after(&self, after: (Timestamp, i64)) -> Result<Vec<Traced>> {
        let connection = self.database.connection(Identity::Login).await;
        let mut connection = connection.map_err(explain_pool)?;
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        traces::finished_after(&session, after, PAGE as i64)
            .await
            .map_err(explain)
    }
}
