//! Errors of the functions that are written in PL/pgSQL. They are raised here so that their CONTEXT begins with the caller (`pg::error`).

use pgrx::PgSqlErrorCode::{self, *};
use pgrx::prelude::*;

use crate::pg::error::{self, Message};
use crate::report;

/// Raises an error. `condition` is the name of its SQLSTATE in PL/pgSQL.
#[pg_extern(sql = false)]
fn refuse(
    condition: Option<&str>,
    message: Option<&str>,
    hint: Option<&str>,
    column_name: Option<&str>,
    detail: Option<&str>,
) {
    error::raise(
        code(condition.unwrap_or_default()),
        &Message {
            text: message.unwrap_or_default(),
            detail: detail.unwrap_or_default(),
            hint: hint.unwrap_or_default(),
            column: column_name.unwrap_or_default(),
        },
    )
}

/// Raises the error for the id of a webhook that is null or unknown.
#[pg_extern(sql = false)]
pub fn no_such_webhook(webhook_id: Option<i64>) {
    const HINT: &str = "SELECT id, name FROM zentry_notify.webhooks lists them.";
    match webhook_id {
        None => report::error(
            ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "the webhook's id must not be null".to_owned(),
            "",
            HINT,
        ),
        Some(id) => report::error(
            ERRCODE_NO_DATA_FOUND,
            format!("there is no webhook with id {id}"),
            "",
            HINT,
        ),
    }
}

/// Raises the error for a webhook whose row of `webhook_secret` somebody has deleted.
pub fn no_url(webhook_id: i64) -> ! {
    report::error(
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("webhook {webhook_id} has no URL: its row of zentry_notify.webhook_secret is gone"),
        "",
        &format!("SELECT zentry_update_webhook({webhook_id}, webhook_url => 'URL'); gives it one."),
    )
}

/// Returns the SQLSTATE of a condition that our SQL uses, by its name in PL/pgSQL.
fn code(condition: &str) -> PgSqlErrorCode {
    match condition {
        "check_violation" => ERRCODE_CHECK_VIOLATION,
        "datatype_mismatch" => ERRCODE_DATATYPE_MISMATCH,
        "dependent_objects_still_exist" => ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
        "feature_not_supported" => ERRCODE_FEATURE_NOT_SUPPORTED,
        "foreign_key_violation" => ERRCODE_FOREIGN_KEY_VIOLATION,
        "invalid_role_specification" => ERRCODE_INVALID_ROLE_SPECIFICATION,
        "insufficient_privilege" => ERRCODE_INSUFFICIENT_PRIVILEGE,
        "invalid_parameter_value" => ERRCODE_INVALID_PARAMETER_VALUE,
        "no_data_found" => ERRCODE_NO_DATA_FOUND,
        "not_null_violation" => ERRCODE_NOT_NULL_VIOLATION,
        "null_value_not_allowed" => ERRCODE_NULL_VALUE_NOT_ALLOWED,
        "object_not_in_prerequisite_state" => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "string_data_right_truncation" => ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
        "unique_violation" => ERRCODE_UNIQUE_VIOLATION,
        "undefined_column" => ERRCODE_UNDEFINED_COLUMN,
        "undefined_object" => ERRCODE_UNDEFINED_OBJECT,
        "undefined_table" => ERRCODE_UNDEFINED_TABLE,
        "wrong_object_type" => ERRCODE_WRONG_OBJECT_TYPE,
        "numeric_value_out_of_range" => ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        // The default of RAISE.
        _ => ERRCODE_RAISE_EXCEPTION,
    }
}
