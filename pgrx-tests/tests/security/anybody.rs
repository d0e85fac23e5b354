//! Whatever roles write into their own tables, nobody gains a right or sees a row by it: at random, everybody calls everything of ours on
//! objects in which code is planted.
//!
//! `ZENTRY_RIGHTS_SECONDS` says for how long (20), `ZENTRY_SEED` repeats what happens.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use postgres::{Client, SimpleQueryMessage};
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, register};
use zentry_e2e::site::Site;
use zentry_e2e::wait::eventually;

/// Those who own objects: three roles without any right, and one that may attach its own tables.
const OWNERS: [&str; 4] = ["mallory", "trudy", "oscar", "manager"];

/// Of `AUTHOR`, which belongs to the role of that name; `VICTIM` is somebody else's. `act` notes as whom it runs, in sequences, which no
/// rollback takes back, and tries what its owner may not.
const PLANTED: &str = r#"
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
const WRITES: [&str; 7] = [
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
const UPKEEP: [&str; 9] = [
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
const TEXTS: [&str; 14] = [
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
const FITTING: [(&str, &[&str]); 12] = [
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
    ("privilege", &["reader", "manager", "application", "server"]),
];

/// What is attached at first: look-ups, expressions and conditions of all kinds.
const ATTACHED: [&str; 6] = [
    "SELECT public.zentry_attach('task_completed', 'AUTHOR.task', '{\"user_name\": {\"from\": \"AUTHOR.people\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}, \
       \"points\": \"AUTHOR.act_i(1)\"}', condition => 'NEW.label = ''b''::AUTHOR.checked OR AUTHOR.act(''condition'')', operation => 'insert, update')",
    "SELECT public.zentry_attach('badge_earned', 'AUTHOR.task', '{\"user_name\": {\"from\": \"AUTHOR.peek\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}}', operation => 'insert, update')",
    "SELECT public.zentry_attach('project_created', 'AUTHOR.task', '{\"user_name\": {\"from\": \"VICTIM.secret\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"text\"}}', operation => 'insert, update')",
    "SELECT public.zentry_attach('daily_streak', 'AUTHOR.part', '{\"user_name\": {\"from\": \"AUTHOR.keys\", \"match\": \"id\", \"key\": \"user_id\", \"column\": \"username\"}, \
       \"streak_days\": \"AUTHOR.act_i(2)\"}', condition => 'NEW.status = ''completed'' AND AUTHOR.act(''condition'')', operation => 'insert, update')",
    "SELECT public.zentry_attach('task_completed', 'AUTHOR.part', audience => '{\"person\": \"user_id\", \"projects\": [{\"from\": \"VICTIM.secret\", \"match\": \"id\", \"column\": \"id\"}]}')",
    "SELECT public.zentry_attach('project_created', 'AUTHOR.people', '{\"user_name\": \"username\", \"points\": \"AUTHOR.act(''expression'')\"}', operation => 'insert')",
];

const JSON: [&str; 16] = [
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
const FUNCTIONS: &str = "
    SELECT p.oid::regproc::text, p.pronamespace::regnamespace::text, p.proname::text,
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t)::text[], coalesce(p.proargnames[:p.pronargs], '{}')::text[]
      FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify' JOIN pg_proc p ON p.oid = d.objid
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND p.prorettype <> 'trigger'::regtype
     ORDER BY p.oid::regprocedure::text";

/// What a superuser may do to others, and does not do here.
const GIVES_RIGHTS: [&str; 5] = [
    "zentry_grant",
    "zentry_revoke",
    "grant_privilege",
    "revoke_former",
    "renew_grants",
];

/// Attributes, memberships, owners and grants.
const RIGHTS: &str = "
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

#[derive(Clone)]
struct Function {
    quoted: String,
    name: String,
    types: Vec<String>,
    parameters: Vec<String>,
}

struct Session {
    role: &'static str,
    client: Client,
}

struct World {
    site: Site,
    random: fastrand::Rng,
    admin: Client,
    sessions: Vec<Session>,
    functions: Vec<Function>,
    urls: Vec<String>,
    said: Vec<String>,
}

impl World {
    fn start(seed: u64) -> Result<Self> {
        let site = Site::start(
            ClusterOptions::default()
                .set("statement_timeout", "20s")
                .set("jit", "off"),
        )?;
        let mut admin = site.database("zentry")?;
        for role in OWNERS
            .iter()
            .chain(&["reader", "application", "server", "nobody"])
        {
            admin.batch_execute(&format!("CREATE ROLE {role} LOGIN"))?;
        }
        for privilege in ["reader", "manager", "application", "server"] {
            admin.batch_execute(&format!("SELECT zentry_grant('{privilege}', '{privilege}')"))?;
        }
        for owner in OWNERS {
            admin.batch_execute(&format!("CREATE SCHEMA {owner} AUTHORIZATION {owner}"))?;
        }
        let mut sessions = Vec::new();
        for role in OWNERS
            .into_iter()
            .chain(["reader", "application", "server", "nobody", "postgres"])
        {
            let client = site.cluster.connect_as(role, "zentry")?;
            sessions.push(Session { role, client });
        }
        for (number, owner) in OWNERS.into_iter().enumerate() {
            let planted = PLANTED
                .replace(
                    "NAMETYPE",
                    if number % 2 == 0 { "text" } else { "AUTHOR.checked" },
                )
                .replace("NUMBER", &(1000 + number).to_string());
            let other = OWNERS[(number + 1) % OWNERS.len()];
            sessions[number]
                .client
                .batch_execute(&of(&planted, owner, other))?;
        }
        let mut urls = Vec::new();
        for kind in [Kind::Discord, Kind::Workflow] {
            let webhook = site.emulator.register(kind);
            register(&mut admin, &webhook, None, None)?;
            urls.push(webhook.url());
        }
        let functions = admin
            .query(FUNCTIONS, &[])?
            .iter()
            .map(|row| Function {
                quoted: format!("{}.\"{}\"", row.get::<_, String>(1), row.get::<_, String>(2)),
                name: row.get(2),
                types: row.get(3),
                parameters: row.get(4),
            })
            .collect();
        for owner in OWNERS {
            let others: Vec<_> = OWNERS.into_iter().filter(|other| *other != owner).collect();
            for attach in ATTACHED {
                // What does not fit is refused: it is tried all the same.
                let _ = admin.batch_execute(&of(attach, owner, others[0]));
            }
        }
        Ok(Self {
            site,
            random: fastrand::Rng::with_seed(seed),
            admin,
            sessions,
            functions,
            urls,
            said: Vec::new(),
        })
    }

    fn any<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.random.usize(..from.len())].clone()
    }

    /// An argument of the type, with code of `owner`; None: null.
    fn argument(&mut self, kind: &str, parameter: &str, owner: &str, is_superuser: bool) -> Option<String> {
        if self.random.u32(..6) == 0 {
            return None;
        }
        let fitting = FITTING.iter().find(|(name, _)| *name == parameter);
        if let Some((_, texts)) = fitting.filter(|_| self.random.u32(..8) > 0) {
            return Some(self.any(texts).to_owned());
        }
        if parameter == "source" {
            return Some(format!("{owner}.integrations"));
        }
        Some(match kind {
            "bigint" | "integer" | "oid" => self.any(&["0", "1", "2", "3", "1000"]).to_owned(),
            "boolean" => self.random.bool().to_string(),
            "double precision" => "0.5".to_owned(),
            "interval" => "1 hour".to_owned(),
            "timestamp with time zone" => "2030-01-01".to_owned(),
            "bytea" => "\\x00".to_owned(),
            "regclass" => {
                let own = [
                    "task",
                    "task",
                    "part",
                    "part_1",
                    "people",
                    "peek",
                    "child",
                    "integrations",
                    "keys",
                ];
                match is_superuser || self.random.u32(..4) > 0 {
                    true => format!("{owner}.{}", self.any(&own)),
                    false => self
                        .any(&[
                            "VICTIM.secret",
                            "VICTIM.task",
                            "zentry_notify.webhook",
                            "zentry_notify.webhook_secret",
                        ])
                        .to_owned(),
                }
            }
            "regrole" | "name" => self
                .any(&[owner, "reader", "zentry_notify_agent", "postgres"])
                .to_owned(),
            "jsonb" | "json" => self.any(&JSON).to_owned(),
            "text[]" | "name[]" => self
                .any(&[
                    "{}",
                    "{task_completed}",
                    "{*}",
                    "{user_name,points}",
                    "{\"AUTHOR.act('key')\",NULL}",
                ])
                .to_owned(),
            "bigint[]" | "integer[]" => self.any(&["{}", "{1,2}", "{25,50}", "{NULL}"]).to_owned(),
            "text" | "character varying" => match self.random.u32(..10) {
                0 => {
                    let urls = self.urls.clone();
                    self.any(&urls)
                }
                _ => self.any(&TEXTS).to_owned(),
            },
            _ => return None,
        })
    }

    /// Somebody calls something of ours with something of `owner`'s, writes to its own table, or keeps somebody's tables in order.
    fn happen(&mut self) -> Result<()> {
        let owner_number = self.random.usize(..OWNERS.len());
        let owner = OWNERS[owner_number];
        let other = self.any(
            &OWNERS
                .into_iter()
                .filter(|other| *other != owner)
                .collect::<Vec<_>>(),
        );
        let superuser = self.sessions.len() - 1;
        let (who, statement) = match self.random.u32(..10) {
            0 | 1 => (owner_number, self.any(&WRITES).to_owned()),
            2 => (superuser, self.any(&UPKEEP).to_owned()),
            _ => {
                let who = match self.random.u32(..3) {
                    0 => superuser,
                    _ => self.random.usize(..self.sessions.len()),
                };
                let often = ["zentry_attach", "zentry_import_integrations", "look_up_in"];
                let functions: Vec<Function> = match self.random.bool() {
                    true => self.functions.clone(),
                    false => self
                        .functions
                        .iter()
                        .filter(|function| often.contains(&function.name.as_str()))
                        .cloned()
                        .collect(),
                };
                let function = self.any(&functions);
                if who == superuser && GIVES_RIGHTS.contains(&function.name.as_str()) {
                    return Ok(());
                }
                let arguments: Vec<String> = function
                    .types
                    .iter()
                    .enumerate()
                    .map(|(place, kind)| {
                        let parameter = function.parameters.get(place).map_or("", String::as_str);
                        match self.argument(kind, parameter, owner, who == superuser) {
                            Some(value) => format!("'{}'::{kind}", value.replace('\'', "''")),
                            None => format!("NULL::{kind}"),
                        }
                    })
                    .collect();
                (
                    who,
                    format!("SELECT {}({})", function.quoted, arguments.join(", ")),
                )
            }
        };
        let statement = of(&statement, owner, other);
        if self.sessions[who].role == other {
            // It would give others' code for a table of its own, and has itself to thank for what that does.
            return Ok(());
        }
        // Names of a hostile schema are found before ours.
        let path = format!("SET search_path = {owner}, public");
        let session = &mut self.sessions[who];
        if who != superuser {
            session.client.batch_execute(&path)?;
        }
        self.said.push(format!("{}: {statement}", session.role));
        let shown = match session.client.simple_query(&statement) {
            Ok(messages) => messages
                .iter()
                .filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                })
                .flat_map(|row| {
                    (0..row.len())
                        .filter_map(|place| row.get(place))
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
                .join("\n"),
            Err(error) if session.client.is_closed() => bail!("the session ended: {error:?}: {statement}"),
            Err(error) => format!("{error:?}"),
        };
        let sees_all = ["postgres", owner, other].contains(&session.role);
        assert!(sees_all || !shown.contains("secret-of-"), "{statement}: {shown}");
        let secret = format!("secret-of-{other}");
        assert!(
            session.role != owner || !shown.contains(&secret),
            "{statement}: {shown}"
        );
        Ok(())
    }

    fn rights(&mut self) -> Result<Vec<String>> {
        Ok(self
            .admin
            .query(RIGHTS, &[])?
            .iter()
            .map(|row| row.get(0))
            .collect())
    }

    /// What was planted has run as its owner, and as nobody else, and what it tried has come to nothing.
    fn check(&mut self, before: &[String]) -> Result<()> {
        for owner in OWNERS {
            let sql = format!(
                "SELECT (SELECT is_called FROM {owner}.as_owner), (SELECT is_called FROM {owner}.as_another), \
                        (SELECT json_agg(DISTINCT s)::text FROM {owner}.seen s), (SELECT json_agg(DISTINCT l)::text FROM {owner}.loot l)"
            );
            let row = self.admin.query_one(&sql, &[])?;
            assert!(row.get::<_, bool>(0), "what {owner} has planted never ran");
            let (another, seen, loot): (bool, Option<String>, Option<String>) =
                (row.get(1), row.get(2), row.get(3));
            let said = || self.said.iter().rev().take(200).collect::<Vec<_>>();
            assert!(
                !another,
                "{owner}'s code ran as another role: {seen:?} after {:#?}",
                said()
            );
            assert_eq!(loot, None, "{owner}");
        }
        let kept = "SELECT count(*) FROM (SELECT e::text FROM zentry_notify.event e UNION ALL SELECT e::text FROM zentry_notify.event_detail e \
                    UNION ALL SELECT e::text FROM zentry_notify.delivery e UNION ALL SELECT e::text FROM zentry_notify.event_source e) all_of_it (text) \
                    WHERE text LIKE '%secret-of-%'";
        assert_eq!(
            self.admin.query_one(kept, &[])?.get::<_, i64>(0),
            0,
            "a secret was looked up"
        );
        let after = self.rights()?;
        let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
        let gone: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
        assert!(new.is_empty() && gone.is_empty(), "{new:#?} instead of {gone:#?}");
        Ok(())
    }
}

fn of(sql: &str, author: &str, victim: &str) -> String {
    sql.replace("AUTHOR", author).replace("VICTIM", victim)
}

#[test]
fn nobody_gains_whatever_anybody_calls() -> Result<()> {
    let seed =
        env::var("ZENTRY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    let seconds = env::var("ZENTRY_RIGHTS_SECONDS").map_or(20, |seconds| seconds.parse().expect("a number"));
    println!("ZENTRY_SEED={seed} ZENTRY_RIGHTS_SECONDS={seconds}");
    let mut world = World::start(seed)?;
    let before = world.rights()?;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        for _ in 0..50 {
            world.happen()?;
        }
        world.check(&before)?;
    }
    // The worker is through with what was written.
    let admin = &mut world.admin;
    eventually(SOON, "the worker to have routed all events", || {
        let row = admin
            .query_one("SELECT zentry_notify.unrouted_events()", &[])
            .ok()?;
        (row.get::<_, i64>(0) == 0).then_some(())
    })?;
    let dump = world
        .site
        .cluster
        .client_command("pg_dump")
        .args(["--dbname=zentry", "--schema-only"])
        .output()?;
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    world.check(&before)?;
    world
        .admin
        .batch_execute("DROP EXTENSION zentry_notify; CREATE EXTENSION zentry_notify")?;
    for owner in OWNERS {
        let another: bool = world
            .admin
            .query_one(&format!("SELECT is_called FROM {owner}.as_another"), &[])?
            .get(0);
        assert!(
            !another,
            "{owner}'s code ran as another role while the extension was dropped and created"
        );
    }
    Ok(())
}
