//! The bodies that a form is read from: JSON, and HTML's two kinds.

use std::collections::BTreeSet;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::Form;
use crate::web::app::App;
use crate::web::error::{Error, Fields, NOT_ONE};

impl FromRequest<App> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        // One that says that it is too large is not waited for.
        if request.body().size_hint().lower() > app.options().max_body as u64 {
            return Err(Error::too_large());
        }
        let media_type = media_type(request.headers());
        if media_type == "multipart/form-data" {
            return Self::multipart(request, app).await;
        }
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|error| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Error::too_large(),
                status => Error::detail(status, error.body_text()),
            })?;
        if body.is_empty() {
            return Ok(Self::of(Map::new()));
        }
        if media_type == "application/x-www-form-urlencoded" {
            return Ok(Self::html(
                form_urlencoded::parse(&body)
                    .into_owned()
                    .map(|(name, text)| (name, Value::String(text))),
            ));
        }
        if media_type != "application/json" {
            let text = format!("Unsupported media type \"{media_type}\" in request.");
            return Err(Error::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let value = serde_json::from_slice(&body)
            .map_err(|error| Error::detail(StatusCode::BAD_REQUEST, format!("JSON parse error - {error}")))?;
        match value {
            Value::Object(values) => Ok(Self::of(values)),
            other => {
                let text = match python_type(&other) {
                    Some(kind) => format!("Invalid data. Expected a dictionary, but got {kind}."),
                    None => "No data provided".to_owned(),
                };
                Err(Error::fields(Fields::from([(NOT_ONE.to_owned(), vec![text])])))
            }
        }
    }
}

impl Form {
    pub(super) fn of(values: Map<String, Value>) -> Self {
        Self {
            values,
            is_html: false,
            known: BTreeSet::new(),
            wrong: Fields::new(),
        }
    }

    /// The fields of a form: of several of a name, a list.
    pub(super) fn html(fields: impl Iterator<Item = (String, Value)>) -> Self {
        let mut values = Map::new();
        for (name, value) in fields {
            match values.get_mut(&name) {
                Some(Value::Array(all)) => all.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
                None => {
                    values.insert(name, value);
                }
            }
        }
        Self {
            is_html: true,
            ..Self::of(values)
        }
    }

    async fn multipart(request: Request, app: &App) -> Result<Self, Error> {
        let refused = |status: StatusCode, text: String| match status {
            StatusCode::PAYLOAD_TOO_LARGE => Error::too_large(),
            status => Error::detail(status, format!("Multipart form parse error - {text}")),
        };
        let mut parts = Multipart::from_request(request, app)
            .await
            .map_err(|error| refused(error.status(), error.body_text()))?;
        let mut fields = Vec::new();
        while let Some(part) = parts
            .next_field()
            .await
            .map_err(|error| refused(error.status(), error.body_text()))?
        {
            let Some(name) = part.name().map(str::to_owned) else {
                continue;
            };
            let is_file = part.file_name().is_some();
            let text = part
                .text()
                .await
                .map_err(|error| refused(error.status(), error.body_text()))?;
            // A file is of no type that a field has.
            let value = if is_file {
                Value::Object(Map::new())
            } else {
                Value::String(text)
            };
            fields.push((name, value));
        }
        Ok(Self::html(fields.into_iter()))
    }
}

/// What a value's type is called in Python; none: null.
fn python_type(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() || number.is_u64() => "int",
        Value::Number(_) => "float",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    })
}

/// Without its parameters.
fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = text.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_media_type_is_known_without_its_parameters() {
        let of = |text: &str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, text.parse().unwrap())]);
            media_type(&headers)
        };
        assert_eq!(of("Application/JSON ; charset=utf-8"), "application/json");
        assert_eq!(of("text/plain"), "text/plain");
        assert_eq!(media_type(&HeaderMap::new()), "");
    }

    #[test]
    fn a_type_has_pythons_name() {
        for (value, name) in [
            (json!(null), None),
            (json!(true), Some("bool")),
            (json!(-5), Some("int")),
            (json!(u64::MAX), Some("int")),
            (json!(1.5), Some("float")),
            (json!("x"), Some("str")),
            (json!([1]), Some("list")),
            (json!({"a": 1}), Some("dict")),
        ] {
            assert_eq!(python_type(&value), name, "{value}");
        }
    }
}
