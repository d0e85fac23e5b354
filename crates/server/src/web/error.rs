//! What a request is refused with, in the shapes of Django REST Framework.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use deadpool_postgres::PoolError;
use serde::Serialize;
use tokio_postgres::error::{DbError, SqlState};

use crate::database::BeginError;
use crate::queries::rights::Denied;

/// What is wrong with each field.
pub type Fields = BTreeMap<String, Vec<String>>;

/// Notes what is wrong with a field, of which there is no value then.
pub fn note<T>(wrong: &mut Fields, name: &str, text: &str) -> Option<T> {
    wrong.entry(name.to_owned()).or_default().push(text.to_owned());
    None
}

/// Under this stands what is wrong with no field alone.
pub const NOT_ONE: &str = "non_field_errors";

/// A refusal. Its answer carries it among the extensions, for whoever wants to show it otherwise.
#[derive(Clone, Debug)]
pub struct Error {
    status: StatusCode,
    body: Body,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Detail(String),
    Error(String),
    #[serde(untagged)]
    Fields(Fields),
}

impl Error {
    /// `{"detail": ...}`
    pub fn detail(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            body: Body::Detail(text.into()),
            header: None,
        }
    }

    /// `{"error": ...}`: what is asked is not possible now.
    pub fn refused(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            body: Body::Error(text.into()),
            header: None,
        }
    }

    /// `{"field": ["what is wrong"]}`
    pub fn fields(fields: Fields) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            body: Body::Fields(fields),
            header: None,
        }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong with each field, if that is what it says.
    pub fn wrong_fields(&self) -> Option<&Fields> {
        match &self.body {
            Body::Fields(fields) => Some(fields),
            Body::Detail(_) | Body::Error(_) => None,
        }
    }

    /// What it says, for people.
    pub fn words(&self) -> String {
        match &self.body {
            Body::Detail(text) | Body::Error(text) => text.clone(),
            Body::Fields(fields) => fields.values().flatten().cloned().collect::<Vec<_>>().join(" "),
        }
    }

    pub fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::detail(StatusCode::FORBIDDEN, text)
    }

    fn denied() -> Self {
        Self::forbidden("You do not have permission to perform this action.")
    }

    pub fn method_not_allowed(method: &Method) -> Self {
        let text = format!("Method \"{method}\" not allowed.");
        Self::detail(StatusCode::METHOD_NOT_ALLOWED, text)
    }

    pub fn too_large() -> Self {
        Self::detail(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.")
    }

    pub fn took_too_long() -> Self {
        Self::detail(StatusCode::GATEWAY_TIMEOUT, "This took too long.")
    }

    pub fn no_token() -> Self {
        Self::unauthorized("Authentication credentials were not provided.")
    }

    pub fn bad_token() -> Self {
        Self::unauthorized("Invalid token.")
    }

    fn unauthorized(text: &str) -> Self {
        Self {
            header: Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            ..Self::detail(StatusCode::UNAUTHORIZED, text)
        }
    }

    pub fn throttled(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        Self {
            header: Some((RETRY_AFTER, HeaderValue::from(seconds))),
            ..Self::detail(
                StatusCode::TOO_MANY_REQUESTS,
                format!("Too many failed tries. Expected available in {seconds} seconds."),
            )
        }
    }

    /// Everybody who tries a webhook waits for its answer.
    pub fn too_many_trials() -> Self {
        Self {
            header: Some((RETRY_AFTER, HeaderValue::from(10))),
            ..Self::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many webhooks are being tested. Try again in a moment.",
            )
        }
    }

    /// Something that a caller cannot mend; the log has it.
    pub fn internal(error: &dyn Display) -> Self {
        tracing::error!("{error}");
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal error.")
    }

    /// The database does not answer, or not as it should.
    pub fn unavailable(error: impl Display) -> Self {
        tracing::error!("{error}");
        Self::detail(StatusCode::SERVICE_UNAVAILABLE, "The database is not available.")
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        Self::unavailable(error)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => from_database(error),
            None => Self::unavailable(error),
        }
    }
}

impl From<Denied> for Error {
    fn from(_: Denied) -> Self {
        Self::denied()
    }
}

impl From<BeginError> for Error {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Database(error) => error.into(),
            BeginError::Role(role, error) => Self::unavailable(format!(
                "cannot act as role {role}: {}; GRANT {role} TO the role that the server logs in as",
                error
                    .as_db_error()
                    .map_or_else(|| error.to_string(), |error| error.message().to_owned())
            )),
        }
    }
}

/// The extension's errors: SQLSTATE says what kind it is, COLUMN which field, HINT what to do.
fn from_database(error: &DbError) -> Error {
    let said = match error.hint() {
        Some(hint) => format!("{}. {hint}", error.message()),
        None => error.message().to_owned(),
    };
    match *error.code() {
        SqlState::NO_DATA_FOUND => Error::not_found(),
        // One of ours says whose privilege is wanted; PostgreSQL's own names a table or a function, and has no hint.
        SqlState::INSUFFICIENT_PRIVILEGE if error.hint().is_some() => Error::forbidden(said),
        SqlState::INSUFFICIENT_PRIVILEGE => Error::denied(),
        SqlState::INVALID_PARAMETER_VALUE
        | SqlState::NULL_VALUE_NOT_ALLOWED
        | SqlState::NOT_NULL_VIOLATION
        | SqlState::CHECK_VIOLATION
        | SqlState::STRING_DATA_RIGHT_TRUNCATION => {
            let field = error.column().unwrap_or(NOT_ONE);
            Error::fields(Fields::from([(field.to_owned(), vec![said])]))
        }
        // Of a token: an error of ours names the field.
        SqlState::UNDEFINED_OBJECT | SqlState::UNIQUE_VIOLATION | SqlState::INVALID_ROLE_SPECIFICATION
            if error.column().is_some() =>
        {
            let field = error.column().unwrap_or(NOT_ONE);
            Error::fields(Fields::from([(field.to_owned(), vec![said])]))
        }
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => Error::refused(said),
        SqlState::QUERY_CANCELED => Error::took_too_long(),
        _ => Error::unavailable(format!("{}: {said}", error.code().code())),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self.body)).into_response();
        response.headers_mut().extend(self.header.clone());
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_when_to_come_again() {
        let throttled = Error::throttled(Duration::from_millis(59_900));
        assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(throttled.words().contains("available in 60 seconds"));
        assert_eq!(throttled.into_response().headers()[RETRY_AFTER], "60");
        let unauthorized = Error::bad_token().into_response();
        assert_eq!(unauthorized.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(unauthorized.headers()[WWW_AUTHENTICATE], "Bearer");
    }

    #[test]
    fn words_are_those_of_all_fields() {
        let mut wrong = Fields::new();
        assert_eq!(note::<()>(&mut wrong, "b", "B."), None);
        assert_eq!(note::<()>(&mut wrong, "a", "A."), None);
        assert_eq!(note::<()>(&mut wrong, "a", "Also."), None);
        let error = Error::fields(wrong.clone());
        assert_eq!(error.words(), "A. Also. B.");
        assert_eq!(error.wrong_fields(), Some(&wrong));
        assert_eq!(Error::refused("No.").words(), "No.");
        assert_eq!(Error::refused("No.").wrong_fields(), None);
    }
}
