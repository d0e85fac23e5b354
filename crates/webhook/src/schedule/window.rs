//! A window that limits requests in a period.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Tick;
use crate::rate::Rate;

/// Lets at most a number of requests arrive within any period, all of them at once if it was quiet before. A token bucket would let twice
/// as many pass in the period after a pause.
///
/// A request in flight may arrive at any moment, however long ago it left: the period counts from its answer.
#[derive(Debug)]
pub(super) struct Window {
    rate: Rate,
    on_their_way: usize,
    /// The arrivals that still count, in order.
    arrived: VecDeque<Tick>,
}

/// The shortest period in which messages are filled up before they leave: a shorter one is over before anything has come.
const WORTH_GATHERING: Duration = Duration::from_secs(10);

impl Window {
    pub(super) fn new(rate: Rate) -> Self {
        Window {
            rate,
            on_their_way: 0,
            arrived: VecDeque::new(),
        }
    }

    /// Sets the rate. Returns whether it is another one.
    pub(super) fn set(&mut self, rate: Rate) -> bool {
        let changed = self.rate != rate;
        self.rate = rate;
        self.trim();
        changed
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    fn count(&self) -> usize {
        self.rate.count as usize
    }

    /// Takes over what arrived under a previous scheduler.
    pub(super) fn remember(&mut self, arrived: impl IntoIterator<Item = Tick>) {
        self.arrived.extend(arrived);
        self.arrived.make_contiguous().sort_unstable();
        self.trim();
    }

    pub(super) fn leave(&mut self) {
        self.on_their_way += 1;
    }

    /// Returns the number of requests in flight.
    pub(super) fn on_their_way(&self) -> usize {
        self.on_their_way
    }

    /// Notes that a request in flight has arrived by now.
    pub(super) fn arrive(&mut self, now: Tick) {
        self.on_their_way = self.on_their_way.saturating_sub(1);
        self.arrived.push_back(now);
        self.trim();
    }

    /// Returns when the next request may leave, if no more arrive until then. None: not before one has arrived.
    pub(super) fn opens_at(&self) -> Option<Tick> {
        self.opens_by(self.rate)
    }

    /// The same by a lower rate, of what counts for this one.
    pub(super) fn opens_by(&self, rate: Rate) -> Option<Tick> {
        if rate.count == 0 {
            return Some(Tick::DISTANT_PAST);
        }
        let room = (rate.count as usize).checked_sub(self.on_their_way + 1)?;
        let last_that_counts = self.arrived.iter().nth_back(room);
        Some(last_that_counts.map_or(Tick::DISTANT_PAST, |arrived| arrived.after(rate.period)))
    }

    /// Returns the same, or the earliest moment at which that can change.
    pub(super) fn opens_at_or_after(&self, now: Tick) -> Tick {
        self.opens_at().unwrap_or(now.after(self.rate.period))
    }

    /// Returns until when a message that is not full waits for more events. Once half of a period's requests are used, the other half is
    /// for full messages, and others leave at such intervals that they would fill a period. So the last requests of a period are not spent
    /// on single events.
    pub(super) fn gathers_until(&self, now: Tick) -> Tick {
        let kept = self.rate.count.div_ceil(2);
        if kept == 0 || self.rate.period < WORTH_GATHERING {
            return Tick::DISTANT_PAST;
        }
        let recent = self
            .arrived
            .iter()
            .filter(|at| now.since(**at) < self.rate.period);
        let used = recent.count() + self.on_their_way;
        match self.arrived.back() {
            Some(last) if used * 2 >= self.count() => last.after(self.spacing()),
            _ => Tick::DISTANT_PAST,
        }
    }

    /// Returns the interval at which half of a period's requests fill it. No message waits longer than that to become fuller.
    pub(super) fn spacing(&self) -> Duration {
        self.rate.period / self.rate.count.div_ceil(2).max(1)
    }

    fn trim(&mut self) {
        let extra = self.arrived.len().saturating_sub(self.count());
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
        let mut window = Window::new(Rate::per_second(2));
        pass(&mut window, tick(0));
        assert!(window.opens_at() <= Some(tick(0)));
        pass(&mut window, tick(300));
        assert_eq!(window.opens_at(), Some(tick(1000)));
        pass(&mut window, tick(1000));
        assert_eq!(window.opens_at(), Some(tick(1300)));
    }

    #[test]
    fn the_second_counts_from_the_arrival() {
        let mut window = Window::new(Rate::per_second(2));
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
        let mut window = Window::new(Rate::NONE);
        window.leave();
        pass(&mut window, tick(0));
        assert_eq!(window.opens_at(), Some(Tick::DISTANT_PAST));
    }

    #[test]
    fn a_new_cap_holds_at_once() {
        let mut window = Window::new(Rate::per_second(3));
        pass(&mut window, tick(0));
        pass(&mut window, tick(100));
        assert!(window.set(Rate::per_second(1)) && !window.set(Rate::per_second(1)));
        assert_eq!(window.opens_at(), Some(tick(1100)));
    }

    #[test]
    fn a_period_of_minutes_holds_what_it_may_and_no_more() {
        let rate = "25/5min".parse().unwrap();
        let mut window = Window::new(rate);
        for second in 0..25 {
            assert!(window.opens_at() <= Some(tick(second * 1000)));
            pass(&mut window, tick(second * 1000));
        }
        assert_eq!(window.opens_at(), Some(tick(300_000)));
        let mut again = Window::new(rate);
        again.remember((0..25).map(|second| tick(second * 1000)));
        assert_eq!(again.opens_at(), Some(tick(300_000)));
    }

    #[test]
    fn half_of_a_period_is_for_full_messages() {
        let mut window = Window::new("25/5min".parse().unwrap());
        for _ in 0..13 {
            assert_eq!(window.gathers_until(tick(0)), Tick::DISTANT_PAST);
            pass(&mut window, tick(0));
        }
        let until = window.gathers_until(tick(0));
        assert!(until > tick(20_000) && until < tick(30_000), "{until:?}");
        assert_eq!(window.gathers_until(tick(300_000)), Tick::DISTANT_PAST);
        // A short period is over before anything has come.
        let mut short = Window::new("4/9s".parse().unwrap());
        for _ in 0..3 {
            pass(&mut short, tick(0));
            assert_eq!(short.gathers_until(tick(0)), Tick::DISTANT_PAST);
        }
        assert_eq!(Window::new(Rate::NONE).gathers_until(tick(0)), Tick::DISTANT_PAST);
    }
}
