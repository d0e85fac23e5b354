//! Who listens: the active integrations, kept in memory until one of them changes.

use std::collections::HashMap;

use pgrx::prelude::*;

use super::filter::Conditions;
use super::omission::Omissions;
use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};

/// Integrations by id, for one event type.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Those of every project.
    everywhere: Vec<i64>,
    by_project: HashMap<i64, Vec<i64>>,
}

impl Listeners {
    pub fn is_empty(&self) -> bool {
        self.everywhere.is_empty() && self.by_project.is_empty()
    }

    fn add(&mut self, integration: i64, project: Option<i64>) {
        match project {
            Some(project) => self.by_project.entry(project).or_default().push(integration),
            None => self.everywhere.push(integration),
        }
    }

    /// Those of every project, and those of the given ones.
    pub fn of_projects(&self, projects: &[i64]) -> Vec<i64> {
        let mut lanes = self.everywhere.clone();
        lanes.extend(
            projects
                .iter()
                .filter_map(|project| self.by_project.get(project))
                .flatten(),
        );
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    }

    pub fn all(&self) -> Vec<i64> {
        self.of_projects(&self.projects())
    }

    /// The projects that have listeners of their own.
    pub fn projects(&self) -> Vec<i64> {
        self.by_project.keys().copied().collect()
    }
}

/// All of them, by event type.
#[derive(Default)]
pub struct Subscribers {
    by_event: HashMap<String, Listeners>,
    /// Those that hear every event, also types that nobody names.
    of_any: Listeners,
    /// What some of them want to hear only.
    pub conditions: Option<Conditions>,
    pub omissions: Omissions,
}

impl Subscribers {
    pub fn of(&self, event_type: &str) -> &Listeners {
        self.by_event.get(event_type).unwrap_or(&self.of_any)
    }

    pub fn load() -> Subscribers {
        const SQL: &str = "SELECT w.id, w.project_id, e.name::pg_catalog.text \
                           FROM zentry_notify.webhook_integration w, pg_catalog.jsonb_array_elements_text(w.event_types) e (name) \
                           WHERE w.is_active ORDER BY w.id";
        let _agent = ActingAs::agent();
        with_spi(|| {
            let rows = Plan::prepare(SQL, &[]).execute(&[]);
            let subscriptions = (0..rows.len()).filter_map(|row| {
                // SAFETY: the types are those of the statement's columns.
                unsafe {
                    let id = i64::from_datum(rows.get(row, 1).0?, false)?;
                    let project = rows.get(row, 2).0.and_then(|d| i64::from_datum(d, false));
                    let event = String::from_datum(rows.get(row, 3).0?, false)?;
                    Some((id, project, event))
                }
            });
            let mut subscribers = Subscribers::from_rows(subscriptions.collect());
            subscribers.conditions = Conditions::load();
            subscribers.omissions = Self::load_omissions();
            subscribers
        })
    }

    /// By way of JSON, because the column came with 0.2.0 and the library may be newer than the SQL.
    fn load_omissions() -> Omissions {
        const SQL: &str = "SELECT o.id, o.keys FROM (\
                             SELECT w.id, (pg_catalog.to_jsonb(w) OPERATOR(pg_catalog.->) 'omit_keys')::pg_catalog.text AS keys \
                             FROM zentry_notify.webhook_integration w WHERE w.is_active) o \
                           WHERE o.keys OPERATOR(pg_catalog.<>) '[]'";
        let rows = Plan::prepare(SQL, &[]).execute(&[]);
        let omission = |row| {
            // SAFETY: the types are those of the statement's columns.
            unsafe {
                let id = i64::from_datum(rows.get(row, 1).0?, false)?;
                let keys = String::from_datum(rows.get(row, 2).0?, false)?;
                Some((id, serde_json::from_str(&keys).unwrap_or_default()))
            }
        };
        (0..rows.len()).filter_map(omission).collect()
    }

    fn from_rows(subscriptions: Vec<(i64, Option<i64>, String)>) -> Subscribers {
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
