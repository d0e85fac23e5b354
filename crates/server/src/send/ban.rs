//! Discord turns away the addresses of a sender: others have their webhooks then.

use std::time::Duration;

use jiff::Timestamp;
use webhook::schedule::{DeliveryChange, Outcome};

/// Who is turned away by Discord on all its ways out for longer gives its queues of Discord to others.
const BANNED: Duration = Duration::from_secs(5);

/// Until when Discord takes nothing by any way out.
#[derive(Debug, Default)]
pub struct Ban(Option<Timestamp>);

impl Ban {
    /// Notes until when nothing leaves, and returns whether others have to hear of it. None: a person, here or at another database of the
    /// process, has ended what there was.
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

    /// Returns until when it holds, as long as it does.
    pub fn until(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.0 = self.0.filter(|until| *until > now);
        self.0
    }
}

fn is_long(until: Timestamp, now: Timestamp) -> bool {
    until.duration_since(now).as_secs_f64() >= BANNED.as_secs_f64()
}

/// Lets deliveries be due at once that wait for the end of a ban: it holds for an address, and not for who has its webhooks next.
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
        // Somebody has ended it.
        assert!(ban.note(None, at(3)));
        assert_eq!(ban.until(at(3)), None);
        // It is over by itself.
        assert!(ban.note(Some(at(90)), at(4)));
        assert!(!ban.note(None, at(91)));
    }
}
