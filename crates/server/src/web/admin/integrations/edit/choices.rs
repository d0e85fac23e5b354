//! What the form offers to choose from.

use crate::database::Session;
use crate::queries::events::{self, EventType};
use crate::queries::integrations;
use crate::web::Error;

/// The event types and projects that the form offers.
pub(super) struct Choices {
    pub(super) types: Vec<EventType>,
    pub(super) projects: Vec<(i64, String)>,
}

impl Choices {
    pub(super) async fn of(session: &Session<'_>) -> Result<Self, Error> {
        Ok(Self {
            types: events::types(session).await?,
            projects: integrations::projects(session).await?,
        })
    }
}
