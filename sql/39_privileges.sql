-- Privileges: PUBLIC has EXECUTE on capture() and nothing else, the agent has what capture and delivery need, and zentry_grant gives other roles theirs.

-- Grants only what is missing, and below revokes only what is there: when a script of an extension grants or revokes something, PostgreSQL records all
-- privileges of the object as the extension's own, and pg_dump then leaves out those that zentry_grant has given.
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
          FROM (VALUES ('zentry_notify.event'::pg_catalog.regclass, 'SELECT, INSERT, DELETE'),
                       ('zentry_notify.event_detail', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.delivery', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.delivery_attempt', 'SELECT, INSERT, DELETE'),
                       ('zentry_notify.route_cursor', 'SELECT, INSERT, UPDATE'),
                       ('zentry_notify.legacy_delivery', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.notification_log', 'SELECT'),
                       ('zentry_notify.webhook_circuit', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_state', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_count', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.deleted_webhook', 'SELECT, DELETE'),
                       ('zentry_notify.project_progress', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.progress_note', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.delivery_stat', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook', 'SELECT, UPDATE'),
                       ('zentry_notify.webhook_secret', 'SELECT'),
                       ('zentry_notify.webhook_integration', 'SELECT'),
                       ('zentry_notify.event_data', 'SELECT'),
                       ('zentry_notify.event_source', 'SELECT, UPDATE'),
                       ('zentry_notify.event_type', 'SELECT'),
                       ('zentry_notify.event_definition', 'SELECT'),
                       ('zentry_notify.audit_entry', 'SELECT, DELETE'),
                       ('zentry_notify.sender', 'SELECT, UPDATE, DELETE'),
                       ('zentry_notify.sender_queue', 'SELECT, INSERT, UPDATE, DELETE')) AS needed (relation, kinds),
               pg_catalog.regexp_split_to_table(needed.kinds, ', ') AS kind
         WHERE NOT pg_catalog.has_table_privilege('zentry_notify_agent', needed.relation, kind)
    LOOP
        EXECUTE pg_catalog.format('GRANT %s ON %s TO zentry_notify_agent', privilege, relation);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION zentry_notify.functions_of(privilege text) RETURNS SETOF regprocedure
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.oid::regprocedure
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
      JOIN pg_proc p ON p.oid = d.objid
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
       AND CASE WHEN p.proname IN ('find_api_token', 'note_api_token_use') THEN privilege = 'server'
                WHEN p.proname IN ('begin_sending', 'end_sending', 'take_queues', 'release_queues', 'sending_settings', 'sending_webhooks', 'claim_deliveries', 'record_outcomes')
                    THEN privilege = 'sender'
                WHEN privilege IN ('server', 'sender') THEN false
                -- What views and the functions of readers call with the rights of the caller.
                WHEN p.proname IN ('zentry_status', 'zentry_stats', 'zentry_stats_by_hour', 'zentry_preview', 'zentry_webhook_types', 'zentry_logs', 'log_ids', 'latency_bounds', 'redact_url', 'language_words', 'languages',
                                   'look_up', 'look_up_in', 'lookup_of', 'quiet_until', 'digest_due', 'library_version', 'unrouted_events', 'ways_out', 'doubts', 'refuse', 'source_arguments') THEN true
                WHEN p.proname IN ('zentry_grant', 'zentry_revoke', 'zentry_promote') THEN false
                WHEN starts_with(p.proname::text, 'zentry_')
                    -- What functions of managers call with the rights of the caller.
                    OR p.proname IN ('check_length', 'to_interval', 'import_integration', 'read_integrations', 'rows_of', 'require_membership', 'put_api_token', 'drop_api_token')
                    -- Forms check a URL while it is typed.
                    OR p.proname = 'check_webhook_url' THEN privilege IN ('manager', 'application')
                ELSE false END;
$$;
COMMENT ON FUNCTION zentry_notify.functions_of(text) IS 'Returns the functions that a role with this privilege of zentry_grant may call';

CREATE OR REPLACE FUNCTION zentry_notify.check_grantee(grantee regrole, hint text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF grantee IS NULL OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
        PERFORM zentry_notify.refuse('undefined_object', format('there is no role %s', coalesce(grantee::oid::text, 'null')), hint);
    END IF;
    -- A grant or revoke would take from the worker what it needs.
    IF grantee = to_regrole('zentry_notify_agent') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the privileges of zentry_notify_agent are the extension''s own',
            'The worker acts as it. Name a role that somebody logs in as, or its group.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_grantee(regrole, text) IS 'Raises an error unless it is a role other than the agent';

-- zentry_grant calls this one, which is in a schema that only the extension's owner can change; that of zentry_grant may be somebody else's.
CREATE OR REPLACE FUNCTION zentry_notify.grant_privilege(grantee regrole, privilege text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f regprocedure;
BEGIN
    IF privilege IS NULL OR privilege NOT IN ('reader', 'manager', 'application', 'server', 'sender') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value',
            format('unknown privilege "%s"', coalesce(privilege, '(null)')),
            'reader: the views. manager: the views, and register, change, delete, test, retry, attach. application: all of that, and webhook_integration and notification_log, URLs included. server: look up API tokens. sender: send, as zentry-notify send does.');
    END IF;
    PERFORM zentry_notify.revoke_former(grantee);
    EXECUTE format('GRANT USAGE ON SCHEMA zentry_notify TO %s', grantee);
    FOR f IN SELECT * FROM zentry_notify.functions_of(privilege) LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', f, grantee);
    END LOOP;
    IF privilege NOT IN ('server', 'sender') THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.webhooks, zentry_notify.logs, zentry_notify.attempts, zentry_notify.delivery_totals, zentry_notify.delivery_traces, zentry_notify.event_types, zentry_notify.event_definition, zentry_notify.event_wordings, zentry_notify.event_sources, zentry_notify.audit_log TO %s', grantee);
    END IF;
    IF privilege IN ('manager', 'application') THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.api_tokens, zentry_notify.zentry_source TO %s', grantee);
    END IF;
    IF privilege = 'application' THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.notification_log, zentry_notify.webhook_integration TO %s', grantee);
        -- Without the columns that only the extension writes: since when it is active, and why it was switched off.
        EXECUTE (SELECT format('GRANT INSERT (%s), UPDATE (%1$s), DELETE ON zentry_notify.webhook_integration TO %s',
                               string_agg(quote_ident(a.attname), ', '), grantee)
                   FROM pg_attribute a
                  WHERE a.attrelid = 'zentry_notify.webhook_integration'::regclass AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attname NOT IN ('activated_at', 'switched_off_at', 'switched_off_reason'));
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.grant_privilege(regrole, text) IS 'Does what zentry_grant is called for';

CREATE OR REPLACE FUNCTION @extschema@.zentry_grant(grantee regrole, privilege text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT zentry_notify.grant_privilege(grantee, privilege)
$$;
COMMENT ON FUNCTION @extschema@.zentry_grant(regrole, text) IS
    'Gives a role a privilege. reader: the views, in which URLs are redacted. manager: also to register, change, delete, test, retry and attach. application: also to read and write webhook_integration, URLs included, and to read notification_log. server: only to look up API tokens. sender: only to send, which includes the URLs and secrets of what it sends. None includes a privilege on a table';

-- A privilege on a table would let a role lock it. Versions before 0.3 granted some, and functions that no privilege includes now.
CREATE OR REPLACE FUNCTION zentry_notify.revoke_former(grantee regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted regclass;
    f       regprocedure;
BEGIN
    PERFORM zentry_notify.check_grantee(grantee, 'Name an existing role: SELECT zentry_grant(''reports'', ''reader'');');
    FOR granted IN SELECT DISTINCT c.oid
                     FROM pg_class c
                     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
                     CROSS JOIN LATERAL (SELECT e.grantee FROM aclexplode(c.relacl) e UNION SELECT e.grantee FROM aclexplode(a.attacl) e) acl
                    WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'S') AND acl.grantee = revoke_former.grantee AND c.relowner <> acl.grantee
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', granted, grantee);
    END LOOP;
    FOR f IN SELECT p.oid
               FROM pg_depend d
               JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
               JOIN pg_proc p ON p.oid = d.objid
              WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = revoke_former.grantee AND p.proowner <> a.grantee)
             EXCEPT
             SELECT g FROM unnest('{reader,manager,application,server,sender}'::text[]) AS of (privilege), zentry_notify.functions_of(of.privilege) g
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', f, grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.revoke_former(regrole) IS 'Revokes from a role what no privilege of zentry_grant includes any more';

-- Only what was granted to the role itself, not what it has as a member of another one. (Versions before 0.3 granted applications SELECT on what is the
-- table webhook now.)
CREATE OR REPLACE FUNCTION zentry_notify.grants() RETURNS TABLE (grantee regrole, privilege text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH granted AS (
        SELECT a.grantee, c.relname AS object
          FROM pg_class c, aclexplode(c.relacl) a
         WHERE c.oid IN ('zentry_notify.logs'::regclass, 'zentry_notify.webhook_integration'::regclass, 'zentry_notify.webhook'::regclass)
           AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner, coalesce(to_regrole('zentry_notify_agent'), 0::oid))
         UNION ALL
        SELECT a.grantee, p.proname
          FROM pg_depend d
          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
          JOIN pg_proc p ON p.oid = d.objid AND p.proname IN ('zentry_delete_webhook', 'find_api_token', 'begin_sending')
          CROSS JOIN LATERAL aclexplode(p.proacl) a
         WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
           AND a.grantee NOT IN (0, p.proowner))
    SELECT g.grantee, CASE WHEN bool_or(g.object IN ('webhook_integration', 'webhook')) THEN 'application'
                           WHEN bool_or(g.object = 'zentry_delete_webhook') THEN 'manager' ELSE 'reader' END
      FROM granted g GROUP BY g.grantee HAVING bool_or(g.object = 'logs')
     UNION ALL
    SELECT g.grantee, 'server' FROM granted g WHERE g.object = 'find_api_token'
     UNION ALL
    SELECT g.grantee, 'sender' FROM granted g WHERE g.object = 'begin_sending';
$$;
COMMENT ON FUNCTION zentry_notify.grants() IS 'Returns the roles to which zentry_grant has given a privilege: of reader, manager and application the highest, and server and sender';

CREATE OR REPLACE FUNCTION zentry_notify.renew_grants() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT zentry_notify.grant_privilege(g.grantee, g.privilege) FROM zentry_notify.grants() g;
$$;
COMMENT ON FUNCTION zentry_notify.renew_grants() IS
    'Repeats the grants of zentry_grant, so that they include what a new version adds. The library calls it after ALTER EXTENSION UPDATE, because pg_dump leaves out what the script of an update grants';

-- What a role owns it keeps: REVOKE would take an owner's own entry from the object's list, which functions that run with the owner's rights need.
CREATE OR REPLACE FUNCTION @extschema@.zentry_revoke(grantee regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted text;
BEGIN
    PERFORM zentry_notify.check_grantee(grantee, 'Name the role: SELECT zentry_revoke(''reports'');');
    IF grantee = (SELECT e.extowner FROM pg_extension e WHERE e.extname = 'zentry_notify') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('%s owns the extension, and keeps its privileges', grantee),
            'Name a role that zentry_grant has given a privilege: SELECT * FROM zentry_notify.grants();');
    END IF;
    FOR granted IN
        SELECT format('%s', c.oid::regclass)
          FROM pg_class c
         WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relowner <> grantee
         UNION ALL
        SELECT format('SCHEMA %I', n.nspname) FROM pg_namespace n WHERE n.nspname = 'zentry_notify' AND n.nspowner <> grantee
         UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure)
          FROM pg_depend d
          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
          JOIN pg_proc p ON p.oid = d.objid
         WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND p.proowner <> grantee
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', granted, grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke(regrole) IS 'Revokes every privilege that zentry_grant gave to the role. The owner of the extension keeps its own';

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
    -- Whoever makes a partition makes the triggers of its table there, for which PostgreSQL requires EXECUTE on their function. It can be called as a
    -- trigger only, and only a role with USAGE on its schema can name it for a trigger.
    GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.sum_histogram(bigint[])', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.add_histograms(bigint[], bigint[]), zentry_notify.sum_histogram(bigint[]) TO zentry_notify_agent;
    END IF;
    -- The view event_definition calls it.
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.language_words(text)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.language_words(text) TO zentry_notify_agent;
    END IF;
    -- The worker takes ids for deliveries before it writes them.
    IF NOT pg_catalog.has_sequence_privilege('zentry_notify_agent', 'zentry_notify.delivery_id_seq', 'USAGE') THEN
        GRANT USAGE ON SEQUENCE zentry_notify.delivery_id_seq TO zentry_notify_agent;
    END IF;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.forget_deleted(integer)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.forget_deleted(integer), zentry_notify.forget_deliveries(bigint, integer) TO zentry_notify_agent;
    END IF;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.has_expired(timestamptz, interval, text, text)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.has_expired(timestamptz, interval, text, text), zentry_notify.over_age(timestamptz, double precision, text, text)
            TO zentry_notify_agent;
    END IF;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.offer_queues(bigint[])', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.offer_queues(bigint[]), zentry_notify.tell_senders(text, bigint[], bigint[]), zentry_notify.forget_gone_senders(),
            zentry_notify.gone_senders(), zentry_notify.sender_signal() TO zentry_notify_agent;
    END IF;
END
$$;

-- Revokes what ALTER DEFAULT PRIVILEGES has granted on new relations. (zentry_grant itself revokes what a former version of it has granted.)
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT c.oid::pg_catalog.regclass AS relation, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END AS role
          FROM pg_catalog.pg_class c
          CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
         WHERE c.relnamespace OPERATOR(pg_catalog.=) 'zentry_notify'::pg_catalog.regnamespace
           AND a.grantee NOT IN (c.relowner, 'zentry_notify_agent'::pg_catalog.regrole)
           AND (a.grantee OPERATOR(pg_catalog.=) 0 OR c.relkind OPERATOR(pg_catalog.<>) 'v'
                AND c.relname NOT IN ('webhook', 'legacy_delivery', 'event_source', 'event_type', 'api_token'))
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', given.relation, given.role);
    END LOOP;
END
$$;

-- restrict_nonsystem_relation_kind, set for a role or a database, must not keep the extension's functions from its views. (Functions that read tables of
-- others have a value of their own.) Functions that are called for each row are left out: the functions that call them have the setting.
DO $$
DECLARE
    f regprocedure;
BEGIN
    IF pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NULL THEN
        RETURN; -- a minor version without it
    END IF;
    FOR f IN SELECT p.oid::pg_catalog.regprocedure
               FROM zentry_notify.members() m
               JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) m.objid
               JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
              WHERE m.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.prokind OPERATOR(pg_catalog.=) 'f'
                AND (l.lanname IN ('sql', 'plpgsql') AND p.provolatile OPERATOR(pg_catalog.<>) 'i' AND p.proparallel OPERATOR(pg_catalog.=) 'u'
                     OR pg_catalog.starts_with(p.proname::pg_catalog.text, 'zentry_'))
                AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) c WHERE pg_catalog.starts_with(c, 'restrict_nonsystem_relation_kind='))
    LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s SET restrict_nonsystem_relation_kind = %L', f, '');
    END LOOP;
END
$$;
