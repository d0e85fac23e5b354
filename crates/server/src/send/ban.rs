//! Bans: while Discord blocks all addresses of a sender, other senders get its Discord webhooks.

use std::time::Duration;

use jiff::Timestamp;
use webhook::schedule::{DeliveryChange, Outcome};

/// The time from which on a ban counts: a sender that is blocked for longer on all its ways out gives its Discord queues to others.
const BANNED: Duration = Duration::from_secs(5);

/// Until when Discord blocks all ways out.
#[derive(Debug, Default)]
pub struct Ban(Option<Timestamp>);

impl Ban {
    /// Records until when Discord blocks all ways out, and returns whether the database has to be told. `None`: it does not, or a user has ended the
    /// ban, here or in another database of this process.
    pub fn note(&mut self, until: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(until) = until else {
            return self.0.take().is_some_and(|known| known > now);
        };
        let is_later = self
            .0
            .is_none_or(|known| until.duration_since(known).as_secs_f64() > 1.0);
        let is_news = is_later && is_long(until, now);
        if is_news {
            self.0 = Some(until);
        }
        is_news
    }

    /// Returns the end of the ban, if there is one at `now`.
    pub fn until(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.0 = self.0.filter(|until| *until > now);
        self.0
    }
}

fn is_long(until: Timestamp, now: Timestamp) -> bool {
    until.duration_since(now).as_secs_f64() >= BANNED.as_secs_f64()
}

/// Makes deliveries due at once that wait for the end of the ban, which does not apply to the addresses of the webhooks' next sender.
pub fn release(until: Timestamp, now: Timestamp, deliveries: &mut [DeliveryChange]) {
    if !is_long(until, now) {
        return;
    }
    for change in deliveries {
        if let Outcome::Waiting { next_attempt_at } = &mut change.outcome
            && until.duration_since(*next_attempt_at).as_secs_f64().abs() < 1.0
        {
            *next_attempt_at = change.at;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn what_is_long_is_told_once_and_its_end_too() {
        let mut ban = Ban::default();
        assert!(!ban.note(None, at(0)));
        assert!(!ban.note(Some(at(4)), at(0)));
        assert!(ban.note(Some(at(60)), at(0)));
        assert!(!ban.note(Some(at(60)), at(1)));
        assert_eq!(ban.until(at(1)), Some(at(60)));
        assert!(ban.note(Some(at(90)), at(2)));
        // A user has ended it.
        assert!(ban.note(None, at(3)));
        assert_eq!(ban.until(at(3)), None);
        // It has ended by itself.
        assert!(ban.note(Some(at(90)), at(4)));
        assert!(!ban.note(None, at(91)));
    }
}
