//! The endpoint queue: the waiting deliveries of one webhook, and what is known of its endpoint.

mod doubt;
mod gate;
mod message;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::age::Age;
use super::clock::{Clock, Tick};
use super::gates::{AVOIDS_FOR, Avoided};
use super::health::Health;
use super::in_flight::InFlight;
use super::limiter::Limiter;
use super::page::Page;
use super::pool::Pool;
use super::run_queue::{Group, Ticket};
use super::{Delivery, DeliveryId, InARow, Policy, QueueConfig};
use crate::digest::SHOWN;
pub(super) use doubt::Doubt;

/// A delivery that has failed so often goes alone, so that an event that makes the endpoint fail does not make others fail too.
const ALONE_AFTER: u32 = 2;
/// The most deliveries that one digest holds. What has gathered beyond that is the next digest.
pub(super) const MAX_DIGEST: usize = 50_000;
/// The longest wait that is believed. By then a delivery has usually expired.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Counts of a period shorter than this need not outlive the worker.
const OUTLIVES: Duration = Duration::from_secs(10);
/// How often a message that waits for more events is looked at.
const LOOKS_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct EndpointQueue {
    pub(super) config: QueueConfig,
    pub(super) life: Life,
    pub(super) state: State,
    pub(super) health: Health,
    /// The queue's first unfinished deliveries. Those in flight are the first of them.
    pub(super) rows: VecDeque<Delivery>,
    /// Whether there may be more in the table.
    pub(super) more: bool,
    /// How much they take of the room for rows in memory.
    pub(super) counted: usize,
    /// Of a digest: whether it is time to read everything that has gathered.
    gathers_all: bool,
    /// Of a digest: whether the rows are everything that had gathered when it was time.
    has_gathered: bool,
    /// Whether only the last rows have their events' data.
    pub(super) slim: bool,
    pub(super) in_flight: Option<InFlight>,
    /// How many of the first rows were refused as one message, while it is not known which of them is to blame.
    pub(super) refused: usize,
    pub(super) page: Page,
    /// Its number in the run queues, from when it has something to send, through the reading of its rows, until it is sent.
    pub(super) turn: Option<u64>,
    /// The last batch of changes that held one of this queue's.
    pub(super) changed_in: Option<u64>,
    /// The last call of `configure` that named it.
    pub(super) configured_in: u64,
    /// The ways out by which it could not be reached...
    avoided: Avoided,
    /// ...and until when it avoids them.
    avoids_until: Tick,
    /// Until when none of the other ways is open.
    ways_until: Tick,
    /// Until when it makes no request, whatever it holds and whoever wants it.
    paced_until: Tick,
    /// When the last answer came. The configured interval counts from then, and may be changed meanwhile.
    answered_at: Option<Tick>,
    /// Until when a failing endpoint has asked to be left alone.
    rests_until: Tick,
    hold: Option<Hold>,
    /// A person has made all that waits due, and it has not failed since: what rows say of their next attempts may have been written down after that, of what was
    /// judged before.
    pub(super) resumed: bool,
    pub(super) limiter: Option<Limiter>,
    /// The limiter that counts the request in flight.
    counted_in: Option<Limiter>,
    /// When its requests arrived, as far as that has to outlive this scheduler.
    pub(super) posts: VecDeque<Timestamp>,
    /// The counts that were last recorded.
    recorded: InARow,
    /// Until when its message waits for more events, or when it is looked at again...
    gathers_until: Tick,
    /// ...and since when nothing but its rate has kept the message from leaving.
    pub(super) gathers_since: Option<Tick>,
    /// Whether a single message makes the endpoint fail.
    pub(super) doubt: Doubt,
    /// Deliveries up to this one failed last for a reason that has nothing to do with them: they need not go alone.
    pub(super) blameless: Option<DeliveryId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Active,
    /// It was switched off by its answers: it is not called until a person changes something.
    Off,
    /// It is not among the active webhooks any more. It stays until nothing of it is in flight or unrecorded.
    Retired,
}

/// The state of a queue. Every queue is in exactly one, and the collection that holds it there names it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is nothing to do.
    Idle,
    /// Its changes have to be taken before its rows can be read again.
    Recording,
    /// It needs rows.
    Hungry(Ticket),
    /// It has asked for so many rows.
    Claimed(Ticket, usize),
    /// It waits until a moment.
    Waiting(Tick),
    /// It has rows that may leave.
    Ready(Ticket),
    InFlight,
}

/// When the rows of the last message that failed are due. Their rows say so too, but in wall-clock time, which may have been set back
/// since.
#[derive(Clone, Copy, Debug)]
struct Hold {
    last: DeliveryId,
    until: Tick,
}

impl EndpointQueue {
    pub(super) fn new(config: QueueConfig, clock: &Clock) -> Self {
        EndpointQueue {
            life: Life::Active,
            state: State::Idle,
            health: Health::new(&config, clock),
            rows: VecDeque::new(),
            more: true,
            counted: 0,
            gathers_all: false,
            has_gathered: false,
            slim: false,
            in_flight: None,
            refused: 0,
            page: Page::new(),
            turn: None,
            changed_in: None,
            configured_in: 0,
            avoided: Avoided::default(),
            avoids_until: Tick::DISTANT_PAST,
            ways_until: Tick::DISTANT_PAST,
            paced_until: Tick::DISTANT_PAST,
            answered_at: None,
            rests_until: Tick::DISTANT_PAST,
            hold: None,
            resumed: false,
            limiter: None,
            counted_in: None,
            posts: config.in_a_row.posts.iter().copied().collect(),
            recorded: config.in_a_row.clone(),
            gathers_until: Tick::DISTANT_PAST,
            gathers_since: None,
            doubt: Doubt::None,
            blameless: None,
            config,
        }
    }

    /// Takes on a configuration. A new revision forgets what went wrong, and brings back a queue that was switched off.
    pub(super) fn configure(&mut self, config: QueueConfig, clock: &Clock) {
        let revised = config.revision != self.config.revision;
        let returned = self.life == Life::Retired;
        self.config = config;
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
            self.gathers_until = Tick::DISTANT_PAST;
            self.gathers_since = None;
            self.doubt = Doubt::None;
            self.recorded = self.config.in_a_row.clone();
        }
    }

    /// Returns its counts, if they are not those that were recorded last.
    pub(super) fn unrecorded(&mut self) -> Option<InARow> {
        let now = InARow {
            posts: self.posts.iter().copied().collect(),
            ..self.health.in_a_row()
        };
        (now != self.recorded).then(|| {
            self.recorded = now.clone();
            now
        })
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

    pub(super) fn pause_until(&mut self, tick: Tick) {
        self.paced_until = self.paced_until.max(tick);
    }

    pub(super) fn rest_until(&mut self, tick: Tick) {
        self.rests_until = self.rests_until.max(tick);
    }

    /// Returns the ways that it avoids now.
    pub(super) fn avoided(&self, now: Tick) -> Avoided {
        match now < self.avoids_until {
            true => self.avoided,
            false => Avoided::default(),
        }
    }

    pub(super) fn avoid(&mut self, avoided: Avoided, now: Tick) {
        self.avoided = avoided;
        self.avoids_until = now.after(AVOIDS_FOR);
    }

    pub(super) fn forget_ways(&mut self) {
        self.avoids_until = Tick::DISTANT_PAST;
        self.ways_until = Tick::DISTANT_PAST;
    }

    pub(super) fn wait_for_way(&mut self, tick: Tick) {
        self.ways_until = tick;
    }

    /// Notes that an answer has come. The caps count from the answers: by then the request has certainly arrived, however long its way was.
    pub(super) fn answered(&mut self, now: Tick) {
        self.answered_at = Some(now);
    }

    /// Notes that a request has left.
    pub(super) fn left(&mut self) {
        self.ways_until = Tick::DISTANT_PAST;
        self.gathers_until = Tick::DISTANT_PAST;
        self.gathers_since = None;
        self.gathers_all = false;
        self.has_gathered = false;
        self.counted_in.clone_from(&self.limiter);
        if let Some(limiter) = &self.limiter {
            limiter.window.borrow_mut().leave();
        }
    }

    /// Notes that its request has certainly arrived.
    pub(super) fn arrived(&mut self, now: Tick, wall: Timestamp) {
        if let Some(limiter) = self.counted_in.take() {
            limiter.window.borrow_mut().arrive(now);
        }
        let Some(limiter) = &self.limiter else {
            self.posts.clear();
            return;
        };
        let rate = limiter.window.borrow().rate();
        if rate.count == 0 || rate.period < OUTLIVES {
            self.posts.clear();
            return;
        }
        self.posts.push_back(wall);
        let extra = self.posts.len().saturating_sub(rate.count as usize);
        self.posts.drain(..extra);
        let counts = |at: &Timestamp| wall.duration_since(*at).unsigned_abs() < rate.period;
        self.posts.retain(counts);
    }

    fn goes_alone(&self, delivery: &Delivery) -> bool {
        let blameless =
            self.config.digest.is_some() || self.blameless.is_some_and(|last| delivery.id <= last);
        (delivery.attempts >= ALONE_AFTER && !blameless) || self.doubt == Doubt::Suspects(delivery.id)
    }

    /// Holds the first `count` rows until `until`.
    pub(super) fn hold(&mut self, count: usize, until: Tick, wall: Timestamp) {
        let rows = self.rows.iter_mut().take(count);
        let last = rows.fold(None, |_, delivery| {
            delivery.next_attempt_at = Some(wall);
            Some(delivery.id)
        });
        self.hold = last.map(|last| Hold { last, until });
        self.resumed = false;
    }

    /// Forgets the rows that are not in flight, so that they are read again, since a person wants what waits to be sent now.
    pub(super) fn retry_now(&mut self) {
        self.rows
            .truncate(self.in_flight.map_or(0, |in_flight| in_flight.taken));
        self.more = true;
        self.forget_hold();
        self.rests_until = Tick::DISTANT_PAST;
        self.health.try_now();
    }

    pub(super) fn forget_hold(&mut self) {
        self.hold = None;
    }

    /// Forgets what it was told to wait for, since a person wants it to be tried.
    pub(super) fn resume(&mut self) {
        self.paced_until = Tick::DISTANT_PAST;
        self.resumed = true;
    }

    pub(super) fn max_age(&self, policy: &Policy) -> Duration {
        self.config.max_age.unwrap_or(policy.max_age)
    }

    /// Returns how many of the first rows may leave as one message. The first is taken to be due.
    pub(super) fn sendable(&self, clock: &Clock, policy: &Policy) -> usize {
        let limit = match self.refused {
            _ if self.asks() => 1,
            0 => self.message_size(),
            refused => (refused / 2).clamp(1, self.message_size()),
        };
        let max_age = self.max_age(policy);
        let wall = clock.wall(clock.now());
        let joins = |delivery: &Delivery| {
            !self.goes_alone(delivery)
                && (self.config.digest.is_some() || self.due(delivery, clock) <= clock.now())
                && !self.expired(delivery, max_age, wall)
        };
        match self.rows.front() {
            None => 0,
            Some(head) if self.goes_alone(head) => 1,
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

    /// Takes the first rows out that have expired; of a digest, any.
    pub(super) fn take_expired(&mut self, max_age: Duration, wall: Timestamp) -> Vec<Delivery> {
        let mut expired = Vec::new();
        if self.config.digest.is_some() {
            let rows = std::mem::take(&mut self.rows);
            for row in rows {
                match self.expired(&row, max_age, wall) {
                    true => expired.push(row),
                    false => self.rows.push_back(row),
                }
            }
            return expired;
        }
        while let Some(head) = self.rows.front()
            && self.expired(head, max_age, wall)
        {
            expired.extend(self.rows.pop_front());
        }
        expired
    }

    fn expired(&self, delivery: &Delivery, max_age: Duration, wall: Timestamp) -> bool {
        Age {
            max_age,
            quiet_hours: self.config.quiet_hours.as_ref(),
            digest: self.config.digest.as_ref(),
        }
        .is_over(delivery.created_at, wall)
    }
}
