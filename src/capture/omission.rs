//! What integrations do not want to know: keys of the data that their deliveries do not have (`webhook_integration.omit_keys`).

use std::borrow::Cow;
use std::collections::HashMap;

use pgrx::pg_sys;
use pgrx::{FromDatum, IntoDatum};

use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};

/// The keys, by integration; those that leave nothing out are not in it.
pub type Omissions = HashMap<i64, Vec<String>>;

/// Writes the deliveries of the `lanes` that leave keys out. Returns the other lanes, and the lowest id that was written.
pub fn insert_reduced<'a>(
    omissions: &Omissions,
    event_type: &str,
    json: &str,
    lanes: &'a [i64],
) -> (Cow<'a, [i64]>, Option<i64>) {
    // By Postgres, which keeps every digit of a number.
    const SQL: &str = "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
                       VALUES ($1, $2, $3::pg_catalog.jsonb OPERATOR(pg_catalog.-) $4) RETURNING id";
    const TYPES: [pg_sys::Oid; 4] = [
        pg_sys::INT8OID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTARRAYOID,
    ];
    if omissions.is_empty() || !lanes.iter().any(|lane| omissions.contains_key(lane)) {
        return (Cow::Borrowed(lanes), None);
    }
    let _agent = ActingAs::agent();
    let lowest = with_spi(|| {
        let insert = Plan::prepare(SQL, &TYPES);
        let write = |(lane, keys): (&i64, &Vec<String>)| {
            let rows = insert.execute(&[
                lane.into_datum(),
                event_type.into_datum(),
                json.into_datum(),
                keys.clone().into_datum(),
            ]);
            // SAFETY: the only column is a bigint.
            unsafe { rows.get(0, 1).0.and_then(|id| i64::from_datum(id, false)) }
        };
        let reduced = lanes.iter().filter_map(|lane| Some((lane, omissions.get(lane)?)));
        reduced.filter_map(write).min()
    });
    let whole = lanes.iter().copied().filter(|lane| !omissions.contains_key(lane));
    (Cow::Owned(whole.collect()), lowest)
}
