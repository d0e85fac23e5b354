//! The server's session may act as each token's role: nothing that one of them could define runs there.

use anyhow::Result;
use zentry_e2e::scene::Scene;

use crate::support::Server;

/// Of the token's role MALLORY. What it defines notes that it has run, in a sequence, which no rollback takes back.
const PLANTED: &str = "
    CREATE SEQUENCE mallory.ran;
    GRANT USAGE ON SCHEMA mallory TO PUBLIC; GRANT USAGE ON SEQUENCE mallory.ran TO PUBLIC;
    CREATE FUNCTION mallory.note() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('mallory.ran'); RETURN true; END $$;
    CREATE DOMAIN mallory.checked AS text CHECK (mallory.note());
    CREATE TYPE mallory.mood AS ENUM ('one', 'two');
    CREATE FUNCTION mallory.as_text(mood mallory.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(); RETURN 'cast'; END $$;
    CREATE CAST (mallory.mood AS text) WITH FUNCTION mallory.as_text(mallory.mood) AS IMPLICIT;
    CREATE FUNCTION mallory.as_json(mood mallory.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(); RETURN '1'; END $$;
    CREATE CAST (mallory.mood AS json) WITH FUNCTION mallory.as_json(mallory.mood) AS IMPLICIT;
    CREATE TYPE mallory.number AS (i bigint);
    CREATE FUNCTION mallory.as_bigint(n mallory.number) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(); RETURN 1; END $$;
    CREATE CAST (mallory.number AS bigint) WITH FUNCTION mallory.as_bigint(mallory.number) AS IMPLICIT;
    CREATE FUNCTION mallory.same(a bigint, b bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN mallory.note(); END $$;
    CREATE OPERATOR mallory.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = mallory.same);
    CREATE TABLE mallory.project (id bigint, name text); INSERT INTO mallory.project VALUES (1, 'plain');
    GRANT SELECT ON mallory.project TO PUBLIC;
    CREATE TABLE mallory.task (id bigint, title text, status text, project_id bigint, user_id bigint);
    SELECT public.zentry_attach('task_completed', 'mallory.task', '{
        \"project_name\": {\"from\": \"mallory.project\", \"match\": \"id\", \"key\": \"project_id\", \"column\": \"name\"},
        \"user_name\": {\"from\": \"mallory.project\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"name\"}}');";

/// What the table of names becomes, once it is looked up.
const BECOMES: [&str; 7] = [
    "ALTER TABLE mallory.project ALTER name TYPE mallory.mood USING 'one'",
    "ALTER TABLE mallory.project ALTER name TYPE mallory.checked",
    "ALTER TABLE mallory.project ALTER id TYPE mallory.number USING ROW(id)",
    "CREATE POLICY noting ON mallory.project USING (mallory.note()); ALTER TABLE mallory.project ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE mallory.project RENAME TO aside; GRANT SELECT ON mallory.aside TO PUBLIC; \
     CREATE VIEW mallory.project AS SELECT id, mallory.note()::text AS name FROM mallory.aside; GRANT SELECT ON mallory.project TO PUBLIC",
    "ALTER TABLE mallory.project RENAME TO aside; \
     CREATE TABLE mallory.project (id mallory.number, name mallory.mood); INSERT INTO mallory.project VALUES (ROW(1), 'one'); \
     GRANT SELECT ON mallory.project TO PUBLIC",
    "ALTER TABLE mallory.project RENAME TO \"project; SELECT mallory.note(); --\"; \
     CREATE MATERIALIZED VIEW mallory.project AS SELECT 1::bigint AS id, 'two'::mallory.mood AS name; GRANT SELECT ON mallory.project TO PUBLIC",
];

#[test]
fn nothing_of_a_managers_runs_in_the_servers_session() -> Result<()> {
    for becomes in BECOMES {
        let mut scene = Scene::empty()?;
        scene.install()?;
        let server = Server::start(&mut scene)?;
        let mallory = server.token(&mut scene, "manager")?;
        let tokens =
            ["reader", "manager", "application"].map(|privilege| server.token(&mut scene, privilege));
        let url = scene.emulator.discord_webhook().url();
        scene.client.execute(
            "SELECT zentry_register_webhook('a', 'discord', $1, 1, NULL, true, 1)",
            &[&url],
        )?;
        scene.client.batch_execute(&format!(
            "CREATE SCHEMA mallory AUTHORIZATION {0}; SET SESSION AUTHORIZATION {0}",
            mallory.role
        ))?;
        scene.client.batch_execute(PLANTED)?;
        // A plain table's names are shown, so that what follows is looked at by what shows them.
        let listed = server.get("/webhook-integrations/", &mallory)?;
        assert_eq!(listed.json["results"][0]["project_name"], "plain", "{listed:?}");
        scene.client.batch_execute(becomes)?;
        scene
            .client
            .batch_execute("RESET SESSION AUTHORIZATION; ALTER SEQUENCE mallory.ran RESTART")?;
        for token in tokens.into_iter().chain([Ok(mallory)]) {
            let token = token?;
            for path in [
                "/webhook-integrations/",
                "/webhook-integrations/1/",
                "/notification-logs/",
            ] {
                let answer = server.get(path, &token)?;
                assert_eq!(answer.status, 200, "{becomes}: {path}: {answer:?}");
                assert!(!answer.text.contains("cast"), "{becomes}: {path}: {answer:?}");
            }
        }
        let ran: bool = scene
            .client
            .query_one("SELECT is_called FROM mallory.ran", &[])?
            .get(0);
        assert!(!ran, "{becomes}");
    }
    Ok(())
}
