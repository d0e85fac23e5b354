//! The state that the parts of a worker share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::active::ActiveWebhook;
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::nats::Origin;
use webhook::open_batch::OpenBatch;
use webhook::schedule::{QueueId, RequestId, Scheduler};
use webhook::way::WayId;

use super::active_webhooks::policy;
use super::back_off::BackOff;
use super::claim_cursors::ClaimCursors;
use super::counters::Uncounted;
use super::cursor::StoredCursor;
use super::housekeeping::Housekeeping;
use super::in_memory::InMemory;
use super::memory::{Buffers, Slack};
use super::milestones::Ledger;
use super::route::Router;
use super::senders::Senders;
use super::store::Store;
use super::stream_notes::StreamNotes;
use super::unrecorded::Unrecorded;
use super::wording::Wordings;
use crate::http::Http;
use crate::wake::{Registry, Slot, Work};

/// The worker of a database. Each part of it is an `impl` in a file of its own.
pub struct Worker {
    pub(super) registry: &'static Registry,
    pub(super) slot: &'static Slot,
    pub(super) store: Store,
    pub(super) scheduler: Scheduler,
    /// The number of workers in the cluster, which share what Discord allows an address.
    pub(super) workers: u32,
    /// The value of [`Registry::discord_resumed`] when this worker last let all Discord queues be tried.
    pub(super) discord_resumed: u32,
    /// The ways out that the client has.
    pub(super) ways: Vec<WayId>,
    /// How often Discord had banned ways out when that was last looked at.
    pub(super) parks: u32,
    pub(super) wordings: Wordings,
    /// The server and database that the events come from.
    pub(super) origin: Origin,
    pub(super) webhooks: HashMap<QueueId, ActiveWebhook>,
    /// Webhooks that this worker has switched off, with the reason. Deliveries that were routed before may be written afterwards.
    pub(super) switched_off: HashMap<QueueId, Arc<str>>,
    pub(super) claim_cursors: ClaimCursors,
    /// Queues without waiting deliveries in the table.
    pub(super) drained: HashSet<QueueId>,
    pub(super) in_memory: InMemory,
    pub(super) cursor: StoredCursor,
    pub(super) router: Router,
    /// Events that are routed and not written.
    pub(super) batch: OpenBatch,
    /// The average number of webhooks that heard a recent event.
    pub(super) heard_by: usize,
    pub(super) ledger: Ledger,
    /// Whether there may be events that are not routed.
    pub(super) more_events: bool,
    /// When it was last looked whether a dump's cursor has come.
    pub(super) awaited_at: Instant,
    /// Queues whose digests are due, and wait until all events are routed.
    pub(super) gathering: Vec<QueueId>,
    /// Whether deliveries wait whose events a dump has still to bring. Their coming is noticed as a change of the configuration
    /// (await_cursor).
    pub(super) events_awaited: bool,
    /// Whether deliveries of 0.2.0 may wait, which have to go first.
    pub(super) legacy_waits: bool,
    pub(super) http: Http,
    /// The number of idle connections for each host.
    pub(super) idle_connections: usize,
    pub(super) in_flight: HashMap<RequestId, (QueueId, EndpointKind, SecretUrl)>,
    pub(super) streams: StreamNotes,
    /// Senders on other machines, and the queues that are theirs.
    pub(super) senders: Senders,
    pub(super) buffers: Buffers,
    pub(super) unrecorded: Unrecorded,
    pub(super) uncounted: Uncounted,
    pub(super) housekeeping: Housekeeping,
    /// Work that could not be done, to be tried again.
    pub(super) postponed: Work,
    /// The back-off of everything: nothing is read or written while it waits.
    pub(super) back_off: BackOff,
    /// The back-off of what was refused of some webhooks alone: the rest goes on.
    pub(super) refusal: BackOff,
    /// The back-off of counters that the database refuses: the rest goes on.
    pub(super) miscount: BackOff,
    /// The extension's OID when this worker began.
    pub(super) installation: pg_sys::Oid,
    /// Whether that extension has been dropped. There may be another one.
    pub(super) uninstalled: bool,
    /// Whether the database has refused what the open batch has to write.
    pub(super) write_deferred: bool,
    pub(super) worked_at: Instant,
    /// Whether commits come faster than the pauses of the loop.
    pub(super) rushed: bool,
    pub(super) slack: Slack,
}

impl Worker {
    /// Makes a worker that has everything still to do.
    pub(super) fn new(
        registry: &'static Registry,
        slot: &'static Slot,
        store: Store,
        origin: Origin,
        http: Http,
        installation: pg_sys::Oid,
    ) -> Self {
        let seed = Timestamp::now().as_nanosecond() as u64;
        Worker {
            registry,
            slot,
            store,
            scheduler: Scheduler::new(policy(registry.workers()), seed),
            workers: registry.workers(),
            discord_resumed: registry.discord_resumed(),
            ways: Vec::new(),
            parks: 0,
            wordings: Wordings::default(),
            origin,
            webhooks: HashMap::new(),
            switched_off: HashMap::new(),
            claim_cursors: ClaimCursors::default(),
            drained: HashSet::new(),
            in_memory: InMemory::default(),
            cursor: StoredCursor::default(),
            router: Router::default(),
            batch: OpenBatch::default(),
            heard_by: 1,
            ledger: Ledger::default(),
            more_events: true,
            awaited_at: Instant::now(),
            gathering: Vec::new(),
            events_awaited: false,
            legacy_waits: true,
            http,
            idle_connections: 0,
            in_flight: HashMap::new(),
            streams: StreamNotes::default(),
            senders: Senders::new(),
            buffers: Buffers::default(),
            unrecorded: Unrecorded::default(),
            uncounted: Uncounted::default(),
            housekeeping: Housekeeping::new(),
            postponed: Work::ALL,
            back_off: BackOff::default(),
            refusal: BackOff::default(),
            miscount: BackOff::default(),
            installation,
            uninstalled: false,
            write_deferred: false,
            worked_at: Instant::now(),
            rushed: false,
            slack: Slack::default(),
        }
    }
}
