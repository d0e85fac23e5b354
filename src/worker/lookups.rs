//! The statement that finds out what a source's rows lack: names from other tables, values of expressions, and the values of
//! composite types as JSON.

use std::collections::{BTreeMap, BTreeSet};

use pgrx::pg_sys;

use super::attached::{Attached, Found};
use crate::event_source::{Audience, ColumnRef, EventSource, Expression, Key, Lookup};
use crate::pg::role;

/// No value that is found is longer, in bytes.
const MAX_VALUE: u32 = 65_536;
/// Nothing that is found out about an event is longer, in bytes: what many of them have is in memory together.
const MAX_DETAIL: usize = 524_288;
/// PostgreSQL takes a hundred arguments in a call.
const PAIRS: usize = 40;

/// A statement in the making. `$1` are numbers of rows, `$2` and on the values of the columns as text, an array each.
pub struct Statement<'a> {
    attached: &'a Attached,
    /// Why nothing that stands there as SQL is executed: who wrote it is not whose rights it would have.
    strange: Option<String>,
    columns: Vec<ColumnRef>,
    joins: Vec<Join>,
    /// Key of the data -> SQL of its value.
    found: BTreeMap<String, String>,
    /// The same for values that stay the strings that they are where this gives nothing, with the column.
    converted: BTreeMap<String, (String, String)>,
    expressions: Vec<(String, String)>,
    named: Vec<ColumnRef>,
    /// SQL of the project whose webhooks hear.
    project: Option<String>,
    /// Why something is not looked up.
    pub refusals: Vec<String>,
}

/// What a statement consists of: what the owner of the attached table wrote is apart from what reads others' tables.
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

/// Which keys of the data a statement finds out.
#[derive(Clone, Copy)]
pub enum Keys<'k> {
    One(&'k str),
    /// All but these, which are null.
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

/// Rows of one table that are found by one key.
struct Join {
    table: String,
    matched: String,
    key: String,
    columns: Vec<String>,
}

impl<'a> Statement<'a> {
    /// For those keys of the data that are of this kind and that the row itself does not give.
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

    /// Puts null in the place of what can't be found out; a value that can't be converted stays the string that it is.
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

    /// What is more than a string to JSON is recorded as its text form.
    fn convert(&mut self, key: &str, column: ColumnRef) {
        if self.attached.is_composite(&column.name) {
            let value = self.value(&column);
            let raw = value.split("::").next().unwrap_or_default().to_owned();
            self.converted
                .insert(key.to_owned(), (raw, format!("to_jsonb({value})")));
        }
    }

    /// SQL of a recorded column, as a value of its type.
    fn value(&mut self, column: &ColumnRef) -> String {
        let place = self.columns.iter().position(|known| known == column);
        let place = place.unwrap_or_else(|| {
            self.columns.push(column.clone());
            self.columns.len() - 1
        });
        format!("e.c{place}::{}", self.attached.type_name(&column.name))
    }

    /// SQL of what it finds, and the type, unless that is somebody else's; None: it must not be read.
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

    /// Whether there is nothing to find out.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.converted.is_empty() && self.project.is_none()
    }

    /// The detail when nothing can be known.
    pub fn nulls(&self) -> Option<String> {
        let nulls = self
            .found
            .keys()
            .map(|key| (key.clone(), serde_json::Value::Null));
        let nulls: serde_json::Map<_, _> = nulls.collect();
        (!nulls.is_empty()).then(|| serde_json::Value::Object(nulls).to_string())
    }

    /// The columns whose values it takes, and the SQL, whose columns are the number, the detail as text, and the project.
    pub fn finish(mut self) -> (Vec<ColumnRef>, String) {
        let nulls = self.nulls().unwrap_or_else(|| "{}".to_owned());
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
                // A comment in it ends with the line.
                .map(|(name, sql)| format!("({sql}\n) AS {name}"))
                .collect();
            from += &format!(
                " LEFT JOIN LATERAL (SELECT {} FROM (SELECT {} OFFSET 0) AS new OFFSET 0) AS x ON true",
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

/// Whether the table has changed hands since its expressions were given, in words.
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

/// SQL of a value as JSON: times in UTC with a Z and in whole seconds, as capture writes them, and nothing beyond the limit.
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

/// The same for a value whose type the statement itself finds out.
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
