//! Reading the configuration: webhooks, wordings, sources, settings.

use std::collections::HashMap;

use jiff::Timestamp;
use webhook::active::{ActiveWebhook, config};
use webhook::schedule::QueueId;
use webhook::way::{Way, WayId};

use super::active_webhooks::{idle_connections, policy};
use super::database;
use super::state::Worker;
use crate::acting_as::ActingAs;
use crate::settings;

impl Worker {
    /// Reads the configuration, unless the extension has been created anew.
    pub fn read_configuration(&mut self) -> Result<(), String> {
        self.look_for_installation();
        if self.uninstalled {
            return Ok(());
        }
        let (active_webhooks, wordings, cursor) =
            database::transaction_as_self("zentry_notify: read the configuration", || {
                self.router.load(self.slot);
                self.router.forget_gone();
                let _agent = ActingAs::agent();
                (
                    self.store.active_webhooks(),
                    self.store.wordings(),
                    self.cursor.load(&self.store),
                )
            })?;
        if let Some(cursor) = cursor {
            self.take_up(cursor);
        }
        self.wordings.update(wordings, settings::link_base());
        let url_policy = settings::url_policy();
        let of_all = settings::appearance(None);
        let webhooks: HashMap<_, _> = active_webhooks
            .iter()
            .map(|webhook| (webhook.id, ActiveWebhook::of(webhook, &url_policy, &of_all)))
            .collect();
        // A webhook that was deleted may have got deliveries until the deletion was committed.
        if self.webhooks.keys().any(|queue| !webhooks.contains_key(queue)) {
            self.housekeeping.hurry();
        }
        let since = |known: &HashMap<QueueId, ActiveWebhook>, queue| {
            known.get(&queue).map(|webhook| webhook.activated_at)
        };
        self.streams
            .retain(|queue| since(&self.webhooks, queue) == since(&webhooks, queue));
        self.webhooks = webhooks;
        self.switched_off
            .retain(|queue, _| !self.webhooks.contains_key(queue));
        self.drained.retain(|queue| self.webhooks.contains_key(queue));
        self.senders.divide(
            &active_webhooks,
            &mut self.batch,
            &mut self.drained,
            &mut self.claim_cursors,
        )?;
        let idle_connections = idle_connections(&self.webhooks);
        if idle_connections != self.idle_connections {
            self.idle_connections = idle_connections;
            self.reconfigure_client();
        }
        let configs = active_webhooks
            .iter()
            .filter(|webhook| self.senders.leaves(webhook.id))
            .map(|webhook| config(webhook, &self.webhooks[&webhook.id]))
            .collect();
        self.scheduler.configure(configs, Timestamp::now());
        Ok(())
    }

    pub fn share_discord(&mut self) {
        let workers = self.registry.workers();
        if workers != self.workers {
            self.workers = workers;
            self.scheduler.set_policy(policy(workers));
        }
        let resumed = self.registry.discord_resumed();
        if resumed != self.discord_resumed {
            self.discord_resumed = resumed;
            self.scheduler.unpark_discord();
        }
        let parks = self.registry.ways().parks();
        if parks != self.parks {
            self.parks = parks;
            self.learn_parks(|_| true);
        }
    }

    /// Discord has banned some of these ways out, as workers of all databases have found.
    fn learn_parks(&mut self, of: impl Fn(&WayId) -> bool) {
        let (shared, now) = (self.registry.ways(), Timestamp::now());
        for way in self.ways.iter().filter(|way| of(way)) {
            if let Some(until) = shared.discord_parked_until(*way) {
                self.scheduler.park_discord(*way, until, now);
            }
        }
    }

    pub fn reload(&mut self) {
        self.scheduler.set_policy(policy(self.workers));
        self.postponed.configuration = true;
        self.reconfigure_client();
    }

    /// Makes the HTTP client by the settings. If they are not taken up, the ways out stay as they were too.
    fn reconfigure_client(&mut self) {
        match self.http.reconfigure(self.idle_connections) {
            Ok(()) => self.name_ways(),
            Err(error) => pgrx::warning!("zentry_notify: the new settings are not used: {error}"),
        }
    }

    /// Tells the scheduler the ways out, with what shared memory knows of those that are new here.
    pub fn name_ways(&mut self) {
        let ways: Vec<WayId> = settings::ways().iter().map(Way::id).collect();
        let known = std::mem::replace(&mut self.ways, ways);
        self.scheduler.set_ways(&self.ways);
        self.learn_parks(|way| !known.contains(way));
        let (shared, now) = (self.registry.ways(), Timestamp::now());
        for way in self.ways.iter().filter(|way| !known.contains(way)) {
            for (at, count) in shared.refused_lately(*way) {
                self.scheduler.remember_refused(*way, count, at, now);
            }
        }
    }
}
