//! Ways out in shared memory: what Discord allows each is the cluster's, and what left by each is counted for people.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};

use jiff::Timestamp;
use webhook::schedule::WayReport;
use webhook::way::WayId;

/// Ways of which something is remembered, over all databases and settings; the one that was used last long ago goes.
const KNOWN: usize = 64;
/// Refusals count for ten minutes, of which the first may have begun before.
const MINUTES: usize = 11;

pub struct Ways {
    known: [Shared; KNOWN],
    /// Changes whenever Discord has banned one of them, or has for longer.
    parks: AtomicU32,
}

/// What is known of a way.
struct Shared {
    /// [`WayId`]; 0: nobody's.
    id: AtomicU64,
    /// All in microseconds since 1970; 0: it is not so.
    used_at: AtomicI64,
    discord_parked_until: AtomicI64,
    down_until: AtomicI64,
    requests: AtomicU64,
    unreached: AtomicU64,
    refused: AtomicU64,
    /// The number of a minute since 1970, and below it how often Discord has refused requests in it.
    by_minute: [AtomicU64; MINUTES],
}

/// What has become of requests by a way since the server started.
#[derive(Clone, Copy, Debug, Default)]
pub struct WayState {
    pub requests: u64,
    pub unreached: u64,
    pub refused: u64,
    pub discord_parked_until: Option<Timestamp>,
    /// Nobody was reached by it lately, and it is tried again then.
    pub down_until: Option<Timestamp>,
}

impl Ways {
    pub const fn none() -> Self {
        Ways {
            known: [const { Shared::free() }; KNOWN],
            parks: AtomicU32::new(0),
        }
    }

    fn known(&self, way: WayId) -> Option<&Shared> {
        self.known.iter().find(|known| known.id.load(SeqCst) == way.0)
    }

    /// Its place, taken when it has none. Two that take the same place at once may count for each other for a moment.
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

    pub fn park_discord(&self, way: WayId, until: Timestamp) {
        let (place, until) = (self.place(way), until.as_microsecond());
        let before = place.discord_parked_until.fetch_max(until, SeqCst);
        place.used();
        if before < until {
            self.parks.fetch_add(1, SeqCst);
        }
    }

    /// Changes whenever Discord has banned one of them.
    pub fn parks(&self) -> u32 {
        self.parks.load(SeqCst)
    }

    pub fn unpark_discord(&self) {
        for shared in &self.known {
            shared.discord_parked_until.store(0, SeqCst);
        }
    }

    pub fn discord_parked_until(&self, way: WayId) -> Option<Timestamp> {
        moment(&self.known(way)?.discord_parked_until)
    }

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

    /// How often Discord has refused requests by this way in each of the last minutes, in their order.
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
