//! The ways out in shared memory: Discord's limits of each, which all databases of the cluster share, and counts of requests, for people.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};

use jiff::Timestamp;
use webhook::schedule::WayReport;
use webhook::way::WayId;

/// Maximum number of ways that are remembered, over all databases and settings. The one whose last use is the oldest gives way to a new one.
const MAX_WAYS: usize = 64;
/// The minutes whose refusals are kept: ten whole ones, and the present one.
const MINUTES: usize = 11;

/// All ways of the cluster.
pub struct Ways {
    known: [Shared; MAX_WAYS],
    /// A number that changes whenever Discord parks a way, or parks it for longer.
    parks: AtomicU32,
}

/// What is known of one way.
struct Shared {
    /// [`WayId`]; 0: the entry is free.
    id: AtomicU64,
    /// When the way was used last, in microseconds since 1970; 0: never.
    used_at: AtomicI64,
    /// When Discord's park ends, in microseconds since 1970; 0: there is none.
    discord_parked_until: AtomicI64,
    /// When the way is tried again, in microseconds since 1970; 0: it works.
    down_until: AtomicI64,
    requests: AtomicU64,
    unreached: AtomicU64,
    refused: AtomicU64,
    /// For each minute, its number since 1970 in the upper half, and in the lower half how many requests Discord has refused in it.
    by_minute: [AtomicU64; MINUTES],
}

/// The state of a way, with counts since the server started.
#[derive(Clone, Copy, Debug, Default)]
pub struct WayState {
    pub requests: u64,
    /// Requests that could not be connected.
    pub unreached: u64,
    /// Requests that Discord has refused.
    pub refused: u64,
    pub discord_parked_until: Option<Timestamp>,
    /// When the way is tried again by which nobody was reached lately.
    pub down_until: Option<Timestamp>,
}

impl Ways {
    pub const fn none() -> Self {
        Ways {
            known: [const { Shared::free() }; MAX_WAYS],
            parks: AtomicU32::new(0),
        }
    }

    fn known(&self, way: WayId) -> Option<&Shared> {
        self.known.iter().find(|known| known.id.load(SeqCst) == way.0)
    }

    /// Returns the way's entry, and takes one if it has none. Two ways that take the same entry at once may count for each other for a moment.
    fn place(&self, way: WayId) -> &Shared {
        if let Some(known) = self.known(way) {
            return known;
        }
        let free = |shared: &&Shared| shared.id.compare_exchange(0, way.0, SeqCst, SeqCst).is_ok();
        if let Some(free) = self.known.iter().find(free) {
            return free;
        }
        let oldest = self.known.iter().min_by_key(|shared| shared.used_at.load(SeqCst));
        let place = oldest.unwrap_or(&self.known[0]);
        place.forget();
        place.id.store(way.0, SeqCst);
        place
    }

    /// Notes that Discord parks a way. An earlier park that lasts longer stays.
    pub fn park_discord(&self, way: WayId, until: Timestamp) {
        let (place, until) = (self.place(way), until.as_microsecond());
        let before = place.discord_parked_until.fetch_max(until, SeqCst);
        place.used();
        if before < until {
            self.parks.fetch_add(1, SeqCst);
        }
    }

    /// Returns a number that changes whenever Discord parks a way.
    pub fn parks(&self) -> u32 {
        self.parks.load(SeqCst)
    }

    /// Ends Discord's parks of all ways.
    pub fn unpark_discord(&self) {
        for shared in &self.known {
            shared.discord_parked_until.store(0, SeqCst);
        }
    }

    pub fn discord_parked_until(&self, way: WayId) -> Option<Timestamp> {
        moment(&self.known(way)?.discord_parked_until)
    }

    /// Adds the counts of a process's requests by a way.
    pub fn add(&self, report: &WayReport) {
        let counts = &report.counts;
        if counts.requests + counts.reached + counts.unreached + counts.refused == 0 {
            return;
        }
        let place = self.place(report.way);
        place.used();
        place.requests.fetch_add(counts.requests, SeqCst);
        place.unreached.fetch_add(counts.unreached, SeqCst);
        place.refused.fetch_add(counts.refused, SeqCst);
        match report.down_until {
            Some(until) => place.down_until.store(until.as_microsecond(), SeqCst),
            None if counts.reached > 0 => place.down_until.store(0, SeqCst),
            None => {}
        }
        if counts.refused > 0 {
            place.refuse(counts.refused, minute(Timestamp::now()));
        }
    }

    /// Returns how many requests by this way Discord has refused in each of the last minutes, with the end of the minute, in their order. Minutes
    /// without refusals are left out.
    pub fn refused_lately(&self, way: WayId) -> Vec<(Timestamp, u32)> {
        let Some(known) = self.known(way) else {
            return Vec::new();
        };
        let now = minute(Timestamp::now());
        let mut found: Vec<(u64, u32)> = known
            .by_minute
            .iter()
            .map(|cell| parts(cell.load(SeqCst)))
            .filter(|(at, count)| *count > 0 && *at + MINUTES as u64 > now)
            .collect();
        found.sort_unstable();
        let when = |at: u64| Timestamp::from_second(i64::try_from(at * 60 + 59).ok()?).ok();
        found
            .into_iter()
            .filter_map(|(at, count)| Some((when(at)?, count)))
            .collect()
    }

    pub fn state(&self, way: WayId) -> WayState {
        self.known(way).map_or_else(WayState::default, |known| WayState {
            requests: known.requests.load(SeqCst),
            unreached: known.unreached.load(SeqCst),
            refused: known.refused.load(SeqCst),
            discord_parked_until: moment(&known.discord_parked_until),
            down_until: moment(&known.down_until),
        })
    }
}

impl Shared {
    const fn free() -> Self {
        Shared {
            id: AtomicU64::new(0),
            used_at: AtomicI64::new(0),
            discord_parked_until: AtomicI64::new(0),
            down_until: AtomicI64::new(0),
            requests: AtomicU64::new(0),
            unreached: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            by_minute: [const { AtomicU64::new(0) }; MINUTES],
        }
    }

    fn forget(&self) {
        for number in [&self.used_at, &self.discord_parked_until, &self.down_until] {
            number.store(0, SeqCst);
        }
        for number in [&self.requests, &self.unreached, &self.refused] {
            number.store(0, SeqCst);
        }
        self.by_minute.iter().for_each(|cell| cell.store(0, SeqCst));
    }

    fn used(&self) {
        self.used_at.store(Timestamp::now().as_microsecond(), SeqCst);
    }

    fn refuse(&self, count: u64, now: u64) {
        let cell = &self.by_minute[usize::try_from(now % MINUTES as u64).unwrap_or(0)];
        let _ = cell.fetch_update(SeqCst, SeqCst, |known| {
            let (at, before) = parts(known);
            let before = if at == now { u64::from(before) } else { 0 };
            Some(now << 32 | (before + count).min(u64::from(u32::MAX)))
        });
    }
}

fn minute(at: Timestamp) -> u64 {
    u64::try_from(at.as_second() / 60).unwrap_or(0)
}

fn parts(cell: u64) -> (u64, u32) {
    (
        cell >> 32,
        u32::try_from(cell & u64::from(u32::MAX)).unwrap_or(u32::MAX),
    )
}

fn moment(micros: &AtomicI64) -> Option<Timestamp> {
    let micros = Some(micros.load(SeqCst)).filter(|micros| *micros != 0);
    Timestamp::from_microsecond(micros?).ok()
}
