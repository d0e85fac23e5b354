//! The background processes: one launcher for the cluster, one worker for each database that has work.

mod catalogue;
mod counters;
mod database;
mod delivery;
mod files;
mod housekeeping;
mod lanes;
mod launcher;
mod marks;
mod memory;
mod queue;
mod record;
mod signals;
mod statements;
mod statistics;
mod trouble;
mod wait;
mod wording;

pub use launcher::register as register_launcher;
