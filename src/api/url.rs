//! Webhook URLs: checked when they are written, redacted when they are shown.

use pgrx::prelude::*;
use webhook::endpoint::{Endpoint, WebhookType, redact};
use webhook::mention::Mention;

use crate::settings;

/// An error with a hint unless `webhook_url` is the URL of such a webhook and may be called.
#[pg_extern(sql = false)]
fn check_webhook_url(webhook_type: &str, webhook_url: &str) {
    if let Err(refusal) = endpoint(webhook_type, webhook_url) {
        refusal.raise();
    }
}

/// An error with a hint unless messages to the webhook can ping so.
#[pg_extern(sql = false)]
fn check_mention(webhook_type: &str, webhook_url: &str, mention: &str) {
    let endpoint = endpoint(webhook_type, webhook_url).unwrap_or_else(|refusal| refusal.raise());
    if let Err(error) = Mention::parse(endpoint.kind(), mention) {
        let refusal = Refusal {
            message: format!("mention: {error}"),
            hint: Some(error.hint().to_owned()),
        };
        refusal.raise();
    }
}

/// The URL without its secret.
#[pg_extern(sql = false)]
fn redact_url(webhook_url: &str) -> String {
    redact(webhook_url)
}

/// Why a URL is refused, without its secret.
pub struct Refusal {
    pub message: String,
    pub hint: Option<String>,
}

impl Refusal {
    pub fn raise(self) -> ! {
        let report = pgrx::pg_sys::panic::ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            self.message,
            pgrx::function_name!(),
        );
        let report = match self.hint {
            Some(hint) => report.set_hint(hint),
            None => report,
        };
        report.report(PgLogLevel::ERROR);
        unreachable!("an error does not return")
    }
}

pub fn endpoint(webhook_type: &str, webhook_url: &str) -> Result<Endpoint, Refusal> {
    let refusal = |message: String, hint| Refusal { message, hint };
    let policy = settings::url_policy();
    let webhook_type: WebhookType = webhook_type.parse().map_err(|error| {
        refusal(
            format!("{error}"),
            Some("The types are discord and teams.".into()),
        )
    })?;
    Endpoint::parse(webhook_type, webhook_url, &policy)
        .map_err(|error| refusal(error.to_string(), error.hint()))
}
