//! An attached table and the tables that its events are enriched from, as they are under our locks.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use pgrx::prelude::*;

use super::lock_waits;
use super::others::{self, Other};
use crate::column_types::{self, ColumnType};
use crate::event_source::{Audience, EventSource, Expression, Key, Lookup};
use crate::pg::equality;
use crate::pg::lock;
use crate::pg::relation;
use crate::pg::watch::{LOOKED_UP, Watch};
use crate::plan::{Plan, with_spi};
use crate::subtransaction;

/// The tables that a source's statements read. Locks on all of them are held until the (sub)transaction ends.
pub struct Attached {
    pub relation: pg_sys::Oid,
    pub owner: pg_sys::Oid,
    /// The table's name, qualified and quoted.
    pub name: String,
    columns: HashMap<String, ColumnType>,
    looked_up: BTreeMap<String, Found>,
    /// Tables of other owners that the look-ups read: the tables that are named, and what inherits from them.
    others: Vec<Other>,
    /// Tables of other owners that inherit from the attached table, which is read to count its rows.
    partitions: Vec<Other>,
    /// Until when one of the tables is left out, if one is.
    until: Option<Instant>,
    /// How many changes of these tables had been noticed when they were looked at.
    as_of: u64,
}

/// The table of a look-up.
pub enum Found {
    Table(Table),
    /// There is no table of that name; the text says so.
    Missing(String),
    /// The table is not read; the text says why.
    Refused(String),
}

/// A table that may be read with the rights of the attached table's owner.
pub struct Table {
    pub oid: pg_sys::Oid,
    /// The table's name, qualified and quoted.
    pub name: String,
    columns: HashMap<String, ColumnType>,
    /// The table and what inherits from it, as far as they belong to other owners than the attached table's.
    others: Vec<Other>,
}

impl Table {
    /// Returns the column's type. Of a column that does not exist it is the invalid OID: the statement finds that out, and fails.
    pub fn type_of(&self, column: &str) -> pg_sys::Oid {
        self.columns
            .get(column)
            .map_or(pg_sys::InvalidOid, |column| column.type_oid)
    }

    /// Returns whether the column's type belongs to somebody else, so that JSON is made of its text form: a cast would run that owner's
    /// code.
    pub fn is_foreign(&self, column: &str) -> bool {
        self.columns.get(column).is_some_and(|column| column.is_foreign)
    }
}

impl Attached {
    /// Locks the tables, and looks at them afterwards. `names` are those that are looked into. None: the attached table is gone.
    pub fn look(relation: pg_sys::Oid, names: Vec<String>, patience: Patience) -> Option<Attached> {
        let as_of = LOOKED_UP.with(Watch::changes);
        let class = lock_and_look(relation)?;
        let owner = class.owner;
        let columns = column_types::of(relation, owner);
        let mut looked_up = BTreeMap::new();
        let mut others = Vec::new();
        let mut until: Option<Instant> = None;
        for name in names {
            let mut found = find(&name, owner, patience);
            if let Found::Table(table) = &found {
                if let Some(left) = others::held_for(&table.others) {
                    let end = Instant::now() + left;
                    until = Some(until.map_or(end, |until| until.min(end)));
                    found = Found::Refused(format!(
                        "{name} is left out for an hour: reading a table of its owner has ended a worker"
                    ));
                } else {
                    others.extend_from_slice(&table.others);
                }
            }
            looked_up.insert(name, found);
        }
        let attached = Attached {
            relation,
            owner,
            partitions: class.others(relation, owner),
            name: class.name,
            columns,
            looked_up,
            others,
            until,
            as_of,
        };
        let others = attached.others.iter().chain(&attached.partitions);
        let others = others.map(|other| other.oid);
        LOOKED_UP.with(|watch| attached.relations().chain(others).for_each(|oid| watch.add(oid)));
        Some(attached)
    }

    /// Has PostgreSQL plan a statement on each table of another owner alone, as it plans them when a statement reads them together with the
    /// rest. If planning does not end, the table's owner is to blame. It is called outside of a time limit.
    pub fn try_others(&self, source: i64) {
        others::plan_each(source, self.owner, &self.others);
    }

    /// Does the same for the tables that inherit from the attached table. Returns false if one of them is not to be read now.
    pub fn try_partitions(&self, source: i64) -> bool {
        let may_be_read = others::held_for(&self.partitions).is_none();
        if may_be_read {
            others::plan_each(source, self.owner, &self.partitions);
        }
        may_be_read
    }

    /// Locks all tables again, in a later transaction. Returns false if something may have changed, so that they have to be looked at anew.
    pub fn lock_again(&self) -> bool {
        for oid in self.relations() {
            // This waits for lock_timeout at most. Afterwards, changes that others have committed are known.
            lock_waits::to_read(oid);
        }
        self.as_of == LOOKED_UP.with(Watch::changes) && self.until.is_none_or(|until| until > Instant::now())
    }

    fn relations(&self) -> impl Iterator<Item = pg_sys::Oid> + '_ {
        let looked_up = self.looked_up.values().filter_map(|found| match found {
            Found::Table(table) => Some(table.oid),
            Found::Missing(_) | Found::Refused(_) => None,
        });
        looked_up.chain([self.relation])
    }

    /// Returns the partitions that belong to the table's owner, as a subquery with these columns. None: all partitions do.
    pub fn own_partitions(&self, columns: [&str; 2]) -> Option<String> {
        const SQL: &str = "WITH RECURSIVE family (oid) AS (\
               SELECT $1 UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON i.inhparent OPERATOR(pg_catalog.=) f.oid) \
             SELECT pg_catalog.string_agg(pg_catalog.format('SELECT %s FROM ONLY %s', $3, c.oid::pg_catalog.regclass), ' UNION ALL ') \
                      FILTER (WHERE c.relkind = 'r' AND c.relowner = $2), \
                    pg_catalog.bool_and(c.relowner = $2) \
               FROM family f JOIN pg_catalog.pg_class c ON c.oid = f.oid";
        let columns = columns.map(pgrx::spi::quote_identifier::<&str>).join(", ");
        with_spi(|spi| {
            let rows = Plan::prepare(spi, SQL, &[pg_sys::OIDOID, pg_sys::OIDOID, pg_sys::TEXTOID])
                .execute(spi, &[self.relation.into(), self.owner.into(), columns.into()]);
            let all_own = rows.get::<bool>(0, 2).unwrap_or(true);
            let own = rows.get::<String>(0, 1).filter(|_| !all_own);
            own.map(|own| format!("({own})"))
        })
    }

    pub fn looked_up(&self, name: &str) -> &Found {
        const UNKNOWN: &Found = &Found::Refused(String::new());
        self.looked_up.get(name).unwrap_or(UNKNOWN)
    }

    /// Returns why tables that exist are not read.
    pub fn refusals(&self) -> Vec<String> {
        let refused = self.looked_up.values().filter_map(|found| match found {
            Found::Refused(reason) => Some(reason.clone()),
            Found::Table(_) | Found::Missing(_) => None,
        });
        refused.collect()
    }

    /// Returns the type's name for a cast. Of a column that does not exist any more it is a name of no type, and preparing the statement
    /// fails.
    pub fn type_name(&self, column: &str) -> &str {
        self.columns
            .get(column)
            .map_or("a_column_that_is_gone", |column| &column.type_name)
    }

    pub fn type_oid(&self, column: &str) -> pg_sys::Oid {
        self.columns
            .get(column)
            .map_or(pg_sys::InvalidOid, |column| column.type_oid)
    }

    /// Returns the operator that PostgreSQL uses for equality of the column's type.
    pub fn equality_of(&self, column: &str) -> String {
        const SQL: &str = "SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) \
                           FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = $1";
        let operator = equality::operator_of(self.type_oid(column)).unwrap_or(pg_sys::InvalidOid);
        let name = with_spi(|spi| {
            let rows = Plan::prepare(spi, SQL, &[pg_sys::OIDOID]).execute(spi, &[operator.into()]);
            rows.first::<String>()
        });
        name.unwrap_or_else(|| "OPERATOR(pg_catalog.=)".to_owned())
    }

    /// Returns whether the type's JSON is more than a string or a number.
    pub fn is_composite(&self, column: &str) -> bool {
        self.columns
            .get(column)
            .is_some_and(|column| column.is_composite && !column.is_foreign)
    }
}

/// What to do about a table that is locked by somebody else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Waits for lock_timeout at most.
    Waits,
    /// Leaves the table out.
    Passes,
}

/// Returns the names of the tables that a source's look-ups and its audience name.
pub fn names(source: &EventSource) -> Vec<String> {
    fn add(lookup: &Lookup, names: &mut Vec<String>) {
        names.push(lookup.from.clone());
        if let Key::Lookup(inner) = &*lookup.key {
            add(inner, names);
        }
    }
    let mut names = Vec::new();
    for expression in source.columns.values() {
        if let Expression::Lookup(lookup) = expression {
            add(lookup, &mut names);
        }
    }
    if let Audience::Person { projects, .. } = &source.audience {
        names.extend(projects.iter().map(|membership| membership.from.clone()));
    }
    names.sort_unstable();
    names.dedup();
    names
}

struct Class {
    owner: pg_sys::Oid,
    kind: u8,
    name: String,
    has_children: bool,
}

impl Class {
    fn others(&self, relation: pg_sys::Oid, owner: pg_sys::Oid) -> Vec<Other> {
        match self.owner == owner && !self.has_children {
            true => Vec::new(),
            false => others::of(relation, owner),
        }
    }
}

/// Locks the relation as a SELECT does, and reads its row in pg_class afterwards. None: it is gone.
fn lock_and_look(oid: pg_sys::Oid) -> Option<Class> {
    const SQL: &str = "SELECT c.relowner, c.relkind, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relhassubclass \
                       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";
    // This waits for lock_timeout at most. An OID of nothing can be locked too; that there is none is found out below.
    lock_waits::to_read(oid);
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::OIDOID]).execute(spi, &[oid.into()]);
        if rows.len() == 0 {
            return None;
        }
        Some(Class {
            owner: rows.get(0, 1)?,
            kind: rows.get::<i8>(0, 2)? as u8,
            name: rows.get(0, 3)?,
            has_children: rows.get(0, 4)?,
        })
    })
}

/// Returns the relation of that name. Up to PostgreSQL 15, text that cannot be a name is an error.
fn resolve(name: &str) -> Option<pg_sys::Oid> {
    let found = subtransaction::attempt(|| {
        with_spi(|spi| {
            let rows = Plan::prepare(
                spi,
                "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
                &[pg_sys::TEXTOID],
            )
            .execute(spi, &[name.into()]);
            rows.get::<pg_sys::Oid>(0, 1)
        })
    });
    match found {
        Ok(oid) => oid,
        Err(failure) if failure.is_lasting() => None,
        Err(failure) => failure.raise(),
    }
}

fn find(name: &str, owner: pg_sys::Oid, patience: Patience) -> Found {
    let gone = || Found::Missing(format!("{name} does not exist"));
    let Some(oid) = resolve(name) else { return gone() };
    if patience == Patience::Passes && !lock::to_read_if_free(oid) {
        return Found::Refused(format!("{name} is locked"));
    }
    let Some(class) = lock_and_look(oid) else {
        return gone();
    };
    match class.kind {
        pg_sys::RELKIND_VIEW => {
            return Found::Refused(format!(
                "{name} is a view, which is not looked into: its code would run with the table owner's rights"
            ));
        }
        pg_sys::RELKIND_FOREIGN_TABLE => {
            return Found::Refused(format!(
                "{name} is a foreign table, which is not looked into: its server may be away"
            ));
        }
        kind if !is_readable(oid, kind, owner) => {
            return Found::Refused(format!(
                "{name} has row-level security that applies to the owner of the attached table"
            ));
        }
        _ => {}
    }
    let columns = column_types::of(oid, owner);
    Found::Table(Table {
        oid,
        others: class.others(oid, owner),
        name: class.name,
        columns,
    })
}

fn is_readable(oid: pg_sys::Oid, kind: u8, owner: pg_sys::Oid) -> bool {
    let kinds = [
        pg_sys::RELKIND_RELATION,
        pg_sys::RELKIND_PARTITIONED_TABLE,
        pg_sys::RELKIND_MATVIEW,
    ];
    kinds.contains(&kind) && !relation::is_under_policies(oid, owner)
}
