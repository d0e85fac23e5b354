//! A limit on failed authentication, by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of addresses. If there are more, expired ones are removed, then all: a flood from many addresses can reset the limit, but a
/// token's secret has 256 random bits.
const ADDRESSES: usize = 10_000;

/// Counts failures of an address in windows of fixed length.
#[derive(Debug)]
pub struct Throttle {
    failures: u32,
    window: Duration,
    seen: Mutex<HashMap<IpAddr, Seen>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    since: Instant,
    failures: u32,
}

impl Throttle {
    pub fn new(failures: u32, window: Duration) -> Self {
        Self {
            failures,
            window,
            seen: Mutex::default(),
        }
    }

    /// Returns how long the address has to wait, if it has reached the limit.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let seen = *self.lock().get(&block(address))?;
        let left = (seen.since + self.window).saturating_duration_since(now);
        (seen.failures >= self.failures && !left.is_zero()).then_some(left)
    }

    pub fn failed(&self, address: IpAddr, now: Instant) {
        let mut seen = self.lock();
        if seen.len() >= ADDRESSES {
            seen.retain(|_, one| now < one.since + self.window);
            if seen.len() >= ADDRESSES {
                seen.clear();
            }
        }
        let fresh = Seen {
            since: now,
            failures: 0,
        };
        let one = seen.entry(block(address)).or_insert(fresh);
        if now >= one.since + self.window {
            *one = fresh;
        }
        one.failures += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the address, or the /64 of an IPv6 address, since a host usually has a whole /64.
fn block(address: IpAddr) -> IpAddr {
    const HOST: u128 = u64::MAX as u128;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !HOST).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_waits_for_the_end_of_the_window_once_its_tries_are_used_up() {
        let throttle = Throttle::new(2, MINUTE);
        let (start, one, other) = (Instant::now(), address("192.0.2.1"), address("192.0.2.2"));
        throttle.failed(one, start);
        assert_eq!(throttle.wait(one, start), None);
        throttle.failed(one, start + MINUTE / 2);
        assert_eq!(throttle.wait(one, start + MINUTE / 2), Some(MINUTE / 2));
        assert_eq!(throttle.wait(other, start), None);
        assert_eq!(throttle.wait(one, start + MINUTE), None);
        // The next window begins with the next failure.
        throttle.failed(one, start + MINUTE);
        assert_eq!(throttle.wait(one, start + MINUTE), None);
        throttle.failed(one, start + MINUTE);
        assert_eq!(throttle.wait(one, start + MINUTE), Some(MINUTE));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let throttle = Throttle::new(1, MINUTE);
        let now = Instant::now();
        throttle.failed(address("2001:db8::1"), now);
        assert!(throttle.wait(address("2001:db8::2"), now).is_some());
        assert!(throttle.wait(address("2001:db8:0:1::1"), now).is_none());
        throttle.failed(address("::ffff:192.0.2.1"), now);
        assert!(throttle.wait(address("192.0.2.1"), now).is_some());
    }

    #[test]
    fn it_keeps_no_more_than_it_may() {
        let throttle = Throttle::new(1, MINUTE);
        let now = Instant::now();
        for number in 0..3 * ADDRESSES as u32 {
            throttle.failed(IpAddr::V4(number.into()), now);
        }
        assert!(throttle.lock().len() <= ADDRESSES);
    }

    #[test]
    fn those_whose_time_is_over_make_room_for_the_others() {
        let throttle = Throttle::new(1, MINUTE);
        let start = Instant::now();
        let number = |number: u32| IpAddr::V4(number.into());
        for old in 1..ADDRESSES as u32 {
            throttle.failed(number(old), start);
        }
        let (one, other) = (number(0), number(u32::MAX));
        throttle.failed(one, start + MINUTE / 2);
        throttle.failed(other, start + MINUTE);
        assert_eq!(throttle.lock().len(), 2);
        assert_eq!(throttle.wait(one, start + MINUTE), Some(MINUTE / 2));
        assert_eq!(throttle.wait(other, start + MINUTE), Some(MINUTE));
    }
}
