-- The audit log: triggers on the tables of the configuration write who changed what into audit_entry.

-- The function that the triggers below call. A definer function does not see who calls it, so it goes by the session: who logged in, and
-- the role that SET ROLE has set. The server names its token, and is believed if it may look tokens up and acts as that token's role. No
-- statement here holds a secret, since statements, plans and their parameters can be logged. The indexes are used whatever the tables' size: a session keeps the plans that it made while
-- they were small, and may go on to register thousands of webhooks. Nothing is compiled: the planner puts a price on a
-- scan that it is not to use which would ask for that.
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
        -- A dump brings its own entries, and nobody has changed what comes with the extension. A session that could do neither is not
        -- believed.
        IF zentry_notify.is_restoring() AND pg_has_role(acting_oid, (SELECT c.relowner FROM pg_class c WHERE c.oid = relation), 'USAGE')
           AND (tg_op = 'INSERT' AND pg_trigger_depth() = 1 OR object_type = 'event_source' AND pg_trigger_depth() = 2) THEN
            RETURN;
        END IF;
        -- Columns that a row keeps itself, and that the worker writes, are no configuration.
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
        -- A URL that was set as a title or a name by mistake is not kept when that is corrected. That of the webhook itself is redacted already.
        IF strpos(concat(CASE WHEN is_secret THEN changes - 'webhook_url' ELSE changes END, object_name), '://') > 0 THEN
            FOR known IN SELECT s.webhook_url AS url, zentry_notify.redact_url(s.webhook_url) AS shown
                           FROM zentry_notify.webhook_secret s WHERE strpos(changes::text, s.webhook_url) > 0 LOOP
                changes := replace(changes::text, known.url, known.shown);
                object_name := replace(object_name, known.url, known.shown);
            END LOOP;
        END IF;
        -- A webhook and its secrets are one object to people: a statement that writes both makes one entry.
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
    'Writes into audit_entry the values of a row that have changed, old and new; changed: keys that changed although they look the same';

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
COMMENT ON FUNCTION zentry_notify.audit_webhook() IS 'Trigger: records in audit_entry who changes what of a webhook';

-- What handles a secret is a simple expression, which has no plan and is in no log.
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
    -- The secrets go with their webhook.
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, before, after, 'webhook', id::text, webhook_id => id, changed => changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_webhook_secret() IS 'Trigger: records in audit_entry, with the webhook, that a URL, a signing secret or headers change';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_type', coalesce(NEW.name, OLD.name), coalesce(NEW.name, OLD.name));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_type() IS 'Trigger: records in audit_entry who changes what of an event type';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_source() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_source', coalesce(NEW.event_type, OLD.event_type),
                                       coalesce(NEW.relation, OLD.relation)::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_source() IS 'Trigger: records in audit_entry who changes what of an event source';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'wording', coalesce(NEW.event_type, OLD.event_type),
                                       webhook_id => coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_wording() IS 'Trigger: records in audit_entry who changes what of a wording';

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
COMMENT ON FUNCTION zentry_notify.audit_api_token() IS 'Trigger: records in audit_entry who changes what of an API token';

CREATE OR REPLACE FUNCTION zentry_notify.audit_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, NULL, NULL,
        CASE TG_TABLE_NAME WHEN 'webhook_secret' THEN 'webhook' WHEN 'event_wording' THEN 'wording' ELSE TG_TABLE_NAME END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_truncate() IS 'Trigger: records in audit_entry who truncates a table of the configuration';
