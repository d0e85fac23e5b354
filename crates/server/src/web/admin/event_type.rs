//! An event type: whether there is one of a name, and what its messages look like.

use super::preview::Message;
use crate::database::Session;
use crate::queries::events::{self, EventType};
use crate::queries::integrations;
use crate::web::Error;

/// Returns the event type of this name. If there is none, the error has status 404.
pub async fn found(session: &Session<'_>, name: &str) -> Result<EventType, Error> {
    let types = events::types(session).await?;
    types
        .into_iter()
        .find(|kind| kind.name == name)
        .ok_or_else(Error::not_found)
}

/// Returns previews in every format, or in the format and wording of one integration.
pub async fn previews(
    session: &Session<'_>,
    name: &str,
    webhook: Option<i64>,
) -> Result<Vec<(String, Message)>, Error> {
    if let Some(id) = webhook {
        let integration = integrations::get(session, id).await?;
        let kind = integration.ok_or_else(Error::not_found)?.webhook_type;
        let message = Message::of(events::preview(session, name, "discord", None, webhook).await?);
        return Ok(vec![(crate::vendors::name(&kind).to_owned(), message)]);
    }
    let mut previews = Vec::new();
    for format in crate::vendors::all().iter().flat_map(|vendor| &vendor.formats) {
        let message = events::preview(session, name, &format.format, None, None).await?;
        previews.push((format.label.clone(), Message::of(message)));
    }
    Ok(previews)
}
