//! The test of an integration: a message that is posted at once, and its outcome.

use axum::Form;
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use crate::database::Access;
use crate::queries::integrations;
use crate::queries::logs::Detail;
use crate::web::Error;
use crate::web::admin::parts;
use crate::web::admin::visitor::Visitor;
use crate::web::path::Id;

/// Returns the form that posts a test message. `tried`: the delivery of the last test message, whose outcome is shown below.
pub(super) fn form(id: i64, tried: Option<&Detail>) -> Markup {
    html! {
        section #trial {
            h2 { "Try it" }
            form.inline method="post" action={ "/admin/integrations/" (id) "/test/" } data-busy="Sending …" {
                div.field {
                    label for="test_message" { "Message" }
                    input id="test_message" name="test_message" type="text" maxlength="500" value="Test message from Zentry!";
                }
                button { "Test" }
            }
            @if let Some(Detail { entry, .. }) = tried {
                div.outcome role="status" {
                    (parts::state(&entry.status))
                    p.words {
                        @if entry.status == "sent" { "The message was delivered." } @else { (entry.error_message) }
                        @if let Some(code) = entry.response_status_code { " The answer was HTTP " (code) "." }
                    }
                    a href={ "/admin/logs/" (entry.id) "/" } { "Delivery " (entry.id) }
                }
            }
        }
    }
}

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub struct Trial {
    #[serde(default)]
    test_message: String,
}

/// Posts a test message, waits for the outcome, and redirects to the integration's page; an empty message stands for the default one.
pub async fn post(visitor: Visitor, Id(id): Id, Form(trial): Form<Trial>) -> Result<Redirect, Error> {
    let message = trial.test_message.replace('\0', "");
    let mut connection = visitor.trial().await?;
    let session = connection.begin(Access::Write).await?;
    let outcome = integrations::test(&session, id, (!message.is_empty()).then_some(&*message)).await?;
    session.commit().await?;
    Ok(Redirect::to(&format!(
        "/admin/integrations/{id}/?tried={}#trial",
        outcome.log_id
    )))
}
