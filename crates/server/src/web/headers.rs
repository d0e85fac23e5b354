//! The headers that responses have by default.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;

/// Adds the default headers to responses that have not set them. `is_secure`: browsers connect by TLS.
pub fn with_headers<S: Clone + Send + Sync + 'static>(routes: Router<S>, is_secure: bool) -> Router<S> {
    // A year, in seconds. A browser that has connected by TLS once does not try without it again, which an attacker could intercept.
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

/// Returns a layer that sets a header on responses without it.
pub fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
