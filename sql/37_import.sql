-- Import of the integrations that an application with notifications of its own has.

-- The table is read with the caller's rights. It must be a plain table with PostgreSQL's own types: a view, a cast, a policy or a virtual generated
-- column would run the code of its author with those rights. pg_dump uses the same settings for the same reason.
CREATE OR REPLACE FUNCTION zentry_notify.rows_of(relation regclass, columns text[]) RETURNS SETOF text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'rows_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rows_of(regclass, text[]) IS
    'Returns the rows of a table as JSON, read with the caller''s rights; an error where code of another role would run with these (of an index, a check, statistics)';

CREATE OR REPLACE FUNCTION zentry_notify.read_integrations(relation regclass) RETURNS SETOF jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET row_security = off SET restrict_nonsystem_relation_kind = 'view, foreign-table'
AS $$
DECLARE
    first_user_type CONSTANT oid := 16384; -- FirstNormalObjectId: those below come with PostgreSQL
    wanted   CONSTANT name[] := '{id,name,webhook_type,webhook_url,project_id,created_by_id,event_types,is_active,created_at}';
    relation_oid CONSTANT oid := relation;
    known    name[];
    foreign_type text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation) THEN
        PERFORM zentry_notify.refuse('undefined_table', format('there is no table with OID %s', relation::oid),
            'Name the table: SELECT * FROM zentry_import_integrations(''schema.table'');');
    END IF;
    IF (SELECT c.relkind IN ('r', 'p') AND NOT c.relisshared FROM pg_class c WHERE c.oid = relation) IS NOT TRUE THEN
        PERFORM zentry_notify.refuse('wrong_object_type', format('%s is not a table of this database', relation),
            'Copy what it shows into one: CREATE TABLE integrations AS SELECT ...');
    END IF;
    IF NOT has_table_privilege(relation, 'SELECT')
       OR NOT has_schema_privilege((SELECT c.relnamespace FROM pg_class c WHERE c.oid = relation), 'USAGE') THEN
        PERFORM zentry_notify.refuse('insufficient_privilege', format('role "%s" may not read %s', current_user, relation),
            format('Its owner can let it: GRANT USAGE ON SCHEMA ... TO %I; GRANT SELECT ON %s TO %1$I;', current_user, relation));
    END IF;
    IF (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = relation) THEN
        PERFORM zentry_notify.refuse('insufficient_privilege', format('%s has row security', relation),
            'Copy the rows into a table without: CREATE TABLE integrations AS SELECT ...');
    END IF;
    -- The lock keeps the table from being changed. LOCK TABLE takes a name, and the owner may have renamed another table to it while this waited.
    EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', relation);
    IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.relation = relation_oid AND l.granted
                                            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) THEN
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('%s was changed while it was waited for', relation),
            'Nothing has been read. Look at the table, and try again.');
    END IF;
    SELECT array_agg(a.attname ORDER BY a.attnum),
           min(format('%s of type %s', a.attname, format_type(a.atttypid, a.atttypmod))) FILTER (WHERE a.atttypid >= first_user_type OR a.attgenerated = 'v')
      INTO known, foreign_type
      FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY (wanted);
    IF NOT wanted <@ coalesce(known, '{}') THEN
        PERFORM zentry_notify.refuse('undefined_column', format('%s lacks the columns %s', relation, (SELECT string_agg(w, ', ') FROM unnest(wanted) w WHERE w <> ALL (coalesce(known, '{}')))),
            'The columns needed are those of Zentry''s model WebhookIntegration.');
    END IF;
    IF foreign_type IS NOT NULL THEN
        PERFORM zentry_notify.refuse('datatype_mismatch', format('column %s of %s is not of a built-in type, or is computed when it is read', foreign_type, relation),
            'Copy the rows into a table with plain types: CREATE TABLE integrations AS SELECT ...');
    END IF;
    -- (If the table has row security by now, row_security = off makes this an error.)
    RETURN QUERY SELECT r::jsonb FROM zentry_notify.rows_of(relation, wanted::text[]) r;
END
$$;
COMMENT ON FUNCTION zentry_notify.read_integrations(regclass) IS 'Returns the rows of a table with the columns of notifications_webhookintegration as JSON';

CREATE OR REPLACE FUNCTION @extschema@.zentry_import_integrations(source regclass DEFAULT NULL)
    RETURNS TABLE (id bigint, name text, state text, reason text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    relation regclass := coalesce(source, to_regclass('public.notifications_webhookintegration'));
    entry    jsonb;
BEGIN
    IF relation IS NULL THEN
        PERFORM zentry_notify.refuse('undefined_table', 'there is no table public.notifications_webhookintegration',
            'If the application has its integrations elsewhere: SELECT * FROM zentry_import_integrations(''schema.table'');');
    END IF;
    FOR entry IN SELECT r FROM zentry_notify.read_integrations(relation) r LOOP
        RETURN QUERY SELECT * FROM zentry_notify.import_integration(entry);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_import_integrations(regclass) IS
    'Registers a webhook for each row of notifications_webhookintegration, or of another table with its columns, under the row''s id. state is imported, there already, or refused, with the reason. May be repeated';

CREATE OR REPLACE FUNCTION zentry_notify.import_integration(entry jsonb) RETURNS TABLE (id bigint, name text, state text, reason text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_column
DECLARE
    old  zentry_notify.webhook_integration;
    same zentry_notify.webhook_integration;
    hint text;
    gone text;
BEGIN
    id := entry ->> 'id';
    name := entry ->> 'name';
    BEGIN
        old := jsonb_populate_record(NULL::zentry_notify.webhook_integration, entry);
        SELECT w.* INTO same FROM zentry_notify.webhook_integration w WHERE w.id = old.id;
        IF FOUND THEN
            -- It is the same webhook, even if it was changed since, if it was created at the same time; where that is unknown, if it has the same URL.
            IF coalesce(same.created_at = old.created_at, (same.webhook_type, same.webhook_url) = (old.webhook_type, old.webhook_url), false) THEN
                state := 'there already';
            ELSE
                state := 'refused';
                reason := format('its id is that of webhook "%s", which was registered here; register it by zentry_register_webhook', same.name);
            END IF;
            RETURN NEXT;
            RETURN;
        END IF;
        IF old.id IS NULL THEN
            PERFORM zentry_notify.refuse('not_null_violation', 'it has no id', 'Give the row one; they are kept.', 'id');
        END IF;
        gone := zentry_notify.ended_service(old.webhook_type, old.webhook_url);
        IF gone IS NULL THEN
            INSERT INTO zentry_notify.webhook_integration AS w
                   (id, name, webhook_type, webhook_url, project_id, created_by_id, event_types, is_active, created_at)
            VALUES (old.id, old.name, old.webhook_type, old.webhook_url, old.project_id, old.created_by_id, old.event_types,
                    coalesce(old.is_active, true), coalesce(old.created_at, now()));
        ELSE
            -- Imported switched off, to keep its name and events; a new URL switches it on.
            PERFORM zentry_notify.require_event_types(old.event_types);
            PERFORM zentry_notify.check_room_for_webhook();
            INSERT INTO zentry_notify.webhook AS w
                   (id, name, webhook_type, project_id, created_by_id, event_types, is_active, created_at, switched_off_at, switched_off_reason)
            VALUES (old.id, old.name, old.webhook_type, old.project_id, old.created_by_id, old.event_types,
                    false, coalesce(old.created_at, now()), CASE WHEN coalesce(old.is_active, true) THEN now() END, gone);
            INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url) VALUES (old.id, old.webhook_url);
        END IF;
        -- New webhooks must not get the ids of imported ones.
        PERFORM setval(s.sequence, old.id) FROM pg_get_serial_sequence('zentry_notify.webhook', 'id') AS s (sequence)
          WHERE old.id > coalesce(pg_sequence_last_value(s.sequence::regclass), 0);
        state := 'imported';
        reason := CASE WHEN gone IS NOT NULL THEN 'it is switched off: ' || gone
                       WHEN old.event_types = '[]' THEN 'it hears nothing: its list of event types is empty' END;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR invalid_parameter_value OR object_not_in_prerequisite_state
                OR configuration_limit_exceeded OR insufficient_privilege THEN
        GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        reason := concat_ws('; ', reason, nullif(hint, ''));
        state := 'refused';
    END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zentry_notify.import_integration(jsonb) IS 'Registers a webhook for one integration, a row of the application''s table as JSON';
