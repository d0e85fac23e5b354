//! Errors and warnings for users, with a hint.

use pgrx::PgSqlErrorCode;

use crate::pg::error::{self, Message};

/// Raises a warning for the client and the server log.
pub fn warning(code: PgSqlErrorCode, message: String, hint: &str) {
    error::warn(
        code,
        &Message {
            text: &message,
            hint,
            ..Message::default()
        },
    );
}

/// Raises an error. An empty detail or hint is left out.
pub fn error(code: PgSqlErrorCode, message: String, detail: &str, hint: &str) -> ! {
    error::raise(
        code,
        &Message {
            text: &message,
            detail,
            hint,
            ..Message::default()
        },
    )
}

/// Raises an error about an invalid value (`invalid_parameter_value`) of the column or parameter `column`.
pub fn refuse(column: &str, message: &str, hint: &str) -> ! {
    error::raise(
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        &Message {
            text: message,
            hint,
            column,
            ..Message::default()
        },
    )
}
