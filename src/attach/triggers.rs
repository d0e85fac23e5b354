//! The triggers of a source: those that it needs, those that exist, and creating and dropping them.

use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{PgRelation, pg_sys};
use serde::Deserialize;

use super::condition::{CHANGED, Conditions, Test};
use super::inheritors::{inheritors, lock_below};
use super::ours::Ours;
use super::source::Source;
use super::table::{Table, text_of};
use crate::pg::make_trigger::{self, Operation, Trigger};
use crate::pg::own_code::AsOwner;
use crate::pg::relation;
use crate::pg::when::When;
use crate::report;
use crate::search_path::SearchPath;

/// The name of a partitioned table's DELETE trigger that notes rows which an UPDATE moves to another partition: PostgreSQL fires their DELETE and
/// INSERT triggers.
pub const MOVED: &str = "zentry_notify_moved";

/// The triggers that a source needs, on its table and on those that inherit from it.
pub struct Triggers<'a> {
    pub ours: &'a Ours,
    pub table: &'a Table,
    pub event: &'a str,
    pub rider: Option<&'a str>,
    pub conditions: &'a Conditions,
}

/// A trigger that exists.
#[derive(Debug, Deserialize)]
struct Present {
    oid: u32,
    name: String,
    /// pg_trigger.tgtype.
    r#type: i32,
    /// Whether it calls `capture`.
    ours: bool,
    arguments: Vec<String>,
    /// Whether it is UPDATE OF some columns.
    narrow: bool,
    /// pg_trigger.tgqual.
    condition: Option<String>,
    /// pg_trigger.tgenabled.
    enabled: String,
    /// Whether it depends on the extension.
    depends: bool,
}

/// Returns the triggers of a table, except PostgreSQL's internal ones.
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
    /// Whether all of them exist as they have to be. It locks the tables in ACCESS SHARE mode, for which no write waits.
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
                        let when = self.analyse(test, table, inheritor, path);
                        self.fits(found, *operation, when.as_ref())
                    }
                }
            }) && (!self.moves() || present.iter().any(|present| present.name == MOVED))
        })
    }

    /// Creates, replaces and drops triggers so that they are as they have to be. The caller has locked the tables. Names in a condition are resolved
    /// under the search path `path`.
    pub fn create(&self, path: &CStr) {
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
                        let when = self.analyse(test, table, inheritor, path);
                        self.create_one(inheritor, operation, when.as_ref());
                    }
                }
            }
        }
        if self.moves()
            && !present(self.ours, table.oid())
                .iter()
                .any(|present| present.name == MOVED)
        {
            self.trigger(MOVED, Operation::Delete, &[], None, b'O')
                .create_or_replace(table);
        }
    }

    /// Analyses the condition for one of the tables, with the rights of the table's owner: parse analysis converts literals, which may run code of a
    /// third role, such as the check of a domain.
    fn analyse(&self, test: &Test, table: &PgRelation, inheritor: &PgRelation, path: &CStr) -> Option<When> {
        let _owner = AsOwner::of(pg_sys::Oid::from(self.table.owner_oid));
        let _path = SearchPath::set(path);
        match test {
            // It compares all columns of the inheritor, also those that the table lacks.
            Test::Write(sql) if sql == CHANGED => test.analyse(inheritor),
            test if inheritor.oid() == table.oid() => test.analyse(table),
            test => Some(test.analyse(table)?.of_inheritor(table, inheritor)),
        }
    }

    fn create_one(&self, table: &PgRelation, operation: Operation, when: Option<&When>) {
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
                "Rename that trigger.",
            );
        }
        // ALTER TABLE ... DISABLE TRIGGER and the like, by a DBA, stay in force.
        let enabled = found.map_or(b'O', |found| found.enabled.bytes().next().unwrap_or(b'O'));
        self.trigger(&name, operation, &self.arguments(), when, enabled)
            .create_or_replace(table);
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
            // DROP TRIGGER takes ACCESS EXCLUSIVE, for which readers have to leave too.
            lock_below(self.table, pg_sys::AccessExclusiveLock);
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

    /// Returns the WHEN of an operation's trigger; None: the source has no such trigger. A partitioned table with an UPDATE trigger also has one for
    /// INSERT, since PostgreSQL fires that for a row which an UPDATE moves to another partition.
    fn wanted(&self, operation: Operation) -> Option<&Test> {
        let own = self.conditions.get(operation).map(|condition| &condition.test);
        match operation {
            Operation::Insert if self.table.is_partitioned() && self.conditions.update.is_some() => {
                own.or(Some(&Test::Nothing))
            }
            _ => own,
        }
    }

    /// Whether rows may move to another partition.
    fn moves(&self) -> bool {
        self.table.is_partitioned()
    }

    fn name(&self, operation: Operation) -> String {
        format!("zentry_notify_{}_{}", self.event, operation.name())
    }

    fn arguments(&self) -> Vec<&str> {
        [Some(self.event), self.rider].into_iter().flatten().collect()
    }

    /// Opens the table, as the first, and those that inherit from it.
    fn relations(&self) -> Vec<PgRelation> {
        inheritors(self.table).into_iter().map(relation::locked).collect()
    }
}

/// Returns a message about the first trigger of the source that does not exist or does not belong to the extension. Conditions are not compared.
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
                        Some(format!("trigger {name} was not created by zentry_attach"))
                    }
                    Some(_) => None,
                }
            })
    })
}

/// Drops the triggers that call `capture`, on the table and its inheritors, for none of the events in `served`.
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
