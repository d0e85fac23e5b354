//! Of those who hear an event's type, those who want to hear this event.

use std::collections::HashSet;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};

use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};
use crate::subtransaction;

/// What integrations want to hear only.
pub struct Conditions {
    all: Vec<Condition>,
    plan: Plan,
}

/// A JSON path predicate that an event's data has to fulfil for an integration to hear of it.
struct Condition {
    lane: i64,
    /// None: of any type.
    event_type: Option<String>,
    path: String,
}

impl Conditions {
    /// Those of the active integrations; None: there are none, as usual. Must be called within [`with_spi`].
    pub fn load() -> Option<Conditions> {
        // As JSON, because the columns are not there before ALTER EXTENSION UPDATE, and writes have to go on.
        const SQL: &str = "SELECT w.id, c.event_type, c.path \
            FROM (SELECT i.id, pg_catalog.to_jsonb(i) AS entry FROM zentry_notify.webhook_integration i WHERE i.is_active) w \
            CROSS JOIN LATERAL (VALUES \
              (NULL, w.entry OPERATOR(pg_catalog.->>) 'filter'), \
              ('daily_streak', '$.streak_days >= ' OPERATOR(pg_catalog.||) (w.entry OPERATOR(pg_catalog.->>) 'min_streak_days')), \
              ('milestone_reached', \
               (SELECT pg_catalog.string_agg(pg_catalog.format('$.milestone_name starts with \"%s%%\"', m), ' || ') \
                FROM pg_catalog.jsonb_array_elements_text(\
                  CASE pg_catalog.jsonb_typeof(w.entry OPERATOR(pg_catalog.->) 'milestones') WHEN 'array' THEN w.entry OPERATOR(pg_catalog.->) 'milestones' END) m))) c (event_type, path) \
            WHERE c.path IS NOT NULL";
        // The variant for time zones: the other one raises an error when it compares times with dates, even if it is told not to.
        const FAILING: &str = "SELECT DISTINCT c.lane FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS c (lane, path) \
            WHERE pg_catalog.jsonb_path_match_tz($3, c.path::pg_catalog.jsonpath, '{}', true) IS NOT TRUE";
        let rows = Plan::prepare(SQL, &[]).execute(&[]);
        let condition = |row| {
            // SAFETY: the types are those of the statement's columns.
            unsafe {
                Some(Condition {
                    lane: i64::from_datum(rows.get(row, 1).0?, false)?,
                    event_type: rows.get(row, 2).0.and_then(|d| String::from_datum(d, false)),
                    path: String::from_datum(rows.get(row, 3).0?, false)?,
                })
            }
        };
        let all: Vec<Condition> = (0..rows.len()).filter_map(condition).collect();
        let types = [pg_sys::INT8ARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::JSONBOID];
        (!all.is_empty()).then(|| Conditions {
            all,
            plan: Plan::prepare(FAILING, &types),
        })
    }

    /// Those of `lanes` whose conditions the data fulfils. The application's write must not fail because of a condition: one
    /// that can't be evaluated is taken for fulfilled, so that nothing is lost, and a warning says so.
    pub fn passing(&self, event_type: &str, payload: pg_sys::Datum, lanes: &[i64]) -> Vec<i64> {
        let of_type = |condition: &&Condition| {
            let only = condition.event_type.as_deref();
            lanes.contains(&condition.lane) && only.is_none_or(|only| only == event_type)
        };
        let conditions: Vec<&Condition> = self.all.iter().filter(of_type).collect();
        if conditions.is_empty() {
            return lanes.to_vec();
        }
        match subtransaction::attempt(|| self.failing(&conditions, payload)) {
            Ok(failing) => {
                let passes = |lane: &i64| !failing.contains(lane);
                lanes.iter().copied().filter(passes).collect()
            }
            Err(failure) => {
                crate::report::warning(
                    PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
                    format!("zentry_notify: a filter of {event_type} could not be evaluated: {failure}"),
                    "The write itself is not affected, and the event is sent. Simplify the filter with zentry_update_webhook.",
                );
                lanes.to_vec()
            }
        }
    }

    /// Integrations of which a condition is false, or unknown as of a value that is missing.
    fn failing(&self, conditions: &[&Condition], payload: pg_sys::Datum) -> HashSet<i64> {
        let lanes: Vec<i64> = conditions.iter().map(|condition| condition.lane).collect();
        let paths: Vec<&str> = conditions.iter().map(|condition| &*condition.path).collect();
        let _agent = ActingAs::agent();
        with_spi(|| {
            let arguments = [lanes.into_datum(), paths.into_datum(), Some(payload)];
            let rows = self.plan.execute(&arguments);
            // SAFETY: the only column is a bigint.
            (0..rows.len())
                .filter_map(|row| unsafe { i64::from_datum(rows.get(row, 1).0?, false) })
                .collect()
        })
    }
}
