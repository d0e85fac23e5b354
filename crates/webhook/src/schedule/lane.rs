//! What is known of one integration.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::clock::{Clock, Tick};
use super::gates::Pool;
use super::health::Health;
use super::slots::Standing;
use super::stock::Page;
use super::turns::{Group, Ticket};
use super::window::Window;
use super::{Delivery, DeliveryId, LaneConfig, Policy};
use crate::endpoint::Vendor;

/// A delivery that failed so often goes alone: whichever event makes the endpoint fail does not take its neighbours
/// along.
const ALONE_AFTER: u32 = 2;
/// No wait is believed to be longer. By then a delivery has usually expired.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Nothing lives longer, however much of it was quiet: nobody counts the nights of many years.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) config: LaneConfig,
    pub(super) life: Life,
    pub(super) place: Place,
    pub(super) health: Health,
    /// The lane's first unfinished rows; those in flight are the first of them.
    pub(super) rows: VecDeque<Delivery>,
    /// There may be rows beyond these.
    pub(super) more: bool,
    pub(super) flight: Option<Flight>,
    /// So many of the first rows were refused as one message, and it is not known which of them is to blame.
    pub(super) refused: usize,
    pub(super) page: Page,
    /// Its number in the queues, from when it has something to send, through the reading of its rows, until it is sent.
    pub(super) turn: Option<u64>,
    /// Which batch of changes last held one of this lane's.
    pub(super) changed_in: Option<u64>,
    /// Which call of `configure` last named it.
    pub(super) configured_in: u64,
    /// No request before this, whatever it holds and whoever wants it.
    paced_until: Tick,
    /// When the last answer came: the configured interval counts from there, and may be changed meanwhile.
    answered_at: Option<Tick>,
    /// An endpoint that does not work asked to be left alone until then.
    rests_until: Tick,
    hold: Option<Hold>,
    window: Option<Window>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Active,
    /// Switched off by its answers: not called until a person changes something.
    Off,
    /// Not among the active integrations any more; here until nothing of it is in flight or unrecorded.
    Retired,
}

/// Every lane is in exactly one place, and what holds it there names it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing to do.
    Idle,
    /// Its changes have to be taken before its rows can be read again.
    Recording,
    /// Wants rows.
    Hungry(Ticket),
    /// Has asked for so many rows.
    Claimed(Ticket, usize),
    /// Until a moment.
    Waiting(Tick),
    /// Has rows that may leave.
    Ready(Ticket),
    InFlight,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) taken: usize,
    pub(super) left: Tick,
    /// Of the lane when its turn came.
    pub(super) pool: Pool,
    pub(super) standing: Standing,
    pub(super) revision: u64,
    /// Out for so long that it has arrived.
    pub(super) slow: bool,
    /// In nobody's way any more; its rows do not count.
    pub(super) aside: bool,
}

/// When the rows of the last message that failed are due. Their rows say so too, but in wall-clock time, which may have
/// been set back since.
#[derive(Clone, Copy, Debug)]
struct Hold {
    last: DeliveryId,
    until: Tick,
}

impl Lane {
    pub(super) fn new(config: LaneConfig, clock: &Clock, policy: &Policy) -> Self {
        let mut lane = Lane {
            life: Life::Active,
            place: Place::Idle,
            health: Health::new(&config, clock),
            rows: VecDeque::new(),
            more: true,
            flight: None,
            refused: 0,
            page: Page::new(),
            turn: None,
            changed_in: None,
            configured_in: 0,
            paced_until: Tick::DISTANT_PAST,
            answered_at: None,
            rests_until: Tick::DISTANT_PAST,
            hold: None,
            window: None,
            config,
        };
        lane.cap(policy);
        lane
    }

    /// Takes on a configuration; a new revision forgets what went wrong, and brings a lane back that was switched off.
    pub(super) fn configure(&mut self, config: LaneConfig, clock: &Clock, policy: &Policy) {
        let revised = config.revision != self.config.revision;
        let returned = self.life == Life::Retired;
        self.config = config;
        self.cap(policy);
        if revised || returned {
            self.life = Life::Active;
            self.more = true;
        }
        if revised {
            self.health = Health::new(&self.config, clock);
            self.paced_until = Tick::DISTANT_PAST;
            self.answered_at = None;
            self.rests_until = Tick::DISTANT_PAST;
            self.hold = None;
            self.refused = 0;
        }
    }

    /// The cap of the vendor's own hosts.
    pub(super) fn cap(&mut self, policy: &Policy) {
        match (self.config.vendor, &mut self.window) {
            (Vendor::Microsoft, Some(window)) => window.set(policy.teams_per_second),
            (Vendor::Microsoft, none) => *none = Some(Window::new(policy.teams_per_second)),
            (_, window) => *window = None,
        }
    }

    pub(super) fn pool(&self) -> Pool {
        Pool::of(self.config.kind, self.config.vendor)
    }

    pub(super) fn group(&self, clock: &Clock) -> Group {
        Group {
            pool: self.pool(),
            standing: self.health.standing(clock),
        }
    }

    /// The most that a message may hold.
    pub(super) fn message_size(&self) -> usize {
        if self.health.is_open() {
            1
        } else {
            self.config.max_events_per_message.max(1)
        }
    }

    /// No request before this.
    pub(super) fn gate(&self, clock: &Clock) -> Tick {
        let head = self
            .rows
            .front()
            .map_or(Tick::DISTANT_PAST, |head| self.due(head, clock));
        let asked = self.pace().max(self.rests_until).max(self.quiet_until(clock));
        asked.max(self.health.next_try()).max(head)
    }

    fn quiet_until(&self, clock: &Clock) -> Tick {
        let hours = self.config.quiet_hours.as_ref();
        let end = hours.and_then(|hours| hours.end(clock.wall(clock.now())));
        end.map_or(Tick::DISTANT_PAST, |end| clock.tick(end))
    }

    fn pace(&self) -> Tick {
        let cap = self.window.as_ref().and_then(Window::opens_at);
        let own = self.answered_at.map(|at| at.after(self.config.min_interval));
        [cap, own].into_iter().flatten().fold(self.paced_until, Tick::max)
    }

    pub(super) fn pause_until(&mut self, tick: Tick) {
        self.paced_until = self.paced_until.max(tick);
    }

    pub(super) fn rest_until(&mut self, tick: Tick) {
        self.rests_until = self.rests_until.max(tick);
    }

    /// An answer has come. The caps count from the answers: the request before has certainly arrived by then, however
    /// long its way was.
    pub(super) fn answered(&mut self, now: Tick) {
        self.answered_at = Some(now);
        if let Some(window) = &mut self.window {
            window.arrive(now);
        }
    }

    fn due(&self, delivery: &Delivery, clock: &Clock) -> Tick {
        let latest = clock.now().after(LONGEST_WAIT);
        let row = delivery
            .next_attempt_at
            .map_or(Tick::DISTANT_PAST, |at| clock.tick(at).min(latest));
        match self.hold {
            Some(hold) if delivery.id <= hold.last => row.min(hold.until),
            _ => row,
        }
    }

    /// The first `count` rows are not due before `until`.
    pub(super) fn hold(&mut self, count: usize, until: Tick, wall: Timestamp) {
        let rows = self.rows.iter_mut().take(count);
        let last = rows.fold(None, |_, delivery| {
            delivery.next_attempt_at = Some(wall);
            Some(delivery.id)
        });
        self.hold = last.map(|last| Hold { last, until });
    }

    /// A person wants what waits to be sent now: forgets what was read, so that it is read again. What is in flight
    /// stays.
    pub(super) fn retry_now(&mut self) {
        self.rows.truncate(self.flight.map_or(0, |flight| flight.taken));
        self.more = true;
        self.hold = None;
        self.rests_until = Tick::DISTANT_PAST;
        self.health.try_now();
    }

    /// A person wants it to be tried: what it was told to wait for is forgotten.
    pub(super) fn resume(&mut self) {
        self.paced_until = Tick::DISTANT_PAST;
    }

    pub(super) fn max_age(&self, policy: &Policy) -> Duration {
        self.config.max_age.unwrap_or(policy.max_age)
    }

    /// How many of the first rows may leave as one message; the first is taken to be due.
    pub(super) fn sendable(&self, clock: &Clock, policy: &Policy) -> usize {
        let limit = match self.refused {
            0 => self.message_size(),
            refused => (refused / 2).clamp(1, self.message_size()),
        };
        let max_age = self.max_age(policy);
        let wall = clock.wall(clock.now());
        let joins = |delivery: &Delivery| {
            delivery.attempts < ALONE_AFTER
                && self.due(delivery, clock) <= clock.now()
                && !self.expired(delivery, max_age, wall)
        };
        match self.rows.front() {
            None => 0,
            Some(head) if head.attempts >= ALONE_AFTER => 1,
            Some(_) => {
                1 + self
                    .rows
                    .iter()
                    .skip(1)
                    .take(limit - 1)
                    .take_while(|next| joins(next))
                    .count()
            }
        }
    }

    /// Takes the first row out if it is too old.
    pub(super) fn pop_expired(&mut self, max_age: Duration, wall: Timestamp) -> Option<Delivery> {
        let head = self.rows.front()?;
        if !self.expired(head, max_age, wall) {
            return None;
        }
        self.rows.pop_front()
    }

    fn expired(&self, delivery: &Delivery, max_age: Duration, wall: Timestamp) -> bool {
        let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
        let age = wall.duration_since(delivery.created_at);
        if age <= max_age || age > LONGEST_LIFE {
            return age > max_age;
        }
        match &self.config.quiet_hours {
            Some(hours) => hours.awake(delivery.created_at, wall) > max_age,
            None => true,
        }
    }
}
