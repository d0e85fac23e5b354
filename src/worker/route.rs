//! Who hears of captured events, and what they are told.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use webhook::json_members::merged;
use webhook::schedule::QueueId;

use super::enrich::{Enriched, Enricher};
use super::events::{Captured, Columns};
use super::filter::Heard;
use super::persons::{self, Persons, PersonsProjects};
use super::source::{Source, Sources};
use super::subscribers::Subscribers;
use crate::acting_as::ActingAs;
use crate::event_source::{Audience, ColumnRef};

/// What is known of sources and webhooks.
#[derive(Default)]
pub struct Router {
    pub sources: Sources,
    subscribers: Subscribers,
    pub enricher: Enricher,
    persons: Persons,
    /// Sources that are gone, of which there are events.
    gone: HashSet<i64>,
}

/// An event, and who hears of it.
pub struct Routed {
    pub payload: Arc<str>,
    /// What was found out about it.
    pub detail: Option<String>,
    pub queues: Vec<QueueId>,
}

impl Router {
    /// Reads sources and webhooks, within a transaction of the worker's own.
    pub fn load(&mut self) {
        let _agent = ActingAs::agent();
        self.sources = Sources::load();
        self.subscribers = Subscribers::load();
        self.enricher.forget();
        self.persons.forget();
    }

    /// The configuration has changed: what was gone may be there.
    pub fn forget_gone(&mut self) {
        self.gone.clear();
    }

    /// Whether an event is of a source that may have come since they were read. Each is asked for once.
    pub fn has_unknown(&mut self, events: &[Captured]) -> bool {
        let sources = events.iter().filter_map(|event| event.source);
        let unknown: HashSet<i64> = sources
            .filter(|source| self.sources.get(*source).is_none() && !self.gone.contains(source))
            .collect();
        self.gone.extend(&unknown);
        !unknown.is_empty()
    }

    pub fn wants(&self, event_type: &str) -> bool {
        self.subscribers.of(event_type).is_some()
    }

    /// In the order of the events, within a transaction of the worker's own.
    pub fn route(&mut self, events: &[Captured]) -> Vec<Routed> {
        let mut enriched = self.enrich(events);
        let mut routed: Vec<Routed> = events
            .iter()
            .zip(&mut enriched)
            .map(|(event, enriched)| {
                let detail = enriched.detail.take();
                Routed {
                    payload: merged(&event.data, detail.as_deref()).into(),
                    detail,
                    queues: Vec::new(),
                }
            })
            .collect();
        self.find_listeners(events, &enriched, &mut routed);
        self.filter(events, &mut routed);
        routed
    }

    /// What nobody can hear, or what a function has routed itself, needs nothing.
    fn is_for_somebody(&self, event: &Captured) -> bool {
        !event.context.routed && self.wants(&event.event_type)
    }

    /// Places of the events of each source, of those that somebody may hear.
    fn by_source(&self, events: &[Captured]) -> BTreeMap<i64, Vec<usize>> {
        let mut places: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            if let Some(source) = event.source.filter(|_| self.is_for_somebody(event)) {
                places.entry(source).or_default().push(place);
            }
        }
        places
    }

    fn enrich(&mut self, events: &[Captured]) -> Vec<Enriched> {
        let mut enriched = vec![Enriched::default(); events.len()];
        for (source, places) in self.by_source(events) {
            let found = self.enricher.enrich(&mut self.sources, source, events, &places);
            for (place, found) in found {
                enriched[place] = found;
            }
        }
        enriched
    }

    fn find_listeners(&mut self, events: &[Captured], enriched: &[Enriched], routed: &mut [Routed]) {
        // What a function has made, or whose source is gone, concerns everybody who hears its type.
        for (place, event) in events.iter().enumerate() {
            let known = event.source.and_then(|source| self.sources.get(source));
            if self.is_for_somebody(event)
                && known.is_none()
                && let Some(listeners) = self.subscribers.of(&event.event_type)
            {
                routed[place].queues = listeners.all();
            }
        }
        for (id, places) in self.by_source(events) {
            let Some(source) = self.sources.get(id) else {
                continue;
            };
            let persons = match persons::person_of(source) {
                Some((column, _)) => of_persons(&mut self.persons, source, &column, events, &places),
                None => BTreeMap::new(),
            };
            for place in places {
                let Some(listeners) = self.subscribers.of(&events[place].event_type) else {
                    continue;
                };
                routed[place].queues = match &source.definition.audience {
                    Audience::All { .. } => listeners.all(),
                    Audience::Project { .. } => listeners.of_projects(enriched[place].project.as_slice()),
                    Audience::Person { .. } => match persons.get(&place) {
                        Some(None) => listeners.all(),
                        Some(Some(projects)) => listeners.of_projects(projects),
                        None => listeners.of_projects(&[]),
                    },
                };
            }
        }
    }

    fn filter(&self, events: &[Captured], routed: &mut [Routed]) {
        let conditions = &self.subscribers.conditions;
        let concerned: Vec<usize> = (0..events.len())
            .filter(|place| conditions.concern(&events[*place].event_type, &routed[*place].queues))
            .collect();
        if concerned.is_empty() {
            return;
        }
        let mut heard: Vec<Heard> = concerned
            .iter()
            .map(|place| Heard {
                id: events[*place].id,
                event_type: events[*place].event_type.clone(),
                payload: routed[*place].payload.clone(),
                queues: std::mem::take(&mut routed[*place].queues),
            })
            .collect();
        conditions.apply(&mut heard);
        for (place, heard) in concerned.into_iter().zip(heard) {
            routed[place].queues = heard.queues;
        }
    }
}

/// The projects whose webhooks hear of each event of such a source; None: all of them.
fn of_persons(
    persons: &mut Persons,
    source: &Source,
    column: &ColumnRef,
    events: &[Captured],
    places: &[usize],
) -> BTreeMap<usize, Option<Vec<i64>>> {
    let of_place: Vec<(usize, String)> = places
        .iter()
        .filter_map(|place| {
            let columns = Columns::of(&events[*place], &source.image);
            Some((*place, columns.text(column)?))
        })
        .collect();
    let mut all: Vec<String> = of_place.iter().map(|(_, person)| person.clone()).collect();
    all.sort_unstable();
    all.dedup();
    match persons.projects(source, all) {
        Ok(PersonsProjects::Everybody) => places.iter().map(|place| (*place, None)).collect(),
        Ok(PersonsProjects::Of(found)) => of_place
            .into_iter()
            .map(|(place, person)| {
                let projects = found.get(&person).map(|found| found.iter().copied().collect());
                (place, Some(projects.unwrap_or_default()))
            })
            .collect(),
        Err(failure) => {
            pgrx::warning!(
                "zentry_notify: events of {} are told to webhooks of every project alone, because the projects of a person can't be found out: {}",
                source.definition.event_type,
                failure.reason()
            );
            BTreeMap::new()
        }
    }
}
