//! The statement that looks up what a source's rows lack: names from other tables, values of expressions, and values of composite types as
//! JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgrx::pg_sys;

use super::attached::{Attached, Found};
use crate::event_source::{Audience, ColumnRef, EventSource, Expression, Key, Lookup};
use crate::pg::role;

/// The most bytes of a value that is looked up.
const MAX_VALUE: u32 = 65_536;
/// The most bytes of what one kind of statement looks up for an event.
pub const MAX_DETAIL: usize = 524_288;
/// The most key-value pairs in a call of json_build_object: PostgreSQL takes a hundred arguments.
const PAIRS: usize = 40;

/// A statement that is being built. `$1` is the rows' numbers, `$2` and the following are the columns' values as text, one array each.
pub struct Statement<'a> {
    attached: &'a Attached,
    /// Why no SQL expression of the source is run: it was written by another role than the one that it would run as.
    strange: Option<String>,
    columns: Vec<ColumnRef>,
    joins: Vec<Join>,
    /// The SQL of each key's value.
    found: BTreeMap<String, String>,
    /// The same for values that stay the recorded strings where the SQL gives null, with the column.
    converted: BTreeMap<String, (String, String)>,
    expressions: Vec<(String, String)>,
    named: Vec<ColumnRef>,
    /// The SQL of the project whose webhooks hear.
    project: Option<String>,
    /// Why some keys are not looked up.
    pub refusals: Vec<String>,
}

/// The kinds of statements: what the owner of the attached table wrote is kept apart from what reads tables of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    LookUps,
    Expressions,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::LookUps, Kind::Expressions];

    fn of(expression: &Expression) -> Kind {
        match expression {
            Expression::Sql { .. } => Kind::Expressions,
            _ => Kind::LookUps,
        }
    }
}

/// The keys of the data that a statement looks up.
#[derive(Clone, Copy)]
pub enum Keys<'k> {
    One(&'k str),
    /// All keys except these, which are null.
    AllBut(&'k BTreeSet<String>),
}

impl Keys<'_> {
    fn has(self, key: &str) -> bool {
        match self {
            Keys::One(one) => one == key,
            Keys::AllBut(_) => true,
        }
    }

    fn is_null(self, key: &str) -> bool {
        matches!(self, Keys::AllBut(nulls) if nulls.contains(key))
    }
}

/// A look-up: rows of one table that are found by one key.
struct Join {
    table: String,
    matched: String,
    key: String,
    columns: Vec<String>,
}

impl<'a> Statement<'a> {
    /// Builds the statement for the keys of this kind that the row itself does not give.
    pub fn new(source: &EventSource, attached: &'a Attached, kind: Kind, keys: Keys) -> Self {
        let mut statement = Statement {
            attached,
            strange: strange(source, attached),
            columns: Vec::new(),
            joins: Vec::new(),
            found: BTreeMap::new(),
            converted: BTreeMap::new(),
            expressions: Vec::new(),
            named: Vec::new(),
            project: None,
            refusals: Vec::new(),
        };
        let wanted = |key: &String| !source.omit.contains(key) && keys.has(key);
        for (key, expression) in source.columns.iter().filter(|(key, _)| wanted(key)) {
            if Kind::of(expression) != kind {
                continue;
            }
            match keys.is_null(key) {
                true => statement.leave_out(key, expression),
                false => statement.add(key, expression),
            }
        }
        if let Audience::Project { project } = &source.audience
            && let Some(Expression::Lookup(lookup)) = source.columns.get(project)
            && matches!(keys, Keys::AllBut(_))
            && !keys.is_null(project)
            && kind == Kind::LookUps
        {
            statement.project = statement.look_up(lookup).map(|(sql, _)| format!("{sql}::text"));
        }
        statement
    }

    /// Leaves out the key: it becomes null, or stays the recorded string if it is only a conversion.
    fn leave_out(&mut self, key: &str, expression: &Expression) {
        if matches!(expression, Expression::Lookup(_) | Expression::Sql { .. }) {
            self.found.insert(key.to_owned(), "null".to_owned());
        }
    }

    fn add(&mut self, key: &str, expression: &Expression) {
        match expression {
            Expression::Lookup(lookup) => {
                let sql = match self.look_up(lookup) {
                    Some((value, Some(type_oid))) => shown(&value, type_oid),
                    Some((value, None)) => format!("to_jsonb(left({value}::text, {MAX_VALUE}))"),
                    None => "null".to_owned(),
                };
                self.found.insert(key.to_owned(), sql);
            }
            Expression::Sql { .. } if self.strange.is_some() => {
                self.leave_out(key, expression);
                self.refusals
                    .extend(self.strange.as_ref().map(|reason| format!("{key} ({reason})")));
            }
            Expression::Sql { expression, columns } => {
                for name in columns {
                    let column = ColumnRef::new(name);
                    if !self.named.contains(&column) {
                        self.named.push(column);
                    }
                }
                let name = format!("x{}", self.expressions.len());
                self.found
                    .insert(key.to_owned(), shown_of_any(&format!("x.{name}")));
                self.expressions.push((name, expression.clone()));
            }
            Expression::Column(name) => self.convert(key, ColumnRef::new(name)),
            Expression::Old { old } => self.convert(key, ColumnRef::old(old)),
            Expression::Constant { .. } => {}
        }
    }

    /// Converts a recorded text to JSON if the type's JSON is more than a string.
    fn convert(&mut self, key: &str, column: ColumnRef) {
        if self.attached.is_composite(&column.name) {
            let value = self.value(&column);
            let raw = value.split("::").next().unwrap_or_default().to_owned();
            self.converted
                .insert(key.to_owned(), (raw, format!("to_jsonb({value})")));
        }
    }

    /// Returns the SQL of a recorded column, as a value of its type.
    fn value(&mut self, column: &ColumnRef) -> String {
        let place = self.columns.iter().position(|known| known == column);
        let place = place.unwrap_or_else(|| {
            self.columns.push(column.clone());
            self.columns.len() - 1
        });
        format!("e.c{place}::{}", self.attached.type_name(&column.name))
    }

    /// Returns the SQL of the look-up's value, with its type unless that belongs to somebody else. None: the table must not be read.
    fn look_up(&mut self, lookup: &Lookup) -> Option<(String, Option<pg_sys::Oid>)> {
        let key = match &*lookup.key {
            Key::Column(name) => self.value(&ColumnRef::new(name)),
            Key::Lookup(inner) => self.look_up(inner)?.0,
        };
        let table = match self.attached.looked_up(&lookup.from) {
            Found::Table(table) => table,
            Found::Missing(reason) | Found::Refused(reason) => {
                let reason = reason.clone();
                if !self.refusals.contains(&reason) {
                    self.refusals.push(reason);
                }
                return None;
            }
        };
        let is_foreign = table.is_foreign(&lookup.column);
        let type_oid = (!is_foreign).then(|| table.type_of(&lookup.column));
        let name = table.name.clone();
        let known = |join: &Join| join.table == name && join.matched == lookup.r#match && join.key == key;
        let place = self.joins.iter().position(known).unwrap_or_else(|| {
            self.joins.push(Join {
                table: name.clone(),
                matched: lookup.r#match.clone(),
                key: key.clone(),
                columns: Vec::new(),
            });
            self.joins.len() - 1
        });
        let columns = &mut self.joins[place].columns;
        let column = columns.iter().position(|known| *known == lookup.column);
        let column = column.unwrap_or_else(|| {
            columns.push(lookup.column.clone());
            columns.len() - 1
        });
        Some((format!("l{place}.a{column}"), type_oid))
    }

    /// Returns whether there is nothing to look up.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.converted.is_empty() && self.project.is_none()
    }

    /// Returns whether it evaluates what the owner wrote.
    pub fn has_expressions(&self) -> bool {
        !self.expressions.is_empty()
    }

    /// Returns the detail for when nothing can be looked up.
    pub fn nulls(&self) -> Option<Arc<str>> {
        let nulls = self
            .found
            .keys()
            .map(|key| (key.clone(), serde_json::Value::Null));
        let nulls: serde_json::Map<_, _> = nulls.collect();
        (!nulls.is_empty()).then(|| serde_json::Value::Object(nulls).to_string().into())
    }

    /// Returns the columns whose values the statement takes, and its SQL. That returns the number, the detail as text, and the project.
    pub fn finish(mut self) -> (Vec<ColumnRef>, String) {
        let nulls = self.nulls().unwrap_or_else(|| "{}".into());
        let named: Vec<String> = std::mem::take(&mut self.named)
            .iter()
            .map(|column| format!("{} AS {}", self.value(column), quote(&column.name)))
            .collect();
        let mut from = String::from("FROM unnest($1::int4[]");
        let mut aliases = String::from("n");
        for place in 0..self.columns.len() {
            from += &format!(", ${}::text[]", place + 2);
            aliases += &format!(", c{place}");
        }
        from += &format!(") AS e ({aliases})");
        for (place, join) in self.joins.iter().enumerate() {
            let columns: Vec<String> = join
                .columns
                .iter()
                .enumerate()
                .map(|(number, column)| format!("t.{} AS a{number}", quote(column)))
                .collect();
            from += &format!(
                " LEFT JOIN LATERAL (SELECT {} FROM {} t WHERE t.{} OPERATOR(pg_catalog.=) {} LIMIT 1) AS l{place} ON true",
                columns.join(", "),
                join.table,
                quote(&join.matched),
                join.key,
            );
        }
        if !self.expressions.is_empty() {
            let list: Vec<String> = self
                .expressions
                .iter()
                // The line break ends a comment within the expression.
                .map(|(name, sql)| format!("({sql}\n) AS {name}"))
                .collect();
            from += &format!(
                // The condition has a volatile expression evaluated for each event, also if it takes no column.
                " LEFT JOIN LATERAL (SELECT {} FROM (SELECT {} OFFSET 0) AS new WHERE e.n >= 0 OFFSET 0) AS x ON true",
                list.join(", "),
                named.join(", "),
            );
        }
        let mut detail: Vec<String> = Vec::new();
        let pairs: Vec<String> = self
            .found
            .iter()
            .map(|(key, sql)| format!("{}, {sql}", literal(key)))
            .collect();
        for pairs in pairs.chunks(PAIRS) {
            detail.push(format!("jsonb_build_object({})", pairs.join(", ")));
        }
        for (key, (raw, sql)) in &self.converted {
            detail.push(format!(
                "CASE WHEN {raw} IS NULL THEN '{{}}' ELSE jsonb_build_object({}, {sql}) END",
                literal(key)
            ));
        }
        let detail = if detail.is_empty() {
            "null::text".to_owned()
        } else {
            format!("({})::text", detail.join(" || "))
        };
        let project = self.project.unwrap_or_else(|| "null::text".to_owned());
        let sql = format!(
            "SELECT f.n, CASE WHEN octet_length(f.detail) <= {MAX_DETAIL} THEN f.detail WHEN f.detail IS NOT NULL THEN {} END, f.project \
             FROM (SELECT e.n, {detail} AS detail, {project} AS project {from} OFFSET 0) AS f",
            literal(&nulls)
        );
        (self.columns, sql)
    }
}

/// Returns why the expressions are not run, if the table's owner has changed since they were given.
fn strange(source: &EventSource, attached: &Attached) -> Option<String> {
    let owner = role::name_of(attached.owner);
    match &source.written_by {
        Some(_) if source.written_by_oid == Some(attached.owner.to_u32()) => None,
        Some(author) => Some(format!(
            "its expression is of role {author}, and the table belongs to {owner}"
        )),
        None => Some(format!(
            "nobody knows whose its expression is, and the table belongs to {owner}"
        )),
    }
}

/// Returns the SQL of a value as JSON: times in UTC with a Z and in whole seconds, as capture writes them, and null beyond the limit.
fn shown(value: &str, type_oid: pg_sys::Oid) -> String {
    match type_oid {
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID | pg_sys::BOOLOID => format!("to_jsonb({value})"),
        pg_sys::TEXTOID | pg_sys::VARCHAROID => format!("to_jsonb(left({value}, {MAX_VALUE}))"),
        pg_sys::TIMESTAMPTZOID => utc(value),
        _ => format!("CASE WHEN pg_column_size({value}) <= {MAX_VALUE} THEN to_jsonb({value}) END"),
    }
}

fn utc(value: &str) -> String {
    format!(r"to_jsonb(regexp_replace(to_jsonb({value}) #>> '{{}}', '(\.[0-9]+)?\+00:00$', 'Z'))")
}

/// Returns the same for a value whose type is known to the statement alone.
fn shown_of_any(value: &str) -> String {
    format!(
        "CASE WHEN pg_typeof({value}) = 'timestamptz'::regtype THEN {} \
              WHEN pg_column_size({value}) <= {MAX_VALUE} THEN to_jsonb({value}) \
              ELSE to_jsonb(left({value}::text, {MAX_VALUE})) END",
        utc(value)
    )
}

fn quote(identifier: &str) -> String {
    pgrx::spi::quote_identifier(identifier)
}

fn literal(text: &str) -> String {
    pgrx::spi::quote_literal(text)
}
