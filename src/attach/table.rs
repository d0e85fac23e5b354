//! Tables, as the catalogue describes them.

use std::ffi::CStr;

use pgrx::pg_sys;
use serde::Deserialize;
use webhook::spelling::closest;

use crate::plan::{Argument, Plan, with_spi};
use crate::search_path::SearchPath;

/// A table, or another relation that somebody has named.
#[derive(Debug, Deserialize)]
pub struct Table {
    pub oid: u32,
    /// The name, qualified and quoted.
    pub name: String,
    pub schema: String,
    /// The name without its schema, not quoted.
    pub plain: String,
    /// pg_class.relkind.
    pub kind: String,
    pub temporary: bool,
    /// Whether the current role has the rights of its owner.
    pub owned: bool,
    /// The name of the owner.
    pub owner: String,
    pub owner_oid: u32,
    pub columns: Vec<Column>,
    /// The column of the primary key, if that is one column.
    pub key: Option<String>,
    /// The foreign keys of one column.
    pub references: Vec<Reference>,
}

/// A column of a table.
#[derive(Debug, Deserialize)]
pub struct Column {
    pub name: String,
    /// pg_attribute.attnum.
    pub number: i32,
    /// The name of the type, without its modifier.
    pub r#type: String,
    /// pg_type.typcategory: N for numbers, S for text, B, D, E, U.
    pub category: String,
    /// pg_attribute.atttypid.
    pub type_oid: u32,
    /// Whether it is a virtual generated column (from PostgreSQL 18), whose value a trigger does not see.
    pub r#virtual: bool,
    /// The labels of an enumeration, in their order.
    pub labels: Option<Vec<String>>,
}

/// A foreign key of one column.
#[derive(Debug, Deserialize)]
pub struct Reference {
    pub column: String,
    /// The OID of the table that it refers to.
    pub table: u32,
    /// The column of that table.
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
    /// Reads a relation from the catalogue; None: it does not exist. The search path must be pinned.
    pub fn load(oid: pg_sys::Oid) -> Option<Table> {
        let text = text_of(LOAD, &[oid.into()])?;
        serde_json::from_str(&text).ok()
    }

    /// Returns the table that a name means under the search path `path`.
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

    /// Returns the table of the first of the names that is another table, or a materialized view, in the same schema.
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

    /// Returns why it cannot be attached by anybody, as a predicate; None: it can.
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

    /// Returns the column of the first of the names that is one.
    pub fn first(&self, names: &[&str]) -> Option<&Column> {
        names.iter().find_map(|name| self.column(name))
    }

    /// Returns the foreign key of a column.
    pub fn reference(&self, column: &str) -> Option<&Reference> {
        self.references
            .iter()
            .find(|reference| reference.column == column)
    }

    /// Returns the names of the columns, separated by commas.
    pub fn column_names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }

    /// Returns the hint for somebody who has named a column that does not exist.
    pub fn meant(&self, name: &str) -> String {
        match closest(name, self.columns.iter().map(|column| column.name.as_str())) {
            Some(column) => format!("Perhaps \"{column}\" is meant."),
            None => "Give a column of the table, or an SQL expression over its columns.".to_owned(),
        }
    }
}

impl Column {
    /// Whether values of both columns can be equal: they are of one type, or both numbers or both texts.
    pub fn is_comparable_to(&self, other: &Column) -> bool {
        self.r#type == other.r#type
            || (self.category == other.category && matches!(&*self.category, "N" | "S"))
    }

    /// Returns the name as an identifier of SQL.
    pub fn quoted(&self) -> String {
        pgrx::spi::quote_identifier(&self.name)
    }

    pub fn type_oid(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.type_oid)
    }

    /// Whether it is an integer, as the project of a webhook is.
    pub fn is_integer(&self) -> bool {
        matches!(&*self.r#type, "smallint" | "integer" | "bigint")
    }
}

/// Runs a statement and returns the text in its first row and column. Names in it must be qualified unless the search path is pinned.
pub fn text_of(sql: &str, arguments: &[Argument]) -> Option<String> {
    let types: Vec<pg_sys::Oid> = arguments.iter().map(Argument::type_oid).collect();
    with_spi(|spi| {
        let rows = Plan::prepare(spi, sql, &types).execute(spi, arguments);
        rows.first::<String>()
    })
}
