//! Tables of other owners that are read together with an attached table. Parts of them are evaluated when PostgreSQL plans a statement,
//! which their owners answer for, so each is planned alone first.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use pgrx::prelude::*;

use super::limited;
use crate::pg::process;
use crate::pg::setting;
use crate::pg::time_limit::Numbered;
use crate::pg::watch::{LOOKED_UP, Watch};
use crate::plan::{Plan, with_spi};
use crate::wake::registry;

/// The time limit for a table by itself.
const LIMIT: Duration = Duration::from_secs(2);

/// A table of another owner than the attached one's. Its owner answers for what PostgreSQL evaluates when it plans a statement on it: an
/// index's predicate, checks, statistics.
#[derive(Clone, Debug)]
pub struct Other {
    pub oid: pg_sys::Oid,
    owner: u32,
    /// The table's name, as a statement on it alone has it.
    name: String,
}

/// Has PostgreSQL plan a statement on each table alone, with the rights of `reader`. Each table is tried once, until something about one of
/// them changes.
pub fn plan_each(source: i64, reader: pg_sys::Oid, others: &[Other]) {
    for other in others {
        if TRIED.with_borrow_mut(|tried| tried.has(other.oid)) {
            continue;
        }
        let _other = Numbered::new(source, other.owner);
        // Any other error comes up when the table is read; here it only matters whether planning ends.
        if limited::as_owner(reader, LIMIT, || other.plan()).is_ok() {
            TRIED.with_borrow_mut(|tried| tried.tables.insert(other.oid));
        }
    }
}

impl Other {
    fn plan(&self) {
        // With this setting, checks of every table are looked at, not only of those that inherit. The statement needs a condition that they
        // may contradict.
        let _checks = setting::hold(&[(c"constraint_exclusion", c"on")]);
        let sql = format!(
            "SELECT 1 FROM {} t WHERE t.tableoid OPERATOR(pg_catalog.<>) $1 LIMIT 0",
            self.name
        );
        with_spi(|spi| {
            Plan::prepare(spi, &sql, &[pg_sys::OIDOID]).execute(spi, &[pg_sys::InvalidOid.into()]);
        });
    }
}

thread_local! {
    static TRIED: RefCell<TriedTables> = RefCell::new(TriedTables::default());
}

/// Tables that have been planned alone since something about one of them changed.
#[derive(Default)]
struct TriedTables {
    as_of: u64,
    tables: HashSet<pg_sys::Oid>,
}

impl TriedTables {
    fn has(&mut self, table: pg_sys::Oid) -> bool {
        let now = LOOKED_UP.with(Watch::changes);
        if self.as_of != now {
            self.as_of = now;
            self.tables.clear();
        }
        self.tables.contains(&table)
    }
}

/// Returns for how long one of the tables must not be read. None: all may be.
pub fn held_for(others: &[Other]) -> Option<Duration> {
    let registry = registry()?;
    let slot = registry.known_slot(process::database())?;
    others
        .iter()
        .filter_map(|other| registry.tables_held(slot, other.owner))
        .max()
}

/// Returns the table and what inherits from it, as far as they do not belong to `owner`. Foreign tables are left out: planning may ask
/// another server.
pub fn of(relation: pg_sys::Oid, owner: pg_sys::Oid) -> Vec<Other> {
    const SQL: &str = "WITH RECURSIVE family (oid) AS (\
           SELECT $1 UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON i.inhparent OPERATOR(pg_catalog.=) f.oid) \
         SELECT c.oid, c.relowner, pg_catalog.format(CASE c.relkind WHEN 'p' THEN '%I.%I' ELSE 'ONLY %I.%I' END, n.nspname, c.relname) \
           FROM family f JOIN pg_catalog.pg_class c ON c.oid = f.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
          WHERE c.relowner <> $2 AND c.relkind IN ('r', 'p', 'm')";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::OIDOID, pg_sys::OIDOID])
            .execute(spi, &[relation.into(), owner.into()]);
        let other = |row| {
            Some(Other {
                oid: rows.get(row, 1)?,
                owner: rows.get::<pg_sys::Oid>(row, 2)?.to_u32(),
                name: rows.get(row, 3)?,
            })
        };
        (0..rows.len()).filter_map(other).collect()
    })
}
