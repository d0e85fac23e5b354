//! Flags in shared memory, which a commit sets and the launcher and the workers wait for.
//!
//! There is no lock: a commit sets flags first and then looks for a process to wake; a worker that leaves announces it first and then looks
//! at the flags. Whoever finds a flag set need not wake anybody, since whoever set it has done that. Shared memory holds numbers only, never
//! a pointer.

mod commit;
mod held_roles;
mod occupant;
mod process_number;
mod registry;
mod since;
mod slot;
mod stuck;
mod ways;
mod webhook_set;
mod work;

pub use commit::{at_commit, databases_change_at_commit, register_callbacks, settings_change_at_commit};
pub use registry::Registry;
pub use webhook_set::WebhookSet;

pub use crate::shared::registry;
pub use held_roles::Held;
pub use slot::Slot;
pub use stuck::{EndRequest, Replaced, Stuck};
pub use ways::WayState;
pub use work::Work;
