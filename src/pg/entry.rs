//! The entry points of the background processes. PostgreSQL looks them up by name (`bgw_function_name`).

use pgrx::prelude::*;

use super::process;
use crate::worker;

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn zentry_notify_launcher_main(_argument: pg_sys::Datum) {
    worker::run_launcher();
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn zentry_notify_worker_main(argument: pg_sys::Datum) {
    worker::run_worker(process::database_of(argument));
}
