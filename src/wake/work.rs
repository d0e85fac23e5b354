//! The work that a worker has to look at.

use super::webhook_set::WebhookSet;

/// What a worker has to do.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Webhooks whose deliveries other sessions have written or finished.
    pub webhooks: WebhookSet,
    /// Webhooks whose waiting deliveries a person has made due now.
    pub overdue: WebhookSet,
    /// Webhooks that a person wants to be tried now, whatever their endpoints have asked for.
    pub resumed: WebhookSet,
    /// Whether events were written, which have to be routed.
    pub events: bool,
    /// Whether webhooks or sources have changed.
    pub configuration: bool,
}

impl Work {
    pub(super) const NONE: Work = Work {
        webhooks: WebhookSet::NONE,
        overdue: WebhookSet::NONE,
        resumed: WebhookSet::NONE,
        events: false,
        configuration: false,
    };

    /// All that may have to be done when nothing is known; nothing that only a person asks for.
    pub const ALL: Work = Work {
        webhooks: WebhookSet::ALL,
        overdue: WebhookSet::NONE,
        resumed: WebhookSet::NONE,
        events: true,
        configuration: true,
    };

    pub fn merge(&mut self, other: Work) {
        self.webhooks.merge(other.webhooks);
        self.overdue.merge(other.overdue);
        self.resumed.merge(other.resumed);
        self.events |= other.events;
        self.configuration |= other.configuration;
    }

    pub fn is_empty(&self) -> bool {
        self.webhooks.is_empty()
            && self.overdue.is_empty()
            && self.resumed.is_empty()
            && !self.events
            && !self.configuration
    }
}

impl Default for Work {
    fn default() -> Self {
        Work::NONE
    }
}
