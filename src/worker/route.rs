//! Routing: which webhooks hear captured events.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use webhook::json_members::merged;
use webhook::schedule::QueueId;

use super::enrich::Enricher;
use super::events::{Captured, Columns, MAX_BYTES};
use super::filter::{Heard, SlowFilters};
use super::persons::{self, Persons, PersonsProjects};
use super::query::Enriched;
use super::source::{Credits, Source, Sources, Tried};
use super::subscribers::Subscribers;
use crate::acting_as::ActingAs;
use crate::event_source::{Audience, ColumnRef};
use crate::pg::crash_note::ForEvents;
use crate::wake::Slot;

/// The sources and webhooks, and what is prepared for them.
#[derive(Default)]
pub struct Router {
    pub sources: Sources,
    pub credits: Credits,
    subscribers: Subscribers,
    slow_filters: SlowFilters,
    pub enricher: Enricher,
    persons: Persons,
    /// Sources that are gone, and of which there are events.
    gone: HashSet<i64>,
}

/// An event with the webhooks that hear it.
pub struct Routed {
    pub payload: Arc<str>,
    /// The detail, if anything was looked up.
    pub detail: Option<Arc<str>>,
    pub queues: Vec<QueueId>,
}

impl Router {
    /// Reads sources and webhooks, within a transaction of the worker's own.
    pub fn load(&mut self, slot: &Slot) {
        let _agent = ActingAs::agent();
        self.sources = Sources::load(slot);
        self.subscribers = Subscribers::load();
        self.enricher.forget();
        self.credits.forget();
        self.persons.forget();
    }

    /// Forgets which sources are gone, since the configuration has changed.
    pub fn forget_gone(&mut self) {
        self.gone.clear();
    }

    /// Returns whether an event is of a source that may be newer than those that were read. Each such source is asked for once.
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

    /// Routes the events, in their order, within a transaction of the worker's own. Returns the first ones, at least one, whose data have
    /// [`MAX_BYTES`] together, or a little more: the others are to be routed later.
    pub fn route(&mut self, events: &[Captured]) -> Vec<Routed> {
        let Some(last) = events.last() else {
            return Vec::new();
        };
        let for_events = ForEvents::new(last.id);
        let mut enriched = self.enrich(events);
        if enriched.is_empty() {
            // A statement may find others first, which leave no room for the first event. By itself it has room.
            enriched = self.enrich(&events[..1]);
        }
        let mut routed: Vec<Routed> = Vec::with_capacity(enriched.len());
        let mut bytes = 0;
        for (event, enriched) in events.iter().zip(&mut enriched) {
            if bytes >= MAX_BYTES {
                break;
            }
            let detail = enriched.detail.take();
            let payload: Arc<str> = merged(&event.data, detail.as_deref()).into();
            bytes += payload.len();
            routed.push(Routed {
                payload,
                detail,
                queues: Vec::new(),
            });
        }
        let events = &events[..routed.len()];
        self.find_listeners(events, &enriched, &mut routed);
        self.filter(events, &mut routed);
        for_events.worked_on(events.last().map_or(i64::MIN, |event| event.id));
        routed
    }

    /// Returns whether some webhook may hear the event, and it was not routed when it was written.
    fn is_for_somebody(&self, event: &Captured) -> bool {
        !event.context.routed && self.wants(&event.event_type)
    }

    /// Returns the indexes of the events that some webhook may hear, by source.
    fn by_source(&self, events: &[Captured]) -> BTreeMap<i64, Vec<usize>> {
        let mut places: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            if let Some(source) = event.source.filter(|_| self.is_for_somebody(event)) {
                places.entry(source).or_default().push(place);
            }
        }
        places
    }

    /// Returns what was found out about the first events, as many as there is room for.
    fn enrich(&mut self, events: &[Captured]) -> Vec<Enriched> {
        let mut enriched = vec![Enriched::default(); events.len()];
        let mut sources: Vec<(i64, Vec<usize>)> = self.by_source(events).into_iter().collect();
        // The first event's source is the first: there is always room for it.
        sources.sort_by_key(|(_, places)| places.first().copied());
        let (mut room, mut left) = (MAX_BYTES, events.len());
        for (source, places) in sources {
            let found = self.enricher.enrich(
                &mut self.sources,
                &mut self.credits,
                source,
                events,
                &places,
                room,
            );
            room = found.room;
            left = left.min(found.left.unwrap_or(left));
            for (place, found) in found.of_events {
                enriched[place] = found;
            }
        }
        enriched.truncate(left);
        enriched
    }

    fn find_listeners(&mut self, events: &[Captured], enriched: &[Enriched], routed: &mut [Routed]) {
        // Events that a function has made, or whose source is gone, go to all webhooks that hear their type.
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
                Some((column, _)) => of_persons(
                    &mut self.persons,
                    &mut self.credits,
                    source,
                    &column,
                    events,
                    &places,
                ),
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
        self.enricher.suspensions.append(&mut self.persons.remarks);
    }

    fn filter(&mut self, events: &[Captured], routed: &mut [Routed]) {
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
        conditions.apply(&mut heard, &mut self.slow_filters);
        for (place, heard) in concerned.into_iter().zip(heard) {
            routed[place].queues = heard.queues;
        }
    }
}

/// Returns the projects whose webhooks hear each event of such a source. None: all projects.
fn of_persons(
    persons: &mut Persons,
    credits: &mut Credits,
    source: &Source,
    column: &ColumnRef,
    events: &[Captured],
    places: &[usize],
) -> BTreeMap<usize, Option<Vec<i64>>> {
    let mut by_owner: BTreeMap<Option<u32>, Vec<(usize, String)>> = [(None, Vec::new())].into();
    for place in places {
        if let Some(person) = Columns::of(&events[*place], &source.image).text(column) {
            let owner = events[*place].context.partition_owner;
            by_owner.entry(owner).or_default().push((*place, person));
        }
    }
    let mut projects = BTreeMap::new();
    for (owner, of_place) in by_owner {
        let mut all: Vec<String> = of_place.iter().map(|(_, person)| person.clone()).collect();
        all.sort_unstable();
        all.dedup();
        let credit = credits.of(source, Tried::Memberships, owner);
        let (found, failure) = match persons.projects(source, all, credit) {
            Ok(PersonsProjects::Everybody) => return places.iter().map(|place| (*place, None)).collect(),
            Ok(PersonsProjects::Of { found, failure }) => (found, failure),
            Err(failure) => (HashMap::new(), Some(failure.reason())),
        };
        if let Some(reason) = failure {
            let unknown = of_place.iter().find(|(_, person)| !found.contains_key(person));
            pgrx::warning!(
                "zentry_notify: events of {}, as event {}, are told to webhooks of every project alone, because the projects of a person can't be found out: {reason}",
                source.definition.event_type,
                unknown.map_or(0, |(place, _)| events[*place].id),
            );
        }
        for (place, person) in of_place {
            let of_person = found.get(&person).map(|found| found.iter().copied().collect());
            projects.insert(place, Some(of_person.unwrap_or_default()));
        }
    }
    projects
}
