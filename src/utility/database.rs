//! Statements about databases. The worker leaves a database for a statement that allows no other session in it; the launcher looks again after one
//! that may open a database or change the worker's settings.
//!
//! A statement that PostgreSQL is going to refuse has no effect.

use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;

use crate::pg::database::{self, WORKERS_ROLE};
use crate::pg::utility::{Setting, Statement};
use crate::wake::{self, Slot, registry};

/// The longest time for which a statement keeps the worker out; PostgreSQL itself waits five seconds for other sessions to leave
/// (`CountOtherDBBackends`).
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// The longest time for which DROP DATABASE ... WITH (FORCE) waits for the worker, which itself waits two seconds for answers in flight.
const PATIENCE: Duration = Duration::from_secs(4);
/// The prefix of the settings that the worker reads.
const OURS: &[u8] = b"zentry_notify.";

/// A statement about databases that concerns the worker or the launcher.
pub struct DatabaseStatement {
    /// The database that no other session may be in.
    hold: Option<Hold>,
    afterwards: Afterwards,
}

/// What the launcher has to do after the statement.
enum Afterwards {
    Nothing,
    /// The database disappears when the transaction commits, after the statement: the launcher must not start a worker in between.
    KeepClear,
    /// A database may accept connections now that did not.
    LookAtAccess,
    /// The settings of this database have changed, or those of all.
    LookAtSettings(Option<pg_sys::Oid>),
}

impl DatabaseStatement {
    /// Has the worker leave, if the statement needs that. None: the statement does not concern us, or PostgreSQL will refuse it.
    pub fn before(statement: &Statement) -> Option<DatabaseStatement> {
        match statement {
            Statement::DropDatabase { database, force } => {
                database::may_drop(*database).then(|| Self::dropping(*database, *force))
            }
            Statement::CreateDatabase { template } => {
                database::may_copy(*template).then(|| Self::alone_in(*template))
            }
            Statement::MoveDatabase(database) => {
                database::may_drop(*database).then(|| Self::alone_in(*database))
            }
            Statement::RenameDatabase(database) => {
                database::may_rename(*database).then(|| Self::alone_in(*database))
            }
            Statement::AlterDatabase => Some(Self::then(Afterwards::LookAtAccess)),
            Statement::SetOfDatabase { database, setting } => {
                is_ours(setting).then(|| Self::then(Afterwards::LookAtSettings(Some(*database))))
            }
            Statement::SetOfRole {
                role,
                database,
                setting,
            } => {
                let of_worker = role.is_none_or(|role| role == WORKERS_ROLE);
                (is_ours(setting) && of_worker).then(|| Self::then(Afterwards::LookAtSettings(*database)))
            }
            _ => None,
        }
    }

    /// Does what is left to do when the statement has succeeded.
    pub fn after(mut self) {
        match self.afterwards {
            Afterwards::Nothing => {}
            Afterwards::KeepClear => self.hold.iter_mut().for_each(Hold::keep_clear),
            Afterwards::LookAtAccess => wake::databases_change_at_commit(),
            Afterwards::LookAtSettings(database) => wake::settings_change_at_commit(database),
        }
    }

    fn dropping(database: pg_sys::Oid, force: bool) -> Self {
        let hold = Hold::make(database);
        if force && let Some(occupant) = hold.slot.and_then(Slot::occupant) {
            // FORCE cannot terminate the worker, a superuser's process, for an owner who is no superuser: it has to be gone before.
            occupant.wait_until_gone(PATIENCE);
        }
        Self {
            hold: Some(hold),
            afterwards: Afterwards::KeepClear,
        }
    }

    fn alone_in(database: pg_sys::Oid) -> Self {
        Self {
            hold: Some(Hold::make(database)),
            afterwards: Afterwards::Nothing,
        }
    }

    fn then(afterwards: Afterwards) -> Self {
        Self {
            hold: None,
            afterwards,
        }
    }
}

/// Whether a setting is of this extension, or stands for all.
fn is_ours(setting: &Setting) -> bool {
    match setting {
        Setting::All => true,
        Setting::Named(name) => name
            .to_bytes()
            .get(..OURS.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(OURS)),
    }
}

/// While it lives, the launcher starts no worker in the database, and a worker that is there leaves.
struct Hold {
    slot: Option<&'static Slot>,
    keep_clear: bool,
}

impl Hold {
    fn make(database: pg_sys::Oid) -> Hold {
        let slot = registry().and_then(|registry| registry.known_slot(database));
        if let Some(slot) = slot {
            slot.hold_until(Timestamp::now().checked_add(LONGEST_HOLD).ok());
        }
        Hold {
            slot,
            keep_clear: false,
        }
    }

    fn keep_clear(&mut self) {
        self.keep_clear = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let (Some(slot), Some(registry)) = (self.slot, registry()) {
            if !self.keep_clear {
                slot.hold_until(None);
            }
            registry.wake_launcher();
        }
    }
}
