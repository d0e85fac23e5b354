//! What is planted, written and called.

/// Of `AUTHOR`, which belongs to the role of that name; `VICTIM` is somebody else's. `act` notes as whom it runs, in sequences, which no
/// rollback takes back, and tries what its owner may not.
pub const PLANTED: &str = r#"
CREATE TABLE AUTHOR.secret (id bigint, text text);
INSERT INTO AUTHOR.secret SELECT i, 'secret-of-AUTHOR' FROM generate_series(1, 5) i;
CREATE TABLE AUTHOR.loot (text text);
CREATE SEQUENCE AUTHOR.as_owner;
CREATE SEQUENCE AUTHOR.as_another;
CREATE TABLE AUTHOR.seen (what text, role name, session name);
GRANT USAGE ON SCHEMA AUTHOR TO PUBLIC;
GRANT INSERT ON AUTHOR.loot, AUTHOR.seen TO PUBLIC;
GRANT USAGE ON SEQUENCE AUTHOR.as_owner, AUTHOR.as_another TO PUBLIC;
CREATE FUNCTION AUTHOR.act(what text) RETURNS boolean LANGUAGE plpgsql AS $act$
DECLARE
    statement text;
BEGIN
    BEGIN
        IF current_user = 'AUTHOR' THEN
            PERFORM nextval('AUTHOR.as_owner');
        ELSE
            PERFORM nextval('AUTHOR.as_another');
            INSERT INTO AUTHOR.seen VALUES (what, current_user, session_user);
        END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    -- What its owner tries in a session of its own is PostgreSQL's affair.
    IF session_user = 'AUTHOR' AND random() > 0.02 THEN
        RETURN true;
    END IF;
    FOREACH statement IN ARRAY ARRAY[
        'ALTER ROLE AUTHOR SUPERUSER', 'GRANT postgres TO AUTHOR', 'GRANT pg_read_all_data TO AUTHOR', 'SET ROLE postgres',
        'RESET SESSION AUTHORIZATION', 'ALTER TABLE VICTIM.secret OWNER TO AUTHOR', 'GRANT SELECT ON VICTIM.secret TO AUTHOR',
        'INSERT INTO AUTHOR.loot SELECT text FROM VICTIM.secret', 'INSERT INTO AUTHOR.loot SELECT webhook_url FROM zentry_notify.webhook_secret',
        'INSERT INTO AUTHOR.loot SELECT token_hash::text FROM zentry_notify.api_token', 'SELECT public.zentry_grant(''AUTHOR'', ''application'')',
        'UPDATE zentry_notify.event_source SET columns = ''{}''', 'SELECT set_config(''search_path'', ''AUTHOR'', false)']
    LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    RETURN true;
END $act$;
CREATE FUNCTION AUTHOR.act_i(i bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM AUTHOR.act('index'); RETURN i; END $$;
CREATE FUNCTION AUTHOR.act_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM AUTHOR.act('trigger'); RETURN NEW; END $$;
CREATE DOMAIN AUTHOR.checked AS text CHECK (AUTHOR.act('domain'));
CREATE DOMAIN AUTHOR.twice AS AUTHOR.checked CHECK (AUTHOR.act('domain of a domain'));
CREATE TYPE AUTHOR.mood AS ENUM ('todo', 'completed');
CREATE FUNCTION AUTHOR.mood_text(m AUTHOR.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM AUTHOR.act('cast'); RETURN 'completed'; END $$;
CREATE CAST (AUTHOR.mood AS text) WITH FUNCTION AUTHOR.mood_text(AUTHOR.mood) AS IMPLICIT;
CREATE TYPE AUTHOR.pair AS (a int, b AUTHOR.checked);
CREATE FUNCTION AUTHOR.pair_number(p AUTHOR.pair) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM AUTHOR.act('cast'); RETURN 1; END $$;
CREATE CAST (AUTHOR.pair AS bigint) WITH FUNCTION AUTHOR.pair_number(AUTHOR.pair) AS IMPLICIT;
CREATE FUNCTION AUTHOR.same(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN AUTHOR.act('operator'); END $$;
CREATE OPERATOR AUTHOR.= (LEFTARG = text, RIGHTARG = text, FUNCTION = AUTHOR.same);
CREATE FUNCTION AUTHOR.same(a AUTHOR.mood, b text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN AUTHOR.act('operator'); END $$;
CREATE OPERATOR AUTHOR.= (LEFTARG = AUTHOR.mood, RIGHTARG = text, FUNCTION = AUTHOR.same);
CREATE TABLE AUTHOR.task (
    id bigint PRIMARY KEY, title AUTHOR.checked, status AUTHOR.mood DEFAULT 'todo', label AUTHOR.twice DEFAULT 'd', labels AUTHOR.checked[],
    pair AUTHOR.pair, points bigint GENERATED ALWAYS AS (AUTHOR.act_i(1)) STORED, user_id bigint, project_id bigint,
    "x') EXECUTE FUNCTION AUTHOR.act('name'); --" text, task_completed text, "user_name; SELECT AUTHOR.act('name')" text,
    CHECK (AUTHOR.act('check')));
CREATE INDEX ON AUTHOR.task (AUTHOR.act_i(user_id));
CREATE TRIGGER before BEFORE INSERT OR UPDATE ON AUTHOR.task FOR EACH ROW EXECUTE FUNCTION AUTHOR.act_trigger();
CREATE TRIGGER after AFTER INSERT OR UPDATE ON AUTHOR.task FOR EACH ROW EXECUTE FUNCTION AUTHOR.act_trigger();
CREATE TABLE AUTHOR.people (id bigint, username AUTHOR.checked, plain text);
INSERT INTO AUTHOR.people VALUES (1, 'one', 'one'), (2, 'two', 'two');
ALTER TABLE AUTHOR.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY looks ON AUTHOR.people USING (AUTHOR.act('policy'));
CREATE VIEW AUTHOR.peek AS SELECT id, AUTHOR.act('view')::text AS username FROM AUTHOR.people;
CREATE TABLE AUTHOR.keys (id AUTHOR.pair, username AUTHOR.mood);
INSERT INTO AUTHOR.keys VALUES (ROW(1, 'x'), 'todo');
CREATE TABLE AUTHOR.part (id bigint, title text, status text, user_id bigint) PARTITION BY RANGE (AUTHOR.act_i(id));
CREATE TABLE AUTHOR.part_1 PARTITION OF AUTHOR.part FOR VALUES FROM (0) TO (100);
CREATE TABLE AUTHOR.part_2 PARTITION OF AUTHOR.part FOR VALUES FROM (100) TO (1000000);
CREATE TABLE AUTHOR.child (extra AUTHOR.checked) INHERITS (AUTHOR.task);
CREATE TABLE AUTHOR.integrations (id bigint, name NAMETYPE, webhook_type text, webhook_url text, project_id bigint, created_by_id bigint,
    event_types jsonb, is_active boolean, created_at timestamptz);
INSERT INTO AUTHOR.integrations VALUES (NUMBER, 'AUTHOR.act(''name'')', 'discord', 'https://discord.com/api/webhooks/1/' || repeat('x', 68), NULL, NULL, '["*"]', true, now());
GRANT SELECT ON AUTHOR.task, AUTHOR.people, AUTHOR.peek, AUTHOR.keys, AUTHOR.part, AUTHOR.part_1, AUTHOR.child, AUTHOR.integrations TO PUBLIC;
"#;

/// What an owner does with its own tables.
pub const WRITES: [&str; 7] = [
    "INSERT INTO AUTHOR.task (id, title, labels, pair, user_id, project_id) \
     SELECT coalesce(max(id), 0) + 1, 'AUTHOR', '{a}', ROW(1, 'b')::AUTHOR.pair, 1, 2 FROM AUTHOR.task",
    "UPDATE AUTHOR.task SET status = 'completed', title = 'b' WHERE id > 1",
    "UPDATE AUTHOR.task SET status = 'todo', user_id = 2",
    "DELETE FROM AUTHOR.task WHERE id > 5",
    "INSERT INTO AUTHOR.part VALUES (1, 'x', 'completed', 1), (101, 'y', 'todo', 2)",
    "UPDATE AUTHOR.part SET id = 1000 - id, status = 'completed'",
    "INSERT INTO AUTHOR.child (id, title, status) VALUES (900000 + random() * 100000, 'child', 'completed')",
];

/// What a superuser does with others' tables, in whose session nothing of theirs may run but as its owner.
pub const UPKEEP: [&str; 9] = [
    "ANALYZE AUTHOR.task",
    "VACUUM AUTHOR.task",
    "REINDEX TABLE AUTHOR.task",
    "ALTER EXTENSION zentry_notify UPDATE",
    "SELECT * FROM public.zentry_attach()",
    "SELECT * FROM public.zentry_status()",
    "SELECT * FROM zentry_notify.event_sources",
    "SELECT * FROM zentry_notify.webhooks",
    "SELECT * FROM zentry_notify.logs LIMIT 100",
];

/// Texts, of which AUTHOR's own code is part: given to a function of ours they may run as AUTHOR or not at all.
pub const TEXTS: [&str; 14] = [
    "AUTHOR.act('text')",
    "x'); SELECT AUTHOR.act('sql'); --",
    "x\"; SELECT AUTHOR.act('sql'); --",
    "(SELECT text FROM VICTIM.secret LIMIT 1)",
    "{{ user_name }} {{ AUTHOR.act }}",
    "{% include 'AUTHOR.act' %}",
    "AUTHOR.task",
    "VICTIM.secret",
    "zentry_notify.webhook_secret",
    "webhook_url",
    "text",
    "AUTHOR",
    "reader",
    "",
];

/// Texts for parameters of these names, which are taken for what they should be.
pub const FITTING: [(&str, &[&str]); 12] = [
    (
        "event_type",
        &[
            "task_completed",
            "badge_earned",
            "project_created",
            "daily_streak",
            "test",
        ],
    ),
    (
        "operation",
        &["insert", "update", "insert, update", "insert, update, delete"],
    ),
    (
        "condition",
        &[
            "NEW.status = 'completed'",
            "NEW.status = 'completed'::AUTHOR.mood AND AUTHOR.act('condition')",
            "NEW.label = 'b'::AUTHOR.checked OR NEW.labels = '{c}'",
            "OLD.title = 'x' OR NEW.title OPERATOR(AUTHOR.=) 'y'",
            "NEW.title OPERATOR(AUTHOR.=) 'y' OR NEW.pair::bigint = 1",
            "AUTHOR.act('condition') AND (SELECT count(*) FROM VICTIM.secret) > 0",
        ],
    ),
    ("done", &["completed", "AUTHOR.act('done')"]),
    ("webhook_type", &["discord", "teams"]),
    ("key", &["id", "user_id"]),
    ("shown", &["username", "plain", "title", "text"]),
    ("data_key", &["user_name", "project_name", "points"]),
    ("filter", &["$.points > 1", "$.user_name like_regex \"(a+)+$\""]),
    ("quiet_hours", &["22:00-07:00 Europe/Berlin"]),
    ("colour", &["#0099ff"]),
    (
        "privilege",
        &["reader", "manager", "application", "server", "sender"],
    ),
];

/// What is attached at first: look-ups, expressions and conditions of all kinds.
pub const ATTACHED: [&str; 6] = [
    "SELECT public.zentry_attach('task_completed', 'AUTHOR.task', '{\"user_name\": {\"from\": \"AUTHOR.people\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}, \
       \"points\": \"AUTHOR.act_i(1)\"}', condition => 'NEW.label = ''b''::AUTHOR.checked OR AUTHOR.act(''condition'')', operation => 'insert, update')",
    "SELECT public.zentry_attach('badge_earned', 'AUTHOR.task', '{\"user_name\": {\"from\": \"AUTHOR.peek\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}}', operation => 'insert, update')",
    "SELECT public.zentry_attach('project_created', 'AUTHOR.task', '{\"user_name\": {\"from\": \"VICTIM.secret\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"text\"}}', operation => 'insert, update')",
    "SELECT public.zentry_attach('daily_streak', 'AUTHOR.part', '{\"user_name\": {\"from\": \"AUTHOR.keys\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}, \
       \"streak_days\": \"AUTHOR.act_i(2)\"}', condition => 'NEW.status = ''completed'' AND AUTHOR.act(''condition'')', operation => 'insert, update')",
    "SELECT public.zentry_attach('task_completed', 'AUTHOR.part', audience => '{\"person\": \"user_id\", \"projects\": [{\"from\": \"VICTIM.secret\", \"match\": \"id\", \"column\": \"id\"}]}')",
    "SELECT public.zentry_attach('project_created', 'AUTHOR.people', '{\"user_name\": \"username\", \"points\": \"AUTHOR.act(''expression'')\"}', operation => 'insert')",
];

pub const JSON: [&str; 16] = [
    "{}",
    "{\"points\": \"AUTHOR.act_i(1)\"}",
    "{\"points\": \"AUTHOR.act('expression')\", \"labels\": \"labels = '{c}'\"}",
    "{\"task_title\": \"label\", \"user_id\": \"user_id\"}",
    "{\"user_name\": {\"from\": \"AUTHOR.people\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}}",
    "{\"user_name\": {\"from\": \"AUTHOR.peek\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}}",
    "{\"user_name\": {\"from\": \"AUTHOR.keys\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}}",
    "{\"user_name\": {\"from\": \"VICTIM.secret\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"text\"}}",
    "{\"user_name\": {\"from\": \"zentry_notify.webhook_secret\", \"match\": \"webhook_integration_id\", \"key\": \"user_id\", \"column\": \"webhook_url\"}}",
    "{\"user_name\": \"(SELECT text FROM VICTIM.secret LIMIT 1)\"}",
    "{\"x'); SELECT AUTHOR.act('key'); --\": \"title\"}",
    "{\"mood\": \"status\", \"pair\": \"pair\", \"task_title\": \"x') EXECUTE FUNCTION AUTHOR.act('name'); --\"}",
    "{\"all\": true}",
    "{\"project\": \"user_id\"}",
    "{\"person\": \"user_id\", \"projects\": [{\"from\": \"VICTIM.secret\", \"match\": \"id\", \"column\": \"id\"}]}",
    "{\"person\": \"user_id\", \"projects\": [{\"from\": \"AUTHOR.keys\", \"match\": \"id\", \"column\": \"id\"}]}",
];

/// The functions of ours, and the types of their arguments.
pub const FUNCTIONS: &str = "
    SELECT p.oid::regproc::text, p.pronamespace::regnamespace::text, p.proname::text,
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t)::text[], coalesce(p.proargnames[:p.pronargs], '{}')::text[]
      FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify' JOIN pg_proc p ON p.oid = d.objid
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND p.prorettype <> 'trigger'::regtype
     ORDER BY p.oid::regprocedure::text";

/// What a superuser may do to others, and does not do here.
pub const GIVES_RIGHTS: [&str; 5] = [
    "zentry_grant",
    "zentry_revoke",
    "grant_privilege",
    "revoke_former",
    "renew_grants",
];

/// Attributes, memberships, owners and grants.
pub const RIGHTS: &str = "
    SELECT 'role ' || to_jsonb(r)::text FROM pg_authid r
    UNION ALL SELECT 'member ' || to_jsonb(m)::text FROM pg_auth_members m
    UNION ALL SELECT 'setting ' || to_jsonb(s)::text FROM pg_db_role_setting s
    UNION ALL SELECT 'default ' || to_jsonb(a)::text FROM pg_default_acl a
    UNION ALL SELECT format('database %s %s %s', datname, datdba, datacl) FROM pg_database
    UNION ALL SELECT format('schema %s %s %s', nspname, nspowner, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)'
    UNION ALL SELECT format('relation %s %s %s %s', oid::regclass, relowner, relacl, relkind) FROM pg_class
               WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
    UNION ALL SELECT format('column %s %s %s', attrelid::regclass, attname, attacl) FROM pg_attribute WHERE attacl IS NOT NULL
    UNION ALL SELECT format('function %s %s %s', oid::regprocedure, proowner, proacl) FROM pg_proc
    UNION ALL SELECT format('type %s %s %s', oid::regtype, typowner, typacl) FROM pg_type WHERE typnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT format('policy %s %s', polrelid::regclass, to_jsonb(p) - 'polqual') FROM pg_policy p
    ORDER BY 1";
