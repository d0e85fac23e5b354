//! Tokens of the REST API. They are written with the rights of the extension's owner, once it is known that the caller has the rights that a token
//! passes on. A SECURITY DEFINER function in SQL could not tell who calls it.

use pgrx::prelude::*;

use crate::installation::{self, Installation};
use crate::pg::acting_as::ActingAs;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::role;
use crate::pg::setting::{self, Held};
use crate::report;

/// Number of characters of a key.
const KEY: usize = 8;
/// Maximum length of a name in characters.
const MAX_NAME: usize = 100;
/// Length of a hash in bytes.
const SHA_256: usize = 32;

fn is_key(text: &str) -> bool {
    text.len() == KEY && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Stores a token whose requests run as `role`. It raises an error for invalid arguments, and if the caller lacks the privileges of the role.
#[pg_extern(sql = false)]
fn put_api_token(
    token_key: Option<&str>,
    name: Option<&str>,
    role: Option<pg_sys::Oid>,
    token_hash: Option<&[u8]>,
    expires_at: Option<TimestampWithTimeZone>,
) {
    const SQL: &str = "INSERT INTO zentry_notify.api_token (token_key, name, role_name, token_hash, created_by, expires_at) \
                       VALUES ($1, $2, pg_catalog.pg_get_userbyid($3), $4, pg_catalog.pg_get_userbyid($5), $6)";
    let (Some(token_key), Some(name), Some(role), Some(token_hash)) = (token_key, name, role, token_hash)
    else {
        report::error(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "only expires_at of a token may be null".to_owned(),
            "",
            "zentry_create_api_token(name, role) makes tokens.",
        )
    };
    let caller = require_membership(role);
    if !is_key(token_key)
        || name.trim().is_empty()
        || name.chars().count() > MAX_NAME
        || token_hash.len() != SHA_256
        || !role::exists(role)
    {
        report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!(
                "a token has a key of {KEY} letters and digits, a name of up to {MAX_NAME} characters, a role and a hash of {SHA_256} bytes"
            ),
            "",
            "zentry_create_api_token(name, role) makes tokens.",
        )
    }
    let _owner = as_owner();
    with_spi(|spi| {
        let types = [
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::OIDOID,
            pg_sys::BYTEAOID,
            pg_sys::OIDOID,
            pg_sys::TIMESTAMPTZOID,
        ];
        Plan::prepare(spi, SQL, &types).execute(
            spi,
            &[
                token_key.into(),
                name.into(),
                role.into(),
                token_hash.into(),
                caller.into(),
                expires_at.into(),
            ],
        );
    });
}

/// Deletes the token of that name, and returns whether there was one. It raises an error if the caller lacks the privileges of its role.
#[pg_extern(sql = false)]
fn drop_api_token(name: &str) -> bool {
    const ROLE: &str = "SELECT r.oid FROM zentry_notify.api_token t \
                        LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) t.role_oid \
                        WHERE t.name::pg_catalog.text OPERATOR(pg_catalog.=) $1";
    const SQL: &str =
        "DELETE FROM zentry_notify.api_token t WHERE t.name::pg_catalog.text OPERATOR(pg_catalog.=) $1";
    let role = {
        let _owner = as_owner();
        with_spi(|spi| {
            let rows = Plan::prepare(spi, ROLE, &[pg_sys::TEXTOID]).execute(spi, &[name.into()]);
            (rows.len() > 0).then(|| rows.get(0, 1))
        })
    };
    match role {
        None => return false,
        Some(Some(role)) => {
            require_membership(role);
        }
        // The token of a role that was dropped may be deleted by whoever may call this function.
        Some(None) => (),
    }
    let _owner = as_owner();
    with_spi(|spi| {
        Plan::prepare(spi, SQL, &[pg_sys::TEXTOID])
            .execute(spi, &[name.into()])
            .len()
    }) > 0
}

/// Returns the calling role. It raises an error if that lacks the privileges of `role`.
fn require_membership(role: pg_sys::Oid) -> pg_sys::Oid {
    let caller = role::current();
    if !role::has_privileges(caller, role) {
        report::error(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "role \"{}\" does not have the privileges of role \"{}\"",
                role::name_of(caller),
                role::name_of(role)
            ),
            "",
            "A token passes on rights that its creator has. Let a member of that role, or a superuser, do it.",
        );
    }
    caller
}

/// While the result lives, statements run with the rights of the extension's owner, and the triggers of its tables fire.
fn as_owner() -> (Held, ActingAs) {
    let installation = Installation::find().unwrap_or_else(|| installation::refuse_missing());
    let owner = ActingAs::role(installation.owner);
    (setting::hold(&setting::ALL_TRIGGERS), owner)
}
