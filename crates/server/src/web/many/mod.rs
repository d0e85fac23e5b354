//! Several databases behind one server: below `/NAME/`, each has everything that a server of one database has.
//!
//! They share the process and its listening address; connections, tokens and the limit on wrong tokens are each database's own. The routers of the
//! databases do not know their prefix: it is removed from requests, and added to the site's own addresses in responses.

mod health;
mod place;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::html;
use tokio::task::JoinSet;
use tower::ServiceExt;
use tower_http::normalize_path::NormalizePath;

use self::health::Health;
use super::app::App;
use super::error::Error;
use super::headers::with_headers;
use super::request_log::logged;
use super::{admin, monitoring, routes, uri};
use crate::database::Name;

/// The first segments of a server's own paths, which cannot be names of databases.
const TAKEN: [&str; 6] = ["admin", "api", "docs", "healthz", "metrics", "openapi.json"];

/// A database, and the routes of a server for it alone.
#[derive(Clone, Debug)]
struct Site {
    name: Name,
    app: App,
    router: Router,
}

/// All databases.
#[derive(Clone, Debug)]
struct Sites(Arc<[Site]>);

/// Returns the routes for several databases, each of which must have a name.
///
/// # Errors
/// Those of [`routes::router`]; and an error if a name is one of the server's own paths.
pub fn router(apps: Vec<App>, secure: uri::Secure) -> Result<Router> {
    let is_secure = apps.iter().all(|app| admin::is_secure(app, secure));
    let sites = apps.into_iter().map(|app| {
        let name = app.options().name.clone();
        let name = name.context("a database of several has no name")?;
        ensure!(
            !TAKEN.contains(&name.as_str()),
            "the database {name} cannot be called so: /{name} is a path of the server's own\n\
             hint: Give it another name."
        );
        let router = routes::router(app.clone(), secure)?;
        Ok(Site { name, app, router })
    });
    let sites = Sites(sites.collect::<Result<_>>()?);
    // Like the routes of each database, these are logged and accept a trailing slash.
    let own = Router::new()
        .route("/", get(index))
        .route("/admin", get(async || Redirect::to("/")))
        .route("/admin/assets/{name}", get(admin::assets::get))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/{name}", get(to_pages))
        .fallback(async || Error::not_found())
        .method_not_allowed_fallback(async |method: Method| Error::method_not_allowed(&method))
        .layer(logged(String::new()));
    let own = NormalizePath::trim_trailing_slash(own.with_state(sites.clone()));
    let own = Router::new().fallback_service(own);
    let all = Router::new().fallback(pass);
    Ok(with_headers(all, is_secure).with_state((sites, own)))
}

/// The start page: links to the databases.
async fn index(State(sites): State<Sites>) -> impl IntoResponse {
    let page = admin::frame::Frame::outside("Databases").render(html! {
        ul {
            @for Site { name, .. } in sites.0.iter() {
                li { a href={ "/" (name.as_str()) "/admin/" } { (name.as_str()) } }
            }
        }
    });
    ([(CONTENT_SECURITY_POLICY, admin::POLICY)], page)
}

/// Redirects `/NAME` to the database's admin pages.
async fn to_pages(State(sites): State<Sites>, uri: Uri) -> Result<Redirect, Error> {
    let found = sites.find(uri.path()).map(|(Site { name, .. }, _)| name);
    let name = found.ok_or_else(Error::not_found)?;
    Ok(Redirect::to(&format!("/{name}/admin/")))
}

impl Sites {
    /// Returns the database that a path belongs to, and the rest of the path after its name.
    fn find<'a>(&self, path: &'a str) -> Option<(&Site, &'a str)> {
        let (name, below) = place::taken_apart(path)?;
        let site = self.0.iter().find(|site| site.name.as_str() == name)?;
        Some((site, below))
    }

    /// Checks all databases concurrently, so that together they take no longer than the time limit of one.
    async fn health(&self) -> Health {
        let mut asked = JoinSet::new();
        for Site { name, app, .. } in self.0.iter() {
            let (name, app) = (name.to_string(), app.clone());
            asked.spawn(async move { (name, app.health().fault().await.is_none()) });
        }
        asked.join_all().await.into_iter().collect()
    }
}

async fn healthz(State(sites): State<Sites>) -> impl IntoResponse {
    health::answer(sites.health().await)
}

/// `/metrics`: which databases can be reached. Metrics of a database are at `/NAME/metrics`, and need a token.
async fn metrics(State(sites): State<Sites>, headers: HeaderMap) -> Result<Response, Error> {
    let up = sites.health().await;
    monitoring::shown(health::registry(up), &headers)
}

/// Passes requests below a name to that database's routes, and all others to the server's own.
async fn pass(State((sites, own)): State<(Sites, Router)>, mut request: Request) -> Response {
    let uri = request.uri().clone();
    let found = sites.find(uri.path());
    let found = found.filter(|(_, below)| !matches!(*below, "" | "/"));
    let Some((Site { name, router, .. }, below)) = found else {
        return answered(own, request).await;
    };
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut inner = uri.clone().into_parts();
    inner.path_and_query = format!("{below}{query}").parse().ok();
    let Ok(inner) = Uri::from_parts(inner) else {
        return Error::not_found().into_response();
    };
    *request.uri_mut() = inner;
    // Links in responses are made from the original address.
    request.extensions_mut().insert(OriginalUri(uri));
    place::choose_cookies(request.headers_mut(), name);
    let response = answered(router.clone(), request).await;
    place::placed(response, name).await
}

async fn answered(router: Router, request: Request) -> Response {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
