//! The state that only the library knows, for `zentry_status()`: `sql/32_status_server.sql` and the files after it interpret it.

use jiff::Timestamp;
use pgrx::iter::SetOfIterator;
use pgrx::prelude::*;
use webhook::way::Way;

use crate::installation::{Installation, LIBRARY};
use crate::pg::process;
use crate::settings;
use crate::timestamp::to_timestamptz;
use crate::wake::{self, Registry, Slot, Stuck, WayState};

/// Returns one row. If the library is not preloaded, what comes from shared memory is null, 0 or false.
#[pg_extern(sql = false)]
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns' names from the type"
)]
fn server_state() -> TableIterator<
    'static,
    (
        name!(library_version, &'static str),
        name!(fits, bool),
        name!(preloaded, bool),
        name!(worker_died, bool),
        name!(refused_since, Option<TimestampWithTimeZone>),
        name!(databases_waiting, i32),
        name!(short_of_workers_since, Option<TimestampWithTimeZone>),
        name!(discord_parked_until, Option<TimestampWithTimeZone>),
    ),
> {
    let registry = wake::registry();
    let database = process::database();
    let slot = registry.and_then(|registry| registry.known_slot(database));
    let ways: Vec<_> = settings::ways().iter().map(Way::id).collect();
    TableIterator::once((
        LIBRARY,
        Installation::find().is_some_and(|installation| installation.fits().is_ok()),
        registry.is_some(),
        slot.is_some_and(|slot| !slot.has_worker() && !slot.left_in_order()),
        slot.and_then(Slot::refused_since).map(to_timestamptz),
        registry.map_or(0, |registry| {
            i32::try_from(registry.waiting()).unwrap_or(i32::MAX)
        }),
        registry
            .and_then(Registry::short_of_workers_since)
            .map(to_timestamptz),
        registry
            .and_then(|registry| registry.discord_parked_until(&ways))
            .map(to_timestamptz),
    ))
}

/// Returns the ways out of `zentry_notify.proxy`, with counts of requests since the server started. A way is shown without user and password.
#[pg_extern(sql = false)]
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns' names from the type"
)]
fn ways_out() -> TableIterator<
    'static,
    (
        name!(number, i32),
        name!(way, String),
        name!(requests, i64),
        name!(unreached, i64),
        name!(refused, i64),
        name!(discord_parked_until, Option<TimestampWithTimeZone>),
        name!(down_until, Option<TimestampWithTimeZone>),
    ),
> {
    let row = |(number, way): (i32, Way)| {
        let state =
            wake::registry().map_or_else(WayState::default, |registry| registry.ways().state(way.id()));
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let parked = state
            .discord_parked_until
            .filter(|until| *until > Timestamp::now());
        (
            number,
            way.to_string(),
            count(state.requests),
            count(state.unreached),
            count(state.refused),
            parked.map(to_timestamptz),
            state.down_until.map(to_timestamptz),
        )
    };
    let rows: Vec<_> = (1..).zip(settings::ways()).map(row).collect();
    TableIterator::new(rows)
}

/// Returns how many events of this database could not be written since the server started; 0 if the library is not preloaded.
#[pg_extern(sql = false)]
fn lost_events() -> i64 {
    let database = process::database();
    wake::registry()
        .and_then(|registry| registry.known_slot(database))
        .map_or(0, |slot| i64::try_from(slot.lost()).unwrap_or(i64::MAX))
}

/// Returns the worker processes that were told to end and have not, and whether another one has replaced each. The result is empty if the library is not
/// preloaded.
#[pg_extern(sql = false)]
fn stuck_workers() -> TableIterator<
    'static,
    (
        name!(database, pg_sys::Oid),
        name!(pid, i32),
        name!(since, TimestampWithTimeZone),
        name!(replaced, bool),
    ),
> {
    let row = |stuck: Stuck| {
        let since = to_timestamptz(stuck.since);
        (stuck.database, stuck.pid, since, stuck.replaced)
    };
    let found: Vec<_> =
        wake::registry().map_or_else(Vec::new, |registry| registry.stuck().map(row).collect());
    TableIterator::new(found)
}

/// Returns the databases with work and without a worker.
#[pg_extern(sql = false)]
fn databases_with_work() -> SetOfIterator<'static, pg_sys::Oid> {
    let is_due = |slot: &Slot| slot.due().is_some_and(|due| due <= Timestamp::now());
    let waits = |slot: &&Slot| !slot.has_worker() && (slot.has_work() || is_due(slot));
    let found: Vec<pg_sys::Oid> = wake::registry().map_or_else(Vec::new, |registry| {
        registry.slots().filter(waits).map(Slot::database).collect()
    });
    SetOfIterator::new(found)
}
