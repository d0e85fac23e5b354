-- The last step of CREATE EXTENSION: attaches Zentry's tables, and says which do not exist.

-- Revokes what ALTER DEFAULT PRIVILEGES has granted on the new objects, but EXECUTE on capture() from PUBLIC.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        WITH acl AS (
            SELECT c.oid::pg_catalog.regclass::pg_catalog.text AS object, a.grantee, c.relowner AS owner
              FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
             WHERE c.relnamespace OPERATOR(pg_catalog.=) 'zentry_notify'::pg_catalog.regnamespace
             UNION
            SELECT 'SCHEMA zentry_notify', a.grantee, n.nspowner
              FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a
             WHERE n.nspname OPERATOR(pg_catalog.=) 'zentry_notify'
             UNION
            SELECT 'FUNCTION ' OPERATOR(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text, a.grantee, p.proowner
              FROM pg_catalog.pg_proc p
              JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                   AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
                   AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
              JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid AND e.extname OPERATOR(pg_catalog.=) 'zentry_notify'
              CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
             WHERE a.grantee OPERATOR(pg_catalog.<>) 0) -- 39_privileges has revoked what PUBLIC had
        SELECT acl.object, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::pg_catalog.regrole::pg_catalog.text END AS role
          FROM acl WHERE acl.grantee NOT IN (acl.owner, 'zentry_notify_agent'::pg_catalog.regrole)
           AND (acl.grantee OPERATOR(pg_catalog.<>) 0 OR acl.object OPERATOR(pg_catalog.<>) 'FUNCTION zentry_notify.capture()')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', given.object, given.role);
    END LOOP;
END
$$;

DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'zentry_notify needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported', HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
    -- CREATE EXTENSION suppresses notices. These are for its caller, so the value that the session had holds from here on.
    PERFORM pg_catalog.set_config('client_min_messages', s.reset_val, true) FROM pg_catalog.pg_settings s
      WHERE s.name OPERATOR(pg_catalog.=) 'client_min_messages';
END
$$;

DO $$
DECLARE
    source   record;
    attached text[] := '{}';
    missing  text[] := '{}';
BEGIN
    FOR source IN SELECT pg_catalog.format('%s (%s)', a.relation, a.event_type) AS name, a.state FROM @extschema@.zentry_attach() a LOOP
        IF source.state OPERATOR(pg_catalog.=) 'attached' THEN
            attached := pg_catalog.array_append(attached, source.name);
        ELSIF source.state OPERATOR(pg_catalog.=) 'not found' THEN
            missing := pg_catalog.array_append(missing, source.name);
        ELSE
            RAISE NOTICE 'zentry_notify: % %', source.name, source.state
                USING HINT = 'If it is not Zentry''s table, do nothing. Otherwise correct the table and run SELECT * FROM @extschema@.zentry_attach(), or say what its columns mean: SELECT @extschema@.zentry_attach(event_type, table, columns);';
        END IF;
    END LOOP;
    IF attached OPERATOR(pg_catalog.<>) '{}' THEN
        RAISE NOTICE 'zentry_notify: attached to %', pg_catalog.array_to_string(attached, ', ');
    END IF;
    IF missing OPERATOR(pg_catalog.<>) '{}' THEN
        RAISE NOTICE 'zentry_notify: not found: %', pg_catalog.array_to_string(missing, ', ')
            USING HINT = 'Once these tables exist: SELECT * FROM @extschema@.zentry_attach();';
    END IF;
    PERFORM zentry_notify.warn_unless_preloaded();
END
$$;
