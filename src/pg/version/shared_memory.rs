//! One piece of memory that all processes of the server share, made when it starts and made anew after a crash of one of them.
//!
//! Until 18, a library asks for it through a hook that every library has to hand on. One that does not takes what others asked for away
//! from them: then the memory is a mapping of our own, which the processes inherit as they inherit the server's.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use pgrx::prelude::*;

struct Wanted {
    name: &'static CStr,
    size: usize,
    initialise: unsafe fn(*mut c_void),
}

static WANTED: OnceLock<Wanted> = OnceLock::new();
/// Set in the postmaster; the processes that it forks inherit it.
static PLACE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Asks for `size` bytes under a name that nobody else uses, which `initialise` fills.
///
/// # Safety
/// Called once, while libraries are preloaded. `initialise` writes no more than `size` bytes.
pub unsafe fn share(name: &'static CStr, size: usize, initialise: unsafe fn(*mut c_void)) {
    let _ = WANTED.set(Wanted {
        name,
        size,
        initialise,
    });
    // SAFETY: by the caller's promise.
    unsafe { ask() };
}

/// Where the shared memory is; null when there is none.
pub fn shared() -> *mut c_void {
    PLACE.load(SeqCst)
}

#[cfg(not(feature = "pg19"))]
use hooks::ask;

#[cfg(not(feature = "pg19"))]
mod hooks {
    use std::ffi::c_char;
    use std::num::NonZeroUsize;
    use std::sync::atomic::AtomicBool;

    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

    use super::*;

    static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
    static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;
    static GRANTED: AtomicBool = AtomicBool::new(false);
    /// The number of AddinShmemInitLock among the server's locks.
    const ADDIN_LOCK: usize = 21;

    /// # Safety
    /// Called once, while libraries are preloaded.
    pub unsafe fn ask() {
        // SAFETY: nobody else reads these before the libraries are loaded.
        unsafe {
            PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
            pg_sys::shmem_request_hook = Some(on_request);
            PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
            pg_sys::shmem_startup_hook = Some(on_startup);
        }
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn on_request() {
        // SAFETY: the hook of a library that was loaded before, called as Postgres calls it; and what may be called in this hook.
        unsafe {
            if let Some(previous) = PREVIOUS_REQUEST {
                pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
            }
            if let Some(wanted) = WANTED.get() {
                pg_sys::RequestAddinShmemSpace(wanted.size);
                GRANTED.store(true, SeqCst);
            }
        }
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn on_startup() {
        // SAFETY: as above.
        unsafe {
            if let Some(previous) = PREVIOUS_STARTUP {
                pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
            }
            let Some(wanted) = WANTED.get() else { return };
            if GRANTED.load(SeqCst) {
                PLACE.store(from_server(wanted), SeqCst);
            } else {
                if PLACE.load(SeqCst).is_null() {
                    PLACE.store(own(wanted), SeqCst);
                    report_loss();
                }
                // After a crash as well: the processes that used it are gone.
                if !PLACE.load(SeqCst).is_null() {
                    (wanted.initialise)(PLACE.load(SeqCst));
                }
            }
        }
    }

    /// # Safety
    /// In the hook for it.
    unsafe fn from_server(wanted: &Wanted) -> *mut c_void {
        // SAFETY: as Postgres' documentation has it done; the size is what was asked for.
        unsafe {
            let lock = &raw mut (*pg_sys::MainLWLockArray.add(ADDIN_LOCK)).lock;
            pg_sys::LWLockAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE);
            let mut found = false;
            let place = pg_sys::ShmemInitStruct(wanted.name.as_ptr(), wanted.size, &mut found);
            if !found {
                (wanted.initialise)(place);
            }
            pg_sys::LWLockRelease(lock);
            place
        }
    }

    /// A mapping that the processes to come inherit; null where the system gives none.
    fn own(wanted: &Wanted) -> *mut c_void {
        let Some(size) = NonZeroUsize::new(wanted.size) else {
            return null_mut();
        };
        // SAFETY: a new mapping, which nothing else is in; it is never unmapped.
        let mapped = unsafe {
            mmap_anonymous(
                None,
                size,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
            )
        };
        mapped.map_or(null_mut(), |place| place.as_ptr())
    }

    fn report_loss() {
        let later = loaded_later();
        let suspects = match later.as_slice() {
            [] => "A library that one of them loads may be at fault.".to_owned(),
            later => format!("Preloaded after it: {}.", later.join(", ")),
        };
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_WARNING,
            "zentry_notify did not get the shared memory that it asked for, and uses memory of its own: \
             a library that is preloaded after it does not call shmem_request_hook's previous value",
            format!("{suspects} Name zentry_notify last in shared_preload_libraries.")
        );
    }

    fn loaded_later() -> Vec<String> {
        // SAFETY: a setting's text, or null.
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
use callbacks::ask;

#[cfg(feature = "pg19")]
mod callbacks {
    use super::*;

    /// # Safety
    /// Called once, while libraries are preloaded.
    pub unsafe fn ask() {
        static CALLBACKS: OnceLock<Callbacks> = OnceLock::new();
        let callbacks = CALLBACKS.get_or_init(|| {
            Callbacks(pg_sys::ShmemCallbacks {
                request_fn: Some(on_request),
                init_fn: Some(on_init),
                ..Default::default()
            })
        });
        // SAFETY: they live as long as the process.
        unsafe { pg_sys::RegisterShmemCallbacks(&raw const callbacks.0) };
    }

    struct Callbacks(pg_sys::ShmemCallbacks);

    // SAFETY: written once, and read on the main thread alone.
    unsafe impl Send for Callbacks {}
    // SAFETY: as above.
    unsafe impl Sync for Callbacks {}

    #[pg_guard]
    unsafe extern "C-unwind" fn on_request(_argument: *mut c_void) {
        let Some(wanted) = WANTED.get() else { return };
        let options = pg_sys::ShmemStructOpts {
            name: wanted.name.as_ptr(),
            size: wanted.size.cast_signed(),
            ptr: PLACE.as_ptr(),
            ..Default::default()
        };
        // SAFETY: the name and the place live as long as the process, the options are copied.
        unsafe { pg_sys::ShmemRequestStructWithOpts(&options) };
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn on_init(_argument: *mut c_void) {
        if let Some(wanted) = WANTED.get() {
            // SAFETY: the server has set the place by now.
            unsafe { (wanted.initialise)(PLACE.load(SeqCst)) };
        }
    }
}
