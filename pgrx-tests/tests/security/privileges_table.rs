//! SECURITY.md's tables of privileges are what the catalog says: where the extension is new, was updated, came in a dump, and where roles were
//! renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use postgres::Client;
use zentry_e2e::cluster::TestDatabase;
use zentry_e2e::release::earlier_versions;
use zentry_e2e::scene::Scene;

use crate::role::Role;

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

/// A database, and the names of the catalog's roles for the page's.
pub struct Installed {
    pub client: Client,
    pub roles: Vec<(&'static str, String)>,
    /// How it came to be, for messages.
    pub story: String,
}

pub const ROLES: [&str; 7] = [
    "PUBLIC",
    "reader",
    "manager",
    "application",
    "server",
    "sender",
    "agent",
];

pub fn roles(scene: &mut Scene) -> Result<Vec<(&'static str, String)>> {
    ROLES
        .iter()
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

/// A database of this version, and one that was updated from each before.
pub fn installations() -> Result<Vec<Scene>> {
    let mut scenes = vec![Scene::start()?];
    for version in earlier_versions()? {
        let mut scene = Scene::empty()?;
        scene.client.batch_execute(&format!(
            "CREATE EXTENSION zentry_notify VERSION '{version}'; ALTER EXTENSION zentry_notify UPDATE"
        ))?;
        scenes.push(scene);
    }
    Ok(scenes)
}

/// Looks at each of them: as it is, with its roles renamed, and restored from a dump.
pub fn everywhere(look: fn(&mut Installed) -> Result<()>) -> Result<()> {
    for (number, mut scene) in installations()?.into_iter().enumerate() {
        let roles = roles(&mut scene)?;
        let mut installed = Installed {
            client: scene.database.connect()?,
            roles,
            story: format!("installation {number}"),
        };
        look(&mut installed)?;
        for (_, name) in installed.roles.iter_mut().filter(|(role, _)| *role != "agent") {
            let renamed = format!("{name}_renamed");
            scene
                .client
                .batch_execute(&format!("ALTER ROLE {name} RENAME TO {renamed}"))?;
            *name = renamed;
        }
        installed.story += ", roles renamed";
        look(&mut installed)?;
        let restored = TestDatabase::create()?;
        copy(&scene.database, &restored)?;
        installed.client = restored.connect()?;
        installed.story += ", restored from a dump";
        look(&mut installed)?;
    }
    Ok(())
}

fn copy(from: &TestDatabase, to: &TestDatabase) -> Result<()> {
    let dump = from
        .cluster()
        .client_command("pg_dump")
        .arg(from.name())
        .output()?;
    ensure!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let mut psql = to
        .cluster()
        .client_command("psql")
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--dbname",
            to.name(),
        ])
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    psql.stdin
        .take()
        .context("psql's input")?
        .write_all(&dump.stdout)?;
    ensure!(psql.wait()?.success(), "psql could not restore the dump");
    Ok(())
}

#[test]
fn relations() -> Result<()> {
    everywhere(relations_of)
}

fn relations_of(installed: &mut Installed) -> Result<()> {
    let (told, named, heads) = told("relation");
    assert_eq!(heads, ROLES);
    let mut found = (Table::new(), BTreeSet::new());
    for (role, name) in &installed.roles {
        for (word, privilege) in PRIVILEGES {
            let of_columns = match privilege {
                "DELETE" => "false".to_owned(),
                _ => format!("has_any_column_privilege('{name}', c.oid, '{privilege}')"),
            };
            let sql = format!(
                "SELECT c.relname::text, has_table_privilege('{name}', c.oid, '{privilege}') OR {of_columns} FROM pg_class c \
                 WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')"
            );
            for row in installed.client.query(&sql, &[])? {
                let relation: String = row.get(0);
                found.1.insert(relation.clone());
                if row.get(1) {
                    let may = found.0.entry((relation, (*role).to_owned())).or_default();
                    may.insert(word.to_owned());
                }
            }
        }
    }
    assert_eq!(found.1, named, "{}", installed.story);
    assert_eq!(found.0, told, "{}", installed.story);
    Ok(())
}

#[test]
fn functions() -> Result<()> {
    everywhere(functions_of)
}

fn functions_of(installed: &mut Installed) -> Result<()> {
    let (told, named, heads) = told("function");
    let mut found = (Table::new(), BTreeSet::new());
    for (role, name) in installed.roles.iter().filter(|(role, _)| heads.contains(role)) {
        let sql = format!(
            "SELECT p.proname::text, bool_and(has_function_privilege('{name}', p.oid, 'EXECUTE')) FROM pg_proc p \
             JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
             JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify' \
             WHERE p.pronamespace <> 'zentry_notify'::regnamespace OR p.proname LIKE '%api\\_token%' AND p.prorettype <> 'trigger'::regtype \
                OR p.oid = ANY (ARRAY(SELECT f::oid FROM zentry_notify.functions_of('sender') f)) \
             GROUP BY p.proname"
        );
        for row in installed.client.query(&sql, &[])? {
            let function: String = row.get(0);
            found.1.insert(function.clone());
            if row.get(1) {
                found
                    .0
                    .insert((function, (*role).to_owned()), BTreeSet::from(["yes".to_owned()]));
            }
        }
    }
    assert_eq!(found.1, named, "{}", installed.story);
    assert_eq!(found.0, told, "{}", installed.story);
    Ok(())
}

/// What the tables do not have: other functions, sequences, the schema, default privileges.
#[test]
fn nothing_else() -> Result<()> {
    everywhere(nothing_else_in)
}

fn nothing_else_in(installed: &mut Installed) -> Result<()> {
    let story = installed.story.clone();
    let mut list = |sql: &str| -> Result<Vec<String>> {
        Ok(installed
            .client
            .query(sql, &[])?
            .iter()
            .map(|row| row.get(0))
            .collect())
    };
    for (role, name) in &installed.roles {
        let beyond = format!(
            "SELECT p.oid::regprocedure::text FROM pg_proc p \
             JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
             JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify' \
             WHERE has_function_privilege('{name}', p.oid, 'EXECUTE') \
               AND p.oid <> ALL (ARRAY(SELECT f::oid FROM zentry_notify.functions_of('{role}') f WHERE '{role}' NOT IN ('PUBLIC', 'agent'))) ORDER BY 1"
        );
        let functions = list(&beyond)?;
        let agents = [
            "zentry_notify.add_histograms(bigint[],bigint[])",
            "zentry_notify.capture()",
            "zentry_notify.forget_deleted(integer)",
            "zentry_notify.forget_deliveries(bigint,integer)",
            "zentry_notify.forget_gone_senders()",
            "zentry_notify.gone_senders()",
            "zentry_notify.has_expired(timestamp with time zone,interval,text,text)",
            "zentry_notify.language_words(text)",
            "zentry_notify.offer_queues(bigint[])",
            "zentry_notify.over_age(timestamp with time zone,double precision,text,text)",
            "zentry_notify.sender_signal()",
            "zentry_notify.sum_histogram(bigint[])",
            "zentry_notify.tell_senders(text,bigint[],bigint[])",
        ];
        let expected: &[&str] = if *role == "agent" { &agents } else { &agents[1..2] };
        assert_eq!(functions, expected, "{role}: {story}");
        let sequences = list(&format!(
            "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = 'S' \
               AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('{name}', c.oid, 'USAGE, SELECT, UPDATE') END"
        ))?;
        let expected: &[&str] = if *role == "agent" {
            &["delivery_id_seq"]
        } else {
            &[]
        };
        assert_eq!(sequences, expected, "{role}: {story}");
        let schema = list(&format!(
            "SELECT p FROM unnest('{{USAGE,CREATE}}'::text[]) p WHERE has_schema_privilege('{name}', 'zentry_notify', p)"
        ))?;
        let expected: &[&str] = if *role == "PUBLIC" { &[] } else { &["USAGE"] };
        assert_eq!(schema, expected, "{role}: {story}");
    }
    let options = list(
        "SELECT acl::text FROM (SELECT relacl FROM pg_class WHERE relnamespace = 'zentry_notify'::regnamespace \
                                UNION ALL SELECT proacl FROM pg_proc WHERE pronamespace = 'zentry_notify'::regnamespace \
                                UNION ALL SELECT nspacl FROM pg_namespace WHERE nspname = 'zentry_notify') a (list), unnest(a.list) acl, aclexplode(a.list) given \
         WHERE given.is_grantable AND given.grantee <> given.grantor",
    )?;
    assert_eq!(options, [""; 0], "with the option to grant it on: {story}");
    assert_eq!(
        list("SELECT defaclacl::text FROM pg_default_acl")?,
        [""; 0],
        "{story}"
    );
    Ok(())
}
