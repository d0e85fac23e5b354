//! What is not as it should be of the streams that webhooks publish to: said once, and kept with the webhook while it is so.

use std::collections::{BTreeMap, HashMap, HashSet};

use webhook::endpoint::SecretUrl;
use webhook::outcome::{Answer, remarks, stream_looked_at};
use webhook::rich_text::beginning;
use webhook::schedule::QueueId;

/// Streams of a webhook, as a rule one, and remarks that were said.
const KEPT: usize = 32;
/// Code points of a note.
const MAX_NOTE: usize = 1_000;

#[derive(Default)]
pub struct StreamNotes {
    /// Of each webhook, by stream.
    found: HashMap<QueueId, BTreeMap<Box<str>, String>>,
    /// Whose notes are to be written.
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
        // Once for each worker: the configuration is read again and again.
        for remark in &found {
            if self.said.len() < KEPT && self.said.insert(format!("{url}: {remark}")) {
                pgrx::warning!("zentry_notify: the stream of {url} is not as it should be: {remark}");
            }
        }
        let found = found.join("; ");
        let streams = self.found.entry(queue);
        // Whether something stands there from a worker before, it does not know.
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

    /// What is to be written down of each webhook; None: nothing is wrong with its streams any more.
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

    /// Forgets those that are another one by now, or gone.
    pub fn retain(&mut self, is_the_same: impl Fn(QueueId) -> bool) {
        self.found.retain(|queue, _| is_the_same(*queue));
        self.changed.retain(|queue| is_the_same(*queue));
    }

    /// What is known of it was not written down.
    pub fn forget(&mut self, queue: QueueId) {
        self.found.remove(&queue);
        self.changed.remove(&queue);
    }
}
