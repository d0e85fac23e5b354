//! Values that an SQL expression makes of the row.

use std::cell::Cell;

use pgrx::prelude::*;

use super::value::{Kind, Scalar};
use crate::plan::{Plan, with_spi};
use crate::search_path::SearchPath;
use crate::subtransaction::{self, Failure};

/// A source's expressions. They are the only part that can fail on a row, so they run in a subtransaction.
pub struct Computed {
    statement: Plan,
    /// Index in the source's columns of each parameter.
    parameters: Vec<usize>,
    count: usize,
    /// The session has been told that they fail.
    warned: Cell<bool>,
}

/// A column that expressions name.
pub struct Parameter<'a> {
    /// In the source's columns.
    pub index: usize,
    pub name: &'a str,
    pub type_oid: pg_sys::Oid,
}

impl Computed {
    /// Prepares the expressions and runs them on nulls; an error is one of names, types or rights.
    pub fn prepare(expressions: &[String], parameters: &[Parameter]) -> Self {
        let row: Vec<String> = parameters
            .iter()
            .enumerate()
            .map(|(number, parameter)| {
                format!(
                    "${} AS {}",
                    number + 1,
                    pgrx::spi::quote_identifier(parameter.name)
                )
            })
            .collect();
        let list: Vec<String> = expressions.iter().map(|sql| format!("({sql}\n)")).collect();
        let sql = format!(
            "SELECT {} FROM (SELECT {}) AS new",
            list.join(", "),
            row.join(", ")
        );
        let types: Vec<pg_sys::Oid> = parameters.iter().map(|parameter| parameter.type_oid).collect();
        let _path = SearchPath::pinned();
        let computed = Computed {
            statement: with_spi(|| Plan::prepare(&sql, &types)),
            parameters: parameters.iter().map(|parameter| parameter.index).collect(),
            count: expressions.len(),
            warned: Cell::new(false),
        };
        let nulls = vec![None; parameters.iter().map(|p| p.index + 1).max().unwrap_or(0)];
        if let Err(failure) = computed.run(&nulls) {
            failure.raise_if_lasting();
        }
        computed
    }

    /// The values for the row, with the rights of the table's owner, which are the caller's to set. Where an expression fails,
    /// all are null and the session gets a warning, the first time.
    pub fn values(&self, event_type: &str, values: &[Option<pg_sys::Datum>]) -> Values {
        self.run(values).unwrap_or_else(|failure| {
            if !self.warned.replace(true) {
                crate::report::warning(
                    PgSqlErrorCode::ERRCODE_WARNING,
                    format!("zentry_notify: an expression of {event_type} fails: {failure}"),
                    "The write itself is not affected, and the event is told without what the expressions give.",
                );
            }
            Values(vec![None; self.count])
        })
    }

    fn run(&self, values: &[Option<pg_sys::Datum>]) -> Result<Values, Failure> {
        let arguments: Vec<_> = self.parameters.iter().map(|column| values[*column]).collect();
        subtransaction::attempt(|| {
            let _path = SearchPath::pinned();
            with_spi(|| {
                let rows = self.statement.execute(&arguments);
                let value = |column| Some((Kind::of(rows.get(0, column).1), rows.keep(0, column)?));
                Values((1..=self.count).map(value).collect())
            })
        })
    }
}

/// What the expressions have given for a row.
pub struct Values(Vec<Option<(Kind, pg_sys::Datum)>>);

impl Values {
    pub fn scalar(&self, expression: usize) -> Scalar<'_> {
        match self.0[expression] {
            // SAFETY: the kind is that of the value's type, and the value stays as long as the memory context of values().
            Some((kind, value)) => unsafe { kind.read(Some(value)) },
            None => Scalar::Null,
        }
    }
}
