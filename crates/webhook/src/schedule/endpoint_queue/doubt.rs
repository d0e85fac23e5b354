//! Whether a single message makes the endpoint fail.

use std::time::Duration;

use jiff::Timestamp;

use super::{DeliveryId, EndpointQueue};

/// Doubt about the first message: whether it makes the endpoint fail, or the endpoint fails anyhow. When the first one has failed often
/// enough, the one behind it is tried once; if that is taken, and the first one fails again, the first one is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::schedule) enum Doubt {
    None,
    /// The next request holds the second row in place of the first, and leaves at once.
    Asks(DeliveryId),
    /// After so many attempts of this row, the endpoint did not take the one behind it either.
    Answered(DeliveryId, u32),
    /// The endpoint took the row behind this one, which failed so often.
    Suspects(DeliveryId),
}

impl EndpointQueue {
    /// Puts the second row in front, if it may leave.
    pub(in crate::schedule) fn swap_first(&mut self, max_age: Duration, wall: Timestamp) -> bool {
        let fit = self
            .rows
            .get(1)
            .is_some_and(|row| !self.expired(row, max_age, wall));
        if fit {
            self.rows.swap(0, 1);
        }
        fit
    }

    /// Restores the order after the answer about the second row, if that was not taken.
    pub(in crate::schedule) fn answered_about_second(&mut self) {
        let Doubt::Asks(id) = self.doubt else { return };
        if self.rows.get(1).is_some_and(|second| second.id == id) {
            self.rows.swap(0, 1);
        }
        let head = self.rows.front().filter(|head| head.id == id);
        self.doubt = head.map_or(Doubt::None, |head| Doubt::Answered(id, head.attempts));
    }

    /// Returns whether the second row leaves in place of the first.
    pub(in crate::schedule) fn asks(&self) -> bool {
        match self.doubt {
            Doubt::Asks(id) => self.rows.front().is_some_and(|front| front.id != id),
            _ => false,
        }
    }
}
