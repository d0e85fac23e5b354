-- The integrations of the application's own notifications, taken over.

-- Reading is the caller's, with their rights, and of plain tables with plain types alone: a view, a type's cast, a policy or a column that is
-- computed when it is read would run its author's code with those rights. The settings are what pg_dump has for the same reason.
CREATE OR REPLACE FUNCTION zentry_notify.rows_of(relation regclass, columns text[]) RETURNS SETOF text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'rows_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rows_of(regclass, text[]) IS
    'Rows of a table as JSON, read with the caller''s rights; an error where code of another role would run with these (of an index, a check, statistics)';

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
    IF (SELECT c.relkind FROM pg_class c WHERE c.oid = relation) NOT IN ('r', 'p') THEN
        PERFORM zentry_notify.refuse('wrong_object_type', format('%s is not a table', relation),
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
    -- From now on it stays as it is. It is named, and who owns it may have put another one in its place while this waited.
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
            'They are those of Zentry''s model WebhookIntegration.');
    END IF;
    IF foreign_type IS NOT NULL THEN
        PERFORM zentry_notify.refuse('datatype_mismatch', format('column %s of %s is of no type of PostgreSQL', foreign_type, relation),
            'Copy the rows into a table with plain types: CREATE TABLE integrations AS SELECT ...');
    END IF;
    -- Had it row security by now, PostgreSQL would refuse this.
    RETURN QUERY SELECT r::jsonb FROM zentry_notify.rows_of(relation, wanted::text[]) r;
END
$$;
COMMENT ON FUNCTION zentry_notify.read_integrations(regclass) IS 'The rows of a table like notifications_webhookintegration, as JSON';

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
    'Takes over the rows of notifications_webhookintegration (or of another table with its columns) under their ids; each is imported, there already, or refused, with the reason. May be repeated';

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
            -- Changed since or not, it is the same if it was made at the same moment.
            -- Where nobody knows when that was, it is the one of that URL.
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
            -- It is kept for its name and what it hears; a new URL switches it on.
            PERFORM zentry_notify.require_event_types(old.event_types);
            PERFORM zentry_notify.check_room_for_webhook();
            INSERT INTO zentry_notify.webhook AS w
                   (id, name, webhook_type, project_id, created_by_id, event_types, is_active, created_at, switched_off_at, switched_off_reason)
            VALUES (old.id, old.name, old.webhook_type, old.project_id, old.created_by_id, old.event_types,
                    false, coalesce(old.created_at, now()), CASE WHEN coalesce(old.is_active, true) THEN now() END, gone);
            INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url) VALUES (old.id, old.webhook_url);
        END IF;
        -- Ids given from now on must not be those that were taken over.
        PERFORM setval(s.sequence, old.id) FROM pg_get_serial_sequence('zentry_notify.webhook', 'id') AS s (sequence)
          WHERE old.id > coalesce(pg_sequence_last_value(s.sequence::regclass), 0);
        state := 'imported';
        reason := CASE WHEN gone IS NOT NULL THEN 'it is switched off: ' || gone
                       WHEN old.event_types = '[]' THEN 'it hears nothing: its list of event types is empty' END;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR invalid_parameter_value OR object_not_in_prerequisite_state
                OR insufficient_privilege THEN
        GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        reason := concat_ws('; ', reason, nullif(hint, ''));
        state := 'refused';
    END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zentry_notify.import_integration(jsonb) IS 'Takes over one integration, a row of the application''s table as JSON';
