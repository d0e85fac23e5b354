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
    /// Notes until when nothing leaves, and returns whether others have to hear of it.
    pub fn note(&mut self, until: Option<Timestamp>, now: Timestamp) -> bool {
        let later = |until: &Timestamp| {
            self.0
                .is_none_or(|known| until.duration_since(known).as_secs_f64() > 1.0)
        };
        let news = until.filter(|until| is_long(*until, now)).filter(later);
        if news.is_some() {
            self.0 = news;
        }
        news.is_some()
    }

    /// Returns until when it holds, as long as it does.
    pub fn until(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.0 = self.0.filter(|until| *until > now);
        self.0
    }

    /// Ends it: a person wants Discord to be tried.
    pub fn lift(&mut self) {
        self.0 = None;
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
