//! SQL that a user gives: read by PostgreSQL's own parser, and written again with every name qualified.
//!
//! What comes out is a single expression whatever went in, and means the same under any search path.

use std::ffi::{CStr, CString, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::search_path::{OURS, SearchPath};
use super::{version, when};
use crate::report;

/// An expression over a row of a table.
pub struct OverRow {
    /// The columns that it names, by `attnum`.
    pub attributes: Vec<i32>,
    /// Over a row that is called `new`, with every name qualified.
    pub sql: String,
    /// The functions that it calls by name.
    pub functions: Vec<pg_sys::Oid>,
    /// The types that it converts something to.
    pub types: Vec<pg_sys::Oid>,
}

/// Reads `text` as an expression over one row of `relation`, whose qualified name is `name`; the row may be called `new`. `path`: where its
/// names are looked for. An error: it is none, or would mean something else without that path.
pub fn over_row(text: &str, relation: pg_sys::Oid, name: &str, path: &CStr) -> OverRow {
    let given = analyse(text, name, path);
    let sql = deparse(&given, relation);
    let stored = analyse(&sql, name, OURS);
    let given_operations = operations(given.node);
    if given_operations != operations(stored.node) {
        refuse(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "NULLIF, CASE ... WHEN or IS DISTINCT FROM in it compares by an operator that only your search path finds: \
             write the comparison with = instead, such as CASE WHEN a = b THEN NULL ELSE a END",
        );
    }
    let is_call = |(tag, _): &&(u32, pg_sys::Oid)| *tag == pg_sys::NodeTag::T_FuncExpr as u32;
    OverRow {
        attributes: given.attributes,
        sql,
        functions: given_operations
            .iter()
            .filter(is_call)
            .map(|(_, oid)| *oid)
            .collect(),
        types: given_operations.into_iter().filter_map(converted_to).collect(),
    }
}

/// An expression that PostgreSQL has read.
struct Analysed {
    node: *mut pg_sys::Node,
    attributes: Vec<i32>,
}

fn deparse(expression: &Analysed, relation: pg_sys::Oid) -> String {
    let _path = SearchPath::pinned();
    // SAFETY: an analysed expression whose only table is the relation; the text is copied.
    unsafe {
        let context = pg_sys::deparse_context_for(c"new".as_ptr(), relation);
        let text = pg_sys::deparse_expression(expression.node, context, true, false);
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

fn analyse(text: &str, name: &str, path: &CStr) -> Analysed {
    if !when::is_single_expression(text) {
        refuse(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, "it must be one expression");
    }
    let sql = c_string(&format!("SELECT ({text}\n) FROM {name} AS new"));
    let _path = SearchPath::set(path);
    // SAFETY: one statement, as is_single_expression has made sure, with one column of the result and one table.
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
        Analysed {
            node: (*pg_sys::list_nth((*query).targetList, 0).cast::<pg_sys::TargetEntry>())
                .expr
                .cast::<pg_sys::Node>(),
            attributes: attributes(query, 1),
        }
    }
}

/// The operators, functions and types that an expression uses, in order: two that have the same mean the same.
fn operations(expression: *mut pg_sys::Node) -> Vec<(u32, pg_sys::Oid)> {
    #[pg_guard]
    unsafe extern "C-unwind" fn step(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        use pg_sys::NodeTag::*;
        if node.is_null() {
            return false;
        }
        // SAFETY: the context is the list of the function around; each node is of the type that its tag names.
        unsafe {
            let found = &mut *context.cast::<Vec<(u32, pg_sys::Oid)>>();
            let tag = (*node).type_;
            let oid = match tag {
                T_OpExpr | T_DistinctExpr | T_NullIfExpr => Some((*node.cast::<pg_sys::OpExpr>()).opno),
                T_ScalarArrayOpExpr => Some((*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno),
                T_FuncExpr => Some((*node.cast::<pg_sys::FuncExpr>()).funcid),
                T_Aggref => Some((*node.cast::<pg_sys::Aggref>()).aggfnoid),
                T_RelabelType => Some((*node.cast::<pg_sys::RelabelType>()).resulttype),
                T_CoerceViaIO => Some((*node.cast::<pg_sys::CoerceViaIO>()).resulttype),
                T_Const => Some((*node.cast::<pg_sys::Const>()).consttype),
                T_CoerceToDomain => Some((*node.cast::<pg_sys::CoerceToDomain>()).resulttype),
                T_ArrayCoerceExpr => Some((*node.cast::<pg_sys::ArrayCoerceExpr>()).resulttype),
                T_RowExpr => Some((*node.cast::<pg_sys::RowExpr>()).row_typeid),
                _ => None,
            };
            found.extend(oid.map(|oid| (tag as u32, oid)));
            if tag == T_Query {
                return pg_sys::query_or_expression_tree_walker(node, Some(step), context, 0);
            }
            pg_sys::expression_tree_walker(node, Some(step), context)
        }
    }
    let mut found: Vec<(u32, pg_sys::Oid)> = Vec::new();
    // SAFETY: an analysed expression.
    unsafe { step(expression, (&raw mut found).cast()) };
    found
}

/// The type that such an operation converts to, if it does.
fn converted_to((tag, oid): (u32, pg_sys::Oid)) -> Option<pg_sys::Oid> {
    use pg_sys::NodeTag::*;
    [
        T_RelabelType,
        T_CoerceViaIO,
        T_Const,
        T_CoerceToDomain,
        T_ArrayCoerceExpr,
        T_RowExpr,
    ]
    .into_iter()
    .any(|converts| converts as u32 == tag)
    .then_some(oid)
}

/// Returns which columns of the query's table it reads.
///
/// # Safety
/// As [`version::selected_columns`].
unsafe fn attributes(query: *mut pg_sys::Query, number: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut member = -1;
    loop {
        // SAFETY: by the caller's promise.
        member = unsafe { pg_sys::bms_next_member(version::selected_columns(query, number), member) };
        if member < 0 {
            return found;
        }
        let attribute = member + pg_sys::FirstLowInvalidHeapAttributeNumber;
        if attribute <= 0 {
            refuse(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "it names the whole row or a system column: name columns",
            );
        }
        found.push(attribute);
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
