//! The WHEN of a trigger, read once by PostgreSQL's parser and kept as the tree that it makes: it is never written as text again, which
//! would be read with other eyes (operators of citext, NULLIF, IS DISTINCT FROM).

use std::ffi::{CStr, CString, c_void};
use std::ptr;

use pgrx::prelude::*;
use pgrx::{PgRelation, pg_sys};

/// OLD and NEW, as PostgreSQL numbers them in a trigger's condition.
const OLD: i32 = 1;
const NEW: i32 = 2;

/// Of which row a condition speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Old,
    New,
}

/// What a condition speaks of, as far as its words say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names {
    pub old: bool,
    pub new: bool,
    pub sub_select: bool,
}

/// A condition of a table's triggers.
pub struct When {
    clause: *mut pg_sys::Node,
    tables: *mut pg_sys::List,
}

impl Names {
    /// Of one expression; text that cannot be read is an error. `SELECT (` comes before it and `)` after it.
    pub fn of(text: &str) -> Names {
        let mut names = Names::default();
        // SAFETY: a tree of our own; the nodes are read as their tags say.
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

    /// The row that a name begins with, or is.
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
    /// The condition as it stands, over OLD and NEW of the table's rows. The names in it are looked for as the role and under the search
    /// path that rule.
    pub fn over_write(text: &str, table: &PgRelation) -> When {
        // SAFETY: a tree of our own.
        unsafe { When::transform(parse(&parenthesised(text)), table) }
    }

    /// The same over one row: columns without a row's name are the row's, and so are those of NEW.
    pub fn over_row(text: &str, row: Row, table: &PgRelation) -> When {
        // SAFETY: as above.
        unsafe {
            let tree = parse(&parenthesised(text));
            point_to(tree, row);
            When::transform(tree, table)
        }
    }

    /// It holds of the new row, and did not hold of the old one.
    pub fn has_become_true(text: &str, table: &PgRelation) -> When {
        let text = parenthesised(text);
        // SAFETY: as above; the text is a conjunction, of which the parser makes one with those that the condition begins with. Its last
        // member is the IS NOT TRUE.
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

    /// # Safety
    /// `tree` is a raw expression.
    unsafe fn transform(tree: *mut pg_sys::Node, table: &PgRelation) -> When {
        // SAFETY: as CREATE TRIGGER does, with the same two rows in the same order; the relation is open and locked.
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

    /// The condition of a table that inherits from this one, whose columns may have other numbers.
    pub fn of_inheritor(&self, table: &PgRelation, inheritor: &PgRelation) -> When {
        // SAFETY: both are open; PostgreSQL does the same for partitions, and the tree is copied.
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
        // SAFETY: text that nodeToString made.
        unsafe { pg_sys::equal(pg_sys::stringToNode(condition.as_ptr()), self.clause.cast()) }
    }

    pub(super) fn clause(&self) -> *mut pg_sys::Node {
        self.clause
    }

    pub(super) fn tables(&self) -> *mut pg_sys::List {
        self.tables
    }
}

/// Whether the text, in parentheses, is one expression and nothing else. What cannot be read is an error.
pub fn is_single_expression(text: &str) -> bool {
    let sql = c_string(&format!("SELECT {}", parenthesised(text)));
    // SAFETY: raw parsing looks nothing up; the nodes are read as their tags say.
    unsafe {
        let statements = pg_sys::pg_parse_query(sql.as_ptr());
        length(statements) == 1 && {
            let statement = (*pg_sys::list_nth(statements, 0).cast::<pg_sys::RawStmt>()).stmt;
            (*statement).type_ == pg_sys::NodeTag::T_SelectStmt
                && is_plain(&*statement.cast::<pg_sys::SelectStmt>())
        }
    }
}

/// `SELECT expression`, and none of the rest.
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
    // SAFETY: a target list of a raw SELECT has ResTargets.
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

/// The newline ends a comment.
fn parenthesised(text: &str) -> String {
    format!("({text}\n)")
}

/// The raw tree of an expression that [`is_single_expression`].
fn parse(expression: &str) -> *mut pg_sys::Node {
    let sql = c_string(&format!("SELECT {expression}"));
    // SAFETY: one SELECT of one expression.
    unsafe {
        let statements = pg_sys::pg_parse_query(sql.as_ptr());
        let statement = (*pg_sys::list_nth(statements, 0).cast::<pg_sys::RawStmt>())
            .stmt
            .cast::<pg_sys::SelectStmt>();
        (*pg_sys::list_nth((*statement).targetList, 0).cast::<pg_sys::ResTarget>()).val
    }
}

/// Gives columns without a row's name, and those of NEW, to `row`.
///
/// # Safety
/// `tree` is a raw expression that nobody else has.
unsafe fn point_to(tree: *mut pg_sys::Node, row: Row) {
    // SAFETY: by the caller's promise; a ColumnRef's fields are Strings, or a star.
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

/// Visits a raw expression's nodes.
///
/// # Safety
/// `tree` is a raw expression, and `visit` leaves of it what PostgreSQL can go on with.
unsafe fn walk(tree: *mut pg_sys::Node, visit: &mut dyn FnMut(*mut pg_sys::Node)) {
    #[pg_guard]
    unsafe extern "C-unwind" fn step(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        if node.is_null() {
            return false;
        }
        // SAFETY: the context is the reference to the closure that walk() has on its stack.
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

fn length(list: *mut pg_sys::List) -> i32 {
    // SAFETY: a null list is the empty one.
    unsafe { list.as_ref() }.map_or(0, |list| list.length)
}

fn c_string(text: &str) -> CString {
    // Text from PostgreSQL has no zero byte.
    CString::new(text).unwrap_or_default()
}
