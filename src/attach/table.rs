//! What the catalogue says of a table.

use std::ffi::CStr;

use pgrx::pg_sys;
use serde::Deserialize;
use webhook::spelling::closest;

use crate::plan::{Argument, Plan, with_spi};
use crate::search_path::SearchPath;

#[derive(Debug, Deserialize)]
pub struct Table {
    pub oid: u32,
    /// Qualified and quoted.
    pub name: String,
    pub schema: String,
    /// Without its schema.
    pub plain: String,
    /// pg_class.relkind.
    pub kind: String,
    pub temporary: bool,
    /// Whether the current role owns it.
    pub owned: bool,
    pub owner: String,
    /// Its role.
    pub owner_oid: u32,
    pub columns: Vec<Column>,
    /// The primary key, if it is one column.
    pub key: Option<String>,
    /// Foreign keys of one column.
    pub references: Vec<Reference>,
}

#[derive(Debug, Deserialize)]
pub struct Column {
    pub name: String,
    /// pg_attribute.attnum.
    pub number: i32,
    pub r#type: String,
    /// pg_type.typcategory: N for numbers, S for text, B, D, E, U.
    pub category: String,
    /// pg_attribute.atttypid.
    pub type_oid: u32,
    /// It is computed when it is read (PostgreSQL 18), and not there in a trigger.
    pub r#virtual: bool,
    /// Of an enumeration.
    pub labels: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub struct Reference {
    pub column: String,
    pub table: u32,
    pub target: String,
}

const LOAD: &str = "SELECT json_build_object(
    'oid', c.oid::bigint, 'name', format('%I.%I', n.nspname, c.relname), 'schema', n.nspname, 'plain', c.relname, 'kind', c.relkind,
    'temporary', c.relpersistence = 't', 'owned', pg_has_role(c.relowner, 'USAGE'), 'owner', pg_get_userbyid(c.relowner), 'owner_oid', c.relowner::bigint,
    'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'number', a.attnum, 'type', format_type(a.atttypid, NULL),
                                 'category', t.typcategory, 'type_oid', a.atttypid::bigint, 'virtual', a.attgenerated = 'v',
                                 'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e
                                             WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid))) ORDER BY a.attnum), '[]')
                  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'key', (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1),
    'references', (SELECT coalesce(json_agg(json_build_object('column', a.attname, 'table', k.confrelid::bigint, 'target', b.attname)
                                            ORDER BY k.conname), '[]')
                     FROM pg_constraint k
                     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                     JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
                    WHERE k.conrelid = c.oid AND k.contype = 'f' AND cardinality(k.conkey) = 1))::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";

impl Table {
    pub fn load(oid: pg_sys::Oid) -> Option<Table> {
        let text = text_of(LOAD, &[oid.into()])?;
        serde_json::from_str(&text).ok()
    }

    /// The table that somebody calls so under `path`.
    pub fn named(name: &str, path: &CStr) -> Option<Table> {
        let oid = {
            let _path = SearchPath::set(path);
            text_of(
                "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid::pg_catalog.text",
                &[name.into()],
            )
        };
        Table::load(pg_sys::Oid::from(oid?.parse::<u32>().ok()?))
    }

    /// The first of the names that is a table in the schema, whose rows the worker may read, and not the table itself.
    pub fn usual(&self, names: &[&str]) -> Option<Table> {
        const SQL: &str = "SELECT c.oid::text FROM unnest($1) WITH ORDINALITY AS n (name, place)
              JOIN pg_class c ON c.relname = n.name AND c.relkind IN ('r', 'p', 'm') AND c.oid <> $3
              JOIN pg_namespace s ON s.oid = c.relnamespace AND s.nspname = $2
             ORDER BY n.place LIMIT 1";
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let oid = text_of(
            SQL,
            &[
                names.into(),
                self.schema.as_str().into(),
                pg_sys::Oid::from(self.oid).into(),
            ],
        );
        Table::load(pg_sys::Oid::from(oid?.parse::<u32>().ok()?))
    }

    /// Why it is no table that can be attached, whoever asks.
    pub fn wrong(&self) -> Option<&'static str> {
        match &*self.kind {
            "r" | "p" | "f" if self.temporary => Some("is temporary"),
            "r" | "p" | "f"
                if matches!(
                    &*self.schema,
                    "zentry_notify" | "pg_catalog" | "information_schema"
                ) =>
            {
                Some("is not the application's")
            }
            "r" | "p" | "f" => None,
            "v" => Some("is a view"),
            _ => Some("is no table"),
        }
    }

    pub fn is_partitioned(&self) -> bool {
        self.kind == "p"
    }

    pub fn oid(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.oid)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The first of the names that is a column.
    pub fn first(&self, names: &[&str]) -> Option<&Column> {
        names.iter().find_map(|name| self.column(name))
    }

    pub fn reference(&self, column: &str) -> Option<&Reference> {
        self.references
            .iter()
            .find(|reference| reference.column == column)
    }

    pub fn column_names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }

    /// What to say to somebody who names a column that does not exist.
    pub fn meant(&self, name: &str) -> String {
        match closest(name, self.columns.iter().map(|column| column.name.as_str())) {
            Some(column) => format!("Perhaps \"{column}\" is meant."),
            None => "Give a column of the table, or an SQL expression over its columns.".to_owned(),
        }
    }
}

impl Column {
    /// Whether values of both can be the same.
    pub fn is_comparable_to(&self, other: &Column) -> bool {
        self.r#type == other.r#type
            || (self.category == other.category && matches!(&*self.category, "N" | "S"))
    }

    /// As SQL has its name.
    pub fn quoted(&self) -> String {
        pgrx::spi::quote_identifier(&self.name)
    }

    pub fn type_oid(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.type_oid)
    }

    /// Whether it can be a project's number, as webhooks have it.
    pub fn is_integer(&self) -> bool {
        matches!(&*self.r#type, "smallint" | "integer" | "bigint")
    }
}

/// The text in the statement's only row and column. Names in it must be qualified unless the search path is ours.
pub fn text_of(sql: &str, arguments: &[Argument]) -> Option<String> {
    let types: Vec<pg_sys::Oid> = arguments.iter().map(Argument::type_oid).collect();
    with_spi(|spi| {
        let rows = Plan::prepare(spi, sql, &types).execute(spi, arguments);
        rows.first::<String>()
    })
}
