//! The REST API: one module for each kind of resource.

mod audit;
mod integrations;
mod logs;
pub mod responses;
pub mod root;
pub mod schemas;
mod tokens;
mod wordings;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

/// The endpoints below `/api/notifications/`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(integrations::list, integrations::create))
        .routes(routes!(
            integrations::get,
            integrations::put,
            integrations::patch,
            integrations::delete
        ))
        .routes(routes!(integrations::actions::test))
        .routes(routes!(integrations::actions::resume))
        .routes(routes!(integrations::actions::new_secret))
        .routes(routes!(logs::list_of_integration))
        .routes(routes!(logs::list))
        .routes(routes!(logs::get))
        .routes(routes!(logs::attempts))
        .routes(routes!(logs::retry))
        .routes(routes!(wordings::list))
        .routes(routes!(wordings::put, wordings::delete))
        .routes(routes!(wordings::preview))
        .routes(routes!(wordings::languages, wordings::put_language))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(root::status))
}
