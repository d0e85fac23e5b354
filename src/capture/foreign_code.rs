//! Look-ups run as the owner of the attached table. A view or a policy of somebody else would run that one's functions so.

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};

use crate::plan::{Plan, with_spi};

/// An error where reading `relation` may run code of a role that is neither `owner` nor a superuser.
pub fn refuse(relation: pg_sys::Oid, owner: pg_sys::Oid) {
    const SQL: &str = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) \
                       FROM pg_catalog.pg_class c \
                       JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
                       JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) c.relowner \
                       WHERE c.oid OPERATOR(pg_catalog.=) $1 AND c.relowner OPERATOR(pg_catalog.<>) $2 AND NOT r.rolsuper \
                         AND (c.relkind OPERATOR(pg_catalog.=) 'v' OR c.relrowsecurity)";
    let foreign = with_spi(|| {
        let rows = Plan::prepare(SQL, &[pg_sys::OIDOID, pg_sys::OIDOID])
            .execute(&[relation.into_datum(), owner.into_datum()]);
        // SAFETY: the only column is text.
        (rows.len() > 0)
            .then(|| unsafe { rows.get(0, 1).0.and_then(|name| String::from_datum(name, false)) })
            .flatten()
    });
    if let Some(name) = foreign {
        pgrx::ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "{name} is a view or has row security and belongs to another role: its code would run with the rights of the table's owner"
            )
        );
    }
}
