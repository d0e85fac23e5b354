//! Which deliveries of the log are asked for.

use jiff::Timestamp;
use tokio_postgres::Error;

use crate::database::Session;
use crate::queries::integrations;

/// The status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Status {
    Pending,
    Retry,
    Sent,
    Failed,
}

impl Status {
    pub const NAMES: &[&str] = &["pending", "retry", "sent", "failed"];

    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Retry, Self::Sent, Self::Failed];
        all.into_iter().find(|status| status.name() == name)
    }

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// Filters for deliveries; `None`: all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub webhook_integration: Option<i64>,
    pub webhook_type: Option<String>,
    pub event_type: Option<String>,
    pub status: Option<Status>,
    /// Deliveries that are not finished: pending and retry.
    pub waiting: bool,
    /// Deliveries of events that happened at this time or later.
    pub since: Option<Timestamp>,
    /// Deliveries of events that happened before this time.
    pub until: Option<Timestamp>,
    /// Deliveries whose data, error or response contain this text.
    pub text: Option<String>,
}

impl Filter {
    /// Returns whether rows have to be read to check the filter, because no index can.
    pub(super) fn is_search(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.text.is_some()
    }

    pub(super) fn statuses(&self) -> Vec<Option<&'static str>> {
        match (self.status, self.waiting) {
            (Some(status), _) => vec![Some(status.name())],
            (None, true) => vec![Some(Status::Pending.name()), Some(Status::Retry.name())],
            (None, false) => vec![None],
        }
    }

    /// Returns the webhooks that match a filter; `None`: all.
    pub(super) async fn webhooks(&self, session: &Session<'_>) -> Result<Option<Vec<i64>>, Error> {
        let id = self.webhook_integration;
        let Some(name) = &self.webhook_type else {
            return Ok(id.map(|id| vec![id]));
        };
        let ids = integrations::ids_of_type(session, name).await?;
        let ids = ids
            .into_iter()
            .filter(|of_type| id.is_none_or(|id| id == *of_type));
        Ok(Some(ids.collect()))
    }
}
