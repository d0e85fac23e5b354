//! What the catalogue says of functions, views, tables and event types.

use std::fmt::Write;

use postgres::{Client, Row};
use zentry_e2e::scene::Scene;

use crate::page::{self, Parts};

/// Who may do something, by the privileges of zentry_grant: those that a role has got who may, and otherwise the owner alone.
const ROLES: [(&str, &str); 5] = [
    ("reference_reader", "reader"),
    ("reference_manager", "manager"),
    ("reference_application", "application"),
    ("reference_server", "server"),
    ("reference_sender", "sender"),
];

const FUNCTIONS: &str = "
SELECT n.nspname = 'zentry_notify' AS internal, p.proname AS name, p.oid::regprocedure::text AS signature,
       regexp_replace(pg_get_function_arguments(p.oid), '(DEFAULT (?:NULL|''(?:[^'']|'''')*''))::[^,]*', '\\1', 'g') AS arguments,
       pg_get_function_result(p.oid) AS result, coalesce(obj_description(p.oid, 'pg_proc'), '') AS comment,
       ARRAY(SELECT r FROM unnest($1::text[]) r WHERE has_function_privilege(r::name, p.oid, 'EXECUTE')) AS roles,
       EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0) AS everybody,
       p.prorettype = 'trigger'::regtype AS trigger
  FROM pg_depend d
  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
  JOIN pg_proc p ON p.oid = d.objid
  JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
 ORDER BY p.proname, p.pronargs, p.oid::regprocedure::text";

const RELATIONS: &str = "
SELECT c.relname AS name, c.relkind = 'v' AS view, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,
       ARRAY(SELECT r FROM unnest($1::text[]) r WHERE has_table_privilege(r::name, c.oid, 'SELECT')) AS roles,
       ARRAY(SELECT concat_ws('|', a.attname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), ''))
               FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns
  FROM pg_class c
 WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'p', 'v')
 ORDER BY c.relname";

const EVENT_TYPES: &str = "
SELECT t.name, d.definition ->> 'title' AS title, coalesce(d.definition ->> 'text', '') AS text,
       ARRAY(SELECT concat_ws('|', key, value) FROM jsonb_each(t.sample) ORDER BY key COLLATE \"C\") AS sample
  FROM zentry_notify.event_type t
  JOIN zentry_notify.event_definition d ON d.event_type = t.name AND d.webhook_integration_id IS NULL
 WHERE t.built_in ORDER BY t.name";

/// A database with the extension, and a role for each privilege.
fn scene() -> Scene {
    let mut scene = Scene::start().unwrap();
    for (role, privilege) in ROLES {
        // Roles belong to the cluster, which tests share.
        let create = format!(
            "DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role}; END IF; END $$; SELECT zentry_grant('{role}', '{privilege}')"
        );
        scene.client.batch_execute(&create).unwrap();
    }
    scene
}

fn rows(client: &mut Client, query: &str) -> Vec<Row> {
    let roles: Vec<&str> = ROLES.iter().map(|(role, _)| *role).collect();
    client.query(query, &[&roles]).unwrap()
}

/// Says which privileges the roles of the row have.
fn privileges(row: &Row) -> String {
    let roles: Vec<String> = row.get("roles");
    let names: Vec<&str> = ROLES
        .iter()
        .filter(|(role, _)| roles.iter().any(|other| other == role))
        .map(|(_, privilege)| *privilege)
        .collect();
    if names.is_empty() {
        "owner".to_owned()
    } else {
        names.join(", ")
    }
}

/// Ends the comment as a sentence.
fn sentence(comment: &str) -> String {
    match comment.trim_end() {
        text if text.ends_with(['.', '!', '?']) => text.to_owned(),
        text => format!("{text}."),
    }
}

/// For a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The declaration, wrapped between arguments.
fn declaration(name: &str, arguments: &str, result: &str) -> String {
    const WIDTH: usize = 110;
    let mut lines = vec![format!("    {name}(")];
    let mut arguments = arguments.split(", ").peekable();
    while let Some(argument) = arguments.next() {
        let piece = if arguments.peek().is_some() {
            format!("{argument}, ")
        } else {
            format!("{argument})")
        };
        if lines.last().unwrap().len() + piece.trim_end().len() > WIDTH {
            lines.push("        ".to_owned());
        }
        lines.last_mut().unwrap().push_str(&piece);
    }
    lines.push(format!("        RETURNS {result}"));
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

#[test]
fn functions() {
    let mut scene = scene();
    let mut parts = Parts::new();
    let mut internal = "| function | may call it | what it does |\n|---|---|---|\n".to_owned();
    for row in rows(&mut scene.client, FUNCTIONS) {
        let [name, signature, arguments, result, comment]: [String; 5] =
            ["name", "signature", "arguments", "result", "comment"].map(|column| row.get(column));
        assert!(!comment.is_empty(), "{signature} has no comment");
        let callers = match (row.get("everybody"), row.get("trigger")) {
            (_, true) => "a trigger".to_owned(),
            (true, _) => "everybody".to_owned(),
            _ => privileges(&row),
        };
        if row.get("internal") {
            let signature = signature.trim_start_matches("zentry_notify.");
            writeln!(internal, "| `{signature}` | {callers} | {} |", cell(&comment)).unwrap();
            continue;
        }
        let text = parts.entry(name.clone()).or_default();
        write!(
            text,
            "\n{}\n\n{}\n\nMay call it: {callers}.\n",
            declaration(&name, &arguments, &result),
            sentence(&comment)
        )
        .unwrap();
    }
    parts.insert("functions of the schema zentry_notify".to_owned(), internal);
    page::check("functions.md", &parts).unwrap();
}

#[test]
fn views_and_tables() {
    let mut scene = scene();
    let (mut views, mut tables) = (Parts::new(), String::new());
    for row in rows(&mut scene.client, RELATIONS) {
        let (name, comment): (String, String) = (row.get("name"), row.get("comment"));
        assert!(!comment.is_empty(), "{name} has no comment");
        let mut text = format!("{}\n\nMay read it: {}.\n", sentence(&comment), privileges(&row));
        text += "\n| column | type | meaning |\n|---|---|---|\n";
        for column in row.get::<_, Vec<String>>("columns") {
            let mut cells = column.splitn(3, '|');
            let [column, kind, comment] = std::array::from_fn(|_| cells.next().unwrap_or_default());
            assert!(!comment.is_empty(), "{name}.{column} has no comment");
            writeln!(text, "| `{column}` | {kind} | {} |", cell(comment)).unwrap();
        }
        if row.get("view") {
            views.insert(name, text);
        } else {
            write!(tables, "\n## `{name}`\n\n{text}").unwrap();
        }
    }
    page::check("views.md", &views).unwrap();
    page::check("tables.md", &Parts::from([("tables".to_owned(), tables)])).unwrap();
}

#[test]
fn event_types() {
    let mut scene = scene();
    let mut parts = Parts::new();
    for row in scene.client.query(EVENT_TYPES, &[]).unwrap() {
        let [name, title, text]: [String; 3] = ["name", "title", "text"].map(|column| row.get(column));
        let mut made = format!("Title: `{title}`. Text: `{}`\n\n", text.replace('\n', "\\n"));
        made += "| key of the data | in the sample |\n|---|---|\n";
        for member in row.get::<_, Vec<String>>("sample") {
            let (key, value) = member.split_once('|').unwrap();
            writeln!(made, "| `{key}` | `{}` |", cell(value)).unwrap();
        }
        parts.insert(name, made);
    }
    assert_eq!(parts.len(), 6);
    page::check("events.md", &parts).unwrap();
}
