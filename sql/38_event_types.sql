-- The rows of the built-in event types; functions for event types of users, wordings, languages and previews.

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
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown event type "%s"', left(coalesce(require_event_type.event_type, '(null)'), 50)),
            format('The event types are %s.', (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM zentry_notify.event_type t)));
    END IF;
    RETURN type;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_event_type(text) IS 'Returns the event type, or raises an error that names those that exist';

CREATE OR REPLACE FUNCTION @extschema@.zentry_register_event_type(
    name text, title text, text text DEFAULT NULL, fields json DEFAULT NULL, colour text DEFAULT NULL, emoji text DEFAULT NULL,
    footer text DEFAULT NULL, time_key text DEFAULT NULL, sample jsonb DEFAULT NULL, url text DEFAULT NULL, thumbnail text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    ordered jsonb := zentry_notify.ordered_fields(fields::text);
BEGIN
    IF title IS NULL THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', 'the title must not be null',
            'It is what the message is called, such as ''Release published''.');
    END IF;
    IF EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = name AND t.built_in) THEN
        IF time_key IS NOT NULL OR sample IS NOT NULL THEN
            PERFORM zentry_notify.refuse('feature_not_supported', 'a built-in event type keeps its time_key and its sample',
                'Its words, colour and emoji can be changed.');
        END IF;
        PERFORM zentry_notify.put_wording(name, NULL, title, text, fields, colour, emoji, footer, url, thumbnail);
        RETURN;
    END IF;
    PERFORM zentry_notify.check_length(name, 50, 'name'); -- before the column refuses it, for the name of the parameter
    -- Not ON CONFLICT, for which both triggers run: each warning would come twice.
    UPDATE zentry_notify.event_type t
       SET title = title, text = coalesce(text, ''), fields = coalesce(ordered, '[]'), colour = coalesce(colour, '#808080'),
           emoji = coalesce(emoji, ''), footer = footer, time_key = time_key, sample = sample, url = nullif(url, ''), thumbnail = nullif(thumbnail, '')
     WHERE t.name = name;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_type (name, title, text, fields, colour, emoji, footer, time_key, sample, url, thumbnail)
        VALUES (name, title, coalesce(text, ''), coalesce(ordered, '[]'), coalesce(colour, '#808080'), coalesce(emoji, ''),
                footer, time_key, sample, nullif(url, ''), nullif(thumbnail, ''));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_register_event_type(text, text, text, json, text, text, text, text, jsonb, text, text) IS
    'Adds an event type, or replaces the definition of the one of that name. title, text and the values of fields ({"name": "value"}) are templates over the event''s data. For a built-in type it sets the installation''s wording';

CREATE OR REPLACE FUNCTION @extschema@.zentry_unregister_event_type(name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type zentry_notify.event_type := zentry_notify.require_event_type(name);
    used text;
BEGIN
    IF type.built_in THEN
        PERFORM zentry_notify.refuse('wrong_object_type', format('event type "%s" is built in', name),
            format('SELECT zentry_reset_event_type(%L) takes back what was changed of it.', name));
    END IF;
    SELECT string_agg(s.relation::text, ', ' ORDER BY s.relation::text) INTO used FROM zentry_notify.event_source s WHERE s.event_type = name;
    IF used IS NOT NULL THEN
        PERFORM zentry_notify.refuse('dependent_objects_still_exist', format('event type "%s" is what %s fires', name, used),
            format('Detach it first: SELECT zentry_detach(''...'', %L);', name));
    END IF;
    SELECT string_agg(format('%s ("%s")', w.id, w.name), ', ' ORDER BY w.id) INTO used FROM zentry_notify.webhook w WHERE w.event_types ? name;
    IF used IS NOT NULL THEN
        PERFORM zentry_notify.refuse('dependent_objects_still_exist', format('webhooks subscribe to event type "%s"', name),
            'Change their event_types first, with zentry_update_webhook.', '', format('They are %s.', used));
    END IF;
    DELETE FROM zentry_notify.event_wording w WHERE w.event_type = name;
    DELETE FROM zentry_notify.event_type t WHERE t.name = name;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_unregister_event_type(text) IS 'Removes an event type that no table fires and no webhook names. Its deliveries stay in the log';

CREATE OR REPLACE FUNCTION zentry_notify.put_wording(
    event_type text, webhook_id bigint, title text, text text, fields json, colour text, emoji text, footer text,
    url text, thumbnail text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    type    zentry_notify.event_type := zentry_notify.require_event_type(event_type);
    ordered jsonb := zentry_notify.ordered_fields(fields::text);
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- Not ON CONFLICT, for which both triggers run: each warning would come twice.
    UPDATE zentry_notify.event_wording w
       SET title = coalesce(title, w.title), text = coalesce(text, w.text), fields = coalesce(ordered, w.fields),
           colour = coalesce(colour, w.colour), emoji = coalesce(emoji, w.emoji), footer = coalesce(footer, w.footer),
           url = coalesce(url, w.url), thumbnail = coalesce(thumbnail, w.thumbnail)
     WHERE w.event_type = type.name AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_wording (event_type, webhook_integration_id, title, text, fields, colour, emoji, footer, url, thumbnail)
        VALUES (type.name, webhook_id, title, text, ordered, colour, emoji, footer, url, thumbnail);
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.put_wording(text, bigint, text, text, json, text, text, text, text, text) IS 'Changes those parts of a wording that are given, and leaves the rest as it is (null)';

CREATE OR REPLACE FUNCTION @extschema@.zentry_set_wording(
    event_type text, webhook_id bigint DEFAULT NULL, title text DEFAULT NULL, text text DEFAULT NULL, fields json DEFAULT NULL,
    colour text DEFAULT NULL, emoji text DEFAULT NULL, footer text DEFAULT NULL, url text DEFAULT NULL, thumbnail text DEFAULT NULL) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
    SELECT zentry_notify.put_wording(event_type, webhook_id, title, text, fields, colour, emoji, footer, url, thumbnail)
$$;
COMMENT ON FUNCTION @extschema@.zentry_set_wording(text, bigint, text, text, json, text, text, text, text, text) IS
    'Sets the wording of an event type (words, colour, emoji, links) in the messages of one webhook or (null) of all. What is null stays as it is';

CREATE OR REPLACE FUNCTION zentry_notify.language_of(webhook_id bigint) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT w.language FROM zentry_notify.event_wording w
     WHERE w.event_type = '*' AND (w.webhook_integration_id = webhook_id OR w.webhook_integration_id IS NULL)
     ORDER BY w.webhook_integration_id NULLS LAST LIMIT 1
$$;
COMMENT ON FUNCTION zentry_notify.language_of(bigint) IS 'Returns the language of a webhook''s messages; null: none is set, which is English';

CREATE OR REPLACE FUNCTION @extschema@.zentry_set_language(language text, webhook_id bigint DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- English is what the installation has without a row.
    IF language IS NULL OR language = 'en' AND webhook_id IS NULL THEN
        DELETE FROM zentry_notify.event_wording w WHERE w.event_type = '*' AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
        RETURN;
    END IF;
    UPDATE zentry_notify.event_wording w SET language = language WHERE w.event_type = '*' AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_wording (event_type, webhook_integration_id, language) VALUES ('*', webhook_id, language);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_set_language(text, bigint) IS
    'Sets the language of the messages of one webhook or (webhook_id null) of all: de, en, es, fr, ja or pt. language null removes the setting: a webhook then has the installation''s language. Wordings stay as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_reset_event_type(event_type text, webhook_id bigint DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type zentry_notify.event_type := zentry_notify.require_event_type(event_type);
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    DELETE FROM zentry_notify.event_wording w
     WHERE w.event_type = type.name AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_reset_event_type(text, bigint) IS
    'Removes the wording that was set for an event type: that of one webhook or (null) the installation''s';

CREATE OR REPLACE FUNCTION zentry_notify.without_keys(data jsonb, keys text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE jsonb_typeof(data) WHEN 'object' THEN data - keys ELSE data END
$$;
COMMENT ON FUNCTION zentry_notify.without_keys(jsonb, text[]) IS 'Returns the data without these keys';

CREATE OR REPLACE FUNCTION @extschema@.zentry_preview(
    event_type text, webhook_type text DEFAULT 'discord', data jsonb DEFAULT NULL, webhook_id bigint DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type       zentry_notify.event_type := zentry_notify.require_event_type(event_type);
    definition jsonb;
    omit_keys  text[] := '{}';
    mention    text;
BEGIN
    IF webhook_id IS NOT NULL THEN
        SELECT zentry_notify.webhook_format(w.webhook_type, w.webhook_url), w.omit_keys, w.mention INTO webhook_type, omit_keys, mention
          FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id;
        IF NOT FOUND THEN
            PERFORM zentry_notify.no_such_webhook(webhook_id);
        END IF;
    END IF;
    SELECT d.definition INTO definition FROM zentry_notify.event_definition d
     WHERE d.event_type = type.name AND (d.webhook_integration_id IS NULL OR d.webhook_integration_id = webhook_id)
     ORDER BY d.webhook_integration_id NULLS LAST LIMIT 1;
    RETURN zentry_notify.event_message(definition, left(coalesce(webhook_type, 'discord'), 20),
        -- With the mark of a sample, as zentry_test_event posts it to the webhook.
        zentry_notify.without_keys(coalesce(data, zentry_notify.sample_event(type.name)
                                                    || CASE WHEN webhook_id IS NULL THEN '{}' ELSE '{"zentry_sample": true}' END::jsonb), omit_keys), zentry_notify.appearance_of(webhook_id), mention);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_preview(text, text, jsonb, bigint) IS
    'Returns the message of an event as it would be posted, made of its sample or of the given data, and sends nothing. webhook_type: a type or a format of zentry_webhook_types(), such as teams (an Adaptive Card for Workflows), teams_connector (a MessageCard) or webhook (the event as JSON); with webhook_id: in the format and the wording of that webhook';
