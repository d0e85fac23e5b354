//! How much of events' data is in memory.

use std::sync::{Arc, Weak};

/// Data that are no longer count for nothing: ten thousand of them are some megabytes.
pub const SMALL: usize = 4 << 10;

/// The long data that are in memory, as long as anybody refers to them.
#[derive(Default)]
pub struct InMemory(Vec<Weak<str>>);

impl InMemory {
    /// Bytes that are in memory.
    pub fn bytes(&mut self) -> usize {
        let mut bytes = 0;
        self.0.retain(|data| {
            let held = data.upgrade();
            bytes += held.as_ref().map_or(0, |data| data.len());
            held.is_some()
        });
        bytes
    }

    pub fn add(&mut self, data: &Arc<str>) {
        if data.len() > SMALL {
            self.0.push(Arc::downgrade(data));
        }
    }
}
