//! Which of several databases can be used, for `/healthz` and Prometheus.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;

/// Whether each database can be used, by its name.
pub type Health = BTreeMap<String, bool>;

/// The body of `/healthz`.
#[derive(Serialize)]
pub struct Said {
    /// `ok`, or `degraded` if at least one database cannot be used.
    status: &'static str,
    /// `ok` or `down`, by name.
    databases: BTreeMap<String, &'static str>,
}

/// Returns the response of `/healthz`: 200 if at least one database can be used, else 503. `/NAME/healthz` is about one database.
pub fn answer(health: Health) -> (StatusCode, Json<Said>) {
    let all = health.values().all(|well| *well);
    let status = match health.values().any(|well| *well) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let said = |well| if well { "ok" } else { "down" };
    let databases = health.into_iter().map(|(name, well)| (name, said(well)));
    let body = Said {
        status: if all { "ok" } else { "degraded" },
        databases: databases.collect(),
    };
    (status, Json(body))
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    database: String,
}

/// Returns the gauge `zentry_notify_database_up`.
pub fn registry(health: Health) -> Registry {
    let mut registry = Registry::with_prefix("zentry_notify");
    let family = Family::<Labels, Gauge>::default();
    for (database, up) in health {
        family.get_or_create(&Labels { database }).set(i64::from(up));
    }
    registry.register("database_up", "1: the server reaches this database", family);
    registry
}
