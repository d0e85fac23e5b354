//! The API's description: `/openapi.json`, and a page that shows it.

use axum::Router;
use axum::http::header;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::api::responses::{Detail, Problem};
use super::api::{Status, WebhookState, WebhookType};
use super::app::App;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "zentry_notify",
        description = "Webhooks of Discord, Microsoft Teams, Slack, Google Chat and Mattermost, and what became of their messages."
    ),
    components(schemas(Detail, Problem, Status, WebhookState, WebhookType)),
    security(("token" = [])),
    modifiers(&Token)
)]
pub struct Description;

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

/// Of the two forms that a path has, the description names Django's, with a slash at its end.
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

/// `/docs/`, with files of the crate's own. Swagger UI sets styles by script, and has pictures in its style sheet.
pub fn page(api: OpenApi) -> Router<App> {
    const POLICY: &str =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
    let page = SwaggerUi::new("/docs")
        .url("/openapi.json", api)
        .config(Config::default().validator_url("none"));
    Router::from(page).layer(super::header(header::CONTENT_SECURITY_POLICY, POLICY))
}
