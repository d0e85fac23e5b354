//! Deliveries as spans of the traces that their events were written in, exported by OTLP.
//!
//! The database does not record what was exported: the id of a delivery's span never changes, so exporting it again gives the same span. The
//! exported deliveries are remembered as long as they may be read again.

mod client;
mod exporter;
mod span;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

pub use self::exporter::{Destination, Exporter};
use crate::database::{Access, Database, Identity, explain, explain_begin, explain_pool};
use crate::queries::traces::{self, Traced};

/// The largest number of deliveries that are read, and exported, at once.
const PAGE: usize = 500;

/// For how long finished deliveries are read again, because an outcome is committed seconds after its `finished_at`.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// How far back the first export begins by default, so that a restart misses nothing. Some of it may have been exported before.
const REACH: SignedDuration = SignedDuration::from_mins(10);

/// Exports the finished deliveries of a database as they come.
pub struct Follower {
    database: Database,
    exporter: Exporter,
    /// `None`: nothing has been read yet, and the export begins [`REACH`] ago.
    progress: Option<Progress>,
}

/// How far the export has come.
#[derive(Debug)]
struct Progress {
    /// The time from which deliveries are read: those that were finished earlier are exported.
    from: Timestamp,
    /// The ids of exported deliveries that were finished at `from` or later, and when they were finished.
    exported: HashMap<i64, Timestamp>,
}

impl Progress {
    fn since(from: Timestamp) -> Self {
        Self {
            from,
            exported: HashMap::new(),
        }
    }

    /// Returns whether the delivery is not exported yet.
    fn lacks(&self, traced: &Traced) -> bool {
        !self.exported.contains_key(&traced.delivery_id)
    }

    /// Records that a page, the next by time, is exported; `now` is the database's time when the export began. Of its deliveries, those that were
    /// finished more than [`LATE`] before are not read again, even if a later page fails: a receiver that takes a page now and then would otherwise
    /// have all earlier pages read, and remembered, each time.
    fn taken(&mut self, page: &[Traced], now: Timestamp) {
        let done = page.iter().map(|traced| (traced.delivery_id, traced.finished_at));
        self.exported.extend(done);
        if let Some(last) = page.last() {
            self.go_on_from(last.finished_at.min(now - LATE));
        }
    }

    /// Reads from this time on, if it is later than before, and forgets the deliveries that were finished earlier.
    fn go_on_from(&mut self, at: Timestamp) {
        self.from = self.from.max(at);
        self.exported.retain(|_, finished_at| *finished_at >= self.from);
    }
}

impl Follower {
    /// Returns a follower of the deliveries that were finished at `since` or later; `None`: from ten minutes before the first export
    /// on.
    pub fn new(database: Database, exporter: Exporter, since: Option<Timestamp>) -> Self {
        Self {
            database,
            exporter,
            progress: since.map(Progress::since),
        }
    }

    /// Exports the deliveries that have been finished, and returns how many spans were exported. After an error, the next call continues where this
    /// one stopped.
    ///
    /// # Errors
    /// When the database cannot be read, or the receiver does not take the spans.
    pub async fn export(&mut self) -> Result<usize> {
        let (now, database) = self.now().await?;
        let mut progress = self
            .progress
            .take()
            .unwrap_or_else(|| Progress::since(now - REACH));
        let exported = self.export_pages(&mut progress, now, &database).await;
        self.progress = Some(progress);
        exported
    }

    async fn export_pages(&self, progress: &mut Progress, now: Timestamp, database: &str) -> Result<usize> {
        let mut after = (progress.from, i64::MIN);
        let mut exported = 0;
        loop {
            // Reading a page is a transaction of its own, so none is open while the receiver is waited for.
            let page = self.finished_after(after).await?;
            let Some(last) = page.last() else { break };
            after = (last.finished_at, last.delivery_id);
            let new: Vec<&Traced> = page.iter().filter(|traced| progress.lacks(traced)).collect();
            exported += self.exporter.export(database, &new).await?;
            progress.taken(&page, now);
            if page.len() < PAGE {
                break;
            }
        }
        progress.go_on_from(now - LATE);
        Ok(exported)
    }

    /// Exports for ever, with a pause after each export. Calls `tell` with the reason when exports begin to fail, or fail for another reason, and
    /// with `None` when they succeed again.
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

    /// Returns the time of the database's clock, and the database's name.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn traced(delivery_id: i64, finished_at: Timestamp) -> Traced {
        Traced {
            delivery_id,
            event_id: 1,
            event_type: String::new(),
            webhook_id: 1,
            webhook: None,
            webhook_type: None,
            traceparent: String::new(),
            span_id: String::new(),
            captured_at: finished_at,
            finished_at,
            status: "sent".to_owned(),
            response_status_code: None,
            error_message: String::new(),
            attempts: 1,
        }
    }

    #[test]
    fn of_what_was_taken_no_more_is_remembered_and_read_again_than_what_something_comes_late_to() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let ago = |minutes| now - SignedDuration::from_mins(minutes);
        let mut progress = Progress::since(ago(60));
        progress.taken(&[traced(1, ago(50)), traced(2, ago(40))], now);
        assert_eq!((progress.from, progress.exported.len()), (ago(40), 1));
        assert!(!progress.lacks(&traced(2, ago(40))));
        // A delivery that was finished at the same time, and was committed later, is still to be exported.
        assert!(progress.lacks(&traced(3, ago(40))));
        progress.taken(&[traced(4, now), traced(5, now)], now);
        assert_eq!((progress.from, progress.exported.len()), (now - LATE, 2));
        progress.go_on_from(now + LATE);
        assert!(progress.exported.is_empty());
    }
}
