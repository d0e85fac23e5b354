//! Dynamic background workers. From 19 on, a statement that allows no other session in a database can end them.

use std::ptr::null_mut;

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::pg_sys;

/// A worker that this process has started.
pub struct StartedWorker(*mut pg_sys::BackgroundWorkerHandle);

/// Starts a worker; None if the server has no room for another one (`max_worker_processes`). From 19 on, it is started as one that DROP DATABASE
/// and the like may terminate; until 18, they fail unless the worker leaves by itself.
pub fn start_worker(worker: &BackgroundWorkerBuilder) -> Option<StartedWorker> {
    let mut worker = pg_sys::BackgroundWorker::from(worker);
    #[cfg(feature = "pg19")]
    {
        worker.bgw_flags |= pg_sys::BGWORKER_INTERRUPTIBLE as i32;
    }
    let mut handle = null_mut();
    // SAFETY: PostgreSQL copies the description, and allocates the handle in TopMemoryContext, which lives as long as the process.
    let registered = unsafe {
        let caller = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let registered = pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle);
        pg_sys::MemoryContextSwitchTo(caller);
        registered
    };
    registered.then(|| StartedWorker(handle))
}

impl StartedWorker {
    pub fn has_ended(&self) -> bool {
        let mut pid: pg_sys::pid_t = 0;
        // SAFETY: the handle was returned by RegisterDynamicBackgroundWorker, and is freed by Drop only.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(self.0, &mut pid) };
        status == pg_sys::BgwHandleStatus::BGWH_STOPPED
    }
}

impl Drop for StartedWorker {
    fn drop(&mut self) {
        // SAFETY: as in has_ended(); nothing uses it afterwards.
        unsafe { pg_sys::pfree(self.0.cast()) };
    }
}
