//! The loop of a sender.

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
use super::link::{LONGEST_PAUSE, Link, lost};
use super::neighbours::Neighbours;
use super::posts::Posts;
use super::reading::Reading;
use super::reporting::Reporting;
use super::session::Look;
use super::wanted::Wanted;
use crate::cli::explain;
use crate::database::Parameters;

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
    /// The senders of this process, which these ways out are shared with.
    pub neighbours: Neighbours,
}

/// A sender for one database.
pub struct Sender {
    of_machine: ClientConfig,
    neighbours: Neighbours,
    link: Link,
    known: Known,
    scheduler: Scheduler,
    posts: Posts,
    reading: Reading,
    reporting: Reporting,
    ban: Ban,
    wanted: Wanted,
    /// When the settings may be asked for again.
    settings_at: Duration,
}

impl Sender {
    /// One that has not begun. `database`: what the log calls it.
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

    /// Sends until it is to stop, and then waits for what is in flight.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut until: Option<Duration> = None;
        loop {
            self.hear();
            if *stop.borrow_and_update() && until.is_none() {
                self.scheduler.drain();
                until = Some(clock::now() + FAREWELL);
            }
            if self.link.begins_in(clock::now()) == Some(Duration::ZERO) {
                match self.begin().await {
                    Ok(()) => tracing::info!("{}: sending", self.link.database()),
                    Err(error) => self.lose(&error),
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
        // Another client would have to connect anew.
        if let Some(settings) = self.known.news(&said)? {
            self.posts
                .use_client(Client::new(&settings.client(&self.of_machine))?);
            self.scheduler
                .set_policy(settings.policy(self.neighbours.count()));
            self.known.use_settings(settings, said);
        }
        Ok(())
    }

    /// The session is over, or will be. What is in flight is waited for, and reported.
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

    /// Tells the scheduler of an answer.
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

    /// Gives up the queues that others are to have, as soon as nothing of them is in flight.
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
        // What was counted of them is taken as long as they are for senders.
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
        let mut pages = self.reading.read(&claims, &rows);
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

    /// Until something is to be done.
    async fn wait(&mut self, stop: &mut watch::Receiver<bool>, until: Option<Duration>) {
        if self.scheduler.has_changes() || self.link.is_up() && self.wanted.is_anything() {
            return;
        }
        let now = clock::now();
        let in_session = |wait: Option<Duration>| wait.filter(|_| self.link.is_up());
        let wall = |at: Timestamp| Duration::try_from(at.duration_since(self.link.now())).unwrap_or_default();
        let waits = [
            in_session(self.scheduler.next_wake().map(wall)),
            in_session(self.link.ownership.quiet_for(now)),
            in_session(self.reporting.due_in(now)),
            in_session(self.wanted.settings.then(|| self.settings_at.saturating_sub(now))),
            in_session(self.reading.due_in(now)),
            self.link.begins_in(now),
            until.map(|until| until.saturating_sub(now)),
        ];
        let pause = waits.into_iter().flatten().min().unwrap_or(LONGEST_PAUSE);
        // Whatever it is, it is looked at in the next turn.
        tokio::select! {
            judged = self.posts.judged() => {
                if let Some(judged) = judged {
                    self.judged(judged);
                }
            }
            word = self.link.word() => match word {
                Some(words) => self.heed(&words),
                None => self.lose(&lost()),
            },
            () = self.neighbours.told(), if self.link.is_up() => {}
            () = sleep(pause) => {}
            _ = stop.changed(), if until.is_none() => {}
        }
        while let Some(words) = self.link.next_word() {
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
                    self.reading.rewind_all();
                    self.scheduler.notice_all();
                }
                number => {
                    if let Ok(queue) = number.parse().map(QueueId) {
                        self.reading.rewind(queue);
                        self.scheduler.notice([queue]);
                    }
                }
            }
        }
    }
}
