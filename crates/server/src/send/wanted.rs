//! What a sender has to read from its database.

/// What is to be read in the next turn.
#[derive(Default)]
pub struct Wanted {
    /// The queues that it holds, and those that it has to let go.
    pub look: bool,
    /// The settings, as soon as they may be read again.
    pub settings: bool,
    /// The webhooks of its queues.
    pub webhooks: bool,
}

impl Wanted {
    /// Returns whether something is to be read at once.
    pub fn is_anything(&self) -> bool {
        self.look || self.webhooks
    }
}
