//! The registry, the one value that all processes of the cluster share.

use super::version;
use crate::wake::Registry;

/// Requests the shared memory of the registry. Called once, while libraries are preloaded.
pub fn request() {
    // SAFETY: _PG_init calls this once, while libraries are preloaded; the closure writes one Registry into memory of that size, which is
    // aligned for it (shared memory is aligned to a cache line, a mapping to a page).
    unsafe {
        version::share(c"zentry_notify", size_of::<Registry>(), |place| {
            place.cast::<Registry>().write(Registry::new());
        });
    }
}

/// Returns the registry; None if the library was not preloaded.
pub fn registry() -> Option<&'static Registry> {
    // SAFETY: the pointer is null or points to a Registry that was written before the postmaster forked any other process. It holds only atomics,
    // so it may be shared, and it stays mapped as long as the process lives.
    unsafe { version::shared().cast::<Registry>().as_ref() }
}
