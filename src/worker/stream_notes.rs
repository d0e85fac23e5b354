//! What is wrong with the streams that webhooks publish to: logged once, and kept with the webhook as long as it is so.

use std::collections::{BTreeMap, HashMap, HashSet};

use webhook::endpoint::SecretUrl;
use webhook::outcome::{Answer, remarks, stream_looked_at};
use webhook::rich_text::beginning;
use webhook::schedule::QueueId;

/// The most streams of a webhook (one, as a rule), and the most remarks that are remembered as logged.
const KEPT: usize = 32;
/// The most code points of a note.
const MAX_NOTE: usize = 1_000;

#[derive(Default)]
pub struct StreamNotes {
    /// The remarks of each webhook, by stream.
    found: HashMap<QueueId, BTreeMap<Box<str>, String>>,
    /// Webhooks whose notes are to be written.
    changed: HashSet<QueueId>,
    said: HashSet<String>,
}

impl StreamNotes {
    pub fn hear(&mut self, queue: QueueId, url: &SecretUrl, answer: &Answer) {
        let Some(stream) = stream_looked_at(answer) else {
            return;
        };
        let found: Vec<String> = remarks(answer)
            .map(|remark| url.redact(remark).into_owned())
            .collect();
        // A remark is logged once by each worker: the configuration is read again and again.
        for remark in &found {
            if self.said.len() < KEPT && self.said.insert(format!("{url}: {remark}")) {
                pgrx::warning!("zentry_notify: the stream of {url} is not as it should be: {remark}");
            }
        }
        let found = found.join("; ");
        let streams = self.found.entry(queue);
        // It is unknown whether the table has a note of a previous worker.
        if matches!(streams, std::collections::hash_map::Entry::Vacant(_)) {
            self.changed.insert(queue);
        }
        let streams = streams.or_default();
        let before = streams.get(stream).map_or("", String::as_str);
        if before != found && (streams.len() < KEPT || streams.contains_key(stream)) {
            streams.insert(stream.into(), found);
            self.changed.insert(queue);
        }
    }

    /// Takes the notes that are to be written. None: nothing is wrong with the webhook's streams any more.
    pub fn take_changes(&mut self) -> Vec<(QueueId, Option<String>)> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let note = |queue: &QueueId| {
            let streams = self.found.get(queue).into_iter().flat_map(BTreeMap::values);
            let found: Vec<&str> = streams
                .filter(|found| !found.is_empty())
                .map(String::as_str)
                .collect();
            (!found.is_empty()).then(|| beginning(&found.join("; "), MAX_NOTE).into())
        };
        changed.map(|queue| (queue, note(&queue))).collect()
    }

    /// Forgets the notes of webhooks that have changed or are gone.
    pub fn retain(&mut self, is_the_same: impl Fn(QueueId) -> bool) {
        self.found.retain(|queue, _| is_the_same(*queue));
        self.changed.retain(|queue| is_the_same(*queue));
    }

    /// Forgets what is known of a webhook, since it was not written.
    pub fn forget(&mut self, queue: QueueId) {
        self.found.remove(&queue);
        self.changed.remove(&queue);
    }
}
