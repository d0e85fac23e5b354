-- Our own tables beyond their rules: who is told of changes, what restored, replicated and truncated rows come to, and what is not routed yet.

-- Every session and the worker keep the configuration in memory; these tell them to look again.
DO $$
DECLARE
    configured pg_catalog.regclass;
BEGIN
    FOREACH configured IN ARRAY '{zentry_notify.webhook,zentry_notify.webhook_secret,zentry_notify.event_source,zentry_notify.event_type,zentry_notify.event_wording}'::pg_catalog.regclass[]
    LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS configuration_changed ON %s', configured);
        EXECUTE pg_catalog.format('CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()', configured);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER configuration_changed', configured);
        EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS configuration_emptied ON %s', configured);
        EXECUTE pg_catalog.format('CREATE TRIGGER configuration_emptied AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()', configured);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER configuration_emptied', configured);
    END LOOP;
END
$$;

-- While a dump is restored by several jobs, the worker may count what it sends before the dump's own row is there.
CREATE OR REPLACE FUNCTION zentry_notify.add_count() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO zentry_notify.webhook_count AS n VALUES (NEW.*)
    ON CONFLICT (webhook_integration_id) DO UPDATE
       SET sent = n.sent + EXCLUDED.sent, failed = n.failed + EXCLUDED.failed,
           last_sent_at = greatest(n.last_sent_at, EXCLUDED.last_sent_at),
           last_failed_at = greatest(n.last_failed_at, EXCLUDED.last_failed_at),
           last_error = coalesce(n.last_error, EXCLUDED.last_error);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.add_count() IS 'Trigger: a restored count is added to what the worker has counted meanwhile';

-- The worker counts as the agent, and the trigger's own INSERT is not for the trigger.
DROP TRIGGER IF EXISTS add_count ON zentry_notify.webhook_count;
CREATE TRIGGER add_count BEFORE INSERT ON zentry_notify.webhook_count
    FOR EACH ROW WHEN (current_user OPERATOR(pg_catalog.<>) 'zentry_notify_agent' AND pg_catalog.pg_trigger_depth() OPERATOR(pg_catalog.=) 0)
    EXECUTE FUNCTION zentry_notify.add_count();

-- A dump's events without its cursor look as if they were still to be routed. What a dump says first in its session may be in force when others
-- write events, too: the worker and the triggers write as the agent, and functions that do pin the setting.
CREATE OR REPLACE FUNCTION zentry_notify.await_cursor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE zentry_notify.route_cursor c SET restored = 'awaited' WHERE c.restored = 'no';
    -- Deliveries may be here before their events.
    PERFORM zentry_notify.wake('{}');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.await_cursor() IS 'Trigger: events that a dump brings are not routed before its cursor is here';

DROP TRIGGER IF EXISTS await_cursor ON zentry_notify.event;
CREATE TRIGGER await_cursor BEFORE INSERT ON zentry_notify.event
    FOR EACH STATEMENT WHEN (current_user OPERATOR(pg_catalog.<>) 'zentry_notify_agent'
                             AND NOT pg_catalog.current_setting('check_function_bodies')::pg_catalog.bool)
    EXECUTE FUNCTION zentry_notify.await_cursor();

CREATE OR REPLACE FUNCTION zentry_notify.restore_cursor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.route_cursor;
    NEW.restored := 'yes';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.restore_cursor() IS 'Trigger: a dump''s cursor takes the place of the one that is there';

DROP TRIGGER IF EXISTS restore_cursor ON zentry_notify.route_cursor;
CREATE TRIGGER restore_cursor BEFORE INSERT ON zentry_notify.route_cursor
    FOR EACH ROW WHEN (current_user OPERATOR(pg_catalog.<>) 'zentry_notify_agent') EXECUTE FUNCTION zentry_notify.restore_cursor();

-- What is not routed yet.
CREATE OR REPLACE FUNCTION zentry_notify.unrouted_events() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    -- The holes of the cursor and what is above it, each by the primary key.
    SELECT count(*)
      FROM (SELECT FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
              CROSS JOIN LATERAL (
                   SELECT FROM zentry_notify.event e
                    WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
                    LIMIT 100000) e
             LIMIT 100000) waiting
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_events() IS
    'How many events wait for the worker to find out who hears of them; 100000: at least so many';

CREATE OR REPLACE FUNCTION zentry_notify.unrouted_since() RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (SELECT e.created_at FROM zentry_notify.event e
             WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
             ORDER BY e.id LIMIT 1) AS created_at
      FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
     ORDER BY created_at LIMIT 1
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_since() IS 'Since when the worker has not found out who hears of an event; null: of all it has';

CREATE OR REPLACE FUNCTION zentry_notify.route_from_now() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
BEGIN
    -- As a restored one, it takes the place of the one that is there (restore_cursor).
    INSERT INTO zentry_notify.route_cursor (routed)
    SELECT int8multirange(int8range(NULL, coalesce(max(e.id), 0) + 1)) FROM zentry_notify.event e;
    PERFORM zentry_notify.wake('{}');
END
$$;
COMMENT ON FUNCTION zentry_notify.route_from_now() IS 'Takes all events that there are for routed. For a database whose dump had events and no cursor';

-- What another server's worker keeps for itself says nothing here, and would be sent a second time. A source is of a table, and a token of a role, that
-- may be another one here, or none.
CREATE OR REPLACE FUNCTION zentry_notify.drop_replicated() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN NULL; END $$;
COMMENT ON FUNCTION zentry_notify.drop_replicated() IS 'Trigger: what logical replication brings of events, deliveries, counters, sources, tokens and the audit log is not stored';

-- ENABLE TRIGGER ALL, as pg_restore --disable-triggers says in the end, takes REPLICA away; the condition stays.
DO $$
DECLARE
    kept pg_catalog.regclass;
BEGIN
    FOREACH kept IN ARRAY '{zentry_notify.event,zentry_notify.event_detail,zentry_notify.delivery,zentry_notify.route_cursor,zentry_notify.legacy_delivery,zentry_notify.webhook_circuit,zentry_notify.webhook_state,zentry_notify.webhook_count,zentry_notify.deleted_webhook,zentry_notify.delivery_stat,zentry_notify.progress_note,zentry_notify.project_progress,zentry_notify.event_source,zentry_notify.api_token,zentry_notify.audit_entry}'::pg_catalog.regclass[]
    LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS drop_replicated ON %s', kept);
        EXECUTE pg_catalog.format('CREATE TRIGGER drop_replicated BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW WHEN (pg_catalog.current_setting(''session_replication_role'') OPERATOR(pg_catalog.=) ''replica'') EXECUTE FUNCTION zentry_notify.drop_replicated()', kept);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE REPLICA TRIGGER drop_replicated', kept);
    END LOOP;
END
$$;

-- Both sides have the built-in types, and may have wordings of the same event: what is replicated holds. It is inserted here, because pglogical would
-- update the row that it had found in the way.
CREATE OR REPLACE FUNCTION zentry_notify.replace_event_type() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_type t WHERE t.name = NEW.name;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    INSERT INTO zentry_notify.event_type SELECT NEW.*;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_event_type() IS 'Trigger: an event type that logical replication brings takes the place of the one that is there';

DROP TRIGGER IF EXISTS replace_replicated ON zentry_notify.event_type;
CREATE TRIGGER replace_replicated BEFORE INSERT ON zentry_notify.event_type
    FOR EACH ROW WHEN (pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica')
    EXECUTE FUNCTION zentry_notify.replace_event_type();
ALTER TABLE zentry_notify.event_type ENABLE REPLICA TRIGGER replace_replicated;

CREATE OR REPLACE FUNCTION zentry_notify.replace_event_wording() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_wording w
     WHERE w.id = NEW.id OR w.event_type = NEW.event_type AND w.webhook_integration_id IS NOT DISTINCT FROM NEW.webhook_integration_id;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    INSERT INTO zentry_notify.event_wording SELECT NEW.*;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_event_wording() IS 'Trigger: a wording that logical replication brings takes the place of the one that is there';

DROP TRIGGER IF EXISTS replace_replicated ON zentry_notify.event_wording;
CREATE TRIGGER replace_replicated BEFORE INSERT ON zentry_notify.event_wording
    FOR EACH ROW WHEN (pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica')
    EXECUTE FUNCTION zentry_notify.replace_event_wording();
ALTER TABLE zentry_notify.event_wording ENABLE REPLICA TRIGGER replace_replicated;

CREATE OR REPLACE FUNCTION zentry_notify.members() RETURNS TABLE (classid oid, objid oid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.classid, d.objid
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
     WHERE d.deptype = 'e'
$$;
COMMENT ON FUNCTION zentry_notify.members() IS 'What belongs to the extension';

CREATE OR REPLACE FUNCTION zentry_notify.sequences_behind() RETURNS TABLE (sequence text, highest bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.sequence, s.highest
      FROM (SELECT 'zentry_notify.webhook_integration_id_seq' AS sequence, (SELECT max(w.id) FROM zentry_notify.webhook w) AS highest
             UNION ALL SELECT 'zentry_notify.event_id_seq', (SELECT max(e.id) FROM zentry_notify.event e)
             UNION ALL SELECT 'zentry_notify.delivery_id_seq', greatest((SELECT max(d.id) FROM zentry_notify.delivery d),
                                                                        (SELECT max(d.id) FROM zentry_notify.legacy_delivery d))
             UNION ALL SELECT 'zentry_notify.event_source_id_seq', (SELECT max(s.id) FROM zentry_notify.event_source s)
             UNION ALL SELECT 'zentry_notify.event_wording_id_seq', (SELECT max(w.id) FROM zentry_notify.event_wording w)) s
     WHERE s.highest > coalesce(pg_sequence_last_value(s.sequence::regclass), 0)
$$;
COMMENT ON FUNCTION zentry_notify.sequences_behind() IS 'Sequences whose next number is one that their table has already, with the highest that it has';

-- Sequences are not replicated, and what follows another server cannot be written to. Its own publisher's subscriptions alone: the database may
-- subscribe to more than this.
CREATE OR REPLACE FUNCTION @extschema@.zentry_promote() RETURNS TABLE (item text, state text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_variable
DECLARE
    replicated oid[] := ARRAY(SELECT m.objid FROM zentry_notify.members() m WHERE m.classid = 'pg_class'::regclass
                              UNION SELECT s.relation::oid FROM zentry_notify.event_source s);
    name       text;
    highest    bigint;
BEGIN
    FOR name IN SELECT quote_ident(s.subname) FROM pg_subscription s
                 WHERE s.subenabled AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srrelid = ANY (replicated))
                 ORDER BY 1 LOOP
        EXECUTE format('ALTER SUBSCRIPTION %s DISABLE', name);
        RETURN QUERY SELECT format('subscription %s', name), 'disabled';
    END LOOP;
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pglogical' AND e.extnamespace = to_regnamespace('pglogical')) THEN
        FOR name IN EXECUTE 'SELECT s.sub_name FROM pglogical.subscription s
                              WHERE s.sub_enabled
                                AND EXISTS (SELECT FROM pglogical.local_sync_status l
                                             WHERE l.sync_subid = s.sub_id
                                               AND (l.sync_relname IS NULL OR to_regclass(format(''%I.%I'', l.sync_nspname, l.sync_relname)) = ANY ($1)))
                              ORDER BY 1' USING replicated LOOP
            -- Not at once, which it refuses in a transaction block: its process ends at the commit.
            EXECUTE 'SELECT pglogical.alter_subscription_disable($1, false)' USING name::name;
            RETURN QUERY SELECT format('subscription %I of pglogical', name), 'disabled';
        END LOOP;
    END IF;
    FOR name, highest IN SELECT b.sequence, b.highest FROM zentry_notify.sequences_behind() b LOOP
        PERFORM setval(name, highest);
        RETURN QUERY SELECT format('sequence %s', name), format('goes on after %s', highest);
    END LOOP;
    RETURN QUERY SELECT format('event %s of %s', a.event_type, a.relation), a.state FROM @extschema@.zentry_attach() a;
    PERFORM zentry_notify.wake('{}');
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_promote() IS
    'Makes a subscriber of logical replication, built-in or pglogical''s, the server that is written to: disables the subscriptions that bring the attached tables or ours, sets our sequences above what was replicated, attaches, and returns what was done. For superusers';

-- Numbers that come again would be taken for what had them before: by the worker for what it has in hand, by the cursor, by receivers.
CREATE OR REPLACE FUNCTION zentry_notify.keep_numbering() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'webhook' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.webhook_integration_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.webhook_integration_id_seq'), 0) + 1);
        INSERT INTO zentry_notify.deleted_webhook SELECT w.id FROM zentry_notify.webhook w ON CONFLICT DO NOTHING;
        DELETE FROM zentry_notify.webhook_secret;
        DELETE FROM zentry_notify.webhook_circuit;
        DELETE FROM zentry_notify.webhook_state;
        DELETE FROM zentry_notify.webhook_count;
        DELETE FROM zentry_notify.delivery_stat;
        DELETE FROM zentry_notify.event_wording w WHERE w.webhook_integration_id IS NOT NULL;
    ELSIF TG_TABLE_NAME = 'delivery' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.delivery_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.delivery_id_seq'), 0) + 1);
    ELSIF TG_TABLE_NAME = 'event' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.event_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.event_id_seq'), 0) + 1);
        -- There is nothing left to send of these.
        DELETE FROM zentry_notify.delivery d WHERE d.status IN ('p', 'r');
    ELSIF TG_TABLE_NAME = 'event_source' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.event_source_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.event_source_id_seq'), 0) + 1);
        DELETE FROM zentry_notify.project_progress;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.keep_numbering() IS 'Trigger: TRUNCATE ... RESTART IDENTITY goes on above the numbers that were given, and what belongs to the rows goes with them';

DO $$
DECLARE
    numbered pg_catalog.regclass;
BEGIN
    FOREACH numbered IN ARRAY '{zentry_notify.webhook,zentry_notify.event,zentry_notify.delivery,zentry_notify.event_source}'::pg_catalog.regclass[]
    LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS keep_numbering ON %s', numbered);
        EXECUTE pg_catalog.format('CREATE TRIGGER keep_numbering BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()', numbered);
    END LOOP;
END
$$;

-- ---- Who changed what. ----

-- A definer function does not see who calls it, so it goes by the session: who logged in, and what SET ROLE made of it. The server names its token, and
-- is believed if it may look tokens up and acts as that token's role. A secret is in no statement here, for statements, plans and their parameters can
-- be logged: whatever has one in it is a simple expression, which has no plan.
CREATE OR REPLACE FUNCTION zentry_notify.audit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
DECLARE
    acting     name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    -- Null: somebody has renamed it meanwhile.
    acting_oid oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = acting);
    before     jsonb;
    after      jsonb;
    -- What was changed though it looks as before.
    changed    text[] := '{}';
    known      record;
    entry      zentry_notify.audit_entry;
BEGIN
    entry.operation := lower(TG_OP);
    entry.object_type := CASE TG_TABLE_NAME WHEN 'webhook_secret' THEN 'webhook' WHEN 'event_wording' THEN 'wording' ELSE TG_TABLE_NAME END;
    IF TG_OP <> 'TRUNCATE' THEN
        -- A dump brings its own entries, and what comes with the extension nobody has changed. Who could do neither is not believed to do it.
        IF zentry_notify.is_restoring() AND pg_has_role(acting_oid, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
           AND (TG_OP = 'INSERT' AND pg_trigger_depth() = 1 OR TG_TABLE_NAME = 'event_source' AND pg_trigger_depth() = 2) THEN
            RETURN NULL;
        END IF;
        IF TG_TABLE_NAME = 'webhook_secret' THEN
            -- With its webhook.
            IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
                RETURN NULL;
            END IF;
            before := jsonb_build_object('webhook_url', zentry_notify.redact_url(OLD.webhook_url),
                                         'signing_secret', CASE WHEN OLD.signing_secret IS NOT NULL THEN '***' END,
                                         'headers', jsonb_path_query_array(OLD.headers, '$.keyvalue().key'));
            after := jsonb_build_object('webhook_url', zentry_notify.redact_url(NEW.webhook_url),
                                        'signing_secret', CASE WHEN NEW.signing_secret IS NOT NULL THEN '***' END,
                                        'headers', jsonb_path_query_array(NEW.headers, '$.keyvalue().key'));
            changed := array_remove(ARRAY[CASE WHEN OLD.webhook_url IS DISTINCT FROM NEW.webhook_url THEN 'webhook_url' END,
                                          CASE WHEN OLD.signing_secret IS DISTINCT FROM NEW.signing_secret THEN 'signing_secret' END,
                                          CASE WHEN OLD.headers IS DISTINCT FROM NEW.headers THEN 'headers' END], NULL);
            entry.operation := 'update';
            entry.webhook_id := coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id);
        ELSIF TG_TABLE_NAME = 'api_token' THEN
            before := to_jsonb(OLD) - '{token_hash,last_used_at,role_oid}'::text[];
            after := to_jsonb(NEW) - '{token_hash,last_used_at,role_oid}'::text[];
            IF OLD.token_hash IS DISTINCT FROM NEW.token_hash THEN
                before := before || '{"token_hash": "***"}';
                after := after || '{"token_hash": "***"}';
                changed := '{token_hash}';
            END IF;
            entry.object_key := coalesce(NEW.token_key, OLD.token_key);
            entry.object_name := coalesce(NEW.name, OLD.name);
        ELSE
            before := to_jsonb(OLD);
            after := to_jsonb(NEW);
        END IF;
        -- What a row keeps itself, and what the worker notes of it, is no configuration.
        SELECT coalesce(jsonb_object_agg(c.key, jsonb_build_object('old', c.old, 'new', c.new)), '{}') INTO entry.changes
          FROM (SELECT coalesce(o.key, n.key) AS key, nullif(o.value, 'null') AS old, nullif(n.value, 'null') AS new
                  FROM jsonb_each(CASE TG_OP WHEN 'INSERT' THEN '{}' ELSE before END) o
                  FULL JOIN jsonb_each(CASE TG_OP WHEN 'DELETE' THEN '{}' ELSE after END) n ON n.key = o.key) c
         WHERE (c.old IS DISTINCT FROM c.new OR c.key = ANY (changed))
           AND c.key <> ALL ('{created_at,updated_at,activated_at,switched_off_at,suspended_at,suspended_reason,written_by_oid}')
           AND (c.key <> 'id' OR TG_TABLE_NAME = 'webhook');
        IF entry.changes = '{}' THEN
            RETURN NULL;
        END IF;
        CASE TG_TABLE_NAME
            WHEN 'webhook' THEN
                entry.webhook_id := coalesce(NEW.id, OLD.id);
                entry.object_name := coalesce(NEW.name, OLD.name);
            WHEN 'event_type' THEN
                entry.object_key := coalesce(NEW.name, OLD.name);
                entry.object_name := entry.object_key;
            WHEN 'event_source' THEN
                entry.object_key := coalesce(NEW.event_type, OLD.event_type);
                entry.object_name := coalesce(NEW.relation, OLD.relation)::text;
            WHEN 'event_wording' THEN
                entry.object_key := coalesce(NEW.event_type, OLD.event_type);
                entry.webhook_id := coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id);
            ELSE NULL;
        END CASE;
        IF entry.object_type = 'webhook' THEN
            entry.object_key := entry.webhook_id;
        END IF;
        IF entry.object_name IS NULL AND entry.webhook_id IS NOT NULL THEN
            entry.object_name := (SELECT w.name FROM zentry_notify.webhook w WHERE w.id = entry.webhook_id);
        END IF;
        -- A URL that somebody has taken for a title or a name is not kept when it is mended.
        IF strpos(entry.changes::text, '://') > 0 THEN
            FOR known IN SELECT s.webhook_url AS url, zentry_notify.redact_url(s.webhook_url) AS shown
                           FROM zentry_notify.webhook_secret s WHERE strpos(entry.changes::text, s.webhook_url) > 0 LOOP
                entry.changes := replace(entry.changes::text, known.url, known.shown);
                entry.object_name := replace(entry.object_name, known.url, known.shown);
            END LOOP;
        END IF;
    END IF;
    -- A webhook and its secrets are one to people: what a statement writes of both is one entry.
    IF TG_TABLE_NAME = 'webhook_secret' AND TG_OP <> 'TRUNCATE' THEN
        UPDATE zentry_notify.audit_entry e
           SET changes = e.changes || (SELECT jsonb_object_agg(c.key, c.value || jsonb_build_object('old', coalesce(e.changes -> c.key, c.value) -> 'old'))
                                         FROM jsonb_each(entry.changes) c)
         WHERE e.id = (SELECT l.id FROM zentry_notify.audit_entry l
                        WHERE l.changed_at >= statement_timestamp() AND l.object_type = 'webhook' AND l.webhook_id = entry.webhook_id
                          AND l.transaction = pg_current_xact_id() AND l.role_name = acting
                        ORDER BY l.changed_at DESC LIMIT 1);
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO zentry_notify.audit_entry (session_role, role_name, api_token, object_type, object_key, object_name, webhook_id, operation, changes)
    VALUES (session_user,
            CASE WHEN EXISTS (SELECT FROM pg_stat_get_activity(pg_backend_pid()) a WHERE a.backend_type = 'zentry_notify worker')
                 THEN 'zentry_notify_agent' ELSE acting END,
            (SELECT t.name FROM zentry_notify.api_token t
              WHERE t.token_key = current_setting('zentry_notify.api_token_key', true) AND current_setting('role') <> 'none'
                AND t.role_oid = acting_oid
                AND has_function_privilege(session_user, 'zentry_notify.find_api_token(text)', 'EXECUTE')),
            entry.object_type, entry.object_key, entry.object_name, entry.webhook_id, entry.operation, coalesce(entry.changes, '{}'));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit() IS 'Trigger: notes in audit_entry who changes what of the configuration';

-- Not ALWAYS: what replication brings, and pg_restore --disable-triggers, nobody has changed here.
DO $$
DECLARE
    configured pg_catalog.regclass;
BEGIN
    FOREACH configured IN ARRAY '{zentry_notify.webhook,zentry_notify.webhook_secret,zentry_notify.event_source,zentry_notify.event_type,zentry_notify.event_wording,zentry_notify.api_token}'::pg_catalog.regclass[]
    LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS audit ON %s', configured);
        EXECUTE pg_catalog.format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION zentry_notify.audit()', configured);
        EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS audit_emptied ON %s', configured);
        EXECUTE pg_catalog.format('CREATE TRIGGER audit_emptied AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.audit()', configured);
    END LOOP;
END
$$;

-- ---- What they have to have, so that status can tell what is missing. ----

CREATE OR REPLACE FUNCTION zentry_notify.own_tables() RETURNS name[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{webhook,webhook_secret,webhook_circuit,webhook_state,webhook_count,deleted_webhook,event,event_detail,event_type,event_wording,event_source,route_cursor,
             delivery,legacy_delivery,delivery_stat,project_progress,progress_note,api_token,audit_entry}'::name[];
$$;
COMMENT ON FUNCTION zentry_notify.own_tables() IS 'The names of the extension''s tables';

CREATE OR REPLACE FUNCTION zentry_notify.own_indexes() RETURNS TABLE (relation name, name name, definition text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('webhook'::name, 'webhook_pkey'::name, 'PRIMARY KEY (id)'),
           ('webhook_secret', 'webhook_secret_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_circuit', 'webhook_circuit_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_state', 'webhook_state_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_count', 'webhook_count_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('deleted_webhook', 'deleted_webhook_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('event', 'event_pkey', 'PRIMARY KEY (id)'),
           ('event_detail', 'event_detail_pkey', 'PRIMARY KEY (event_id)'),
           ('event_type', 'event_type_pkey', 'PRIMARY KEY (name)'),
           ('event_wording', 'event_wording_pkey', 'PRIMARY KEY (id)'),
           ('event_wording', 'event_wording_of',
            'CREATE UNIQUE INDEX event_wording_of ON zentry_notify.event_wording (event_type, (coalesce(webhook_integration_id, 0)))'),
           ('event_source', 'event_source_pkey', 'PRIMARY KEY (id)'),
           ('event_source', 'event_source_relation_event_type_key', 'UNIQUE (relation, event_type)'),
           ('project_progress', 'project_progress_pkey', 'PRIMARY KEY (event_source_id, project_key)'),
           ('progress_note', 'progress_note_pkey', 'PRIMARY KEY (event_source_id, project_key)'),
           ('route_cursor', 'route_cursor_pkey', 'PRIMARY KEY (singleton)'),
           ('delivery_stat', 'delivery_stat_pkey', 'PRIMARY KEY (span, since, webhook_integration_id, event_type)'),
           ('api_token', 'api_token_pkey', 'PRIMARY KEY (token_key)'),
           ('api_token', 'api_token_name_key', 'UNIQUE (name)'),
           ('audit_entry', 'audit_entry_pkey', 'PRIMARY KEY (id)'),
           ('audit_entry', 'audit_entry_age', 'CREATE INDEX audit_entry_age ON zentry_notify.audit_entry (changed_at)'),
           ('delivery', 'delivery_pkey', 'PRIMARY KEY (id)'),
           ('delivery', 'delivery_log', 'CREATE INDEX delivery_log ON zentry_notify.delivery (webhook_integration_id, event_type, id)'),
           ('delivery', 'delivery_waiting',
            'CREATE INDEX delivery_waiting ON zentry_notify.delivery (webhook_integration_id, id) WHERE status IN (''p'', ''r'')'),
           ('delivery', 'delivery_failed', 'CREATE INDEX delivery_failed ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) = ''failed'''),
           ('delivery', 'delivery_queue', 'CREATE INDEX delivery_queue ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) IN (''pending'', ''retry'')'),
           ('delivery', 'delivery_retry_of', 'CREATE INDEX delivery_retry_of ON zentry_notify.delivery (retry_of) WHERE retry_of IS NOT NULL'),
           ('delivery', 'delivery_traced', 'CREATE INDEX delivery_traced ON zentry_notify.delivery (finished_at, id) WHERE traceparent IS NOT NULL'),
           ('legacy_delivery', 'legacy_delivery_pkey', 'PRIMARY KEY (id)'),
           ('legacy_delivery', 'legacy_delivery_waiting',
            'CREATE INDEX legacy_delivery_waiting ON zentry_notify.legacy_delivery (webhook_integration_id, id) WHERE status IN (''pending'', ''retry'')'),
           ('legacy_delivery', 'legacy_delivery_finished',
            'CREATE INDEX legacy_delivery_finished ON zentry_notify.legacy_delivery (webhook_integration_id, id) WHERE status IN (''sent'', ''failed'')'),
           ('legacy_delivery', 'legacy_delivery_events',
            'CREATE INDEX legacy_delivery_events ON zentry_notify.legacy_delivery (event_type, id) WHERE status IN (''sent'', ''failed'')'),
           ('legacy_delivery', 'legacy_delivery_failed',
            'CREATE INDEX legacy_delivery_failed ON zentry_notify.legacy_delivery (id) WHERE status = ''failed''')
$$;
COMMENT ON FUNCTION zentry_notify.own_indexes() IS
    'The indexes of the extension''s tables: of those of a constraint, what pg_get_constraintdef says of it, of the others, the statement that makes it';

CREATE OR REPLACE FUNCTION zentry_notify.own_triggers() RETURNS TABLE (relation name, name name, mode text, definition text)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('api_token'::name, 'check_api_token'::name, '', 'BEFORE INSERT OR DELETE OR UPDATE ON zentry_notify.api_token FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_api_token()'),
           ('delivery', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.delivery FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('delivery_stat', 'add_delivery_stat', '', 'BEFORE INSERT ON zentry_notify.delivery_stat FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0))) EXECUTE FUNCTION zentry_notify.add_delivery_stat()'),
           ('event', 'await_cursor', '', 'BEFORE INSERT ON zentry_notify.event FOR EACH STATEMENT WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (NOT (current_setting(''check_function_bodies''::text))::boolean))) EXECUTE FUNCTION zentry_notify.await_cursor()'),
           ('event', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.event FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('event_source', 'check_source', '', 'BEFORE INSERT OR DELETE OR UPDATE ON zentry_notify.event_source FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_source()'),
           ('event_source', 'check_source_omit', '', 'BEFORE INSERT OR UPDATE OF omit ON zentry_notify.event_source FOR EACH ROW WHEN ((new.omit <> ''{}''::text[])) EXECUTE FUNCTION zentry_notify.check_source_omit()'),
           ('event_source', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.event_source FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_source', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.event_source FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_source', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.event_source FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('event_source', 'replace_source', '', 'BEFORE INSERT ON zentry_notify.event_source FOR EACH ROW EXECUTE FUNCTION zentry_notify.replace_source()'),
           ('event_type', 'check_event_type', '', 'BEFORE INSERT OR UPDATE ON zentry_notify.event_type FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_event_type()'),
           ('event_type', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.event_type FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_type', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.event_type FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_type', 'replace_replicated', 'REPLICA ', 'BEFORE INSERT ON zentry_notify.event_type FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text)) EXECUTE FUNCTION zentry_notify.replace_event_type()'),
           ('event_wording', 'check_event_wording', '', 'BEFORE INSERT OR UPDATE ON zentry_notify.event_wording FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_event_wording()'),
           ('event_wording', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.event_wording FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_wording', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.event_wording FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_wording', 'replace_replicated', 'REPLICA ', 'BEFORE INSERT ON zentry_notify.event_wording FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text)) EXECUTE FUNCTION zentry_notify.replace_event_wording()'),
           ('notification_log', 'write_log', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE ON zentry_notify.notification_log FOR EACH ROW EXECUTE FUNCTION zentry_notify.write_log()'),
           ('route_cursor', 'restore_cursor', '', 'BEFORE INSERT ON zentry_notify.route_cursor FOR EACH ROW WHEN ((CURRENT_USER <> ''zentry_notify_agent''::name)) EXECUTE FUNCTION zentry_notify.restore_cursor()'),
           ('webhook', 'check_webhook', '', 'BEFORE INSERT OR UPDATE ON zentry_notify.webhook FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_webhook()'),
           ('webhook', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.webhook FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.webhook FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook', 'forget_webhook', 'ALWAYS ', 'AFTER DELETE ON zentry_notify.webhook FOR EACH ROW EXECUTE FUNCTION zentry_notify.forget_webhook()'),
           ('webhook', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.webhook FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('webhook', 'tell_of_trouble', '', 'AFTER UPDATE OF switched_off_at ON zentry_notify.webhook FOR EACH ROW WHEN (((old.switched_off_at IS NULL) AND (new.switched_off_at IS NOT NULL))) EXECUTE FUNCTION zentry_notify.tell_of_switching_off()'),
           ('webhook_circuit', 'tell_of_trouble', '', 'AFTER INSERT ON zentry_notify.webhook_circuit FOR EACH ROW WHEN ((new.failures > 0)) EXECUTE FUNCTION zentry_notify.tell_of_failing()'),
           ('webhook_circuit', 'tell_of_trouble_again', '', 'AFTER UPDATE ON zentry_notify.webhook_circuit FOR EACH ROW WHEN (((old.failures = 0) AND (new.failures > 0))) EXECUTE FUNCTION zentry_notify.tell_of_failing()'),
           ('webhook_count', 'add_count', '', 'BEFORE INSERT ON zentry_notify.webhook_count FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0))) EXECUTE FUNCTION zentry_notify.add_count()'),
           ('webhook_integration', 'write_integration', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE ON zentry_notify.webhook_integration FOR EACH ROW EXECUTE FUNCTION zentry_notify.write_integration()'),
           ('webhook_secret', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.webhook_secret FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook_secret', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.webhook_secret FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook_state', 'tell_of_trouble', '', 'AFTER INSERT OR UPDATE OF expired_at ON zentry_notify.webhook_state FOR EACH ROW WHEN ((new.expired_at IS NOT NULL)) EXECUTE FUNCTION zentry_notify.tell_of_expiry()')
     UNION ALL
    SELECT relation, 'drop_replicated', 'REPLICA ',
           format('BEFORE INSERT OR DELETE OR UPDATE ON zentry_notify.%s FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text)) EXECUTE FUNCTION zentry_notify.drop_replicated()', relation)
      FROM unnest('{api_token,audit_entry,deleted_webhook,delivery,delivery_stat,event,event_detail,event_source,legacy_delivery,progress_note,project_progress,route_cursor,webhook_circuit,webhook_count,webhook_state}'::name[]) relation
     UNION ALL
    SELECT relation, t.name, '', format(t.definition, relation)
      FROM unnest('{api_token,event_source,event_type,event_wording,webhook,webhook_secret}'::name[]) relation,
           (VALUES ('audit'::name, 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.%s FOR EACH ROW EXECUTE FUNCTION zentry_notify.audit()'),
                   ('audit_emptied', 'AFTER TRUNCATE ON zentry_notify.%s FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.audit()')) t (name, definition)
$$;
COMMENT ON FUNCTION zentry_notify.own_triggers() IS
    'The triggers of the extension''s tables and views: what ENABLE has to say before TRIGGER, and the statement that makes it, behind CREATE TRIGGER and its name';
