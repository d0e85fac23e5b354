//! `notification-logs/`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use super::responses::{Missing, NotAllowed, Refused};
use super::schemas::or_empty;
use crate::database::Access;
use crate::queries::integrations;
use crate::queries::logs::{self, Attempt, Entry, Filter, Status};
use crate::web::filters::Filters;
use crate::web::log_page::Place;
use crate::web::page::Page;
use crate::web::path::Id;
use crate::web::uri::Here;
use crate::web::{Caller, Error};

/// The page of the list
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
    or_empty::<super::schemas::PageNumber>(
        "Number of the page from 1, or `last`. Pages after the 500th can be reached by the links `next` and `previous` only",
    )
}

fn before() -> Schema {
    or_empty::<i64>("In such links: the page begins with the newest delivery that is older than this one")
}

fn after() -> Schema {
    or_empty::<i64>("In such links: the page ends with the oldest delivery that is newer than this one")
}

fn status() -> Schema {
    or_empty::<super::schemas::Status>("Its status")
}

/// Filters of the list
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct FilterParams {
    #[param(schema_with = status)]
    status: Option<super::schemas::Status>,
    event_type: Option<String>,
    #[param(schema_with = super::schemas::webhook_type)]
    webhook_type: Option<super::schemas::WebhookType>,
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
    get, path = "/webhook-integrations/{id}/logs", operation_id = "list_integration_logs", tag = "Webhook integrations", params(super::schemas::IdParams, PageParams),
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
    get, path = "/notification-logs/{id}", operation_id = "get_log", tag = "Notification logs", params(super::schemas::IdParams),
    responses((status = 200, body = Entry), NotAllowed, Missing)
)]
pub async fn get(caller: Caller, Id(id): Id) -> Result<Json<Entry>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let entry = logs::get(&session, id).await?;
    entry.map(Json).ok_or_else(Error::not_found)
}

/// Failed requests for a delivery, in order: the first fifty, and the last one if the delivery was given up
#[utoipa::path(
    get, path = "/notification-logs/{id}/attempts", operation_id = "list_attempts", tag = "Notification logs", params(super::schemas::IdParams),
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

/// The result of a re-send
#[derive(Serialize, ToSchema)]
pub struct Retried {
    message: String,
    /// The id of the new delivery; the same id if the delivery was waiting for its next attempt
    new_log_id: i64,
    /// Its status
    status: String,
}

/// Re-send a failed delivery, at most three times; one that waits for its next attempt is tried now
#[utoipa::path(
    post, path = "/notification-logs/{id}/retry", operation_id = "retry_log", tag = "Notification logs", params(super::schemas::IdParams),
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
