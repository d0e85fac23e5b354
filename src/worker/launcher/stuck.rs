//! Workers that were told to end and have not ended.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::wake::{EndRequest, Registry, Replaced, Slot};

/// How long a worker that was told to end may take.
const PATIENCE_WITH_STUCK: Duration = Duration::from_secs(3);

/// Workers that were told to end and have not ended yet, by their process id.
#[derive(Default)]
pub(super) struct EndingWorkers(HashMap<i32, EndingWorker>);

/// A worker that was told to end.
struct EndingWorker {
    since: Instant,
    /// Whether it has been logged that no worker can take its place.
    said: bool,
}

impl EndingWorkers {
    /// Replaces workers that were told to end and have not; `forget` is called with the database of each. Returns when the patience with the
    /// next one is over. Such a worker is inside a function of PostgreSQL's own that does not check for interrupts, for as long as that
    /// takes; nothing but the end of the server ends it.
    pub(super) fn replace(
        &mut self,
        registry: &'static Registry,
        mut forget: impl FnMut(pg_sys::Oid),
    ) -> Option<Duration> {
        let found: Vec<(&Slot, EndRequest)> = registry
            .slots()
            .filter_map(|slot| slot.told_to_end().map(|told| (slot, told)))
            .collect();
        self.0
            .retain(|pid, _| found.iter().any(|(_, told)| told.pid == *pid));
        let mut next: Option<Duration> = None;
        for (slot, told) in found {
            let ending = self.0.entry(told.pid).or_insert_with(|| EndingWorker {
                since: Instant::now(),
                said: false,
            });
            let left = PATIENCE_WITH_STUCK.saturating_sub(ending.since.elapsed());
            if !left.is_zero() {
                next = Some(next.map_or(left, |next| next.min(left)));
                continue;
            }
            let (database, pid) = (slot.database(), told.pid);
            match registry.replace(slot, &told) {
                Replaced::Needless => {}
                // A worker that ends wakes the launcher.
                Replaced::TooMany if ending.said => {}
                Replaced::TooMany => {
                    ending.said = true;
                    crate::report::warning(
                        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                        format!(
                            "zentry_notify: the worker of database {database} (pid {pid}) does not end, and too many do not already: its notifications wait"
                        ),
                        "Another one is started when one of them has ended. To end them, restart the server in immediate mode.",
                    );
                }
                Replaced::Yes => {
                    // If it should end now, this is the reason.
                    slot.overran().unseen.store(false, SeqCst);
                    forget(database);
                    crate::report::warning(
                        PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
                        format!(
                            "zentry_notify: the worker of database {database} (pid {pid}) does not end: what is looked up heeds no interrupts, another one takes its place"
                        ),
                        "The next worker says which event source it is. The process ends when that has come to its end, or with the server in immediate mode.",
                    );
                }
            }
        }
        next
    }
}
