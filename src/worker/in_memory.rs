//! How many bytes of events' data are in memory.

use std::sync::{Arc, Weak};

/// Data up to this size are not counted: those of ten thousand events are some tens of megabytes.
pub const SMALL: usize = 4 << 10;

/// The long data that are in memory, for as long as something refers to them.
#[derive(Default)]
pub struct InMemory(Vec<Weak<str>>);

impl InMemory {
    /// Returns the bytes of long data that are in memory.
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
