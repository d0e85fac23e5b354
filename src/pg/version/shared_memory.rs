//! One piece of memory that all processes of the server share, initialised when the server starts, and again after a crash of a process.
//!
//! Until 18, a library requests it in a hook, `shmem_request_hook`, and has to call the hook that was set before. If a library that is loaded later
//! does not, this library's request is lost. Then the memory is a mapping of its own, which the processes inherit from the postmaster.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use pgrx::prelude::*;

struct Request {
    name: &'static CStr,
    /// In bytes.
    size: usize,
    initialise: unsafe fn(*mut c_void),
}

static REQUEST: OnceLock<Request> = OnceLock::new();
/// The address of the memory. It is set in the postmaster, and inherited by the processes that it forks.
static ADDRESS: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Requests `size` bytes under a name that nobody else uses; `initialise` fills them.
///
/// # Safety
/// Called once, while libraries are preloaded. `initialise` writes no more than `size` bytes.
pub unsafe fn share(name: &'static CStr, size: usize, initialise: unsafe fn(*mut c_void)) {
    let _ = REQUEST.set(Request {
        name,
        size,
        initialise,
    });
    // SAFETY: by the caller's promise.
    unsafe { register() };
}

/// Returns the address of the shared memory; null if there is none.
pub fn shared() -> *mut c_void {
    ADDRESS.load(SeqCst)
}

#[cfg(not(feature = "pg19"))]
use hooks::register;

#[cfg(not(feature = "pg19"))]
mod hooks {
    use std::ffi::c_char;
    use std::num::NonZeroUsize;
    use std::sync::atomic::AtomicBool;

    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

    use super::*;

    static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
    static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;
    /// Whether on_request() was called.
    static REQUESTED: AtomicBool = AtomicBool::new(false);
    /// The index of AddinShmemInitLock in MainLWLockArray, the same from 15 to 18 (lwlocknames.txt, later lwlocklist.h).
    const ADDIN_LOCK: usize = 21;

    /// Sets the hooks.
    ///
    /// # Safety
    /// Called once, while libraries are preloaded.
    pub unsafe fn register() {
        // SAFETY: the postmaster has one thread, and calls the hooks after it has loaded the libraries.
        unsafe {
            PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
            pg_sys::shmem_request_hook = Some(on_request);
            PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
            pg_sys::shmem_startup_hook = Some(on_startup);
        }
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn on_request() {
        // SAFETY: the previous hook is called as PostgreSQL would call it; RequestAddinShmemSpace may be called in this hook only.
        unsafe {
            if let Some(previous) = PREVIOUS_REQUEST {
                pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
            }
            if let Some(request) = REQUEST.get() {
                pg_sys::RequestAddinShmemSpace(request.size);
                REQUESTED.store(true, SeqCst);
            }
        }
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn on_startup() {
        // SAFETY: the previous hook is called as PostgreSQL would call it; the memory is of the requested size, and no other process uses it yet.
        unsafe {
            if let Some(previous) = PREVIOUS_STARTUP {
                pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
            }
            let Some(request) = REQUEST.get() else { return };
            if REQUESTED.load(SeqCst) {
                ADDRESS.store(from_server(request), SeqCst);
            } else {
                if ADDRESS.load(SeqCst).is_null() {
                    ADDRESS.store(own_mapping(request), SeqCst);
                    report_loss();
                }
                // The hook is called again after a crash, when the processes that used the memory have ended.
                if !ADDRESS.load(SeqCst).is_null() {
                    (request.initialise)(ADDRESS.load(SeqCst));
                }
            }
        }
    }

    /// Returns the server's memory for the request.
    ///
    /// # Safety
    /// Called in shmem_startup_hook.
    unsafe fn from_server(request: &Request) -> *mut c_void {
        // SAFETY: the steps of PostgreSQL's documentation ("Shared Memory"), with the size that was requested.
        unsafe {
            let lock = &raw mut (*pg_sys::MainLWLockArray.add(ADDIN_LOCK)).lock;
            pg_sys::LWLockAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE);
            let mut found = false;
            let address = pg_sys::ShmemInitStruct(request.name.as_ptr(), request.size, &mut found);
            if !found {
                (request.initialise)(address);
            }
            pg_sys::LWLockRelease(lock);
            address
        }
    }

    /// Returns a shared mapping, which the processes that the postmaster forks inherit; null if the system refuses it.
    fn own_mapping(request: &Request) -> *mut c_void {
        let Some(size) = NonZeroUsize::new(request.size) else {
            return null_mut();
        };
        // SAFETY: an anonymous mapping at an address that the system chooses; it is never unmapped.
        let mapped = unsafe {
            mmap_anonymous(
                None,
                size,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
            )
        };
        mapped.map_or(null_mut(), |address| address.as_ptr())
    }

    fn report_loss() {
        let later = loaded_later();
        let suspects = match later.as_slice() {
            [] => "No library is named after it in shared_preload_libraries; one of those before it may load another.".to_owned(),
            later => format!("Preloaded after it: {}.", later.join(", ")),
        };
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_WARNING,
            "zentry_notify did not get the shared memory that it requested, and uses a mapping of its own: \
             a library that is preloaded after it does not call the previous shmem_request_hook",
            format!("{suspects} Name zentry_notify last in shared_preload_libraries.")
        );
    }

    fn loaded_later() -> Vec<String> {
        // SAFETY: a setting's variable: null or a C string, which stays while libraries are preloaded.
        let names: *const c_char = unsafe { pg_sys::shared_preload_libraries_string };
        if names.is_null() {
            return Vec::new();
        }
        // SAFETY: as above.
        let names = unsafe { CStr::from_ptr(names) }.to_string_lossy();
        names
            .split(',')
            .map(|name| name.trim().trim_matches('"').to_owned())
            .skip_while(|name| !name.ends_with("zentry_notify"))
            .skip(1)
            .collect()
    }
}

#[cfg(feature = "pg19")]
use callbacks::register;

#[cfg(feature = "pg19")]
mod callbacks {
    use super::*;

    /// Registers the callbacks.
    ///
    /// # Safety
    /// Called once, while libraries are preloaded.
    pub unsafe fn register() {
        static CALLBACKS: OnceLock<Callbacks> = OnceLock::new();
        let callbacks = CALLBACKS.get_or_init(|| {
            Callbacks(pg_sys::ShmemCallbacks {
                request_fn: Some(on_request),
                init_fn: Some(on_init),
                ..Default::default()
            })
        });
        // SAFETY: the callbacks are static.
        unsafe { pg_sys::RegisterShmemCallbacks(&raw const callbacks.0) };
    }

    struct Callbacks(pg_sys::ShmemCallbacks);

    // SAFETY: written once, and read on the main thread only.
    unsafe impl Send for Callbacks {}
    // SAFETY: as above.
    unsafe impl Sync for Callbacks {}

    #[pg_guard]
    unsafe extern "C-unwind" fn on_request(_argument: *mut c_void) {
        let Some(request) = REQUEST.get() else { return };
        let options = pg_sys::ShmemStructOpts {
            name: request.name.as_ptr(),
            size: request.size.cast_signed(),
            ptr: ADDRESS.as_ptr(),
            ..Default::default()
        };
        // SAFETY: the name and the pointer that the address is stored in are static; PostgreSQL copies the options.
        unsafe { pg_sys::ShmemRequestStructWithOpts(&options) };
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn on_init(_argument: *mut c_void) {
        if let Some(request) = REQUEST.get() {
            // SAFETY: PostgreSQL has stored the address of memory of the requested size before it calls this.
            unsafe { (request.initialise)(ADDRESS.load(SeqCst)) };
        }
    }
}
