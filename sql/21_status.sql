-- Is it working, and if not, what do I do. One function for each part of the way from the write to the message; what they
-- return, zentry_status() returns.

CREATE OR REPLACE FUNCTION zentry_notify.server_state()
    RETURNS TABLE (library_version text, fits boolean, preloaded boolean, worker_died boolean, refused_since timestamptz, databases_waiting integer,
                   short_of_workers_since timestamptz, discord_parked_until timestamptz)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'server_state_wrapper';
COMMENT ON FUNCTION zentry_notify.server_state() IS 'What the library and its shared memory know: one row';

CREATE OR REPLACE FUNCTION zentry_notify.moment(at timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_char(at, CASE WHEN at::date = current_date THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END) $$;
COMMENT ON FUNCTION zentry_notify.moment(timestamptz) IS 'A time for people: without the date if it is today''s';

CREATE OR REPLACE FUNCTION zentry_notify.background_workers() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM pg_stat_activity a
     WHERE a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'walwriter',
                                  'archiver', 'logger', 'startup', 'walreceiver', 'walsender', 'walsummarizer', 'slotsync worker', 'io worker');
$$;
COMMENT ON FUNCTION zentry_notify.background_workers() IS 'How many processes take a place of max_worker_processes';

CREATE OR REPLACE FUNCTION zentry_notify.more_workers() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server',
                  current_setting('max_worker_processes')::int + current_setting('zentry_notify.max_workers')::int + 1);
$$;
COMMENT ON FUNCTION zentry_notify.more_workers() IS 'The remedy for too few places for background workers';

CREATE OR REPLACE FUNCTION zentry_notify.status_server() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server    record;
    launcher  record;
    installed text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'zentry_notify');
    preload   text := (SELECT string_agg(quote_literal(l), ', ')
                         FROM (SELECT btrim(s, ' "') FROM regexp_split_to_table(current_setting('shared_preload_libraries'), ',') s
                                UNION ALL SELECT 'zentry_notify') AS libraries (l) WHERE l <> '');
BEGIN
    BEGIN
        SELECT * INTO server FROM zentry_notify.server_state();
    EXCEPTION WHEN OTHERS THEN
        RETURN QUERY SELECT 'library', 'broken', SQLERRM, '-- install the files of zentry_notify ' || installed || ', then restart the server';
        RETURN;
    END;
    IF NOT server.preloaded THEN
        RETURN QUERY SELECT 'library', 'broken', 'not preloaded: deliveries are written, and nothing is sent',
            format('ALTER SYSTEM SET shared_preload_libraries = %s; -- then restart the server', preload);
    ELSIF server.fits THEN
        RETURN QUERY SELECT 'library', 'ok', 'version ' || installed || ', preloaded', '';
    ELSIF string_to_array(server.library_version, '.')::int[] > string_to_array(installed, '.')::int[] THEN
        RETURN QUERY SELECT 'library', 'broken', format('version %s, but the SQL is of %s: nothing is sent', server.library_version, installed),
            'ALTER EXTENSION zentry_notify UPDATE;';
    ELSE
        RETURN QUERY SELECT 'library', 'broken', format('version %s, but the SQL is of %s: nothing is sent', server.library_version, installed),
            '-- restart the server: it still has the library of before';
    END IF;
    IF pg_is_in_recovery() THEN
        RETURN QUERY SELECT 'launcher', 'ok', 'none on a standby: nothing is sent before it is promoted', '';
        RETURN;
    END IF;

    SELECT a.pid, a.backend_start INTO launcher FROM pg_stat_activity a WHERE a.backend_type = 'zentry_notify launcher';
    IF FOUND THEN
        RETURN QUERY SELECT 'launcher', 'ok', format('pid %s, since %s', launcher.pid, zentry_notify.moment(launcher.backend_start)), '';
    ELSE
        RETURN QUERY SELECT 'launcher', 'broken', 'not there: no worker is started',
            CASE WHEN NOT server.preloaded THEN '-- comes with the library'
                 WHEN zentry_notify.background_workers() >= current_setting('max_worker_processes')::int THEN zentry_notify.more_workers()
                 ELSE '-- the server log says why it ends; it is started again every second' END;
    END IF;
    RETURN QUERY SELECT * FROM zentry_notify.status_worker(server.worker_died, server.refused_since, server.databases_waiting,
                                                           server.short_of_workers_since);
    IF server.discord_parked_until > now() THEN
        RETURN QUERY SELECT 'Discord', 'attention', 'has banned this server''s address until ' || zentry_notify.moment(server.discord_parked_until),
            '-- it is waited for; see that nothing else at this address calls Discord too often';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_server() IS 'Status of what the cluster has: library, launcher, worker';

CREATE OR REPLACE VIEW zentry_notify.due_delivery AS
SELECT d.id, w.id AS webhook_integration_id, d.due_at
  FROM zentry_notify.webhook w
  CROSS JOIN LATERAL (
       (SELECT l.id, coalesce(l.next_attempt_at, l.created_at) AS due_at FROM zentry_notify.legacy_delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('pending', 'retry') ORDER BY l.id LIMIT 1)
        UNION ALL
       (SELECT l.id, coalesce(l.next_attempt_at, (SELECT e.created_at FROM zentry_notify.event e WHERE e.id = l.event_id)) FROM zentry_notify.delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('p', 'r') ORDER BY l.id LIMIT 1)
       LIMIT 1) d
 WHERE w.is_active
   AND d.due_at <= now()
   AND zentry_notify.quiet_until(w.quiet_hours) IS NULL
   AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id);
COMMENT ON VIEW zentry_notify.due_delivery IS
    'The first delivery of each webhook that nothing keeps from being sent but the worker and the pace of its channel: those behind it wait for it';
COMMENT ON COLUMN zentry_notify.due_delivery.id IS 'Its number in the log';
COMMENT ON COLUMN zentry_notify.due_delivery.webhook_integration_id IS 'Where it goes';
COMMENT ON COLUMN zentry_notify.due_delivery.due_at IS 'Since when it may go';

CREATE OR REPLACE FUNCTION zentry_notify.status_worker(worker_died boolean, refused_since timestamptz, databases_waiting integer,
                                            short_of_workers_since timestamptz)
    RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    worker record;
    log_it constant text := '-- the server log says why, in a line that begins with zentry_notify';
BEGIN
    SELECT a.pid, a.backend_start INTO worker FROM pg_stat_activity a
     WHERE a.backend_type = 'zentry_notify worker' AND a.datname = current_database();
    IF FOUND THEN
        IF refused_since IS NULL THEN
            RETURN QUERY SELECT 'worker', 'ok', format('pid %s, since %s', worker.pid, zentry_notify.moment(worker.backend_start)), '';
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', format('pid %s; the database refuses its statements since %s', worker.pid, zentry_notify.moment(refused_since)), log_it;
        END IF;
    ELSIF worker_died THEN
        RETURN QUERY SELECT 'worker', 'broken', 'has died, and is started again after a pause', log_it;
    ELSIF EXISTS (SELECT FROM zentry_notify.unrouted_since() s WHERE s < now() - interval '30 seconds')
          OR current_setting('zentry_notify.sending')::boolean
             AND EXISTS (SELECT FROM zentry_notify.due_delivery d WHERE d.due_at < now() - interval '5 seconds') THEN
        IF short_of_workers_since IS NOT NULL THEN
            RETURN QUERY SELECT 'worker', 'broken', format('no background worker is free, since %s (max_worker_processes is %s)',
                                                           zentry_notify.moment(short_of_workers_since), current_setting('max_worker_processes')),
                zentry_notify.more_workers();
        ELSIF databases_waiting > 0 THEN
            RETURN QUERY SELECT 'worker', 'attention', format('waits for its turn: %s workers may run, %s databases wait',
                                                              current_setting('zentry_notify.max_workers'), databases_waiting),
                format('ALTER SYSTEM SET zentry_notify.max_workers = %s; SELECT pg_reload_conf();',
                       least(64, current_setting('zentry_notify.max_workers')::int + databases_waiting));
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', 'not there, although there is something to do', '-- see the line of the launcher';
        END IF;
    ELSE
        RETURN QUERY SELECT 'worker', 'ok', 'none is needed now', '';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_worker(boolean, timestamptz, integer, timestamptz) IS 'Status of this database''s worker';

CREATE OR REPLACE FUNCTION zentry_notify.status_settings() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- What holds for sessions and workers to come. The worker is the bootstrap superuser's (10), so what is set for that role is the worker's; what
    -- is set for the role that asks is not.
    WITH switch (name, normal, means, of_worker) AS (
        VALUES ('zentry_notify.sending', 'on', 'nothing is sent, deliveries wait', true),
               ('zentry_notify.enabled', 'on', 'writes fire nothing', false),
               ('session_replication_role', 'origin', 'writes fire nothing', false)),
    stored AS (
        -- Of a role in a database, of a role, of a database, of all: the first holds.
        SELECT DISTINCT ON (v.name) v.name, r.setrole, r.setdatabase,
               CASE v.normal WHEN 'on' THEN CASE WHEN split_part(c, '=', 2)::boolean THEN 'on' ELSE 'off' END ELSE split_part(c, '=', 2) END AS value
          FROM switch v
          JOIN pg_db_role_setting r ON r.setrole = 0 OR v.of_worker AND r.setrole = 10
          CROSS JOIN unnest(r.setconfig) c
         WHERE r.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AND split_part(c, '=', 1) = v.name
         ORDER BY v.name, r.setrole = 0, r.setdatabase = 0),
    setting AS (
        SELECT v.name, v.normal, v.means, v.of_worker, s.setting AS here, d.setrole, d.setdatabase,
               coalesce(d.value,
                        CASE WHEN v.of_worker AND s.source IN ('user', 'database user', 'session', 'client')
                             THEN coalesce((SELECT f.setting FROM pg_file_settings f WHERE f.name = v.name AND f.applied ORDER BY f.seqno DESC LIMIT 1), s.boot_val)
                             ELSE s.reset_val END) AS for_all
          FROM switch v
          JOIN pg_settings s ON s.name = v.name
          LEFT JOIN stored d ON d.name = v.name)
    SELECT s.name, 'attention', CASE WHEN s.for_all = s.normal THEN s.means || ', in this session' ELSE s.means END,
           CASE WHEN s.for_all = s.normal THEN format('RESET %s;', s.name)
                WHEN s.setrole <> 0 AND s.setdatabase <> 0 THEN format('ALTER ROLE %I IN DATABASE %I RESET %s;', pg_get_userbyid(s.setrole), current_database(), s.name)
                WHEN s.setrole <> 0 THEN format('ALTER ROLE %I RESET %s;', pg_get_userbyid(s.setrole), s.name)
                WHEN s.setdatabase <> 0 THEN format('ALTER DATABASE %I RESET %s;', current_database(), s.name)
                WHEN s.setdatabase = 0 THEN format('ALTER ROLE ALL RESET %s;', s.name)
                ELSE format('ALTER SYSTEM SET %s = %s; SELECT pg_reload_conf();', s.name, s.normal) END
      FROM setting s
     -- Workers do not see what a session has set.
     WHERE s.for_all <> s.normal OR s.here <> s.normal AND NOT s.of_worker;
$$;
COMMENT ON FUNCTION zentry_notify.status_settings() IS 'Status of the settings that switch something off';

CREATE OR REPLACE FUNCTION zentry_notify.status_privileges() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Postgres keeps what CREATE EXTENSION granted: what is not there any more has been taken away since.
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
    -- A later version's functions are nobody's: what an update grants, pg_dump would take for the extension's own and leave out.
    SELECT 'privileges', 'attention', format('%s may not call %s', g.grantee, min(f::text)),
           format('SELECT @extschema@.zentry_grant(%L, %L);', g.grantee, g.privilege)
      FROM zentry_notify.grants() g
      CROSS JOIN zentry_notify.functions_of(g.privilege) f
     WHERE NOT has_function_privilege(g.grantee, f, 'EXECUTE')
     GROUP BY g.grantee, g.privilege;
$$;
COMMENT ON FUNCTION zentry_notify.status_privileges() IS 'Status of the rights that the agent needs, and of those that zentry_grant gave';

CREATE OR REPLACE FUNCTION zentry_notify.own_tables() RETURNS name[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{webhook,webhook_secret,webhook_circuit,webhook_state,webhook_count,deleted_webhook,event,event_detail,event_type,event_wording,event_source,route_cursor,
             delivery,legacy_delivery,delivery_stat,project_progress,progress_note,api_token}'::name[];
$$;
COMMENT ON FUNCTION zentry_notify.own_tables() IS 'The names of the extension''s tables';

CREATE OR REPLACE FUNCTION zentry_notify.status_tables() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'tables', 'broken', format('%s has row-level security: the worker does not see its rows', c.oid::regclass),
           format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY;', c.oid::regclass)
      FROM pg_class c
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
     UNION ALL
    -- What pg_restore --disable-triggers has switched off and on again is not what it was.
    SELECT 'tables', CASE t.tgenabled WHEN 'D' THEN 'broken' ELSE 'attention' END,
           format(CASE t.tgenabled WHEN 'D' THEN 'trigger %s on %s is disabled' ELSE 'trigger %s on %s does not fire when it has to' END,
                  quote_ident(t.tgname), t.tgrelid::regclass),
           format('ALTER TABLE %s ENABLE %sTRIGGER %I;', t.tgrelid::regclass, meant.mode, t.tgname)
      FROM pg_trigger t
      CROSS JOIN LATERAL (SELECT CASE WHEN t.tgname = 'drop_replicated' THEN 'REPLICA '
                                      WHEN t.tgname IN ('configuration_changed', 'configuration_emptied', 'forget_webhook') THEN 'ALWAYS '
                                      ELSE '' END AS mode) meant
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
      JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'zentry_notify'::regnamespace
     WHERE NOT t.tgisinternal AND (t.tgenabled = 'D' OR meant.mode = 'REPLICA ' AND t.tgenabled <> 'R' OR meant.mode = 'ALWAYS ' AND t.tgenabled <> 'A')
     UNION ALL
    -- As after a switch-over of logical replication: the next number is one that there is already.
    SELECT 'tables', 'broken', format('%s is behind its table', s.sequence), format('SELECT setval(%L, %s);', s.sequence, s.highest)
      FROM (SELECT 'zentry_notify.webhook_integration_id_seq' AS sequence, (SELECT max(w.id) FROM zentry_notify.webhook w) AS highest
             UNION ALL SELECT 'zentry_notify.event_id_seq', (SELECT max(e.id) FROM zentry_notify.event e)
             UNION ALL SELECT 'zentry_notify.delivery_id_seq', greatest((SELECT max(d.id) FROM zentry_notify.delivery d),
                                                                        (SELECT max(d.id) FROM zentry_notify.legacy_delivery d))
             UNION ALL SELECT 'zentry_notify.event_source_id_seq', (SELECT max(s.id) FROM zentry_notify.event_source s)) s
     WHERE s.highest > coalesce(pg_sequence_last_value(s.sequence::regclass), 0)
     UNION ALL
    -- A table that was made in the place of one that was renamed: sessions and worker go by the name.
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
    -- What is sent is sent in the order of its numbers.
    SELECT 'tables', 'attention', format('%s gives each session %s numbers at a time: a later event may have a lower one', q.seqrelid::regclass, q.seqcache),
           format('ALTER SEQUENCE %s CACHE 1;', q.seqrelid::regclass)
      FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE q.seqcache > 1;
$$;
COMMENT ON FUNCTION zentry_notify.status_tables() IS 'Status of our own tables: what others have put on them or taken off';

-- PostgreSQL takes what it reads for large, and would compile it for seconds.
CREATE OR REPLACE FUNCTION zentry_notify.status_sources() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH RECURSIVE family (source, oid) AS (
        SELECT s.id, s.relation::oid FROM zentry_notify.event_source s
         UNION
        SELECT f.source, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid),
    trigger AS (
        -- What a source attached by 0.1.0 has is not known, until somebody attaches it again. Partitions get their table's from PostgreSQL, and
        -- keep them.
        SELECT s.id, c.oid AS relation, c.oid = s.relation AS itself, t.name, t.present, t.live
          FROM zentry_notify.event_source s
          JOIN family f ON f.source = s.id
          JOIN pg_class c ON c.oid = f.oid
          CROSS JOIN LATERAL (
               SELECT format('zentry_notify_%s_%s', s.event_type, o.operation) AS name
                 FROM (VALUES ('insert', s.insert_when), ('update', s.update_when), ('delete', s.delete_when)) o (operation, condition)
                WHERE o.condition IS NOT NULL
                UNION ALL
               SELECT NULL WHERE coalesce(s.insert_when, s.update_when, s.delete_when) IS NULL) wanted
          CROSS JOIN LATERAL (
               SELECT coalesce(wanted.name, min(t.tgname::text)) AS name, count(*) > 0 AS present, coalesce(bool_and(t.tgenabled IN ('O', 'A')), false) AS live
                 FROM pg_trigger t
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgfoid = 'zentry_notify.capture()'::regprocedure
                  AND CASE WHEN wanted.name IS NULL THEN t.tgname <> 'zentry_notify_moved' ELSE t.tgname = wanted.name END) t
         WHERE t.present OR c.oid = s.relation OR NOT c.relispartition),
    swapped AS (
        -- Another table has the name by which one of Zentry's was attached.
        SELECT s.id, z.relation
          FROM zentry_notify.event_source s
          JOIN zentry_notify.zentry_source z ON z.event_type = s.event_type
         WHERE NOT s.by_hand AND to_regclass(z.relation) <> s.relation
           AND NOT EXISTS (SELECT FROM zentry_notify.event_source o WHERE o.event_type = s.event_type AND o.relation = to_regclass(z.relation))),
    fault AS (
        -- The first of each source.
        SELECT DISTINCT ON (t.id) t.id, t.itself, t.present, t.name, t.relation::regclass,
               NOT EXISTS (SELECT FROM trigger o WHERE o.id = t.id AND o.relation = t.relation AND o.present) AS all_gone
          FROM trigger t WHERE NOT t.live
         ORDER BY t.id, t.itself DESC, t.present DESC, t.relation, t.name)
    SELECT 'event ' || s.event_type,
           CASE WHEN c.oid IS NULL OR s.suspended_at IS NOT NULL OR f.itself OR w.id IS NOT NULL THEN 'broken'
                WHEN f.id IS NOT NULL OR s.suspended_reason IS NOT NULL THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.oid IS NULL THEN 'its table does not exist any more'
                WHEN w.id IS NOT NULL THEN format('%s is another table now, and is not attached: %s is, which had its name', w.relation, s.relation)
                WHEN s.suspended_at IS NOT NULL THEN format('suspended since %s: %s', zentry_notify.moment(s.suspended_at), s.suspended_reason)
                WHEN f.present THEN format('trigger %I on %s is disabled', f.name, f.relation)
                WHEN f.itself AND NOT f.all_gone THEN format('trigger %I on %s is gone', f.name, f.relation)
                WHEN f.itself THEN format('the triggers on %s are gone', f.relation)
                WHEN f.id IS NOT NULL THEN format('%s inherits from %s and has no trigger for it: what is written to it fires nothing', f.relation, s.relation)
                WHEN s.suspended_reason IS NOT NULL THEN format('%s; %s', s.relation, s.suspended_reason)
                ELSE format('%s', s.relation) END,
           CASE WHEN c.oid IS NULL THEN format('SELECT @extschema@.zentry_detach(%s);', s.relation::oid)
                WHEN w.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                WHEN f.present AND s.suspended_at IS NULL THEN format('ALTER TABLE %s ENABLE TRIGGER %I;', f.relation, f.name)
                WHEN s.suspended_reason IS NOT NULL OR s.suspended_at IS NOT NULL OR f.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                ELSE '' END
      FROM zentry_notify.event_source s
      LEFT JOIN pg_class c ON c.oid = s.relation
      LEFT JOIN fault f ON f.id = s.id
      LEFT JOIN swapped w ON w.id = s.id
     UNION ALL
    SELECT 'events', 'attention', 'no table is attached: no write fires anything', 'SELECT * FROM @extschema@.zentry_attach();'
     WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source)
     ORDER BY 1;
$$;
COMMENT ON FUNCTION zentry_notify.status_sources() IS 'Status of the attached tables';

CREATE OR REPLACE FUNCTION zentry_notify.status_webhooks() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH webhook AS (
        SELECT w.id, w.name,
               CASE WHEN w.switched_off_at IS NOT NULL THEN 'gone' WHEN NOT w.is_active THEN 'off'
                    WHEN c.webhook_integration_id IS NOT NULL THEN 'failing' ELSE 'active' END AS state,
               coalesce(w.switched_off_at, c.opened_at) AS since, coalesce(w.switched_off_reason, c.error_message) AS reason, c.next_try_at
          FROM zentry_notify.webhook w
          LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id)
    SELECT 'webhooks', CASE WHEN count(*) FILTER (WHERE n.state = 'active') = 0 THEN 'attention' ELSE 'ok' END,
           coalesce(string_agg(format('%s %s', n.count, n.state), ', ' ORDER BY n.state), 'none is registered: nobody hears anything'),
           CASE WHEN count(*) = 0 THEN 'SELECT @extschema@.zentry_register_webhook(''NAME'', ''discord'', ''URL'');' ELSE '' END
      FROM (SELECT w.state, count(*) FROM webhook w GROUP BY w.state) n
     UNION ALL
    (SELECT format('webhook %s', w.id), CASE w.state WHEN 'gone' THEN 'broken' ELSE 'attention' END,
            CASE w.state WHEN 'gone' THEN format('gone since %s: %s', zentry_notify.moment(w.since), w.reason)
                         ELSE format('fails since %s, next try %s: %s', zentry_notify.moment(w.since), zentry_notify.moment(w.next_try_at), w.reason) END,
            CASE w.state WHEN 'gone' THEN format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL''), @extschema@.zentry_retry_failed(%s);', w.id, w.id)
                         ELSE format('SELECT * FROM @extschema@.zentry_test_webhook(%s);', w.id) END
       FROM webhook w WHERE w.state IN ('gone', 'failing') ORDER BY w.state DESC, w.id LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_webhooks() IS 'Status of the integrations: how many are in which state, and the first 20 that fail or are gone';

CREATE OR REPLACE FUNCTION zentry_notify.status_queue() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'queue', CASE WHEN d.due_at < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN q.waiting = 0 THEN 'nothing waits'
                ELSE format('%s wait, the oldest since %s', q.waiting, zentry_notify.moment(q.oldest)) END,
           CASE WHEN d.due_at < now() - interval '5 minutes'
                THEN 'SELECT * FROM zentry_notify.logs WHERE status IN (''pending'', ''retry'') ORDER BY id LIMIT 20;' ELSE '' END
      -- Of the first alone it is asked when it happened: each answer is a look at its event.
      FROM (SELECT w.waiting, (SELECT l.created_at FROM zentry_notify.notification_log l WHERE l.id = w.first) AS oldest
              FROM (SELECT count(*) AS waiting, min(l.id) AS first FROM zentry_notify.notification_log l WHERE l.status IN ('pending', 'retry')) w) q
      CROSS JOIN (SELECT min(d.due_at) AS due_at FROM zentry_notify.due_delivery d) d
     UNION ALL
    (SELECT format('webhook %s', l.webhook_integration_id), 'attention', 'rate limited until ' || zentry_notify.moment(max(l.next_attempt_at)),
            format('UPDATE zentry_notify.webhook_integration SET min_interval = ''5 seconds'' WHERE id = %s;', l.webhook_integration_id)
       FROM zentry_notify.notification_log l
      WHERE l.status IN ('pending', 'retry') AND l.response_status_code = 429 AND l.next_attempt_at > now()
      GROUP BY l.webhook_integration_id ORDER BY max(l.next_attempt_at) DESC LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_queue() IS 'Status of what waits';

CREATE OR REPLACE FUNCTION zentry_notify.status_events() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'routing',
           CASE WHEN c.restored IS NULL OR c.restored = 'awaited' THEN 'broken' WHEN s.since < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.restored IS NULL OR c.restored = 'awaited' THEN 'events were restored without the row of zentry_notify.route_cursor: nothing is routed. The remedy takes them as sent; where they were not, UPDATE zentry_notify.route_cursor SET restored = ''no'' sends all that waits'
                WHEN s.since IS NULL THEN 'every event is routed'
                ELSE format('%s events wait for it, the first since %s', zentry_notify.unrouted_events(), zentry_notify.moment(s.since)) END,
           CASE WHEN c.restored IS NULL OR c.restored = 'awaited' THEN 'SELECT zentry_notify.route_from_now();'
                WHEN s.since < now() - interval '5 minutes' THEN '-- see the line of the worker' ELSE '' END
      FROM (SELECT zentry_notify.unrouted_since() AS since) s
      LEFT JOIN zentry_notify.route_cursor c ON true
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', format('the database does not take %s of its deliveries: they stay in memory, and at 10000 nothing more is routed', count(*)),
            '-- the server log says why, in a line that begins with zentry_notify'
       FROM zentry_notify.route_cursor c, jsonb_each(c.split) e, jsonb_array_elements_text(e.value) w (id)
      GROUP BY w.id ORDER BY count(*) DESC LIMIT 20)
     UNION ALL
    SELECT 'lost events', 'attention', format('%s since the server started: they could not be written, and nobody hears of them', l.lost),
           '-- the server log has a warning for each, which begins with zentry_notify'
      FROM (SELECT zentry_notify.lost_events() AS lost) l WHERE l.lost > 0;
$$;
COMMENT ON FUNCTION zentry_notify.status_events() IS 'Status of what was captured: whether the worker has found out who hears of it, and whether any is lost';

CREATE OR REPLACE FUNCTION zentry_notify.mended_failures(since timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Back along the chains that end with a success. What repeats another delivery is little, and has an index.
    WITH RECURSIVE mended (id) AS (
        SELECT d.retry_of FROM zentry_notify.delivery d WHERE d.retry_of IS NOT NULL AND d.status = 's' AND d.finished_at >= since
         UNION
        SELECT d.retry_of FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id WHERE d.retry_of IS NOT NULL)
    SELECT count(*) FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id AND d.status = 'f' AND d.finished_at >= since;
$$;
COMMENT ON FUNCTION zentry_notify.mended_failures(timestamptz) IS 'How many deliveries that failed since then were repeated with success';

CREATE OR REPLACE FUNCTION zentry_notify.status_log() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'failures', CASE WHEN f.day > 0 THEN 'attention' ELSE 'ok' END,
           format('%s in 24 hours', f.day) || CASE WHEN f.mended = 0 THEN '' ELSE format(', and %s that were sent anew', f.mended) END
               || CASE WHEN e.last_failed_at IS NULL THEN ''
               ELSE format('; the last, %s: %s', zentry_notify.moment(e.last_failed_at), left(e.last_error, 200)) END,
           CASE WHEN f.day > 0 THEN 'SELECT @extschema@.zentry_retry_failed(since => now() - interval ''1 day'');' ELSE '' END
      FROM (SELECT greatest(s.failed - m.mended, 0) AS day, least(m.mended, s.failed) AS mended
              FROM (SELECT coalesce(sum(s.failed), 0) AS failed FROM zentry_notify.delivery_stat s
                     WHERE s.event_type = '*' AND s.span IN ('minute', 'hour') AND s.since >= now() - interval '1 day') s
              CROSS JOIN (SELECT zentry_notify.mended_failures(now() - interval '1 day') AS mended) m) f
      LEFT JOIN LATERAL (SELECT n.last_failed_at, n.last_error FROM zentry_notify.webhook_count n
                          WHERE n.last_failed_at IS NOT NULL ORDER BY n.last_failed_at DESC LIMIT 1) e ON true
     UNION ALL
    SELECT 'clock', CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN 'attention' ELSE 'ok' END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute'
                THEN format('the last event is of %s, and now it is %s', l.created_at, now()) ELSE date_trunc('second', now())::text END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN '-- the server''s clock was set back: set it right' ELSE '' END
      FROM (SELECT greatest((SELECT e.created_at FROM zentry_notify.event e ORDER BY e.id DESC LIMIT 1),
                            (SELECT d.created_at FROM zentry_notify.legacy_delivery d ORDER BY d.id DESC LIMIT 1)) AS created_at) l;
$$;
COMMENT ON FUNCTION zentry_notify.status_log() IS 'Status of what became of deliveries, and of the time';

CREATE OR REPLACE FUNCTION @extschema@.zentry_status() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM zentry_notify.status_server()
     UNION ALL SELECT * FROM zentry_notify.status_settings()
     UNION ALL SELECT * FROM zentry_notify.status_privileges()
     UNION ALL SELECT * FROM zentry_notify.status_tables()
     UNION ALL SELECT * FROM zentry_notify.status_sources()
     UNION ALL SELECT * FROM zentry_notify.status_webhooks()
     UNION ALL SELECT * FROM zentry_notify.status_events()
     UNION ALL SELECT * FROM zentry_notify.status_queue()
     UNION ALL SELECT * FROM zentry_notify.status_log();
$$;
COMMENT ON FUNCTION @extschema@.zentry_status() IS
    'Whether everything works: one row for each part of the way from the write to the message. state is ok, attention or broken; remedy is the SQL that mends it, or a comment that says what to do';
