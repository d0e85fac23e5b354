-- Written by scripts/upgrade-step from sql/steps/0.1.0--0.2.0.sql: change that, or the files that it includes.

-- From 0.1.0 to 0.2.0. What is structural stands here; what can be run again comes from the files of the installation.

-- As in 01_schema.sql: nothing that somebody put into the extension's schema must become part of ours.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

DO $$
BEGIN
    CREATE FUNCTION zentry_notify.library_version() RETURNS text
        LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'zentry_notify: the server still runs the library of an earlier version'
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
END
$$;

-- ---- steps/lock.sql ----

-- Everything that the step changes, before it changes anything. Writers hold some of these tables until they commit and may want
-- others meanwhile, so whoever waits for them with others in hand may deadlock, and the application must not be the one that loses:
-- the step waits for less than deadlock_timeout, gives back what it has, and tries again.
DO $$
DECLARE
    attached text;
    deadline timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) '60 seconds'::pg_catalog.interval;
    before   text := pg_catalog.current_setting('lock_timeout');
BEGIN
    SELECT pg_catalog.string_agg(DISTINCT s.relation::pg_catalog.text, ', ') INTO attached
      FROM zentry_notify.event_source s
     WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) s.relation);
    PERFORM pg_catalog.set_config('lock_timeout', '300ms', true);
    LOOP
        BEGIN
            IF attached IS NOT NULL THEN
                EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', attached);
            END IF;
            LOCK TABLE zentry_notify.notification_log, zentry_notify.event_source, zentry_notify.webhook_integration,
                zentry_notify.webhook_circuit, zentry_notify.webhook_count, zentry_notify.progress_note,
                zentry_notify.project_progress, zentry_notify.event_type IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) deadline THEN
                RAISE EXCEPTION 'zentry_notify: the tables that the update changes were in use for a minute'
                    USING ERRCODE = 'lock_not_available', HINT = 'End the long transactions that write to them, then repeat the command. Nothing was changed.';
            END IF;
            PERFORM pg_catalog.pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('lock_timeout', before, true);
END
$$;

ALTER TABLE zentry_notify.event_source ADD transition jsonb;
COMMENT ON COLUMN zentry_notify.event_source.transition IS
    'What an UPDATE has to change: {"column": column}, or {"column": column, "to": text} when only that value fires. WHEN asks whether it changed, the trigger what it became: each constant in a WHEN costs every write';
DROP FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text);

-- ---- 06_rust_functions.sql ----

-- The functions that are written in Rust; src/ has them under the same names.

CREATE OR REPLACE FUNCTION zentry_notify.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'capture_wrapper';
COMMENT ON FUNCTION zentry_notify.capture() IS 'Trigger on application tables: writes a pending delivery for each integration that subscribes to the event';

CREATE OR REPLACE FUNCTION zentry_notify.configuration_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'configuration_changed_wrapper';
COMMENT ON FUNCTION zentry_notify.configuration_changed() IS 'Trigger on our own tables: every session and the worker read them again';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_url(webhook_type text, webhook_url text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_url_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_url(text, text) IS 'An error unless it is the URL of such a webhook and zentry_notify.allowed_hosts lets it pass';

CREATE OR REPLACE FUNCTION zentry_notify.redact_url(webhook_url text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'redact_url_wrapper';
COMMENT ON FUNCTION zentry_notify.redact_url(text) IS 'The URL without its secret';

CREATE OR REPLACE FUNCTION zentry_notify.sample_event(event_type text) RETURNS jsonb
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'sample_event_wrapper';
COMMENT ON FUNCTION zentry_notify.sample_event(text) IS 'Realistic data of the event; null for an unknown type';

CREATE OR REPLACE FUNCTION zentry_notify.wake(webhook_ids bigint[], overdue boolean DEFAULT false) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_wrapper';
COMMENT ON FUNCTION zentry_notify.wake(bigint[], boolean) IS
    'At commit, lets the worker look at what waits for these integrations; overdue: also at those that wait to be tried again';

CREATE OR REPLACE FUNCTION zentry_notify.warn_unless_preloaded() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'warn_unless_preloaded_wrapper';
COMMENT ON FUNCTION zentry_notify.warn_unless_preloaded() IS 'A warning when nothing will be sent because shared_preload_libraries lacks zentry_notify';

CREATE OR REPLACE FUNCTION zentry_notify.library_version() RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION zentry_notify.library_version() IS
    'The version of the library that this session has loaded; pg_extension.extversion is that of the SQL, and both have to be the same';

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_webhook(webhook_id bigint, test_message text DEFAULT 'Test message from Zentry!')
    RETURNS TABLE (log_id bigint, status text, response_status_code integer, error_message text)
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1
    AS 'MODULE_PATHNAME', 'zentry_test_webhook_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_test_webhook(bigint, text) IS
    'Posts a message to the webhook at once, waits for the answer and returns what became of it; the log has it too';
-- ---- 07_triggers.sql ----

-- The triggers on our own tables, with their functions: rules before, news after. (A trigger is dropped first because OR REPLACE
-- came with PostgreSQL 14.)

-- The rules of a row, for every way in. The URL's own are in Rust (check_webhook_url).
CREATE OR REPLACE FUNCTION zentry_notify.check_integration() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text;
    unknown text;
    known   text;
    refusal text;
    remedy  text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
    END IF;
    -- Postgres' own errors of the constraints would show the row, and so the secret in it.
    SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) INTO missing
      FROM pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND a.attnotnull AND to_jsonb(NEW) -> a.attname::text = 'null';
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a webhook must not be null', missing
            USING ERRCODE = 'not_null_violation', HINT = 'Leave it out for its default.';
    END IF;
    IF NEW.max_events_per_message NOT BETWEEN 1 AND 10 THEN
        RAISE EXCEPTION 'max_events_per_message must be 1 to 10, not %', NEW.max_events_per_message
            USING ERRCODE = 'check_violation', COLUMN = 'max_events_per_message', HINT = 'A message has room for ten events.';
    END IF;
    IF NEW.min_interval NOT BETWEEN '0' AND '1 day' THEN
        RAISE EXCEPTION 'min_interval must be 0 to 1 day, not %', NEW.min_interval
            USING ERRCODE = 'check_violation', COLUMN = 'min_interval', HINT = '0 sends as fast as the vendor lets us.';
    END IF;
    IF NEW.max_age <= '0' THEN
        RAISE EXCEPTION 'max_age must be longer than 0, not %', NEW.max_age
            USING ERRCODE = 'check_violation', COLUMN = 'max_age', HINT = 'Null stands for zentry_notify.max_age.';
    END IF;
    IF btrim(NEW.name) = '' THEN
        RAISE EXCEPTION 'the name of a webhook must not be empty'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name', HINT = 'Give it a name that its team knows, such as ''Backend channel''.';
    END IF;
    IF NEW.webhook_type NOT IN ('discord', 'teams') THEN
        RAISE EXCEPTION 'unknown webhook type "%"', NEW.webhook_type
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'webhook_type', HINT = 'The types are discord and teams.';
    END IF;
    IF TG_OP = 'INSERT' OR NEW.webhook_url <> OLD.webhook_url OR NEW.webhook_type <> OLD.webhook_type THEN
        BEGIN
            PERFORM zentry_notify.check_webhook_url(NEW.webhook_type, NEW.webhook_url);
        EXCEPTION WHEN invalid_parameter_value THEN
            GET STACKED DIAGNOSTICS refusal = MESSAGE_TEXT, remedy = PG_EXCEPTION_HINT;
            RAISE EXCEPTION '%', refusal USING ERRCODE = 'invalid_parameter_value', COLUMN = 'webhook_url',
                HINT = coalesce(nullif(remedy, ''), 'Copy it from Discord or Teams once more.');
        END;
    END IF;

    IF TG_OP = 'INSERT' OR NEW.event_types IS DISTINCT FROM OLD.event_types THEN
        IF jsonb_typeof(NEW.event_types) IS DISTINCT FROM 'array'
           OR EXISTS (SELECT FROM jsonb_array_elements(NEW.event_types) AS e WHERE jsonb_typeof(e) <> 'string') THEN
            RAISE EXCEPTION 'event_types must be a JSON array of names'
                USING ERRCODE = 'invalid_parameter_value', COLUMN = 'event_types', HINT = 'For example ["task_completed", "badge_earned"], or ["*"] for all.';
        END IF;
        SELECT string_agg(format('"%s"', e), ', ' ORDER BY e) INTO unknown
          FROM jsonb_array_elements_text(NEW.event_types) AS e
         WHERE e <> '*' AND NOT EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = e);
        IF unknown IS NOT NULL THEN
            SELECT string_agg(t.name, ', ' ORDER BY t.name) INTO known FROM zentry_notify.event_type t;
            RAISE EXCEPTION 'unknown event type %', unknown
                USING ERRCODE = 'invalid_parameter_value', COLUMN = 'event_types', HINT = format('The event types are %s; * stands for all.', known);
        END IF;
    END IF;

    IF TG_OP = 'UPDATE' THEN
        IF NEW.webhook_url <> OLD.webhook_url OR (NEW.is_active AND NOT OLD.is_active) THEN
            -- A mended URL brings back what a broken one had switched off.
            NEW.is_active := NEW.is_active OR OLD.switched_off_at IS NOT NULL;
            NEW.switched_off_at := NULL;
            NEW.switched_off_reason := NULL;
            NEW.activated_at := clock_timestamp();
            DELETE FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = NEW.id;
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_integration() IS 'Trigger: the rules of a row of webhook_integration';

DROP TRIGGER IF EXISTS check_integration ON zentry_notify.webhook_integration;
CREATE TRIGGER check_integration BEFORE INSERT OR UPDATE ON zentry_notify.webhook_integration
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_integration();

CREATE OR REPLACE FUNCTION zentry_notify.forget_integration() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.notification_log l USING gone WHERE l.webhook_integration_id = gone.id;
    DELETE FROM zentry_notify.webhook_circuit c USING gone WHERE c.webhook_integration_id = gone.id;
    DELETE FROM zentry_notify.webhook_count c USING gone WHERE c.webhook_integration_id = gone.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_integration() IS 'Trigger: the log and the state of an integration go with it';

DROP TRIGGER IF EXISTS forget_integration ON zentry_notify.webhook_integration;
CREATE TRIGGER forget_integration AFTER DELETE ON zentry_notify.webhook_integration
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.forget_integration();

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

-- Every session keeps subscriptions and sources in memory; these tell them to look again.
DROP TRIGGER IF EXISTS configuration_changed ON zentry_notify.webhook_integration;
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON zentry_notify.webhook_integration
    FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed();
DROP TRIGGER IF EXISTS configuration_changed ON zentry_notify.event_source;
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON zentry_notify.event_source
    FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed();
-- ---- 08_views.sql ----

-- What people look at. No secret is in here.

CREATE OR REPLACE VIEW zentry_notify.webhooks AS
SELECT w.id,
       w.name,
       w.webhook_type,
       zentry_notify.redact_url(w.webhook_url) AS webhook_url,
       w.project_id,
       w.event_types,
       w.is_active,
       CASE WHEN w.switched_off_at IS NOT NULL THEN 'gone'
            WHEN NOT w.is_active THEN 'off'
            WHEN c.webhook_integration_id IS NOT NULL THEN 'failing'
            ELSE 'active' END AS state,
       coalesce(w.switched_off_at, c.opened_at) AS state_since,
       coalesce(w.switched_off_reason, c.error_message) AS reason,
       CASE WHEN w.is_active THEN c.next_try_at END AS next_try_at,
       (SELECT count(*) FROM zentry_notify.notification_log l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('pending', 'retry')) AS pending,
       coalesce(n.sent, 0) AS sent,
       coalesce(n.failed, 0) AS failed,
       greatest(n.last_sent_at, n.last_failed_at) AS last_delivery_at,
       CASE WHEN n.last_sent_at >= n.last_failed_at OR n.last_failed_at IS NULL AND n.last_sent_at IS NOT NULL THEN 'sent'
            WHEN n.last_failed_at IS NOT NULL THEN 'failed' END AS last_status,
       w.created_by_id,
       w.max_events_per_message,
       w.min_interval,
       w.max_age,
       w.created_at,
       w.updated_at
  FROM zentry_notify.webhook_integration w
  LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
  LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id;
COMMENT ON VIEW zentry_notify.webhooks IS 'Integrations with their state and counts; the URL without its secret';
COMMENT ON COLUMN zentry_notify.webhooks.id IS 'Number of the integration';
COMMENT ON COLUMN zentry_notify.webhooks.name IS 'Its name';
COMMENT ON COLUMN zentry_notify.webhooks.webhook_type IS 'discord or teams';
COMMENT ON COLUMN zentry_notify.webhooks.webhook_url IS 'Where it posts to, without the secret';
COMMENT ON COLUMN zentry_notify.webhooks.project_id IS 'The project whose events are sent; null: every project''s';
COMMENT ON COLUMN zentry_notify.webhooks.event_types IS 'The events it hears; ["*"]: all';
COMMENT ON COLUMN zentry_notify.webhooks.is_active IS 'Whether it hears anything';
COMMENT ON COLUMN zentry_notify.webhooks.state IS 'active; failing: keeps failing, tried at growing intervals; gone: the endpoint does not exist any more, switched off; off: switched off by hand';
COMMENT ON COLUMN zentry_notify.webhooks.state_since IS 'Since when it is failing or gone';
COMMENT ON COLUMN zentry_notify.webhooks.reason IS 'Why it is failing or gone';
COMMENT ON COLUMN zentry_notify.webhooks.next_try_at IS 'When a failing one is tried again';
COMMENT ON COLUMN zentry_notify.webhooks.pending IS 'Deliveries that wait';
COMMENT ON COLUMN zentry_notify.webhooks.sent IS 'Deliveries that arrived, since it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.failed IS 'Deliveries that were given up, since it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.last_delivery_at IS 'When the last delivery was sent or given up';
COMMENT ON COLUMN zentry_notify.webhooks.last_status IS 'sent or failed: what became of the last delivery';
COMMENT ON COLUMN zentry_notify.webhooks.created_by_id IS 'The application''s user who registered it';
COMMENT ON COLUMN zentry_notify.webhooks.max_events_per_message IS 'How many waiting events may leave as one message';
COMMENT ON COLUMN zentry_notify.webhooks.min_interval IS 'The shortest time between two messages';
COMMENT ON COLUMN zentry_notify.webhooks.max_age IS 'Age at which its deliveries expire; null: zentry_notify.max_age';
COMMENT ON COLUMN zentry_notify.webhooks.created_at IS 'When it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.updated_at IS 'When it was changed last';

CREATE OR REPLACE VIEW zentry_notify.logs AS
SELECT l.id,
       l.webhook_integration_id,
       w.name AS webhook_integration_name,
       w.webhook_type,
       l.event_type,
       l.payload,
       l.status,
       l.response_status_code,
       l.response_body,
       l.error_message,
       l.retry_count,
       l.attempts,
       l.created_at,
       l.sent_at,
       l.next_attempt_at,
       l.retry_of
  FROM zentry_notify.notification_log l
  LEFT JOIN zentry_notify.webhook_integration w ON w.id = l.webhook_integration_id;
COMMENT ON VIEW zentry_notify.logs IS 'The log with the name and the type of each delivery''s integration';
COMMENT ON COLUMN zentry_notify.logs.webhook_integration_name IS 'The integration''s name';
COMMENT ON COLUMN zentry_notify.logs.webhook_type IS 'discord or teams';

-- The rest are the log's own columns, described once.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS text
               FROM pg_catalog.pg_attribute a
              WHERE a.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.notification_log'::pg_catalog.regclass
                AND a.attnum OPERATOR(pg_catalog.>) 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN zentry_notify.logs.%I IS %L', c.attname, c.text);
    END LOOP;
END
$$;
-- ---- 09_webhook_functions.sql ----

-- Register, change and delete webhooks. The rules are the table's (check_integration).

CREATE OR REPLACE FUNCTION zentry_notify.no_such_webhook(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF webhook_id IS NULL THEN
        RAISE EXCEPTION 'the webhook''s id must not be null' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'SELECT id, name FROM zentry_notify.webhooks lists them.';
    END IF;
    RAISE EXCEPTION 'there is no webhook with id %', webhook_id USING ERRCODE = 'no_data_found',
        HINT = 'SELECT id, name FROM zentry_notify.webhooks lists them.';
END
$$;
COMMENT ON FUNCTION zentry_notify.no_such_webhook(bigint) IS 'Raises the error for an id that is null or unknown';

CREATE OR REPLACE FUNCTION @extschema@.zentry_register_webhook(
    name text, webhook_type text, webhook_url text, project_id bigint DEFAULT NULL,
    event_types text[] DEFAULT NULL, is_active boolean DEFAULT true, created_by_id bigint DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id bigint;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    INSERT INTO zentry_notify.webhook_integration AS w
           (name, webhook_type, webhook_url, project_id, event_types, is_active, created_by_id)
    VALUES (zentry_notify.not_null(name, 'name'), left(zentry_notify.not_null(webhook_type, 'webhook_type'), 20),
            zentry_notify.not_null(webhook_url, 'webhook_url'), project_id,
            coalesce(to_jsonb(event_types), '["*"]'), coalesce(is_active, true), created_by_id)
    RETURNING w.id INTO id;
    RETURN id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_register_webhook(text, text, text, bigint, text[], boolean, bigint) IS
    'Registers a webhook and returns its id. webhook_type: discord or teams; project_id null: every project; event_types null: all';

CREATE OR REPLACE FUNCTION @extschema@.zentry_update_webhook(
    webhook_id bigint, name text DEFAULT NULL, webhook_type text DEFAULT NULL, webhook_url text DEFAULT NULL,
    project_id bigint DEFAULT NULL, event_types text[] DEFAULT NULL, is_active boolean DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    UPDATE zentry_notify.webhook_integration AS w
       SET name = coalesce(name, w.name),
           webhook_type = coalesce(left(webhook_type, 20), w.webhook_type),
           webhook_url = coalesce(webhook_url, w.webhook_url),
           project_id = CASE project_id WHEN 0 THEN NULL ELSE coalesce(project_id, w.project_id) END,
           event_types = coalesce(to_jsonb(event_types), w.event_types),
           is_active = coalesce(is_active, w.is_active)
     WHERE w.id = webhook_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_update_webhook(bigint, text, text, text, bigint, text[], boolean) IS
    'Changes what is given and leaves the rest; project_id 0: every project; a new URL or is_active => true brings back a webhook that was switched off';

CREATE OR REPLACE FUNCTION @extschema@.zentry_delete_webhook(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_delete_webhook(bigint) IS 'Deletes a webhook with its log and whatever still waits for it';

CREATE OR REPLACE FUNCTION zentry_notify.not_null(value text, parameter text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL THEN
        RAISE EXCEPTION '% must not be null', parameter USING ERRCODE = 'null_value_not_allowed', COLUMN = parameter,
            HINT = 'zentry_register_webhook(name, webhook_type, webhook_url) needs all three.';
    END IF;
    RETURN value;
END
$$;
COMMENT ON FUNCTION zentry_notify.not_null(text, text) IS 'The value, or an error that names the parameter';

CREATE OR REPLACE FUNCTION zentry_notify.check_length(value text, maximum integer, parameter text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF length(value) > maximum THEN
        RAISE EXCEPTION '% must not be longer than % characters', parameter, maximum
            USING ERRCODE = 'string_data_right_truncation', COLUMN = parameter, DETAIL = format('It has %s.', length(value)), HINT = 'Shorten it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_length(text, integer, text) IS 'An error that names the parameter when the value is too long';
-- ---- 10_delivery_functions.sql ----

-- Sample events, and deliveries sent anew.

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_event(event_type text DEFAULT 'task_completed', project_id bigint DEFAULT NULL) RETURNS SETOF bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    data    jsonb;
    project bigint := zentry_test_event.project_id;
    ids     bigint[];
    lanes   bigint[];
BEGIN
    SELECT zentry_notify.sample_event(t.name) INTO data FROM zentry_notify.event_type t WHERE t.name = zentry_test_event.event_type;
    IF data IS NULL THEN
        RAISE EXCEPTION 'unknown event type "%"', coalesce(zentry_test_event.event_type, '(null)')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('The event types are %s.', (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM zentry_notify.event_type t));
    END IF;
    IF project IS NULL THEN
        SELECT min(w.project_id) INTO project FROM zentry_notify.webhook_integration w WHERE w.is_active;
    END IF;
    IF data ? 'project_id' AND project IS NOT NULL THEN
        data := jsonb_set(data, '{project_id}', to_jsonb(project));
    END IF;

    WITH queued AS (
        INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload)
        SELECT w.id, zentry_test_event.event_type, data
          FROM zentry_notify.webhook_integration w
         WHERE w.is_active
           AND w.event_types ?| ARRAY['*', zentry_test_event.event_type]
           AND (w.project_id IS NULL OR w.project_id = project OR zentry_test_event.event_type = 'project_created')
         ORDER BY w.id
        RETURNING id, webhook_integration_id)
    SELECT array_agg(q.id ORDER BY q.id), array_agg(q.webhook_integration_id) INTO ids, lanes FROM queued q;

    PERFORM zentry_notify.wake(lanes);
    RETURN QUERY SELECT unnest(ids);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_test_event(text, bigint) IS
    'Queues a sample of the event for every active webhook that would hear it in that project (null: the first that has one) and returns the ids of the log';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry(log_id bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry  zentry_notify.notification_log;
    new_id bigint;
BEGIN
    SELECT l.* INTO entry FROM zentry_notify.notification_log l WHERE l.id = log_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no delivery with id %', coalesce(log_id::text, '(null)')
            USING ERRCODE = 'no_data_found', HINT = 'SELECT id, status FROM zentry_notify.logs ORDER BY id DESC lists them.';
    END IF;
    CASE entry.status
        WHEN 'retry' THEN
            UPDATE zentry_notify.notification_log l SET next_attempt_at = now() WHERE l.id = log_id;
            new_id := log_id;
        WHEN 'failed' THEN
            IF entry.retry_count >= 3 THEN
                RAISE EXCEPTION 'delivery % was already retried % times', log_id, entry.retry_count
                    USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('It last failed with: %s', entry.error_message),
                          HINT = 'Mend the cause first; a new event starts afresh.';
            END IF;
            SELECT l.id INTO new_id FROM zentry_notify.notification_log l
             WHERE l.id > log_id AND l.retry_of = log_id AND l.webhook_integration_id = entry.webhook_integration_id
               AND l.status IN ('pending', 'retry');
            IF FOUND THEN
                RAISE EXCEPTION 'delivery % is being retried already', log_id
                    USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('See delivery %s.', new_id);
            END IF;
            INSERT INTO zentry_notify.notification_log AS l (webhook_integration_id, event_type, payload, retry_count, retry_of)
            VALUES (entry.webhook_integration_id, entry.event_type, entry.payload, entry.retry_count + 1, log_id)
            RETURNING l.id INTO new_id;
        ELSE
            RAISE EXCEPTION 'delivery % cannot be retried: it is %', log_id,
                            CASE entry.status WHEN 'sent' THEN 'sent already' ELSE 'still waiting for its first try' END
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Only failed deliveries, and those that wait for their next attempt, can be retried.';
    END CASE;
    PERFORM zentry_notify.wake(ARRAY[entry.webhook_integration_id], entry.status = 'retry');
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_retry(bigint) IS
    'Sends a failed delivery again as a new one (at most 3 times along one chain) and returns its id; one that waits for its next attempt is made due now';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry_failed(webhook_id bigint DEFAULT NULL, event_type text DEFAULT NULL, since timestamptz DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    lanes bigint[];
    total bigint;
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    WITH queued AS (
        INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, retry_count, retry_of)
        SELECT l.webhook_integration_id, l.event_type, l.payload, l.retry_count + 1, l.id
          FROM zentry_notify.notification_log l
          JOIN zentry_notify.webhook_integration w ON w.id = l.webhook_integration_id AND w.is_active
         WHERE l.status = 'failed'
           AND l.retry_count < 3
           AND (webhook_id IS NULL OR l.webhook_integration_id = webhook_id)
           AND (zentry_retry_failed.event_type IS NULL OR l.event_type = zentry_retry_failed.event_type)
           AND (since IS NULL OR l.created_at >= since)
           AND NOT EXISTS (SELECT FROM zentry_notify.notification_log again WHERE again.retry_of = l.id)
         ORDER BY l.id
        RETURNING webhook_integration_id)
    SELECT count(*), array_agg(DISTINCT q.webhook_integration_id) INTO total, lanes FROM queued q;
    PERFORM zentry_notify.wake(lanes);
    RETURN total;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_retry_failed(bigint, text, timestamptz) IS
    'Sends all failed deliveries again that were not yet (optionally of one webhook, one event type, or created since) and returns how many';
-- ---- 11_attach.sql ----

-- Which tables fire what.

CREATE OR REPLACE FUNCTION zentry_notify.attach_source(
    event_type text, relation regclass, columns jsonb, audience jsonb, progress jsonb,
    insert_when text, update_when text, delete_when text, rider text, transition jsonb DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    operation  text;
    condition  text;
    trigger_of text;
    conditions jsonb := jsonb_build_object('insert', insert_when, 'update', update_when, 'delete', delete_when);
BEGIN
    INSERT INTO zentry_notify.event_source AS s (event_type, relation, columns, audience, progress, transition)
    VALUES (event_type, relation, columns, audience, progress, transition)
    ON CONFLICT ON CONSTRAINT event_source_relation_event_type_key DO UPDATE
       SET columns = EXCLUDED.columns, audience = EXCLUDED.audience, progress = EXCLUDED.progress, transition = EXCLUDED.transition,
           suspended_at = NULL, suspended_reason = NULL
     WHERE (s.columns, s.audience, s.progress, s.transition)
           IS DISTINCT FROM (EXCLUDED.columns, EXCLUDED.audience, EXCLUDED.progress, EXCLUDED.transition)
        OR s.suspended_at IS NOT NULL;

    FOR operation, condition IN SELECT * FROM jsonb_each_text(conditions) LOOP
        trigger_of := format('zentry_notify_%s_%s', event_type, operation);
        IF condition IS NULL THEN
            IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = trigger_of) THEN
                EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, relation);
            END IF;
        ELSE
            IF current_setting('server_version_num')::integer < 140000 THEN
                EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', trigger_of, relation);
            END IF;
            EXECUTE format('CREATE %s TRIGGER %I AFTER %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION zentry_notify.capture(%s)',
                           CASE WHEN current_setting('server_version_num')::integer >= 140000 THEN 'OR REPLACE' END,
                           trigger_of, operation || CASE operation WHEN 'update' THEN zentry_notify.named_column(relation, transition) ELSE '' END,
                           relation, condition, concat_ws(', ', quote_literal(event_type), quote_literal(rider)));
            -- DROP EXTENSION takes the trigger with it and asks for no CASCADE.
            EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', trigger_of, relation);
            EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_of, relation, format('Tells zentry_notify of %s', event_type));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text, jsonb) IS
    'Records a source and puts its triggers on the table; repeating it mends what was changed or suspended. rider: another source of the table that the same triggers serve, because each WHEN costs every write';

-- An UPDATE that does not name the column need not ask whether it changed, unless a BEFORE trigger may change it all the same.
-- Partitions and inheritors may get such triggers in more ways than are worth following.
CREATE OR REPLACE FUNCTION zentry_notify.named_column(relation regclass, transition jsonb) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN transition IS NULL OR c.relkind <> 'r' OR c.relispartition OR c.relhassubclass
                  OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 19 = 19) -- row, before, update
                THEN '' ELSE format(' OF %I', transition ->> 'column') END
      FROM pg_class c WHERE c.oid = relation
$$;
COMMENT ON FUNCTION zentry_notify.named_column(regclass, jsonb) IS 'The OF clause of a source''s update trigger, or an empty text where it would miss writes';

CREATE OR REPLACE FUNCTION zentry_notify.hear_every_update() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    narrow record;
BEGIN
    FOR narrow IN
        SELECT s.event_type, s.relation, t.tgname, obj_description(t.oid, 'pg_trigger') AS comment,
               replace(pg_get_triggerdef(t.oid), format(' UPDATE OF %I ON ', s.transition ->> 'column'), ' UPDATE ON ') AS definition
          FROM zentry_notify.event_source s
          JOIN pg_trigger t ON t.tgrelid = s.relation AND t.tgname = format('zentry_notify_%s_update', s.event_type)
         WHERE t.tgattr::text <> '' AND zentry_notify.named_column(s.relation, s.transition) = ''
    LOOP
        BEGIN
            EXECUTE format('DROP TRIGGER %I ON %s', narrow.tgname, narrow.relation);
            EXECUTE narrow.definition;
            EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', narrow.tgname, narrow.relation);
            EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', narrow.tgname, narrow.relation, narrow.comment);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'zentry_notify: % on table % may miss what a BEFORE trigger changes: %', narrow.event_type, narrow.relation, SQLERRM
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      HINT = 'The statement itself is not affected. Afterwards run: SELECT * FROM zentry_attach();';
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.hear_every_update() IS 'Event trigger: once a BEFORE trigger may change a column that an UPDATE does not name, our triggers on that table fire for every UPDATE';

DROP EVENT TRIGGER IF EXISTS zentry_notify_hear_every_update;
CREATE EVENT TRIGGER zentry_notify_hear_every_update ON ddl_command_end
    WHEN TAG IN ('CREATE TRIGGER', 'ALTER TABLE', 'CREATE TABLE')
    EXECUTE FUNCTION zentry_notify.hear_every_update();
COMMENT ON EVENT TRIGGER zentry_notify_hear_every_update IS 'Looks whether our triggers still fire for all that changes';

-- Zentry's own tables, as its Django migrations make them.
CREATE OR REPLACE VIEW zentry_notify.zentry_source AS
SELECT *
  FROM (VALUES
    ('task_completed', 'public.tasks_task',
     '{"task_id": "id", "task_title": "title", "task_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "assigned_to_id", "column": "username"},
       "user_id": "assigned_to_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "project_id": "project_id", "points": "experience_reward", "completed_at": "completed_at"}'::jsonb,
     '{"project": "project_id"}'::jsonb,
     NULL::jsonb,
     'NEW.status = ''completed''',
     'OLD.status IS DISTINCT FROM NEW.status',
     NULL, 'milestone_reached', '{"column": "status", "to": "completed"}'::jsonb),
    ('badge_earned', 'public.achievements_userbadge',
     '{"badge_id": "badge_id",
       "badge_name": {"from": "public.achievements_badge", "match": "id", "key": "badge_id", "column": "name"},
       "badge_description": {"from": "public.achievements_badge", "match": "id", "key": "badge_id", "column": "description"},
       "user_name": {"from": "public.users_user", "match": "id", "key": "user_id", "column": "username"},
       "user_id": "user_id", "earned_at": "earned_at"}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, 'true', NULL, NULL, NULL, NULL),
    ('project_created', 'public.tasks_project',
     '{"project_id": "id", "project_name": "name", "project_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "created_by_id", "column": "username"},
       "user_id": "created_by_id", "created_at": "created_at"}',
     '{"all": true}', NULL, 'true', NULL, NULL, NULL, NULL),
    ('milestone_reached', 'public.tasks_task',
     '{"project_id": "project_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "user_id": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"},
       "user_name": {"from": "public.users_user", "match": "id", "column": "username",
                     "key": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"}}}',
     '{"project": "project_id"}',
     '{"group": "project_id", "status": "status", "done": "completed"}',
     NULL, 'NEW.project_id IS DISTINCT FROM OLD.project_id', 'OLD.status IS DISTINCT FROM ''completed''', NULL,
     '{"column": "project_id"}'),
    ('daily_streak', 'public.users_user',
     '{"user_name": "username", "user_id": "id", "streak_days": "current_streak",
       "streak_type": {"value": "Daily task completion"}}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, NULL, 'NEW.current_streak > OLD.current_streak', NULL, NULL, '{"column": "current_streak"}')
  ) AS s (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition);
COMMENT ON VIEW zentry_notify.zentry_source IS 'How Zentry''s own tables become events; zentry_attach() puts it to work';

COMMENT ON COLUMN zentry_notify.zentry_source.event_type IS 'The event';
COMMENT ON COLUMN zentry_notify.zentry_source.relation IS 'Zentry''s table';
COMMENT ON COLUMN zentry_notify.zentry_source.columns IS 'As event_source.columns';
COMMENT ON COLUMN zentry_notify.zentry_source.audience IS 'As event_source.audience';
COMMENT ON COLUMN zentry_notify.zentry_source.progress IS 'As event_source.progress';
COMMENT ON COLUMN zentry_notify.zentry_source.insert_when IS 'WHEN of the insert trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.zentry_source.update_when IS 'WHEN of the update trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.zentry_source.delete_when IS 'WHEN of the delete trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.zentry_source.rider IS 'Another event of the table that these triggers serve too';
COMMENT ON COLUMN zentry_notify.zentry_source.transition IS 'As event_source.transition';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach() RETURNS TABLE (event_type text, relation text, state text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    source zentry_notify.zentry_source;
BEGIN
    FOR source IN SELECT * FROM zentry_notify.zentry_source LOOP
        event_type := source.event_type;
        relation := source.relation;
        IF to_regclass(source.relation) IS NULL THEN
            state := 'not found';
        ELSIF NOT zentry_notify.caller_owns(to_regclass(source.relation)) THEN
            state := 'not yours';
        ELSE
            PERFORM zentry_notify.attach_source(source.event_type, to_regclass(source.relation), source.columns, source.audience,
                                                source.progress, source.insert_when, source.update_when, source.delete_when, source.rider,
                                                source.transition);
            state := 'attached';
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_attach() IS
    'Puts the triggers of the five events on Zentry''s own tables, whichever exist, and mends what was suspended. Tables of other owners are left as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_detach(relation regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    trigger_of text;
BEGIN
    IF relation IS NULL OR NOT EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation) THEN
        RAISE EXCEPTION '% is not attached', coalesce(relation::text, '(null)')
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, relation FROM zentry_notify.event_source lists what is.';
    END IF;
    PERFORM zentry_notify.require_owner(relation);
    FOR trigger_of IN
        SELECT t.tgname FROM pg_trigger t
         WHERE t.tgrelid = relation AND t.tgfoid = 'zentry_notify.capture()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, relation);
    END LOOP;
    DELETE FROM zentry_notify.event_source s WHERE s.relation = relation;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_detach(regclass) IS 'Takes all our triggers off a table: it fires nothing any more. Needs the table''s owner';

CREATE OR REPLACE FUNCTION zentry_notify.caller_owns(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- The caller of the definer function that calls this one: what SET ROLE says, else who logged in.
    SELECT pg_has_role(coalesce(nullif(current_setting('role'), 'none'), session_user)::name, c.relowner, 'USAGE')
      FROM pg_class c WHERE c.oid = relation;
$$;
COMMENT ON FUNCTION zentry_notify.caller_owns(regclass) IS 'Whether the role that called a definer function owns the table';

CREATE OR REPLACE FUNCTION zentry_notify.require_owner(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.caller_owns(relation) THEN
        RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege',
            HINT = 'Let the table''s owner or a superuser do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_owner(regclass) IS 'An error unless the calling role owns the table';
-- ---- 14_api_token.sql ----

-- Tokens of the REST API: each stands for a role. The server (crates/server) looks one up and then acts as its role.

CREATE TABLE zentry_notify.api_token (
    token_key    varchar(8) PRIMARY KEY,
    name         varchar(100) NOT NULL UNIQUE,
    role_name    name NOT NULL,
    token_hash   bytea NOT NULL,
    created_by   name NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);
COMMENT ON TABLE zentry_notify.api_token IS 'Tokens of the REST API, as hashes. zentry_create_api_token and zentry_revoke_api_token write it';
COMMENT ON COLUMN zentry_notify.api_token.token_key IS 'The token''s first part, after "zentry_": no secret, it tells tokens apart in lists and logs';
COMMENT ON COLUMN zentry_notify.api_token.name IS 'What it is for, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'The role that requests with it run as. By name, so that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.token_hash IS 'SHA-256 of the whole token; its secret is 256 random bits, so there is nothing to guess and no salt';
COMMENT ON COLUMN zentry_notify.api_token.created_by IS 'The role that made it';
COMMENT ON COLUMN zentry_notify.api_token.created_at IS 'When it was made';
COMMENT ON COLUMN zentry_notify.api_token.expires_at IS 'Until when it is good; null: until it is revoked';
COMMENT ON COLUMN zentry_notify.api_token.last_used_at IS 'When the server took it last, to the minute';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.api_token', '');
-- ---- 15_api.sql ----

-- What the REST API's server and its clients need of the database: tokens, and names beside ids.

CREATE OR REPLACE VIEW zentry_notify.api_tokens AS
SELECT t.token_key,
       t.name,
       t.role_name,
       CASE WHEN t.expires_at <= now() THEN 'expired'
            WHEN r.oid IS NULL THEN 'role is gone'
            WHEN r.rolsuper THEN 'role is a superuser'
            ELSE 'good' END AS state,
       t.created_by,
       t.created_at,
       t.expires_at,
       t.last_used_at
  FROM zentry_notify.api_token t
  LEFT JOIN pg_catalog.pg_roles r ON r.rolname = t.role_name;
COMMENT ON VIEW zentry_notify.api_tokens IS 'Tokens of the REST API, without their hashes';
COMMENT ON COLUMN zentry_notify.api_tokens.token_key IS 'The token''s first part, after "zentry_"';
COMMENT ON COLUMN zentry_notify.api_tokens.name IS 'What it is for';
COMMENT ON COLUMN zentry_notify.api_tokens.role_name IS 'The role that requests with it run as';
COMMENT ON COLUMN zentry_notify.api_tokens.state IS 'good, or why it is not taken';
COMMENT ON COLUMN zentry_notify.api_tokens.created_by IS 'The role that made it';
COMMENT ON COLUMN zentry_notify.api_tokens.created_at IS 'When it was made';
COMMENT ON COLUMN zentry_notify.api_tokens.expires_at IS 'Until when it is good; null: until it is revoked';
COMMENT ON COLUMN zentry_notify.api_tokens.last_used_at IS 'When the server took it last, to the minute';

CREATE OR REPLACE FUNCTION zentry_notify.calling_role() RETURNS name
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(nullif(current_setting('role'), 'none'), session_user)::name;
$$;
COMMENT ON FUNCTION zentry_notify.calling_role() IS 'The caller of a definer function: what SET ROLE says, else who logged in';

CREATE OR REPLACE FUNCTION zentry_notify.require_membership(role name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_has_role(zentry_notify.calling_role(), role, 'USAGE') THEN
        RAISE EXCEPTION 'role "%" does not have the privileges of role "%"', zentry_notify.calling_role(), role
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'A token passes on rights that its maker has: let a member of that role, or a superuser, do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_membership(name) IS 'An error unless the calling role has the privileges of this one';

CREATE OR REPLACE FUNCTION @extschema@.zentry_create_api_token(name text, role name, expires_at timestamptz DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    superuser boolean;
    random    bytea;
    token_key text;
    token     text;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    IF btrim(name) = '' OR name IS NULL THEN
        RAISE EXCEPTION 'the name of a token must not be empty'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name', HINT = 'Say who or what uses it, such as ''front end''.';
    END IF;
    SELECT r.rolsuper INTO superuser FROM pg_roles r WHERE r.rolname = role;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role "%" does not exist', coalesce(role, '(null)') USING ERRCODE = 'undefined_object',
            HINT = 'Make a role for it: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''reader'').';
    END IF;
    IF superuser THEN
        RAISE EXCEPTION 'role "%" is a superuser', role USING ERRCODE = 'invalid_role_specification',
            HINT = 'Make a role for it that can do no more than it has to: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''manager'').';
    END IF;
    PERFORM zentry_notify.require_membership(role);
    IF expires_at <= now() THEN
        RAISE EXCEPTION 'a token must not have expired already' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'expires_at',
            HINT = 'Give a time that is still to come, or null.';
    END IF;

    -- A random UUID has 122 bits from pg_strong_random; three are more than the 256 that the hash keeps.
    random := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    token_key := left(md5(gen_random_uuid()::text), 8);
    token := format('zentry_%s_%s', token_key, rtrim(translate(encode(random, 'base64'), '+/', '-_'), '='));
    BEGIN
        INSERT INTO zentry_notify.api_token (token_key, name, role_name, token_hash, created_by, expires_at)
        VALUES (token_key, name, role, sha256(convert_to(token, 'UTF8')), zentry_notify.calling_role(), expires_at);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'there is a token named "%" already', name USING ERRCODE = 'unique_violation', COLUMN = 'name',
            HINT = 'Choose another name, or revoke that one: SELECT @extschema@.zentry_revoke_api_token(''...'').';
    END;
    RETURN token;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_create_api_token(text, name, timestamptz) IS
    'Makes a token for the REST API whose requests run as the role, and returns it: it is not shown again. Needs the privileges of the role';

CREATE OR REPLACE FUNCTION @extschema@.zentry_revoke_api_token(name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    role name;
BEGIN
    SELECT t.role_name INTO role FROM zentry_notify.api_token t WHERE t.name = name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no token named "%"', coalesce(name, '(null)') USING ERRCODE = 'no_data_found',
            HINT = 'SELECT name, role_name FROM zentry_notify.api_tokens lists them.';
    END IF;
    -- Whoever may manage may take away what is left of a role that is gone.
    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role) THEN
        PERFORM zentry_notify.require_membership(role);
    END IF;
    DELETE FROM zentry_notify.api_token t WHERE t.name = name;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke_api_token(text) IS 'Takes a token back: the next request with it is refused. Needs the privileges of its role';

CREATE OR REPLACE FUNCTION zentry_notify.find_api_token(token_key text, OUT role_name name, OUT token_hash bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.role_name, t.token_hash
      FROM zentry_notify.api_token t
      JOIN pg_roles r ON r.rolname = t.role_name AND NOT r.rolsuper
     WHERE t.token_key = find_api_token.token_key AND (t.expires_at > now() OR t.expires_at IS NULL);
$$;
COMMENT ON FUNCTION zentry_notify.find_api_token(text) IS
    'For the server: role and hash of a token that is good; nulls when there is none. The server compares the hash';

CREATE OR REPLACE FUNCTION zentry_notify.note_api_token_use(token_key text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE zentry_notify.api_token t SET last_used_at = now()
     WHERE t.token_key = note_api_token_use.token_key AND NOT pg_is_in_recovery();
$$;
COMMENT ON FUNCTION zentry_notify.note_api_token_use(text) IS 'For the server: notes that the token was used now';

-- Names that Zentry's clients expect beside ids are read with the caller's rights: who may not read the application's table sees
-- none.
CREATE OR REPLACE FUNCTION zentry_notify.look_up(data_key text, ids bigint[]) RETURNS TABLE (id bigint, shown text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    lookup   jsonb;
    relation regclass;
BEGIN
    SELECT s.columns -> data_key INTO lookup
      FROM zentry_notify.event_source s
     WHERE jsonb_typeof(s.columns -> data_key) = 'object'
       AND s.columns -> data_key ?& ARRAY['from', 'match', 'column']
     ORDER BY s.id LIMIT 1;
    relation := to_regclass(lookup ->> 'from');
    -- A view or a policy of the table's owner would run its code with the caller's rights.
    IF relation IS NULL OR NOT EXISTS (
        SELECT FROM pg_class c
          JOIN pg_attribute key ON key.attrelid = c.oid AND key.attname = lookup ->> 'match'
               AND key.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
          JOIN pg_attribute shown ON shown.attrelid = c.oid AND shown.attname = lookup ->> 'column'
         WHERE c.oid = relation AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
           AND has_schema_privilege(c.relnamespace, 'USAGE')
           AND has_column_privilege(c.oid, key.attnum, 'SELECT') AND has_column_privilege(c.oid, shown.attnum, 'SELECT'))
    THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format('SELECT t.%1$I::bigint, t.%2$I::text FROM %3$s t WHERE t.%1$I OPERATOR(pg_catalog.=) ANY ($1)',
                                lookup ->> 'match', lookup ->> 'column', relation)
           USING ids;
END
$$;
COMMENT ON FUNCTION zentry_notify.look_up(text, bigint[]) IS
    'What the attached tables'' look-ups (project_name, user_name) give for these ids, as far as the caller may read it';
-- ---- 12_privileges.sql ----

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

