//! What is known of one webhook.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::clock::{Clock, Tick};
use super::concurrency::Standing;
use super::gates::Pool;
use super::health::Health;
use super::limiters::Limiter;
use super::prefetch::Page;
use super::run_queue::{Group, Ticket};
use super::{Delivery, DeliveryId, InARow, Policy, QueueConfig};

/// A delivery that failed so often goes alone: whichever event makes the endpoint fail does not take its neighbours
/// along.
const ALONE_AFTER: u32 = 2;
/// Deliveries that one digest holds; what has gathered beyond that is the next one.
pub(super) const MAX_DIGEST: usize = 2_000;
/// No wait is believed to be longer. By then a delivery has usually expired.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What is counted in a shorter time need not outlive the worker.
const OUTLIVES: Duration = Duration::from_secs(10);
/// How often a message that waits for more events is looked at.
const LOOKS_AGAIN: Duration = Duration::from_secs(1);

/// Nothing lives longer, however much of it was quiet: nobody counts the nights of many years.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

#[derive(Debug)]
pub(super) struct EndpointQueue {
    pub(super) config: QueueConfig,
    pub(super) life: Life,
    pub(super) state: State,
    pub(super) health: Health,
    /// The queue's first unfinished rows; those in flight are the first of them.
    pub(super) rows: VecDeque<Delivery>,
    /// There may be rows beyond these.
    pub(super) more: bool,
    pub(super) in_flight: Option<InFlight>,
    /// So many of the first rows were refused as one message, and it is not known which of them is to blame.
    pub(super) refused: usize,
    pub(super) page: Page,
    /// Its number in the queues, from when it has something to send, through the reading of its rows, until it is sent.
    pub(super) turn: Option<u64>,
    /// Which batch of changes last held one of this queue's.
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
    pub(super) limiter: Option<Limiter>,
    /// Where the request that is out counts.
    counted_in: Option<Limiter>,
    /// When its requests arrived, as far as that has to outlive this scheduler.
    pub(super) posts: VecDeque<Timestamp>,
    /// What is recorded of it.
    recorded: InARow,
    /// Its message waits for more events until then, or is looked at again.
    gathers_until: Tick,
    /// Whether a single message makes the endpoint fail.
    pub(super) doubt: Doubt,
    /// Up to this one, rows failed last of what has nothing to do with them: they need not go alone.
    pub(super) blameless: Option<DeliveryId>,
}

/// Whether it is the first message that makes the endpoint fail, or the endpoint fails anyhow. When the first one has
/// failed often enough, the one behind it is tried once; if that is taken, and the first one fails again, it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    /// The next request holds the second row in place of the first, and leaves at once.
    Asks(DeliveryId),
    /// After so many attempts of this row, the endpoint did not take the one behind it either.
    Answered(DeliveryId, u32),
    /// The endpoint took the row behind this one, which failed so often.
    Suspects(DeliveryId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Active,
    /// Switched off by its answers: not called until a person changes something.
    Off,
    /// Not among the active webhooks any more; here until nothing of it is in flight or unrecorded.
    Retired,
}

/// Every queue is in exactly one place, and what holds it there names it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
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
pub(super) struct InFlight {
    pub(super) taken: usize,
    pub(super) left: Tick,
    /// Of the queue when its turn came.
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

impl EndpointQueue {
    pub(super) fn new(config: QueueConfig, clock: &Clock) -> Self {
        EndpointQueue {
            life: Life::Active,
            state: State::Idle,
            health: Health::new(&config, clock),
            rows: VecDeque::new(),
            more: true,
            in_flight: None,
            refused: 0,
            page: Page::new(),
            turn: None,
            changed_in: None,
            configured_in: 0,
            paced_until: Tick::DISTANT_PAST,
            answered_at: None,
            rests_until: Tick::DISTANT_PAST,
            hold: None,
            limiter: None,
            counted_in: None,
            posts: config.in_a_row.posts.iter().copied().collect(),
            recorded: config.in_a_row.clone(),
            gathers_until: Tick::DISTANT_PAST,
            doubt: Doubt::None,
            blameless: None,
            config,
        }
    }

    /// Takes on a configuration; a new revision forgets what went wrong, and brings a queue back that was switched off.
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
            self.doubt = Doubt::None;
            self.recorded = self.config.in_a_row.clone();
        }
    }

    /// What is counted of it, if that is not what was recorded last.
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

    /// The most that a message may hold. A digest is one message however the endpoint does.
    pub(super) fn message_size(&self) -> usize {
        if self.config.digest.is_some() {
            MAX_DIGEST
        } else if self.health.is_open() {
            1
        } else {
            self.config.max_events_per_message.max(1)
        }
    }

    /// No request before this.
    pub(super) fn gate(&self, clock: &Clock) -> Tick {
        let head = self.rows.front().map_or(Tick::DISTANT_PAST, |head| {
            self.due(head, clock).max(self.gathered_at(head, clock))
        });
        let asked = self
            .pace(clock)
            .max(self.rests_until)
            .max(self.quiet_until(clock));
        if self.asks() {
            return asked;
        }
        let gathers = if self.rows.len() < self.message_size() {
            self.gathers_until
        } else {
            Tick::DISTANT_PAST
        };
        asked.max(self.health.next_try()).max(head).max(gathers)
    }

    /// When the digest leaves that begins with this delivery. The rest of one that was refused need not wait for the next.
    fn gathered_at(&self, head: &Delivery, clock: &Clock) -> Tick {
        match &self.config.digest {
            Some(digest) if self.refused == 0 => clock.tick(digest.due(head.created_at)),
            _ => Tick::DISTANT_PAST,
        }
    }

    fn quiet_until(&self, clock: &Clock) -> Tick {
        let hours = self.config.quiet_hours.as_ref();
        let end = hours.and_then(|hours| hours.end(clock.wall(clock.now())));
        end.map_or(Tick::DISTANT_PAST, |end| clock.tick(end))
    }

    fn pace(&self, clock: &Clock) -> Tick {
        let window = self.limiter.as_ref().map(|limiter| limiter.window.borrow());
        let cap = window.map(|window| window.opens_at_or_after(clock.now()));
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
    }

    /// A request has left.
    pub(super) fn left(&mut self) {
        self.gathers_until = Tick::DISTANT_PAST;
        self.counted_in.clone_from(&self.limiter);
        if let Some(limiter) = &self.limiter {
            limiter.window.borrow_mut().leave();
        }
    }

    /// Its request has certainly arrived.
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

    /// A message that is not full waits until that moment for what else may come; None: it leaves.
    pub(super) fn gathers(&mut self, now: Tick) -> Option<Tick> {
        let full = self.rows.len() >= self.message_size();
        let alone = self.rows.front().is_some_and(|head| self.goes_alone(head));
        if full || alone || self.refused > 0 || self.asks() || self.config.digest.is_some() {
            return None;
        }
        let until = self.limiter.as_ref()?.window.borrow().gathers_until(now);
        (until > now).then(|| {
            // What comes meanwhile may fill it up.
            self.gathers_until = until.min(now.after(LOOKS_AGAIN));
            until
        })
    }

    /// Puts the second row in front, if it may leave.
    pub(super) fn swap_first(&mut self, max_age: Duration, wall: Timestamp) -> bool {
        let fit = self
            .rows
            .get(1)
            .is_some_and(|row| !self.expired(row, max_age, wall));
        if fit {
            self.rows.swap(0, 1);
        }
        fit
    }

    /// After the answer about the second row: if it was not taken, the first is the first again.
    pub(super) fn answered_about_second(&mut self) {
        let Doubt::Asks(id) = self.doubt else { return };
        if self.rows.get(1).is_some_and(|second| second.id == id) {
            self.rows.swap(0, 1);
        }
        let head = self.rows.front().filter(|head| head.id == id);
        self.doubt = head.map_or(Doubt::None, |head| Doubt::Answered(id, head.attempts));
    }

    /// Whether the second row leaves in place of the first.
    pub(super) fn asks(&self) -> bool {
        match self.doubt {
            Doubt::Asks(id) => self.rows.front().is_some_and(|front| front.id != id),
            _ => false,
        }
    }

    fn goes_alone(&self, delivery: &Delivery) -> bool {
        let blameless =
            self.config.digest.is_some() || self.blameless.is_some_and(|last| delivery.id <= last);
        (delivery.attempts >= ALONE_AFTER && !blameless) || self.doubt == Doubt::Suspects(delivery.id)
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
            _ if self.asks() => 1,
            0 => self.message_size(),
            refused => (refused / 2).clamp(1, self.message_size()),
        };
        let max_age = self.max_age(policy);
        let wall = clock.wall(clock.now());
        let joins = |delivery: &Delivery| {
            !self.goes_alone(delivery)
                && self.due(delivery, clock) <= clock.now()
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
        // What is gathered grows no older.
        let since = match &self.config.digest {
            Some(digest) => digest.due(delivery.created_at).min(wall),
            None => delivery.created_at,
        };
        match &self.config.quiet_hours {
            Some(hours) => hours.awake(since, wall) > max_age,
            None => wall.duration_since(since) > max_age,
        }
    }
}
