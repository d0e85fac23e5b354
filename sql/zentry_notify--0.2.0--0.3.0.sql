-- Written by scripts/upgrade-step from sql/steps/0.2.0--0.3.0.sql: change that, or the files that it includes.

-- From 0.2.0 to 0.3.0. What is structural stands here; what can be run again comes from the files of the installation.

-- As in 01_schema.sql: nothing that somebody put into the extension's schema must become part of ours.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

-- The library that is in memory says its version; a new one on disk is not the one that runs.
DO $$
BEGIN
    IF zentry_notify.library_version() OPERATOR(pg_catalog.<>) '0.3.0' THEN
        RAISE EXCEPTION 'zentry_notify: the server still runs the library of version %', zentry_notify.library_version()
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
    END IF;
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

CREATE OR REPLACE FUNCTION zentry_notify.check_mention(webhook_type text, webhook_url text, mention text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_mention_wrapper';
COMMENT ON FUNCTION zentry_notify.check_mention(text, text, text) IS 'An error unless messages to such a webhook can ping so';

CREATE OR REPLACE FUNCTION zentry_notify.check_quiet_hours(quiet_hours text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_quiet_hours_wrapper';
COMMENT ON FUNCTION zentry_notify.check_quiet_hours(text) IS 'An error for what is no quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.quiet_until(quiet_hours text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quiet_until_wrapper';
COMMENT ON FUNCTION zentry_notify.quiet_until(text) IS 'When the quiet that there is now is over; null: there is none now';

CREATE OR REPLACE FUNCTION zentry_notify.redact_url(webhook_url text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'redact_url_wrapper';
COMMENT ON FUNCTION zentry_notify.redact_url(text) IS 'The URL without its secret';

CREATE OR REPLACE FUNCTION zentry_notify.built_in_event_types() RETURNS TABLE (definition jsonb, sample jsonb)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'built_in_event_types_wrapper';
COMMENT ON FUNCTION zentry_notify.built_in_event_types() IS 'What the messages of Zentry''s five events say, and a sample of each';

CREATE OR REPLACE FUNCTION zentry_notify.check_definition(definition jsonb, sample jsonb, known text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_definition_wrapper';
COMMENT ON FUNCTION zentry_notify.check_definition(jsonb, jsonb, text[]) IS
    'An error unless messages can be made by the definition; a warning for each key that its templates ask for and that is not among those known';

CREATE OR REPLACE FUNCTION zentry_notify.ordered_fields(fields text) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'ordered_fields_wrapper';
COMMENT ON FUNCTION zentry_notify.ordered_fields(text) IS 'The fields of a message as an array, in the order in which they were written';

CREATE OR REPLACE FUNCTION zentry_notify.placeholder_event(definition jsonb) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'placeholder_event_wrapper';
COMMENT ON FUNCTION zentry_notify.placeholder_event(jsonb) IS 'For each key that the definition''s templates ask for, its name in words';

CREATE OR REPLACE FUNCTION zentry_notify.render_event(definition jsonb, format text, data jsonb) RETURNS jsonb
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'render_event_wrapper';
COMMENT ON FUNCTION zentry_notify.render_event(jsonb, text, jsonb) IS 'The message of an event in a format: discord, teams, teams_workflow, teams_connector';

CREATE OR REPLACE FUNCTION zentry_notify.webhook_format(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'webhook_format_wrapper';
COMMENT ON FUNCTION zentry_notify.webhook_format(text, text) IS 'The format that a webhook''s URL takes: discord, teams_workflow or teams_connector';

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

CREATE OR REPLACE FUNCTION zentry_notify.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Scripts of pg_dump and pg_restore switch this setting off, and hardly anybody else.
    SELECT NOT current_setting('check_function_bodies')::boolean
$$;
COMMENT ON FUNCTION zentry_notify.is_restoring() IS
    'Whether a dump is being restored: several jobs may then write a row before another that it refers to, so nobody looks for that one';

CREATE OR REPLACE FUNCTION zentry_notify.check_filters(filter jsonpath, min_streak_days integer, milestones integer[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF min_streak_days < 1 THEN
        RAISE EXCEPTION 'min_streak_days must be at least 1, not %', min_streak_days
            USING ERRCODE = 'check_violation', COLUMN = 'min_streak_days', HINT = 'Null hears of every streak.';
    END IF;
    IF milestones = '{}' OR NOT (1 <= ALL (milestones) AND 100 >= ALL (milestones)) OR array_position(milestones, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'milestones must be numbers from 1 to 100, not %', milestones
            USING ERRCODE = 'check_violation', COLUMN = 'milestones', HINT = 'For example {50,100}; null hears of all.';
    END IF;
    -- Of no data at all, a predicate is false or unknown, and anything else is not one truth value.
    BEGIN
        PERFORM jsonb_path_match_tz('{}', filter, '{}', false);
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION 'filter is not a predicate: %', filter
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'filter',
                  HINT = 'Write a comparison or another test, such as $.points > 20 && $.project_name starts with "Web"; not $ ? (@.points > 20).';
    END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_filters(jsonpath, integer, integer[]) IS 'The rules of what an integration hears of its event types';

-- The rules of a row, for every way in. The URL's own are in Rust (check_webhook_url).
-- force_generic_plan, here and where URLs are arguments: plans of their own have the values in them, and auto_explain logs plans.
CREATE OR REPLACE FUNCTION zentry_notify.check_integration() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    missing text;
    unknown text;
    known   text;
    refusal text;
    remedy  text;
    culprit text;
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
    IF array_ndims(NEW.omit_keys) > 1 OR array_position(NEW.omit_keys, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'omit_keys must be a list of keys'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'omit_keys', HINT = 'For example {task_description}, or {} to leave nothing out.';
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

    BEGIN
        IF NEW.mention IS NOT NULL AND (TG_OP = 'INSERT' OR (NEW.mention, NEW.webhook_url, NEW.webhook_type) IS DISTINCT FROM (OLD.mention, OLD.webhook_url, OLD.webhook_type)) THEN
            culprit := 'mention';
            PERFORM zentry_notify.check_mention(NEW.webhook_type, NEW.webhook_url, NEW.mention);
        END IF;
        IF NEW.quiet_hours IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.quiet_hours IS DISTINCT FROM OLD.quiet_hours) THEN
            culprit := 'quiet_hours';
            PERFORM zentry_notify.check_quiet_hours(NEW.quiet_hours);
        END IF;
    EXCEPTION WHEN invalid_parameter_value THEN
        GET STACKED DIAGNOSTICS refusal = MESSAGE_TEXT, remedy = PG_EXCEPTION_HINT;
        RAISE EXCEPTION '%', refusal USING ERRCODE = 'invalid_parameter_value', COLUMN = culprit, HINT = remedy;
    END;
    PERFORM zentry_notify.check_filters(NEW.filter, NEW.min_streak_days, NEW.milestones);

    IF TG_OP = 'INSERT' OR NEW.event_types IS DISTINCT FROM OLD.event_types THEN
        IF jsonb_typeof(NEW.event_types) IS DISTINCT FROM 'array'
           OR EXISTS (SELECT FROM jsonb_array_elements(NEW.event_types) AS e WHERE jsonb_typeof(e) <> 'string') THEN
            RAISE EXCEPTION 'event_types must be a JSON array of names'
                USING ERRCODE = 'invalid_parameter_value', COLUMN = 'event_types', HINT = 'For example ["task_completed", "badge_earned"], or ["*"] for all.';
        END IF;
        SELECT string_agg(format('"%s"', e), ', ' ORDER BY e) INTO unknown
          FROM jsonb_array_elements_text(NEW.event_types) AS e
         WHERE NOT zentry_notify.is_restoring() AND e <> '*' AND NOT EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = e);
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
    DELETE FROM zentry_notify.event_wording w USING gone WHERE w.webhook_integration_id = gone.id;
    DELETE FROM zentry_notify.delivery_stat s USING gone WHERE s.webhook_integration_id = gone.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_integration() IS 'Trigger: the log and the state of an integration go with it';

DROP TRIGGER IF EXISTS forget_integration ON zentry_notify.webhook_integration;
CREATE TRIGGER forget_integration AFTER DELETE ON zentry_notify.webhook_integration
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.forget_integration();

-- Managers write here with their own rights, through zentry_attach or directly: for tables of theirs, whoever runs the session.
CREATE OR REPLACE FUNCTION zentry_notify.check_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The agent suspends sources, and no more: what a source looks up and computes has the rights of the table's owner.
    IF current_user = 'zentry_notify_agent' THEN
        IF (to_jsonb(NEW) - '{suspended_at,suspended_reason}'::text[]) IS DISTINCT FROM (to_jsonb(OLD) - '{suspended_at,suspended_reason}'::text[]) THEN
            RAISE EXCEPTION 'zentry_notify_agent may suspend a source and no more' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Let the table''s owner or a superuser do it.';
        END IF;
    -- Who owns our tables, or is a superuser, may also write of a table that is gone.
    ELSIF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        IF TG_OP IN ('UPDATE', 'DELETE') THEN
            PERFORM zentry_notify.require_owner(OLD.relation);
        END IF;
        IF TG_OP IN ('INSERT', 'UPDATE') THEN
            PERFORM zentry_notify.require_owner(NEW.relation);
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NOT zentry_notify.is_restoring() AND NOT EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = NEW.event_type) THEN
            RAISE EXCEPTION 'unknown event type "%"', NEW.event_type USING ERRCODE = 'foreign_key_violation',
                HINT = 'SELECT zentry_register_event_type(name, title) adds one.';
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' AND (array_ndims(NEW.omit) > 1 OR array_position(NEW.omit, NULL) IS NOT NULL) THEN
        RAISE EXCEPTION 'omit must be a list of keys'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'omit', HINT = 'For example {task_description}, or {} to leave nothing out.';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_source() IS 'Trigger: the sources of a table are its owner''s, and omit is a list of keys';

DROP TRIGGER IF EXISTS check_source ON zentry_notify.event_source;
CREATE TRIGGER check_source BEFORE INSERT OR UPDATE OR DELETE ON zentry_notify.event_source
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_source();

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

-- pg_restore --data-only brings the sources of the dump into a database that is attached already.
CREATE OR REPLACE FUNCTION zentry_notify.replace_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_source s WHERE s.relation = NEW.relation AND s.event_type = NEW.event_type;
    UPDATE zentry_notify.event_source s SET id = nextval('zentry_notify.event_source_id_seq') WHERE s.id = NEW.id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_source() IS 'Trigger: a restored source takes the place of the one that is there';

DROP TRIGGER IF EXISTS replace_source ON zentry_notify.event_source;
CREATE TRIGGER replace_source BEFORE INSERT ON zentry_notify.event_source
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.replace_source();

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
       w.updated_at,
       w.omit_keys,
       w.filter::text AS filter,
       w.min_streak_days,
       w.milestones,
       w.quiet_hours,
       CASE WHEN w.is_active THEN zentry_notify.quiet_until(w.quiet_hours) END AS held_until,
       w.mention
  FROM zentry_notify.webhook_integration w
  LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
  LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id;
COMMENT ON VIEW zentry_notify.webhooks IS 'Integrations with their state and counts, which may be a second behind; the URL without its secret';
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
COMMENT ON COLUMN zentry_notify.webhooks.omit_keys IS 'Keys of the events'' data that it does not get';
COMMENT ON COLUMN zentry_notify.webhooks.filter IS 'JSON path predicate that the data of what it hears fulfils; null: none';
COMMENT ON COLUMN zentry_notify.webhooks.min_streak_days IS 'The shortest streak that it hears of; null: all';
COMMENT ON COLUMN zentry_notify.webhooks.milestones IS 'The milestones that it hears of; null: all';
COMMENT ON COLUMN zentry_notify.webhooks.quiet_hours IS 'When nothing is sent to it; null: never';
COMMENT ON COLUMN zentry_notify.webhooks.held_until IS 'When the quiet hours that it is in now are over; null: it is in none';
COMMENT ON COLUMN zentry_notify.webhooks.mention IS 'Whom its messages ping; null: nobody';

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

CREATE OR REPLACE FUNCTION zentry_notify.to_filter(filter text) RETURNS jsonpath
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nullif(filter, '')::jsonpath;
EXCEPTION WHEN syntax_error OR data_exception THEN
    RAISE EXCEPTION 'filter is no JSON path: %', SQLERRM
        USING ERRCODE = 'invalid_parameter_value', COLUMN = 'filter', HINT = 'For example $.points > 20, or $.project_name starts with "Web".';
END
$$;
COMMENT ON FUNCTION zentry_notify.to_filter(text) IS 'The JSON path that the text is; null for an empty one';

CREATE OR REPLACE FUNCTION @extschema@.zentry_register_webhook(
    name text, webhook_type text, webhook_url text, project_id bigint DEFAULT NULL,
    event_types text[] DEFAULT NULL, is_active boolean DEFAULT true, created_by_id bigint DEFAULT NULL,
    omit_keys text[] DEFAULT NULL, filter text DEFAULT NULL, min_streak_days integer DEFAULT NULL,
    milestones integer[] DEFAULT NULL, quiet_hours text DEFAULT NULL, mention text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    id bigint;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    PERFORM zentry_notify.check_length(webhook_url, 2048, 'webhook_url');
    INSERT INTO zentry_notify.webhook_integration AS w
           (name, webhook_type, webhook_url, project_id, event_types, is_active, created_by_id,
            omit_keys, filter, min_streak_days, milestones, quiet_hours, mention)
    VALUES (zentry_notify.not_null(name, 'name'), left(zentry_notify.not_null(webhook_type, 'webhook_type'), 20),
            zentry_notify.not_null(webhook_url, 'webhook_url'), project_id,
            coalesce(to_jsonb(event_types), '["*"]'), coalesce(is_active, true), created_by_id,
            coalesce(omit_keys, '{}'), zentry_notify.to_filter(filter), min_streak_days, milestones, quiet_hours, mention)
    RETURNING w.id INTO id;
    RETURN id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_register_webhook(text, text, text, bigint, text[], boolean, bigint, text[], text, integer, integer[], text, text) IS
    'Registers a webhook and returns its id. webhook_type: discord or teams; project_id null: every project; event_types null: all. The rest is as in zentry_notify.webhook_integration';

CREATE OR REPLACE FUNCTION @extschema@.zentry_update_webhook(
    webhook_id bigint, name text DEFAULT NULL, webhook_type text DEFAULT NULL, webhook_url text DEFAULT NULL,
    project_id bigint DEFAULT NULL, event_types text[] DEFAULT NULL, is_active boolean DEFAULT NULL,
    omit_keys text[] DEFAULT NULL, filter text DEFAULT NULL, min_streak_days integer DEFAULT NULL,
    milestones integer[] DEFAULT NULL, quiet_hours text DEFAULT NULL, mention text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    PERFORM zentry_notify.check_length(webhook_url, 2048, 'webhook_url');
    UPDATE zentry_notify.webhook_integration AS w
       SET name = coalesce(name, w.name),
           webhook_type = coalesce(left(webhook_type, 20), w.webhook_type),
           webhook_url = coalesce(webhook_url, w.webhook_url),
           project_id = CASE project_id WHEN 0 THEN NULL ELSE coalesce(project_id, w.project_id) END,
           event_types = coalesce(to_jsonb(event_types), w.event_types),
           is_active = coalesce(is_active, w.is_active),
           omit_keys = coalesce(omit_keys, w.omit_keys),
           filter = CASE filter WHEN '' THEN NULL ELSE coalesce(zentry_notify.to_filter(filter), w.filter) END,
           min_streak_days = CASE min_streak_days WHEN 0 THEN NULL ELSE coalesce(min_streak_days, w.min_streak_days) END,
           milestones = CASE milestones WHEN '{}' THEN NULL ELSE coalesce(milestones, w.milestones) END,
           quiet_hours = CASE quiet_hours WHEN '' THEN NULL ELSE coalesce(quiet_hours, w.quiet_hours) END,
           mention = CASE mention WHEN '' THEN NULL ELSE coalesce(mention, w.mention) END
     WHERE w.id = webhook_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_update_webhook(bigint, text, text, text, bigint, text[], boolean, text[], text, integer, integer[], text, text) IS
    'Changes what is given and leaves the rest; project_id 0: every project; an empty omit_keys, filter, quiet_hours, mention or milestones, or min_streak_days 0: none; a new URL or is_active => true brings back a webhook that was switched off';

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

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_event(
    event_type text DEFAULT 'task_completed', project_id bigint DEFAULT NULL, data jsonb DEFAULT NULL) RETURNS SETOF bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    payload jsonb := data;
    project bigint := zentry_test_event.project_id;
    ids     bigint[];
    lanes   bigint[];
BEGIN
    PERFORM zentry_notify.require_event_type(zentry_test_event.event_type);
    IF jsonb_typeof(payload) <> 'object' THEN
        RAISE EXCEPTION 'the data must be a JSON object' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'For example {"task_title": "Write the release notes"}.';
    END IF;
    IF project IS NULL THEN
        SELECT min(w.project_id) INTO project FROM zentry_notify.webhook_integration w WHERE w.is_active;
    END IF;
    IF payload IS NULL THEN
        payload := zentry_notify.sample_event(zentry_test_event.event_type);
        IF payload ? 'project_id' AND project IS NOT NULL THEN
            payload := jsonb_set(payload, '{project_id}', to_jsonb(project));
        END IF;
    END IF;

    WITH queued AS (
        INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload)
        SELECT w.id, zentry_test_event.event_type, payload - w.omit_keys
          FROM zentry_notify.webhook_integration w
         WHERE w.is_active
           AND w.event_types ?| ARRAY['*', zentry_test_event.event_type]
           AND (w.project_id IS NULL OR w.project_id = project OR zentry_test_event.event_type = 'project_created'
                OR EXISTS (SELECT FROM zentry_notify.event_source s
                            WHERE s.event_type = zentry_test_event.event_type AND s.audience @> '{"all": true}'))
         ORDER BY w.id
        RETURNING id, webhook_integration_id)
    SELECT array_agg(q.id ORDER BY q.id), array_agg(q.webhook_integration_id) INTO ids, lanes FROM queued q;

    PERFORM zentry_notify.wake(lanes);
    RETURN QUERY SELECT unnest(ids);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_test_event(text, bigint, jsonb) IS
    'Queues a sample of the event, or the given data, for every active webhook that would hear it in that project (null: the first that has one) and returns the ids of the log';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry(log_id bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry   zentry_notify.notification_log;
    limited timestamptz;
    new_id  bigint;
BEGIN
    SELECT l.* INTO entry FROM zentry_notify.notification_log l WHERE l.id = log_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no delivery with id %', coalesce(log_id::text, '(null)')
            USING ERRCODE = 'no_data_found', HINT = 'SELECT id, status FROM zentry_notify.logs ORDER BY id DESC lists them.';
    END IF;
    CASE entry.status
        WHEN 'retry' THEN
            new_id := log_id;
            -- An endpoint's rate limit holds for everybody.
            SELECT max(l.next_attempt_at) INTO limited FROM zentry_notify.notification_log l
             WHERE l.webhook_integration_id = entry.webhook_integration_id AND l.status = 'retry'
               AND l.next_attempt_at > now() AND l.error_message LIKE '429: %';
            IF limited IS NOT NULL THEN
                RAISE NOTICE 'delivery % waits for a rate limit, and is sent at %', log_id, limited;
                RETURN new_id;
            END IF;
            -- Its turn comes after that of those before it.
            UPDATE zentry_notify.notification_log l SET next_attempt_at = now()
             WHERE l.webhook_integration_id = entry.webhook_integration_id AND l.status = 'retry' AND l.id <= log_id;
        WHEN 'failed' THEN
            IF entry.retry_count >= 3 THEN
                RAISE EXCEPTION 'delivery % was already retried % times', log_id, entry.retry_count
                    USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('It last failed with: %s', entry.error_message),
                          HINT = 'Mend the cause first; a new event starts afresh.';
            END IF;
            IF entry.payload = 'null' THEN
                RAISE EXCEPTION 'delivery % has no data any more', log_id
                    USING ERRCODE = 'object_not_in_prerequisite_state',
                          HINT = 'While zentry_notify.log_payloads is off, the data of a delivery is not kept when it is done with.';
            END IF;
            SELECT l.id INTO new_id FROM zentry_notify.notification_log l
             WHERE l.webhook_integration_id = entry.webhook_integration_id AND l.id > log_id AND l.retry_of = log_id
             ORDER BY l.id DESC LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'delivery % was retried already', log_id
                    USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('See delivery %s; if that failed too, retry that one.', new_id);
            END IF;
            INSERT INTO zentry_notify.notification_log AS l (webhook_integration_id, event_type, payload, retry_count, retry_of)
            SELECT w.id, entry.event_type, entry.payload - w.omit_keys, entry.retry_count + 1, log_id
              FROM zentry_notify.webhook_integration w WHERE w.id = entry.webhook_integration_id
            RETURNING l.id INTO new_id;
            IF new_id IS NULL THEN
                PERFORM zentry_notify.no_such_webhook(entry.webhook_integration_id);
            END IF;
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
    'Sends a failed delivery again as a new one (at most 3 times along one chain) and returns its id; one that waits for its next attempt is made due now, with those before it, unless the endpoint limits the rate';

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
        SELECT l.webhook_integration_id, l.event_type, l.payload - w.omit_keys, l.retry_count + 1, l.id
          FROM zentry_notify.notification_log l
          JOIN zentry_notify.webhook_integration w ON w.id = l.webhook_integration_id AND w.is_active
         WHERE l.status = 'failed'
           AND l.retry_count < 3
           AND l.payload <> 'null'
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
--
-- All of this runs with the rights of who calls it, so that PostgreSQL itself and check_source judge the role that calls: what SET ROLE
-- or the session's user may do says nothing where a function of somebody else runs, in a REINDEX by a superuser for instance.

CREATE OR REPLACE FUNCTION zentry_notify.owns(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bool_and(pg_has_role(c.relowner, 'USAGE'))
      FROM pg_class c
     WHERE c.oid = coalesce((SELECT t.oid FROM pg_class t WHERE t.oid = relation), 'zentry_notify.event_source'::regclass)
$$;
COMMENT ON FUNCTION zentry_notify.owns(regclass) IS 'Whether the current role owns the table, as PostgreSQL means it; what is left of a dropped table belongs to the owner of the extension';

CREATE OR REPLACE FUNCTION zentry_notify.require_owner(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.owns(relation) THEN
        RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege',
            HINT = 'Let the table''s owner or a superuser do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_owner(regclass) IS 'An error unless the current role owns the table';

-- A partition and an inheriting table are written in the name of those above them.
CREATE OR REPLACE FUNCTION zentry_notify.inheritors(relation regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE down (relation) AS (
        SELECT inheritors.relation
         UNION
        SELECT i.inhrelid FROM down d JOIN pg_inherits i ON i.inhparent = d.relation)
    SELECT d.relation FROM down d JOIN pg_class c ON c.oid = d.relation
     WHERE d.relation = inheritors.relation OR NOT c.relispartition
$$;
COMMENT ON FUNCTION zentry_notify.inheritors(regclass) IS 'The table and those that inherit from it; not partitions, which PostgreSQL gives the triggers of their table';

CREATE OR REPLACE FUNCTION zentry_notify.attach_source(
    event_type text, relation regclass, columns jsonb, audience jsonb, progress jsonb,
    insert_when text, update_when text, delete_when text, rider text, transition jsonb, update_of text[], by_hand boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    target regclass;
    other  zentry_notify.event_source;
BEGIN
    -- One that was attached by hand has triggers of its own.
    IF EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = rider AND s.by_hand) THEN
        rider := NULL;
    END IF;
    UPDATE zentry_notify.event_source AS s
       SET columns = columns, audience = audience, progress = progress, insert_when = insert_when, update_when = update_when,
           delete_when = delete_when, rider = rider, transition = transition, update_of = update_of, by_hand = by_hand,
           suspended_at = NULL, suspended_reason = NULL
     WHERE s.relation = relation AND s.event_type = event_type
       AND ((s.columns, s.audience, s.progress, s.insert_when, s.update_when, s.delete_when, s.rider, s.transition, s.update_of, s.by_hand)
            IS DISTINCT FROM (columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, by_hand)
            OR s.suspended_at IS NOT NULL);
    -- Not by ON CONFLICT DO UPDATE: an INSERT is a restored row, which replaces what is there (replace_source).
    INSERT INTO zentry_notify.event_source
           (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, by_hand)
    SELECT event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, by_hand
     WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = event_type)
    ON CONFLICT ON CONSTRAINT event_source_relation_event_type_key DO NOTHING;

    FOR target IN SELECT zentry_notify.inheritors(relation) LOOP
        PERFORM zentry_notify.put_trigger(target, event_type, 'insert', '', insert_when, rider);
        PERFORM zentry_notify.put_trigger(target, event_type, 'update', zentry_notify.of_clause(relation, update_of), update_when, rider);
        PERFORM zentry_notify.put_trigger(target, event_type, 'delete', '', delete_when, rider);
    END LOOP;
    IF by_hand THEN
        FOR other IN SELECT s.* FROM zentry_notify.event_source s WHERE s.relation = relation AND s.rider = event_type LOOP
            PERFORM zentry_notify.attach_source(other.event_type, other.relation, other.columns, other.audience, other.progress,
                                                other.insert_when, other.update_when, other.delete_when, NULL, other.transition, other.update_of,
                                                other.by_hand);
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text, jsonb, text[], boolean) IS
    'Records a source and puts its triggers on the table and on those that inherit from it; repeating it mends what was changed or suspended. rider: another source of the table that the same triggers serve, because each trigger costs every write';

CREATE OR REPLACE FUNCTION zentry_notify.put_trigger(
    relation regclass, event_type text, operation text, of_columns text, condition text, rider text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    trigger_of  text := format('zentry_notify_%s_%s', event_type, operation);
    can_replace boolean := current_setting('server_version_num')::integer >= 140000;
BEGIN
    IF (condition IS NULL OR NOT can_replace)
       AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = trigger_of) THEN
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, relation);
    END IF;
    IF condition IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE %s TRIGGER %I AFTER %s ON %s FOR EACH ROW %s EXECUTE FUNCTION zentry_notify.capture(%s)',
                   CASE WHEN can_replace THEN 'OR REPLACE' END, trigger_of, operation || of_columns, relation,
                   -- PostgreSQL reads a WHEN anew in each statement, which costs a one-row write more than a call of the trigger.
                   CASE WHEN condition <> 'true' THEN format('WHEN (%s)', condition) END,
                   concat_ws(', ', quote_literal(event_type), quote_literal(rider)));
    -- DROP EXTENSION takes the trigger with it and asks for no CASCADE.
    EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', trigger_of, relation);
    EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_of, relation, format('Tells zentry_notify of %s', event_type));
END
$$;
COMMENT ON FUNCTION zentry_notify.put_trigger(regclass, text, text, text, text, text) IS
    'Makes the trigger of an event for an operation (insert, update, delete) what it has to be; of_columns: an OF clause, or empty; a condition of null: there is none. Runs with the rights of who calls it';

-- An UPDATE that names none of the columns need not ask whether they changed, unless a BEFORE trigger may change them all the same.
-- Partitions and inheritors may get such triggers in more ways than are worth following.
CREATE OR REPLACE FUNCTION zentry_notify.of_clause(relation regclass, columns text[]) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN columns IS NULL OR c.relkind <> 'r' OR c.relispartition OR c.relhassubclass
                  OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 19 = 19) -- row, before, update
                THEN '' ELSE (SELECT ' OF ' || string_agg(quote_ident(u.name), ', ' ORDER BY u.place)
                                FROM unnest(columns) WITH ORDINALITY AS u (name, place)) END
      FROM pg_class c WHERE c.oid = relation
$$;
COMMENT ON FUNCTION zentry_notify.of_clause(regclass, text[]) IS 'The OF clause of a source''s update trigger, or an empty text where it would miss writes';

CREATE OR REPLACE FUNCTION zentry_notify.hear_every_update() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    narrow record;
BEGIN
    FOR narrow IN
        SELECT s.event_type, s.relation, t.tgname, obj_description(t.oid, 'pg_trigger') AS comment,
               regexp_replace(pg_get_triggerdef(t.oid), ' UPDATE OF .*? ON ', ' UPDATE ON ') AS definition
          FROM zentry_notify.event_source s
          JOIN pg_trigger t ON t.tgrelid = s.relation AND t.tgname = format('zentry_notify_%s_update', s.event_type)
         WHERE t.tgattr::text <> '' AND s.update_of IS NOT NULL AND zentry_notify.of_clause(s.relation, s.update_of) = ''
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
     -- The trigger asks itself: it is called by an UPDATE of either, for this event or its rider.
     'true',
     NULL, 'milestone_reached', '{"column": "status", "to": "completed"}'::jsonb, '{status,project_id}'::text[], 1),
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
     NULL, 'true', NULL, NULL, NULL, NULL, NULL, 2),
    ('project_created', 'public.tasks_project',
     '{"project_id": "id", "project_name": "name", "project_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "created_by_id", "column": "username"},
       "user_id": "created_by_id", "created_at": "created_at"}',
     '{"all": true}', NULL, 'true', NULL, NULL, NULL, NULL, NULL, 3),
    ('milestone_reached', 'public.tasks_task',
     '{"project_id": "project_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "user_id": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"},
       "user_name": {"from": "public.users_user", "match": "id", "column": "username",
                     "key": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"}}}',
     '{"project": "project_id"}',
     '{"group": "project_id", "status": "status", "done": "completed"}',
     NULL, NULL, 'OLD.status IS DISTINCT FROM ''completed''', NULL, NULL, NULL, 4),
    ('daily_streak', 'public.users_user',
     '{"user_name": "username", "user_id": "id", "streak_days": "current_streak",
       "streak_type": {"value": "Daily task completion"}}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, NULL, 'NEW.current_streak > OLD.current_streak', NULL, NULL, NULL, '{current_streak}', 5)
  ) AS s (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, place);
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
COMMENT ON COLUMN zentry_notify.zentry_source.update_of IS 'As event_source.update_of';
COMMENT ON COLUMN zentry_notify.zentry_source.place IS 'In which order they are attached';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach() RETURNS TABLE (event_type text, relation text, state text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    source record;
BEGIN
    FOR source IN
        SELECT z.event_type::text, to_regclass(z.relation) AS oid, z.relation AS name, z.columns, z.audience, z.progress,
               z.insert_when, z.update_when, z.delete_when, z.rider, z.transition, z.update_of, false AS by_hand, z.place::bigint
          FROM zentry_notify.zentry_source z
         WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source s
                            WHERE s.by_hand AND s.event_type = z.event_type AND s.relation = to_regclass(z.relation))
         UNION ALL
        SELECT s.event_type, c.oid, coalesce(format('%I.%I', c.relnamespace::regnamespace::name, c.relname), s.relation::oid::text), s.columns, s.audience,
               s.progress, s.insert_when, s.update_when, s.delete_when, s.rider, s.transition, s.update_of, true, s.id
          FROM zentry_notify.event_source s LEFT JOIN pg_class c ON c.oid = s.relation
         WHERE s.by_hand
         ORDER BY by_hand, place
    LOOP
        event_type := source.event_type;
        relation := source.name;
        IF source.oid IS NULL THEN
            state := 'not found';
        ELSIF NOT zentry_notify.owns(source.oid) THEN
            state := 'not yours';
        ELSE
            BEGIN
                PERFORM zentry_notify.attach_source(source.event_type, source.oid, source.columns, source.audience, source.progress,
                                                    source.insert_when, source.update_when, source.delete_when, source.rider,
                                                    source.transition, source.update_of, source.by_hand);
                state := 'attached';
            EXCEPTION WHEN undefined_column OR undefined_function OR undefined_object OR datatype_mismatch THEN
                -- What was said by hand does not go with the table any more; the others are not to suffer.
                IF NOT source.by_hand THEN
                    RAISE;
                END IF;
                state := 'failed: ' || SQLERRM;
            END;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_attach() IS
    'Puts the triggers of the five events on Zentry''s own tables, whichever exist, and mends what was suspended there and on all that was attached by hand. Tables of other owners are left as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach(
    event_type text, relation regclass, columns jsonb DEFAULT '{}', condition text DEFAULT NULL, operation text DEFAULT NULL,
    audience jsonb DEFAULT NULL, done text DEFAULT NULL) RETURNS TABLE (item text, value text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_attach_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_attach(text, regclass, jsonb, text, text, jsonb, text) IS
    'Lets a table fire an event, and returns what was made of it. columns: where the data come from ("key": column, path along foreign keys, SQL expression, look-up, constant, or null for none), for what is not guessed by usual names; condition: SQL over OLD and NEW; operation: insert, update, delete; audience: who hears; done: the status that means completed';

CREATE OR REPLACE FUNCTION @extschema@.zentry_detach(relation regclass, event_type text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    target     regclass;
    trigger_of text;
BEGIN
    IF relation IS NULL
       OR NOT EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = coalesce(event_type, s.event_type)) THEN
        RAISE EXCEPTION '% is not attached%', coalesce(relation::text, '(null)'), ' for event type "' || event_type || '"'
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, relation FROM zentry_notify.event_source lists what is.';
    END IF;
    PERFORM zentry_notify.require_owner(relation);
    DELETE FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = coalesce(event_type, s.event_type);
    FOR target, trigger_of IN
        SELECT t.tgrelid, t.tgname
          FROM zentry_notify.inheritors(relation) AS i (relation)
          JOIN pg_trigger t ON t.tgrelid = i.relation
         WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
           -- A trigger may serve two events, and a table that inherits may be attached by itself.
           AND NOT EXISTS (SELECT FROM zentry_notify.event_source s
                            WHERE s.relation IN (relation, t.tgrelid)
                              AND s.event_type = ANY (string_to_array(encode(t.tgargs, 'escape'), '\000')))
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, target);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_detach(regclass, text) IS 'Takes our triggers off a table, or (event_type) those of one event: it fires that no more. Needs the table''s owner';
-- ---- 11_table_changes.sql ----

-- PostgreSQL neither changes the type of a column that a trigger's WHEN names nor drops it. So that the application's migrations need
-- not know of us, the library takes our triggers off before such an ALTER TABLE and puts them back after it (src/table_change.rs). It calls these as the
-- extension's owner; nobody else may.

CREATE OR REPLACE FUNCTION zentry_notify.set_aside_triggers(altered regclass, columns text[]) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    aside jsonb := '[]';
BEGIN
    FOR found IN
        -- What ALTER TABLE reaches: the table and what inherits from it.
        WITH RECURSIVE reached (relation) AS (
            SELECT altered::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN reached r ON r.relation = i.inhparent)
        SELECT t.oid, t.tgname, t.tgrelid::regclass AS relation, t.tgenabled, pg_get_triggerdef(t.oid) AS definition,
               obj_description(t.oid, 'pg_trigger') AS comment, string_to_array(encode(t.tgargs, 'escape'), '\000') AS arguments
          FROM reached r
          JOIN pg_trigger t ON t.tgrelid = r.relation
         WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
           AND EXISTS (SELECT FROM pg_depend d
                        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                       WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_class'::regclass
                         AND a.attname = ANY (columns))
         ORDER BY t.tgrelid, t.tgname
    LOOP
        aside := aside || jsonb_build_object('relation', found.relation::oid, 'name', found.tgname, 'enabled', found.tgenabled,
                                             'definition', found.definition, 'comment', found.comment, 'arguments', found.arguments);
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.relation);
    END LOOP;
    RETURN nullif(aside, '[]');
END
$$;
COMMENT ON FUNCTION zentry_notify.set_aside_triggers(regclass, text[]) IS
    'Takes off our triggers whose conditions name one of the columns, and returns what put_back_triggers needs; null: there are none';

CREATE OR REPLACE FUNCTION zentry_notify.put_back_triggers(aside jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    trigger_of record;
    relation   regclass;
    event      text;
    suspended  text[] := '{}';
BEGIN
    FOR trigger_of IN SELECT * FROM jsonb_to_recordset(aside)
                      AS t (relation oid, name text, enabled text, definition text, comment text, arguments text[])
    LOOP
        relation := trigger_of.relation::regclass;
        BEGIN
            EXECUTE trigger_of.definition;
            EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', trigger_of.name, relation);
            EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_of.name, relation, trigger_of.comment);
            IF trigger_of.enabled <> 'O' THEN
                EXECUTE format('ALTER TABLE %s %s TRIGGER %I', relation,
                               CASE trigger_of.enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
                               trigger_of.name);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            FOREACH event IN ARRAY array_remove(trigger_of.arguments, '') LOOP
                UPDATE zentry_notify.event_source s SET suspended_at = now(), suspended_reason = SQLERRM
                 WHERE s.relation = trigger_of.relation AND s.event_type = event AND s.suspended_at IS NULL;
                IF NOT event || ' ' || relation = ANY (suspended) THEN
                    suspended := suspended || (event || ' ' || relation);
                    RAISE WARNING 'zentry_notify: % on table % is suspended: %', event, relation, SQLERRM
                        USING ERRCODE = 'object_not_in_prerequisite_state',
                              HINT = 'The statement itself is not affected. Mend the cause, then run: SELECT * FROM zentry_attach();';
                END IF;
            END LOOP;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.put_back_triggers(jsonb) IS
    'Puts back what set_aside_triggers took off; a source whose condition does not go with the table any more is suspended with a warning';
-- ---- 11_api.sql ----

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

-- As zentry_attach, these two run with the rights of who calls them: a definer function sees the session's user, which is another one where
-- a function of a manager runs in a superuser's session, and would hand out tokens for that one's roles.
CREATE OR REPLACE FUNCTION zentry_notify.require_membership(role name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_has_role(role, 'USAGE') THEN
        RAISE EXCEPTION 'role "%" does not have the privileges of role "%"', current_user, role
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'A token passes on rights that its maker has: let a member of that role, or a superuser, do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_membership(name) IS 'An error unless the current role has the privileges of this one';

CREATE OR REPLACE FUNCTION zentry_notify.check_api_token() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role name := CASE TG_OP WHEN 'DELETE' THEN OLD.role_name ELSE NEW.role_name END;
BEGIN
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        -- Whoever may manage may take away what is left of a role that is gone.
        IF TG_OP = 'INSERT' OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role) THEN
            PERFORM zentry_notify.require_membership(role);
        END IF;
        IF TG_OP = 'INSERT' THEN
            NEW.created_by := current_user;
        END IF;
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_api_token() IS 'Trigger: a token is made and taken back by those who have the privileges of its role';

DROP TRIGGER IF EXISTS check_api_token ON zentry_notify.api_token;
CREATE TRIGGER check_api_token BEFORE INSERT OR DELETE ON zentry_notify.api_token
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_api_token();

CREATE OR REPLACE FUNCTION @extschema@.zentry_create_api_token(name text, role name, expires_at timestamptz DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
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
        VALUES (token_key, name, role, sha256(convert_to(token, 'UTF8')), current_user, expires_at);
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
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    DELETE FROM zentry_notify.api_token t WHERE t.name = name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no token named "%"', coalesce(name, '(null)') USING ERRCODE = 'no_data_found',
            HINT = 'SELECT name, role_name FROM zentry_notify.api_tokens lists them.';
    END IF;
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
-- ---- 17_statistics.sql ----

-- Counters as people and collectors of metrics want them.

CREATE OR REPLACE FUNCTION zentry_notify.latency_bounds() RETURNS double precision[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_bounds_wrapper';
COMMENT ON FUNCTION zentry_notify.latency_bounds() IS 'Upper bounds of the buckets of delivery_stat.latency, in seconds';

CREATE OR REPLACE FUNCTION zentry_notify.add_histograms(a bigint[], b bigint[]) RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'add_histograms_wrapper';
COMMENT ON FUNCTION zentry_notify.add_histograms(bigint[], bigint[]) IS 'Two counts by bucket as one';

CREATE OR REPLACE AGGREGATE zentry_notify.sum_histogram(bigint[]) (
    SFUNC = zentry_notify.add_histograms, STYPE = bigint[], INITCOND = '{}',
    COMBINEFUNC = zentry_notify.add_histograms, PARALLEL = SAFE);
COMMENT ON AGGREGATE zentry_notify.sum_histogram(bigint[]) IS 'Counts by bucket, added up';

CREATE OR REPLACE FUNCTION zentry_notify.quantile(histogram bigint[], share double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quantile_wrapper';
COMMENT ON FUNCTION zentry_notify.quantile(bigint[], double precision) IS
    'Seconds that this share (0 to 1) of all took at most, as far as the buckets tell; null when there is none';

-- While a dump is restored, the worker may count what it sends before the dump's own rows are there.
CREATE OR REPLACE FUNCTION zentry_notify.add_delivery_stat() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO zentry_notify.delivery_stat AS s VALUES (NEW.*)
    ON CONFLICT ON CONSTRAINT delivery_stat_pkey DO UPDATE
       SET sent = s.sent + EXCLUDED.sent, failed = s.failed + EXCLUDED.failed, retried = s.retried + EXCLUDED.retried,
           requests = s.requests + EXCLUDED.requests, messages = s.messages + EXCLUDED.messages,
           rate_limited = s.rate_limited + EXCLUDED.rate_limited, latency_sum = s.latency_sum + EXCLUDED.latency_sum,
           latency = zentry_notify.add_histograms(s.latency, EXCLUDED.latency);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.add_delivery_stat() IS 'Trigger: restored counts are added to what the worker has counted meanwhile';

-- The worker adds as the agent, and the trigger's own INSERT is not for the trigger.
DROP TRIGGER IF EXISTS add_delivery_stat ON zentry_notify.delivery_stat;
CREATE TRIGGER add_delivery_stat BEFORE INSERT ON zentry_notify.delivery_stat
    FOR EACH ROW WHEN (current_user OPERATOR(pg_catalog.<>) 'zentry_notify_agent' AND pg_catalog.pg_trigger_depth() OPERATOR(pg_catalog.=) 0)
    EXECUTE FUNCTION zentry_notify.add_delivery_stat();

CREATE OR REPLACE VIEW zentry_notify.delivery_totals AS
SELECT s.webhook_integration_id, w.name AS webhook_integration_name, w.webhook_type, s.event_type,
       s.sent, s.failed, s.retried, s.requests, s.messages, s.rate_limited, s.latency_sum, s.latency
  FROM zentry_notify.delivery_stat s
  JOIN zentry_notify.webhook_integration w ON w.id = s.webhook_integration_id
 WHERE s.span = 'ever';
COMMENT ON VIEW zentry_notify.delivery_totals IS
    'Counters for a collector of metrics: they only grow, over restarts and whatever leaves the log. For sums over event types take those that are not *, for requests those that are';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_integration_name IS 'The integration''s name';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_type IS 'discord or teams';

-- The rest are the table's own columns, described once.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.attname, pg_catalog.col_description(t.attrelid, t.attnum) AS text
               FROM pg_catalog.pg_attribute t
               JOIN pg_catalog.pg_attribute v ON v.attname OPERATOR(pg_catalog.=) t.attname
              WHERE t.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.delivery_stat'::pg_catalog.regclass
                AND v.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.delivery_totals'::pg_catalog.regclass
                AND t.attnum OPERATOR(pg_catalog.>) 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN zentry_notify.delivery_totals.%I IS %L', c.attname, c.text);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.zentry_stats(since interval DEFAULT '1 day')
    RETURNS TABLE (webhook_id bigint, name text, event_type text, sent bigint, failed bigint, retried bigint, requests bigint,
                   events_per_message numeric, p50 numeric, p95 numeric, p99 numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    ever  boolean := zentry_stats.since IS NULL;
    start timestamptz := now() - zentry_stats.since;
BEGIN
    IF zentry_stats.since <= '0' THEN
        RAISE EXCEPTION 'since must be longer than 0, not %', zentry_stats.since USING ERRCODE = 'invalid_parameter_value',
            HINT = 'For example ''1 hour''; null counts from the registration on.';
    END IF;
    RETURN QUERY
    SELECT w.id, w.name::text, s.event_type::text, sum(s.sent)::bigint, sum(s.failed)::bigint, sum(s.retried)::bigint,
           sum(s.requests)::bigint, round(sum(s.sent) / nullif(sum(s.messages), 0), 1),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.5)::numeric, 3),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.95)::numeric, 3),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.99)::numeric, 3)
      FROM zentry_notify.delivery_stat s
      JOIN zentry_notify.webhook_integration w ON w.id = s.webhook_integration_id
     WHERE ever AND s.span = 'ever'
        OR NOT ever AND s.span = 'minute' AND s.since >= date_trunc('minute', start, 'UTC')
        OR NOT ever AND s.span = 'hour' AND s.since >= date_trunc('hour', start, 'UTC')
     GROUP BY w.id, s.event_type
     ORDER BY w.id, s.event_type;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_stats(interval) IS
    'What deliveries came to lately (null: ever), for each webhook and event type, and * for all of a webhook. Percentiles are seconds from the event to the answer; what is older than two hours counts by the full hour';

CREATE OR REPLACE FUNCTION @extschema@.zentry_stats_by_hour(hours integer DEFAULT 24, webhook_id bigint DEFAULT NULL)
    RETURNS TABLE (hour timestamptz, sent bigint, failed bigint, retried bigint, p50 numeric, p95 numeric, p99 numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- In UTC, as the worker cuts them, whatever the session's time zone is.
    last timestamptz := date_trunc('hour', now(), 'UTC');
BEGIN
    IF hours IS NULL OR hours NOT BETWEEN 1 AND 2160 THEN
        RAISE EXCEPTION 'hours must be 1 to 2160, not %', coalesce(hours::text, 'null')
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'hours', HINT = '24 is a day, 168 a week.';
    END IF;
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    RETURN QUERY
    SELECT h.hour, coalesce(s.sent, 0), coalesce(s.failed, 0), coalesce(s.retried, 0),
           round(zentry_notify.quantile(s.latency, 0.5)::numeric, 3), round(zentry_notify.quantile(s.latency, 0.95)::numeric, 3),
           round(zentry_notify.quantile(s.latency, 0.99)::numeric, 3)
      FROM (SELECT last - n * interval '1 hour' AS hour FROM generate_series(0, hours - 1) AS n) h
      LEFT JOIN (SELECT date_trunc('hour', s.since, 'UTC') AS hour, sum(s.sent)::bigint AS sent, sum(s.failed)::bigint AS failed,
                        sum(s.retried)::bigint AS retried, zentry_notify.sum_histogram(s.latency) AS latency
                   FROM zentry_notify.delivery_stat s
                  WHERE s.span IN ('minute', 'hour') AND s.since >= last - (hours - 1) * interval '1 hour'
                    AND s.event_type = '*' AND (webhook_id IS NULL OR s.webhook_integration_id = webhook_id)
                  GROUP BY 1) s ON s.hour = h.hour
     ORDER BY h.hour;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_stats_by_hour(integer, bigint) IS
    'What deliveries came to in each of the last hours, the current one last, of one webhook or (null) of all; hours without any are in it. Percentiles are seconds from the event to the answer';
-- ---- 18_status.sql ----

-- Is it working, and if not, what do I do. One function for each part of the way from the write to the message; what they
-- return, zentry_status() returns.

CREATE OR REPLACE FUNCTION zentry_notify.server_state()
    RETURNS TABLE (library_version text, fits boolean, preloaded boolean, worker_died boolean, refused_since timestamptz, databases_waiting integer,
                   short_of_workers_since timestamptz, discord_parked_until timestamptz)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'server_state_wrapper';
COMMENT ON FUNCTION zentry_notify.server_state() IS 'What the library and its shared memory know: one row';

CREATE OR REPLACE FUNCTION zentry_notify.moment(at timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_char(at, CASE WHEN at::date = current_date THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END) $$;
COMMENT ON FUNCTION zentry_notify.moment(timestamptz) IS 'A time for people: without the date if it is today''s';

CREATE OR REPLACE FUNCTION zentry_notify.background_workers() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM pg_stat_activity a
     WHERE a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'walwriter',
                                  'archiver', 'logger', 'startup', 'walreceiver', 'walsender', 'walsummarizer', 'slotsync worker', 'io worker');
$$;
COMMENT ON FUNCTION zentry_notify.background_workers() IS 'How many processes take a place of max_worker_processes';

CREATE OR REPLACE FUNCTION zentry_notify.more_workers() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server',
                  current_setting('max_worker_processes')::int + current_setting('zentry_notify.max_workers')::int + 1);
$$;
COMMENT ON FUNCTION zentry_notify.more_workers() IS 'The remedy for too few places for background workers';

CREATE OR REPLACE FUNCTION zentry_notify.status_server() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server    record;
    launcher  record;
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
            '-- restart the server: it still has the library of before';
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
    RETURN QUERY SELECT * FROM zentry_notify.status_worker(server.worker_died, server.refused_since, server.databases_waiting,
                                                           server.short_of_workers_since);
    IF server.discord_parked_until > now() THEN
        RETURN QUERY SELECT 'Discord', 'attention', 'has banned this server''s address until ' || zentry_notify.moment(server.discord_parked_until),
            '-- it is waited for; see that nothing else at this address calls Discord too often';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_server() IS 'Status of what the cluster has: library, launcher, worker';

CREATE OR REPLACE VIEW zentry_notify.due_delivery AS
SELECT l.id, l.webhook_integration_id, coalesce(l.next_attempt_at, l.created_at) AS due_at
  FROM zentry_notify.notification_log l
  JOIN zentry_notify.webhook_integration w ON w.id = l.webhook_integration_id AND w.is_active
 WHERE l.status IN ('pending', 'retry')
   AND coalesce(l.next_attempt_at, l.created_at) <= now()
   AND zentry_notify.quiet_until(w.quiet_hours) IS NULL
   AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id);
COMMENT ON VIEW zentry_notify.due_delivery IS 'Deliveries that nothing keeps from being sent but the worker and the pace of their channel';
COMMENT ON COLUMN zentry_notify.due_delivery.id IS 'Its number in the log';
COMMENT ON COLUMN zentry_notify.due_delivery.webhook_integration_id IS 'Where it goes';
COMMENT ON COLUMN zentry_notify.due_delivery.due_at IS 'Since when it may go';

CREATE OR REPLACE FUNCTION zentry_notify.status_worker(worker_died boolean, refused_since timestamptz, databases_waiting integer,
                                            short_of_workers_since timestamptz)
    RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    worker record;
    log_it constant text := '-- the server log says why, in a line that begins with zentry_notify';
BEGIN
    SELECT a.pid, a.backend_start INTO worker FROM pg_stat_activity a
     WHERE a.backend_type = 'zentry_notify worker' AND a.datname = current_database();
    IF FOUND THEN
        IF refused_since IS NULL THEN
            RETURN QUERY SELECT 'worker', 'ok', format('pid %s, since %s', worker.pid, zentry_notify.moment(worker.backend_start)), '';
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', format('pid %s; the database refuses its statements since %s', worker.pid, zentry_notify.moment(refused_since)), log_it;
        END IF;
    ELSIF worker_died THEN
        RETURN QUERY SELECT 'worker', 'broken', 'has died, and is started again after a pause', log_it;
    ELSIF current_setting('zentry_notify.sending')::boolean
          AND EXISTS (SELECT FROM zentry_notify.due_delivery d WHERE d.due_at < now() - interval '5 seconds') THEN
        IF short_of_workers_since IS NOT NULL THEN
            RETURN QUERY SELECT 'worker', 'broken', format('no background worker is free, since %s (max_worker_processes is %s)',
                                                           zentry_notify.moment(short_of_workers_since), current_setting('max_worker_processes')),
                zentry_notify.more_workers();
        ELSIF databases_waiting > 0 THEN
            RETURN QUERY SELECT 'worker', 'attention', format('waits for its turn: %s workers may run, %s databases wait',
                                                              current_setting('zentry_notify.max_workers'), databases_waiting),
                format('ALTER SYSTEM SET zentry_notify.max_workers = %s; SELECT pg_reload_conf();',
                       least(64, current_setting('zentry_notify.max_workers')::int + databases_waiting));
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', 'not there, although deliveries are due', '-- see the line of the launcher';
        END IF;
    ELSE
        RETURN QUERY SELECT 'worker', 'ok', 'none is needed now', '';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_worker(boolean, timestamptz, integer, timestamptz) IS 'Status of this database''s worker';

CREATE OR REPLACE FUNCTION zentry_notify.status_settings() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- What holds for sessions and workers to come: what is set for the database, else what this session began with.
    WITH setting AS (
        SELECT s.name, v.normal, v.means, s.setting AS here, s.reset_val, d.value AS of_database, coalesce(d.value, s.reset_val) AS for_all
          FROM (VALUES ('zentry_notify.sending', 'on', 'nothing is sent, deliveries wait'),
                       ('zentry_notify.enabled', 'on', 'writes fire nothing'),
                       ('session_replication_role', 'origin', 'writes fire nothing')) AS v (name, normal, means)
          JOIN pg_settings s ON s.name = v.name
          LEFT JOIN LATERAL (
               SELECT CASE WHEN split_part(c, '=', 2) IN ('off', 'false', 'no', '0') THEN 'off' ELSE split_part(c, '=', 2) END AS value
                 FROM pg_db_role_setting r JOIN pg_database b ON b.oid = r.setdatabase AND b.datname = current_database(), unnest(r.setconfig) c
                WHERE r.setrole = 0 AND split_part(c, '=', 1) = v.name) d ON true)
    SELECT s.name, 'attention', CASE WHEN s.for_all = s.normal THEN s.means || ', in this session' ELSE s.means END,
           CASE WHEN s.for_all = s.normal THEN format('RESET %s;', s.name)
                WHEN s.of_database IS NOT NULL THEN format('ALTER DATABASE %I RESET %s;', current_database(), s.name)
                ELSE format('ALTER SYSTEM SET %s = %s; SELECT pg_reload_conf();', s.name, s.normal) END
      FROM setting s
     -- Workers do not see what a session has set.
     WHERE s.for_all <> s.normal OR s.here <> s.normal AND s.name <> 'zentry_notify.sending';
$$;
COMMENT ON FUNCTION zentry_notify.status_settings() IS 'Status of the settings that switch something off';

CREATE OR REPLACE FUNCTION zentry_notify.status_privileges() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Postgres keeps what CREATE EXTENSION granted: what is not there any more has been taken away since.
    WITH granted AS (
        SELECT i.classoid, i.objoid, a.privilege_type
          FROM pg_init_privs i
          CROSS JOIN aclexplode(i.initprivs) a
          JOIN pg_roles r ON r.oid = a.grantee AND r.rolname = 'zentry_notify_agent'
          JOIN pg_depend d ON d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e'
          JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
         WHERE i.objsubid = 0),
    lost AS (
        SELECT format('%s ON TABLE %s', string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type), g.objoid::regclass) AS privilege
          FROM granted g
         WHERE CASE g.classoid WHEN 'pg_class'::regclass THEN NOT has_table_privilege('zentry_notify_agent', g.objoid, g.privilege_type) END
         GROUP BY g.objoid
        UNION ALL
        SELECT format('EXECUTE ON FUNCTION %s', g.objoid::regprocedure)
          FROM granted g
         WHERE CASE g.classoid WHEN 'pg_proc'::regclass THEN NOT has_function_privilege('zentry_notify_agent', g.objoid, 'EXECUTE') END
        UNION ALL
        SELECT format('USAGE ON SCHEMA %s', g.objoid::regnamespace)
          FROM granted g
         WHERE CASE g.classoid WHEN 'pg_namespace'::regclass THEN NOT has_schema_privilege('zentry_notify_agent', g.objoid, 'USAGE') END)
    SELECT 'privileges', 'broken', 'zentry_notify_agent has lost ' || l.privilege, format('GRANT %s TO zentry_notify_agent;', l.privilege)
      FROM lost l
     UNION ALL
    SELECT 'privileges', 'broken', 'there is no role zentry_notify_agent: nothing is captured, nothing is sent', '-- it was renamed: give it its name back'
     WHERE to_regrole('zentry_notify_agent') IS NULL
     UNION ALL
    -- A later version's functions are nobody's: what an update grants, pg_dump would take for the extension's own and leave out.
    SELECT 'privileges', 'attention', format('%s may not call %s', g.grantee, min(f::text)),
           format('SELECT zentry_grant(%L, %L);', g.grantee, g.privilege)
      FROM zentry_notify.grants() g
      CROSS JOIN zentry_notify.functions_of(g.privilege) f
     WHERE NOT has_function_privilege(g.grantee, f, 'EXECUTE')
     GROUP BY g.grantee, g.privilege;
$$;
COMMENT ON FUNCTION zentry_notify.status_privileges() IS 'Status of the rights that the agent needs, and of those that zentry_grant gave';

CREATE OR REPLACE FUNCTION zentry_notify.status_sources() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'event ' || s.event_type,
           CASE WHEN c.oid IS NULL OR s.suspended_at IS NOT NULL OR t.live IS NULL OR t.disabled IS NOT NULL THEN 'broken' ELSE 'ok' END,
           CASE WHEN c.oid IS NULL THEN 'its table does not exist any more'
                WHEN s.suspended_at IS NOT NULL THEN format('suspended since %s: %s', zentry_notify.moment(s.suspended_at), s.suspended_reason)
                WHEN t.disabled IS NOT NULL THEN format('trigger %s on %s is disabled', t.disabled, s.relation)
                WHEN t.live IS NULL THEN format('the triggers on %s are gone', s.relation)
                ELSE format('%s', s.relation) END,
           CASE WHEN c.oid IS NULL THEN format('SELECT zentry_detach(%s);', s.relation::oid)
                WHEN t.disabled IS NOT NULL AND s.suspended_at IS NULL THEN format('ALTER TABLE %s ENABLE TRIGGER %s;', s.relation, t.disabled)
                WHEN s.suspended_at IS NOT NULL OR t.live IS NULL THEN 'SELECT * FROM zentry_attach();'
                ELSE '' END
      FROM zentry_notify.event_source s
      LEFT JOIN pg_class c ON c.oid = s.relation
      LEFT JOIN LATERAL (
           SELECT min(quote_ident(t.tgname)) FILTER (WHERE t.tgenabled IN ('O', 'A')) AS live,
                  min(quote_ident(t.tgname)) FILTER (WHERE t.tgenabled NOT IN ('O', 'A')) AS disabled
             FROM pg_trigger t
            WHERE t.tgrelid = s.relation AND NOT t.tgisinternal AND t.tgfoid = 'zentry_notify.capture()'::regprocedure) t ON true
     UNION ALL
    SELECT 'events', 'attention', 'no table is attached: no write fires anything', 'SELECT * FROM zentry_attach();'
     WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source)
     ORDER BY 1;
$$;
COMMENT ON FUNCTION zentry_notify.status_sources() IS 'Status of the attached tables';

CREATE OR REPLACE FUNCTION zentry_notify.status_webhooks() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH webhook AS (
        SELECT w.id, w.name,
               CASE WHEN w.switched_off_at IS NOT NULL THEN 'gone' WHEN NOT w.is_active THEN 'off'
                    WHEN c.webhook_integration_id IS NOT NULL THEN 'failing' ELSE 'active' END AS state,
               coalesce(w.switched_off_at, c.opened_at) AS since, coalesce(w.switched_off_reason, c.error_message) AS reason, c.next_try_at
          FROM zentry_notify.webhook_integration w
          LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id)
    SELECT 'webhooks', CASE WHEN count(*) FILTER (WHERE n.state = 'active') = 0 THEN 'attention' ELSE 'ok' END,
           coalesce(string_agg(format('%s %s', n.count, n.state), ', ' ORDER BY n.state), 'none is registered: nobody hears anything'),
           CASE WHEN count(*) = 0 THEN 'SELECT zentry_register_webhook(''NAME'', ''discord'', ''URL'');' ELSE '' END
      FROM (SELECT w.state, count(*) FROM webhook w GROUP BY w.state) n
     UNION ALL
    (SELECT format('webhook %s', w.id), CASE w.state WHEN 'gone' THEN 'broken' ELSE 'attention' END,
            CASE w.state WHEN 'gone' THEN format('gone since %s: %s', zentry_notify.moment(w.since), w.reason)
                         ELSE format('fails since %s, next try %s: %s', zentry_notify.moment(w.since), zentry_notify.moment(w.next_try_at), w.reason) END,
            CASE w.state WHEN 'gone' THEN format('SELECT zentry_update_webhook(%s, webhook_url => ''URL''), zentry_retry_failed(%s);', w.id, w.id)
                         ELSE format('SELECT * FROM zentry_test_webhook(%s);', w.id) END
       FROM webhook w WHERE w.state IN ('gone', 'failing') ORDER BY w.state DESC, w.id LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_webhooks() IS 'Status of the integrations: how many are in which state, and the first 20 that fail or are gone';

CREATE OR REPLACE FUNCTION zentry_notify.status_queue() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'queue', CASE WHEN d.due_at < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN q.waiting = 0 THEN 'nothing waits'
                ELSE format('%s wait, the oldest since %s', q.waiting, zentry_notify.moment(q.oldest)) END,
           CASE WHEN d.due_at < now() - interval '5 minutes'
                THEN 'SELECT * FROM zentry_notify.logs WHERE status IN (''pending'', ''retry'') ORDER BY id LIMIT 20;' ELSE '' END
      FROM (SELECT count(*) AS waiting, min(l.created_at) AS oldest FROM zentry_notify.notification_log l WHERE l.status IN ('pending', 'retry')) q
      CROSS JOIN (SELECT min(d.due_at) AS due_at FROM zentry_notify.due_delivery d) d
     UNION ALL
    SELECT 'milestones', 'attention', format('%s notes are not counted, the oldest of %s', count(*), zentry_notify.moment(min(n.created_at))),
           '-- see the line of the worker'
      FROM zentry_notify.progress_note n HAVING min(n.created_at) < now() - interval '5 minutes'
     UNION ALL
    (SELECT format('webhook %s', l.webhook_integration_id), 'attention', 'rate limited until ' || zentry_notify.moment(max(l.next_attempt_at)),
            format('UPDATE zentry_notify.webhook_integration SET min_interval = ''5 seconds'' WHERE id = %s;', l.webhook_integration_id)
       FROM zentry_notify.notification_log l
      WHERE l.status IN ('pending', 'retry') AND l.response_status_code = 429 AND l.next_attempt_at > now()
      GROUP BY l.webhook_integration_id ORDER BY max(l.next_attempt_at) DESC LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_queue() IS 'Status of what waits';

CREATE OR REPLACE FUNCTION zentry_notify.status_log() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'failures', CASE WHEN f.day > 0 THEN 'attention' ELSE 'ok' END,
           format('%s in 24 hours', f.day) || CASE WHEN e.last_failed_at IS NULL THEN ''
               ELSE format('; the last, %s: %s', zentry_notify.moment(e.last_failed_at), left(e.last_error, 200)) END,
           CASE WHEN f.day > 0 THEN 'SELECT zentry_retry_failed(since => now() - interval ''1 day'');' ELSE '' END
      FROM (SELECT coalesce(sum(s.failed), 0) AS day FROM zentry_notify.delivery_stat s
             WHERE s.event_type = '*' AND s.span IN ('minute', 'hour') AND s.since >= now() - interval '1 day') f
      LEFT JOIN LATERAL (SELECT n.last_failed_at, n.last_error FROM zentry_notify.webhook_count n
                          WHERE n.last_failed_at IS NOT NULL ORDER BY n.last_failed_at DESC LIMIT 1) e ON true
     UNION ALL
    SELECT 'clock', CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN 'attention' ELSE 'ok' END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute'
                THEN format('the last delivery is of %s, and now it is %s', l.created_at, now()) ELSE date_trunc('second', now())::text END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN '-- the server''s clock was set back: set it right' ELSE '' END
      FROM (SELECT (SELECT l.created_at FROM zentry_notify.notification_log l ORDER BY l.id DESC LIMIT 1)) l;
$$;
COMMENT ON FUNCTION zentry_notify.status_log() IS 'Status of what became of deliveries, and of the time';

CREATE OR REPLACE FUNCTION @extschema@.zentry_status() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM zentry_notify.status_server()
     UNION ALL SELECT * FROM zentry_notify.status_settings()
     UNION ALL SELECT * FROM zentry_notify.status_privileges()
     UNION ALL SELECT * FROM zentry_notify.status_sources()
     UNION ALL SELECT * FROM zentry_notify.status_webhooks()
     UNION ALL SELECT * FROM zentry_notify.status_queue()
     UNION ALL SELECT * FROM zentry_notify.status_log();
$$;
COMMENT ON FUNCTION @extschema@.zentry_status() IS
    'Whether everything works: what is ok, needs attention, or is broken, along the way from the write to the message, and the SQL that mends it';
-- ---- 19_import.sql ----

-- The integrations of the application's own notifications, taken over.

-- Reading is the caller's, with their rights, and of plain tables with plain types alone: a view, a type's cast, or a policy would run
-- its author's code with those rights.
CREATE OR REPLACE FUNCTION @extschema@.zentry_import_integrations(source regclass DEFAULT NULL)
    RETURNS TABLE (id bigint, name text, state text, reason text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    first_user_type CONSTANT oid := 16384; -- FirstNormalObjectId: those below come with PostgreSQL
    wanted   CONSTANT name[] := '{id,name,webhook_type,webhook_url,project_id,created_by_id,event_types,is_active,created_at}';
    relation regclass := coalesce(source, to_regclass('public.notifications_webhookintegration'));
    known    name[];
    foreign_type text;
    old      record;
BEGIN
    IF relation IS NULL THEN
        RAISE EXCEPTION 'there is no table public.notifications_webhookintegration' USING ERRCODE = 'undefined_table',
            HINT = 'If the application has its integrations elsewhere: SELECT * FROM zentry_import_integrations(''schema.table'');';
    END IF;
    IF (SELECT c.relkind FROM pg_class c WHERE c.oid = relation) NOT IN ('r', 'p') THEN
        RAISE EXCEPTION '% is not a table', relation USING ERRCODE = 'wrong_object_type',
            HINT = 'Copy what it shows into one: CREATE TABLE integrations AS SELECT ...';
    END IF;
    IF row_security_active(relation) THEN
        RAISE EXCEPTION '% has row security', relation USING ERRCODE = 'insufficient_privilege',
            HINT = 'Let its owner or a superuser do it, or copy the rows into a table without.';
    END IF;
    SELECT array_agg(a.attname ORDER BY a.attnum),
           min(format('%s of type %s', a.attname, format_type(a.atttypid, a.atttypmod))) FILTER (WHERE a.atttypid >= first_user_type)
      INTO known, foreign_type
      FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY (wanted);
    IF NOT wanted <@ coalesce(known, '{}') THEN
        RAISE EXCEPTION '% lacks the columns %', relation, (SELECT string_agg(w, ', ') FROM unnest(wanted) w WHERE w <> ALL (coalesce(known, '{}')))
            USING ERRCODE = 'undefined_column', HINT = 'They are those of Zentry''s model WebhookIntegration.';
    END IF;
    IF foreign_type IS NOT NULL THEN
        RAISE EXCEPTION 'column % of % is of no type of PostgreSQL', foreign_type, relation USING ERRCODE = 'datatype_mismatch',
            HINT = 'Copy the rows into a table with plain types: CREATE TABLE integrations AS SELECT ...';
    END IF;
    FOR old IN EXECUTE format('SELECT to_jsonb(t) AS entry FROM (SELECT %s FROM %s) AS t ORDER BY t.id',
                              (SELECT string_agg(quote_ident(w), ', ') FROM unnest(wanted) w), relation) LOOP
        RETURN QUERY SELECT * FROM zentry_notify.import_integration(old.entry);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_import_integrations(regclass) IS
    'Takes over the rows of notifications_webhookintegration (or of another table with its columns) under their ids; each is imported, there already, or refused, with the reason. May be repeated';

CREATE OR REPLACE FUNCTION zentry_notify.import_integration(entry jsonb) RETURNS TABLE (id bigint, name text, state text, reason text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old  zentry_notify.webhook_integration;
    same zentry_notify.webhook_integration;
    hint text;
BEGIN
    id := entry ->> 'id';
    name := entry ->> 'name';
    BEGIN
        old := jsonb_populate_record(NULL::zentry_notify.webhook_integration, entry);
        SELECT w.* INTO same FROM zentry_notify.webhook_integration w WHERE w.id = old.id;
        IF FOUND THEN
            -- Changed since or not, it is the same if it was made at the same moment.
            state := CASE WHEN same.created_at = old.created_at THEN 'there already' ELSE 'refused' END;
            reason := CASE WHEN same.created_at <> old.created_at
                           THEN format('its id is that of webhook "%s", which was registered here; register it by zentry_register_webhook', same.name) END;
            RETURN NEXT;
            RETURN;
        END IF;
        INSERT INTO zentry_notify.webhook_integration AS w
               (id, name, webhook_type, webhook_url, project_id, created_by_id, event_types, is_active, created_at)
        VALUES (old.id, old.name, old.webhook_type, old.webhook_url, old.project_id, old.created_by_id, old.event_types,
                coalesce(old.is_active, true), coalesce(old.created_at, now()));
        -- Ids given from now on must not be those that were taken over.
        PERFORM setval(s.sequence, old.id) FROM pg_get_serial_sequence('zentry_notify.webhook_integration', 'id') AS s (sequence)
          WHERE old.id > coalesce(pg_sequence_last_value(s.sequence::regclass), 0);
        state := 'imported';
        reason := CASE WHEN old.event_types = '[]' THEN 'it hears nothing: its list of event types is empty' END;
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
-- ---- 21_event_definition.sql ----

-- What messages say: types and wordings put together, and the rules for both.

CREATE OR REPLACE VIEW zentry_notify.event_definition AS
WITH type AS (
    SELECT t.name, pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(t) - '{built_in,created_at,sample}'::pg_catalog.text[]) AS definition
      FROM zentry_notify.event_type t),
wording AS (
    SELECT w.event_type, w.webhook_integration_id,
           pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(w) - '{id,event_type,webhook_integration_id,created_at}'::pg_catalog.text[]) AS words
      FROM zentry_notify.event_wording w),
everybody AS (
    SELECT t.name, t.definition || coalesce(w.words, '{}') AS definition
      FROM type t LEFT JOIN wording w ON w.event_type = t.name AND w.webhook_integration_id IS NULL)
SELECT e.name AS event_type, NULL::bigint AS webhook_integration_id, e.definition
  FROM everybody e
UNION ALL
SELECT e.name, w.webhook_integration_id, e.definition || w.words
  FROM everybody e JOIN wording w ON w.event_type = e.name AND w.webhook_integration_id IS NOT NULL;
COMMENT ON VIEW zentry_notify.event_definition IS 'What the messages of each event say, with the wording of the installation and of integrations put in';
COMMENT ON COLUMN zentry_notify.event_definition.event_type IS 'The event';
COMMENT ON COLUMN zentry_notify.event_definition.webhook_integration_id IS 'The integration that has a wording of its own; null: what the others say';
COMMENT ON COLUMN zentry_notify.event_definition.definition IS 'name, title, text, fields, colour, emoji, footer, time_key';

CREATE OR REPLACE FUNCTION zentry_notify.sample_event(event_type text) RETURNS jsonb
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT coalesce(t.sample, zentry_notify.placeholder_event(d.definition))
      FROM zentry_notify.event_type t
      JOIN zentry_notify.event_definition d ON d.event_type = t.name AND d.webhook_integration_id IS NULL
     WHERE t.name = sample_event.event_type
$$;
COMMENT ON FUNCTION zentry_notify.sample_event(text) IS
    'The event''s sample, or words in the place of data if it has none; null for an unknown type';

CREATE OR REPLACE FUNCTION zentry_notify.event_keys(event_type text) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT array_agg(DISTINCT key ORDER BY key)
      FROM (SELECT jsonb_object_keys(t.sample) FROM zentry_notify.event_type t
             WHERE t.name = event_keys.event_type AND jsonb_typeof(t.sample) = 'object'
             UNION ALL
            SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = event_keys.event_type) AS known (key)
$$;
COMMENT ON FUNCTION zentry_notify.event_keys(text) IS 'The keys that the event''s data have, as its sample and its sources say; null: nothing is known';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.name IS NULL OR NEW.name !~ '^[a-z][a-z0-9_]{0,39}$' OR NEW.name = 'test' THEN
        RAISE EXCEPTION 'an event type cannot have the name "%"', coalesce(NEW.name, '(null)')
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name',
                  HINT = 'A name has up to 40 small letters, digits and underscores and begins with a letter, such as release_published. "test" is taken.';
    END IF;
    IF jsonb_typeof(NEW.sample) <> 'object' THEN
        RAISE EXCEPTION 'the sample of event type "%" must be a JSON object', NEW.name
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'sample', HINT = 'For example {"release_name": "2.0"}.';
    END IF;
    PERFORM zentry_notify.check_definition(jsonb_strip_nulls(to_jsonb(NEW) - '{built_in,created_at,sample}'::text[]), NEW.sample,
        ARRAY(SELECT jsonb_object_keys(NEW.sample)
              UNION SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = NEW.name));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_event_type() IS 'Trigger: the rules of a row of event_type';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    type zentry_notify.event_type;
BEGIN
    SELECT t.* INTO type FROM zentry_notify.event_type t WHERE t.name = NEW.event_type;
    IF NOT FOUND AND NOT zentry_notify.is_restoring() THEN
        RAISE EXCEPTION 'unknown event type "%"', NEW.event_type USING ERRCODE = 'foreign_key_violation',
            HINT = 'SELECT zentry_register_event_type(name, title) adds one.';
    END IF;
    IF type.name IS NOT NULL THEN
        PERFORM zentry_notify.check_definition(
            jsonb_strip_nulls(to_jsonb(type) - '{built_in,created_at,sample}'::text[])
              || jsonb_strip_nulls(to_jsonb(NEW) - '{id,event_type,webhook_integration_id,created_at}'::text[]),
            type.sample, zentry_notify.event_keys(NEW.event_type));
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_event_wording() IS 'Trigger: the rules of a row of event_wording';

DROP TRIGGER IF EXISTS check_event_type ON zentry_notify.event_type;
CREATE TRIGGER check_event_type BEFORE INSERT OR UPDATE ON zentry_notify.event_type
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_event_type();
DROP TRIGGER IF EXISTS check_event_wording ON zentry_notify.event_wording;
CREATE TRIGGER check_event_wording BEFORE INSERT OR UPDATE ON zentry_notify.event_wording
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_event_wording();
-- ---- 22_event_types.sql ----

-- Event types of users, wordings, previews; and the rows of the built-in types.

INSERT INTO zentry_notify.event_type AS t (name, title, built_in, text, fields, colour, emoji, footer, time_key, sample)
SELECT d.definition ->> 'name', d.definition ->> 'title', true, d.definition ->> 'text', d.definition -> 'fields', d.definition ->> 'colour',
       d.definition ->> 'emoji', d.definition ->> 'footer', d.definition ->> 'time_key', d.sample
  FROM zentry_notify.built_in_event_types() d
ON CONFLICT (name) DO UPDATE
   SET title = EXCLUDED.title, built_in = true, text = EXCLUDED.text, fields = EXCLUDED.fields, colour = EXCLUDED.colour,
       emoji = EXCLUDED.emoji, footer = EXCLUDED.footer, time_key = EXCLUDED.time_key, sample = EXCLUDED.sample;

CREATE OR REPLACE FUNCTION zentry_notify.require_event_type(event_type text) RETURNS zentry_notify.event_type
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    type zentry_notify.event_type;
BEGIN
    SELECT t.* INTO type FROM zentry_notify.event_type t WHERE t.name = require_event_type.event_type;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown event type "%"', left(coalesce(require_event_type.event_type, '(null)'), 50)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('The event types are %s.', (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM zentry_notify.event_type t));
    END IF;
    RETURN type;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_event_type(text) IS 'The event type, or an error that names those that there are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_register_event_type(
    name text, title text, text text DEFAULT NULL, fields json DEFAULT NULL, colour text DEFAULT NULL, emoji text DEFAULT NULL,
    footer text DEFAULT NULL, time_key text DEFAULT NULL, sample jsonb DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    ordered jsonb := zentry_notify.ordered_fields(fields::text);
BEGIN
    IF title IS NULL THEN
        RAISE EXCEPTION 'the title must not be null' USING ERRCODE = 'null_value_not_allowed', HINT = 'It is what the message is called, such as ''Release published''.';
    END IF;
    IF EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = name AND t.built_in) THEN
        IF time_key IS NOT NULL OR sample IS NOT NULL THEN
            RAISE EXCEPTION 'a built-in event type keeps its time_key and its sample'
                USING ERRCODE = 'feature_not_supported', HINT = 'Its words, colour and emoji can be changed.';
        END IF;
        PERFORM zentry_notify.put_wording(name, NULL, title, text, fields, colour, emoji, footer);
        RETURN;
    END IF;
    PERFORM zentry_notify.check_length(name, 50, 'name'); -- an error of ours, not of the column's
    -- Not ON CONFLICT: the rules would be looked at twice, and their warnings be said twice.
    UPDATE zentry_notify.event_type t
       SET title = title, text = coalesce(text, ''), fields = coalesce(ordered, '[]'), colour = coalesce(colour, '#808080'),
           emoji = coalesce(emoji, ''), footer = footer, time_key = time_key, sample = sample
     WHERE t.name = name;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_type (name, title, text, fields, colour, emoji, footer, time_key, sample)
        VALUES (name, title, coalesce(text, ''), coalesce(ordered, '[]'), coalesce(colour, '#808080'), coalesce(emoji, ''),
                footer, time_key, sample);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_register_event_type(text, text, text, json, text, text, text, text, jsonb) IS
    'Adds an event type, or replaces what one of that name says. title, text and the values of fields ({"name": "value"}) are templates over the event''s data. Of a built-in type it sets the installation''s wording';

CREATE OR REPLACE FUNCTION @extschema@.zentry_unregister_event_type(name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type zentry_notify.event_type := zentry_notify.require_event_type(name);
    used text;
BEGIN
    IF type.built_in THEN
        RAISE EXCEPTION 'event type "%" is built in', name USING ERRCODE = 'wrong_object_type',
            HINT = format('SELECT zentry_reset_event_type(%L) takes back what was changed of it.', name);
    END IF;
    SELECT string_agg(s.relation::text, ', ' ORDER BY s.relation::text) INTO used FROM zentry_notify.event_source s WHERE s.event_type = name;
    IF used IS NOT NULL THEN
        RAISE EXCEPTION 'event type "%" is what % fires', name, used USING ERRCODE = 'dependent_objects_still_exist',
            HINT = format('Detach it first: SELECT zentry_detach(''...'', %L);', name);
    END IF;
    SELECT string_agg(format('%s ("%s")', w.id, w.name), ', ' ORDER BY w.id) INTO used FROM zentry_notify.webhook_integration w WHERE w.event_types ? name;
    IF used IS NOT NULL THEN
        RAISE EXCEPTION 'webhooks subscribe to event type "%"', name USING ERRCODE = 'dependent_objects_still_exist',
            DETAIL = format('They are %s.', used), HINT = 'Change their event_types first, with zentry_update_webhook.';
    END IF;
    DELETE FROM zentry_notify.event_wording w WHERE w.event_type = name;
    DELETE FROM zentry_notify.event_type t WHERE t.name = name;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_unregister_event_type(text) IS 'Removes an event type that nothing fires and nobody names; what is in the log stays';

CREATE OR REPLACE FUNCTION zentry_notify.put_wording(
    event_type text, webhook_id bigint, title text, text text, fields json, colour text, emoji text, footer text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    type    zentry_notify.event_type := zentry_notify.require_event_type(event_type);
    ordered jsonb := zentry_notify.ordered_fields(fields::text);
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- Not ON CONFLICT: the rules would be looked at twice, and their warnings be said twice.
    UPDATE zentry_notify.event_wording w
       SET title = coalesce(title, w.title), text = coalesce(text, w.text), fields = coalesce(ordered, w.fields),
           colour = coalesce(colour, w.colour), emoji = coalesce(emoji, w.emoji), footer = coalesce(footer, w.footer)
     WHERE w.event_type = type.name AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_wording (event_type, webhook_integration_id, title, text, fields, colour, emoji, footer)
        VALUES (type.name, webhook_id, title, text, ordered, colour, emoji, footer);
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.put_wording(text, bigint, text, text, json, text, text, text) IS 'Changes what is given of a wording and leaves the rest';

CREATE OR REPLACE FUNCTION @extschema@.zentry_set_wording(
    event_type text, webhook_id bigint DEFAULT NULL, title text DEFAULT NULL, text text DEFAULT NULL, fields json DEFAULT NULL,
    colour text DEFAULT NULL, emoji text DEFAULT NULL, footer text DEFAULT NULL) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT zentry_notify.put_wording(event_type, webhook_id, title, text, fields, colour, emoji, footer)
$$;
COMMENT ON FUNCTION @extschema@.zentry_set_wording(text, bigint, text, text, json, text, text, text) IS
    'Other words, colour or emoji for an event: in the messages of one webhook, or (null) of all. What is not given stays as it is';

CREATE OR REPLACE FUNCTION @extschema@.zentry_reset_event_type(event_type text, webhook_id bigint DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type zentry_notify.event_type := zentry_notify.require_event_type(event_type);
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    DELETE FROM zentry_notify.event_wording w
     WHERE w.event_type = type.name AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_reset_event_type(text, bigint) IS
    'Takes back the wording that was set for an event: in the messages of one webhook, or (null) that of the installation';

CREATE OR REPLACE FUNCTION @extschema@.zentry_preview(
    event_type text, webhook_type text DEFAULT 'discord', data jsonb DEFAULT NULL, webhook_id bigint DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type       zentry_notify.event_type := zentry_notify.require_event_type(event_type);
    definition jsonb;
BEGIN
    IF webhook_id IS NOT NULL THEN
        SELECT zentry_notify.webhook_format(w.webhook_type, w.webhook_url) INTO webhook_type
          FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id;
        IF NOT FOUND THEN
            PERFORM zentry_notify.no_such_webhook(webhook_id);
        END IF;
    END IF;
    SELECT d.definition INTO definition FROM zentry_notify.event_definition d
     WHERE d.event_type = type.name AND (d.webhook_integration_id IS NULL OR d.webhook_integration_id = webhook_id)
     ORDER BY d.webhook_integration_id NULLS LAST LIMIT 1;
    RETURN zentry_notify.render_event(definition, left(webhook_type, 20), coalesce(data, zentry_notify.sample_event(type.name)));
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_preview(text, text, jsonb, bigint) IS
    'The message of an event as it would be posted, of the sample or of given data, without sending it. webhook_type: discord, teams (an Adaptive Card for Workflows) or teams_connector (a MessageCard); with webhook_id: in the format and the wording of that webhook';
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
                       ('zentry_notify.delivery_stat', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_integration', 'SELECT, UPDATE'),
                       ('zentry_notify.event_source', 'SELECT, UPDATE'),
                       ('zentry_notify.event_type', 'SELECT'),
                       ('zentry_notify.event_definition', 'SELECT')) AS needed (relation, kinds),
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
                WHEN privilege = 'server' THEN false
                -- A view checks whether its reader may call what it calls.
                WHEN p.proname IN ('zentry_status', 'zentry_stats', 'zentry_stats_by_hour', 'zentry_preview', 'latency_bounds', 'redact_url', 'look_up', 'quiet_until', 'library_version') THEN true
                WHEN p.proname IN ('zentry_grant', 'zentry_revoke') THEN false
                WHEN p.proname LIKE 'zentry\_%' OR p.proname = 'import_integration'
                    -- What zentry_attach, zentry_detach and the functions of tokens call with the caller's rights.
                    OR p.proname IN ('attach_source', 'put_trigger', 'inheritors', 'is_restoring', 'of_clause', 'owns', 'require_owner', 'capture', 'require_membership', 'check_length') THEN privilege IN ('manager', 'application')
                -- A form says what is wrong with a URL before it is sent.
                WHEN p.proname = 'check_webhook_url' THEN privilege IN ('manager', 'application')
                ELSE false END;
$$;
COMMENT ON FUNCTION zentry_notify.functions_of(text) IS 'The functions that a privilege of zentry_grant lets a role call';

CREATE OR REPLACE FUNCTION @extschema@.zentry_grant(grantee regrole, privilege text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f regprocedure;
BEGIN
    IF privilege IS NULL OR privilege NOT IN ('reader', 'manager', 'application', 'server') THEN
        RAISE EXCEPTION 'unknown privilege "%"', privilege USING ERRCODE = 'invalid_parameter_value',
            HINT = 'reader: the views. manager: the views, and register, change, delete, test, retry, attach. application: all that, and the tables of integrations and deliveries, URLs included. server: look API tokens up.';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA zentry_notify TO %s', grantee);
    FOR f IN SELECT * FROM zentry_notify.functions_of(privilege) LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', f, grantee);
    END LOOP;
    IF privilege <> 'server' THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.webhooks, zentry_notify.logs, zentry_notify.delivery_totals, zentry_notify.event_type, zentry_notify.event_definition, zentry_notify.event_source TO %s', grantee);
    END IF;
    IF privilege IN ('manager', 'application') THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.api_tokens TO %s', grantee);
        EXECUTE format('GRANT SELECT (token_key, name, role_name), INSERT, DELETE ON zentry_notify.api_token TO %s', grantee);
        -- zentry_attach and zentry_detach run with the manager's own rights, and check_source lets them write of their own tables only.
        EXECUTE format('GRANT SELECT ON zentry_notify.zentry_source TO %s', grantee);
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON zentry_notify.event_source TO %s', grantee);
    END IF;
    IF privilege = 'application' THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.notification_log, zentry_notify.webhook_integration TO %s', grantee);
        -- Not what the extension keeps there itself: since when it is active, and why it was switched off.
        EXECUTE (SELECT format('GRANT INSERT (%s), UPDATE (%1$s), DELETE ON zentry_notify.webhook_integration TO %s',
                               string_agg(quote_ident(a.attname), ', '), grantee)
                   FROM pg_attribute a
                  WHERE a.attrelid = 'zentry_notify.webhook_integration'::regclass AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attname NOT IN ('activated_at', 'switched_off_at', 'switched_off_reason'));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_grant(regrole, text) IS
    'Lets a role read the redacted views (reader), also register, change, delete, test, retry and attach (manager), also use the tables of integrations and deliveries as its own, URLs included (application), or nothing but look API tokens up (server)';

-- What was given to a role itself: what it has as a member of another, it may lose by leaving it.
CREATE OR REPLACE FUNCTION zentry_notify.grants() RETURNS TABLE (grantee regrole, privilege text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH granted AS (
        SELECT a.grantee, c.relname AS object
          FROM pg_class c, aclexplode(c.relacl) a
         WHERE c.oid IN ('zentry_notify.logs'::regclass, 'zentry_notify.webhook_integration'::regclass)
           AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner)
         UNION ALL
        SELECT a.grantee, p.proname
          FROM pg_proc p, aclexplode(p.proacl) a
         WHERE p.oid IN ('@extschema@.zentry_delete_webhook(bigint)'::regprocedure, 'zentry_notify.find_api_token(text)'::regprocedure)
           AND a.grantee NOT IN (0, p.proowner))
    SELECT g.grantee, CASE WHEN bool_or(g.object = 'webhook_integration') THEN 'application'
                           WHEN bool_or(g.object = 'zentry_delete_webhook') THEN 'manager' ELSE 'reader' END
      FROM granted g GROUP BY g.grantee HAVING bool_or(g.object = 'logs')
     UNION ALL
    SELECT g.grantee, 'server' FROM granted g WHERE g.object = 'find_api_token';
$$;
COMMENT ON FUNCTION zentry_notify.grants() IS 'The roles that zentry_grant has given a privilege, with the highest of reader, manager and application';

CREATE OR REPLACE FUNCTION zentry_notify.renew_grants() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.zentry_grant(g.grantee, g.privilege) FROM zentry_notify.grants() g;
$$;
COMMENT ON FUNCTION zentry_notify.renew_grants() IS
    'Gives readers, managers, applications and servers what became theirs with a new version. The library calls it after ALTER EXTENSION UPDATE, not the update itself: a script''s grants are not dumped';

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
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.sum_histogram(bigint[])', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.add_histograms(bigint[], bigint[]), zentry_notify.sum_histogram(bigint[]) TO zentry_notify_agent;
    END IF;
END
$$;

-- The structure that the above leads to, as digests of its files.
