//! The work that a worker has to look at.

use super::WebhookSet;

#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Webhooks of which deliveries were written, or finished by other sessions.
    pub webhooks: WebhookSet,
    /// Webhooks of which a person has made deliveries due now, whatever they were waiting for.
    pub overdue: WebhookSet,
    /// Whether those of `overdue` are to be tried whatever their endpoints have asked for.
    pub resumed: bool,
    /// Whether events were written, which have to be routed.
    pub events: bool,
    /// Whether webhooks or sources have changed.
    pub configuration: bool,
}

impl Work {
    pub(super) const NONE: Work = Work {
        webhooks: WebhookSet::NONE,
        overdue: WebhookSet::NONE,
        resumed: false,
        events: false,
        configuration: false,
    };

    pub const ALL: Work = Work {
        webhooks: WebhookSet::ALL,
        overdue: WebhookSet::NONE,
        resumed: false,
        events: true,
        configuration: true,
    };

    pub fn merge(&mut self, other: Work) {
        self.webhooks.merge(other.webhooks);
        self.overdue.merge(other.overdue);
        self.resumed |= other.resumed;
        self.events |= other.events;
        self.configuration |= other.configuration;
    }

    pub fn is_empty(&self) -> bool {
        self.webhooks.is_empty() && self.overdue.is_empty() && !self.events && !self.configuration
    }
}

impl Default for Work {
    fn default() -> Self {
        Work::NONE
    }
}
