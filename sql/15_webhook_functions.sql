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
