//! Error responses, in the formats of Django REST Framework.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use deadpool_postgres::{HookError, PoolError};
use serde::Serialize;
use tokio_postgres::error::{DbError, SqlState};

use crate::database::{BeginError, Fault};
use crate::queries::rights::Denied;

/// Error messages by field.
pub type Fields = BTreeMap<String, Vec<String>>;

/// Adds an error message to a field, and returns `None` as its value.
pub fn note<T>(wrong: &mut Fields, name: &str, text: &str) -> Option<T> {
    wrong.entry(name.to_owned()).or_default().push(text.to_owned());
    None
}

/// The key for errors that do not belong to a single field.
pub const NOT_ONE: &str = "non_field_errors";

/// An error response. The response has the error among its extensions, so that the admin pages can show it as a page.
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
    /// Returns an error with the body `{"detail": ...}`.
    pub fn detail(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            body: Body::Detail(text.into()),
            header: None,
        }
    }

    /// Returns an error with the body `{"error": ...}`, for what is not possible in the present state.
    pub fn refused(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            body: Body::Error(text.into()),
            header: None,
        }
    }

    /// Returns an error with the body `{"field": ["message"]}`.
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

    /// Returns the errors by field, if it has that form.
    pub fn wrong_fields(&self) -> Option<&Fields> {
        match &self.body {
            Body::Fields(fields) => Some(fields),
            Body::Detail(_) | Body::Error(_) => None,
        }
    }

    /// Returns the message, for display.
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

    /// Returns the error when all connections for tests of webhooks are in use.
    pub fn too_many_trials() -> Self {
        Self {
            header: Some((RETRY_AFTER, HeaderValue::from(10))),
            ..Self::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many webhooks are being tested. Try again in a moment.",
            )
        }
    }

    /// Returns an error that the caller cannot resolve, and logs it.
    pub fn internal(error: &dyn Display) -> Self {
        tracing::error!("{error}");
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal error.")
    }

    /// Returns the error when the database cannot be reached or gives an unexpected answer, and logs it.
    pub fn unavailable(error: impl Display) -> Self {
        tracing::error!("{error}");
        Self::detail(StatusCode::SERVICE_UNAVAILABLE, "The database is not available.")
    }

    /// Returns the error for a database that cannot be used. Why it cannot be reached is not for everybody, and is logged by who has found out.
    pub fn unusable(fault: &Fault) -> Self {
        let text = match fault {
            Fault::Unreachable(_) => "The database is not available.",
            Fault::NoExtension => "The database does not have the extension zentry_notify.",
            Fault::Outdated(_) => {
                "The database's extension is too old for this server: ALTER EXTENSION zentry_notify UPDATE;"
            }
        };
        Self::detail(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// Returns [`unavailable`](Self::unavailable) for an error of tokio-postgres, with its source, which its `Display` leaves out.
    pub fn unanswered(error: tokio_postgres::Error) -> Self {
        Self::unavailable(format!("{:#}", anyhow::Error::new(error)))
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                Self::unanswered(error)
            }
            PoolError::PostCreateHook(HookError::Message(why)) => Self::unavailable(why),
            other => Self::unavailable(other),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => from_database(error),
            None => Self::unanswered(error),
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

/// Converts an error of the extension: SQLSTATE decides the status, COLUMN is the field, and HINT is appended to the message.
fn from_database(error: &DbError) -> Error {
    let said = match error.hint() {
        Some(hint) => format!("{}. {hint}", error.message()),
        None => error.message().to_owned(),
    };
    match *error.code() {
        SqlState::NO_DATA_FOUND => Error::not_found(),
        // The extension's errors have a hint and name the missing privilege. PostgreSQL's have none, and name tables and functions.
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
        // For tokens: the extension's errors name the field.
        SqlState::UNDEFINED_OBJECT | SqlState::UNIQUE_VIOLATION | SqlState::INVALID_ROLE_SPECIFICATION
            if error.column().is_some() =>
        {
            let field = error.column().unwrap_or(NOT_ONE);
            Error::fields(Fields::from([(field.to_owned(), vec![said])]))
        }
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => Error::refused(said),
        // The extension's error has a hint. PostgreSQL's, of `temp_file_limit`, has none, and is nothing that the caller can resolve.
        SqlState::CONFIGURATION_LIMIT_EXCEEDED if error.hint().is_some() => Error::refused(said),
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
mod tests;
