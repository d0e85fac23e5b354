//! The log's line for each request.

use axum::body::Body;
use axum::extract::Request;
use tower_http::trace::{DefaultOnResponse, HttpMakeClassifier, MakeSpan, TraceLayer};
use tracing::Level;

/// Logs each request in one line, with the token's key and without the query, which may name projects. `prefix`: the path of the database, if there
/// are several.
pub fn logged(prefix: String) -> TraceLayer<HttpMakeClassifier, Spans> {
    TraceLayer::new_for_http()
        .make_span_with(Spans(prefix))
        .on_response(DefaultOnResponse::new().level(Level::INFO))
}

/// Makes the log's spans: requests by their paths, with this prefix.
#[derive(Clone, Debug)]
pub struct Spans(String);

impl MakeSpan<Body> for Spans {
    fn make_span(&mut self, request: &Request) -> tracing::Span {
        let path = format!("{}{}", self.0, request.uri().path());
        tracing::info_span!("request", method = %request.method(), path = path.as_str(), token = tracing::field::Empty)
    }
}
