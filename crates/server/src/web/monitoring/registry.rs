//! The metrics with their names, help texts and labels.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Error as Unwritten;
use std::sync::atomic::AtomicU64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio_postgres::Error;

use crate::database::{Name, Session};
use crate::queries::metrics::{self, Source, State, Total, Versions, Waiting, WayOut};
use crate::queries::status::{self, Finding};

/// The values of all metrics, as they are read from the database in one transaction.
pub struct Snapshot {
    waiting: Vec<Waiting>,
    totals: Vec<Total>,
    bounds: Vec<f64>,
    webhooks: Vec<State>,
    unrouted: i64,
    findings: Vec<Finding>,
    ways: Vec<WayOut>,
    versions: Versions,
}

impl Snapshot {
    /// Reads the values; the role of the session decides which webhooks they cover.
    pub async fn take(session: &Session<'_>) -> Result<Self, Error> {
        Ok(Self {
            waiting: metrics::waiting(session).await?,
            totals: metrics::totals(session).await?,
            bounds: metrics::latency_bounds(session).await?,
            webhooks: metrics::webhook_states(session).await?,
            unrouted: metrics::unrouted(session).await?,
            findings: status::status(session).await?,
            ways: metrics::ways_out(session).await?,
            versions: metrics::versions(session).await?,
        })
    }

    /// Returns the registry to encode. `database`: the value of the label `database` of all metrics, where the server has several databases;
    /// `None`: they have no such label.
    pub fn registry(self, database: Option<&Name>) -> Registry {
        let label = database.map(|name| (Cow::from("database"), Cow::from(name.to_string())));
        let mut registry = Registry::with_prefix_and_labels("zentry_notify", label.into_iter());
        what_waits(&mut registry, &self.waiting, self.unrouted);
        what_became_of_it(&mut registry, &self.totals);
        registry.register_collector(Box::new(Latencies::of(self.bounds, self.totals)));
        what_webhooks_do(&mut registry, self.webhooks);
        what_works(&mut registry, self.findings);
        what_left_by_which_way(&mut registry, self.ways);
        let versions = Info::new(Builds {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extension: self.versions.extension,
            library: self.versions.library,
            postgres: self.versions.postgres,
        });
        registry.register(
            "build",
            "Versions of the server, of the extension's SQL, of its library and of PostgreSQL",
            versions,
        );
        registry
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    webhook_id: i64,
    webhook: String,
    webhook_type: String,
    event_type: String,
}

impl From<&Source> for Labels {
    fn from(source: &Source) -> Self {
        Self {
            webhook_id: source.webhook_id,
            webhook: source.webhook.clone(),
            webhook_type: source.webhook_type.clone(),
            event_type: source.event_type.clone(),
        }
    }
}

/// The labels of metrics that count all event types of a webhook together.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WebhookLabels {
    webhook_id: i64,
    webhook: String,
    webhook_type: String,
}

impl From<&Source> for WebhookLabels {
    fn from(source: &Source) -> Self {
        Self {
            webhook_id: source.webhook_id,
            webhook: source.webhook.clone(),
            webhook_type: source.webhook_type.clone(),
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WebhookStateLabels {
    webhook_id: i64,
    webhook: String,
    webhook_type: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SubjectLabels {
    subject: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WayLabels {
    number: i32,
    way: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Builds {
    version: String,
    extension: String,
    library: String,
    postgres: String,
}

fn what_waits(registry: &mut Registry, waiting: &[Waiting], unrouted: i64) {
    let pending = Family::<Labels, Gauge>::default();
    let oldest = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for one in waiting {
        let labels = Labels::from(&one.source);
        pending.get_or_create(&labels).set(one.deliveries);
        oldest.get_or_create(&labels).set(one.oldest);
    }
    registry.register("pending", "Deliveries that wait to be sent", pending);
    registry.register(
        "oldest_pending_seconds",
        "Age of the oldest delivery that waits",
        oldest,
    );
    let events = Gauge::<i64>::default();
    events.set(unrouted);
    registry.register(
        "unrouted_events",
        "Events of which nobody knows yet who hears them",
        events,
    );
}

fn what_became_of_it(registry: &mut Registry, totals: &[Total]) {
    let (sent, failed, retried) = (
        Family::<Labels, Counter>::default(),
        Family::<Labels, Counter>::default(),
        Family::<Labels, Counter>::default(),
    );
    let (requests, rate_limited) = (
        Family::<WebhookLabels, Counter>::default(),
        Family::<WebhookLabels, Counter>::default(),
    );
    for one in totals {
        if one.is_of_all() {
            let labels = WebhookLabels::from(&one.source);
            requests.get_or_create(&labels).inc_by(count(one.requests));
            rate_limited
                .get_or_create(&labels)
                .inc_by(count(one.rate_limited));
        } else {
            let labels = Labels::from(&one.source);
            sent.get_or_create(&labels).inc_by(count(one.sent));
            failed.get_or_create(&labels).inc_by(count(one.failed));
            retried.get_or_create(&labels).inc_by(count(one.retried));
        }
    }
    registry.register("sent", "Deliveries that the endpoint took", sent);
    registry.register("failed", "Deliveries that were given up", failed);
    registry.register("retried", "Attempts that failed and were repeated", retried);
    registry.register("requests", "Requests that were made", requests);
    registry.register(
        "rate_limited",
        "Requests that were answered with too many",
        rate_limited,
    );
}

/// Returns the value of a counter; negative numbers become 0.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn what_webhooks_do(registry: &mut Registry, webhooks: Vec<State>) {
    const STATES: [&str; 4] = ["active", "failing", "gone", "off"];
    let integrations = Family::<StateLabels, Gauge>::default();
    let states = Family::<WebhookStateLabels, Gauge>::default();
    for state in STATES {
        let state = state.to_owned();
        integrations.get_or_create(&StateLabels { state }).set(0);
    }
    for one in webhooks {
        for state in STATES {
            let labels = WebhookStateLabels {
                webhook_id: one.webhook_id,
                webhook: one.webhook.clone(),
                webhook_type: one.webhook_type.clone(),
                state,
            };
            states.get_or_create(&labels).set(i64::from(one.state == state));
        }
        integrations
            .get_or_create(&StateLabels { state: one.state })
            .inc();
    }
    registry.register("integrations", "Webhook integrations by state", integrations);
    registry.register("webhook_state", "1 for the state that a webhook is in", states);
}

/// Registers the status of each subject of `zentry_status()`: the worst of its findings.
fn what_works(registry: &mut Registry, findings: Vec<Finding>) {
    let mut worst: BTreeMap<String, i64> = BTreeMap::new();
    for finding in findings {
        let level = match finding.state.as_str() {
            "ok" => 0,
            "attention" => 1,
            _ => 2,
        };
        let known = worst.entry(finding.subject).or_default();
        *known = level.max(*known);
    }
    let status = Family::<SubjectLabels, Gauge>::default();
    for (subject, level) in worst {
        status.get_or_create(&SubjectLabels { subject }).set(level);
    }
    registry.register(
        "status",
        "What zentry_status() says of the worker, the launcher, the library and the rest: 0 ok, 1 needs attention, 2 broken",
        status,
    );
}

fn what_left_by_which_way(registry: &mut Registry, ways: Vec<WayOut>) {
    let (requests, unreached, refused) = (
        Family::<WayLabels, Counter>::default(),
        Family::<WayLabels, Counter>::default(),
        Family::<WayLabels, Counter>::default(),
    );
    let (down, banned) = (
        Family::<WayLabels, Gauge>::default(),
        Family::<WayLabels, Gauge>::default(),
    );
    for one in ways {
        let labels = WayLabels {
            number: one.number,
            way: one.way,
        };
        requests.get_or_create(&labels).inc_by(count(one.requests));
        unreached.get_or_create(&labels).inc_by(count(one.unreached));
        refused.get_or_create(&labels).inc_by(count(one.refused));
        down.get_or_create(&labels).set(i64::from(one.down));
        banned.get_or_create(&labels).set(i64::from(one.banned));
    }
    registry.register(
        "way_requests",
        "Requests of all databases that left by a way out, since the server of the database started",
        requests,
    );
    registry.register(
        "way_unreached",
        "Requests by a way out for which no connection came about",
        unreached,
    );
    registry.register(
        "way_refused",
        "Requests by a way out that Discord answered with 401, 403 or 429",
        refused,
    );
    registry.register("way_down", "1: nobody is reached by a way out", down);
    registry.register(
        "way_banned",
        "1: Discord has banned the address of a way out",
        banned,
    );
}

/// The type of the labels of exemplars, which the encoder requires although there are no exemplars.
type NoLabels = Vec<(String, String)>;

/// Histograms of the latencies of sent deliveries, one for each webhook.
#[derive(Debug)]
struct Latencies(Vec<Latency>);

#[derive(Debug)]
struct Latency {
    labels: WebhookLabels,
    /// The sum of the latencies, in seconds
    sum: f64,
    count: u64,
    /// The upper bound of each bucket in seconds, and the number of deliveries in this bucket alone; the last bound is infinite.
    buckets: Vec<(f64, u64)>,
}

impl Latencies {
    fn of(bounds: Vec<f64>, totals: Vec<Total>) -> Self {
        let of_webhooks = totals.into_iter().filter(Total::is_of_all).map(|total| {
            let buckets = buckets(&bounds, &total.latency);
            Latency {
                labels: WebhookLabels::from(&total.source),
                sum: total.latency_sum,
                count: buckets.iter().map(|(_, count)| count).sum(),
                buckets,
            }
        });
        Self(of_webhooks.collect())
    }
}

/// Returns the buckets of every second bound, so that each bound is twice the one before. Half of the bounds are left out because each bucket
/// is a time series of its own for the collector. A bucket also has the count of the bound that is left out before it.
fn buckets(bounds: &[f64], counts: &[i64]) -> Vec<(f64, u64)> {
    let mut counts = counts.iter().map(|number| count(*number));
    let mut buckets = Vec::new();
    let mut gathered = 0;
    for (number, bound) in bounds.iter().enumerate() {
        gathered += counts.next().unwrap_or_default();
        if number.is_multiple_of(2) {
            buckets.push((*bound, gathered));
            gathered = 0;
        }
    }
    buckets.push((f64::INFINITY, gathered + counts.sum::<u64>()));
    buckets
}

impl Collector for Latencies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Unwritten> {
        let mut family = encoder.encode_descriptor(
            "latency_seconds",
            "Seconds from the event to the answer, of deliveries that were sent",
            None,
            MetricType::Histogram,
        )?;
        for one in &self.0 {
            let no_exemplars: Option<&HashMap<usize, Exemplar<NoLabels, f64>>> = None;
            family.encode_family(&one.labels)?.encode_histogram(
                one.sum,
                one.count,
                &one.buckets,
                no_exemplars,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_buckets_become_one_and_nothing_is_lost() {
        let bounds = [1.0, 1.4, 2.0, 2.8];
        assert_eq!(
            buckets(&bounds, &[1, 2, 3, 4, 5]),
            [(1.0, 1), (2.0, 5), (f64::INFINITY, 9)]
        );
        // The database leaves out empty buckets at the end.
        assert_eq!(
            buckets(&bounds, &[0, 7]),
            [(1.0, 0), (2.0, 7), (f64::INFINITY, 0)]
        );
        assert_eq!(buckets(&bounds, &[]), [(1.0, 0), (2.0, 0), (f64::INFINITY, 0)]);
    }
}
