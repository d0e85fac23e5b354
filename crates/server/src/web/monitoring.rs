//! `/healthz` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::responses::{NotAllowed, Unwell};
use super::app::App;
use super::caller::Caller;
use super::error::Error;
use crate::database::{Access, Identity};
use crate::queries::metrics::{self, Source, Total, Waiting};

/// The server can answer requests
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`
    status: &'static str,
}

/// Whether the server has a connection to its database. Needs no token
#[utoipa::path(get, path = "/healthz", tag = "Monitoring", security(()), responses((status = 200, body = Health), Unwell))]
pub async fn healthz(State(app): State<App>) -> Result<Json<Health>, Error> {
    let mut connection = app.database().connection(Identity::Login).await?;
    let session = connection.begin(Access::Read).await?;
    session.query("SELECT", &[]).await?;
    Ok(Json(Health { status: "ok" }))
}

/// Counts for Prometheus, as the token's role sees them
#[utoipa::path(
    get, path = "/metrics", tag = "Monitoring",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"), NotAllowed)
)]
pub async fn metrics(caller: Caller) -> Result<Response, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let registry = registry(
        &metrics::waiting(&session).await?,
        &metrics::totals(&session).await?,
        metrics::states(&session).await?,
    );
    let mut body = String::new();
    text::encode(&mut body, &registry).map_err(|error| Error::internal(&error))?;
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, FORMAT)], body).into_response())
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    webhook_id: i64,
    webhook: String,
    webhook_type: String,
    event_type: String,
}

impl From<&Source> for Labels {
    fn from(source: &Source) -> Self {
        Self {
            webhook_id: source.webhook_id,
            webhook: source.webhook.clone(),
            webhook_type: source.webhook_type.clone(),
            event_type: source.event_type.clone(),
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

fn registry(waiting: &[Waiting], totals: &[Total], states: Vec<(String, i64)>) -> Registry {
    let mut registry = Registry::with_prefix("zentry_notify");

    let (pending, oldest) = (
        Family::<Labels, Gauge>::default(),
        Family::<Labels, Gauge<f64, _>>::default(),
    );
    for one in waiting {
        pending
            .get_or_create(&Labels::from(&one.source))
            .set(one.deliveries);
        set_seconds(&oldest, &Labels::from(&one.source), one.oldest);
    }
    registry.register("pending", "Deliveries that wait to be sent", pending);
    registry.register(
        "oldest_pending_seconds",
        "Age of the oldest delivery that waits",
        oldest,
    );

    let (sent, failed, retried) = (
        Family::<Labels, Counter>::default(),
        Family::<Labels, Counter>::default(),
        Family::<Labels, Counter>::default(),
    );
    for one in totals {
        add(&sent, &Labels::from(&one.source), one.sent);
        add(&failed, &Labels::from(&one.source), one.failed);
        add(&retried, &Labels::from(&one.source), one.retried);
    }
    registry.register("sent", "Deliveries that the endpoint took", sent);
    registry.register("failed", "Deliveries that were given up", failed);
    registry.register("retried", "Attempts that failed and were repeated", retried);

    let integrations = Family::<StateLabels, Gauge>::default();
    for (state, number) in states {
        integrations.get_or_create(&StateLabels { state }).set(number);
    }
    registry.register("integrations", "Webhook integrations by state", integrations);
    registry
}

type Seconds = Gauge<f64, std::sync::atomic::AtomicU64>;

fn set_seconds(family: &Family<Labels, Seconds>, labels: &Labels, seconds: f64) {
    family.get_or_create(labels).set(seconds);
}

fn add(family: &Family<Labels, Counter>, labels: &Labels, number: i64) {
    family
        .get_or_create(labels)
        .inc_by(u64::try_from(number).unwrap_or_default());
}
