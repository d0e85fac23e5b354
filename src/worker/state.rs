//! What the parts of a worker share.

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
    /// Workers of the cluster, which share what Discord allows an address.
    pub(super) workers: u32,
    /// What [`Registry::discord_resumed`] was when this worker last let all of Discord be tried.
    pub(super) discord_resumed: u32,
    /// Ways out, as the client has them.
    pub(super) ways: Vec<WayId>,
    /// How often Discord had banned ways out when that was last looked at.
    pub(super) parks: u32,
    pub(super) wordings: Wordings,
    /// Where the events come from.
    pub(super) origin: Origin,
    pub(super) webhooks: HashMap<QueueId, ActiveWebhook>,
    /// What this worker has switched off, and why. What was routed before may be written after.
    pub(super) switched_off: HashMap<QueueId, Arc<str>>,
    pub(super) claim_cursors: ClaimCursors,
    /// Queues of which nothing waits in the table.
    pub(super) drained: HashSet<QueueId>,
    pub(super) in_memory: InMemory,
    pub(super) cursor: StoredCursor,
    pub(super) router: Router,
    /// Routed, and not written down.
    pub(super) batch: OpenBatch,
    /// Webhooks that heard an event lately, on average.
    pub(super) heard_by: usize,
    pub(super) ledger: Ledger,
    /// There may be events that are not routed.
    pub(super) more_events: bool,
    /// When it was last looked whether a dump's cursor has come.
    pub(super) awaited_at: Instant,
    /// Queues whose digests are due and wait until everything is routed.
    pub(super) gathering: Vec<QueueId>,
    /// Deliveries wait whose events a dump has still to bring, which is told as a change of the configuration (await_cursor).
    pub(super) events_awaited: bool,
    /// Deliveries of 0.2.0 may wait that have to go first.
    pub(super) legacy_waits: bool,
    pub(super) http: Http,
    /// Kept for each host.
    pub(super) idle_connections: usize,
    pub(super) in_flight: HashMap<RequestId, (QueueId, EndpointKind, SecretUrl)>,
    pub(super) streams: StreamNotes,
    /// Those on other machines, and what is theirs.
    pub(super) senders: Senders,
    pub(super) buffers: Buffers,
    pub(super) unrecorded: Unrecorded,
    pub(super) uncounted: Uncounted,
    pub(super) housekeeping: Housekeeping,
    /// Work that could not be done, to be tried again.
    pub(super) postponed: Work,
    /// Nothing is read and written meanwhile.
    pub(super) back_off: BackOff,
    /// What was refused is of some webhooks alone: the rest goes on.
    pub(super) refusal: BackOff,
    /// The database does not take the counters: the rest goes on.
    pub(super) miscount: BackOff,
    /// The extension's OID when this worker began.
    pub(super) installation: pg_sys::Oid,
    /// It was dropped since; another may be there.
    pub(super) uninstalled: bool,
    /// The database did not take what the open batch has to write.
    pub(super) write_deferred: bool,
    pub(super) worked_at: Instant,
    /// Commits come faster than naps last.
    pub(super) rushed: bool,
    pub(super) slack: Slack,
}

impl Worker {
    /// A worker that has everything still to do.
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
