//! SQL that a user gives: read by PostgreSQL's own parser, and written again with every name qualified.
//!
//! What comes out is a single expression whatever went in, and means the same under any search path.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::table::Table;
use crate::report;
use crate::search_path::SearchPath;
use crate::subtransaction::{self, Failure};
use crate::version;

/// An expression over a row, or over the old and the new one.
pub struct Expression {
    node: *mut pg_sys::Node,
    relation: pg_sys::Oid,
    /// Columns of the new row that it names.
    pub columns: Vec<String>,
    /// It names the row before the write too.
    pub uses_old: bool,
    pub has_sub_select: bool,
    pub type_oid: pg_sys::Oid,
    text: String,
}

impl Expression {
    /// Reads it as an expression over one row, which may be called `new`. `path`: where its names are looked for.
    pub fn over_row(text: &str, table: &Table, path: &CStr) -> Result<Self, Failure> {
        subtransaction::attempt(|| analyse(text, table, path, &["new"]))
    }

    /// The same over `old` and `new`.
    pub fn over_write(text: &str, table: &Table, path: &CStr) -> Result<Self, Failure> {
        subtransaction::attempt(|| analyse(text, table, path, &["new", "old"]))
    }

    /// The text as it was given.
    pub fn given(&self) -> &str {
        &self.text
    }

    /// The expression over one row, which is called `row` (`new` or `old`), under the search path that rules.
    pub fn sql(&self, row: &CStr) -> String {
        // SAFETY: an analysed expression whose only table is the relation; the text is copied.
        unsafe {
            let context = pg_sys::deparse_context_for(row.as_ptr(), self.relation);
            let text = pg_sys::deparse_expression(self.node, context, true, false);
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

fn analyse(text: &str, table: &Table, path: &CStr, rows: &[&str]) -> Expression {
    if !when::is_single_expression(text) {
        refuse(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, "it must be one expression");
    }
    let from: Vec<String> = rows
        .iter()
        .map(|row| format!("{} AS {row}", table.name))
        .collect();
    let sql = c_string(&format!("SELECT ({text}\n) FROM {}", from.join(", ")));
    let _path = SearchPath::set(path);
    // SAFETY: one statement, as is_single_expression has made sure, with one column of the result and as many tables as rows.
    unsafe {
        let statements = pg_sys::pg_parse_query(sql.as_ptr());
        let statement = pg_sys::list_nth(statements, 0).cast::<pg_sys::RawStmt>();
        let query = version::analyse(statement, &sql);
        if length((*query).targetList) != 1 {
            refuse(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, "it must be one expression");
        }
        if (*query).hasAggs || (*query).hasWindowFuncs || (*query).hasTargetSRFs || (*query).hasModifyingCTE {
            refuse(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "it must give one value for one row",
            );
        }
        let node = (*pg_sys::list_nth((*query).targetList, 0).cast::<pg_sys::TargetEntry>())
            .expr
            .cast::<pg_sys::Node>();
        Expression {
            node,
            relation: pg_sys::Oid::from(table.oid),
            columns: columns(query, 1, table),
            uses_old: rows.len() > 1 && !columns(query, 2, table).is_empty(),
            has_sub_select: (*query).hasSubLinks,
            type_oid: pg_sys::exprType(node),
            text: text.to_owned(),
        }
    }
}

/// Names of the columns of the query's table that it reads.
///
/// # Safety
/// As [`version::selected_columns`].
unsafe fn columns(query: *mut pg_sys::Query, number: i32, table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let mut member = -1;
    loop {
        // SAFETY: by the caller's promise.
        let next = unsafe { pg_sys::bms_next_member(version::selected_columns(query, number), member) };
        if next < 0 {
            return found;
        }
        member = next;
        let attribute = next + pg_sys::FirstLowInvalidHeapAttributeNumber;
        match table.columns.iter().find(|column| column.number == attribute) {
            Some(column) => found.push(column.name.clone()),
            None => refuse(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "it names the whole row or a system column: name columns",
            ),
        }
    }
}

fn length(list: *mut pg_sys::List) -> i32 {
    // SAFETY: a null list is the empty one.
    unsafe { list.as_ref() }.map_or(0, |list| list.length)
}

fn c_string(text: &str) -> CString {
    // Text from PostgreSQL has no zero byte.
    CString::new(text).unwrap_or_default()
}

fn refuse(code: PgSqlErrorCode, message: &str) -> ! {
    report::error(code, message.to_owned(), "", "")
}
