//! SECURITY.md's tables of privileges are what the catalog says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use zentry_e2e::scene::Scene;

use crate::roles::Role;

const PAGE: &str = include_str!("../../../SECURITY.md");
const PRIVILEGES: [(&str, &str); 4] = [
    ("read", "SELECT"),
    ("insert", "INSERT"),
    ("update", "UPDATE"),
    ("delete", "DELETE"),
];

/// What each role may do with each thing. What is empty is left out.
type Table = BTreeMap<(String, String), BTreeSet<String>>;

/// The page's table with this first heading, and its roles.
fn told(heading: &str) -> (Table, BTreeSet<String>, Vec<&'static str>) {
    let start = PAGE.find(&format!("\n| {heading} | ")).expect("the page's table");
    let mut lines = PAGE[start + 1..].lines().take_while(|line| line.starts_with('|'));
    let cells = |line: &'static str| {
        line.trim_matches('|')
            .split(" |")
            .map(str::trim)
            .collect::<Vec<_>>()
    };
    let roles = cells(lines.next().expect("headings")).split_off(1);
    let (mut table, mut things) = (Table::new(), BTreeSet::new());
    for line in lines.skip(1) {
        let cells = cells(line);
        assert_eq!(cells.len(), roles.len() + 1, "{line}");
        for thing in cells[0].split('`').skip(1).step_by(2) {
            assert!(things.insert(thing.to_owned()), "{thing} stands there twice");
            for (role, cell) in roles.iter().zip(&cells[1..]) {
                let may: BTreeSet<String> = cell
                    .split('(')
                    .next()
                    .unwrap_or_default()
                    .split(", ")
                    .map(str::trim)
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect();
                if !may.is_empty() {
                    table.insert((thing.to_owned(), (*role).to_owned()), may);
                }
            }
        }
    }
    (table, things, roles)
}

/// The names of the catalog's roles for the page's.
fn roles(scene: &mut Scene, told: &[&'static str]) -> Result<Vec<(&'static str, String)>> {
    told.iter()
        .map(|role| {
            let name = match *role {
                "PUBLIC" => Role::create(scene)?.name,
                "agent" => "zentry_notify_agent".to_owned(),
                privilege => Role::granted(scene, privilege)?.name,
            };
            Ok((*role, name))
        })
        .collect()
}

#[test]
fn relations() -> Result<()> {
    let mut scene = Scene::start()?;
    let (told, named, heads) = told("relation");
    let mut found = (Table::new(), BTreeSet::new());
    for (role, name) in roles(&mut scene, &heads)? {
        for (word, privilege) in PRIVILEGES {
            let of_columns = match privilege {
                "DELETE" => "false".to_owned(),
                _ => format!("has_any_column_privilege('{name}', c.oid, '{privilege}')"),
            };
            let sql = format!(
                "SELECT c.relname::text, has_table_privilege('{name}', c.oid, '{privilege}') OR {of_columns} FROM pg_class c \
                 WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')"
            );
            for row in scene.client.query(&sql, &[])? {
                let relation: String = row.get(0);
                found.1.insert(relation.clone());
                if row.get(1) {
                    let may = found.0.entry((relation, role.to_owned())).or_default();
                    may.insert(word.to_owned());
                }
            }
        }
    }
    assert_eq!(found.1, named);
    assert_eq!(found.0, told);
    Ok(())
}

#[test]
fn functions() -> Result<()> {
    let mut scene = Scene::start()?;
    let (told, named, heads) = told("function");
    let mut found = (Table::new(), BTreeSet::new());
    for (role, name) in roles(&mut scene, &heads)? {
        let sql = format!(
            "SELECT p.proname::text, bool_and(has_function_privilege('{name}', p.oid, 'EXECUTE')) FROM pg_proc p \
             JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
             JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify' \
             WHERE p.pronamespace <> 'zentry_notify'::regnamespace OR p.proname LIKE '%api\\_token%' AND p.prorettype <> 'trigger'::regtype \
             GROUP BY p.proname"
        );
        for row in scene.client.query(&sql, &[])? {
            let function: String = row.get(0);
            found.1.insert(function.clone());
            if row.get(1) {
                found
                    .0
                    .insert((function, role.to_owned()), BTreeSet::from(["yes".to_owned()]));
            }
        }
    }
    assert_eq!(found.1, named);
    assert_eq!(found.0, told);
    Ok(())
}
