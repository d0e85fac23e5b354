//! The WHEN condition of a trigger, parsed once by PostgreSQL's parser and kept as its tree. It is never deparsed: the text might be parsed
//! differently under another search path (operators of citext, NULLIF, IS DISTINCT FROM).

use std::ffi::{CStr, CString, c_void};
use std::ptr;

use pgrx::prelude::*;
use pgrx::{PgRelation, pg_sys};

/// The range table indexes of OLD and NEW in a trigger's condition (`PRS2_OLD_VARNO`, `PRS2_NEW_VARNO`).
const OLD: i32 = 1;
const NEW: i32 = 2;

/// The row that a condition refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Old,
    New,
}

/// What a condition refers to by name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names {
    pub old: bool,
    pub new: bool,
    pub sub_select: bool,
}

/// An analysed condition of a table's triggers, in the memory context in which it was made.
pub struct When {
    clause: *mut pg_sys::Node,
    /// The range table of the clause: OLD and NEW.
    tables: *mut pg_sys::List,
}

impl Names {
    /// Returns the names in a text that [`is_single_expression`]. It raises an error if the text cannot be parsed.
    pub fn of(text: &str) -> Names {
        let mut names = Names::default();
        // SAFETY: parse() returns a tree that nobody else has; each cast is to the type that the node's tag names.
        unsafe {
            walk(parse(&parenthesised(text)), &mut |node| match (*node).type_ {
                pg_sys::NodeTag::T_SubLink => names.sub_select = true,
                pg_sys::NodeTag::T_ColumnRef => match Row::named(node.cast()) {
                    Some(Row::Old) => names.old = true,
                    Some(Row::New) => names.new = true,
                    None => {}
                },
                _ => {}
            });
        }
        names
    }
}

impl Row {
    fn name(self) -> &'static CStr {
        match self {
            Row::Old => c"old",
            Row::New => c"new",
        }
    }

    /// Returns the row that a column reference is qualified by, or is itself.
    ///
    /// # Safety
    /// `column` is a ColumnRef.
    unsafe fn named(column: *mut pg_sys::ColumnRef) -> Option<Row> {
        // SAFETY: by the caller's promise.
        let first = unsafe { first_name(column) }?;
        [Row::Old, Row::New].into_iter().find(|row| first == row.name())
    }
}

impl When {
    /// Analyses a condition over OLD and NEW of the table's rows. Names are resolved as the current role, under the current search path.
    pub fn over_write(text: &str, table: &PgRelation) -> When {
        // SAFETY: parse() returns a raw expression.
        unsafe { When::transform(parse(&parenthesised(text)), table) }
    }

    /// Analyses a condition over one row: unqualified columns, and those of NEW, are that row's.
    pub fn over_row(text: &str, row: Row, table: &PgRelation) -> When {
        // SAFETY: as above, a tree that nobody else has.
        unsafe {
            let tree = parse(&parenthesised(text));
            point_to(tree, row);
            When::transform(tree, table)
        }
    }

    /// Analyses the condition that `text` holds of the new row and did not hold of the old one.
    pub fn has_become_true(text: &str, table: &PgRelation) -> When {
        let text = parenthesised(text);
        // SAFETY: as above. The parsed text is an AND, since NOT and IS bind stronger: a BoolExpr into which the parser flattens an AND at the
        // beginning of the condition (makeAndExpr). Its last argument is the IS NOT TRUE.
        unsafe {
            let all = parse(&format!("{text} AND {text} IS NOT TRUE")).cast::<pg_sys::BoolExpr>();
            let last = length((*all).args) - 1;
            for place in 0..=last {
                let member = pg_sys::list_nth((*all).args, place).cast::<pg_sys::Node>();
                point_to(member, if place < last { Row::New } else { Row::Old });
            }
            When::transform(all.cast(), table)
        }
    }

    /// Analyses a raw expression as CREATE TRIGGER does.
    ///
    /// # Safety
    /// `tree` is a raw expression.
    unsafe fn transform(tree: *mut pg_sys::Node, table: &PgRelation) -> When {
        // SAFETY: the steps of CreateTriggerFiringOn, with the same two range table entries in the same order; the table is open and locked.
        unsafe {
            let state = pg_sys::make_parsestate(ptr::null_mut());
            for row in [Row::Old, Row::New] {
                let alias = pg_sys::makeAlias(row.name().as_ptr(), ptr::null_mut());
                let lock = pg_sys::AccessShareLock as i32;
                let item =
                    pg_sys::addRangeTableEntryForRelation(state, table.as_ptr(), lock, alias, false, false);
                pg_sys::addNSItemToQuery(state, item, false, true, true);
            }
            let kind = pg_sys::ParseExprKind::EXPR_KIND_TRIGGER_WHEN;
            let clause = pg_sys::transformWhereClause(state, tree, kind, c"WHEN".as_ptr());
            pg_sys::assign_expr_collations(state, clause);
            When {
                clause,
                tables: (*state).p_rtable,
            }
        }
    }

    /// Returns the condition for a table that inherits from this one, whose columns may have other numbers.
    pub fn of_inheritor(&self, table: &PgRelation, inheritor: &PgRelation) -> When {
        // SAFETY: both tables are open, and the tree is copied; CreateTriggerFiringOn does the same for partitions.
        unsafe {
            let mut clause = pg_sys::copyObjectImpl(self.clause.cast()).cast::<pg_sys::List>();
            for row in [OLD, NEW] {
                clause = pg_sys::map_partition_varattnos(clause, row, inheritor.as_ptr(), table.as_ptr());
            }
            When {
                clause: clause.cast(),
                tables: self.tables,
            }
        }
    }

    /// Whether a trigger that PostgreSQL keeps with `condition` (pg_trigger.tgqual) has this one.
    pub fn is(&self, condition: &str) -> bool {
        let condition = c_string(condition);
        // SAFETY: the callers pass pg_trigger.tgqual, which nodeToString has written.
        unsafe { pg_sys::equal(pg_sys::stringToNode(condition.as_ptr()), self.clause.cast()) }
    }

    pub(super) fn clause(&self) -> *mut pg_sys::Node {
        self.clause
    }

    pub(super) fn tables(&self) -> *mut pg_sys::List {
        self.tables
    }
}

/// Whether the text, in parentheses, is one expression and nothing else. It raises an error if the text cannot be parsed.
pub fn is_single_expression(text: &str) -> bool {
    let sql = c_string(&format!("SELECT {}", parenthesised(text)));
    // SAFETY: pg_parse_query only parses; each cast is to the type that the node's tag names.
    unsafe {
        let statements = pg_sys::pg_parse_query(sql.as_ptr());
        length(statements) == 1 && {
            let statement = (*pg_sys::list_nth(statements, 0).cast::<pg_sys::RawStmt>()).stmt;
            (*statement).type_ == pg_sys::NodeTag::T_SelectStmt
                && is_plain(&*statement.cast::<pg_sys::SelectStmt>())
        }
    }
}

/// Whether a SELECT has one unnamed target and no other clause.
fn is_plain(select: &pg_sys::SelectStmt) -> bool {
    let lists = [
        select.distinctClause,
        select.fromClause,
        select.groupClause,
        select.windowClause,
        select.valuesLists,
        select.sortClause,
        select.lockingClause,
    ];
    let nodes = [
        select.whereClause,
        select.havingClause,
        select.limitOffset,
        select.limitCount,
    ];
    // SAFETY: the elements of a raw SELECT's target list are ResTargets.
    let unnamed = unsafe {
        length(select.targetList) == 1
            && (*pg_sys::list_nth(select.targetList, 0).cast::<pg_sys::ResTarget>())
                .name
                .is_null()
    };
    unnamed
        && lists.iter().all(|list| length(*list) == 0)
        && nodes.iter().all(|node| node.is_null())
        && select.intoClause.is_null()
        && select.withClause.is_null()
        && select.op == pg_sys::SetOperation::SETOP_NONE
}

/// Returns the text in parentheses; the line break ends a comment at its end.
fn parenthesised(text: &str) -> String {
    format!("({text}\n)")
}

/// Parses an expression whose parts were checked by [`is_single_expression`], into a raw tree in the current memory context.
fn parse(expression: &str) -> *mut pg_sys::Node {
    let sql = c_string(&format!("SELECT {expression}"));
    // SAFETY: by the callers' check, the text is one SELECT with one target.
    unsafe {
        let statements = pg_sys::pg_parse_query(sql.as_ptr());
        let statement = (*pg_sys::list_nth(statements, 0).cast::<pg_sys::RawStmt>())
            .stmt
            .cast::<pg_sys::SelectStmt>();
        (*pg_sys::list_nth((*statement).targetList, 0).cast::<pg_sys::ResTarget>()).val
    }
}

/// Qualifies unqualified columns, and those of NEW, by `row`.
///
/// # Safety
/// `tree` is a raw expression that nobody else has.
unsafe fn point_to(tree: *mut pg_sys::Node, row: Row) {
    // SAFETY: by the caller's promise; the fields of a ColumnRef are a list of one or more String nodes, or a star at its end.
    unsafe {
        walk(tree, &mut |node| {
            if (*node).type_ != pg_sys::NodeTag::T_ColumnRef {
                return;
            }
            let column = node.cast::<pg_sys::ColumnRef>();
            let fields = (*column).fields;
            let name = || pg_sys::makeString(pg_sys::pstrdup(row.name().as_ptr())).cast::<c_void>();
            match Row::named(column) {
                Some(Row::New) => (*(*fields).elements).ptr_value = name(),
                None if length(fields) == 1 && first_name(column).is_some() => {
                    (*column).fields = pg_sys::lcons(name(), fields);
                }
                _ => {}
            }
        });
    }
}

/// Returns the first name of a column reference; None if it is a star.
///
/// # Safety
/// `column` is a ColumnRef.
unsafe fn first_name<'a>(column: *mut pg_sys::ColumnRef) -> Option<&'a CStr> {
    // SAFETY: by the caller's promise.
    unsafe {
        let first = pg_sys::list_nth((*column).fields, 0).cast::<pg_sys::Node>();
        ((*first).type_ == pg_sys::NodeTag::T_String)
            .then(|| CStr::from_ptr((*first.cast::<pg_sys::String>()).sval))
    }
}

/// Calls `visit` with each node of a raw expression.
///
/// # Safety
/// `tree` is a raw expression, and `visit` leaves it a valid one.
unsafe fn walk(tree: *mut pg_sys::Node, visit: &mut dyn FnMut(*mut pg_sys::Node)) {
    #[pg_guard]
    unsafe extern "C-unwind" fn step(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        if node.is_null() {
            return false;
        }
        // SAFETY: `context` points to the closure reference on walk()'s stack.
        unsafe {
            let visit = &mut *context.cast::<&mut dyn FnMut(*mut pg_sys::Node)>();
            visit(node);
            pg_sys::raw_expression_tree_walker(node, Some(step), context)
        }
    }
    let mut visit = visit;
    // SAFETY: by the caller's promise.
    unsafe { step(tree, (&raw mut visit).cast()) };
}

/// Returns the length of a list; a null list is the empty one.
pub(super) fn length(list: *mut pg_sys::List) -> i32 {
    // SAFETY: the callers pass null or a list of a parse tree.
    unsafe { list.as_ref() }.map_or(0, |list| list.length)
}

/// Returns a C string of a text that comes from PostgreSQL, and so has no zero byte.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
