//! The limit of the number of webhooks: when one has changed, each session that writes to an attached table reads which events they hear.

use pgrx::PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
use pgrx::prelude::*;

use crate::pg::relation::OpenRelation;
use crate::pg::scan;
use crate::{report, settings};

/// Raises an error if there is no room for another webhook. Webhooks of transactions that are not committed yet count too, so that several
/// sessions together cannot exceed the limit.
#[pg_extern(sql = false)]
fn check_room_for_webhook() {
    let table = scan::our_table(c"webhook").and_then(OpenRelation::open_briefly);
    let count = table.map_or(0, |table| scan::count_with_unfinished(&table));
    let limit = settings::max_webhooks();
    if count >= limit {
        report::error(
            ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            format!("there are {count} webhooks, and zentry_notify.max_webhooks is {limit}"),
            "",
            "Delete what nobody needs any more: SELECT id, name FROM zentry_notify.webhooks lists them. A superuser can raise the limit.",
        )
    }
}
