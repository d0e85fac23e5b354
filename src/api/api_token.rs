//! Tokens of the REST API are written as the extension's owner, once it is known that who calls has the rights that a token passes on. A
//! definer function in SQL could not tell who calls it.

use pgrx::prelude::*;

use crate::installation::Installation;
use crate::pg::acting_as::ActingAs;
use crate::pg::plan::{Plan, with_spi};
use crate::report;

/// Notes a token whose requests run as `role`.
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
    let _owner = as_owner();
    with_spi(|| {
        let types = [
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::OIDOID,
            pg_sys::BYTEAOID,
            pg_sys::OIDOID,
            pg_sys::TIMESTAMPTZOID,
        ];
        Plan::prepare(SQL, &types).execute(&[
            token_key.into_datum(),
            name.into_datum(),
            role.into_datum(),
            token_hash.into_datum(),
            caller.into_datum(),
            expires_at.into_datum(),
        ]);
    });
}

/// Whether there was such a token.
#[pg_extern(sql = false)]
fn drop_api_token(name: &str) -> bool {
    const ROLE: &str = "SELECT r.oid FROM zentry_notify.api_token t \
                        LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) t.role_oid \
                        WHERE t.name::pg_catalog.text OPERATOR(pg_catalog.=) $1";
    const SQL: &str =
        "DELETE FROM zentry_notify.api_token t WHERE t.name::pg_catalog.text OPERATOR(pg_catalog.=) $1";
    let role = {
        let _owner = as_owner();
        with_spi(|| {
            let rows = Plan::prepare(ROLE, &[pg_sys::TEXTOID]).execute(&[name.into_datum()]);
            (rows.len() > 0).then(|| {
                // SAFETY: the only column is an oid.
                rows.get(0, 1)
                    .0
                    .and_then(|role| unsafe { pg_sys::Oid::from_datum(role, false) })
            })
        })
    };
    match role {
        None => return false,
        Some(Some(role)) => {
            require_membership(role);
        }
        // Whoever may call this may take away what is left of a role that is gone.
        Some(None) => (),
    }
    let _owner = as_owner();
    with_spi(|| {
        Plan::prepare(SQL, &[pg_sys::TEXTOID])
            .execute(&[name.into_datum()])
            .len()
    }) > 0
}

/// The role that calls, if it has the privileges of `role`.
fn require_membership(role: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: looks into this process's state and the catalogue.
    let (caller, member) = unsafe {
        let caller = pg_sys::GetUserId();
        (caller, pg_sys::has_privs_of_role(caller, role))
    };
    if !member {
        report::error(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "role \"{}\" does not have the privileges of role \"{}\"",
                name_of(caller),
                name_of(role)
            ),
            "",
            "A token passes on rights that its maker has: let a member of that role, or a superuser, do it.",
        );
    }
    caller
}

fn name_of(role: pg_sys::Oid) -> String {
    // SAFETY: a look into the catalogue; null for a role that there is not.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return role.to_u32().to_string();
        }
        std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

fn as_owner() -> ActingAs {
    match Installation::find() {
        Some(installation) => ActingAs::role(installation.owner),
        None => report::error(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            "the extension zentry_notify is not in this database".to_owned(),
            "",
            "CREATE EXTENSION zentry_notify;",
        ),
    }
}
