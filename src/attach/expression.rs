//! SQL expressions that users give for values of the data.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::table::{Column, Table};
use crate::pg::expression;
use crate::pg::own_code::{self, AsOwner};
use crate::pg::setting;
use crate::search_path::SearchPath;
use crate::subtransaction::{self, Failure};
use crate::{column_types, report};

/// An expression over a row of a table.
pub struct Expression {
    /// The columns that it reads.
    pub columns: Vec<String>,
    /// The expression over a row that is called `new`, with every name qualified.
    pub sql: String,
}

impl Expression {
    /// Parses a text as an expression over one row of the table, which may be called `new` in it. Names are resolved under the search path `path`.
    ///
    /// # Errors
    /// Why the text is no such expression, or may not run with the rights of the table's owner, in English.
    pub fn over_row(text: &str, table: &Table, path: &CStr) -> Result<Self, Failure> {
        subtransaction::attempt(|| {
            let _language = setting::hold(&setting::ENGLISH);
            // Parse analysis converts literals, by input functions of the columns' types and checks of their domains. So it runs with the rights of
            // the table's owner, who has chosen these types and whose rights the caller has.
            let owner = pg_sys::Oid::from(table.owner_oid);
            let _owner = AsOwner::of(owner);
            let read = expression::over_row(text, table.oid(), &table.name, path);
            if let Some(function) = read
                .functions
                .iter()
                .find_map(|function| own_code::forbidden(*function))
            {
                own_code::refuse_forbidden(&function);
            }
            let _path = SearchPath::pinned();
            if let Some((name, role)) = column_types::checked_by_others(read.types, owner) {
                report::error(
                    PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                    format!(
                        "it converts to type {name} of role \"{role}\", whose checks would run with the rights of the table's owner"
                    ),
                    "",
                    "",
                );
            }
            let named = |column: &&Column| read.attributes.contains(&column.number);
            let columns = table
                .columns
                .iter()
                .filter(named)
                .map(|column| column.name.clone());
            Expression {
                columns: columns.collect(),
                sql: read.sql,
            }
        })
    }
}
