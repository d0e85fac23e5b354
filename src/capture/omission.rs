//! What integrations do not want to know: keys of the data that their deliveries do not have (`webhook_integration.omit_keys`).

use std::borrow::Cow;
use std::collections::HashMap;

use pgrx::{IntoDatum, direct_function_call_as_datum, pg_sys};

/// The keys, by integration; those that leave nothing out are not in it.
pub type Omissions = HashMap<i64, Vec<String>>;

/// The integrations by what they are told: those that leave nothing out together, each of the others with a payload of its own.
pub fn divide<'a>(
    omissions: &Omissions,
    payload: pg_sys::Datum,
    lanes: &'a [i64],
) -> Vec<(pg_sys::Datum, Cow<'a, [i64]>)> {
    if omissions.is_empty() {
        return vec![(payload, Cow::Borrowed(lanes))];
    }
    let (reduced, whole): (Vec<i64>, Vec<i64>) = lanes.iter().partition(|lane| omissions.contains_key(lane));
    let reduced = reduced
        .into_iter()
        .filter_map(|lane| -> Option<(_, Cow<'a, [i64]>)> {
            let keys = omissions.get(&lane)?.clone();
            Some((without(payload, keys)?, Cow::Owned(vec![lane])))
        });
    let whole = (payload, Cow::Owned(whole));
    reduced
        .chain([whole])
        .filter(|(_, lanes)| !lanes.is_empty())
        .collect()
}

/// The jsonb without these keys.
fn without(payload: pg_sys::Datum, keys: Vec<String>) -> Option<pg_sys::Datum> {
    // SAFETY: the function of `jsonb - text[]`, which takes a jsonb and an array of text.
    unsafe { direct_function_call_as_datum(pg_sys::jsonb_delete_array, &[Some(payload), keys.into_datum()]) }
}
