//! Several databases behind one server: each is below a path of its own name all that a server of one database is.
//!
//! Nothing is shared but the process and the place where it listens: connections, tokens and their counts are each database's own. What is
//! inside knows nothing of the path before it: on the way in, it is taken away, and on the way out it is put in front of the site's own addresses.

mod health;
mod place;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::html;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt;

use self::health::Health;
use super::app::App;
use super::error::Error;
use super::{admin, monitoring, uri};
use crate::database::Name;

/// What paths of a server of one database begin with, and therefore no name may be.
const TAKEN: [&str; 6] = ["admin", "api", "docs", "healthz", "metrics", "openapi.json"];

/// A database, and all that a server of it alone is.
#[derive(Clone, Debug)]
struct Site {
    name: Name,
    app: App,
    router: Router,
}

/// All of them.
#[derive(Clone, Debug)]
struct Sites(Arc<[Site]>);

/// Returns the routes of several databases. Each app has its name.
///
/// # Errors
/// As [`super::router`]; and when a name is a path of the server's own.
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
        let router = super::router(app.clone(), secure)?;
        Ok(Site { name, app, router })
    });
    let sites = Sites(sites.collect::<Result<_>>()?);
    let routes = Router::new()
        .route("/", get(index))
        .route("/admin", get(async || Redirect::to("/")))
        .route("/admin/", get(async || Redirect::to("/")))
        .route("/admin/assets/{name}", get(admin::assets::get))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .fallback(pass);
    Ok(super::with_headers(routes, is_secure).with_state(sites))
}

/// Where to go.
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

impl Sites {
    /// Asks all of them at once, so that one that is silent takes no longer than its own time limit.
    async fn health(&self) -> Health {
        let mut asked = JoinSet::new();
        for Site { name, app, .. } in self.0.iter() {
            let (name, app) = (name.to_string(), app.clone());
            asked.spawn(async move {
                let limit = app.options().request_timeout;
                let well = timeout(limit, monitoring::reach(&app)).await;
                (name, matches!(well, Ok(Ok(()))))
            });
        }
        asked.join_all().await.into_iter().collect()
    }
}

async fn healthz(State(sites): State<Sites>) -> impl IntoResponse {
    health::answer(sites.health().await)
}

/// Which databases can be reached. What is in them is a token's to see, at `/NAME/metrics`.
async fn metrics(State(sites): State<Sites>, headers: HeaderMap) -> Result<Response, Error> {
    let up = sites.health().await;
    monitoring::shown(health::registry(up), &headers)
}

/// What is below a name goes to that database's server.
async fn pass(State(sites): State<Sites>, mut request: Request) -> Response {
    let nowhere = || Error::not_found().into_response();
    let uri = request.uri().clone();
    let Some((name, below)) = place::taken_apart(uri.path()) else {
        return nowhere();
    };
    let Some(site) = sites.0.iter().find(|site| site.name.as_str() == name) else {
        return nowhere();
    };
    if matches!(below, "" | "/") {
        return Redirect::to(&format!("/{name}/admin/")).into_response();
    }
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut inner = uri.clone().into_parts();
    inner.path_and_query = format!("{below}{query}").parse().ok();
    let Ok(inner) = Uri::from_parts(inner) else {
        return nowhere();
    };
    *request.uri_mut() = inner;
    // Links in answers lead to where they came to.
    request.extensions_mut().insert(OriginalUri(uri));
    place::choose_cookies(request.headers_mut(), &site.name);
    match site.router.clone().oneshot(request).await {
        Ok(response) => place::placed(response, &site.name).await,
        Err(never) => match never {},
    }
}
