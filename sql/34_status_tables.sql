-- The parts of zentry_status() about the extension's tables: privileges, what others have changed, locks, replication.

CREATE OR REPLACE FUNCTION zentry_notify.status_privileges() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- pg_init_privs has what CREATE EXTENSION granted: what is missing now was revoked since.
    WITH granted AS (
        SELECT i.classoid, i.objoid, a.privilege_type
          FROM pg_init_privs i
          CROSS JOIN aclexplode(i.initprivs) a
          JOIN pg_roles r ON r.oid = a.grantee AND r.rolname = 'zentry_notify_agent'
          JOIN pg_depend d ON d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e'
          JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
         WHERE i.objsubid = 0),
    lost AS (
        SELECT format('%s ON %s %s', string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type),
                      CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS privilege
          FROM granted g
          JOIN pg_class c ON c.oid = g.objoid AND g.classoid = 'pg_class'::regclass
         WHERE CASE c.relkind WHEN 'S' THEN NOT has_sequence_privilege('zentry_notify_agent', c.oid, g.privilege_type)
                              ELSE NOT has_table_privilege('zentry_notify_agent', c.oid, g.privilege_type) END
         GROUP BY c.oid, c.relkind
        UNION ALL
        SELECT format('EXECUTE ON FUNCTION %s', g.objoid::regprocedure)
          FROM granted g
         WHERE CASE g.classoid WHEN 'pg_proc'::regclass THEN NOT has_function_privilege('zentry_notify_agent', g.objoid, 'EXECUTE') END
        UNION ALL
        SELECT format('USAGE ON SCHEMA %s', g.objoid::regnamespace)
          FROM granted g
         WHERE CASE g.classoid WHEN 'pg_namespace'::regclass THEN NOT has_schema_privilege('zentry_notify_agent', g.objoid, 'USAGE') END)
    SELECT 'privileges', 'broken', 'zentry_notify_agent has lost ' || l.privilege, format('GRANT %s TO zentry_notify_agent;', l.privilege)
      FROM lost l
     UNION ALL
    SELECT 'privileges', 'broken', 'there is no role zentry_notify_agent: nothing is captured, nothing is sent', '-- it was renamed: give it its name back'
     WHERE to_regrole('zentry_notify_agent') IS NULL
     UNION ALL
    -- (CREATE EXTENSION refuses a role that has one.)
    SELECT 'privileges', 'attention', 'zentry_notify_agent, which must have no attribute, has ' || string_agg(a.attribute, ', '),
           format('ALTER ROLE zentry_notify_agent %s;', string_agg('NO' || a.attribute, ' '))
      FROM pg_roles r
      CROSS JOIN LATERAL (VALUES ('LOGIN', r.rolcanlogin), ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb),
                                 ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls)) a (attribute, has)
     WHERE r.rolname = 'zentry_notify_agent' AND a.has
    HAVING count(*) > 0
     UNION ALL
    SELECT 'privileges', 'attention',
           CASE m.roleid WHEN to_regrole('zentry_notify_agent') THEN format('%s is a member of zentry_notify_agent, and reads the webhooks'' URLs', m.member::regrole)
                         ELSE format('zentry_notify_agent is a member of %s', m.roleid::regrole) END,
           -- From PostgreSQL 16 on, each grantor has a grant of its own.
           format('REVOKE %s FROM %s%s;', m.roleid::regrole, m.member::regrole,
                  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' GRANTED BY ' || m.grantor::regrole END)
      FROM pg_auth_members m
     WHERE to_regrole('zentry_notify_agent') IN (m.roleid, m.member)
     UNION ALL
    -- Whoever makes a partition of a table needs EXECUTE on the functions of the triggers of that table.
    SELECT 'privileges', 'attention', 'PUBLIC may not call zentry_notify.capture(): only superusers can attach tables, and make partitions of those that are attached',
           'GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;'
     WHERE NOT has_function_privilege('public', 'zentry_notify.capture()', 'EXECUTE')
     UNION ALL
    -- Functions that came with an update. Its script cannot grant them: pg_dump leaves out what the script of an extension has granted.
    SELECT 'privileges', 'attention', format('%s may not call %s', g.grantee, min(f::text)),
           format('SELECT @extschema@.zentry_grant(%L, %L);', g.grantee, g.privilege)
      FROM zentry_notify.grants() g
      CROSS JOIN zentry_notify.functions_of(g.privilege) f
     WHERE NOT has_function_privilege(g.grantee, f, 'EXECUTE')
     GROUP BY g.grantee, g.privilege;
$$;
COMMENT ON FUNCTION zentry_notify.status_privileges() IS 'Returns the status of the privileges that the agent needs, and of those that zentry_grant gave';

CREATE OR REPLACE FUNCTION zentry_notify.status_tables() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'tables', 'broken', format('%s has row-level security: the worker does not see its rows', c.oid::regclass),
           format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY;', c.oid::regclass)
      FROM pg_class c
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
     UNION ALL
    -- pg_restore --disable-triggers disables triggers and enables them again, but not in the modes that they had.
    SELECT 'tables', CASE t.tgenabled WHEN 'D' THEN 'broken' ELSE 'attention' END,
           format(CASE t.tgenabled WHEN 'D' THEN 'trigger %s on %s is disabled' ELSE 'trigger %s on %s does not fire when it has to' END,
                  quote_ident(t.tgname), t.tgrelid::regclass),
           format('ALTER TABLE %s ENABLE %sTRIGGER %I;', t.tgrelid::regclass, meant.mode, t.tgname)
      FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
      JOIN zentry_notify.own_triggers() meant ON meant.relation = c.relname AND meant.name = t.tgname
     WHERE (t.tgenabled = 'D' OR meant.mode = 'REPLICA ' AND t.tgenabled <> 'R' OR meant.mode = 'ALWAYS ' AND t.tgenabled <> 'A')
     UNION ALL
    -- As after a switch-over of logical replication, which does not replicate sequences: the next id exists already.
    SELECT 'tables', 'broken', format('%s is behind its table', b.sequence), format('SELECT setval(%L, %s);', b.sequence, b.highest)
      FROM zentry_notify.sequences_behind() b
     UNION ALL
    -- Somebody has renamed a table and made another one of its name. Sessions and the worker find tables by name.
    SELECT 'tables', 'broken', format('%s is not the extension''s table, which was renamed', c.oid::regclass),
           CASE count(m.oid) WHEN 1 THEN format('ALTER TABLE %s RENAME TO %I; ALTER TABLE %s RENAME TO %I;', c.oid::regclass, left(c.relname, 50) || '_other',
                                                min(m.oid)::regclass, c.relname)
                             ELSE '-- give the extension''s tables their names back' END
      FROM pg_class c
      LEFT JOIN (SELECT r.oid::oid, r.relname
                   FROM pg_class r JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'e'
                   JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
                  WHERE r.relkind = 'r' AND r.relname <> ALL (zentry_notify.own_tables())) m ON true
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = ANY (zentry_notify.own_tables())
       AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
     GROUP BY c.oid, c.relname
     UNION ALL
    SELECT 'tables', 'broken', format('rule %I on %s does something else with what is written', w.rulename, w.ev_class::regclass),
           format('DROP RULE %I ON %s;', w.rulename, w.ev_class::regclass)
      FROM pg_rewrite w JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = w.ev_class
     WHERE w.ev_type <> '1'
     UNION ALL
    -- What reads the log of 0.2.0 followed its table when the update renamed it.
    SELECT 'tables', 'attention', format('%s %s reads zentry_notify.legacy_delivery, the log of 0.2.0, and sees no new delivery', i.type, i.identity),
           zentry_notify.one_comment(format('-- make the %s %s again, to read zentry_notify.notification_log', i.type, i.identity))
      FROM (SELECT DISTINCT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid, coalesce(w.ev_class, d.objid) AS objid
              FROM pg_depend d
              LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
             WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass('zentry_notify.legacy_delivery')
               AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)) r
     CROSS JOIN LATERAL pg_identify_object(r.classid, r.objid, 0) i
     WHERE NOT EXISTS (SELECT FROM zentry_notify.members() m WHERE m.classid = r.classid AND m.objid = r.objid)
     UNION ALL
    SELECT 'tables', 'attention', format('%s is UNLOGGED: after a crash it is empty, and a standby does not have it', c.oid::regclass),
           format('ALTER TABLE %s SET LOGGED;', c.oid::regclass)
      FROM pg_class c JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
     WHERE c.relkind = 'r' AND c.relpersistence = 'u'
     UNION ALL
    SELECT 'tables', 'broken', format('%s of %s is gone', i.name, c.oid::regclass),
           CASE WHEN i.definition LIKE 'CREATE %' THEN i.definition || ';'
                ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s;', c.oid::regclass, i.name, i.definition) END
      FROM zentry_notify.own_indexes() i
      JOIN pg_class c ON c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = i.relation AND c.relkind = 'r'
      JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
     WHERE NOT EXISTS (SELECT FROM pg_index x
                         JOIN pg_class n ON n.oid = x.indexrelid
                         LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u')
                        WHERE x.indrelid = c.oid AND (n.relname = i.name OR pg_get_constraintdef(k.oid) = i.definition))
     UNION ALL
    SELECT 'tables', 'broken', format('trigger %s on %s is gone', quote_ident(o.name), c.oid::regclass),
           format('CREATE TRIGGER %I %s;', o.name, o.definition) || CASE o.mode WHEN '' THEN '' ELSE format(' ALTER TABLE %s ENABLE %sTRIGGER %I;', c.oid::regclass, o.mode, o.name) END
      FROM zentry_notify.own_triggers() o
      JOIN pg_class c ON c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = o.relation
      JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
     WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = o.name)
     UNION ALL
    SELECT 'tables', 'broken', format('index %s is not valid', x.indexrelid::regclass), format('REINDEX INDEX %s;', x.indexrelid::regclass)
      FROM pg_index x JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = x.indrelid
     WHERE NOT (x.indisvalid AND x.indisready AND x.indislive)
     UNION ALL
    -- The owner of a table may put triggers on it, which run with the rights of the role that writes it. (A sequence has the owner of its table.)
    SELECT 'tables', 'attention', format('%s belongs to %s, and not to the owner of the extension', o.name, o.owner::regrole),
           format('ALTER %s OWNER TO %s;', o.name, e.extowner::regrole)
      FROM zentry_notify.members() m
      JOIN pg_extension e ON e.extname = 'zentry_notify'
      CROSS JOIN LATERAL (
           SELECT CASE c.relkind WHEN 'v' THEN 'VIEW ' ELSE 'TABLE ' END || c.oid::regclass, c.relowner FROM pg_class c
            WHERE m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind IN ('r', 'v')
            UNION ALL
           SELECT 'FUNCTION ' || p.oid::regprocedure, p.proowner FROM pg_proc p WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid
            UNION ALL
           SELECT 'SCHEMA ' || quote_ident(n.nspname), n.nspowner FROM pg_namespace n WHERE m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
           ) o (name, owner)
     WHERE o.owner <> e.extowner
     UNION ALL
    -- The tables that capture, the worker and senders write. On the others an application may have triggers of its own.
    SELECT 'tables', 'attention', format('trigger %I on %s is not the extension''s: it runs within what writes there, and an error of it loses events or holds them up',
                                         t.tgname, t.tgrelid::regclass),
           format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass)
      FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE NOT t.tgisinternal
       AND c.relname IN ('event', 'event_detail', 'delivery', 'delivery_attempt', 'route_cursor', 'webhook_circuit', 'webhook_state', 'webhook_count', 'delivery_stat',
                         'project_progress', 'progress_note', 'sender', 'sender_queue')
       AND NOT EXISTS (SELECT FROM zentry_notify.members() m WHERE m.classid = 'pg_proc'::regclass AND m.objid = t.tgfoid)
     UNION ALL
    -- Events and deliveries are sent in the order of their ids.
    SELECT 'tables', 'attention', format('%s gives each session %s numbers at a time: a later event may have a lower one', q.seqrelid::regclass, q.seqcache),
           format('ALTER SEQUENCE %s CACHE 1;', q.seqrelid::regclass)
      FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE q.seqcache > 1
     UNION ALL
    SELECT 'tables', 'broken', format('%s counts by %s: a later event has a lower number', q.seqrelid::regclass, q.seqincrement),
           format('ALTER SEQUENCE %s INCREMENT BY 1;', q.seqrelid::regclass)
      FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE q.seqincrement < 1
     UNION ALL
    -- No privilege of zentry_grant includes writing, locking or TRIGGER on a table. SELECT is not reported: a role that makes dumps needs it.
    SELECT 'tables', 'attention', format('%s may %s on %s, which is the extension''s alone', coalesce(r.name, 'PUBLIC'), string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), c.oid::regclass),
           format('REVOKE ALL ON %s FROM %s;', c.oid::regclass, coalesce(r.name, 'PUBLIC'))
      FROM pg_class c
      CROSS JOIN LATERAL aclexplode(c.relacl) a
      LEFT JOIN LATERAL (SELECT quote_ident(g.rolname) AS name, g.rolname FROM pg_roles g WHERE g.oid = a.grantee) r ON true
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = ANY (zentry_notify.own_tables())
       AND a.grantee <> c.relowner AND r.rolname IS DISTINCT FROM 'zentry_notify_agent' AND a.privilege_type <> 'SELECT'
     GROUP BY c.oid, r.name
     UNION ALL
    SELECT 'tables', 'attention', format('%s may create objects in the schema zentry_notify', coalesce(quote_ident(r.rolname), 'PUBLIC')),
           format('REVOKE CREATE ON SCHEMA zentry_notify FROM %s;', coalesce(quote_ident(r.rolname), 'PUBLIC'))
      FROM pg_namespace n
      CROSS JOIN LATERAL aclexplode(n.nspacl) a
      LEFT JOIN pg_roles r ON r.oid = a.grantee
     WHERE n.nspname = 'zentry_notify' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner;
$$;
COMMENT ON FUNCTION zentry_notify.status_tables() IS 'Returns the status of the extension''s tables: what others have added, removed or changed';

-- A process that waits for an ACCESS EXCLUSIVE lock is reported as well, because later requests for the table queue behind it.
CREATE OR REPLACE FUNCTION zentry_notify.status_locks() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'tables', 'broken',
           CASE WHEN l.pid IS NULL THEN format('%s is locked by the prepared transaction %L: what reads it waits', l.name, p.gid)
                WHEN l.granted THEN format('%s is locked by process %s (%s): what reads it waits', l.name, l.pid, a.who)
                ELSE format('%s is waited for by process %s (%s), and what reads it waits behind', l.name, l.pid, a.who) END,
           CASE WHEN l.pid IS NULL THEN format('-- COMMIT PREPARED %L; or ROLLBACK PREPARED %1$L;', p.gid)
                ELSE format('SELECT pg_terminate_backend(%s); -- if what it does cannot be waited for', l.pid) END
      FROM (SELECT DISTINCT ON (c.oid) c.oid::regclass AS name, l.pid, l.granted, l.virtualtransaction
              FROM pg_locks l
              JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = 'zentry_notify'::regnamespace
             WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
               AND l.pid IS DISTINCT FROM pg_backend_pid()
               AND (l.mode = 'AccessExclusiveLock' OR c.relkind = 'S' AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock'))
             ORDER BY c.oid, l.granted DESC, l.pid) l
      LEFT JOIN LATERAL (
           SELECT concat_ws(', ', x.usename, CASE WHEN x.xact_start IS NOT NULL THEN 'in a transaction since ' || zentry_notify.moment(x.xact_start) END) AS who
             FROM pg_stat_activity x WHERE x.pid = l.pid) a ON true
      LEFT JOIN pg_locks t ON l.pid IS NULL AND t.locktype = 'transactionid' AND t.granted AND t.virtualtransaction = l.virtualtransaction
      LEFT JOIN pg_prepared_xacts p ON p.transaction = t.transactionid
     ORDER BY l.name::text;
$$;
COMMENT ON FUNCTION zentry_notify.status_locks() IS 'Returns the status of the extension''s tables: which processes and prepared transactions lock them';

CREATE OR REPLACE FUNCTION zentry_notify.subscribed_tables() RETURNS TABLE (subscription text, relation oid)
    LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT s.subname::text, r.srrelid
                   FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
                  WHERE s.subenabled AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pglogical' AND e.extnamespace = to_regnamespace('pglogical')) THEN
        RETURN QUERY EXECUTE 'SELECT s.sub_name::text, c.oid
                                FROM pglogical.subscription s
                                JOIN pglogical.local_sync_status l ON l.sync_subid = s.sub_id
                                JOIN pg_namespace n ON n.nspname = l.sync_nspname
                                JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = l.sync_relname
                               WHERE s.sub_enabled';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.subscribed_tables() IS 'Returns the tables of this database that logical replication, built-in or pglogical''s, writes to';

-- If the publisher has the extension, it sends the events of the rows that are applied here. Whether it has can be seen only if some of the extension's
-- tables are replicated too.
CREATE OR REPLACE FUNCTION zentry_notify.status_replication() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH brought AS MATERIALIZED (
        SELECT b.subscription, b.relation, CASE WHEN c.relnamespace = 'zentry_notify'::regnamespace THEN c.relname END AS ours
          FROM zentry_notify.subscribed_tables() b JOIN pg_class c ON c.oid = b.relation),
    keeps AS MATERIALIZED (
        SELECT o.relation, EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
                                    WHERE c.relname = o.relation AND t.tgname = o.name AND t.tgenabled IN ('R', 'A')) AS out
          FROM zentry_notify.own_triggers() o WHERE o.name = 'drop_replicated'),
    sending AS MATERIALIZED (
        SELECT w.value::boolean AS is_on FROM zentry_notify.set_for_worker('zentry_notify.sending') w)
    SELECT 'subscription ' || quote_ident(b.subscription), 'broken',
           format('what it brings of zentry_notify.%s is stored, because the trigger drop_replicated does not fire for it: messages go out twice, from its publisher and from here', b.ours),
           format('ALTER TABLE zentry_notify.%I ENABLE REPLICA TRIGGER drop_replicated;', b.ours)
      FROM brought b JOIN keeps k ON k.relation = b.ours AND NOT k.out
     WHERE b.ours IN ('event', 'delivery', 'legacy_delivery', 'route_cursor', 'event_detail') AND (SELECT s.is_on FROM sending s)
     UNION ALL
    SELECT 'subscription ' || quote_ident(f.subscription), CASE WHEN f.both THEN 'broken' ELSE 'attention' END,
           format('trigger %I on %s fires for what it brings: ', f.tgname, f.relation)
               || CASE WHEN f.both THEN 'its publisher, which has the extension too, sends the same, and messages go out twice'
                       ELSE 'if its publisher has the extension too, messages go out twice' END,
           format('ALTER TABLE %s ENABLE TRIGGER %I;', f.relation, f.tgname)
      FROM (SELECT DISTINCT b.subscription, t.tgname, t.tgrelid::regclass AS relation,
                   EXISTS (SELECT FROM brought o WHERE o.subscription = b.subscription AND o.ours IS NOT NULL) AS both
              FROM pg_trigger t
              JOIN brought b ON b.relation = t.tgrelid OR b.relation IN (SELECT a.relid FROM pg_partition_ancestors(t.tgrelid) a)
             WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure AND t.tgenabled IN ('A', 'R')) f
     WHERE (SELECT s.is_on FROM sending s)
     UNION ALL
    -- A publication FOR ALL TABLES includes these.
    SELECT 'subscription ' || quote_ident(b.subscription), 'attention',
           format('brings what its publisher''s worker keeps for itself (%s), and of which nothing is stored here: both servers have the extension and send, each what is written to it',
                  string_agg(DISTINCT b.ours, ', ' ORDER BY b.ours)),
           format('ALTER DATABASE %I SET zentry_notify.sending = off; -- until this server takes over: see docs/guide/change-capture.md', current_database())
      FROM brought b JOIN keeps k ON k.relation = b.ours AND k.out
     WHERE (SELECT s.is_on FROM sending s)
     GROUP BY b.subscription
     UNION ALL
    SELECT 'publication ' || quote_ident(p.pubname), 'attention',
           format('%s: who subscribes gets the webhooks'' URLs and keys, which are secrets', CASE WHEN p.puballtables THEN 'is FOR ALL TABLES' ELSE 'has all tables of the schema zentry_notify' END),
           CASE WHEN p.puballtables THEN '-- publish tables by name, and of ours zentry_notify.event for one: see docs/guide/change-capture.md'
                ELSE format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA zentry_notify;', p.pubname) END
      FROM pg_publication p
     WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = 'zentry_notify'::regnamespace)
     ORDER BY 1, 2 DESC, 3;
$$;
COMMENT ON FUNCTION zentry_notify.status_replication() IS 'Returns the status of logical replication: what would send messages twice or publish secrets';
