//! What the commands about webhooks have in common: the argument for a type, the error for one that does not exist, warnings.

use anyhow::Result;
use clap::builder::PossibleValuesParser;

use super::output::tell;
use crate::database::{Session, explain};
use crate::queries::integrations::{Integration, doubts};

/// Parses a type of webhooks.
pub fn types() -> PossibleValuesParser {
    PossibleValuesParser::new(crate::vendors::names())
}

/// Returns the error for a webhook that does not exist.
pub fn no_webhook(id: i64) -> anyhow::Error {
    anyhow::anyhow!("there is no webhook with id {id}\nhint: zentry-notify integrations lists them.")
}

/// Prints warnings about settings of this webhook that are allowed and usually not intended, to standard error.
pub async fn warn_of(session: &Session<'_>, webhook: &Integration) -> Result<()> {
    for doubt in doubts(session, webhook.id).await.map_err(explain)? {
        tell(format_args!(
            "warning: webhook {} ({}): {doubt}",
            webhook.id, webhook.name
        ));
    }
    Ok(())
}
