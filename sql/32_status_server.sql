-- The parts of zentry_status() about the cluster (library, launcher, databases, ways out) and about settings.

CREATE OR REPLACE FUNCTION zentry_notify.server_state()
    RETURNS TABLE (library_version text, fits boolean, preloaded boolean, worker_died boolean, refused_since timestamptz, databases_waiting integer,
                   short_of_workers_since timestamptz, discord_parked_until timestamptz)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'server_state_wrapper';
COMMENT ON FUNCTION zentry_notify.server_state() IS 'Returns what the library and its shared memory know, in one row';

CREATE OR REPLACE FUNCTION zentry_notify.ways_out()
    RETURNS TABLE (number integer, way text, requests bigint, unreached bigint, refused bigint, discord_parked_until timestamptz, down_until timestamptz)
    LANGUAGE c ROWS 2 AS 'MODULE_PATHNAME', 'ways_out_wrapper';
COMMENT ON FUNCTION zentry_notify.ways_out() IS
    'Returns the ways out of zentry_notify.proxy, without logins. requests, unreached (no connection could be made) and refused (Discord answered 401, 403 or 429) are counts since the server started; discord_parked_until: until when nothing is sent to Discord by it, because Discord has banned its address; down_until: when it is tried again, because no endpoint could be reached by it';

CREATE OR REPLACE FUNCTION zentry_notify.databases_with_work() RETURNS SETOF oid
    LANGUAGE c ROWS 10 AS 'MODULE_PATHNAME', 'databases_with_work_wrapper';
COMMENT ON FUNCTION zentry_notify.databases_with_work() IS 'Returns the databases that may have work and have no worker';

CREATE OR REPLACE FUNCTION zentry_notify.stuck_workers() RETURNS TABLE (database oid, pid integer, since timestamptz, replaced boolean)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'stuck_workers_wrapper';
COMMENT ON FUNCTION zentry_notify.stuck_workers() IS
    'Returns the workers of all databases that were told to end, because a look-up took too long, and have not; replaced: another worker does their work';

-- The launcher (launcher.rs) starts no worker in a template and where connections are not allowed.
CREATE OR REPLACE FUNCTION zentry_notify.closed_databases() RETURNS TABLE (database oid, name name, why text, remedy text)
    LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.oid, d.datname, CASE WHEN d.datallowconn THEN 'is a template' ELSE 'allows no connections' END,
           concat_ws(' ', CASE WHEN d.datistemplate THEN format('ALTER DATABASE %I IS_TEMPLATE false;', d.datname) END,
                     CASE WHEN NOT d.datallowconn THEN format('ALTER DATABASE %I ALLOW_CONNECTIONS true;', d.datname) END)
      FROM pg_database d
     WHERE (d.datistemplate OR NOT d.datallowconn) AND d.datconnlimit <> -2
$$;
COMMENT ON FUNCTION zentry_notify.closed_databases() IS 'Returns the databases that have no worker because of their attributes, the reason, and the statement that changes it';

-- Names within a comment may contain a line break, and what follows that would not be a comment.
CREATE OR REPLACE FUNCTION zentry_notify.one_comment(remedy text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN remedy LIKE '--%' THEN translate(remedy, E'\n\r', '  ') ELSE remedy END $$;
COMMENT ON FUNCTION zentry_notify.one_comment(text) IS 'Returns the remedy; one that begins with a comment has no line breaks, so that all of it is a comment';

CREATE OR REPLACE FUNCTION zentry_notify.moment(at timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN isfinite(at) THEN to_char(at, CASE WHEN at::date = current_date THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END) ELSE at::text END $$;
COMMENT ON FUNCTION zentry_notify.moment(timestamptz) IS 'Returns a time as text for people, without the date if it is today';

CREATE OR REPLACE FUNCTION zentry_notify.background_workers() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM pg_stat_activity a
     WHERE a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'walwriter',
                                  'archiver', 'logger', 'startup', 'walreceiver', 'walsender', 'walsummarizer', 'slotsync worker', 'io worker');
$$;
COMMENT ON FUNCTION zentry_notify.background_workers() IS 'Returns the number of processes that count towards max_worker_processes';

CREATE OR REPLACE FUNCTION zentry_notify.more_workers() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server',
                  current_setting('max_worker_processes')::int + current_setting('zentry_notify.max_workers')::int + 1);
$$;
COMMENT ON FUNCTION zentry_notify.more_workers() IS 'Returns the remedy for too low a max_worker_processes';

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
            '-- restart the server: it still has the previous library';
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
        -- While DROP DATABASE runs, the database is marked invalid too, and locked.
        IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.classid = 'pg_database'::regclass AND l.objid = invalid.oid AND l.mode = 'AccessExclusiveLock' AND l.granted)
           AND has_database_privilege(invalid.oid, 'CONNECT') IS NOT NULL THEN
            RETURN QUERY SELECT 'database ' || quote_ident(invalid.datname), 'attention',
                'a DROP DATABASE of it was interrupted: nobody can connect to it, and nothing of it is sent', format('DROP DATABASE %I;', invalid.datname);
        END IF;
    END LOOP;
    -- (The line of the worker is about this database.)
    RETURN QUERY SELECT 'database ' || quote_ident(c.name), 'attention', c.why || ' and is not served: what is due there waits until it is opened', c.remedy
                   FROM zentry_notify.closed_databases() c
                   JOIN zentry_notify.databases_with_work() w ON w = c.database
                  WHERE c.name <> current_database() ORDER BY c.name;
    IF (SELECT count(*) > 1 FROM zentry_notify.ways_out()) THEN
        RETURN QUERY
            SELECT format('way out %s', o.number),
                   CASE WHEN o.down_until IS NULL AND o.discord_parked_until IS NULL THEN 'ok' ELSE 'attention' END,
                   concat_ws('; ', format('%s: %s requests', o.way, o.requests),
                             CASE WHEN o.unreached > 0 THEN format('%s did not come through', o.unreached) END,
                             CASE WHEN o.refused > 0 THEN format('%s were refused by Discord', o.refused) END,
                             'no endpoint could be reached by it, and it is tried again at ' || zentry_notify.moment(o.down_until),
                             'Discord has banned its address until ' || zentry_notify.moment(o.discord_parked_until)),
                   CASE WHEN o.down_until IS NOT NULL THEN '-- repair this proxy; meanwhile the other ways out are used'
                        WHEN o.discord_parked_until IS NOT NULL THEN '-- messages to Discord use the other ways out until then; see that nothing else at this address calls Discord too often'
                        ELSE '' END
              FROM zentry_notify.ways_out() o ORDER BY o.number;
    END IF;
    IF server.discord_parked_until > now() THEN
        RETURN QUERY SELECT 'Discord', 'attention', 'has banned this server''s address until ' || zentry_notify.moment(server.discord_parked_until),
            coalesce((SELECT format('SELECT @extschema@.zentry_resume(%s); -- once nothing else at this address calls Discord too often', min(w.id)) FROM zentry_notify.webhook w
                        JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id AND u.webhook_url ~ '^https://([a-z]+[.])?discord(app)?[.]com[/:]'
                       WHERE w.is_active HAVING count(*) > 0),
                     '-- messages to Discord wait until then; see that nothing else at this address calls Discord too often');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_server() IS 'Returns the status of the cluster: library, launcher, databases, ways out';

-- The worker runs as the bootstrap superuser (OID 10), so settings of that role hold for it, and those of the role that calls this do not.
CREATE OR REPLACE FUNCTION zentry_notify.set_for_worker(name text) RETURNS TABLE (value text, change text)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(d.value,
                    CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable', 'override') THEN s.reset_val
                         ELSE coalesce((SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name AND f.applied ORDER BY f.seqno DESC LIMIT 1), s.boot_val) END),
           coalesce('ALTER ' || d.place, 'ALTER SYSTEM')
      FROM pg_settings s
      LEFT JOIN LATERAL (
           -- The order in which PostgreSQL applies them: role in database, role, database, all roles.
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
    'Returns the value of a setting in a worker that starts now, whatever it is in this session, and the beginning of the statement that changes it where it is set';

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
    -- For each role, and for all: a value for this database takes precedence over one for every database.
    stored AS (
        SELECT DISTINCT ON (e.name, e.setrole) e.* FROM entry e ORDER BY e.name, e.setrole, e.setdatabase = 0),
    setting AS (
        SELECT v.name, v.normal, v.means, s.setting AS here, s.reset_val, d.setdatabase,
               coalesce(d.value,
                        CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable') THEN s.setting
                             -- The session has a value of its own, so the files say what others have.
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
    -- Probably a mistake for the role of an application; a role that loads data may be meant to have it.
    SELECT e.name, 'attention', format('writes of role %I fire nothing', pg_get_userbyid(e.setrole)),
           format('ALTER ROLE %I%s RESET %s;', pg_get_userbyid(e.setrole), CASE WHEN e.setdatabase = 0 THEN '' ELSE format(' IN DATABASE %I', current_database()) END, e.name)
      FROM stored e
     WHERE e.setrole <> 0 AND e.value <> e.normal
     UNION ALL
    -- Only what the lines above do not report: the value was set in this session or with its connection.
    SELECT s.name, 'attention', s.means || ', in this session', format(CASE WHEN s.reset_val = s.normal THEN 'RESET %s;' ELSE 'SET %s = %s;' END, s.name, s.normal)
      FROM setting s
     WHERE s.here <> s.normal AND s.for_all = s.normal AND s.for_role = s.normal;
$$;
COMMENT ON FUNCTION zentry_notify.status_settings() IS 'Returns the status of settings that switch something off';
