//! The routes of a server of one database, with their middleware.

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::normalize_path::NormalizePath;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::error::Error;
use super::headers::with_headers;
use super::request_log::logged;
use super::{admin, api, description, forwarded, monitoring, uri};

/// Returns all routes with their middleware.
pub fn router(app: App, secure: uri::Secure) -> anyhow::Result<Router> {
    let is_secure = admin::is_secure(&app, secure);
    let name = app.options().name.clone();
    let prefix = name.as_ref().map_or_else(String::new, |name| format!("/{name}"));
    let (routes, description) = OpenApiRouter::with_openapi(description::below(name.as_ref()))
        .nest("/api/notifications/api", api::router())
        .routes(routes!(api::root::root))
        .routes(routes!(monitoring::healthz))
        .routes(routes!(monitoring::metrics))
        .split_for_parts();
    let routes = routes
        .nest("/api/notifications", api::router().into())
        .route("/api/notifications", get(api::root::root))
        .merge(description::page(
            description::with_slashes(description),
            name.as_ref(),
        ))
        .merge(admin::router(app.options().public_url.as_deref())?)
        .fallback(async || Error::not_found())
        .method_not_allowed_fallback(async |method: Method| Error::method_not_allowed(&method))
        .layer(DefaultBodyLimit::max(app.options().max_body))
        .layer(middleware::from_fn_with_state(app.clone(), limit_time))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            forwarded::find_client,
        ))
        .layer(cors(&app))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), admin::surround))
        .layer(logged(prefix));
    let routes = with_headers(routes, is_secure)
        .layer(axum::Extension(secure))
        .with_state(app);
    // Paths with and without a trailing slash are the same, except Swagger UI's, which redirects to the one with a slash.
    let trimmed = NormalizePath::trim_trailing_slash(routes.clone());
    Ok(Router::new()
        .route_service("/docs/", routes.into_service::<Body>())
        .fallback_service(trimmed))
}

async fn limit_time(State(app): State<App>, request: Request, next: Next) -> Response {
    tokio::time::timeout(app.options().request_timeout, next.run(request))
        .await
        .unwrap_or_else(|_| Error::took_too_long().into_response())
}

fn cors(app: &App) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(app.options().cors_origins.clone())
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Error::internal(&text.unwrap_or("a panic without words")).into_response()
}
