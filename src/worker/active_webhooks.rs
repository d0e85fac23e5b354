//! The settings that hold for all webhooks, in the form that the scheduler and the client take.

use std::collections::{HashMap, HashSet};

use webhook::active::ActiveWebhook;
use webhook::schedule::{Policy, QueueId};

use super::files;
use crate::settings;

/// The most deliveries that are held in memory: a few megabytes, with payloads of some hundred bytes.
const MAX_BUFFERED: usize = 10_000;

/// Returns the scheduler's policy by the settings. `workers` is how many workers share what Discord allows an address.
pub fn policy(workers: u32) -> Policy {
    Policy {
        max_attempts: settings::max_attempts(),
        max_age: settings::max_age(),
        discord_per_second: (settings::discord_rate() / workers.max(1)).max(1),
        discord_refusals: (Policy::default().discord_refusals / workers.max(1)).max(1),
        teams_rate: settings::teams_rate(),
        max_in_flight: files::max_in_flight(),
        max_slow: files::max_slow(),
        max_buffered: MAX_BUFFERED,
    }
}

/// Returns how many idle connections are kept for each host.
pub fn idle_connections(webhooks: &HashMap<QueueId, ActiveWebhook>) -> usize {
    let urls = webhooks
        .values()
        .filter_map(|webhook| webhook.endpoint.as_ref().ok());
    let hosts: HashSet<String> = urls.map(|endpoint| endpoint.post_url().origin()).collect();
    files::max_idle(hosts.len())
}
