//! Expressions mean what they meant when they were given: what somebody else puts in their way later does not run as the table's owner.

use anyhow::{Context, Result};
use serde_json::Value;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::role::Role;

/// The owner of `hers.item`, who may attach it, and somebody who may create things in `hers` and has types in `his`.
fn owner_and_other(scene: &mut Scene) -> Result<(Role, Role)> {
    let mut owner = Role::create(scene)?;
    let mut other = Role::create(scene)?;
    scene.client.batch_execute(&format!(
        "CREATE SCHEMA hers AUTHORIZATION {0}; CREATE SCHEMA his AUTHORIZATION {1}; SELECT zentry_grant('{0}', 'manager'); \
         SELECT zentry_register_event_type('item_made', 'Item')",
        owner.name, other.name
    ))?;
    owner.may(&format!("GRANT USAGE, CREATE ON SCHEMA hers TO {}", other.name));
    other.may(
        "GRANT USAGE ON SCHEMA his TO PUBLIC; \
         CREATE TABLE his.seen (what text); GRANT INSERT ON his.seen TO PUBLIC; \
         CREATE TYPE his.mood AS ENUM ('glad'); CREATE DOMAIN his.word AS text; CREATE DOMAIN his.key AS text; CREATE TYPE his.tone AS ENUM ('low'); \
         CREATE FUNCTION his.note(what text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
           IF current_setting('application_name') LIKE 'zentry_notify%' THEN INSERT INTO his.seen VALUES (what || ' as ' || current_user); END IF; \
           RETURN current_user; END $$",
    );
    owner.may(
        "CREATE TABLE hers.item (id bigint, title text, mood his.mood, word his.word, tone his.tone, key his.key, keys his.key[]); \
         CREATE FUNCTION hers.fmt(anyelement) RETURNS text LANGUAGE sql AS $$ SELECT $1::text || '!' $$; \
         CREATE FUNCTION hers.shout(anyelement) RETURNS text LANGUAGE sql AS $$ SELECT $1::text || '!' $$",
    );
    Ok((owner, other))
}

fn told(scene: &mut Scene, number: i64) -> Result<Value> {
    scene.client.batch_execute(&format!(
        "INSERT INTO hers.item VALUES ({number}, 'x', 'glad', 'w', 'low', 'k', '{{k}}')"
    ))?;
    let deliveries = scene.settle()?;
    let told = deliveries
        .into_iter()
        .rfind(|delivery| delivery.payload["id"] == number)
        .context("it is told")?;
    Ok(told.payload)
}

#[test]
fn what_comes_later_does_not_run_as_the_owner() -> Result<()> {
    let mut scene = Scene::start()?;
    let (mut owner, mut other) = owner_and_other(&mut scene)?;
    scene.channel_for(Kind::Discord, None, Some(&["item_made"]))?;
    owner.may(
        r#"SELECT zentry_attach('item_made', 'hers.item', '{"id": "id", "plain": "upper(title)", "inlined": "hers.fmt(title)",
            "called": "hers.shout(title)", "cast": "mood::text", "checked": "upper(word)", "json": "coalesce(tone, tone)", "built_in": "upper(key)", "within": "array_length(keys, 1)"}')"#,
    );
    let before = told(&mut scene, 1)?;
    assert_eq!(
        [
            &before["plain"],
            &before["inlined"],
            &before["called"],
            &before["cast"],
            &before["checked"],
            &before["json"]
        ],
        ["X", "x!", "x!", "glad", "W", "low"],
        "{before:#}"
    );
    other.may(
        "CREATE FUNCTION hers.fmt(text) RETURNS text LANGUAGE sql AS $$ SELECT current_user::text $$; \
         CREATE FUNCTION hers.shout(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN his.note('overload'); END $$; \
         CREATE FUNCTION his.of_mood(his.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN his.note('cast'); END $$; \
         CREATE CAST (his.mood AS text) WITH FUNCTION his.of_mood(his.mood); \
         CREATE FUNCTION his.of_tone(his.tone) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN to_json(his.note('json')); END $$; \
         CREATE CAST (his.tone AS json) WITH FUNCTION his.of_tone(his.tone); \
         CREATE FUNCTION his.good(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM his.note('check'); RETURN true; END $$; \
         ALTER DOMAIN his.word ADD CHECK (his.good(VALUE)) NOT VALID; \
         ALTER DOMAIN his.key ADD CHECK (current_setting('application_name') NOT LIKE 'zentry_notify%') NOT VALID",
    );
    // With the statement that the worker has ready, and with one that is made anew.
    for (number, what) in [
        (2, "SELECT"),
        (3, "SELECT * FROM zentry_attach()"),
        (4, "SELECT pg_reload_conf()"),
    ] {
        scene.client.batch_execute(what)?;
        let after = told(&mut scene, number)?;
        assert_eq!(after["plain"], "X", "what is nobody else's is told: {after:#}");
        assert_eq!(after["built_in"], "K", "the check is not asked: {after:#}");
        assert_eq!(after["within"], Value::Null, "{after:#}");
        assert!(!after.to_string().contains(&owner.name), "{what}: {after:#}");
        let seen = other.client.query("SELECT what FROM his.seen", &[])?;
        let seen: Vec<String> = seen.iter().map(|row| row.get(0)).collect();
        assert_eq!(seen, [] as [String; 0], "{what}");
    }
    // It can't be attached so either, and it is said why.
    let refused = owner
        .client
        .batch_execute(
            r#"SELECT zentry_attach('item_made', 'hers.item', '{"id": "id", "inlined": "hers.fmt(title)"}')"#,
        )
        .expect_err("somebody else's function");
    let refused = refused.as_db_error().context("of the database")?;
    assert_eq!(refused.code().code(), "42501", "{refused:?}");
    assert!(
        refused.message().contains("would run with the rights of role"),
        "{refused:?}"
    );
    Ok(())
}

/// Whether a column can be "completed" is asked of the type without what a third role says of it.
#[test]
fn a_check_of_others_is_not_asked_when_a_table_is_attached() -> Result<()> {
    let mut scene = Scene::start()?;
    let (mut owner, mut other) = owner_and_other(&mut scene)?;
    other.may("CREATE DOMAIN his.stage AS text CHECK (VALUE <> 'completed')");
    owner.may(
        "CREATE DOMAIN hers.stage AS text CHECK (VALUE <> 'completed'); \
         CREATE TABLE hers.work (id bigint, status his.stage); CREATE TABLE hers.own_work (id bigint, status hers.stage)",
    );
    let attach = |table: &str| {
        format!(
            r#"SELECT zentry_attach('task_completed', '{table}', '{{"task_id": "id"}}', audience => '{{"all": true}}')"#
        )
    };
    owner.may(&attach("hers.work"));
    let refused = owner
        .client
        .batch_execute(&attach("hers.own_work"))
        .expect_err("the owner's own check is asked");
    assert_eq!(
        refused.code().map(|code| code.code()),
        Some("23514"),
        "{refused:?}"
    );
    Ok(())
}

/// What an expression converts to may get a check at any time, and some of PostgreSQL's own functions run a text, or take a lock that stays.
#[test]
fn expressions_convert_to_no_type_of_others_and_leave_no_lock() -> Result<()> {
    let mut scene = Scene::start()?;
    let (mut owner, _other) = owner_and_other(&mut scene)?;
    scene.channel_for(Kind::Discord, None, Some(&["item_made"]))?;
    for (expression, says) in [
        ("(title::his.word)::text", "it converts to type his.word of role"),
        (
            "array_length(ARRAY[title]::his.key[], 1)",
            "it converts to type his.key",
        ),
        (
            "query_to_xml(title, true, true, '''')::text",
            "query_to_xml may not be called",
        ),
        (
            "(SELECT count(pg_advisory_lock(g)) FROM generate_series(1, id) g)",
            "pg_advisory_lock may not be called",
        ),
    ] {
        let refused = owner
            .client
            .batch_execute(&format!(
                r#"SELECT zentry_attach('item_made', 'hers.item', '{{"id": "id", "value": "{expression}"}}')"#
            ))
            .expect_err(expression);
        let refused = refused.as_db_error().context("an error of the server")?;
        assert_eq!(refused.code().code(), "42501", "{refused:?}");
        assert!(refused.message().contains(says), "{refused:?}");
    }
    // Within a function it is seen when it is called.
    owner.may(
        r#"CREATE FUNCTION hers.locks(number bigint) RETURNS bigint LANGUAGE plpgsql AS $$
             BEGIN IF number IS NOT NULL THEN PERFORM pg_advisory_lock(number); END IF; RETURN number; END $$;
           SELECT zentry_attach('item_made', 'hers.item', '{"id": "id", "value": "hers.locks(id)", "title": "upper(title)"}')"#,
    );
    let told = told(&mut scene, 1)?;
    assert_eq!(
        (&told["value"], told["title"].as_str()),
        (&Value::Null, Some("X"))
    );
    let locks: i64 = scene
        .client
        .query_one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", &[])?
        .get(0);
    assert_eq!(locks, 0);
    Ok(())
}
