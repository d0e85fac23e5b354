//! How many rows a message holds, and how many are read for it.

use super::{Doubt, EndpointQueue, MAX_DIGEST, SHOWN};

/// The number of digest rows that take the room of one with its event's data: hardly more than a number is kept of each.
const SLIM: usize = 16;

impl EndpointQueue {
    /// Returns the most deliveries that a message may hold. A digest is one message whatever the circuit says.
    pub(in crate::schedule) fn message_size(&self) -> usize {
        if self.config.digest.is_some() {
            MAX_DIGEST
        } else if self.health.is_open() {
            1
        } else {
            self.config.max_events_per_message.max(1)
        }
    }

    /// Returns how many rows of a digest to read: the first one, which says when it leaves, and when it is time, all of them. Of a digest
    /// that was refused, it is the half that leaves next; behind a single row, one more.
    pub(in crate::schedule) fn digest_page(&self) -> usize {
        match self.refused {
            0 if self.gathers_all => MAX_DIGEST,
            0 => 1,
            refused => (refused / 2).clamp(2, MAX_DIGEST),
        }
    }

    /// Returns whether a digest has to be read as a whole before it leaves: it is one message, whatever was in memory. It returns true once
    /// for each time that something came.
    pub(in crate::schedule) fn has_to_gather(&mut self) -> bool {
        let gathers = self.config.digest.is_some()
            && self.refused == 0
            && self.doubt == Doubt::None
            && !(self.has_gathered && (!self.more || self.rows.len() >= MAX_DIGEST));
        self.gathers_all |= gathers;
        gathers
    }

    /// Notes that rows were read for it.
    pub(in crate::schedule) fn supplied(&mut self) {
        self.gathers_all &= !self.rows.is_empty();
        self.has_gathered = self.gathers_all && self.refused == 0;
        self.slim = self.config.digest.is_some() && self.rows.len() > SHOWN;
    }

    /// Notes that its rows were given back.
    pub(in crate::schedule) fn gave_back(&mut self) {
        self.more = true;
        self.has_gathered = false;
    }

    /// Returns how much room so many of its rows take.
    pub(in crate::schedule) fn weight(&self, rows: usize) -> usize {
        match self.config.digest {
            Some(_) => rows.div_ceil(SLIM),
            None => rows,
        }
    }
}
