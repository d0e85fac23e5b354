//! The loop of a sender.

mod wait;

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;
use webhook::client::{Client, ClientConfig};
use webhook::outcome::Judgement;
use webhook::schedule::{Claim, QueueChange, QueueId, RequestId, Scheduler};
use webhook::way::{Way, WayId};

use super::ban::{self, Ban};
use super::clock;
use super::known::Known;
use super::link::Link;
use super::neighbours::Neighbours;
use super::posts::Posts;
use super::reading::Reading;
use super::reporting::Reporting;
use super::session::Look;
use super::wanted::Wanted;
use crate::database::{Parameters, explain};

/// The shortest time between two reads of the settings, however many notifications arrive.
const SETTINGS: Duration = Duration::from_secs(1);
/// How long requests in flight are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the database is waited for after that, to record the outcomes.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Options of a sender.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the machine, for display.
    pub name: String,
    /// How long the database waits for a sign of life from the sender.
    pub patience: Duration,
    /// The parts of the client's configuration that depend on this machine: ways out and authorities.
    pub of_machine: ClientConfig,
    /// What the sender shares with the others of this process.
    pub neighbours: Neighbours,
    /// The number of files that it may open for requests: its share of the process's limit.
    pub files: usize,
}

/// A sender for one database.
pub struct Sender {
    of_machine: ClientConfig,
    neighbours: Neighbours,
    files: usize,
    /// It is dropped before the link: requests are cut off before the end of the session gives their queues away.
    posts: Posts,
    link: Link,
    known: Known,
    scheduler: Scheduler,
    reading: Reading,
    reporting: Reporting,
    ban: Ban,
    wanted: Wanted,
    /// When the settings may be read again.
    settings_at: Duration,
}

impl Sender {
    /// Returns a sender that has not begun. `database`: its name in the log.
    pub fn new(parameters: Parameters, database: String, options: Options) -> Self {
        let seed = Timestamp::now().as_nanosecond() as u64;
        let mut scheduler = options.neighbours.scheduler(seed);
        let ways: Vec<WayId> = options.of_machine.ways.iter().map(Way::id).collect();
        scheduler.set_ways(&ways);
        let link = Link::new(parameters, database, options.name, options.patience);
        scheduler.synchronize(link.now(), clock::now());
        Sender {
            of_machine: options.of_machine,
            neighbours: options.neighbours,
            files: options.files,
            link,
            known: Known::new(),
            scheduler,
            posts: Posts::new(),
            reading: Reading::new(),
            reporting: Reporting::default(),
            ban: Ban::default(),
            wanted: Wanted::default(),
            settings_at: Duration::ZERO,
        }
    }

    /// Sends until `stop` is true, then waits for requests in flight and reports their outcomes. Both have a time limit, so that a database that does
    /// not answer cannot prevent the end.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let database = self.link.database().to_owned();
        let sends = self.send(stop.clone());
        let late = async {
            // It fails if the sending end is gone, which also means to stop.
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(FAREWELL + LAST_WORD).await;
        };
        tokio::select! {
            () = sends => {}
            () = late => tracing::warn!("{database}: ended, though the database has not answered"),
        }
    }

    async fn send(mut self, mut stop: watch::Receiver<bool>) {
        let mut until: Option<Duration> = None;
        loop {
            self.hear();
            if *stop.borrow_and_update() && until.is_none() {
                self.scheduler.drain();
                until = Some(clock::now() + FAREWELL);
            }
            let is_of_use = until.is_none() || !self.posts.is_empty() || !self.reporting.is_empty();
            if is_of_use && self.link.begins_in(clock::now()) == Some(Duration::ZERO) {
                let begun = tokio::select! {
                    begun = self.begin() => Some(begun),
                    // The current turn is dropped, and the next one determines again what is to be done.
                    _ = stop.changed(), if until.is_none() => None,
                };
                match begun {
                    Some(Ok(())) => tracing::info!("{}: sending", self.link.database()),
                    Some(Err(error)) => self.lose(&error),
                    None => continue,
                }
            }
            if self.link.is_up()
                && let Err(error) = self.turn().await
            {
                self.lose(&error);
            }
            if let Some(until) = until {
                let is_done = self.posts.is_empty() && (self.reporting.is_empty() || !self.link.is_up());
                if is_done || until <= clock::now() {
                    return self.link.end().await;
                }
            }
            if self.scheduler.has_changed_ways() {
                self.neighbours.tell();
            }
            self.wait(&mut stop, until).await;
        }
    }

    async fn begin(&mut self) -> Result<()> {
        let settings = self.link.begin().await?;
        self.scheduler.synchronize(self.link.now(), clock::now());
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
        // A new client is only made for changed settings, because it has no open connections.
        if let Some(settings) = self.known.news(&said)? {
            let policy = settings.policy(self.neighbours.count(), self.files);
            let client = settings.client(&self.of_machine, policy.max_in_flight);
            self.posts.use_client(Client::new(&client)?);
            self.scheduler.set_policy(policy);
            self.known.use_settings(settings, said);
        }
        Ok(())
    }

    /// Drops the session. Requests in flight are still waited for, and reported later.
    fn lose(&mut self, error: &anyhow::Error) {
        self.link.lose(error);
        self.reading.clear();
        self.scheduler.configure(Vec::new(), self.link.now());
    }

    fn hear(&mut self) {
        for judged in self.posts.judged_by_now() {
            self.judged(judged);
        }
        self.collect();
    }

    /// Passes a judgement to the scheduler.
    fn judged(&mut self, (id, judgement): (RequestId, Judgement)) {
        self.scheduler.judged(id, &judgement, self.link.now());
    }

    fn collect(&mut self) {
        let (mut changes, tally) = (self.scheduler.take_changes(), self.scheduler.take_tally());
        let now = self.link.now();
        for until in changes.discord_parked.values() {
            ban::release(*until, now, &mut changes.deliveries);
        }
        self.wanted.look |= self.ban.note(self.scheduler.discord_parked_until(), now);
        for change in &changes.queues {
            if let QueueChange::SwitchedOff { queue, reason, .. } = change {
                tracing::warn!(
                    "{}: webhook {} is switched off: {reason}",
                    self.link.database(),
                    queue.0
                );
            }
        }
        self.reporting.add(changes, tally, self.known.webhooks());
    }

    async fn turn(&mut self) -> Result<()> {
        self.neighbours.listen();
        self.link.check()?;
        self.record().await?;
        self.give_up().await?;
        if self.wanted.look || self.link.ownership.quiet_for(clock::now()) == Some(Duration::ZERO) {
            self.look().await?;
        }
        if self.wanted.settings && self.settings_at <= clock::now() {
            self.wanted.settings = false;
            let said = self.link.settings().await?;
            self.use_settings(said)?;
        }
        if std::mem::take(&mut self.wanted.webhooks) {
            self.read_webhooks().await?;
        }
        self.scheduler.notice(self.reading.due(clock::now()));
        self.claim().await?;
        self.dispatch();
        self.link.forgive();
        Ok(())
    }

    async fn record(&mut self) -> Result<()> {
        let log_payloads = self.known.log_payloads();
        let recorded = self.reporting.record(&mut self.link, log_payloads).await?;
        self.wanted.webhooks |= !recorded.refused.is_empty();
        for queue in recorded.refused {
            self.reading.let_go(queue);
        }
        let freed = recorded.queues.into_iter();
        self.scheduler
            .notice(freed.filter(|queue| self.reading.release(*queue)));
        Ok(())
    }

    /// Releases the queues that the sender has to let go, as soon as nothing of them is in flight.
    async fn give_up(&mut self) -> Result<()> {
        let busy = self.posts.busy();
        let before = self.link.ownership.busy().count();
        let reporting = &self.reporting;
        let quiet = self
            .link
            .ownership
            .settle(|queue| !busy.contains(&queue) && !reporting.has(queue));
        self.wanted.look |= self.link.ownership.busy().count() < before;
        if quiet.is_empty() {
            return Ok(());
        }
        // Their counters are accepted only while the queues are offered to senders, so they are reported first.
        if self.reporting.hurry() {
            self.record().await?;
        }
        let ids: Vec<i64> = quiet.iter().map(|queue| queue.0).collect();
        self.link
            .call(async |session| session.release(&ids).await)
            .await?
            .map_err(explain)?;
        self.link.ownership.released(&quiet);
        Ok(())
    }

    async fn look(&mut self) -> Result<()> {
        self.wanted.look = false;
        let busy: Vec<i64> = self.link.ownership.busy().map(|queue| queue.0).collect();
        let banned_until = self.ban.until(self.link.now());
        let Look { taken, let_go, asked } = self
            .link
            .call(async |session| session.look(&busy, banned_until).await)
            .await?
            .map_err(explain)?;
        let ownership = &mut self.link.ownership;
        self.wanted.webhooks |=
            !taken.is_empty() || let_go.iter().any(|queue| ownership.posts(QueueId(*queue)));
        for (queue, epoch) in taken {
            ownership.take(QueueId(queue), epoch);
            self.reading.rewind(QueueId(queue));
        }
        for queue in let_go {
            ownership.let_go(QueueId(queue));
            self.reading.let_go(QueueId(queue));
        }
        for (queue, what) in asked {
            let queue = QueueId(queue);
            self.reading.rewind(queue);
            match what.as_str() {
                "resume" => {
                    self.scheduler.resume([queue]);
                }
                _ => self.scheduler.retry_now([queue]),
            }
        }
        Ok(())
    }

    async fn read_webhooks(&mut self) -> Result<()> {
        let said = self
            .link
            .call(async |session| session.webhooks().await)
            .await?
            .map_err(explain)?;
        let ownership = &self.link.ownership;
        let configs = self
            .known
            .use_webhooks(said, self.link.database(), |queue| ownership.posts(queue))?;
        self.scheduler.configure(configs, self.link.now());
        Ok(())
    }

    async fn claim(&mut self) -> Result<()> {
        let now = self.link.now();
        let (held_back, claims): (Vec<Claim>, Vec<Claim>) =
            self.scheduler.claims(now).into_iter().partition(|claim| {
                self.reporting.has(claim.queue) || !self.link.ownership.posts(claim.queue)
            });
        for claim in held_back {
            self.scheduler.supply(claim.queue, Vec::new(), now);
            self.reading.hold_back(claim.queue);
        }
        if claims.is_empty() {
            return Ok(());
        }
        let wanted = self.reading.wanted(&claims);
        let sent = clock::now();
        let rows = self
            .link
            .call(async |session| session.claim(&wanted).await)
            .await?
            .map_err(explain)?;
        if let Some(said) = rows.first().and_then(|row| row.try_get(12).ok())
            && self.link.hear(said, sent)
        {
            self.scheduler.synchronize(self.link.now(), clock::now());
        }
        let mut pages = self.reading.read(&claims, &rows)?;
        let now = self.link.now();
        for claim in claims {
            let page = pages.found.remove(&claim.queue).unwrap_or_default();
            self.scheduler.supply(claim.queue, page, now);
        }
        self.scheduler.notice(pages.cut);
        Ok(())
    }

    fn dispatch(&mut self) {
        if !self.link.ownership.may_post(clock::now()) || !self.posts.is_ready() {
            return;
        }
        for request in self.known.requests(&mut self.scheduler, self.link.now()) {
            let Some(webhook) = self.known.webhooks().get(&request.queue) else {
                continue;
            };
            let id = request.id;
            if let Err(refused) = self.posts.post(request, webhook) {
                self.judged((id, refused));
            }
        }
    }
}
