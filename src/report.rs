//! Messages with a hint, for users.

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

/// Raises an error. An empty detail is none.
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

/// Raises an error about a value that cannot be taken. `column` is the column or parameter that has it.
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
