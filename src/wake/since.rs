//! A time in shared memory since which something is so.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use jiff::Timestamp;

/// The time, in microseconds since 1970. 0: it is not so.
pub struct Since(AtomicI64);

impl Since {
    pub const fn never() -> Self {
        Since(AtomicI64::new(0))
    }

    /// Sets whether it is so now. If it was so before, the time stays.
    pub fn set(&self, is_so: bool) {
        if is_so {
            let now = Timestamp::now().as_microsecond();
            let _ = self.0.compare_exchange(0, now, SeqCst, SeqCst);
        } else if self.0.load(SeqCst) != 0 {
            self.0.store(0, SeqCst);
        }
    }

    pub fn get(&self) -> Option<Timestamp> {
        let micros = Some(self.0.load(SeqCst)).filter(|micros| *micros != 0);
        micros.and_then(|micros| Timestamp::from_microsecond(micros).ok())
    }
}

/// Returns the time until a moment in microseconds since 1970. None: it is past.
pub(super) fn time_left(until: &AtomicI64) -> Option<Duration> {
    let left = until.load(SeqCst) - Timestamp::now().as_microsecond();
    u64::try_from(left)
        .ok()
        .filter(|left| *left > 0)
        .map(Duration::from_micros)
}
