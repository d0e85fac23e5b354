//! The REST API: one file for each noun.

mod integrations;
mod responses;

use serde::Deserialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

/// Where a webhook is
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "describes a string")]
pub enum WebhookType {
    Discord,
    Teams,
}

impl WebhookType {
    const NAMES: &[&str] = &["discord", "teams"];
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes web::path::Id")]
struct IdParams {
    id: i64,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "zentry_notify",
        description = "Webhooks of Discord and Microsoft Teams, and what became of their messages."
    ),
    security(("token" = [])),
    modifiers(&Token)
)]
struct Description;

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
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

/// The endpoints below `/api/notifications/`, with their description.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(integrations::list, integrations::create))
        .routes(routes!(
            integrations::get,
            integrations::put,
            integrations::patch,
            integrations::delete
        ))
        .routes(routes!(integrations::test))
}
