//! SQL expressions of users: parsed by PostgreSQL's own parser, and deparsed with every name qualified.
//!
//! The result is a single expression, whatever the text was, and means the same under every search path.

use std::ffi::{CStr, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::search_path::{OURS, SearchPath};
use super::version;
use super::when::{self, c_string, length};
use crate::report;

/// An expression over a row of a table.
pub struct OverRow {
    /// The columns that it reads, by `attnum`.
    pub attributes: Vec<i32>,
    /// The expression over a row that is called `new`, with every name qualified.
    pub sql: String,
    /// The functions that it calls by name.
    pub functions: Vec<pg_sys::Oid>,
    /// The types that it converts values to.
    pub types: Vec<pg_sys::Oid>,
}

/// Parses `text` as an expression over one row of `relation`, whose qualified name is `name`; in the text, the row may be called `new`. Names
/// are resolved under the search path `path`. It raises an error if the text is no such expression, or if it would mean something else
/// under another search path.
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

/// An expression after parse analysis.
struct Analysed {
    node: *mut pg_sys::Node,
    attributes: Vec<i32>,
}

fn deparse(expression: &Analysed, relation: pg_sys::Oid) -> String {
    let _path = SearchPath::pinned();
    // SAFETY: the expression is analysed, and its only range table entry is the relation; the text is a C string, which is copied.
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
    // SAFETY: by is_single_expression(), the text is one SELECT with one target, whose only table is the one of the FROM clause; each cast is
    // to the type of the list's elements.
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

/// Returns the operators, functions and types that an expression uses, with the tags of their nodes, in the order of the tree. Two
/// expressions of the same text that use the same mean the same.
fn operations(expression: *mut pg_sys::Node) -> Vec<(u32, pg_sys::Oid)> {
    #[pg_guard]
    unsafe extern "C-unwind" fn step(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        use pg_sys::NodeTag::*;
        if node.is_null() {
            return false;
        }
        // SAFETY: `context` is the vector of operations(), which nothing else borrows meanwhile; each node is of the type that its tag names.
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
    // SAFETY: the node is an analysed expression, and `found` outlives the walk.
    unsafe { step(expression, (&raw mut found).cast()) };
    found
}

/// Returns the type that an operation converts to, if it is a conversion.
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

/// Returns the columns that the query reads of its table with that number, by `attnum`.
///
/// # Safety
/// As for [`version::selected_columns`].
unsafe fn attributes(query: *mut pg_sys::Query, number: i32) -> Vec<i32> {
    let mut found = Vec::new();
    // SAFETY: by the caller's promise.
    let columns = unsafe { version::selected_columns(query, number) };
    let mut member = -1;
    loop {
        // SAFETY: a set of the query, which nobody changes; null is the empty set.
        member = unsafe { pg_sys::bms_next_member(columns, member) };
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

fn refuse(code: PgSqlErrorCode, message: &str) -> ! {
    report::error(code, message.to_owned(), "", "")
}
