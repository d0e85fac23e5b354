//! How many connections the process may have. Each takes a file descriptor.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The most requests in flight that are not slow, and the most idle connections.
const MAX_IN_FLIGHT: u64 = 256;
/// The most slow requests: half of ten thousand webhooks may hang. Each costs some 40 KB.
const MAX_SLOW: u64 = 5_120;

/// Raises the process's limit of file descriptors to what it needs, as far as the hard limit allows: the default is often no more than
/// 1,024. PostgreSQL itself keeps to the limit that its first process had.
pub fn raise_limit() {
    let enough = 3 * MAX_IN_FLIGHT + MAX_SLOW;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < enough.min(hard)
    {
        // If the limit cannot be raised, fewer slow requests are in flight.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, enough.min(hard), hard);
    }
}

pub fn max_in_flight() -> usize {
    quarter(limit()) as usize
}

/// Returns how many slow requests the process's files allow beside the others.
pub fn max_slow() -> usize {
    let files = limit();
    files.saturating_sub(3 * quarter(files)).clamp(8, MAX_SLOW) as usize
}

/// Returns how many idle connections are kept for each of `hosts` hosts, so that there are no more of them than of connections in use. With
/// many hosts none is kept.
pub fn max_idle(hosts: usize) -> usize {
    max_in_flight() / hosts.max(1)
}

/// Returns the files for each of: requests in flight, idle connections, PostgreSQL.
fn quarter(files: u64) -> u64 {
    (files / 4).clamp(8, MAX_IN_FLIGHT)
}

fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}
