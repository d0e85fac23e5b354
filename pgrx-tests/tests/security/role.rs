//! Roles that tests log in as, and what there is that they may not touch.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use postgres::Client;
use postgres::error::SqlState;
use zentry_e2e::scene::Scene;

/// A new role that can log in, and a session of it. Roles belong to the cluster, which tests share: each has a name of its own,
/// and is taken away from the database first.
pub struct Role {
    pub name: String,
    pub client: Client,
}

impl Role {
    pub fn create(scene: &mut Scene) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("role_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        scene.client.batch_execute(&format!("CREATE ROLE {name} LOGIN"))?;
        let client = scene.database.connect_as(&name)?;
        Ok(Self { name, client })
    }

    /// With the privilege.
    pub fn granted(scene: &mut Scene, privilege: &str) -> Result<Self> {
        let role = Self::create(scene)?;
        scene
            .client
            .batch_execute(&format!("SELECT zentry_grant('{}', '{privilege}')", role.name))?;
        Ok(role)
    }

    /// A manager who owns the schema `mallory`, where code is planted.
    pub fn mallory(scene: &mut Scene) -> Result<Self> {
        let mallory = Self::granted(scene, "manager")?;
        scene
            .client
            .batch_execute(&format!("CREATE SCHEMA mallory AUTHORIZATION {}", mallory.name))?;
        Ok(mallory)
    }

    pub fn is_refused(&mut self, statement: &str) {
        let error = self.client.batch_execute(statement).expect_err(statement);
        assert_eq!(
            error.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{statement}: {error:?}"
        );
    }

    pub fn may(&mut self, statement: &str) {
        self.client
            .batch_execute(statement)
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

/// Our tables, views and sequences.
pub fn relations(scene: &mut Scene) -> Result<Vec<String>> {
    const SQL: &str = "SELECT c.oid::regclass::text FROM pg_class c \
                       WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'v', 'S') ORDER BY 1";
    texts(scene, SQL)
}

/// A call of each of our functions, with nulls for arguments: privileges are looked at before.
pub fn calls(scene: &mut Scene) -> Result<Vec<String>> {
    const SQL: &str = "
        SELECT format('SELECT %s.%I(%s)', p.pronamespace::regnamespace, p.proname,
                      (SELECT coalesce(string_agg(format('NULL::%s', format_type(t, NULL)), ', '), '') FROM unnest(p.proargtypes) t))
          FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
          JOIN pg_proc p ON p.oid = d.objid
         WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
         ORDER BY 1";
    texts(scene, SQL)
}

fn texts(scene: &mut Scene, sql: &str) -> Result<Vec<String>> {
    let rows = scene.client.query(sql, &[])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
