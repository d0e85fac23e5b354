//! `notification-logs/`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use super::or_empty;
use super::responses::{Missing, NotAllowed, Refused};
use crate::database::Access;
use crate::queries::integrations;
use crate::queries::logs::{self, Attempt, Entry, Filter, Status};
use crate::web::filters::Filters;
use crate::web::log_page::Place;
use crate::web::page::Page;
use crate::web::path::Id;
use crate::web::uri::Here;
use crate::web::{Caller, Error};

/// Which page is wanted
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct PageParams {
    #[param(schema_with = page)]
    page: Option<i64>,
    #[param(schema_with = before)]
    before: Option<i64>,
    #[param(schema_with = after)]
    after: Option<i64>,
}

fn page() -> Schema {
    or_empty::<super::PageNumber>(
        "From 1, or `last`. Pages after the 500th are found by the links `next` and `previous` alone",
    )
}

fn before() -> Schema {
    or_empty::<i64>("Of such links: the page starts with what is older than this delivery")
}

fn after() -> Schema {
    or_empty::<i64>("Of such links: the page ends with what is newer than this delivery")
}

fn status() -> Schema {
    or_empty::<super::Status>("What became of it")
}

/// Which deliveries are wanted
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct FilterParams {
    #[param(schema_with = status)]
    status: Option<super::Status>,
    event_type: Option<String>,
    #[param(schema_with = super::webhook_type)]
    webhook_type: Option<super::WebhookType>,
}

/// Deliveries, newest first
#[utoipa::path(
    get, path = "/notification-logs", operation_id = "list_logs", tag = "Notification logs", params(PageParams, FilterParams),
    responses((status = 200, body = Page<Entry>), Refused, NotAllowed, Missing)
)]
pub async fn list(caller: Caller, here: Here, mut filters: Filters) -> Result<Json<Page<Entry>>, Error> {
    let place = Place::of(&mut filters)?;
    let filter = Filter {
        webhook_integration: None,
        webhook_type: filters.choice("webhook_type", &crate::vendors::names()),
        event_type: filters.text("event_type"),
        status: filters
            .choice("status", Status::NAMES)
            .and_then(|name| Status::parse(&name)),
        ..Filter::default()
    };
    filters.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Ok(Json(place.page(&session, &filter, &here).await?))
}

/// Deliveries of one integration, newest first
#[utoipa::path(
    get, path = "/webhook-integrations/{id}/logs", operation_id = "list_integration_logs", tag = "Webhook integrations", params(super::IdParams, PageParams),
    responses((status = 200, body = Page<Entry>), Refused, NotAllowed, Missing)
)]
pub async fn list_of_integration(
    caller: Caller,
    Id(id): Id,
    here: Here,
    mut filters: Filters,
) -> Result<Json<Page<Entry>>, Error> {
    let place = Place::of(&mut filters)?;
    filters.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    integrations::get(&session, id)
        .await?
        .ok_or_else(Error::not_found)?;
    let filter = Filter {
        webhook_integration: Some(id),
        ..Filter::default()
    };
    Ok(Json(place.page(&session, &filter, &here).await?))
}

/// One delivery
#[utoipa::path(
    get, path = "/notification-logs/{id}", operation_id = "get_log", tag = "Notification logs", params(super::IdParams),
    responses((status = 200, body = Entry), NotAllowed, Missing)
)]
pub async fn get(caller: Caller, Id(id): Id) -> Result<Json<Entry>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let entry = logs::get(&session, id).await?;
    entry.map(Json).ok_or_else(Error::not_found)
}

/// The requests for a delivery that came to nothing, in order: the first fifty, and the last when it was given up
#[utoipa::path(
    get, path = "/notification-logs/{id}/attempts", operation_id = "list_attempts", tag = "Notification logs", params(super::IdParams),
    responses((status = 200, body = Vec<Attempt>), NotAllowed, Missing)
)]
pub async fn attempts(caller: Caller, Id(id): Id) -> Result<Json<Vec<Attempt>>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let attempts = logs::attempts(&session, id).await?;
    if attempts.is_empty() {
        logs::get(&session, id).await?.ok_or_else(Error::not_found)?;
    }
    Ok(Json(attempts))
}

/// A delivery that is sent again
#[derive(Serialize, ToSchema)]
pub struct Retried {
    message: String,
    /// The delivery that does it; the same one if it was waiting for its next attempt
    new_log_id: i64,
    /// Its status
    status: String,
}

/// Send a failed delivery again, at most 3 times; one that waits for its next attempt is made due now
#[utoipa::path(
    post, path = "/notification-logs/{id}/retry", operation_id = "retry_log", tag = "Notification logs", params(super::IdParams),
    responses((status = 200, body = Retried), Refused, NotAllowed, Missing)
)]
pub async fn retry(caller: Caller, Id(id): Id) -> Result<Json<Retried>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let (new_log_id, status) = logs::retry(&session, id).await?;
    session.commit().await?;
    Ok(Json(Retried {
        message: "The notification is sent again.".to_owned(),
        new_log_id,
        status,
    }))
}
