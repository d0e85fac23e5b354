//! A database's catalogue as far as it is the extension's, as lines of text: two installations are alike when these are.

use anyhow::{Result, ensure};
use postgres::Client;

/// One line for each thing, in no order that means anything. OIDs and places of dropped columns do not count, nor does
/// `pg_attver`, with which some builds of the server mark when a column was made (seen in Debian's 15.20).
const SQL: &str = r#"
WITH member AS (
    SELECT d.classid, d.objid
      FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
), relation AS (
    SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'zentry_notify'
), attached AS (
    SELECT t.* FROM pg_trigger t WHERE NOT t.tgisinternal
       AND (t.tgrelid IN (SELECT oid FROM relation) OR t.tgname LIKE 'zentry\_notify\_%')
)
SELECT concat_ws(' ', 'extension', e.extversion, n.nspname, e.extowner::regrole, e.extrelocatable, obj_description(e.oid, 'pg_extension')) AS line
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'zentry_notify'
UNION ALL
SELECT concat_ws(' ', 'member', pg_describe_object(classid, objid, 0)) FROM member
UNION ALL
SELECT concat_ws(' ', 'dumped', config::regclass, condition)
  FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS u (config, condition) WHERE e.extname = 'zentry_notify'
UNION ALL
SELECT concat_ws(' ', 'schema', n.nspowner::regrole, obj_description(n.oid, 'pg_namespace')) FROM pg_namespace n WHERE n.nspname = 'zentry_notify'
UNION ALL
SELECT concat_ws(' ', 'relation', oid::regclass, relkind, relpersistence, relowner::regrole, relrowsecurity, relreplident,
                 (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) o), obj_description(oid, 'pg_class')) FROM relation
UNION ALL
SELECT concat_ws(' ', 'column', a.attrelid::regclass, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum), a.attname,
                 format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attstorage,
                 (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'), pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
  FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE r.relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT concat_ws(' ', 'constraint', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid), c.convalidated, c.condeferrable,
                 obj_description(c.oid, 'pg_constraint')) FROM pg_constraint c WHERE c.conrelid IN (SELECT oid FROM relation)
UNION ALL
SELECT concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered) FROM pg_index i WHERE i.indrelid IN (SELECT oid FROM relation)
UNION ALL
SELECT concat_ws(' ', 'view', oid::regclass, pg_get_viewdef(oid)) FROM relation WHERE relkind = 'v'
UNION ALL
SELECT concat_ws(' ', 'sequence', oid::regclass, to_jsonb(s) - 'seqrelid') FROM relation JOIN pg_sequence s ON s.seqrelid = oid
UNION ALL
SELECT concat_ws(' ', 'trigger', t.tgrelid::regclass, pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'),
                 (SELECT d.deptype::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                   WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass)) FROM attached t
UNION ALL
SELECT concat_ws(' ', 'function', p.oid::regprocedure,
                 CASE p.prokind WHEN 'a' THEN (SELECT row(aggtransfn, aggcombinefn, aggtranstype::regtype, agginitval)::text FROM pg_aggregate WHERE aggfnoid = p.oid)
                                ELSE pg_get_functiondef(p.oid) END, p.proparallel, p.proowner::regrole, obj_description(p.oid, 'pg_proc'))
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
UNION ALL
SELECT concat_ws(' ', 'privilege', o.what, coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), a.privilege_type, a.is_grantable)
  FROM (SELECT p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)) FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
        UNION ALL SELECT oid::regclass::text, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) FROM relation WHERE relkind <> 'i'
        UNION ALL SELECT r.oid::regclass || '.' || attname, attacl FROM relation r JOIN pg_attribute ON attrelid = r.oid
        UNION ALL SELECT 'schema', nspacl FROM pg_namespace WHERE nspname = 'zentry_notify') AS o (what, acl), aclexplode(o.acl) AS a
UNION ALL
SELECT concat_ws(' ', 'initial privilege', pg_describe_object(i.classoid, i.objoid, i.objsubid), coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), a.privilege_type)
  FROM pg_init_privs i JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid, aclexplode(i.initprivs) AS a
UNION ALL
SELECT concat_ws(' ', 'event type', to_jsonb(t) - 'created_at') FROM zentry_notify.event_type t WHERE t.built_in"#;

/// The lines, sorted.
pub fn lines(client: &mut Client) -> Result<Vec<String>> {
    let mut lines: Vec<String> = client
        .query(SQL, &[])?
        .iter()
        .map(|row| row.get("line"))
        .collect();
    lines.sort();
    Ok(lines)
}

/// An error that names what `found` lacks and what it has besides.
pub fn compare(expected: &[String], found: &[String]) -> Result<()> {
    let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    let added: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    ensure!(
        missing.is_empty() && added.is_empty(),
        "missing: {missing:#?}\nbesides: {added:#?}"
    );
    Ok(())
}
