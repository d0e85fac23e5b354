//! The HTTP server.
//!
//! A request that needs rights has a [`Caller`] among its handler's arguments: who asks, by the token that they show. It hands
//! out the only sessions there are, which run as the token's role. The pages find the token in a cookie, and get theirs from
//! [`Caller::by_token`].

mod admin;
pub mod api;
mod app;
mod caller;
mod description;
mod error;
mod filters;
mod form;
mod forwarded;
mod listen;
mod log_page;
mod many;
mod monitoring;
mod page;
mod path;
pub mod seats;
mod throttle;
mod uri;
mod used_tokens;

pub use self::app::{App, Options};
pub use self::caller::Caller;
pub use self::error::Error;
pub use self::listen::{Bound, Listen};

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::normalize_path::NormalizePath;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::Level;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// All routes with what surrounds them.
fn router(app: App, secure: uri::Secure) -> anyhow::Result<Router> {
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
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(move |request: &Request| span(request, &prefix))
                .on_response(DefaultOnResponse::new().level(Level::INFO)),
        );
    let routes = with_headers(routes, is_secure)
        .layer(axum::Extension(secure))
        .with_state(app);
    // A path with a slash at its end and without are the same, but for that of Swagger UI, which sends who comes without to the other.
    let trimmed = NormalizePath::trim_trailing_slash(routes.clone());
    Ok(Router::new()
        .route_service("/docs/", routes.into_service::<Body>())
        .fallback_service(trimmed))
}

/// Gives the answers the headers that are usual here, as far as they have not set them themselves. `is_secure`: browsers come by TLS.
fn with_headers<S: Clone + Send + Sync + 'static>(routes: Router<S>, is_secure: bool) -> Router<S> {
    // A year: who has come by TLS once does not try without it, where somebody in between could answer.
    let by_tls_alone = is_secure.then(|| header(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
    routes
        .layer(header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::CACHE_CONTROL, "no-store"))
        .layer(tower::util::option_layer(by_tls_alone))
}

/// One line in the log for each request. Of the token there is its key; of the query, which may name projects, nothing.
/// `prefix`: the path of the database, where there are several.
fn span(request: &Request, prefix: &str) -> tracing::Span {
    let path = format!("{prefix}{}", request.uri().path());
    tracing::info_span!("request", method = %request.method(), path = path.as_str(), token = tracing::field::Empty)
}

async fn limit_time(State(app): State<App>, request: Request, next: Next) -> Response {
    tokio::time::timeout(app.options().request_timeout, next.run(request))
        .await
        .unwrap_or_else(|_| Error::took_too_long().into_response())
}

/// A header for answers that have not set it themselves.
fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
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
