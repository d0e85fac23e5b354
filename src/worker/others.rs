//! Tables of other owners that are read together with an attached one: what PostgreSQL evaluates of them when it plans a statement is their
//! owners' doing, so each is planned alone first.

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

/// For a table by itself.
const LIMIT: Duration = Duration::from_secs(2);

/// A table of another owner than the attached one's. What PostgreSQL evaluates of it when it plans a statement (an index's predicate, checks,
/// statistics) is that owner's doing.
#[derive(Clone, Debug)]
pub struct Other {
    pub oid: pg_sys::Oid,
    owner: u32,
    /// As a statement names it alone.
    name: String,
}

/// Has PostgreSQL plan a statement on each table alone, with the rights of `reader`. Each is tried once, until something about any of them changes.
pub fn plan_each(source: i64, reader: pg_sys::Oid, others: &[Other]) {
    for other in others {
        if TRIED.with_borrow_mut(|tried| tried.has(other.oid)) {
            continue;
        }
        let _other = Numbered::new(source, other.owner);
        // Whatever is wrong with it comes up when it is read, but for that it does not end.
        if limited::as_owner(reader, LIMIT, || other.plan()).is_ok() {
            TRIED.with_borrow_mut(|tried| tried.tables.insert(other.oid));
        }
    }
}

impl Other {
    fn plan(&self) {
        // With it, checks are looked at of any table, not only of those that inherit; and a condition has to be there that they may contradict.
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

/// Tables that could be planned alone since something about any of them has changed.
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

/// For how long none of them may be read all together; None: they may be.
pub fn held_for(others: &[Other]) -> Option<Duration> {
    let registry = registry()?;
    let slot = registry.known_slot(process::database())?;
    others
        .iter()
        .filter_map(|other| registry.tables_held(slot, other.owner))
        .max()
}

/// Of the table and what inherits from it, what does not belong to `owner`. Foreign tables, of which planning may ask another server, are not
/// among them.
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
