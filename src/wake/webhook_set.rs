//! Sets of webhooks, in a process's own memory and in shared memory.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

const WORDS: usize = 16;

/// A set of webhooks, as 1,024 bits: a webhook's bit is the remainder of its id. So it may seem to contain a few others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookSet([u64; WORDS]);

impl WebhookSet {
    pub const ALL: WebhookSet = WebhookSet([u64::MAX; WORDS]);
    pub const NONE: WebhookSet = WebhookSet([0; WORDS]);

    pub fn insert(&mut self, webhook: i64) {
        let (word, bit) = Self::place(webhook);
        self.0[word] |= bit;
    }

    /// Returns true for every webhook that was inserted, and for a few others.
    pub fn may_contain(&self, webhook: i64) -> bool {
        let (word, bit) = Self::place(webhook);
        self.0[word] & bit != 0
    }

    pub(super) fn merge(&mut self, other: WebhookSet) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(bits, others)| *bits |= others);
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn place(webhook: i64) -> (usize, u64) {
        let place = webhook as u64 as usize % (WORDS * 64);
        (place / 64, 1 << (place % 64))
    }
}

/// A [`WebhookSet`] in shared memory.
pub(super) struct SharedWebhookSet([AtomicU64; WORDS]);

impl SharedWebhookSet {
    pub(super) const fn empty() -> Self {
        SharedWebhookSet([const { AtomicU64::new(0) }; WORDS])
    }

    /// Adds webhooks. Returns true if some were not in it.
    pub(super) fn add(&self, webhooks: WebhookSet) -> bool {
        let some = self.0.iter().zip(webhooks.0).filter(|(_, bits)| *bits != 0);
        some.fold(false, |new, (shared, bits)| {
            new | (shared.fetch_or(bits, SeqCst) & bits != bits)
        })
    }

    /// Returns the set, and empties it.
    pub(super) fn take(&self) -> WebhookSet {
        // Words that are zero are only read, so that they stay in the caches of all processors.
        WebhookSet(std::array::from_fn(|i| match self.0[i].load(SeqCst) {
            0 => 0,
            _ => self.0[i].swap(0, SeqCst),
        }))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| word.load(SeqCst) == 0)
    }
}
