//! The request bodies that a form is read from: JSON, and the two media types of HTML forms.

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
        // A body whose declared length is too large is refused before it is read.
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
    /// Returns a form with the values of a JSON object.
    pub(super) fn of(values: Map<String, Value>) -> Self {
        Self {
            values,
            is_html: false,
            files: BTreeSet::new(),
            known: BTreeSet::new(),
            wrong: Fields::new(),
        }
    }

    /// Returns a form with the fields of an HTML form; the values of a repeated field become a list.
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
        let (mut fields, mut files) = (Vec::new(), BTreeSet::new());
        while let Some(part) = parts
            .next_field()
            .await
            .map_err(|error| refused(error.status(), error.body_text()))?
        {
            let Some(name) = part.name().map(str::to_owned) else {
                continue;
            };
            if part.file_name().is_some() {
                files.insert(name.clone());
            }
            let text = part
                .text()
                .await
                .map_err(|error| refused(error.status(), error.body_text()))?;
            fields.push((name, Value::String(text)));
        }
        Ok(Self {
            files,
            ..Self::html(fields.into_iter())
        })
    }
}

/// Returns the name of a value's type in Python, as the messages of Django REST Framework have it; `None` for null.
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

/// Returns the media type of the body in lower case, without its parameters; empty if the header is missing.
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

    /// Returns the form in a body of this media type, of at most 100 bytes, or the error.
    async fn read(media_type: &str, body: &str) -> Result<Form, (StatusCode, String)> {
        let app = App::unconnected(|options| options.max_body = 100);
        let request = Request::post("/")
            .header(CONTENT_TYPE, media_type)
            .body(body.to_owned().into())
            .unwrap();
        let form = Form::from_request(request, &app).await;
        form.map_err(|error| (error.status(), error.words()))
    }

    #[tokio::test]
    async fn a_form_is_json_or_what_html_sends() {
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nTeam\r\n--x--\r\n";
        for (media_type, body) in [
            ("application/json", r#"{"name": "Team"}"#),
            ("Application/JSON; charset=utf-8", r#"{"name": "Team"}"#),
            ("application/x-www-form-urlencoded", "name=%54eam"),
            ("multipart/form-data; boundary=x", multipart),
        ] {
            let mut form = read(media_type, body).await.unwrap();
            assert_eq!(form.text("name").as_deref(), Some("Team"), "{media_type}");
            assert!(form.finish().is_ok());
        }
        // Nothing is an empty form, whatever it is said to be.
        assert!(read("image/png", "").await.unwrap().finish().is_ok());
        // A file is no text.
        let file = multipart.replace("name=\"name\"", "name=\"name\"; filename=\"a\"");
        let mut form = read("multipart/form-data; boundary=x", &file).await.unwrap();
        assert_eq!(form.text("name"), None);
        assert!(form.finish().is_err());
    }

    #[tokio::test]
    async fn a_body_that_is_no_form_is_refused() {
        let json = "application/json";
        let longest = format!("{{\"a\":\"{}\"}}", "x".repeat(92));
        assert_eq!(longest.len(), 100);
        assert!(read(json, &longest).await.is_ok());
        let invalid = StatusCode::BAD_REQUEST;
        for (media_type, body, status, words) in [
            (
                json,
                &*format!("{longest} "),
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large.",
            ),
            (
                "image/png",
                "x",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type \"image/png\" in request.",
            ),
            (
                json,
                "[1]",
                invalid,
                "Invalid data. Expected a dictionary, but got list.",
            ),
            (json, "null", invalid, "No data provided"),
        ] {
            let refused = read(media_type, body).await.unwrap_err();
            assert_eq!(refused, (status, words.to_owned()), "{body}");
        }
        let (status, words) = read(json, "{").await.unwrap_err();
        assert_eq!(status, invalid);
        assert!(words.starts_with("JSON parse error - "), "{words}");
    }
}
