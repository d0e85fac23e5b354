//! The flags and latches in shared memory: a commit sets them, the launcher and the workers wait on them.
//!
//! There is no lock: a commit sets flags first and then looks for a process to wake; a worker that leaves announces it first and then looks
//! at the flags. A flag that is set already needs no waking: whoever set it has done that. Shared memory holds numbers only, never a
//! pointer.

mod commit;
mod held_roles;
mod occupant;
mod registry;
mod since;
mod slot;
mod stuck;
mod ways;
mod webhook_set;
mod work;

use crate::pg::process;

pub use commit::{at_commit, databases_change_at_commit, register_callbacks, settings_change_at_commit};
pub use occupant::Occupant;
pub use registry::Registry;
pub use webhook_set::WebhookSet;

pub use crate::shared::registry;
pub use held_roles::Held;
pub use slot::Slot;
pub use stuck::{EndRequest, Replaced, Stuck};
pub use ways::WayState;
pub use work::Work;

/// The process number that stands for none.
const NOBODY: i32 = -1;

/// Wakes the process. One that has ended by now, or its successor, is woken for nothing; every waiter checks its condition again.
fn wake_process(number: i32) {
    if number == NOBODY {
        return;
    }
    process::wake(number);
}
