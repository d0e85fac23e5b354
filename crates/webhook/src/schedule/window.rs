//! A cap on requests per second.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Tick;

/// Lets at most so many pass within any second, all of them at once if it was quiet before. A token bucket would let
/// twice as many pass in the second after a pause.
#[derive(Debug)]
pub(super) struct Window {
    per_second: usize,
    passed: VecDeque<Tick>,
}

impl Window {
    /// `per_second` 0: no cap.
    pub(super) fn new(per_second: u32) -> Self {
        Window {
            per_second: per_second as usize,
            passed: VecDeque::new(),
        }
    }

    pub(super) fn set(&mut self, per_second: u32) {
        self.per_second = per_second as usize;
        self.trim();
    }

    pub(super) fn pass(&mut self, now: Tick) {
        self.passed.push_back(now);
        self.trim();
    }

    /// When the next may pass.
    pub(super) fn opens_at(&self) -> Tick {
        match self.passed.front() {
            Some(oldest) if self.passed.len() >= self.per_second => oldest.after(Duration::from_secs(1)),
            _ => Tick::DISTANT_PAST,
        }
    }

    fn trim(&mut self) {
        let extra = self.passed.len().saturating_sub(self.per_second);
        self.passed.drain(..extra);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::clock::Clock;
    use super::*;

    fn tick(millis: i64) -> Tick {
        Clock::new().read(jiff::Timestamp::from_millisecond(millis).unwrap())
    }

    #[test]
    fn any_second_holds_at_most_the_cap() {
        let mut window = Window::new(2);
        window.pass(tick(0));
        assert!(window.opens_at() <= tick(0));
        window.pass(tick(300));
        assert_eq!(window.opens_at(), tick(1000));
        window.pass(tick(1000));
        assert_eq!(window.opens_at(), tick(1300));
    }

    #[test]
    fn zero_is_no_cap() {
        let mut window = Window::new(0);
        window.pass(tick(0));
        assert_eq!(window.opens_at(), Tick::DISTANT_PAST);
    }

    #[test]
    fn a_new_cap_holds_at_once() {
        let mut window = Window::new(3);
        window.pass(tick(0));
        window.pass(tick(100));
        window.set(1);
        assert_eq!(window.opens_at(), tick(1100));
    }
}
