//! What integrations do not want to know: keys of the data that their deliveries do not have (`webhook_integration.omit_keys`).

use std::borrow::Cow;
use std::collections::HashMap;

use pgrx::IntoDatum;
use pgrx::pg_sys;

use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};

/// The keys, by integration; those that leave nothing out are not in it.
pub type Omissions = HashMap<i64, Vec<String>>;

/// Writes the deliveries of the `lanes` that leave keys out, and returns the others.
pub fn insert_reduced<'a>(
    omissions: &Omissions,
    event_type: &str,
    json: &str,
    lanes: &'a [i64],
) -> Cow<'a, [i64]> {
    // By Postgres, which keeps every digit of a number.
    const SQL: &str = "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
                       VALUES ($1, $2, $3::pg_catalog.jsonb OPERATOR(pg_catalog.-) $4)";
    const TYPES: [pg_sys::Oid; 4] = [
        pg_sys::INT8OID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTARRAYOID,
    ];
    if omissions.is_empty() || !lanes.iter().any(|lane| omissions.contains_key(lane)) {
        return Cow::Borrowed(lanes);
    }
    let _agent = ActingAs::agent();
    with_spi(|| {
        let insert = Plan::prepare(SQL, &TYPES);
        for (lane, keys) in lanes.iter().filter_map(|lane| Some((lane, omissions.get(lane)?))) {
            insert.execute(&[
                lane.into_datum(),
                event_type.into_datum(),
                json.into_datum(),
                keys.clone().into_datum(),
            ]);
        }
    });
    Cow::Owned(
        lanes
            .iter()
            .copied()
            .filter(|lane| !omissions.contains_key(lane))
            .collect(),
    )
}
