//! The active webhooks, by event type and project.

use std::collections::HashMap;

use webhook::schedule::QueueId;

use super::filter::Conditions;
use crate::event_source::PROJECT_PROGRESS;
use crate::plan::{Plan, with_spi};

/// The webhooks that hear one event type.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Webhooks of every project.
    everywhere: Vec<QueueId>,
    by_project: HashMap<i64, Vec<QueueId>>,
}

impl Listeners {
    pub fn is_empty(&self) -> bool {
        self.everywhere.is_empty() && self.by_project.is_empty()
    }

    fn add(&mut self, webhook: QueueId, project: Option<i64>) {
        match project {
            Some(project) => self.by_project.entry(project).or_default().push(webhook),
            None => self.everywhere.push(webhook),
        }
    }

    /// Returns the webhooks of every project and those of the given projects.
    pub fn of_projects<'a>(&self, projects: impl IntoIterator<Item = &'a i64>) -> Vec<QueueId> {
        let mut queues = self.everywhere.clone();
        queues.extend(
            projects
                .into_iter()
                .filter_map(|project| self.by_project.get(project))
                .flatten(),
        );
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    pub fn all(&self) -> Vec<QueueId> {
        self.of_projects(self.by_project.keys())
    }
}

/// All active webhooks, by event type.
#[derive(Default)]
pub struct Subscribers {
    by_event: HashMap<String, Listeners>,
    /// Webhooks that hear every event, also those of types that no webhook names.
    of_any: Listeners,
    /// The filters of webhooks.
    pub conditions: Conditions,
}

impl Subscribers {
    pub fn of(&self, event_type: &str) -> Option<&Listeners> {
        let listeners = self.by_event.get(event_type).unwrap_or(&self.of_any);
        Some(listeners).filter(|listeners| event_type != PROJECT_PROGRESS && !listeners.is_empty())
    }

    pub fn load() -> Subscribers {
        const SQL: &str = "SELECT w.id, w.project_id, e.name \
                           FROM zentry_notify.webhook w, jsonb_array_elements_text(w.event_types) e (name) \
                           WHERE w.is_active ORDER BY w.id";
        let subscriptions = with_spi(|spi| {
            let rows = Plan::prepare(spi, SQL, &[]).execute(spi, &[]);
            let subscription = |row| {
                let id = rows.get::<i64>(row, 1)?;
                let project = rows.get::<i64>(row, 2);
                let event = rows.get::<String>(row, 3)?;
                Some((QueueId(id), project, event))
            };
            (0..rows.len()).filter_map(subscription).collect()
        });
        let mut subscribers = Subscribers::from_rows(subscriptions);
        subscribers.conditions = Conditions::load();
        subscribers
    }

    fn from_rows(subscriptions: Vec<(QueueId, Option<i64>, String)>) -> Subscribers {
        let mut subscribers = Subscribers::default();
        for (_, _, event) in &subscriptions {
            if event != "*" {
                subscribers.by_event.entry(event.clone()).or_default();
            }
        }
        for (id, project, event) in subscriptions {
            if event == "*" {
                subscribers
                    .by_event
                    .values_mut()
                    .for_each(|listeners| listeners.add(id, project));
                subscribers.of_any.add(id, project);
            } else if let Some(listeners) = subscribers.by_event.get_mut(&event) {
                listeners.add(id, project);
            }
        }
        subscribers
    }
}
