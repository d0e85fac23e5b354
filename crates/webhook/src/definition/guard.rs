//! Limits the work of operators and filters in a template.
//!
//! The engine counts instructions and the bytes of their results, but not the work that an operator or a filter has with lists
//! of lists, nor lists that are only computed when they are used (`[1] * 10000000`). So each operand and argument passes through the filter
//! [`MEASURE`] first, which counts its items. A template's syntax tree is copied with these calls added, before anything is evaluated.

use std::collections::BTreeSet;

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    AutoEscape, BinOp, BinOpKind, Call, CallArg, Compare, CompareOp, Const, Do, EmitExpr, EmitRaw, Expr,
    Filter, FilterBlock, ForLoop, GetAttr, GetItem, IfCond, IfExpr, List, Map, Set, SetBlock, Slice, Spanned,
    Stmt, Template, Test, Tuple, UnaryOp, UnaryOpKind, Var, WithBlock,
};

/// The filter that counts a value. A template cannot contain this name.
pub(super) const MEASURE: &str = "1-measure";
/// The filter for operands of arithmetic and comparisons, which also converts a number of the data to one of the engine's.
pub(super) const OPERAND: &str = "1-operand";
/// The filter for factors.
pub(super) const FACTOR: &str = "1-factor";
/// The filter for arguments that have to be texts, which also converts other values to a text; the engine would write them as Python does.
pub(super) const TEXT: &str = "1-text";
/// The filter for lists of such arguments.
pub(super) const TEXTS: &str = "1-texts";

/// The filters that calculate with their arguments, or compare them.
const COUNTING: [&str; 16] = [
    "abs",
    "batch",
    "bool",
    "float",
    "format",
    "int",
    "max",
    "min",
    "pluralize",
    "range",
    "round",
    "slice",
    "sort",
    "sum",
    "unique",
    "dictsort",
];
/// The filters that work on texts.
const OF_TEXTS: [&str; 14] = [
    "capitalize",
    "date",
    "indent",
    "lines",
    "lower",
    "number",
    "percent",
    "plural",
    "replace",
    "split",
    "string",
    "title",
    "trim",
    "upper",
];

/// Returns a copy of the tree with these filters added, and the names that it uses.
pub(super) fn guard<'a>(tree: &Stmt<'a>) -> (Stmt<'a>, BTreeSet<&'a str>) {
    let mut copy = Copy::default();
    let tree = copy.statement(tree);
    let Copy { used, assigned } = copy;
    (tree, used.difference(&assigned).copied().collect())
}

#[derive(Default)]
struct Copy<'a> {
    used: BTreeSet<&'a str>,
    assigned: BTreeSet<&'a str>,
}

impl<'a> Copy<'a> {
    fn statements(&mut self, all: &[Stmt<'a>]) -> Vec<Stmt<'a>> {
        all.iter().map(|one| self.statement(one)).collect()
    }

    fn statement(&mut self, statement: &Stmt<'a>) -> Stmt<'a> {
        match statement {
            Stmt::Template(it) => Stmt::Template(spanned(
                it.span(),
                Template {
                    children: self.statements(&it.children),
                },
            )),
            Stmt::EmitExpr(it) => Stmt::EmitExpr(spanned(
                it.span(),
                EmitExpr {
                    expr: self.plain(&it.expr),
                },
            )),
            Stmt::EmitRaw(it) => Stmt::EmitRaw(spanned(it.span(), EmitRaw { raw: it.raw })),
            Stmt::ForLoop(it) => Stmt::ForLoop(spanned(
                it.span(),
                ForLoop {
                    target: self.target(&it.target),
                    iter: self.plain(&it.iter),
                    filter_expr: it.filter_expr.as_ref().map(|expr| self.plain(expr)),
                    recursive: it.recursive,
                    body: self.statements(&it.body),
                    else_body: self.statements(&it.else_body),
                },
            )),
            Stmt::IfCond(it) => Stmt::IfCond(spanned(
                it.span(),
                IfCond {
                    expr: self.plain(&it.expr),
                    true_body: self.statements(&it.true_body),
                    false_body: self.statements(&it.false_body),
                },
            )),
            Stmt::WithBlock(it) => {
                let assign = |(target, expr): &(Expr<'a>, Expr<'a>)| (self.target(target), self.plain(expr));
                let assignments = it.assignments.iter().map(assign).collect();
                let body = self.statements(&it.body);
                Stmt::WithBlock(spanned(it.span(), WithBlock { assignments, body }))
            }
            Stmt::Set(it) => Stmt::Set(spanned(
                it.span(),
                Set {
                    target: self.target(&it.target),
                    expr: self.plain(&it.expr),
                },
            )),
            Stmt::SetBlock(it) => Stmt::SetBlock(spanned(
                it.span(),
                SetBlock {
                    target: self.target(&it.target),
                    filter: it.filter.as_ref().map(|filter| self.plain(filter)),
                    body: self.statements(&it.body),
                },
            )),
            Stmt::AutoEscape(it) => Stmt::AutoEscape(spanned(
                it.span(),
                AutoEscape {
                    enabled: self.plain(&it.enabled),
                    body: self.statements(&it.body),
                },
            )),
            Stmt::FilterBlock(it) => Stmt::FilterBlock(spanned(
                it.span(),
                FilterBlock {
                    filter: self.plain(&it.filter),
                    filter_span: it.filter_span,
                    body: self.statements(&it.body),
                },
            )),
            Stmt::Do(it) => Stmt::Do(spanned(
                it.span(),
                Do {
                    call: self.call(&it.call),
                },
            )),
        }
    }

    /// What is assigned to.
    fn target(&mut self, target: &Expr<'a>) -> Expr<'a> {
        match target {
            Expr::Var(it) => {
                self.assigned.insert(it.id);
                variable(it)
            }
            Expr::List(it) => Expr::List(spanned(
                it.span(),
                List {
                    items: it.items.iter().map(|item| self.target(item)).collect(),
                },
            )),
            Expr::Tuple(it) => Expr::Tuple(spanned(
                it.span(),
                Tuple {
                    items: it.items.iter().map(|item| self.target(item)).collect(),
                },
            )),
            other => self.plain(other),
        }
    }

    fn measured(&mut self, expr: &Expr<'a>) -> Expr<'a> {
        self.through(MEASURE, expr)
    }

    fn operand(&mut self, expr: &Expr<'a>) -> Expr<'a> {
        self.through(OPERAND, expr)
    }

    /// What a filter is applied to.
    fn filtered(&mut self, filter: &str, expr: &Expr<'a>) -> Expr<'a> {
        match filter {
            "join" => self.through(TEXTS, expr),
            _ if OF_TEXTS.contains(&filter) => self.through(TEXT, expr),
            _ if COUNTING.contains(&filter) => self.operand(expr),
            _ => self.measured(expr),
        }
    }

    fn through(&mut self, filter: &'static str, expr: &Expr<'a>) -> Expr<'a> {
        let span = expr.span();
        let expr = self.plain(expr);
        let needs_nothing = |value: &Value| value.as_str().is_some() || !matches!(filter, TEXT | TEXTS);
        if matches!(&expr, Expr::Const(it) if needs_nothing(&it.value)) {
            return expr;
        }
        Expr::Filter(spanned(
            span,
            Filter {
                name: filter,
                expr: Some(expr),
                args: Vec::new(),
            },
        ))
    }

    fn all(&mut self, all: &[Expr<'a>]) -> Vec<Expr<'a>> {
        all.iter().map(|one| self.plain(one)).collect()
    }

    fn optional(&mut self, expr: Option<&Expr<'a>>) -> Option<Expr<'a>> {
        expr.map(|expr| self.plain(expr))
    }

    /// The expression, not measured itself: it is only handed on.
    fn plain(&mut self, expr: &Expr<'a>) -> Expr<'a> {
        match expr {
            Expr::Var(it) => {
                self.used.insert(it.id);
                variable(it)
            }
            Expr::Const(it) => Expr::Const(spanned(
                it.span(),
                Const {
                    value: it.value.clone(),
                },
            )),
            Expr::Slice(it) => Expr::Slice(spanned(
                it.span(),
                Slice {
                    expr: self.measured(&it.expr),
                    start: self.optional(it.start.as_ref()),
                    stop: self.optional(it.stop.as_ref()),
                    step: self.optional(it.step.as_ref()),
                },
            )),
            Expr::UnaryOp(it) => Expr::UnaryOp(spanned(
                it.span(),
                UnaryOp {
                    op: match it.op {
                        UnaryOpKind::Not => UnaryOpKind::Not,
                        UnaryOpKind::Neg => UnaryOpKind::Neg,
                    },
                    expr: self.operand(&it.expr),
                },
            )),
            Expr::BinOp(it) => Expr::BinOp(spanned(it.span(), self.operation(it))),
            Expr::Compare(it) => Expr::Compare(spanned(
                it.span(),
                Compare {
                    expr: self.operand(&it.expr),
                    ops: it
                        .ops
                        .iter()
                        .map(|one| CompareOp {
                            op: one.op,
                            expr: self.operand(&one.expr),
                        })
                        .collect(),
                },
            )),
            Expr::IfExpr(it) => Expr::IfExpr(spanned(
                it.span(),
                IfExpr {
                    test_expr: self.plain(&it.test_expr),
                    true_expr: self.plain(&it.true_expr),
                    false_expr: self.optional(it.false_expr.as_ref()),
                },
            )),
            Expr::Filter(it) => Expr::Filter(spanned(
                it.span(),
                Filter {
                    name: it.name,
                    expr: it.expr.as_ref().map(|expr| self.filtered(it.name, expr)),
                    args: self.arguments(&it.args, it.name == "default" || it.name == "d"),
                },
            )),
            Expr::Test(it) => Expr::Test(spanned(
                it.span(),
                Test {
                    name: it.name,
                    expr: self.operand(&it.expr),
                    args: self.arguments(&it.args, false),
                },
            )),
            Expr::GetAttr(it) => Expr::GetAttr(spanned(
                it.span(),
                GetAttr {
                    expr: self.plain(&it.expr),
                    name: it.name,
                },
            )),
            Expr::GetItem(it) => Expr::GetItem(spanned(
                it.span(),
                GetItem {
                    expr: self.plain(&it.expr),
                    subscript_expr: self.operand(&it.subscript_expr),
                },
            )),
            Expr::Call(it) => Expr::Call(self.call(it)),
            Expr::List(it) => Expr::List(spanned(
                it.span(),
                List {
                    items: self.all(&it.items),
                },
            )),
            Expr::Tuple(it) => Expr::Tuple(spanned(
                it.span(),
                Tuple {
                    items: self.all(&it.items),
                },
            )),
            Expr::Map(it) => Expr::Map(spanned(
                it.span(),
                Map {
                    keys: it.keys.iter().map(|key| self.measured(key)).collect(),
                    values: self.all(&it.values),
                },
            )),
        }
    }

    fn operation(&mut self, it: &BinOp<'a>) -> BinOp<'a> {
        let (left, right) = match it.op {
            BinOpKind::ScAnd | BinOpKind::ScOr => (self.plain(&it.left), self.plain(&it.right)),
            BinOpKind::Mul => (self.through(FACTOR, &it.left), self.through(FACTOR, &it.right)),
            BinOpKind::Concat => (self.through(TEXT, &it.left), self.through(TEXT, &it.right)),
            _ => (self.operand(&it.left), self.operand(&it.right)),
        };
        BinOp {
            op: it.op,
            left,
            right,
        }
    }

    fn call(&mut self, it: &Spanned<Call<'a>>) -> Spanned<Call<'a>> {
        spanned(
            it.span(),
            Call {
                expr: self.plain(&it.expr),
                args: self.arguments(&it.args, false),
            },
        )
    }

    /// `handed_on`: they may be what is printed.
    fn arguments(&mut self, all: &[CallArg<'a>], handed_on: bool) -> Vec<CallArg<'a>> {
        let filter = if handed_on { MEASURE } else { OPERAND };
        let mut one = |argument: &CallArg<'a>| match argument {
            CallArg::Pos(expr) => CallArg::Pos(self.through(filter, expr)),
            CallArg::Kwarg(name, expr) => CallArg::Kwarg(name, self.through(filter, expr)),
            CallArg::PosSplat(expr) => CallArg::PosSplat(self.through(filter, expr)),
            CallArg::KwargSplat(expr) => CallArg::KwargSplat(self.through(filter, expr)),
        };
        all.iter().map(&mut one).collect()
    }
}

fn variable<'a>(it: &Spanned<Var<'a>>) -> Expr<'a> {
    Expr::Var(spanned(it.span(), Var { id: it.id }))
}

fn spanned<T>(span: Span, node: T) -> Spanned<T> {
    Spanned::new(node, span)
}
