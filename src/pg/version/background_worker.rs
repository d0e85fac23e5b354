//! Background workers that are started on demand.

use std::ptr::null_mut;

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::pg_sys;

/// A worker that this process has started.
pub struct StartedWorker(*mut pg_sys::BackgroundWorkerHandle);

/// Starts a worker in a database; None when the server has no place for another one. From 19 on, the statements that want the
/// database for themselves end it: until then, they fail where nobody makes way for them.
pub fn start_worker(worker: &BackgroundWorkerBuilder) -> Option<StartedWorker> {
    let mut worker = pg_sys::BackgroundWorker::from(worker);
    #[cfg(feature = "pg19")]
    {
        worker.bgw_flags |= pg_sys::BGWORKER_INTERRUPTIBLE as i32;
    }
    let mut handle = null_mut();
    // SAFETY: the description is copied; the handle stays as long as the process, in the memory that is current.
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
        // SAFETY: a handle of this process.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(self.0, &mut pid) };
        status == pg_sys::BgwHandleStatus::BGWH_STOPPED
    }
}

impl Drop for StartedWorker {
    fn drop(&mut self) {
        // SAFETY: allocated by the server for us, and not used any more.
        unsafe { pg_sys::pfree(self.0.cast()) };
    }
}
