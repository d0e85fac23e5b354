-- PUBLIC has nothing; the agent what capture and delivery need; readers and managers are granted by calls.

-- Only what lacks is granted and only what is there is revoked: PostgreSQL takes an object's privileges as they are after a GRANT or a
-- REVOKE of an extension's script for the extension's own, and would not dump what zentry_grant has given by then.
DO $$
DECLARE
    relation  regclass;
    privilege text;
BEGIN
    IF NOT pg_catalog.has_schema_privilege('zentry_notify_agent', 'zentry_notify', 'USAGE') THEN
        GRANT USAGE ON SCHEMA zentry_notify TO zentry_notify_agent;
    END IF;
    FOR relation, privilege IN
        SELECT needed.relation, kind
          FROM (VALUES ('zentry_notify.notification_log'::pg_catalog.regclass, 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_circuit', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_count', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.progress_note', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.project_progress', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_integration', 'SELECT, UPDATE'),
                       ('zentry_notify.event_source', 'SELECT, UPDATE'),
                       ('zentry_notify.event_type', 'SELECT')) AS needed (relation, kinds),
               pg_catalog.regexp_split_to_table(needed.kinds, ', ') AS kind
         WHERE NOT pg_catalog.has_table_privilege('zentry_notify_agent', needed.relation, kind)
    LOOP
        EXECUTE pg_catalog.format('GRANT %s ON %s TO zentry_notify_agent', privilege, relation);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.zentry_grant(grantee regrole, privilege text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f regprocedure;
BEGIN
    IF privilege IS NULL OR privilege NOT IN ('reader', 'manager', 'server') THEN
        RAISE EXCEPTION 'unknown privilege "%"', privilege USING ERRCODE = 'invalid_parameter_value',
            HINT = 'reader: the views. manager: the views, and register, change, delete, test, retry, attach. server: look API tokens up.';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA zentry_notify TO %s', grantee);
    IF privilege = 'server' THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION zentry_notify.find_api_token(text), zentry_notify.note_api_token_use(text) TO %s', grantee);
        RETURN;
    END IF;
    -- A view checks its reader.
    EXECUTE format('GRANT EXECUTE ON FUNCTION zentry_notify.redact_url(text), zentry_notify.look_up(text, bigint[]) TO %s', grantee);
    EXECUTE format('GRANT SELECT ON zentry_notify.webhooks, zentry_notify.logs, zentry_notify.event_type, zentry_notify.event_source TO %s', grantee);
    IF privilege = 'manager' THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.api_tokens TO %s', grantee);
        FOR f IN SELECT p.oid::regprocedure
                   FROM pg_depend d
                   JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
                   JOIN pg_proc p ON p.oid = d.objid
                  WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                    AND p.proname LIKE 'zentry\_%' AND p.proname NOT IN ('zentry_grant', 'zentry_revoke')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', f, grantee);
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_grant(regrole, text) IS
    'Lets a role read the redacted views (reader), or also register, change, delete, test, retry and attach (manager), or nothing but look API tokens up (server)';

CREATE OR REPLACE FUNCTION @extschema@.zentry_revoke(grantee regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f regprocedure;
BEGIN
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA zentry_notify FROM %s', grantee);
    EXECUTE format('REVOKE ALL ON SCHEMA zentry_notify FROM %s', grantee);
    FOR f IN SELECT d.objid::regprocedure
               FROM pg_depend d
               JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
              WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', f, grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke(regrole) IS 'Takes back what zentry_grant gave';

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT d.objid::pg_catalog.regprocedure
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
              WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
                AND d.deptype OPERATOR(pg_catalog.=) 'e'
                AND e.extname OPERATOR(pg_catalog.=) 'zentry_notify'
                AND pg_catalog.has_function_privilege('public', d.objid, 'EXECUTE')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END
$$;
