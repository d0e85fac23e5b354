//! The one value that all processes of the cluster share.

use super::version;
use crate::wake::Registry;

/// Asks for the memory that holds it. Once, while libraries are preloaded.
pub fn request() {
    // SAFETY: libraries are being preloaded; the memory is of the size of what is written.
    unsafe {
        version::share(c"zentry_notify", size_of::<Registry>(), |place| {
            place.cast::<Registry>().write(Registry::new());
        });
    }
}

/// None when the library was not preloaded: nothing can be woken then.
pub fn registry() -> Option<&'static Registry> {
    // SAFETY: what is there was written before any other process began, holds atomics only, no pointer, and stays.
    unsafe { version::shared().cast::<Registry>().as_ref() }
}
