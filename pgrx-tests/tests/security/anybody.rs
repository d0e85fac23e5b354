//! Whatever roles write into their own tables, nobody gains a right or sees a row by it: at random, everybody calls everything of ours on
//! objects in which code is planted.
//!
//! `ZENTRY_RIGHTS_SECONDS` says for how long (20), `ZENTRY_SEED` repeats what happens.

mod attempts;

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use postgres::{Client, SimpleQueryMessage};
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, register};
use zentry_e2e::site::Site;
use zentry_e2e::wait::eventually;

use self::attempts::{
    ATTACHED, FITTING, FUNCTIONS, GIVES_RIGHTS, JSON, PLANTED, RIGHTS, TEXTS, UPKEEP, WRITES,
};

/// Those who own objects: three roles without any right, and one that may attach its own tables.
const OWNERS: [&str; 4] = ["mallory", "trudy", "oscar", "manager"];

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
            .chain(&["reader", "application", "server", "sender", "nobody"])
        {
            admin.batch_execute(&format!("CREATE ROLE {role} LOGIN"))?;
        }
        for privilege in ["reader", "manager", "application", "server", "sender"] {
            admin.batch_execute(&format!("SELECT zentry_grant('{privilege}', '{privilege}')"))?;
        }
        for owner in OWNERS {
            admin.batch_execute(&format!("CREATE SCHEMA {owner} AUTHORIZATION {owner}"))?;
        }
        let mut sessions = Vec::new();
        for role in
            OWNERS
                .into_iter()
                .chain(["reader", "application", "server", "sender", "nobody", "postgres"])
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
