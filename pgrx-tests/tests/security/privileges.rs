//! What nobody may, and what no default privilege gives.

use anyhow::Result;
use postgres::error::SqlState;
use zentry_e2e::scene::Scene;

use crate::privileges_table::*;
use crate::role::Role;

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
        for privilege in ["reader", "manager", "application", "server", "sender"] {
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
