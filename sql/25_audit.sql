-- The audit log: triggers on the tables of the configuration write who changed what into audit_entry.

-- The function that the triggers below call. A definer function does not see its caller, so the entry has the role that logged in and the role
-- that SET ROLE has set. The server names its token in a setting, which counts if the session may look tokens up and acts as the token's role. No
-- statement here contains a secret, since statements, plans and their parameters can be logged. Sequential scans are disabled, because a
-- session keeps the plans that it made while the tables were small, and may then register thousands of webhooks. JIT is off, because the cost
-- that the planner adds to a disabled scan would trigger it.
CREATE OR REPLACE FUNCTION zentry_notify.audit_change(
    tg_op text, relation regclass, before jsonb, after jsonb, object_type text, object_key text DEFAULT NULL, object_name text DEFAULT NULL,
    webhook_id bigint DEFAULT NULL, changed text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    acting     name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    -- Null: the table has been renamed meanwhile.
    acting_oid oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = acting);
    is_secret  boolean := relation = 'zentry_notify.webhook_secret'::regclass;
    changes    jsonb := '{}';
    known      record;
BEGIN
    IF tg_op <> 'TRUNCATE' THEN
        -- Rows that a dump restores and rows of the extension's script are not logged. This holds only for sessions that have the owner's
        -- privileges, which both need.
        IF zentry_notify.is_restoring() AND pg_has_role(acting_oid, (SELECT c.relowner FROM pg_class c WHERE c.oid = relation), 'USAGE')
           AND (tg_op = 'INSERT' AND pg_trigger_depth() = 1 OR object_type = 'event_source' AND pg_trigger_depth() = 2) THEN
            RETURN;
        END IF;
        -- Columns that triggers or the worker set are not configuration.
        SELECT coalesce(jsonb_object_agg(c.key, jsonb_build_object('old', c.old, 'new', c.new)), '{}') INTO changes
          FROM (SELECT coalesce(o.key, n.key) AS key, nullif(o.value, 'null') AS old, nullif(n.value, 'null') AS new
                  FROM jsonb_each(CASE tg_op WHEN 'INSERT' THEN '{}' ELSE before END) o
                  FULL JOIN jsonb_each(CASE tg_op WHEN 'DELETE' THEN '{}' ELSE after END) n ON n.key = o.key) c
         WHERE (c.old IS DISTINCT FROM c.new OR c.key = ANY (changed))
           AND c.key <> ALL ('{created_at,updated_at,activated_at,switched_off_at,suspended_at,suspended_reason,written_by_oid}')
           AND (c.key <> 'id' OR object_type = 'webhook');
        IF changes = '{}' THEN
            RETURN;
        END IF;
        IF object_name IS NULL AND webhook_id IS NOT NULL THEN
            object_name := (SELECT w.name FROM zentry_notify.webhook w WHERE w.id = webhook_id);
        END IF;
        -- A URL that was set as a title or a name by mistake is redacted, so that it is gone once that is corrected. webhook_url is redacted already.
        IF strpos(concat(CASE WHEN is_secret THEN changes - 'webhook_url' ELSE changes END, object_name), '://') > 0 THEN
            FOR known IN SELECT s.webhook_url AS url, zentry_notify.redact_url(s.webhook_url) AS shown
                           FROM zentry_notify.webhook_secret s WHERE strpos(changes::text, s.webhook_url) > 0 LOOP
                changes := replace(changes::text, known.url, known.shown);
                object_name := replace(object_name, known.url, known.shown);
            END LOOP;
        END IF;
        -- A webhook and its secrets are logged as one object: a statement that writes both creates one entry.
        IF is_secret THEN
            UPDATE zentry_notify.audit_entry e
               SET changes = e.changes || (SELECT jsonb_object_agg(c.key, c.value || jsonb_build_object('old', coalesce(e.changes -> c.key, c.value) -> 'old'))
                                             FROM jsonb_each(changes) c)
             WHERE e.id = (SELECT l.id FROM zentry_notify.audit_entry l
                            WHERE l.changed_at >= statement_timestamp() AND l.object_type = 'webhook' AND l.webhook_id = audit_change.webhook_id
                              AND l.transaction = pg_current_xact_id() AND l.role_name = acting
                            ORDER BY l.changed_at DESC LIMIT 1);
            IF FOUND THEN
                RETURN;
            END IF;
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
            object_type, object_key, object_name, webhook_id,
            CASE WHEN is_secret AND tg_op <> 'TRUNCATE' THEN 'update' ELSE lower(tg_op) END, changes);
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_change(text, regclass, jsonb, jsonb, text, text, text, bigint, text[]) IS
    'Writes the changed values of a row, old and new, into audit_entry; changed: keys that have changed although their values look the same (secrets)';

-- There is one trigger function for each table: it says which columns are logged, and the name of the object.
CREATE OR REPLACE FUNCTION zentry_notify.audit_webhook() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'webhook', coalesce(NEW.id, OLD.id)::text, coalesce(NEW.name, OLD.name),
                                       coalesce(NEW.id, OLD.id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_webhook() IS 'Trigger: records changes of a webhook in audit_entry';

-- Secrets are only used in simple expressions, which PL/pgSQL evaluates without a statement that could be logged.
CREATE OR REPLACE FUNCTION zentry_notify.audit_webhook_secret() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
DECLARE
    id      bigint := coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id);
    before  jsonb := jsonb_build_object('webhook_url', zentry_notify.redact_url(OLD.webhook_url),
                                        'signing_secret', CASE WHEN OLD.signing_secret IS NOT NULL THEN '***' END,
                                        'headers', jsonb_path_query_array(OLD.headers, '$.keyvalue().key'));
    after   jsonb := jsonb_build_object('webhook_url', zentry_notify.redact_url(NEW.webhook_url),
                                        'signing_secret', CASE WHEN NEW.signing_secret IS NOT NULL THEN '***' END,
                                        'headers', jsonb_path_query_array(NEW.headers, '$.keyvalue().key'));
    changed text[] := array_remove(ARRAY[CASE WHEN OLD.webhook_url IS DISTINCT FROM NEW.webhook_url THEN 'webhook_url' END,
                                         CASE WHEN OLD.signing_secret IS DISTINCT FROM NEW.signing_secret THEN 'signing_secret' END,
                                         CASE WHEN OLD.headers IS DISTINCT FROM NEW.headers THEN 'headers' END], NULL);
BEGIN
    -- The row was deleted with its webhook, which is logged.
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, before, after, 'webhook', id::text, webhook_id => id, changed => changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_webhook_secret() IS 'Trigger: records in audit_entry, as changes of the webhook, that a URL, a signing secret or headers have changed';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_type', coalesce(NEW.name, OLD.name), coalesce(NEW.name, OLD.name));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_type() IS 'Trigger: records changes of an event type in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_source() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_source', coalesce(NEW.event_type, OLD.event_type),
                                       coalesce(NEW.relation, OLD.relation)::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_source() IS 'Trigger: records changes of an event source in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'wording', coalesce(NEW.event_type, OLD.event_type),
                                       webhook_id => coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_wording() IS 'Trigger: records changes of a wording in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_api_token() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
DECLARE
    before  jsonb := to_jsonb(OLD) - '{token_hash,last_used_at,role_oid}'::text[];
    after   jsonb := to_jsonb(NEW) - '{token_hash,last_used_at,role_oid}'::text[];
    changed text[] := '{}';
BEGIN
    IF OLD.token_hash IS DISTINCT FROM NEW.token_hash THEN
        before := before || '{"token_hash": "***"}';
        after := after || '{"token_hash": "***"}';
        changed := '{token_hash}';
    END IF;
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, before, after, 'api_token', coalesce(NEW.token_key, OLD.token_key), coalesce(NEW.name, OLD.name),
                                       changed => changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_api_token() IS 'Trigger: records changes of an API token in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, NULL, NULL,
        CASE TG_TABLE_NAME WHEN 'webhook_secret' THEN 'webhook' WHEN 'event_wording' THEN 'wording' ELSE TG_TABLE_NAME END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_truncate() IS 'Trigger: records a TRUNCATE of a table of the configuration in audit_entry';
