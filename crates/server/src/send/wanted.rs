//! What a sender is to ask its database.

/// Questions for the next turn.
#[derive(Default)]
pub struct Wanted {
    /// Which queues it has, and which it is to give up.
    pub look: bool,
    /// The settings, as soon as they may be asked for.
    pub settings: bool,
    /// The webhooks of its queues.
    pub webhooks: bool,
}

impl Wanted {
    /// Returns whether one of them is to be asked at once.
    pub fn is_anything(&self) -> bool {
        self.look || self.webhooks
    }
}
