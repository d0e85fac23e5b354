//! How many webhooks there may be: each session that writes an attached table reads which events they hear.

use pgrx::PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
use pgrx::prelude::*;

use crate::pg::relation::OpenRelation;
use crate::pg::scan;
use crate::{report, settings};

/// An error when there is no room for another one. Those that other transactions register now count, too: else each session that registers many in one
/// would have all the room there is.
#[pg_extern(sql = false)]
fn check_room_for_webhook() {
    let table = scan::our_table(c"webhook").and_then(OpenRelation::open_briefly);
    let count = table.map_or(0, |table| scan::count_with_unfinished(&table));
    let most = settings::max_webhooks();
    if count >= most {
        report::error(
            ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("there are {count} webhooks, and zentry_notify.max_webhooks is {most}"),
            "",
            "Delete what nobody needs any more: SELECT id, name FROM zentry_notify.webhooks lists them. A superuser can raise the limit.",
        )
    }
}
