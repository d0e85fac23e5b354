//! `zentry_attach()`: attaches Zentry's own tables, and attaches anew what users have attached. A source that fails does not affect the others: its
//! row of the result says why. Nothing is locked where nothing has to be changed.

use pgrx::pg_sys;
use pgrx::prelude::*;
use serde::Deserialize;

use super::condition::Conditions;
use super::fit;
use super::inheritors::{below, busy_message};
use super::known_condition;
use super::ours::Ours;
use super::source::{self, Author, Recorded, Source};
use super::table::{Table, text_of};
use super::triggers::{self, Triggers};
use crate::pg::lock::{self, Patience};
use crate::report;
use crate::search_path::{OURS, SearchPath};
use crate::subtransaction;

/// A source of Zentry's (`zentry_source`).
#[derive(Deserialize)]
struct Own {
    relation: String,
    #[serde(flatten)]
    source: Source,
}

#[pg_extern(sql = false)]
fn zentry_attach_all() -> TableIterator<
    'static,
    (
        name!(event_type, String),
        name!(relation, String),
        name!(state, String),
    ),
> {
    let _pinned = SearchPath::pinned();
    let ours = Ours::find("zentry_attach()");
    let mut listed = Vec::new();
    let by_hand = Recorded::by_hand(&ours);
    for mut own in own(&ours) {
        let table = named(&own.relation);
        let is_by_hand = |event: &str| {
            let table = table.as_ref().map(|table| table.oid);
            by_hand
                .iter()
                .any(|hand| Some(hand.relation) == table && hand.source.event_type == event)
        };
        if is_by_hand(&own.source.event_type) {
            continue;
        }
        // A rider that was attached by hand has triggers of its own.
        own.source.rider = own.source.rider.take().filter(|rider| !is_by_hand(rider));
        listed.push((own.source, own.relation, table));
    }
    for hand in by_hand {
        let table = Table::load(pg_sys::Oid::from(hand.relation));
        let name = table
            .as_ref()
            .map_or_else(|| hand.relation.to_string(), |table| table.name.clone());
        listed.push((hand.source, name, table));
    }
    let mut attacher = Attacher {
        ours: &ours,
        patience: Patience::Session,
    };
    attacher.lock_together(
        listed
            .iter()
            .filter_map(|(source, _, table)| Some((source, table.as_ref()?))),
    );
    let rows: Vec<_> = listed
        .into_iter()
        .map(|(source, name, table)| {
            let state = table.map_or_else(
                || "not found".to_owned(),
                |table| attacher.attach(&source, &table),
            );
            (source.event_type, name, state)
        })
        .collect();
    TableIterator::new(rows)
}

fn own(ours: &Ours) -> Vec<Own> {
    const SQL: &str = "SELECT json_agg(json_build_object('event_type', z.event_type, 'relation', z.relation, 'columns', z.columns,
               'audience', z.audience, 'progress', z.progress, 'transition', z.transition, 'insert_when', z.insert_when,
               'update_when', z.update_when, 'delete_when', z.delete_when, 'rider', z.rider, 'by_hand', false) ORDER BY z.place)::text
          FROM zentry_notify.zentry_source z";
    match ours.text(SQL, &[]).map(|text| serde_json::from_str(&text)) {
        Some(Ok(own)) => own,
        Some(Err(error)) => pgrx::error!("zentry_notify: zentry_source cannot be read: {error}"),
        None => Vec::new(),
    }
}

fn named(name: &str) -> Option<Table> {
    let oid = text_of("SELECT to_regclass($1)::oid::text", &[name.into()]);
    Table::load(pg_sys::Oid::from(oid?.parse::<u32>().ok()?))
}

/// Returns the author of a source's expressions: of a user's source, they stay the author's who gave them.
fn author_of(source: &Source) -> Author {
    match source.by_hand {
        true => Author::Unchanged,
        false => Author::Owner,
    }
}

/// Attaches sources one after the other.
struct Attacher<'a> {
    ours: &'a Ours,
    /// How long the next table is waited for. Once a table is locked, which others may want to write to, no other one is waited for.
    patience: Patience,
}

impl Attacher<'_> {
    /// Locks the tables whose triggers have to be changed, all of them or none. If one is busy, each is locked when its turn comes.
    fn lock_together<'s>(&mut self, sources: impl Iterator<Item = (&'s Source, &'s Table)>) {
        let mut tables: Vec<pg_sys::Oid> = Vec::new();
        for (source, table) in sources {
            if table.wrong().is_none() && table.owned && self.lacks_triggers(source, table) {
                tables.extend(below(table));
            }
        }
        tables.sort_unstable_by_key(|table| table.to_u32());
        tables.dedup();
        if !tables.is_empty()
            && lock::tables(&tables, pg_sys::ShareRowExclusiveLock, Patience::Session).is_err()
        {
            self.patience = Patience::Moment;
        }
    }

    /// Whether triggers of the source have to be changed. False if that cannot be found out: attach() will tell why.
    fn lacks_triggers(&self, source: &Source, table: &Table) -> bool {
        let lacks = subtransaction::attempt(|| {
            fit::check(source, table).is_ok()
                && known_condition::recorded(source, table)
                    .is_some_and(|conditions| !self.has_triggers(source, table, &conditions))
        });
        lacks.unwrap_or(false)
    }

    /// Attaches a source, and returns its state for the result.
    fn attach(&mut self, source: &Source, table: &Table) -> String {
        if let Some(wrong) = table.wrong() {
            return format!("does not fit: {} {wrong}", table.name);
        }
        if !table.owned {
            return "not yours".to_owned();
        }
        match subtransaction::attempt(|| self.try_to(source, table)) {
            Ok(state) => state,
            Err(failure) => format!("failed: {failure}"),
        }
    }

    fn try_to(&mut self, source: &Source, table: &Table) -> String {
        let recorded = Recorded::of_table(self.ours, table.oid())
            .into_iter()
            .find(|recorded| recorded.source.event_type == source.event_type);
        if let Err(misfit) = fit::check(source, table) {
            if recorded.is_some() {
                source::suspend(self.ours, table.oid(), &source.event_type, &misfit.message);
            }
            return format!("does not fit: {}", misfit.message);
        }
        let is_recorded = recorded
            .as_ref()
            .is_some_and(|recorded| recorded.source == *source && !recorded.impaired);
        let Some(conditions) = known_condition::recorded(source, table) else {
            return self.check_user_condition(source, table, is_recorded);
        };
        if !self.has_triggers(source, table, &conditions) {
            let tables = below(table);
            if let Err(busy) = lock::tables(&tables, pg_sys::ShareRowExclusiveLock, self.patience) {
                return self.busy(source, busy);
            }
            // Its owner may have changed before the lock.
            let Some(table) = Table::load(table.oid()).filter(|table| table.owned) else {
                return "not yours".to_owned();
            };
            self.triggers(source, &table, &conditions).create(OURS);
            self.patience = Patience::Moment;
        }
        if !is_recorded {
            source.record(self.ours, table.oid(), author_of(source));
        }
        "attached".to_owned()
    }

    fn has_triggers(&self, source: &Source, table: &Table, conditions: &Conditions) -> bool {
        self.triggers(source, table, conditions).are_there(OURS)
    }

    /// Attaches a source with a user's own condition, which was parsed when it was given and is never parsed again: if a trigger is missing, the
    /// user has to attach it again.
    fn check_user_condition(&self, source: &Source, table: &Table, is_recorded: bool) -> String {
        if let Some(missing) = triggers::missing(self.ours, source, table) {
            let again = self.ours.text(
                "SELECT zentry_notify.attach_again(s) FROM zentry_notify.event_source s
                  WHERE s.relation = $1::regclass AND s.event_type = $2",
                &[table.oid().into(), source.event_type.as_str().into()],
            );
            return format!(
                "failed: {missing}: attach it again, with its condition: {}",
                again.unwrap_or_default()
            );
        }
        if !is_recorded {
            source.record(self.ours, table.oid(), author_of(source));
        }
        "attached".to_owned()
    }

    fn triggers<'t>(
        &'t self,
        source: &'t Source,
        table: &'t Table,
        conditions: &'t Conditions,
    ) -> Triggers<'t> {
        Triggers {
            ours: self.ours,
            table,
            event: &source.event_type,
            rider: source.rider.as_deref(),
            conditions,
        }
    }

    fn busy(&self, source: &Source, busy: lock::Busy) -> String {
        let message = busy_message(busy);
        report::warning(
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            format!("zentry_notify: {} is not attached: {message}", source.event_type),
            "When that transaction is over, run: SELECT * FROM zentry_attach();",
        );
        format!("busy: {message}")
    }
}
