//! SECURITY.md's tables of privileges are what the catalog says: where the extension is new, was updated, came in a dump, and where roles were
//! renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use postgres::Client;
use postgres::error::SqlState;
use zentry_e2e::cluster::TestDatabase;
use zentry_e2e::release::earlier_versions;
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

/// A database, and the names of the catalog's roles for the page's.
struct Installed {
    client: Client,
    roles: Vec<(&'static str, String)>,
    /// How it came to be, for messages.
    story: String,
}

const ROLES: [&str; 6] = ["PUBLIC", "reader", "manager", "application", "server", "agent"];

fn roles(scene: &mut Scene) -> Result<Vec<(&'static str, String)>> {
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
fn installations() -> Result<Vec<Scene>> {
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
fn everywhere(look: fn(&mut Installed) -> Result<()>) -> Result<()> {
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
            "zentry_notify.has_expired(timestamp with time zone,interval,text,text)",
            "zentry_notify.language_words(text)",
            "zentry_notify.over_age(timestamp with time zone,double precision,text,text)",
            "zentry_notify.sum_histogram(bigint[])",
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

/// Not even the right to lock one: that would hold up everybody's writes.
#[test]
fn nobody_locks_a_table_of_ours() -> Result<()> {
    const TABLES: &str = "SELECT c.oid::regclass::text FROM pg_class c \
                          WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = ANY ($1::text::\"char\"[])";
    for mut scene in installations()? {
        let mut of_kind = |kinds: &str| -> Result<Vec<String>> {
            let rows = scene.client.query(TABLES, &[&kinds])?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        };
        let (tables, views) = (of_kind("{r,p}")?, of_kind("{v}")?);
        assert!(tables.len() >= 15 && views.len() >= 11, "{tables:?} {views:?}");
        for privilege in ["reader", "manager", "application", "server"] {
            let mut role = Role::granted(&mut scene, privilege)?;
            for table in &tables {
                for mode in ["ACCESS SHARE", "ROW EXCLUSIVE", "ACCESS EXCLUSIVE"] {
                    role.is_refused(&format!("BEGIN; LOCK TABLE {table} IN {mode} MODE"));
                    role.client.batch_execute("ROLLBACK")?;
                }
            }
            for view in views
                .iter()
                .filter(|view| !(privilege == "application" && *view == "zentry_notify.webhook_integration"))
            {
                role.is_refused(&format!("BEGIN; LOCK TABLE {view} IN SHARE ROW EXCLUSIVE MODE"));
                role.client.batch_execute("ROLLBACK")?;
            }
        }
    }
    Ok(())
}

#[test]
fn default_privileges_give_nobody_anything_of_ours() -> Result<()> {
    const GIVEN: &str = "
        SELECT count(*) FROM (
          SELECT a.grantee, c.relowner AS owner FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'zentry_notify'::regnamespace
          UNION ALL SELECT a.grantee, n.nspowner FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'zentry_notify'
          UNION ALL SELECT a.grantee, p.proowner FROM pg_depend d
            JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
            JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e', aclexplode(p.proacl) a
           WHERE (p.proname, a.grantee) <> ('capture', 0)) given
         WHERE given.grantee NOT IN (given.owner, 'zentry_notify_agent'::regrole)";
    let mut scene = Scene::empty()?;
    let mut curious = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {0}, PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {0}, PUBLIC; \
         ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO {0}; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {0}, PUBLIC",
        curious.name
    ))?;
    scene.install()?;
    // But for the trigger function, which whoever makes a partition of an attached table needs.
    assert_eq!(scene.client.query_one(GIVEN, &[])?.get::<_, i64>(0), 0);
    curious.is_refused("SELECT * FROM zentry_notify.webhook_secret");
    Ok(())
}

/// Who writes every table by membership in `pg_write_all_data` gets nobody's token, no token changes its role, and nothing is computed with the rights of
/// the owner of an attached table.
#[test]
fn tokens_stay_their_roles() -> Result<()> {
    let mut scene = Scene::start()?;
    let manager = Role::granted(&mut scene, "manager")?;
    let mut writer = Role::create(&mut scene)?;
    scene.client.batch_execute(&format!(
        "GRANT pg_write_all_data TO {0}; GRANT USAGE ON SCHEMA zentry_notify TO {0}; SELECT zentry_create_api_token('front end', '{1}')",
        writer.name, manager.name
    ))?;
    for attempt in [
        "UPDATE zentry_notify.api_token SET token_hash = '\\x00'",
        "UPDATE zentry_notify.api_token SET expires_at = NULL",
        "DELETE FROM zentry_notify.api_token",
        "UPDATE zentry_notify.event_source SET columns = '{\"x\": {\"expression\": \"pg_read_file(''PG_VERSION'')\", \"columns\": []}}'",
        "INSERT INTO zentry_notify.event_source (event_type, relation, columns, audience) \
         VALUES ('daily_streak', 'public.tasks_task', '{\"x\": {\"expression\": \"pg_read_file(''PG_VERSION'')\", \"columns\": []}}', '{\"all\": true}')",
        "DELETE FROM zentry_notify.event_source",
        "SELECT webhook_url FROM zentry_notify.webhook_secret",
        &format!(
            "INSERT INTO zentry_notify.api_token (token_key, name, role_name, token_hash, created_by) VALUES ('aaaaaaaa', 'x', '{}', '\\x00', 'x')",
            manager.name
        ),
    ] {
        let error = writer.client.batch_execute(attempt).expect_err(attempt);
        assert_eq!(
            error.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{attempt}: {error:?}"
        );
    }
    let role_of_token = "SELECT role_name::text FROM zentry_notify.find_api_token((SELECT token_key FROM zentry_notify.api_token))";
    let renamed = format!("{}_renamed", manager.name);
    drop(manager.client);
    scene.client.batch_execute(&format!(
        "ALTER ROLE {0} RENAME TO {renamed}; CREATE ROLE {0}",
        manager.name
    ))?;
    assert_eq!(
        scene.client.query_one(role_of_token, &[])?.get::<_, String>(0),
        renamed
    );
    scene.client.batch_execute(&format!(
        "DROP OWNED BY {renamed}; DROP ROLE {renamed}; ALTER ROLE {0} RENAME TO {renamed}",
        manager.name
    ))?;
    assert_eq!(
        scene
            .client
            .query_one(role_of_token, &[])?
            .get::<_, Option<String>>(0),
        None
    );
    Ok(())
}
