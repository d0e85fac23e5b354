//! The description of the API: `/openapi.json`, and Swagger UI.

use axum::Router;
use axum::http::header;
use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Server};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::api::responses::{Detail, Problem};
use super::api::schemas::{Status, WebhookState, WebhookType};
use super::app::App;
use super::headers::header;
use crate::database::Name;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "zentry_notify",
        description = "Webhooks for chats and programs, and the log of their messages."
    ),
    components(schemas(Detail, Problem, Status, WebhookState, WebhookType)),
    security(("token" = [])),
    modifiers(&Token, &Events)
)]
struct Description;

/// Returns the description, with the database's name before the paths if it has one.
pub fn below(name: Option<&Name>) -> OpenApi {
    let mut api = <Description as utoipa::OpenApi>::openapi();
    api.servers = name.map(|name| vec![Server::new(format!("/{name}"))]);
    api
}

/// Returns the schemas of the payloads that webhooks of type `webhook` get.
const EVENTS: &str = include_str!("../../../../docs/reference/events.schema.json");

struct Events;

impl Modify for Events {
    fn modify(&self, api: &mut OpenApi) {
        let schemas = api.components.get_or_insert_default();
        for (name, schema) in event_schemas() {
            schemas.schemas.insert(name, RefOr::T(schema));
        }
    }
}

/// Returns the schemas of the events, renamed so that they differ from the API's own.
fn event_schemas() -> Vec<(String, Schema)> {
    let file: Value = serde_json::from_str(EVENTS).unwrap_or_default();
    let events = file["$defs"].as_object().into_iter().flatten();
    let named = events.filter_map(|(name, schema)| {
        let schema = serde_json::from_value(as_openapi(schema)).ok()?;
        Some((format!("event_{name}"), schema))
    });
    named.collect()
}

/// A constant becomes an enumeration with one value.
fn as_openapi(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match key.as_str() {
                "const" => ("enum".to_owned(), Value::Array(vec![value.clone()])),
                _ => (key.clone(), as_openapi(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(as_openapi).collect(),
        other => other.clone(),
    }
}

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A token of `zentry_create_api_token`; what it may do is what its role may do",
            ))
            .build();
        api.components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// Paths are described as in Django, with a trailing slash; the server also accepts them without.
pub fn with_slashes(mut api: OpenApi) -> OpenApi {
    let paths = std::mem::take(&mut api.paths.paths);
    api.paths.paths = paths
        .into_iter()
        .map(|(path, item)| match path.starts_with("/api/") {
            true => (format!("{path}/"), item),
            false => (path, item),
        })
        .collect();
    api
}

/// `/docs/`, with files of the crate's own, of what is described below the name. Swagger UI sets styles by script, and has pictures in its style
/// sheet.
pub fn page(api: OpenApi, name: Option<&Name>) -> Router<App> {
    const POLICY: &str =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
    let prefix = name.map_or_else(String::new, |name| format!("/{name}"));
    let page = SwaggerUi::new("/docs")
        .url("/openapi.json", api)
        .config(Config::from(format!("{prefix}/openapi.json")).validator_url("none"));
    Router::from(page).layer(header(header::CONTENT_SECURITY_POLICY, POLICY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_described() {
        let names: Vec<String> = event_schemas().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 6, "{names:?}");
        assert!(names.contains(&"event_task_completed".to_owned()), "{names:?}");
    }
}
