//! What people have configured: webhooks, wordings, sources, settings.

use jiff::Timestamp;

use super::database;
use super::event_loop::Worker;
use super::lanes::{Lane, config, idle_connections, policy};
use crate::acting_as::ActingAs;
use crate::settings;

impl Worker {
    /// Unless the extension is another one now.
    pub fn read_configuration(&mut self) -> Result<(), String> {
        self.look_for_installation();
        if self.uninstalled {
            return Ok(());
        }
        let (integrations, wordings, cursor) =
            database::transaction_as_self("zentry_notify: read the configuration", || {
                self.router.load();
                self.router.forget_gone();
                let _agent = ActingAs::agent();
                (
                    self.queue.integrations(),
                    self.queue.wordings(),
                    self.cursor.load(&self.queue),
                )
            })?;
        if let Some(cursor) = cursor {
            self.take_up(cursor);
        }
        self.wordings.update(wordings, settings::link_base());
        let url_policy = settings::url_policy();
        self.lanes = integrations
            .iter()
            .map(|integration| (integration.id, Lane::of(integration, &url_policy)))
            .collect();
        self.switched_off.retain(|lane, _| !self.lanes.contains_key(lane));
        self.drained.retain(|lane| self.lanes.contains_key(lane));
        let idle_connections = idle_connections(&self.lanes);
        if idle_connections != self.idle_connections {
            self.idle_connections = idle_connections;
            self.reconfigure_client();
        }
        let configs = integrations
            .iter()
            .map(|integration| config(integration, &self.lanes[&integration.id]))
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
    }

    pub fn reload(&mut self) {
        self.scheduler.set_policy(policy(self.workers));
        self.postponed.configuration = true;
        self.reconfigure_client();
    }

    fn reconfigure_client(&self) {
        if let Err(error) = self.http.reconfigure(self.idle_connections) {
            pgrx::warning!("zentry_notify: the new settings are not used: {error}");
        }
    }
}
