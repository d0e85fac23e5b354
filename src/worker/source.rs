//! Event sources, as the worker reads them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::apart::{Credit, SharedBudget};

use crate::event_source::{ColumnRef, EventSource, Expression, Image, Row};
use crate::plan::{Plan, with_spi};
use crate::wake::{Held, Slot, registry};

/// An event source: a row of `event_source`.
pub struct Source {
    pub definition: EventSource,
    pub image: Image,
    pub relation: pg_sys::Oid,
    /// The OID of the table's owner when the source was read.
    pub owner: u32,
    /// Whether it is suspended: nothing is looked up for it.
    suspended: bool,
    /// Whether its look-ups have ended a worker.
    unending: bool,
    /// Until when it is left out because something of its owner's has ended a worker, and what.
    held: Option<(Held, Instant)>,
}

impl Source {
    /// Returns whether nothing is looked up for it.
    pub fn is_left_out(&self) -> bool {
        self.suspended || self.held_for().is_some()
    }

    /// Returns whether not even the tables that say who hears are read.
    pub fn is_unending(&self) -> bool {
        self.unending || matches!(self.held, Some((Held::Everything, until)) if until > Instant::now())
    }

    /// Returns for how long it is still left out although it was attached again.
    pub fn held_for(&self) -> Option<Duration> {
        let (_, until) = self.held.filter(|_| !self.suspended)?;
        until.checked_duration_since(Instant::now())
    }

    fn is_held_by(&self, held: Held) -> bool {
        let mut columns = self.definition.columns.values();
        held == Held::Everything || columns.any(|column| matches!(column, Expression::Sql { .. }))
    }
}

/// The kinds of work that are done for a source's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tried {
    LookUps,
    Memberships,
    Counts,
}

/// The time that the sources' rows may take. The rows of each owner of partitions are apart from those of the attached table's owner, and
/// what a role answers for is limited in all.
#[derive(Default)]
pub struct Credits {
    of: HashMap<(i64, Tried, Option<u32>), Credit>,
    budgets: HashMap<u32, SharedBudget>,
}

impl Credits {
    pub fn of(&mut self, source: &Source, tried: Tried, partition_owner: Option<u32>) -> &mut Credit {
        let id = source.definition.id;
        let same = |(known, what, _): &(i64, Tried, Option<u32>)| *known == id && *what == tried;
        let worked = self.of.iter().any(|(key, credit)| same(key) && credit.worked);
        let budget = self
            .budgets
            .entry(partition_owner.unwrap_or(source.owner))
            .or_default();
        let credit = self
            .of
            .entry((id, tried, partition_owner))
            .or_insert_with(|| Credit::new(budget.clone()));
        credit.worked |= worked;
        credit
    }

    /// Forgets the sources' credits, since the configuration has changed: what took long may have been mended. What roles have used stays,
    /// since they may change their tables at any time.
    pub fn forget(&mut self) {
        self.of.clear();
    }
}

/// All event sources, by number.
#[derive(Default)]
pub struct Sources(HashMap<i64, Source>);

impl Sources {
    pub fn load(slot: &Slot) -> Sources {
        const SQL: &str = "SELECT s.id, s.event_type::text, s.columns::text, s.audience::text, s.progress::text, to_json(s.omit)::text, \
                                  s.relation::oid, s.suspended_at IS NOT NULL, s.written_by::text, \
                                  s.suspended_at IS NOT NULL AND s.suspended_reason = ANY ($1), c.relowner, s.written_by_oid \
                           FROM zentry_notify.event_source s LEFT JOIN pg_catalog.pg_class c ON c.oid = s.relation";
        with_spi(|spi| {
            let reasons: Vec<String> = Ending::ALL.iter().map(|ending| ending.reason()).collect();
            let rows = Plan::prepare(spi, SQL, &[pg_sys::TEXTARRAYOID]).execute(spi, &[reasons.into()]);
            let source = |row| {
                let (definition, relation, suspended, unending, owner) = {
                    let text = |column| rows.get::<String>(row, column);
                    let definition = Row {
                        id: rows.get::<i64>(row, 1)?,
                        event_type: text(2)?,
                        columns: text(3)?,
                        audience: text(4)?,
                        progress: text(5),
                        transition: None,
                        omit: serde_json::from_str(&text(6)?).unwrap_or_default(),
                        written_by: text(9),
                        written_by_oid: rows.get::<pg_sys::Oid>(row, 12).map(|role| role.to_u32()),
                    };
                    let relation = rows.get::<pg_sys::Oid>(row, 7)?;
                    (
                        definition,
                        relation,
                        rows.get::<bool>(row, 8)?,
                        rows.get::<bool>(row, 10)?,
                        rows.get::<pg_sys::Oid>(row, 11).map_or(0, |owner| owner.to_u32()),
                    )
                };
                let id = definition.id;
                match EventSource::parse(definition) {
                    Ok(definition) => {
                        let mut source = Source {
                            image: image(&definition),
                            definition,
                            relation,
                            owner,
                            suspended,
                            unending,
                            held: None,
                        };
                        source.held = registry()
                            .and_then(|registry| registry.held(slot, owner))
                            .filter(|(held, _)| source.is_held_by(*held))
                            .map(|(held, left)| (held, Instant::now() + left));
                        Some(source)
                    }
                    // Somebody has written the row by hand. Its events are sent as they are.
                    Err(error) => {
                        pgrx::warning!("zentry_notify: event source {id} is not used: {error}");
                        None
                    }
                }
            };
            let sources = (0..rows.len()).filter_map(source);
            Sources(sources.map(|source| (source.definition.id, source)).collect())
        })
    }

    pub fn get(&self, id: i64) -> Option<&Source> {
        self.0.get(&id)
    }

    /// Suspends the source: nothing is looked up for it until it is attached again.
    pub fn suspend(&mut self, id: i64) {
        if let Some(source) = self.0.get_mut(&id) {
            source.suspended = true;
        }
    }
}

/// Returns where the columns of its events come from. Events of milestones are made by the worker, of the project's id.
fn image(definition: &EventSource) -> Image {
    match &definition.progress {
        None => definition.image(),
        Some(progress) => Image {
            data: Vec::new(),
            context: vec![(progress.group.clone(), ColumnRef::new(&progress.group))],
            exact: Vec::new(),
        },
    }
}

/// How the look-ups of a source ended a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They did not react to a cancel.
    GoesOn,
    /// The process was killed or crashed, twice in a row.
    Crashes,
}

impl Ending {
    const ALL: [Ending; 2] = [Ending::GoesOn, Ending::Crashes];

    /// Returns words for it, to be put after the name of what did it.
    pub fn words(self) -> &'static str {
        match self {
            Ending::GoesOn => "goes on when it is cancelled",
            Ending::Crashes => "ran in two processes in a row that were killed or crashed",
        }
    }

    /// Returns why the source is suspended.
    pub fn reason(self) -> String {
        format!("what is looked up for it {}", self.words())
    }

    /// Returns why another source of the same role is suspended.
    fn reason_of_others(self) -> String {
        format!(
            "what is looked up for another table of its owner {}",
            self.words()
        )
    }
}

/// The reason why a source is left out that was attached again soon afterwards.
pub const HELD: &str = "left out for an hour: what is looked up for a table of its owner has ended a worker";

/// Returns whether the source's table belongs to the role, or does not exist any more.
pub fn is_of(source: i64, role: u32) -> bool {
    const SQL: &str = "SELECT c.relowner FROM zentry_notify.event_source s JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) s.relation \
                       WHERE s.id OPERATOR(pg_catalog.=) $1";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::INT8OID]).execute(spi, &[source.into()]);
        rows.first::<pg_sys::Oid>()
            .is_none_or(|owner| owner.to_u32() == role)
    })
}

/// Suspends the source that ended a worker, and the sources of the same owner that may do the same. Rows that are locked are skipped.
pub fn suspend_unending(source: i64, owner: u32, held: Held, ending: Ending) {
    const SQL: &str = "UPDATE zentry_notify.event_source \
                       SET suspended_at = pg_catalog.now(), suspended_reason = CASE WHEN id OPERATOR(pg_catalog.=) $1 THEN $4 ELSE $5 END \
                       WHERE id IN (\
                         SELECT s.id FROM zentry_notify.event_source s LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) s.relation \
                          WHERE s.suspended_at IS NULL AND (s.id OPERATOR(pg_catalog.=) $1 \
                                OR c.relowner OPERATOR(pg_catalog.=) $2 AND ($3 OR pg_catalog.jsonb_path_exists(s.columns, '$.*.expression'))) \
                            FOR UPDATE OF s SKIP LOCKED)";
    with_spi(|spi| {
        let types = [
            pg_sys::INT8OID,
            pg_sys::OIDOID,
            pg_sys::BOOLOID,
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
        ];
        Plan::prepare(spi, SQL, &types).execute(
            spi,
            &[
                source.into(),
                pg_sys::Oid::from(owner).into(),
                (held == Held::Everything).into(),
                ending.reason().as_str().into(),
                ending.reason_of_others().as_str().into(),
            ],
        );
    });
}

/// What is wrong with a source's look-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// None of them works.
    Suspended,
    /// Some are left out, and the others work.
    LeftOut,
    /// They fail for some events. It does not replace another note on the source.
    Remark,
}

/// A note that a source's look-ups do not work, or not all of them.
pub struct Suspension {
    pub source: i64,
    pub reason: String,
    pub weight: Weight,
}

impl Suspension {
    /// Writes the note. Look-ups of a suspended source are not tried again.
    pub fn write(&self) {
        const SQL: &str = "UPDATE zentry_notify.event_source s \
                           SET suspended_at = CASE WHEN $3 THEN now() ELSE s.suspended_at END, suspended_reason = $2 \
                           WHERE s.id = $1 AND s.suspended_at IS NULL AND s.suspended_reason IS DISTINCT FROM $2 \
                             AND ($4 OR s.suspended_reason IS NULL)";
        let (suspends, replaces) = match self.weight {
            Weight::Suspended => (true, true),
            Weight::LeftOut => (false, true),
            Weight::Remark => (false, false),
        };
        with_spi(|spi| {
            let types = [pg_sys::INT8OID, pg_sys::TEXTOID, pg_sys::BOOLOID, pg_sys::BOOLOID];
            Plan::prepare(spi, SQL, &types).execute(
                spi,
                &[
                    self.source.into(),
                    self.reason.as_str().into(),
                    suspends.into(),
                    replaces.into(),
                ],
            );
        });
    }
}
