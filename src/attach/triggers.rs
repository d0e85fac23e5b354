//! The triggers of a source: what they have to be, what they are, and how the one becomes the other.

use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{PgRelation, pg_sys};
use serde::Deserialize;

use super::condition::{CHANGED, Conditions, Test};
use super::ours::Ours;
use super::source::Source;
use super::table::{Table, text_of};
use crate::pg::make_trigger::{self, Operation, Trigger};
use crate::pg::own_code::AsOwner;
use crate::pg::relation;
use crate::pg::when::When;
use crate::report;
use crate::search_path::SearchPath;

/// Of a partitioned table: notes rows that an UPDATE moves to another partition, which PostgreSQL makes a DELETE and an INSERT of.
pub const MOVED: &str = "zentry_notify_moved";

/// What a source's triggers have to be, on its table and on those that inherit from it.
pub struct Triggers<'a> {
    pub ours: &'a Ours,
    pub table: &'a Table,
    pub event: &'a str,
    pub rider: Option<&'a str>,
    pub conditions: &'a Conditions,
}

/// A trigger that is there.
#[derive(Debug, Deserialize)]
struct Present {
    oid: u32,
    name: String,
    r#type: i32,
    /// It calls `capture`.
    ours: bool,
    arguments: Vec<String>,
    /// UPDATE OF.
    narrow: bool,
    /// pg_trigger.tgqual.
    condition: Option<String>,
    enabled: String,
    depends: bool,
}

fn present(ours: &Ours, table: pg_sys::Oid) -> Vec<Present> {
    const SQL: &str = "SELECT json_agg(json_build_object(
               'oid', t.oid::bigint, 'name', t.tgname, 'type', t.tgtype, 'ours', t.tgfoid = $2, 'narrow', t.tgattr::text <> '',
               'arguments', (SELECT coalesce(json_agg(a.text ORDER BY a.place), '[]')
                               FROM unnest(string_to_array(encode(t.tgargs, 'escape'), E'\\\\000'))
                                    WITH ORDINALITY AS a (text, place) WHERE a.place <= t.tgnargs),
               'condition', t.tgqual, 'enabled', t.tgenabled,
               'depends', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                                     AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = $3)))::text
          FROM pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal";
    let oid = |oid: pg_sys::Oid| oid.into();
    match text_of(SQL, &[oid(table), oid(ours.capture), oid(ours.extension)])
        .map(|text| serde_json::from_str(&text))
    {
        None => Vec::new(),
        Some(Ok(present)) => present,
        Some(Err(error)) => pgrx::error!("zentry_notify: pg_trigger cannot be read: {error}"),
    }
}

impl Triggers<'_> {
    /// Whether all of them are as they have to be. The tables are locked against changes, and no write waits for it.
    pub fn are_there(&self, path: &CStr) -> bool {
        let relations = self.relations();
        let Some(table) = relations.first() else {
            return true;
        };
        relations.iter().all(|inheritor| {
            let present = present(self.ours, inheritor.oid());
            Operation::ALL.iter().all(|operation| {
                let name = self.name(*operation);
                let found = present.iter().find(|present| present.name == name);
                match (self.wanted(*operation), found) {
                    (None, found) => found.is_none(),
                    (Some(_), None) => false,
                    (Some(test), Some(found)) => {
                        let when = self.read(test, table, inheritor, path);
                        self.fits(found, *operation, when.as_ref())
                    }
                }
            }) && (!self.moves() || present.iter().any(|present| present.name == MOVED))
        })
    }

    /// Makes them what they have to be. The tables are locked. `path`: where names in a condition are looked for.
    pub fn put(&self, path: &CStr) {
        let relations = self.relations();
        let Some(table) = relations.first() else { return };
        if Operation::ALL
            .iter()
            .any(|operation| self.wanted(*operation).is_some())
        {
            self.ours.require_capture();
        }
        for operation in Operation::ALL {
            for inheritor in &relations {
                match self.wanted(operation) {
                    None => self.remove(inheritor, operation),
                    Some(test) => {
                        let when = self.read(test, table, inheritor, path);
                        self.make(inheritor, operation, when.as_ref());
                    }
                }
            }
        }
        if self.moves()
            && !present(self.ours, table.oid())
                .iter()
                .any(|present| present.name == MOVED)
        {
            self.trigger(MOVED, Operation::Delete, &[], None, b'O').put(table);
        }
    }

    /// The condition, as the table's owner reads it, who answers for the types of its columns and has no more rights than who calls. A literal is
    /// made a value of its type then, whose checks may be a third role's.
    fn read(&self, test: &Test, table: &PgRelation, inheritor: &PgRelation, path: &CStr) -> Option<When> {
        let _owner = AsOwner::of(pg_sys::Oid::from(self.table.owner_oid));
        let _path = SearchPath::set(path);
        match test {
            // Of the inheritor's own columns, too.
            Test::Write(sql) if sql == CHANGED => test.read(inheritor),
            test if inheritor.oid() == table.oid() => test.read(table),
            test => Some(test.read(table)?.of_inheritor(table, inheritor)),
        }
    }

    fn make(&self, table: &PgRelation, operation: Operation, when: Option<&When>) {
        let name = self.name(operation);
        let found = present(self.ours, table.oid())
            .into_iter()
            .find(|present| present.name == name);
        if found
            .as_ref()
            .is_some_and(|found| self.fits(found, operation, when))
        {
            return;
        }
        if found.as_ref().is_some_and(|found| !found.ours) {
            report::error(
                PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT,
                format!(
                    "trigger {name} of table {} calls another function",
                    self.table.name
                ),
                "",
                "Give that trigger another name.",
            );
        }
        // What a DBA has made of it stays.
        let enabled = found.map_or(b'O', |found| found.enabled.bytes().next().unwrap_or(b'O'));
        self.trigger(&name, operation, &self.arguments(), when, enabled)
            .put(table);
    }

    fn trigger<'t>(
        &'t self,
        name: &'t str,
        operation: Operation,
        arguments: &'t [&'t str],
        when: Option<&'t When>,
        enabled: u8,
    ) -> Trigger<'t> {
        Trigger {
            name,
            function: self.ours.capture,
            operation,
            arguments,
            when,
            enabled,
            comment: if name == MOVED {
                "Tells zentry_notify of rows that move to another partition".to_owned()
            } else {
                format!("Tells zentry_notify of {}", self.event)
            },
            extension: self.ours.extension,
        }
    }

    fn remove(&self, table: &PgRelation, operation: Operation) {
        let name = self.name(operation);
        let found = present(self.ours, table.oid())
            .into_iter()
            .find(|present| present.name == name && present.ours);
        if let Some(found) = found {
            // Who reads is in the way of that, too.
            super::lock_below(self.table, pg_sys::AccessExclusiveLock);
            make_trigger::drop(pg_sys::Oid::from(found.oid));
        }
    }

    fn fits(&self, found: &Present, operation: Operation, when: Option<&When>) -> bool {
        found.ours
            && found.depends
            && !found.narrow
            && found.r#type == operation.trigger_type()
            && found.arguments == self.arguments()
            && match (&found.condition, when) {
                (None, None) => true,
                (Some(condition), Some(when)) => when.is(condition),
                _ => false,
            }
    }

    /// A row that moves to another partition is an UPDATE, which only the trigger of the INSERT is called for.
    fn wanted(&self, operation: Operation) -> Option<&Test> {
        let own = self.conditions.get(operation).map(|condition| &condition.test);
        match operation {
            Operation::Insert if self.table.is_partitioned() && self.conditions.update.is_some() => {
                own.or(Some(&Test::Nothing))
            }
            _ => own,
        }
    }

    fn moves(&self) -> bool {
        self.table.is_partitioned()
    }

    fn name(&self, operation: Operation) -> String {
        format!("zentry_notify_{}_{}", self.event, operation.name())
    }

    fn arguments(&self) -> Vec<&str> {
        [Some(self.event), self.rider].into_iter().flatten().collect()
    }

    /// The table, first, and those that inherit from it.
    fn relations(&self) -> Vec<PgRelation> {
        inheritors(self.table).into_iter().map(relation::locked).collect()
    }
}

/// The table, first, and those that inherit from it; not partitions, which PostgreSQL gives the triggers of their table.
pub fn inheritors(table: &Table) -> Vec<pg_sys::Oid> {
    const SQL: &str = "WITH RECURSIVE down (oid, depth) AS (
            SELECT $1, 0 UNION SELECT i.inhrelid, d.depth + 1 FROM down d JOIN pg_inherits i ON i.inhparent = d.oid)
        SELECT json_agg(d.oid::bigint ORDER BY d.depth, d.oid)::text
          FROM (SELECT d.oid, min(d.depth) AS depth FROM down d GROUP BY d.oid) d JOIN pg_class c ON c.oid = d.oid
         WHERE d.depth = 0 OR NOT c.relispartition";
    oids(SQL, table)
}

/// All that a lock on the table's triggers has to hold: partitions too.
pub fn below(table: &Table) -> Vec<pg_sys::Oid> {
    const SQL: &str = "WITH RECURSIVE down (oid) AS (
            SELECT $1 UNION SELECT i.inhrelid FROM down d JOIN pg_inherits i ON i.inhparent = d.oid)
        SELECT json_agg(d.oid::bigint ORDER BY d.oid <> $1, d.oid)::text FROM down d";
    oids(SQL, table)
}

fn oids(sql: &str, table: &Table) -> Vec<pg_sys::Oid> {
    let table = pg_sys::Oid::from(table.oid).into();
    let oids: Vec<u32> = text_of(sql, &[table])
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    oids.into_iter().map(pg_sys::Oid::from).collect()
}

/// A trigger that the source should have and that is not there, or was made by somebody else, in words. What it asks is not looked at.
pub fn missing(ours: &Ours, source: &Source, table: &Table) -> Option<String> {
    let wanted = [
        (&source.insert_when, Operation::Insert),
        (&source.update_when, Operation::Update),
        (&source.delete_when, Operation::Delete),
    ];
    inheritors(table).into_iter().find_map(|relation| {
        let present = present(ours, relation);
        wanted
            .iter()
            .filter(|(words, _)| words.is_some())
            .map(|(_, operation)| format!("zentry_notify_{}_{}", source.event_type, operation.name()))
            .find_map(|name| {
                match present
                    .iter()
                    .find(|present| present.ours && present.name == name)
                {
                    None => Some(format!("trigger {name} is gone")),
                    Some(found) if !found.depends => {
                        Some(format!("trigger {name} was made by somebody else"))
                    }
                    Some(_) => None,
                }
            })
    })
}

/// Drops those of our triggers on the table and on its inheritors that serve none of the events in `served`.
pub fn drop_unserved(ours: &Ours, table: &Table, served: &[String]) {
    for relation in inheritors(table) {
        for present in present(ours, relation) {
            let serves = if present.name == MOVED {
                !served.is_empty()
            } else {
                present.arguments.iter().any(|event| served.contains(event))
            };
            if present.ours && !serves {
                make_trigger::drop(pg_sys::Oid::from(present.oid));
            }
        }
    }
}
