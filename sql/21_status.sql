-- Is it working, and if not, what do I do. One function for each part of the way from the write to the message; what they
-- return, zentry_status() returns.

CREATE OR REPLACE FUNCTION zentry_notify.server_state()
    RETURNS TABLE (library_version text, fits boolean, preloaded boolean, worker_died boolean, refused_since timestamptz, databases_waiting integer,
                   short_of_workers_since timestamptz, discord_parked_until timestamptz)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'server_state_wrapper';
COMMENT ON FUNCTION zentry_notify.server_state() IS 'What the library and its shared memory know: one row';

CREATE OR REPLACE FUNCTION zentry_notify.databases_with_work() RETURNS SETOF oid
    LANGUAGE c ROWS 10 AS 'MODULE_PATHNAME', 'databases_with_work_wrapper';
COMMENT ON FUNCTION zentry_notify.databases_with_work() IS 'Databases in which there may be something to do, and no worker is';

CREATE OR REPLACE FUNCTION zentry_notify.stuck_workers() RETURNS TABLE (database oid, pid integer, since timestamptz, replaced boolean)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'stuck_workers_wrapper';
COMMENT ON FUNCTION zentry_notify.stuck_workers() IS
    'Processes of workers, of all databases, that were told to end because of what is looked up, and have not; and whether another one has their work';

-- A template, or one that takes no connections (launcher.rs).
CREATE OR REPLACE FUNCTION zentry_notify.closed_databases() RETURNS TABLE (database oid, name name, why text, remedy text)
    LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.oid, d.datname, CASE WHEN d.datallowconn THEN 'is a template' ELSE 'takes no connections' END,
           concat_ws(' ', CASE WHEN d.datistemplate THEN format('ALTER DATABASE %I IS_TEMPLATE false;', d.datname) END,
                     CASE WHEN NOT d.datallowconn THEN format('ALTER DATABASE %I ALLOW_CONNECTIONS true;', d.datname) END)
      FROM pg_database d
     WHERE (d.datistemplate OR NOT d.datallowconn) AND d.datconnlimit <> -2
$$;
COMMENT ON FUNCTION zentry_notify.closed_databases() IS 'Databases that no worker serves, why, and the statement that lets one in';

-- Names in a comment may hold the end of a line, behind which is no comment.
CREATE OR REPLACE FUNCTION zentry_notify.one_comment(remedy text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN remedy LIKE '--%' THEN translate(remedy, E'\n\r', '  ') ELSE remedy END $$;
COMMENT ON FUNCTION zentry_notify.one_comment(text) IS 'The remedy; one that begins as a comment is a comment to its end';

CREATE OR REPLACE FUNCTION zentry_notify.moment(at timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN isfinite(at) THEN to_char(at, CASE WHEN at::date = current_date THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END) ELSE at::text END $$;
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
    invalid   record;
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
    FOR invalid IN SELECT d.oid, d.datname FROM pg_database d WHERE d.datconnlimit = -2 ORDER BY d.datname LOOP
        -- One that is being dropped is locked, and gone when it is not any more.
        IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.classid = 'pg_database'::regclass AND l.objid = invalid.oid AND l.mode = 'AccessExclusiveLock' AND l.granted)
           AND has_database_privilege(invalid.oid, 'CONNECT') IS NOT NULL THEN
            RETURN QUERY SELECT 'database ' || quote_ident(invalid.datname), 'attention',
                'a DROP DATABASE of it was interrupted: nobody can connect to it, and nothing of it is sent', format('DROP DATABASE %I;', invalid.datname);
        END IF;
    END LOOP;
    -- Of this one the line of the worker tells.
    RETURN QUERY SELECT 'database ' || quote_ident(c.name), 'attention', c.why || ' and is not served: what is due there waits until it is opened', c.remedy
                   FROM zentry_notify.closed_databases() c
                   JOIN zentry_notify.databases_with_work() w ON w = c.database
                  WHERE c.name <> current_database() ORDER BY c.name;
    IF server.discord_parked_until > now() THEN
        RETURN QUERY SELECT 'Discord', 'attention', 'has banned this server''s address until ' || zentry_notify.moment(server.discord_parked_until),
            coalesce((SELECT format('SELECT @extschema@.zentry_resume(%s); -- once nothing else at this address calls Discord too often', min(w.id)) FROM zentry_notify.webhook w
                        JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id AND u.webhook_url ~ '^https://([a-z]+[.])?discord(app)?[.]com[/:]'
                       WHERE w.is_active HAVING count(*) > 0),
                     '-- it is waited for; see that nothing else at this address calls Discord too often');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_server() IS 'Status of what the cluster has: library, launcher, databases';

-- The worker records when it posted, as far as that counts for a rate that is worth waiting for.
CREATE OR REPLACE FUNCTION zentry_notify.pace_of(webhook_id bigint) RETURNS TABLE (until timestamptz, what text)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    WITH own AS (
        SELECT w.id, w.rate_group, w.min_interval, zentry_notify.rate_of(w.webhook_type, u.webhook_url, w.rate_limit) AS rate,
               CASE WHEN w.min_interval > '0' THEN greatest(n.last_sent_at, n.last_failed_at) + w.min_interval END AS next_at
          FROM zentry_notify.webhook w
          JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
         WHERE w.id = pace_of.webhook_id),
    member AS (
        SELECT CASE WHEN m.id = o.id THEN o.rate ELSE zentry_notify.rate_of(m.webhook_type, u.webhook_url, m.rate_limit) END AS rate, s.posted_at
          FROM own o
          JOIN zentry_notify.webhook m ON m.id = o.id OR m.rate_group = o.rate_group AND m.is_active
          JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = m.id
          LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = m.id
         WHERE o.rate IS NOT NULL),
    shared AS (
        SELECT zentry_notify.lowest_rate(array_agg(m.rate)) AS rate,
               zentry_notify.rate_opens_at(array_agg(m.rate), (SELECT array_agg(p) FROM member x CROSS JOIN unnest(x.posted_at) p WHERE x.rate IS NOT NULL)) AS next_at
          FROM member m WHERE m.rate IS NOT NULL)
    SELECT greatest(s.next_at, o.next_at),
           CASE WHEN s.next_at >= o.next_at OR o.next_at IS NULL
                THEN 'rate of ' || s.rate || CASE WHEN o.rate_group IS NULL THEN '' ELSE format(', which the group "%s" shares', o.rate_group) END
                ELSE format('min_interval of %s', o.min_interval) END
      FROM own o LEFT JOIN shared s ON true
     WHERE greatest(s.next_at, o.next_at) IS NOT NULL
$$;
COMMENT ON FUNCTION zentry_notify.pace_of(bigint) IS
    'Until when what is set for a webhook (its rate, its group''s, min_interval) holds its next message back, and what does; it may be over';

CREATE OR REPLACE VIEW zentry_notify.due_delivery AS
SELECT d.id, w.id AS webhook_integration_id, greatest(d.due_at, p.until) AS due_at
  FROM zentry_notify.webhook w
  CROSS JOIN LATERAL (
       (SELECT l.id, coalesce(l.next_attempt_at, l.created_at) AS due_at FROM zentry_notify.legacy_delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('pending', 'retry') ORDER BY l.id LIMIT 1)
        UNION ALL
       (SELECT l.id, greatest(l.next_attempt_at,
                              (SELECT coalesce(zentry_notify.digest_due(w.digest, w.quiet_hours, e.created_at), e.created_at)
                                 FROM zentry_notify.event e WHERE e.id = l.event_id)) FROM zentry_notify.delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('p', 'r') ORDER BY l.id LIMIT 1)
       LIMIT 1) d
  LEFT JOIN LATERAL zentry_notify.pace_of(w.id) p ON true
 WHERE w.is_active
   AND d.due_at <= now()
   AND (p.until <= now()) IS NOT FALSE
   AND zentry_notify.quiet_until(w.quiet_hours) IS NULL
   AND EXISTS (SELECT FROM zentry_notify.webhook_secret u WHERE u.webhook_integration_id = w.id)
   AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id);
COMMENT ON VIEW zentry_notify.due_delivery IS
    'The first delivery of each webhook that nothing keeps from being sent but the worker: neither its quiet hours, nor its digest, nor the pace that is set for it. Those behind it wait for it';
COMMENT ON COLUMN zentry_notify.due_delivery.id IS 'Its number in the log';
COMMENT ON COLUMN zentry_notify.due_delivery.webhook_integration_id IS 'Where it goes';
COMMENT ON COLUMN zentry_notify.due_delivery.due_at IS 'Since when it may go';

CREATE OR REPLACE FUNCTION zentry_notify.status_worker() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server record;
    worker record;
    stuck  record;
    closed record;
    log_it constant text := '-- the server log says why, in a line that begins with zentry_notify';
    end_it constant text := '-- pg_terminate_backend() does not end it: wait, or restart the server in immediate mode (pg_ctl restart -m immediate)';
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    BEGIN
        SELECT * INTO server FROM zentry_notify.server_state();
    EXCEPTION WHEN OTHERS THEN
        RETURN; -- the line of the library says why
    END;
    FOR stuck IN SELECT s.pid, s.since, s.replaced FROM zentry_notify.stuck_workers() s
                   JOIN pg_database d ON d.oid = s.database AND d.datname = current_database() ORDER BY s.since LOOP
        -- It takes three seconds until another one has its place.
        IF stuck.replaced THEN
            RETURN QUERY SELECT 'stuck worker', 'attention',
                format('pid %s does not end, since %s: what is looked up in it heeds no interrupts. Another one has its work. Until it ends, VACUUM keeps dead rows, '
                       'and it is waited for by DROP EXTENSION, DROP DATABASE, a fast shutdown and whatever locks the tables that it reads', stuck.pid, zentry_notify.moment(stuck.since)), end_it;
        ELSIF stuck.since < clock_timestamp() - interval '5 seconds' THEN
            RETURN QUERY SELECT 'worker', 'broken',
                format('pid %s does not end, since %s: what is looked up in it heeds no interrupts. Other workers (pid %s) do not either: none takes its place until one of them has ended',
                       stuck.pid, zentry_notify.moment(stuck.since), (SELECT coalesce(string_agg(s.pid::text, ', ' ORDER BY s.since), '?') FROM zentry_notify.stuck_workers() s WHERE s.replaced)),
                end_it;
            RETURN;
        END IF;
    END LOOP;
    SELECT a.pid, a.backend_start INTO worker FROM pg_stat_activity a
     WHERE a.backend_type = 'zentry_notify worker' AND a.datname = current_database()
       AND a.pid NOT IN (SELECT s.pid FROM zentry_notify.stuck_workers() s WHERE s.replaced);
    IF FOUND THEN
        IF server.refused_since IS NULL THEN
            RETURN QUERY SELECT 'worker', 'ok', format('pid %s, since %s', worker.pid, zentry_notify.moment(worker.backend_start)), '';
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', format('pid %s; the database refuses its statements since %s', worker.pid, zentry_notify.moment(server.refused_since)), log_it;
        END IF;
        RETURN;
    END IF;
    SELECT * INTO closed FROM zentry_notify.closed_databases() c WHERE c.name = current_database();
    IF FOUND THEN
        IF zentry_notify.unrouted_since() IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.due_delivery) THEN
            RETURN QUERY SELECT 'worker', 'broken', format('this database %s and is not served: what is due waits until it is opened', closed.why), closed.remedy;
        ELSE
            RETURN QUERY SELECT 'worker', 'ok', format('none: this database %s and is not served; nothing is due', closed.why), '';
        END IF;
    ELSIF server.worker_died THEN
        RETURN QUERY SELECT 'worker', 'broken', 'has died, and is started again after a pause', log_it;
    ELSIF EXISTS (SELECT FROM zentry_notify.unrouted_since() s
                   WHERE s < now() - CASE WHEN server.databases_waiting > 0 THEN interval '5 seconds' ELSE interval '30 seconds' END)
          OR (SELECT w.value::boolean FROM zentry_notify.set_for_worker('zentry_notify.sending') w)
             AND EXISTS (SELECT FROM zentry_notify.due_delivery d WHERE d.due_at < now() - interval '5 seconds') THEN
        IF server.short_of_workers_since IS NOT NULL THEN
            RETURN QUERY SELECT 'worker', 'broken', format('no background worker is free, since %s (max_worker_processes is %s)',
                                                           zentry_notify.moment(server.short_of_workers_since), current_setting('max_worker_processes')),
                zentry_notify.more_workers();
        ELSIF server.databases_waiting > 0 THEN
            RETURN QUERY SELECT 'worker', 'attention', format('waits for its turn: %s workers may run, %s databases wait',
                                                              current_setting('zentry_notify.max_workers'), server.databases_waiting),
                format('ALTER SYSTEM SET zentry_notify.max_workers = %s; SELECT pg_reload_conf();',
                       least(64, current_setting('zentry_notify.max_workers')::int + server.databases_waiting));
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', 'not there, although there is something to do', '-- see the line of the launcher';
        END IF;
    ELSE
        RETURN QUERY SELECT 'worker', 'ok', 'none is needed now', '';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_worker() IS 'Status of this database''s worker';

-- The worker is the bootstrap superuser's (10), so what is set for that role is the worker's; what is set for the role that asks is not.
CREATE OR REPLACE FUNCTION zentry_notify.set_for_worker(name text) RETURNS TABLE (value text, change text)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(d.value,
                    CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable', 'override') THEN s.reset_val
                         ELSE coalesce((SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name AND f.applied ORDER BY f.seqno DESC LIMIT 1), s.boot_val) END),
           coalesce('ALTER ' || d.place, 'ALTER SYSTEM')
      FROM pg_settings s
      LEFT JOIN LATERAL (
           -- Of a role in a database, of a role, of a database, of all: the first holds.
           SELECT substr(c, strpos(c, '=') + 1) AS value,
                  CASE WHEN r.setrole <> 0 THEN 'ROLE ' || quote_ident(pg_get_userbyid(r.setrole)) || CASE WHEN r.setdatabase = 0 THEN '' ELSE ' IN DATABASE ' || quote_ident(current_database()) END
                       WHEN r.setdatabase <> 0 THEN 'DATABASE ' || quote_ident(current_database())
                       ELSE 'ROLE ALL' END AS place
             FROM pg_db_role_setting r
             CROSS JOIN unnest(r.setconfig) c
            WHERE r.setrole IN (0, 10) AND split_part(c, '=', 1) = s.name
              AND r.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
            ORDER BY r.setrole = 0, r.setdatabase = 0 LIMIT 1) d ON true
     WHERE s.name = set_for_worker.name
$$;
COMMENT ON FUNCTION zentry_notify.set_for_worker(text) IS
    'What a worker that starts now has for a setting, whatever the session that asks has, and the beginning of the statement that changes it where it was set';

CREATE OR REPLACE FUNCTION zentry_notify.status_settings() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH switch (name, normal, means) AS (
        VALUES ('zentry_notify.enabled', 'on', 'writes fire nothing'),
               ('session_replication_role', 'origin', 'writes fire nothing')),
    entry AS (
        SELECT v.name, v.normal, r.setrole, r.setdatabase, CASE v.normal WHEN 'on' THEN CASE WHEN c.value::boolean THEN 'on' ELSE 'off' END ELSE c.value END AS value
          FROM switch v
          CROSS JOIN pg_db_role_setting r
          CROSS JOIN LATERAL (SELECT substr(x, strpos(x, '=') + 1) AS value FROM unnest(r.setconfig) x WHERE split_part(x, '=', 1) = v.name) c
         WHERE r.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))),
    -- Of each role and of all: what is set for this database holds, and then what is set for every one.
    stored AS (
        SELECT DISTINCT ON (e.name, e.setrole) e.* FROM entry e ORDER BY e.name, e.setrole, e.setdatabase = 0),
    setting AS (
        SELECT v.name, v.normal, v.means, s.setting AS here, s.reset_val, d.setdatabase,
               coalesce(d.value,
                        CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable') THEN s.setting
                             -- This session has something else.
                             ELSE (SELECT CASE v.normal WHEN 'on' THEN CASE WHEN f.setting::boolean THEN 'on' ELSE 'off' END ELSE f.setting END
                                     FROM pg_file_settings f WHERE f.name = v.name AND f.applied ORDER BY f.seqno DESC LIMIT 1) END,
                        s.boot_val) AS for_all,
               coalesce(own.value, d.value, v.normal) AS for_role
          FROM switch v
          JOIN pg_settings s ON s.name = v.name
          LEFT JOIN stored d ON d.name = v.name AND d.setrole = 0
          LEFT JOIN stored own ON own.name = v.name AND own.setrole = (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user))
    SELECT 'zentry_notify.sending', 'attention', 'nothing is sent, deliveries wait',
           CASE w.change WHEN 'ALTER SYSTEM' THEN 'ALTER SYSTEM SET zentry_notify.sending = on; SELECT pg_reload_conf();'
                         ELSE w.change || ' RESET zentry_notify.sending;' END
      FROM zentry_notify.set_for_worker('zentry_notify.sending') w
     WHERE NOT w.value::boolean
     UNION ALL
    SELECT s.name, 'attention', s.means,
           CASE WHEN s.setdatabase <> 0 THEN format('ALTER DATABASE %I RESET %s;', current_database(), s.name)
                WHEN s.setdatabase = 0 THEN format('ALTER ROLE ALL RESET %s;', s.name)
                ELSE format('ALTER SYSTEM SET %s = %s; SELECT pg_reload_conf();', s.name, s.normal) END
      FROM setting s
     WHERE s.for_all <> s.normal
     UNION ALL
    -- An application's role, as a rule; one that loads data may be meant to be so.
    SELECT e.name, 'attention', format('writes of role %I fire nothing', pg_get_userbyid(e.setrole)),
           format('ALTER ROLE %I%s RESET %s;', pg_get_userbyid(e.setrole), CASE WHEN e.setdatabase = 0 THEN '' ELSE format(' IN DATABASE %I', current_database()) END, e.name)
      FROM stored e
     WHERE e.setrole <> 0 AND e.value <> e.normal
     UNION ALL
    -- What is not said above: set in this session, or before the session was given its settings.
    SELECT s.name, 'attention', s.means || ', in this session', format(CASE WHEN s.reset_val = s.normal THEN 'RESET %s;' ELSE 'SET %s = %s;' END, s.name, s.normal)
      FROM setting s
     WHERE s.here <> s.normal AND s.for_all = s.normal AND s.for_role = s.normal;
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
    -- CREATE EXTENSION takes no role that is more than this.
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
           -- From 16 on each grantor has a grant of its own.
           format('REVOKE %s FROM %s%s;', m.roleid::regrole, m.member::regrole,
                  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' GRANTED BY ' || m.grantor::regrole END)
      FROM pg_auth_members m
     WHERE to_regrole('zentry_notify_agent') IN (m.roleid, m.member)
     UNION ALL
    -- PostgreSQL asks it of whoever makes a partition, which gets its table's triggers.
    SELECT 'privileges', 'attention', 'PUBLIC may not call zentry_notify.capture(): only superusers can attach tables, and make partitions of those that are attached',
           'GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;'
     WHERE NOT has_function_privilege('public', 'zentry_notify.capture()', 'EXECUTE')
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
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
      JOIN zentry_notify.own_triggers() meant ON meant.relation = c.relname AND meant.name = t.tgname
     WHERE (t.tgenabled = 'D' OR meant.mode = 'REPLICA ' AND t.tgenabled <> 'R' OR meant.mode = 'ALWAYS ' AND t.tgenabled <> 'A')
     UNION ALL
    -- As after a switch-over of logical replication: the next number is one that there is already.
    SELECT 'tables', 'broken', format('%s is behind its table', b.sequence), format('SELECT setval(%L, %s);', b.sequence, b.highest)
      FROM zentry_notify.sequences_behind() b
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
    SELECT 'tables', 'broken', format('rule %I on %s does something else with what is written', w.rulename, w.ev_class::regclass),
           format('DROP RULE %I ON %s;', w.rulename, w.ev_class::regclass)
      FROM pg_rewrite w JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = w.ev_class
     WHERE w.ev_type <> '1'
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
    -- Who owns it may put on it what runs with the rights of those who write it. A sequence belongs to who has its table.
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
    -- What the worker and the triggers write. On the others an application may have triggers of its own.
    SELECT 'tables', 'attention', format('trigger %I on %s is not the extension''s: it runs within what writes there, and an error of it loses events or holds them up',
                                         t.tgname, t.tgrelid::regclass),
           format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass)
      FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE NOT t.tgisinternal
       AND c.relname IN ('event', 'event_detail', 'delivery', 'route_cursor', 'webhook_circuit', 'webhook_count', 'delivery_stat', 'project_progress', 'progress_note')
       AND NOT EXISTS (SELECT FROM zentry_notify.members() m WHERE m.classid = 'pg_proc'::regclass AND m.objid = t.tgfoid)
     UNION ALL
    -- What is sent is sent in the order of its numbers.
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
    -- Who may write them, lock them or put a trigger on them has more than any of our privileges; who reads all may make dumps.
    SELECT 'tables', 'attention', format('%s may %s on %s, which is the extension''s alone', coalesce(r.name, 'PUBLIC'), string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), c.oid::regclass),
           format('REVOKE ALL ON %s FROM %s;', c.oid::regclass, coalesce(r.name, 'PUBLIC'))
      FROM pg_class c
      CROSS JOIN LATERAL aclexplode(c.relacl) a
      LEFT JOIN LATERAL (SELECT quote_ident(g.rolname) AS name, g.rolname FROM pg_roles g WHERE g.oid = a.grantee) r ON true
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = ANY (zentry_notify.own_tables())
       AND a.grantee <> c.relowner AND r.rolname IS DISTINCT FROM 'zentry_notify_agent' AND a.privilege_type <> 'SELECT'
     GROUP BY c.oid, r.name
     UNION ALL
    SELECT 'tables', 'attention', format('%s may create things in the schema zentry_notify', coalesce(quote_ident(r.rolname), 'PUBLIC')),
           format('REVOKE CREATE ON SCHEMA zentry_notify FROM %s;', coalesce(quote_ident(r.rolname), 'PUBLIC'))
      FROM pg_namespace n
      CROSS JOIN LATERAL aclexplode(n.nspacl) a
      LEFT JOIN pg_roles r ON r.oid = a.grantee
     WHERE n.nspname = 'zentry_notify' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner;
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
        SELECT s.id, c.oid AS relation, c.oid = s.relation AS itself, t.name, t.present, t.live, t.made
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
               SELECT coalesce(wanted.name, min(t.tgname::text)) AS name, count(*) > 0 AS present, coalesce(bool_and(t.tgenabled IN ('O', 'A')), false) AS live,
                      -- By zentry_attach, which makes it depend on the extension. Those of partitions are PostgreSQL's.
                      wanted.name IS NULL
                      OR bool_and(t.tgparentid <> 0 OR EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
                                                               WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                                                                 AND d.refclassid = 'pg_extension'::regclass)) IS NOT FALSE AS made
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
        SELECT DISTINCT ON (t.id) t.id, t.itself, t.present, t.live, t.name, t.relation::regclass,
               NOT EXISTS (SELECT FROM trigger o WHERE o.id = t.id AND o.relation = t.relation AND o.present) AS all_gone
          FROM trigger t WHERE NOT (t.live AND t.made)
         ORDER BY t.id, t.itself DESC, t.present DESC, t.relation, t.name)
    SELECT 'event ' || s.event_type,
           CASE WHEN c.oid IS NULL OR s.suspended_at IS NOT NULL OR f.itself OR w.id IS NOT NULL THEN 'broken'
                WHEN f.id IS NOT NULL OR s.suspended_reason IS NOT NULL OR x.strange OR t.name IS NULL THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.oid IS NULL THEN 'its table does not exist any more'
                WHEN w.id IS NOT NULL THEN format('%s is another table now, and is not attached: %s is, which had its name', w.relation, s.relation)
                WHEN s.suspended_at IS NOT NULL THEN format('%s, suspended since %s: %s', s.relation, zentry_notify.moment(s.suspended_at), s.suspended_reason)
                WHEN f.present AND f.live THEN format('trigger %I on %s was made by somebody else: it may fire for other writes', f.name, f.relation)
                WHEN f.present THEN format('trigger %I on %s is disabled', f.name, f.relation)
                WHEN f.itself AND NOT f.all_gone THEN format('trigger %I on %s is gone', f.name, f.relation)
                WHEN f.itself THEN format('the triggers on %s are gone', f.relation)
                WHEN f.id IS NOT NULL THEN format('%s inherits from %s and has no trigger for it: what is written to it fires nothing', f.relation, s.relation)
                WHEN x.strange THEN format('%s; its expressions were given by %s, and the table belongs to %s now: they are not run, with null in their place',
                                           s.relation, coalesce(s.written_by, 'nobody knows whom'), pg_get_userbyid(c.relowner))
                WHEN s.suspended_reason IS NOT NULL THEN format('%s; %s', s.relation, s.suspended_reason)
                WHEN t.name IS NULL THEN format('%s fires an event type that there is no more: nobody hears of it', s.relation)
                ELSE format('%s', s.relation) END,
           CASE WHEN c.oid IS NULL THEN format('SELECT @extschema@.zentry_detach(%s);', s.relation::oid)
                WHEN w.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                WHEN f.present AND NOT f.live AND s.suspended_at IS NULL THEN format('ALTER TABLE %s ENABLE TRIGGER %I;', f.relation, f.name)
                -- Not as a call: whoever runs it would let somebody else's SQL run as the owner.
                WHEN x.strange THEN format('-- look at its columns in zentry_notify.event_sources, and attach it again with those expressions that are to run as %s: zentry_attach(%L, %L, columns => ...)',
                                           pg_get_userbyid(c.relowner), s.event_type, s.relation::text)
                WHEN f.id IS NOT NULL AND NOT (f.present AND NOT f.live) AND zentry_notify.has_own_condition(s) THEN zentry_notify.attach_again(s)
                -- Attaching again does not give the owner what it must be able to read, nor make a table of a view.
                WHEN s.suspended_reason ~ 'row-level security|permission denied' AND b.remedy IS NOT NULL THEN b.remedy || ' SELECT * FROM @extschema@.zentry_attach();'
                -- Attached again as it is, it would end a worker again.
                WHEN s.suspended_reason ~ 'reading a table of its owner has ended a worker' THEN
                     '-- let the owner of that table drop what does not end (an index with a predicate, a check, statistics), and an hour later: SELECT * FROM @extschema@.zentry_attach();'
                WHEN s.suspended_reason ~ 'were killed or crashed$' THEN
                     format('-- see in the server log how they ended, let the expression take less memory, or leave out what crashes, and an hour after the last one let its owner attach it again: zentry_attach(%L, %L, columns => ...)',
                            s.event_type, s.relation::text)
                WHEN s.suspended_reason ~ 'goes on when it is cancelled|has ended a worker$' THEN
                     format('-- let the functions that it calls end when they are cancelled (no handler of query_canceled), and an hour after the last one that did not, let its owner attach it again: zentry_attach(%L, %L, columns => ...)',
                            s.event_type, s.relation::text)
                WHEN s.suspended_reason ~ ' is a (view|foreign table), which is not looked into' THEN
                     format('-- give it a table to look into: zentry_attach(%L, %L, columns => ...); or with a table of that name, SELECT * FROM @extschema@.zentry_attach();',
                            s.event_type, s.relation::text)
                WHEN s.suspended_reason IS NOT NULL OR s.suspended_at IS NOT NULL OR f.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                ELSE '' END
      FROM zentry_notify.event_source s
      LEFT JOIN pg_class c ON c.oid = s.relation
      LEFT JOIN zentry_notify.event_type t ON t.name = s.event_type
      LEFT JOIN LATERAL (
           -- Of the tables that it looks into, those that the owner of the attached one may not read.
           SELECT string_agg(zentry_notify.one_comment(m.statement), ' ' ORDER BY m.statement COLLATE "C" DESC) AS remedy
             FROM (SELECT DISTINCT n.oid AS schema, n.nspname, l.oid, l.relowner, l.relrowsecurity, l.relforcerowsecurity
                     -- What is no look-up, but a constant, names nothing.
                     FROM jsonb_path_query(jsonb_build_array(s.columns, s.audience), '$[*].* ? (!exists(@.value)).**.from') f (name)
                     JOIN pg_class l ON l.relkind IN ('r', 'p', 'm')
                     JOIN pg_namespace n ON n.oid = l.relnamespace AND format('%I.%I', n.nspname, l.relname) = f.name #>> '{}') l
             JOIN pg_roles o ON o.oid = c.relowner
            CROSS JOIN LATERAL (
                  -- Not as a call: whoever runs it would give the owner what the owner asks for.
                  SELECT format('-- if %I may read %s: %sGRANT SELECT ON %2$s TO %1$I;', o.rolname, l.oid::regclass,
                                CASE WHEN NOT has_schema_privilege(o.oid, l.schema, 'USAGE') THEN format('GRANT USAGE ON SCHEMA %I TO %I; ', l.nspname, o.rolname) END)
                   WHERE NOT (has_schema_privilege(o.oid, l.schema, 'USAGE') AND has_table_privilege(o.oid, l.oid, 'SELECT'))
                   UNION ALL
                  SELECT CASE WHEN pg_has_role(o.oid, l.relowner, 'USAGE') THEN format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', l.oid::regclass)
                              ELSE format('-- policies of %s hold for %I: make it the table''s owner, or ALTER ROLE %2$I BYPASSRLS, or attach without that look-up; then', l.oid::regclass, o.rolname) END
                   WHERE l.relrowsecurity AND NOT (o.rolsuper OR o.rolbypassrls)
                     AND (l.relforcerowsecurity OR NOT pg_has_role(o.oid, l.relowner, 'USAGE'))) m (statement)) b ON s.suspended_reason IS NOT NULL
      CROSS JOIN LATERAL (
           SELECT jsonb_path_exists(s.columns, '$.*.expression') AND s.written_by_oid IS DISTINCT FROM c.relowner AS strange) x
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
    WITH setting AS MATERIALIZED (
        -- As the worker has them, who may have others than the session that asks.
        SELECT n.name, v.value, v.change
          FROM unnest('{zentry_notify.allowed_hosts,zentry_notify.allow_http,zentry_notify.allow_private_addresses,zentry_notify.proxy}'::text[]) n (name)
         CROSS JOIN zentry_notify.set_for_worker(n.name) v),
    webhook AS MATERIALIZED (
        SELECT w.id, w.name, u.webhook_url IS NULL AND w.is_active AS without_url,
               CASE WHEN w.switched_off_at IS NOT NULL THEN 'gone' WHEN NOT w.is_active THEN 'off'
                    WHEN u.webhook_url IS NULL THEN 'without a URL'
                    WHEN c.webhook_integration_id IS NOT NULL THEN 'failing' ELSE 'active' END AS state,
               coalesce(w.switched_off_at, c.opened_at) AS since, coalesce(w.switched_off_reason, c.error_message) AS reason, c.next_try_at,
               w.is_active AND c.failures = 0 AS untried, x.lacks, x.remedy AS permission
          FROM zentry_notify.webhook w
          LEFT JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
          LEFT JOIN LATERAL (
               SELECT string_agg(format(CASE l.setting WHEN 'zentry_notify.allowed_hosts' THEN '%s does not have %s' ELSE '%s is off' END, l.setting, l.needed), ', '
                                 ORDER BY l.place) AS lacks,
                      string_agg(format('%s SET %s = %L; ', s.change, s.name,
                                        CASE l.setting WHEN 'zentry_notify.allowed_hosts' THEN concat_ws(', ', nullif(s.value, ''), l.needed) ELSE l.needed END), ''
                                 ORDER BY l.place) AS remedy
                 FROM zentry_notify.settings_in_the_way(w.webhook_type, u.webhook_url,
                          (SELECT h.value FROM setting h WHERE h.name = 'zentry_notify.allowed_hosts'),
                          (SELECT h.value::boolean FROM setting h WHERE h.name = 'zentry_notify.allow_http'),
                          (SELECT h.value::boolean FROM setting h WHERE h.name = 'zentry_notify.allow_private_addresses')) WITH ORDINALITY l (setting, needed, place)
                 JOIN setting s ON s.name = l.setting) x ON w.is_active)
    SELECT 'webhooks', CASE WHEN coalesce(sum(n.count) FILTER (WHERE n.state = 'active'), 0) = 0 THEN 'attention' ELSE 'ok' END,
           coalesce(string_agg(format('%s %s', n.count, n.state), ', ' ORDER BY n.state), 'none is registered: nobody hears anything'),
           CASE WHEN count(*) = 0 THEN 'SELECT @extschema@.zentry_register_webhook(''NAME'', ''discord'', ''URL'');' ELSE '' END
      FROM (SELECT w.state, count(*) FROM webhook w GROUP BY w.state) n
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', 'has no URL any more, somebody has taken its row of zentry_notify.webhook_secret away: nothing is sent',
            format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL'');', w.id)
       FROM webhook w WHERE w.without_url ORDER BY w.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', w.lacks || ': nothing is sent there',
            format('%sSELECT pg_reload_conf(); SELECT @extschema@.zentry_resume(%s);', w.permission, w.id)
            || CASE WHEN w.lacks LIKE '%allow_http is off%' THEN format(' -- or better, a URL that begins with https: SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL'');', w.id)
                    ELSE '' END
       FROM webhook w
      WHERE w.lacks IS NOT NULL ORDER BY w.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', w.id), CASE w.state WHEN 'gone' THEN 'broken' ELSE 'attention' END,
            CASE WHEN w.state = 'gone' AND w.reason ~ '^its filter ' THEN format('switched off since %s: %s', zentry_notify.moment(w.since), w.reason)
                 WHEN w.state = 'gone' THEN format('gone since %s: %s', zentry_notify.moment(w.since), w.reason)
                 WHEN w.untried THEN format('resumed at %s, when nothing waited for it; %s', zentry_notify.moment(w.since), w.reason)
                 ELSE format('fails since %s, next try %s: %s', zentry_notify.moment(w.since), zentry_notify.moment(w.next_try_at), w.reason) END,
            CASE WHEN w.untried THEN format('SELECT * FROM @extschema@.zentry_test_webhook(%s);', w.id)
                 -- What is said of threads is mended by the webhook's own settings.
                 WHEN w.reason ~ 'thread_name is for forum|has both thread_name and' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ 'is a forum, whose messages need a thread' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''NAME''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ '^the (webhook has no secret|secret (must|is not))' THEN format('SELECT @extschema@.zentry_new_secret(%s);', w.id)
                 -- As it is, it would end a worker again.
                 WHEN w.state = 'gone' AND w.reason ~ '^its filter ' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, filter => ''''), @extschema@.zentry_resume(%s), @extschema@.zentry_retry_failed(%s);', w.id, w.id, w.id)
                 WHEN w.state = 'gone' THEN format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL''), @extschema@.zentry_retry_failed(%s);', w.id, w.id)
                 -- What stands between here and the webhook: trying again mends none of it.
                 WHEN w.reason ~ 'by way of zentry_notify[.]proxy|a proxy between here and the webhook asks for a login' AND (SELECT s.value <> '' FROM setting s WHERE s.name = 'zentry_notify.proxy') THEN
                     format('-- see to the proxy, or name another one: %s SET zentry_notify.proxy = ''URL''; SELECT pg_reload_conf(); and then SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.proxy'), w.id)
                 WHEN w.reason ~ 'is not a public address' AND NOT (SELECT s.value::boolean FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses') THEN
                     format('%s SET zentry_notify.allow_private_addresses = on; SELECT pg_reload_conf(); SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses'), w.id)
                 ELSE format('SELECT @extschema@.zentry_resume(%s);', w.id) END
       FROM webhook w WHERE w.state IN ('gone', 'failing') AND w.lacks IS NULL ORDER BY w.state DESC, w.id LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_webhooks() IS 'Status of the integrations: how many are in which state, and the first 20 that fail or are gone';

CREATE OR REPLACE FUNCTION zentry_notify.status_queue() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- What is held is as its webhook wants it.
    WITH held AS MATERIALIZED (
        SELECT w.id, w.pending, w.held_until FROM zentry_notify.webhooks w
         WHERE w.is_active AND (w.digest IS NOT NULL OR w.quiet_hours IS NOT NULL) AND w.held_until > now() AND w.pending > 0)
    SELECT 'queue', CASE WHEN d.due_at < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN q.waiting = 0 THEN 'nothing waits'
                WHEN q.first IS NULL THEN format('%s wait for a digest or the end of quiet hours, until %s', h.pending, zentry_notify.moment(h.until))
                ELSE concat(q.waiting - h.pending, ' wait', ', the oldest since ' || zentry_notify.moment(l.created_at))
                     || CASE WHEN h.pending = 0 THEN '' ELSE format(', and %s for a digest or the end of quiet hours', h.pending) END END,
           CASE WHEN d.due_at < now() - interval '5 minutes'
                THEN format('SELECT * FROM zentry_notify.logs WHERE webhook_integration_id = %s AND status IN (''pending'', ''retry'') ORDER BY id LIMIT 20;', d.webhook_integration_id)
                ELSE '' END
      FROM (SELECT count(*) AS waiting, min(l.id) FILTER (WHERE l.webhook_integration_id NOT IN (SELECT h.id FROM held h)) AS first
              FROM zentry_notify.notification_log l WHERE l.status IN ('pending', 'retry')) q
      CROSS JOIN (SELECT coalesce(sum(h.pending), 0) AS pending, min(h.held_until) AS until FROM held h) h
      -- Of the first alone it is asked when it happened: each answer is a look at its event.
      LEFT JOIN zentry_notify.notification_log l ON l.id = q.first
      LEFT JOIN (SELECT d.due_at, d.webhook_integration_id FROM zentry_notify.due_delivery d ORDER BY d.due_at LIMIT 1) d ON true
     UNION ALL
    -- Nothing is wrong with what waits for its turn, unless it is more than the rate takes.
    (SELECT format('webhook %s', p.id), CASE WHEN p.oldest < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
            format('%s wait for its %s: the next message leaves at %s', p.pending, p.what, zentry_notify.moment(p.until)),
            CASE WHEN p.oldest < now() - interval '5 minutes' THEN '-- more comes than leaves: raise that, let it hear of less, or give it a digest' ELSE '' END
       FROM (SELECT w.id, pace.until, pace.what, waiting.pending,
                    (SELECT e.created_at FROM zentry_notify.event e WHERE e.id = waiting.event_id) AS oldest
               FROM zentry_notify.webhook w
               CROSS JOIN LATERAL (SELECT d.event_id,
                                          (SELECT count(*) FROM zentry_notify.delivery x WHERE x.webhook_integration_id = w.id AND x.status IN ('p', 'r')) AS pending
                                     FROM zentry_notify.delivery d WHERE d.webhook_integration_id = w.id AND d.status IN ('p', 'r') ORDER BY d.id LIMIT 1) waiting
               CROSS JOIN LATERAL zentry_notify.pace_of(w.id) pace
              WHERE w.is_active AND pace.until > now()
                AND w.id NOT IN (SELECT h.id FROM held h)
                AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id)) p
      ORDER BY p.until DESC, p.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', l.webhook_integration_id), 'attention', CASE WHEN bool_or(l.response_status_code = 429) THEN 'rate limited until ' ELSE 'told to wait until ' END || zentry_notify.moment(max(l.next_attempt_at)),
            format('SELECT @extschema@.zentry_resume(%s);', l.webhook_integration_id)
       FROM zentry_notify.notification_log l
      WHERE l.status IN ('pending', 'retry') AND l.next_attempt_at > now() + CASE WHEN l.response_status_code = 429 THEN interval '0' ELSE interval '10 minutes' END
        -- One that fails has a line of its own.
        AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = l.webhook_integration_id)
      GROUP BY l.webhook_integration_id ORDER BY max(l.next_attempt_at) DESC LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_queue() IS 'Status of what waits';

CREATE OR REPLACE FUNCTION zentry_notify.status_events() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH cursor AS (
        SELECT s.since, c.restored IS NULL OR c.restored = 'awaited' AS awaited,
               -- What nobody can have captured yet.
               coalesce(upper_inf(c.routed) OR upper(c.routed)::numeric > greatest((SELECT q.last_value FROM zentry_notify.event_id_seq q),
                                                                                 (SELECT max(e.id) FROM zentry_notify.event e))::numeric + 1, false) AS ahead
          FROM (SELECT zentry_notify.unrouted_since() AS since) s
          LEFT JOIN zentry_notify.route_cursor c ON true)
    SELECT 'routing',
           CASE WHEN c.awaited OR c.ahead THEN 'broken' WHEN c.since < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.awaited THEN 'events were restored without the row of zentry_notify.route_cursor: nothing is routed. The remedy takes them as sent; where they were not, UPDATE zentry_notify.route_cursor SET restored = ''no'' sends all that waits'
                WHEN c.ahead THEN 'zentry_notify.route_cursor takes events for routed that are still to come: nobody will hear of them'
                WHEN c.since IS NULL THEN 'every event is routed'
                ELSE format('%s events wait for it, the first since %s', zentry_notify.unrouted_events(), zentry_notify.moment(c.since)) END,
           CASE WHEN c.awaited OR c.ahead THEN 'SELECT zentry_notify.route_from_now();'
                WHEN c.since < now() - interval '5 minutes' THEN 'SELECT zentry_notify.wake(''{}''); -- if that does not help, see the line of the worker' ELSE '' END
      FROM cursor c
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', format('the database does not take %s of its deliveries: they stay in memory, and near 10000 nothing more is routed', count(*)),
            '-- the server log says why, in a line that begins with zentry_notify'
       FROM zentry_notify.route_cursor c
      CROSS JOIN jsonb_each(c.split) e
      CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE '[]' END) w (id)
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

-- Who waits to have a table alone lets nobody in behind.
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
COMMENT ON FUNCTION zentry_notify.status_locks() IS 'Status of our own tables: who keeps everybody else from them';

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
COMMENT ON FUNCTION zentry_notify.subscribed_tables() IS 'The tables that logical replication, built-in or pglogical''s, brings into this database';

-- Rows that are applied were told of where they were written, if that server has the extension. Where it has, some of our own tables come along, or nothing
-- of it is seen here.
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
    -- As FOR ALL TABLES does.
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
COMMENT ON FUNCTION zentry_notify.status_replication() IS 'Status of logical replication that would have messages go out twice, or secrets go out at all';

CREATE OR REPLACE FUNCTION zentry_notify.status_part(part text) RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE part
        WHEN 'server' THEN RETURN QUERY SELECT * FROM zentry_notify.status_server();
        WHEN 'worker' THEN RETURN QUERY SELECT * FROM zentry_notify.status_worker();
        WHEN 'settings' THEN RETURN QUERY SELECT * FROM zentry_notify.status_settings();
        WHEN 'privileges' THEN RETURN QUERY SELECT * FROM zentry_notify.status_privileges();
        WHEN 'tables' THEN RETURN QUERY SELECT * FROM zentry_notify.status_tables();
        WHEN 'replication' THEN RETURN QUERY SELECT * FROM zentry_notify.status_replication();
        WHEN 'events' THEN RETURN QUERY SELECT * FROM zentry_notify.status_sources();
        WHEN 'webhooks' THEN RETURN QUERY SELECT * FROM zentry_notify.status_webhooks();
        WHEN 'routing' THEN RETURN QUERY SELECT * FROM zentry_notify.status_events();
        WHEN 'queue' THEN RETURN QUERY SELECT * FROM zentry_notify.status_queue();
        WHEN 'failures' THEN RETURN QUERY SELECT * FROM zentry_notify.status_log();
    END CASE;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_part(text) IS 'One of the parts of zentry_status()';

-- Whatever our tables hold, and whoever locks them: the other parts are told all the same, and nobody is waited for.
CREATE OR REPLACE FUNCTION @extschema@.zentry_status() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
AS $$
DECLARE
    -- The schema of these functions may have been renamed since they were made.
    here      CONSTANT text := (SELECT e.extnamespace::regnamespace FROM pg_extension e WHERE e.extname = 'zentry_notify') || '.zentry_';
    is_locked boolean := false;
    part      text;
    line      record;
BEGIN
    FOREACH part IN ARRAY '{server,worker,settings,privileges,tables,replication,events,webhooks,routing,queue,failures}'::text[] LOOP
        BEGIN
            FOR line IN SELECT * FROM zentry_notify.status_part(part) LOOP
                subject := line.subject;
                state := coalesce(line.state, 'attention');
                detail := coalesce(line.detail, '');
                remedy := zentry_notify.one_comment(replace(coalesce(line.remedy, ''), '@extschema@.zentry_', here));
                RETURN NEXT;
            END LOOP;
        EXCEPTION
            WHEN lock_not_available THEN
                is_locked := true;
                subject := part;
                state := 'attention';
                detail := 'cannot be found out while a table is locked';
                remedy := '-- see the line of the table, or ask again';
                RETURN NEXT;
            WHEN OTHERS THEN
                -- Without PostgreSQL's message, which may show a value.
                subject := part;
                state := 'broken';
                detail := format('cannot be found out (SQLSTATE %s): somebody has changed our tables, or has written into them what does not belong there', SQLSTATE);
                remedy := format('-- as a superuser, SELECT * FROM zentry_notify.status_part(%L); says more', part);
                RETURN NEXT;
        END;
    END LOOP;
    IF is_locked THEN
        RETURN QUERY SELECT l.subject, l.state, l.detail, zentry_notify.one_comment(l.remedy) FROM zentry_notify.status_locks() l;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_status() IS
    'Whether everything works: one row for each part of the way from the write to the message. state is ok, attention or broken; remedy is the SQL that mends it, or a comment that says what to do';
