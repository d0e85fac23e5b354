//! What zentry_status() tells a superuser to run gives nobody anything, whatever names and errors somebody has made.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::wait_for;

use crate::role::Role;

/// Runs the remedies of all lines that are not ok, as a superuser who pastes them would, and returns them.
fn run_remedies(scene: &mut Scene) -> Result<Vec<String>> {
    let rows = scene.client.query(
        "SELECT remedy FROM zentry_status() WHERE state <> 'ok' AND remedy <> ''",
        &[],
    )?;
    let remedies: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for remedy in &remedies {
        // What it does not mend is not the question.
        let _ = scene.client.batch_execute(remedy);
    }
    Ok(remedies)
}

fn mallory(scene: &mut Scene) -> Result<Role> {
    let mut mallory = Role::mallory(scene)?;
    mallory.may("CREATE TABLE mallory.person (id integer PRIMARY KEY, name text)");
    Ok(mallory)
}

fn is_superuser(scene: &mut Scene, role: &Role) -> Result<bool> {
    let sql = "SELECT rolsuper FROM pg_roles WHERE rolname = $1::text::name";
    Ok(scene.client.query_one(sql, &[&role.name])?.get(0))
}

#[test]
fn a_name_does_not_end_a_comment() -> Result<()> {
    for line_end in ["\n", "\r", "\r\n"] {
        let mut scene = Scene::start()?;
        let _channel = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
        let mut mallory = mallory(&mut scene)?;
        let table = format!("mallory.\"t{line_end}ALTER ROLE {} SUPERUSER; --\"", mallory.name);
        mallory.may(&format!(
            r#"CREATE TABLE {table} (id integer PRIMARY KEY, person integer);
               SELECT zentry_attach('badge_earned', '{table}',
                 '{{"who": {{"from": "mallory.person", "match": "id", "key": "person", "column": "name"}}}}',
                 operation => 'insert', audience => '{{"all": true}}');
               DROP TABLE mallory.person; CREATE VIEW mallory.person AS SELECT 1 AS id, 'x'::text AS name;
               INSERT INTO {table} VALUES (1, 1)"#
        ));
        scene.settle()?;
        wait_for(
            &mut scene.client,
            "SELECT bool_or(suspended_reason IS NOT NULL) FROM zentry_notify.event_source WHERE event_type = 'badge_earned'",
        )?;
        let remedies = run_remedies(&mut scene)?;
        assert!(
            remedies
                .iter()
                .any(|remedy| remedy.starts_with("-- give it a table to look into")),
            "{remedies:?}"
        );
        assert!(!is_superuser(&mut scene, &mallory)?, "{remedies:?}");
    }
    Ok(())
}

/// An error of hers that says so, and a constant that looks like a look-up.
#[test]
fn nobody_is_given_what_they_say_they_lack() -> Result<()> {
    let mut scene = Scene::start()?;
    let _channel = scene.channel_for(Kind::Discord, None, Some(&["badge_earned"]))?;
    let mut mallory = mallory(&mut scene)?;
    scene
        .client
        .batch_execute("CREATE SCHEMA payroll; CREATE TABLE payroll.salary (person text, amount integer)")?;
    mallory.may(
        r#"CREATE FUNCTION mallory.deny(integer) RETURNS text LANGUAGE plpgsql STABLE AS $$
           BEGIN RAISE EXCEPTION 'permission denied for table salary' USING ERRCODE = '42501'; END $$;
           CREATE TABLE mallory.visit (id integer PRIMARY KEY);
           SELECT zentry_attach('badge_earned', 'mallory.visit',
             '{"constant": {"value": {"from": "payroll.salary"}}, "who": "mallory.deny(id)"}', operation => 'insert', audience => '{"all": true}');
           INSERT INTO mallory.visit VALUES (1)"#,
    );
    scene.settle()?;
    let remedies = run_remedies(&mut scene)?;
    assert!(!remedies.is_empty());
    assert!(
        remedies.iter().all(|remedy| !remedy.contains("payroll")),
        "{remedies:?}"
    );
    mallory.is_refused("SELECT * FROM payroll.salary");
    Ok(())
}
