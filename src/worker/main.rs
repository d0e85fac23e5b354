//! The worker's process: it enters its database's slot, checks the installation, serves, and leaves.

use std::time::Duration;

use pgrx::prelude::*;

use super::state::Worker;
use super::{database, files};
use crate::pg::crash_note;
use crate::pg::large_tables;
use crate::pg::process;
use crate::pg::signals;
use crate::pg::time_limit;
use crate::pg::watch;
use crate::wake::{Slot, registry};

/// How long no worker is started when the database's SQL does not fit the library. ALTER EXTENSION UPDATE ends the pause.
const OUTDATED: Duration = Duration::from_secs(60);
/// The same when the extension is not there: a prepared transaction that is committed may be anybody's. To register a webhook ends the pause.
const ABSENT: Duration = Duration::from_secs(60);

pub fn run(database: pg_sys::Oid) {
    let Some(registry) = registry() else { return };
    let Some(slot) = registry.slot(database).filter(|slot| registry.enter(slot)) else {
        return;
    };
    process::at_exit(leave_slot, database);
    signals::install();
    files::raise_limit();
    large_tables::assume();
    database::connect(Some(database), c"zentry_notify worker");
    watch::register_for_rights();
    match database::installation() {
        Ok(Some(installation)) => match installation.fits() {
            Ok(()) => {
                slot.set_outdated(false);
                Worker::serve(registry, slot, installation.oid);
            }
            Err(mismatch) => {
                if slot.set_outdated(true) {
                    crate::report::warning(
                        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                        format!("{}, notifications wait", mismatch.message()),
                        &mismatch.hint(),
                    );
                }
                // Commits go on, and should start no worker that can do nothing.
                slot.pause_for(OUTDATED);
                nothing_to_do(slot);
            }
        },
        Ok(None) => {
            slot.pause_for(ABSENT);
            nothing_to_do(slot);
            // What was committed since then has ended the pause.
            if matches!(database::installation(), Ok(Some(_))) {
                slot.look_again();
            }
        }
        Err(error) => return pgrx::log!("zentry_notify: the worker could not start: {error}"),
    }
    slot.in_order();
    registry.leave(slot);
    registry.wake_launcher();
}

fn nothing_to_do(slot: &Slot) {
    slot.take();
    slot.set_due(None);
}

fn leave_slot(database: pg_sys::Oid) {
    crash_note::end();
    if let Some(registry) = registry() {
        // If this worker was stuck, another one has its slot by now.
        if let Some(slot) = registry.known_slot(database).filter(|slot| slot.is_mine()) {
            if !signals::terminated() {
                time_limit::note_what_runs();
            }
            registry.leave(slot);
        }
        registry.stuck_one_ends(database);
        registry.wake_launcher();
    }
}
