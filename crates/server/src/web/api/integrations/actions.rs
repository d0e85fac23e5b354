//! Actions on an integration: a test message, sending what waits, and a new secret.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::found;
use crate::database::Access;
use crate::queries::integrations::{self, Webhook};
use crate::web::api::responses::{Missing, NotAllowed, Refused};
use crate::web::api::schemas::IdParams;
use crate::web::form::Form;
use crate::web::path::Id;
use crate::web::{Caller, Error};

/// The message to post
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct TestMessage {
    /// Its text, which is cut after 500 characters
    #[schema(nullable = false, example = "Hello from Zentry")]
    test_message: Option<String>,
}

/// The result of a test message
#[derive(Serialize, ToSchema)]
pub struct Trial {
    /// The result in words
    message: String,
    /// The delivery's id in the log
    log_id: i64,
    /// `sent` or `failed`
    status: String,
    /// The HTTP status of the answer; null: there was none
    response_status_code: Option<i32>,
}

/// Post a test message to the webhook and wait for the answer. A failed post is a result, not an error
#[utoipa::path(
    post, path = "/webhook-integrations/{id}/test", operation_id = "test_integration", tag = "Webhook integrations", params(IdParams),
    request_body = Option<TestMessage>,
    responses((status = 200, body = Trial), Refused, NotAllowed, Missing)
)]
pub async fn test(caller: Caller, Id(id): Id, mut form: Form) -> Result<Json<Trial>, Error> {
    let message = form.text("test_message");
    form.finish()?;
    let mut connection = caller.trial().await?;
    let session = connection.begin(Access::Write).await?;
    let trial = integrations::test(&session, id, message.as_deref()).await?;
    session.commit().await?;
    Ok(Json(Trial {
        message: match trial.error_message {
            Some(error) => format!("The test message was not delivered: {error}"),
            None => "The test message was delivered.".to_owned(),
        },
        log_id: trial.log_id,
        status: trial.status,
        response_status_code: trial.response_status_code,
    }))
}

/// Send waiting deliveries now, even if the endpoint has asked to wait or the integration was switched off
#[utoipa::path(
    post, path = "/webhook-integrations/{id}/resume", operation_id = "resume_integration", tag = "Webhook integrations", params(IdParams),
    responses((status = 200, body = Webhook), Refused, NotAllowed, Missing)
)]
pub async fn resume(caller: Caller, Id(id): Id) -> Result<Json<Webhook>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::resume(&session, id).await?;
    let resumed = found(&session, id).await?;
    session.commit().await?;
    Ok(Json(resumed))
}

/// The new secret
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct NewSecret {
    /// If it is left out, a signing secret is generated. Credentials must be given
    #[schema(nullable = false)]
    secret: Option<String>,
    /// How long requests are also signed with the previous secret. Default: one day
    #[schema(nullable = false, example = "7 days")]
    grace: Option<String>,
}

/// The secret that a receiver checks signatures with
#[derive(Serialize, ToSchema)]
pub struct Secret {
    /// It is not shown again
    secret: String,
}

/// Set a new signing secret of an integration of type `webhook`, or new credentials of one of type `nats`
#[utoipa::path(
    post, path = "/webhook-integrations/{id}/secret", operation_id = "new_secret", tag = "Webhook integrations", params(IdParams),
    request_body = Option<NewSecret>,
    responses((status = 200, body = Secret), Refused, NotAllowed, Missing)
)]
pub async fn new_secret(caller: Caller, Id(id): Id, mut form: Form) -> Result<Json<Secret>, Error> {
    let (secret, grace) = (form.text("secret"), form.text("grace"));
    form.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let secret = integrations::new_secret(&session, id, secret.as_deref(), grace.as_deref()).await?;
    session.commit().await?;
    Ok(Json(Secret { secret }))
}
