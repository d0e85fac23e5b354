//! The loop of a sender.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use webhook::active::{ActiveWebhook, Composer, config};
use webhook::client::{Client, ClientConfig};
use webhook::definition::Catalogue;
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::event::Event;
use webhook::json_members::merged;
use webhook::nats::Origin;
use webhook::outcome::{Answer, TransportError, judge, judge_absence};
use webhook::ownership::Ownership;
use webhook::schedule::{
    Claim, Delivery, DeliveryChange, DeliveryId, Outcome, Policy, QueueChange, QueueId, RequestId, Scheduler,
};
use webhook::way::{Way, WayId};

use super::clock::{self, DatabaseClock};
use super::configuration::{Configuration, Settings};
use super::report::Pending;
use super::session::{Claims, Look, Session};
use crate::cli::explain;
use crate::database::Parameters;

/// Bytes of events' data that one claim brings into memory; a queue gets one row whatever there is.
const MAX_BYTES: usize = 32 << 20;
/// Counters are added to no more often.
const COUNTS: Duration = Duration::from_secs(1);
/// How often what somebody has written by hand is looked for.
const SWEEPS: Duration = Duration::from_secs(60);
/// Who is turned away by Discord on all its ways out for longer gives its queues of Discord to others.
const BANNED: Duration = Duration::from_secs(5);
/// How soon a session is tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How soon outcomes that the database has refused are reported again.
const REPORTS_AGAIN: Duration = Duration::from_secs(5);
/// How long outcomes may be reported apart before something is sent again.
const APART: Duration = Duration::from_secs(1);
/// How soon a digest is read again of which something may not be routed yet, and for how long at most.
const GATHERS: Duration = Duration::from_millis(250);
const GATHERED: Duration = Duration::from_secs(30);
/// What settings are now is asked no more often, whoever says that they are new.
const SETTINGS: Duration = Duration::from_secs(1);
/// How long answers in flight are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// How it sends.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it runs, for people.
    pub name: String,
    /// How long the database waits for a word of it.
    pub patience: Duration,
    /// What is this machine's to know: the ways out, the authorities.
    pub of_machine: ClientConfig,
    /// How many databases these ways out send for.
    pub sharing: u32,
}

type Answered = (RequestId, Result<Answer, TransportError>);

/// What is to be asked of the database.
#[derive(Default)]
struct Wanted {
    look: bool,
    settings: bool,
    webhooks: bool,
}

/// A sender for one database.
pub struct Sender {
    parameters: Parameters,
    options: Options,
    session: Option<Session>,
    clock: DatabaseClock,
    ownership: Ownership,
    scheduler: Scheduler,
    settings: Option<Settings>,
    /// As the database said them.
    settings_said: Value,
    settings_at: Duration,
    webhooks: HashMap<QueueId, ActiveWebhook>,
    catalogue: Catalogue,
    client: Option<Client>,
    in_flight: HashMap<RequestId, (QueueId, EndpointKind, SecretUrl)>,
    say: UnboundedSender<Answered>,
    answers: UnboundedReceiver<Answered>,
    pending: Pending,
    /// No delivery of a queue waits below; see the worker's.
    cursors: HashMap<QueueId, i64>,
    /// They are read again when what holds them up is over.
    held_back: HashSet<QueueId>,
    /// Digests that are read again, and since when: by the database's clock, and by this machine's.
    gathering: HashMap<QueueId, (Timestamp, Duration)>,
    gathers_at: Duration,
    /// Until when Discord takes nothing by any way out.
    banned_until: Option<Timestamp>,
    wanted: Wanted,
    counted_at: Duration,
    swept_at: Duration,
    /// Queues whose outcomes the database has refused, and when each is reported again, apart from the others.
    apart: BTreeMap<QueueId, Duration>,
    begins_at: Duration,
    began_at: Duration,
    pause: Duration,
    said: String,
}

impl Sender {
    pub fn new(parameters: Parameters, options: Options) -> Self {
        let (say, answers) = unbounded_channel();
        let mut scheduler = Scheduler::new(Policy::default(), Timestamp::now().as_nanosecond() as u64);
        let ways: Vec<WayId> = options.of_machine.ways.iter().map(Way::id).collect();
        scheduler.set_ways(&ways);
        Sender {
            ownership: Ownership::new(options.patience),
            scheduler,
            parameters,
            options,
            clock: DatabaseClock::of_this_machine(),
            session: None,
            settings: None,
            settings_said: Value::Null,
            settings_at: Duration::ZERO,
            webhooks: HashMap::new(),
            catalogue: Catalogue::builtin(),
            client: None,
            in_flight: HashMap::new(),
            say,
            answers,
            pending: Pending::default(),
            cursors: HashMap::new(),
            held_back: HashSet::new(),
            gathering: HashMap::new(),
            gathers_at: Duration::ZERO,
            banned_until: None,
            wanted: Wanted::default(),
            counted_at: Duration::ZERO,
            swept_at: clock::now(),
            apart: BTreeMap::new(),
            begins_at: Duration::ZERO,
            began_at: Duration::ZERO,
            pause: FIRST_PAUSE,
            said: String::new(),
        }
    }

    /// Sends until it is to stop, and then waits for what is in flight.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut until: Option<Duration> = None;
        loop {
            self.hear();
            if *stop.borrow_and_update() && until.is_none() {
                self.scheduler.drain();
                until = Some(clock::now() + FAREWELL);
            }
            if self.session.is_none() && self.begins_at <= clock::now() {
                match self.begin().await {
                    Ok(()) => tracing::info!("{}: sending", self.database()),
                    Err(error) => self.lose(&error),
                }
            }
            if self.session.is_some()
                && let Err(error) = self.turn().await
            {
                self.lose(&error);
            }
            if let Some(until) = until {
                let is_done =
                    self.in_flight.is_empty() && (self.pending.is_empty() || self.session.is_none());
                if is_done || until <= clock::now() {
                    return self.end().await;
                }
            }
            self.wait(&mut stop, until).await;
        }
    }

    fn database(&self) -> &str {
        self.parameters.database()
    }

    async fn begin(&mut self) -> Result<()> {
        let sent = clock::now();
        let begin = Session::begin(&self.parameters, &self.options.name, self.options.patience);
        let begun = timeout(LONGEST_PAUSE, begin).await;
        let (session, settings) = begun.context("the database does not answer")??;
        self.clock = DatabaseClock::said(session.began);
        self.session = Some(session);
        self.began_at = sent;
        self.ownership.begin(sent);
        self.use_settings(settings)?;
        self.wanted = Wanted {
            look: true,
            ..Wanted::default()
        };
        Ok(())
    }

    fn use_settings(&mut self, said: Value) -> Result<()> {
        self.settings_at = clock::now() + SETTINGS;
        self.wanted.webhooks = true;
        // Another client would have to connect anew.
        if self.settings.is_some() && self.settings_said == said {
            return Ok(());
        }
        let settings = Settings::read(&said)?;
        self.client = Some(Client::new(&settings.client(&self.options.of_machine))?);
        self.scheduler.set_policy(settings.policy(self.options.sharing));
        self.settings = Some(settings);
        self.settings_said = said;
        Ok(())
    }

    /// The session is over, or will be.
    fn lose(&mut self, error: &anyhow::Error) {
        let reason = format!("{error:#}");
        if self.said != reason {
            tracing::warn!("{}: {reason}", self.database());
            self.said = reason;
        }
        self.session = None;
        self.ownership.lose();
        self.cursors.clear();
        self.held_back.clear();
        self.gathering.clear();
        // What is in flight is waited for, and reported.
        self.scheduler.configure(Vec::new(), self.clock.now());
        self.begins_at = clock::now() + self.pause;
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
    }

    async fn end(mut self) {
        if let Some(session) = self.session.take()
            && let Ok(Err(error)) = timeout(self.options.patience, session.end()).await
        {
            tracing::debug!("{}: {:#}", self.database(), explain(error));
        }
        tracing::info!("{}: ended", self.database());
    }

    /// Waits for the database's answer to `call`, which makes known that both are there.
    async fn call<'a, T>(
        &'a mut self,
        call: impl AsyncFnOnce(&'a Session) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Result<T, tokio_postgres::Error>> {
        let (sent, patience) = (clock::now(), self.options.patience);
        let session = self.session.as_ref().context("there is no session")?;
        let answered = timeout(patience, call(session)).await;
        let answered = answered.context("the database does not answer")?;
        if answered.is_ok() {
            self.ownership.hear(sent);
        } else if session.is_over() {
            return Err(anyhow!("the connection to the database is lost"));
        }
        Ok(answered)
    }

    fn hear(&mut self) {
        while let Ok(answered) = self.answers.try_recv() {
            self.judge(answered);
        }
        self.collect();
    }

    fn judge(&mut self, (id, result): Answered) {
        if let Some((_, kind, url)) = self.in_flight.remove(&id) {
            let judgement = judge(kind, &url, result.as_ref());
            self.scheduler.judged(id, &judgement, self.clock.now());
        }
    }

    fn collect(&mut self) {
        let (mut changes, tally) = (self.scheduler.take_changes(), self.scheduler.take_tally());
        let now = self.clock.now();
        for until in changes.discord_parked.values() {
            released(*until, now, &mut changes.deliveries);
        }
        let is_news = |until: Timestamp| {
            let later = |known| until.duration_since(known).as_secs_f64() > 1.0;
            is_long(until, now) && self.banned_until.is_none_or(later)
        };
        if let Some(until) = self
            .scheduler
            .discord_parked_until()
            .filter(|until| is_news(*until))
        {
            self.banned_until = Some(until);
            self.wanted.look = true;
        }
        for change in &changes.queues {
            if let QueueChange::SwitchedOff { queue, reason, .. } = change {
                tracing::warn!(
                    "{}: webhook {} is switched off: {reason}",
                    self.database(),
                    queue.0
                );
            }
        }
        self.pending.add(changes, tally, &self.webhooks);
    }

    async fn turn(&mut self) -> Result<()> {
        if self.session.as_ref().is_none_or(Session::is_over) {
            return Err(anyhow!("the connection to the database is lost"));
        }
        self.record().await?;
        self.give_up().await?;
        if self.wanted.look || self.ownership.quiet_for(clock::now()) == Some(Duration::ZERO) {
            self.look().await?;
        }
        if self.wanted.settings && self.settings_at <= clock::now() {
            self.wanted.settings = false;
            let session = self.session.as_ref().context("there is no session")?;
            let read = timeout(self.options.patience, session.settings()).await;
            let read = read.context("the database does not answer")??;
            self.use_settings(read)?;
        }
        if std::mem::take(&mut self.wanted.webhooks) {
            self.read_webhooks().await?;
        }
        if self.swept_at + SWEEPS <= clock::now() {
            self.swept_at = clock::now();
            self.cursors.clear();
            self.scheduler.notice(std::mem::take(&mut self.held_back));
        }
        if !self.gathering.is_empty() && self.gathers_at <= clock::now() {
            self.gathers_at = clock::now() + GATHERS;
            self.scheduler.notice(self.gathering.keys().copied());
        }
        self.claim().await?;
        self.dispatch();
        // A session that has lasted is no attempt any more.
        if self.began_at + LONGEST_PAUSE <= clock::now() {
            (self.pause, self.said) = (FIRST_PAUSE, String::new());
        }
        Ok(())
    }

    /// Reports what has come about. What the database refuses of one queue holds up no other.
    async fn record(&mut self) -> Result<()> {
        let now = clock::now();
        let mut queues: BTreeMap<QueueId, i64> = BTreeMap::new();
        for queue in self.pending.queues() {
            match self.ownership.epoch(queue) {
                Some(epoch) => drop(queues.insert(queue, epoch)),
                None => self.pending.forget(queue),
            }
        }
        self.apart.retain(|queue, _| queues.contains_key(queue));
        let mut alone: Vec<(Duration, QueueId)> =
            self.apart.iter().map(|(queue, at)| (*at, *queue)).collect();
        alone.retain(|(at, _)| *at <= now);
        let together: BTreeMap<QueueId, i64> = queues
            .iter()
            .filter(|(queue, _)| !self.apart.contains_key(queue))
            .map(|(queue, epoch)| (*queue, *epoch))
            .collect();
        let counts = self.counted_at + COUNTS <= now && self.pending.counts();
        if (!together.is_empty() || counts) && !self.report(&together, counts).await? {
            if counts {
                self.counted_at = now + REPORTS_AGAIN;
            }
            alone.extend(together.keys().map(|queue| (now, *queue)));
        }
        alone.sort_unstable();
        let late = clock::now() + APART;
        for (_, queue) in alone {
            let Some(epoch) = queues.get(&queue) else { continue };
            let again = if clock::now() > late {
                // What is left has to wait for what can be sent meanwhile.
                now
            } else if self.report(&BTreeMap::from([(queue, *epoch)]), false).await? {
                continue;
            } else {
                clock::now() + REPORTS_AGAIN
            };
            self.apart.insert(queue, again);
        }
        Ok(())
    }

    /// Whether the database has taken the report.
    async fn report(&mut self, queues: &BTreeMap<QueueId, i64>, counts: bool) -> Result<bool> {
        let settings = self.settings.as_ref();
        let log_payloads = settings.is_none_or(|settings| settings.log_payloads);
        let report = self.pending.report(queues, counts, log_payloads);
        match self.call(async |session| session.record(&report).await).await? {
            Ok(refused) => self.recorded(queues, &refused, counts),
            Err(error) => {
                tracing::warn!(
                    "{}: the database does not take what became of deliveries: {:#}",
                    self.database(),
                    explain(error)
                );
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn recorded(&mut self, queues: &BTreeMap<QueueId, i64>, refused: &[i64], counts: bool) {
        for queue in refused {
            tracing::warn!(
                "{}: webhook {queue} is another sender's by now: what became of its deliveries here is not recorded",
                self.database()
            );
            self.ownership.refused(QueueId(*queue));
            self.gathering.remove(&QueueId(*queue));
            self.wanted.webhooks = true;
        }
        for queue in queues.keys() {
            self.pending.forget(*queue);
            self.apart.remove(queue);
            if self.held_back.remove(queue) {
                self.scheduler.notice([*queue]);
            }
        }
        if counts {
            self.pending.counted();
            self.counted_at = clock::now();
        }
    }

    /// Gives up the queues that others are to have, as soon as nothing of them is in flight.
    async fn give_up(&mut self) -> Result<()> {
        let busy: HashSet<QueueId> = self.in_flight.values().map(|(queue, ..)| *queue).collect();
        let before = self.ownership.busy().count();
        let pending = &self.pending;
        let quiet = self
            .ownership
            .settle(|queue| !busy.contains(&queue) && !pending.has(queue));
        self.wanted.look |= self.ownership.busy().count() < before;
        if quiet.is_empty() {
            return Ok(());
        }
        // What was counted of them is taken as long as they are for senders.
        if self.pending.counts() {
            self.counted_at = Duration::ZERO;
            self.record().await?;
        }
        let ids: Vec<i64> = quiet.iter().map(|queue| queue.0).collect();
        self.call(async |session| session.release(&ids).await)
            .await?
            .map_err(explain)?;
        self.ownership.released(&quiet);
        Ok(())
    }

    async fn look(&mut self) -> Result<()> {
        self.wanted.look = false;
        let busy: Vec<i64> = self.ownership.busy().map(|queue| queue.0).collect();
        self.banned_until = self.banned_until.filter(|until| *until > self.clock.now());
        let banned_until = self.banned_until;
        let Look { taken, let_go, asked } = self
            .call(async |session| session.look(&busy, banned_until).await)
            .await?
            .map_err(explain)?;
        self.wanted.webhooks |=
            !taken.is_empty() || let_go.iter().any(|queue| self.ownership.posts(QueueId(*queue)));
        for (queue, epoch) in taken {
            self.ownership.take(QueueId(queue), epoch);
            self.cursors.remove(&QueueId(queue));
        }
        for queue in let_go {
            self.ownership.let_go(QueueId(queue));
            self.gathering.remove(&QueueId(queue));
        }
        for (queue, what) in asked {
            let queue = QueueId(queue);
            self.cursors.remove(&queue);
            if what == "resume" {
                if self.scheduler.resume([queue]) {
                    self.banned_until = None;
                }
            } else {
                self.scheduler.retry_now([queue]);
            }
        }
        Ok(())
    }

    async fn read_webhooks(&mut self) -> Result<()> {
        let said = self
            .call(async |session| session.webhooks().await)
            .await?
            .map_err(explain)?;
        let read = Configuration::read(said)?;
        let settings = self.settings.as_ref().context("the settings are not known")?;
        let wordings = read
            .wordings
            .iter()
            .map(|(webhook, json)| (*webhook, json.as_str()));
        let (catalogue, wrong) = Catalogue::stored(wordings, settings.link_base.as_deref());
        for error in wrong {
            tracing::warn!(
                "{}: a definition is not used: {error}",
                self.parameters.database()
            );
        }
        self.catalogue = catalogue;
        let active = |webhook| ActiveWebhook::of(webhook, &settings.urls, &settings.of_all);
        self.webhooks = read
            .webhooks
            .iter()
            .map(|webhook| (webhook.id, active(webhook)))
            .collect();
        let configs = read
            .webhooks
            .iter()
            .filter(|webhook| settings.sending && self.ownership.posts(webhook.id))
            .map(|webhook| config(webhook, &self.webhooks[&webhook.id]))
            .collect();
        self.scheduler.configure(configs, self.clock.now());
        Ok(())
    }

    async fn claim(&mut self) -> Result<()> {
        let (held_back, claims): (Vec<Claim>, Vec<Claim>) = self
            .scheduler
            .claims(self.clock.now())
            .into_iter()
            .partition(|claim| self.pending.has(claim.queue) || !self.ownership.posts(claim.queue));
        for claim in held_back {
            self.scheduler.supply(claim.queue, Vec::new(), self.clock.now());
            self.held_back.insert(claim.queue);
        }
        if claims.is_empty() {
            return Ok(());
        }
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let cursor = |queue| self.cursors.get(&queue).copied().unwrap_or(i64::MIN);
        let wanted = Claims {
            queues: claims.iter().map(|claim| claim.queue.0).collect(),
            pages: claims.iter().map(|claim| number(claim.limit)).collect(),
            cursors: claims.iter().map(|claim| cursor(claim.queue)).collect(),
            shown: claims
                .iter()
                .map(|claim| number(claim.shown.unwrap_or(claim.limit)))
                .collect(),
        };
        let sent = clock::now();
        let rows = self
            .call(async |session| session.claim(&wanted).await)
            .await?
            .map_err(explain)?;
        if let Some(said) = rows.first().and_then(|row| row.try_get(12).ok()) {
            self.clock.hear(said, sent);
        }
        let mut found: HashMap<QueueId, Vec<Delivery>> = HashMap::new();
        let (mut left, mut cut) = (MAX_BYTES, Vec::new());
        let gathering: HashMap<QueueId, _> = claims
            .iter()
            .filter_map(|claim| self.gathering.remove_entry(&claim.queue))
            .collect();
        for row in &rows {
            let queue = QueueId(row.get(1));
            let has_event: bool = row.get(9);
            if let Some(since) = gathers(row, gathering.get(&queue)) {
                self.gathering.insert(queue, since);
                continue;
            }
            if !has_event {
                // A dump has still to bring it.
                self.held_back.insert(queue);
                continue;
            }
            let page = found.entry(queue).or_default();
            if left == 0 && !page.is_empty() {
                cut.push(queue);
                continue;
            }
            let delivery = delivery(row);
            left = left.saturating_sub(delivery.event.data.len());
            page.push(delivery);
        }
        let now = self.clock.now();
        for claim in claims {
            let page = found.remove(&claim.queue).unwrap_or_default();
            if let Some(first) = page.first() {
                self.cursors.insert(claim.queue, first.id.0);
            }
            self.scheduler.supply(claim.queue, page, now);
        }
        self.scheduler.notice(cut);
        Ok(())
    }

    fn dispatch(&mut self) {
        if !self.ownership.may_post(clock::now()) {
            return;
        }
        let Some(client) = &self.client else { return };
        let origin = Origin {
            system_identifier: 0,
            database: "".into(),
        };
        let mut composer = Composer {
            webhooks: &self.webhooks,
            catalogue: &self.catalogue,
            // Of streams, which are the worker's.
            origin: &origin,
            buffers: &mut Vec::new,
        };
        for request in self.scheduler.poll(self.clock.now(), &mut composer) {
            let webhook = self.webhooks.get(&request.queue);
            let (webhook, endpoint) = match webhook.map(|webhook| (webhook, &webhook.endpoint)) {
                Some((webhook, Ok(endpoint))) if request.publication.is_none() => (webhook, endpoint),
                Some((_, endpoint)) => {
                    let reason = endpoint.as_ref().err().cloned();
                    let reason = reason
                        .unwrap_or_else(|| "only the database's worker publishes to streams".to_owned());
                    let refused = judge_absence(&TransportError::Forbidden(reason));
                    self.scheduler.judged(request.id, &refused, self.clock.now());
                    continue;
                }
                None => continue,
            };
            let headers = webhook.headers(&request);
            let (kind, url) = (
                endpoint.kind(),
                endpoint.request_url(request.message_id.as_deref(), webhook.threads()),
            );
            let sent = (request.queue, kind, endpoint.post_url().clone());
            self.in_flight.insert(request.id, sent);
            let (client, say, way) = (client.clone(), self.say.clone(), request.way);
            tokio::spawn(async move {
                let body = request.body.into();
                let result = client.post_by(way, kind, &url, &headers, body).await;
                // Nobody listens any more when the process ends.
                let _ = say.send((request.id, result));
            });
        }
    }

    /// Until something is to be done.
    async fn wait(&mut self, stop: &mut watch::Receiver<bool>, until: Option<Duration>) {
        if self.scheduler.has_changes() || self.session.is_some() && self.wanted.is_anything() {
            return;
        }
        let now = clock::now();
        let in_session = |wait: Option<Duration>| wait.filter(|_| self.session.is_some());
        let wall =
            |at: Timestamp| Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default();
        let counts = self.pending.counts().then(|| self.counted_at + COUNTS);
        let report = self.apart.values().copied().chain(counts).min();
        let report = report.map(|at| at.saturating_sub(now));
        let waits = [
            in_session(self.scheduler.next_wake().map(wall)),
            in_session(self.ownership.quiet_for(now)),
            in_session(report),
            in_session(self.wanted.settings.then(|| self.settings_at.saturating_sub(now))),
            in_session((!self.gathering.is_empty()).then(|| self.gathers_at.saturating_sub(now))),
            in_session((!self.held_back.is_empty()).then(|| (self.swept_at + SWEEPS).saturating_sub(now))),
            self.session.is_none().then(|| self.begins_at.saturating_sub(now)),
            until.map(|until| until.saturating_sub(now)),
        ];
        let pause = waits.into_iter().flatten().min().unwrap_or(LONGEST_PAUSE);
        let mut words = self.session.as_mut().map(|session| &mut session.words);
        let word = async {
            match &mut words {
                Some(words) => words.recv().await,
                None => std::future::pending().await,
            }
        };
        // Whatever it is, it is looked at in the next turn.
        tokio::select! {
            answered = self.answers.recv() => {
                if let Some(answered) = answered {
                    self.judge(answered);
                }
            }
            word = word => match word {
                Some(words) => self.heed(&words),
                None => self.lose(&anyhow!("the connection to the database is lost")),
            },
            () = sleep(pause) => {}
            _ = stop.changed(), if until.is_none() => {}
        }
        while let Some(words) = self
            .session
            .as_mut()
            .and_then(|session| session.words.try_recv().ok())
        {
            self.heed(&words);
        }
    }

    /// Hints of the worker and of other senders. Anybody may say them, so they make nothing happen but a look.
    fn heed(&mut self, words: &str) {
        for word in words.split_ascii_whitespace() {
            match word {
                "queues" => self.wanted.look = true,
                "settings" => self.wanted.settings = true,
                "all" => {
                    self.cursors.clear();
                    self.scheduler.notice_all();
                }
                number => {
                    if let Ok(queue) = number.parse().map(QueueId) {
                        self.cursors.remove(&queue);
                        self.scheduler.notice([queue]);
                    }
                }
            }
        }
    }
}

impl Wanted {
    fn is_anything(&self) -> bool {
        self.look || self.webhooks
    }
}

/// Since when a digest is read again and again, if it has to wait for what is not routed yet: for all that had happened when it was read first.
fn gathers(row: &Row, before: Option<&(Timestamp, Duration)>) -> Option<(Timestamp, Duration)> {
    let unrouted_since: Timestamp = row.try_get(11).ok()?;
    let asked_at: Timestamp = row.try_get(12).ok()?;
    let (first, since) = *before.unwrap_or(&(asked_at, clock::now()));
    (unrouted_since <= first && clock::now().saturating_sub(since) < GATHERED).then_some((first, since))
}

fn is_long(until: Timestamp, now: Timestamp) -> bool {
    until.duration_since(now).as_secs_f64() >= BANNED.as_secs_f64()
}

/// Discord takes nothing of an address until then: that holds for it, and not for who has its webhooks next.
fn released(until: Timestamp, now: Timestamp, deliveries: &mut [DeliveryChange]) {
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

fn delivery(row: &Row) -> Delivery {
    let data: Option<String> = row.get(3);
    let detail: Option<String> = row.get(4);
    let occurred_at: Option<Timestamp> = row.get(6);
    let occurred_at = occurred_at.unwrap_or_else(Timestamp::now);
    let traceparent: Option<String> = row.get(10);
    Delivery {
        id: DeliveryId(row.get(0)),
        event_id: row.get(8),
        attempts: u32::from(row.get::<_, i16>(5).unsigned_abs()),
        created_at: occurred_at,
        next_attempt_at: row.get(7),
        event: Event {
            event_type: row.get::<_, String>(2).into(),
            data: merged(data.as_deref().unwrap_or("{}"), detail.as_deref()).into(),
            occurred_at,
            traceparent: traceparent.and_then(|traceparent| traceparent.parse().ok()),
        },
    }
}
