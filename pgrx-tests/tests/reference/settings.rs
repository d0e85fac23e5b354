//! `docs/reference/settings.md` is what `pg_settings` says. `scripts/reference` writes it.

use std::fmt::Write;
use std::fs;

use zentry_e2e::cluster::{Cluster, ClusterOptions};

use crate::page;

const FILE: &str = "settings.md";

const INTRODUCTION: &str = "# Settings

<!-- Made by scripts/reference from pg_settings. Change src/settings/table.rs instead. -->

Every setting takes effect with `SELECT pg_reload_conf();`; none needs a restart. The worker goes by the server's configuration: change it in
`postgresql.conf` or by `ALTER SYSTEM`. What a superuser sets can be set for one database too (`ALTER DATABASE ... SET`); its worker follows
from its next start.

Values are checked when they are set. A wrong one is an error that says what is wrong, with a HINT that shows a right one. In
`postgresql.conf` it is logged and the old value stays; where the server starts with one, it logs a WARNING and the default counts. A
misspelt setting is an error too: nothing else may begin with `zentry_notify.`. One that a database or a role has from a time when the
library was not loaded gives a WARNING at each connection, until `ALTER DATABASE ... RESET` removes it.

`ca_file` is read when it is set and when the configuration is reloaded, but not when the server or a session starts: its directory may be
mounted later. The worker reads it at its own start, and says so where it cannot.
";

#[test]
fn the_reference_is_what_pg_settings_says() {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let rows = cluster
        .connect()
        .unwrap()
        .query(
            "SELECT name, short_desc, coalesce(extra_desc, ''), vartype, coalesce(unit, ''), boot_val, \
                    coalesce(min_val, ''), coalesce(max_val, ''), context \
             FROM pg_settings WHERE name LIKE 'zentry\\_notify.%' ORDER BY name",
            &[],
        )
        .unwrap();
    let mut text = INTRODUCTION.to_owned();
    for row in rows {
        let [name, summary, details, kind, unit, default, min, max, context]: [String; 9] =
            std::array::from_fn(|column| row.get(column));
        let values = match &*kind {
            "bool" => "`on` or `off`".to_owned(),
            "integer" => format!("{} to {}", with_unit(&min, &unit), with_unit(&max, &unit)),
            _ => "text".to_owned(),
        };
        let default = match &*default {
            "" => "empty".to_owned(),
            default => format!("`{}`", with_unit(default, &unit)),
        };
        let set_by = match &*context {
            "user" => "every role",
            "superuser" => "superusers",
            "sighup" => "the configuration file and `ALTER SYSTEM`",
            other => other,
        };
        let details = if details.is_empty() {
            details
        } else {
            format!(" {details}")
        };
        write!(
            text,
            "\n## `{name}`\n\n{summary}{details}\n\n- Values: {values}\n- Default: {default}\n- Set by: {set_by}\n"
        )
        .unwrap();
    }
    let there = fs::read_to_string(page::path(FILE)).unwrap_or_default();
    page::compare(FILE, &there, &text).unwrap();
}

/// 30000 ms is 30 s.
fn with_unit(number: &str, unit: &str) -> String {
    let Ok(number) = number.parse::<u64>() else {
        return number.to_owned();
    };
    let units: &[(&str, u64)] = match unit {
        "ms" => &[("min", 60_000), ("s", 1_000), ("ms", 1)],
        "s" => &[("h", 3_600), ("min", 60), ("s", 1)],
        "min" => &[("d", 1_440), ("h", 60), ("min", 1)],
        _ => return number.to_string(),
    };
    units
        .iter()
        .find(|(_, size)| number >= *size && number % size == 0)
        .map_or_else(
            || number.to_string(),
            |(unit, size)| format!("{}{unit}", number / size),
        )
}
