//! `api-tokens/`

use axum::Json;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::responses::{Missing, NotAllowed, Refused};
use crate::database::Access;
use crate::queries::tokens::{self, Listed};
use crate::web::form::Form;
use crate::web::path::Name;
use crate::web::{Caller, Error};

/// Tokens, without their secrets
#[utoipa::path(
    get, path = "/api-tokens", operation_id = "list_tokens", tag = "API tokens",
    responses((status = 200, body = Vec<Listed>), NotAllowed)
)]
pub async fn list(caller: Caller) -> Result<Json<Vec<Listed>>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Ok(Json(tokens::list(&session).await?))
}

/// A new token
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct NewToken {
    /// Its name, which says what it is for
    #[schema(min_length = 1, max_length = 100, example = "front end")]
    name: String,
    /// The role that requests with it run as. The caller must have its privileges
    #[schema(min_length = 1, example = "team_lead")]
    role: String,
    /// When it expires; null or left out: it is valid until it is revoked
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
}

/// The new token
#[derive(Serialize, ToSchema)]
pub struct Made {
    name: String,
    role: String,
    /// It is not shown again
    token: String,
}

/// Create a token
#[utoipa::path(
    post, path = "/api-tokens", operation_id = "create_token", tag = "API tokens", request_body = NewToken,
    responses((status = 201, body = Made), Refused, NotAllowed)
)]
pub async fn create(caller: Caller, mut form: Form) -> Result<(StatusCode, Json<Made>), Error> {
    let (name, role) = (form.required_text("name"), form.required_text("role"));
    let expires_at = form.text_or_null("expires_at").filter(|text| !text.is_empty());
    let expires_at = expires_at.and_then(|text| match text.parse::<Timestamp>() {
        Ok(time) => Some(time),
        Err(_) => form.complain_of("expires_at", "Write a time as 2026-11-29T08:00:00Z."),
    });
    form.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let token = tokens::create(&session, &name, &role, expires_at).await?;
    session.commit().await?;
    Ok((StatusCode::CREATED, Json(Made { name, role, token })))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes a path")]
pub struct NameParams {
    name: String,
}

/// Revoke a token: the next request with it is refused
#[utoipa::path(
    delete, path = "/api-tokens/{name}", operation_id = "revoke_token", tag = "API tokens", params(NameParams),
    responses((status = 204), NotAllowed, Missing)
)]
pub async fn revoke(caller: Caller, Name(name): Name) -> Result<StatusCode, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    tokens::revoke(&session, &name).await?;
    session.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
