//! Errors as pages, and the headers that all pages have.

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::frame::Frame;
use super::visitor::{self, ROOT};
use crate::web::{App, Error};

/// The Content-Security-Policy: only this site's style sheet and script, and no framing by other sites.
pub const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// Middleware: shows errors of the admin pages as pages.
pub async fn surround(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let of_pages = path
        .strip_prefix(ROOT)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !of_pages {
        return next.run(request).await;
    }
    let secure = visitor::has_come_secure(&app, request.extensions());
    let here = (request.method() == Method::GET).then(|| request.uri().clone());
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        let wait = response.headers_mut().remove(RETRY_AFTER);
        response = page(&error, here.map(|uri| uri.to_string()), secure);
        response
            .headers_mut()
            .extend(wait.map(|wait| (RETRY_AFTER, wait)));
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    // Without any referrer, browsers send no origin with forms, by which forms of other sites are recognized.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn page(error: &Error, here: Option<String>, secure: bool) -> Response {
    let status = error.status();
    if status == StatusCode::UNAUTHORIZED {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(here.map(|here| ("next", here)));
        let address = format!("/admin/sign-in/?{}", query.finish());
        return (visitor::forget(secure), Redirect::to(&address)).into_response();
    }
    let title = match status {
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::TOO_MANY_REQUESTS => "Too many tries",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => "No answer from the database",
        StatusCode::BAD_REQUEST => "Not done",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    let content = html! {
        p { (error.words()) }
        p { a href="/admin/integrations/" { "To the integrations" } }
    };
    (status, Frame::outside(title).render(content)).into_response()
}
