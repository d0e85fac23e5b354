//! A cap on requests per second.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Tick;

/// Lets at most so many arrive within any second, all of them at once if it was quiet before. A token bucket would let
/// twice as many pass in the second after a pause.
///
/// What is on its way may arrive at any moment, however long ago it left: the second counts from the answer.
#[derive(Debug)]
pub(super) struct Window {
    per_second: usize,
    on_their_way: usize,
    arrived: VecDeque<Tick>,
}

impl Window {
    /// `per_second` 0: no cap.
    pub(super) fn new(per_second: u32) -> Self {
        Window {
            per_second: per_second as usize,
            on_their_way: 0,
            arrived: VecDeque::new(),
        }
    }

    pub(super) fn set(&mut self, per_second: u32) {
        self.per_second = per_second as usize;
        self.trim();
    }

    pub(super) fn leave(&mut self) {
        self.on_their_way += 1;
    }

    /// One that had left has arrived by now.
    pub(super) fn arrive(&mut self, now: Tick) {
        self.on_their_way = self.on_their_way.saturating_sub(1);
        self.arrived.push_back(now);
        self.trim();
    }

    /// When the next may leave, if no more arrive until then; None: not before one has arrived.
    pub(super) fn opens_at(&self) -> Option<Tick> {
        if self.per_second == 0 {
            return Some(Tick::DISTANT_PAST);
        }
        let room = self.per_second.checked_sub(self.on_their_way + 1)?;
        let last_that_counts = self.arrived.iter().nth_back(room);
        Some(last_that_counts.map_or(Tick::DISTANT_PAST, |arrived| {
            arrived.after(Duration::from_secs(1))
        }))
    }

    fn trim(&mut self) {
        let extra = self.arrived.len().saturating_sub(self.per_second);
        self.arrived.drain(..extra);
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

    fn pass(window: &mut Window, now: Tick) {
        window.leave();
        window.arrive(now);
    }

    #[test]
    fn any_second_holds_at_most_the_cap() {
        let mut window = Window::new(2);
        pass(&mut window, tick(0));
        assert!(window.opens_at() <= Some(tick(0)));
        pass(&mut window, tick(300));
        assert_eq!(window.opens_at(), Some(tick(1000)));
        pass(&mut window, tick(1000));
        assert_eq!(window.opens_at(), Some(tick(1300)));
    }

    #[test]
    fn the_second_counts_from_the_arrival() {
        let mut window = Window::new(2);
        window.leave();
        window.leave();
        assert_eq!(window.opens_at(), None);
        window.arrive(tick(700));
        assert_eq!(window.opens_at(), Some(tick(1700)));
        window.arrive(tick(900));
        window.leave();
        assert_eq!(window.opens_at(), Some(tick(1900)));
    }

    #[test]
    fn zero_is_no_cap() {
        let mut window = Window::new(0);
        window.leave();
        pass(&mut window, tick(0));
        assert_eq!(window.opens_at(), Some(Tick::DISTANT_PAST));
    }

    #[test]
    fn a_new_cap_holds_at_once() {
        let mut window = Window::new(3);
        pass(&mut window, tick(0));
        pass(&mut window, tick(100));
        window.set(1);
        assert_eq!(window.opens_at(), Some(tick(1100)));
    }
}
