//! Operators for the comparison of a column's values: the type's default ones, whatever the search path is.

use std::fmt;

use pgrx::prelude::*;

use super::table::{Column, text_of};
use crate::pg::make_trigger::Operator;
use crate::report;

/// An operator as SQL has it: its `Display` is `OPERATOR(schema.name)`.
#[derive(Debug)]
pub struct Compare {
    /// Whether it is PostgreSQL's own, so that `capture` itself may run it.
    pub built_in: bool,
    sql: String,
}

impl Compare {
    /// Returns the type's `=`. It raises an error if it has none.
    pub fn equality(column: &Column) -> Compare {
        match Operator::equality(column.type_oid()) {
            Some(operator) => Compare::of(operator),
            None => report::error(
                PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
                format!(
                    "column \"{}\" is of type {}, whose values cannot be compared",
                    column.name, column.r#type
                ),
                "",
                "Say when the event happens: condition => '...'.",
            ),
        }
    }

    /// Returns the type's `>`; None: it has no order.
    pub fn greater(column: &Column) -> Option<Compare> {
        Operator::greater(column.type_oid()).map(Compare::of)
    }

    fn of(operator: Operator) -> Compare {
        const SQL: &str = "SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
              FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = $1";
        Compare {
            built_in: operator.built_in,
            sql: text_of(SQL, &[operator.oid.into()]).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}
