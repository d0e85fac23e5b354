//! The pauses after failures.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
/// The longest pause that is ours: what fails is tried again at least this often until it expires, so however long an outage was, what
/// waits leaves within this time of its end.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// The longest pause that a failing endpoint may ask for.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Returns the longest pause after so many failures: 1 s, doubled each time, five minutes at most.
fn ceiling(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Returns a pause between nothing and the ceiling, so that queues that failed together do not come back together ("full jitter", AWS
/// Architecture Blog, "Exponential Backoff And Jitter", 2015).
pub(super) fn retry(failures: u32, random: &mut fastrand::Rng) -> Duration {
    share(ceiling(failures), random)
}

/// Returns a pause between half the ceiling and the ceiling: an open circuit is tried less and less often, whatever the random numbers.
pub(super) fn probe(failures: u32, random: &mut fastrand::Rng) -> Duration {
    let half = ceiling(failures) / 2;
    half + share(half, random)
}

/// Returns how long all webhooks of a vendor wait whose edge has turned away so many requests in a row: about ten seconds at first.
pub(super) fn edge(blocks: u32, random: &mut fastrand::Rng) -> Duration {
    probe(blocks.saturating_add(4), random)
}

fn share(whole: Duration, random: &mut fastrand::Rng) -> Duration {
    let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.u64(0..=micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_a_second_to_five_minutes() {
        let seconds: Vec<u64> = [0, 1, 2, 3, 9, 10, 100, u32::MAX]
            .map(|n| ceiling(n).as_secs())
            .into();
        assert_eq!(seconds, [1, 1, 2, 4, 256, 300, 300, 300]);
    }

    #[test]
    fn jitter_uses_the_whole_range() {
        let mut random = fastrand::Rng::with_seed(1);
        let retries: Vec<f64> = (0..1000).map(|_| retry(4, &mut random).as_secs_f64()).collect();
        assert!(retries.iter().all(|s| (0.0..=8.0).contains(s)));
        assert!(retries.iter().any(|s| *s < 0.5) && retries.iter().any(|s| *s > 7.5));
        let probes: Vec<f64> = (0..1000).map(|_| probe(4, &mut random).as_secs_f64()).collect();
        assert!(probes.iter().all(|s| (4.0..=8.0).contains(s)));
        assert!(probes.iter().any(|s| *s < 4.5) && probes.iter().any(|s| *s > 7.5));
        let edges: Vec<f64> = (0..1000).map(|_| edge(1, &mut random).as_secs_f64()).collect();
        assert!(edges.iter().all(|s| (8.0..=16.0).contains(s)));
        assert!(edges.iter().any(|s| *s < 9.0) && edges.iter().any(|s| *s > 15.0));
    }
}
