//! `/healthz` and `/metrics`.

mod format;
mod registry;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use serde::Serialize;
use utoipa::ToSchema;

use self::format::Format;
use self::registry::Snapshot;
use super::api::responses::{NotAllowed, Unwell};
use super::app::App;
use super::caller::Caller;
use super::error::Error;
use crate::database::Access;

/// The server can use its database
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`
    status: &'static str,
}

/// Whether the server can use its database. Needs no token
#[utoipa::path(get, path = "/healthz", tag = "Monitoring", security(()), responses((status = 200, body = Health), Unwell))]
pub async fn healthz(State(app): State<App>) -> Result<Json<Health>, Error> {
    match app.health().fault().await {
        None => Ok(Json(Health { status: "ok" })),
        Some(fault) => Err(Error::unusable(&fault)),
    }
}

/// Counts for Prometheus, as the token's role sees them: in OpenMetrics, or in the older text format for clients that accept nothing else
#[utoipa::path(
    get, path = "/metrics", tag = "Monitoring",
    responses((status = 200, content(
        (String = "application/openmetrics-text"),
        (String = "text/plain")
    )), NotAllowed)
)]
pub async fn metrics(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Result<Response, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let name = app.options().name.as_ref();
    shown(Snapshot::take(&session).await?.registry(name), &headers)
}

/// Returns the metrics in the format that the client accepts.
pub fn shown(registry: Registry, headers: &HeaderMap) -> Result<Response, Error> {
    let mut body = String::new();
    text::encode(&mut body, &registry).map_err(|error| Error::internal(&error))?;
    let format = Format::accepted(
        headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok()),
    );
    let headers = [(CONTENT_TYPE, format.content_type()), (VARY, "Accept")];
    Ok((headers, format.of(body)).into_response())
}
