//! How many connections the process may have: each is a file.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Requests in flight at most that are not slow, and as many idle connections.
const MAX_IN_FLIGHT: u64 = 256;
/// Slow requests at most: half of ten thousand webhooks may hang. Each costs some 40 KB.
const MAX_SLOW: u64 = 5_120;

/// Allows this process as many files as it needs, as far as the system's administrator lets it: what processes get by
/// default is often no more than 1,024. PostgreSQL itself keeps to the limit that its first process had.
pub fn raise_limit() {
    let enough = 3 * MAX_IN_FLIGHT + MAX_SLOW;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < enough.min(hard)
    {
        // If it can't be raised, fewer slow requests are in flight.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, enough.min(hard), hard);
    }
}

pub fn max_in_flight() -> usize {
    quarter(limit()) as usize
}

/// What the others leave.
pub fn max_slow() -> usize {
    let files = limit();
    files.saturating_sub(3 * quarter(files)).clamp(8, MAX_SLOW) as usize
}

/// Idle connections that may be kept for each of so many hosts, so that all together are no more than those in use may be.
/// With many hosts none is kept.
pub fn max_idle(hosts: usize) -> usize {
    max_in_flight() / hosts.max(1)
}

/// For requests in flight, for idle connections, and for PostgreSQL, each.
fn quarter(files: u64) -> u64 {
    (files / 4).clamp(8, MAX_IN_FLIGHT)
}

fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}
