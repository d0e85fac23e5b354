//! What the row itself does not have: values of other tables' rows.

use pgrx::pg_sys;

use super::lookup::DirectLookups;
use super::value::{Kind, Scalar};
use crate::plan::{Plan, with_spi};

/// A source's look-ups: straight through unique indexes where they can be, else by a statement.
pub struct Enrichment {
    /// Right in every case: Postgres plans it anew when a table has changed, and checks the rights.
    statement: Plan,
    /// Index in the source's columns of each parameter.
    parameters: Vec<usize>,
    direct: Option<DirectLookups>,
    /// For each look-up, the index in the source's columns of what it starts from.
    roots: Vec<usize>,
    kinds: Vec<Kind>,
}

impl Enrichment {
    /// Runs the statement once, on nulls: what will not work (a privilege, a type) fails here.
    pub fn prepare(
        sql: &str,
        parameters: Vec<usize>,
        types: &[pg_sys::Oid],
        roots: Vec<usize>,
        direct: Option<DirectLookups>,
    ) -> Self {
        let (statement, kinds) = with_spi(|| {
            let statement = Plan::prepare(sql, types);
            let rows = statement.execute(&vec![None; types.len()]);
            let kinds = (1..=roots.len()).map(|column| Kind::of(rows.get(0, column).1));
            let kinds = kinds.collect();
            (statement, kinds)
        });
        Enrichment {
            statement,
            parameters,
            direct,
            roots,
            kinds,
        }
    }

    /// Looks up what belongs to the row with these values; with the rights of the table's owner, which are the caller's to set.
    pub fn find(&self, values: &[Option<pg_sys::Datum>]) -> Findings<'_> {
        let direct = self.direct.as_ref().and_then(|direct| direct.find(values));
        let found = direct.unwrap_or_else(|| self.execute(values));
        let missing =
            |(found, root): (&Option<pg_sys::Datum>, &usize)| found.is_none() && values[*root].is_some();
        Findings {
            incomplete: found.iter().zip(&self.roots).any(missing),
            kinds: &self.kinds,
            values: found,
        }
    }

    fn execute(&self, values: &[Option<pg_sys::Datum>]) -> Vec<Option<pg_sys::Datum>> {
        let parameters: Vec<_> = self.parameters.iter().map(|column| values[*column]).collect();
        with_spi(|| {
            let rows = self.statement.execute(&parameters);
            (1..=self.roots.len())
                .map(|column| rows.keep(0, column))
                .collect()
        })
    }
}

/// What the look-ups of a row have found.
pub struct Findings<'a> {
    kinds: &'a [Kind],
    values: Vec<Option<pg_sys::Datum>>,
    /// One found nothing although the row has a key: the other row may be written later in the transaction.
    pub incomplete: bool,
}

impl Findings<'_> {
    pub fn scalar(&self, lookup: usize) -> Scalar<'_> {
        // SAFETY: the kind is that of the look-up's column, and the value stays as long as the memory context of find().
        unsafe { self.kinds[lookup].read(self.values[lookup]) }
    }
}
