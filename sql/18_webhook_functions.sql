-- Functions that register, change and delete webhooks. They write to the view webhook_integration; write_integration and check_webhook have the rules.

CREATE OR REPLACE FUNCTION zentry_notify.require_event_types(event_types jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
BEGIN
    SELECT string_agg(format('"%s"', e), ', ' ORDER BY e) INTO unknown
      FROM jsonb_array_elements_text(event_types) AS e
     WHERE e <> '*' AND NOT EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = e);
    IF unknown IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown event type %s', unknown),
            format('The event types are %s; * stands for all.', (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM zentry_notify.event_type t WHERE t.name <> 'webhook_trouble')),
            'event_types');
    END IF;
    IF event_types ? 'webhook_trouble' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'nobody subscribes to webhook_trouble',
            'notices => true makes a webhook hear of the trouble of others; notify_webhook_id names the webhook that hears of the trouble of one.', 'event_types');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_event_types(jsonb) IS 'Raises an error, which names the unknown ones, unless all of these event types exist and can be subscribed to';

-- Not parallel safe, because a parallel query cannot run a subtransaction, which EXCEPTION needs.
CREATE OR REPLACE FUNCTION zentry_notify.to_filter(filter text) RETURNS jsonpath
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nullif(filter, '')::jsonpath;
EXCEPTION WHEN syntax_error OR data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is not a JSON path: %s', SQLERRM),
        'For example $.points > 20, or $.project_name starts with "Web".', 'filter');
END
$$;
COMMENT ON FUNCTION zentry_notify.to_filter(text) IS 'Returns the text as a JSON path, or null for an empty one';

CREATE OR REPLACE FUNCTION zentry_notify.to_interval(value text, parameter text) RETURNS interval
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN value::interval;
EXCEPTION WHEN data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('%s is not an interval: "%s"', parameter, left(value, 50)),
        'For example 30 seconds, or 1 day.', parameter);
END
$$;
COMMENT ON FUNCTION zentry_notify.to_interval(text, text) IS 'Returns the text as an interval, or raises an error that names the parameter';

CREATE OR REPLACE FUNCTION @extschema@.zentry_register_webhook(
    name text, webhook_type text, webhook_url text, project_id bigint DEFAULT NULL,
    event_types text[] DEFAULT NULL, is_active boolean DEFAULT true, created_by_id bigint DEFAULT NULL,
    omit_keys text[] DEFAULT NULL, filter text DEFAULT NULL, min_streak_days integer DEFAULT NULL,
    milestones integer[] DEFAULT NULL, quiet_hours text DEFAULT NULL, mention text DEFAULT NULL,
    username text DEFAULT NULL, avatar_url text DEFAULT NULL, announce boolean DEFAULT NULL, thread_name text DEFAULT NULL,
    applied_tags text[] DEFAULT NULL, rate_limit text DEFAULT NULL, rate_group text DEFAULT NULL, notify_webhook_id bigint DEFAULT NULL,
    notices boolean DEFAULT NULL, digest text DEFAULT NULL, max_events_per_message integer DEFAULT NULL, min_interval interval DEFAULT NULL,
    max_age interval DEFAULT NULL, thread_by text DEFAULT NULL, secret text DEFAULT NULL, headers jsonb DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    id bigint;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    PERFORM zentry_notify.check_length(webhook_url, 2048, 'webhook_url');
    PERFORM zentry_notify.check_length(rate_limit, 50, 'rate_limit');
    PERFORM zentry_notify.check_length(rate_group, 100, 'rate_group');
    PERFORM zentry_notify.check_most_events(max_events_per_message);
    PERFORM zentry_notify.check_signing(webhook_type, nullif(secret, ''), headers::text);
    INSERT INTO zentry_notify.webhook_integration AS w
           (name, webhook_type, webhook_url, project_id, event_types, is_active, created_by_id,
            omit_keys, filter, min_streak_days, milestones, quiet_hours, mention, username, avatar_url, announce, thread_name, applied_tags,
            rate_limit, rate_group, notify_webhook_id, notices, digest, max_events_per_message, min_interval, max_age, thread_by)
    VALUES (zentry_notify.not_null(name, 'name'), left(zentry_notify.not_null(webhook_type, 'webhook_type'), 20),
            zentry_notify.not_null(webhook_url, 'webhook_url'), nullif(project_id, 0),
            coalesce(to_jsonb(event_types), '["*"]'), coalesce(is_active, true), created_by_id,
            coalesce(omit_keys, '{}'), zentry_notify.to_filter(filter), nullif(min_streak_days, 0), nullif(milestones, '{}'), nullif(quiet_hours, ''),
            nullif(mention, ''),
            nullif(username, ''), nullif(avatar_url, ''), coalesce(announce, false), nullif(thread_name, ''), coalesce(applied_tags, '{}'),
            nullif(rate_limit, ''), nullif(rate_group, ''), nullif(notify_webhook_id, 0), coalesce(notices, false), nullif(digest, ''),
            coalesce(max_events_per_message, 10), coalesce(min_interval, '0'), nullif(max_age, '0'), nullif(thread_by, ''))
    RETURNING w.id INTO id;
    PERFORM zentry_notify.set_signing(id, nullif(secret, ''), nullif(headers, '{}'));
    RETURN id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_register_webhook(text, text, text, bigint, text[], boolean, bigint, text[], text, integer, integer[], text, text,
        text, text, boolean, text, text[], text, text, bigint, boolean, text, integer, interval, interval, text, text, jsonb) IS
    'Registers a webhook and returns its id. webhook_type: one of zentry_webhook_types(); project_id null: every project; event_types null: all; secret: for type webhook, the secret to sign by (null: a new one that nothing shows; zentry_new_secret makes one and returns it), for type nats, credentials (the content of a .creds file, a user''s seed, user:password or a token); headers: additional headers of its requests. The other parameters are columns of zentry_notify.webhook_integration; an empty text, milestones of {}, and 0 for project_id, min_streak_days, notify_webhook_id or max_age are as if left out';

CREATE OR REPLACE FUNCTION @extschema@.zentry_update_webhook(
    webhook_id bigint, name text DEFAULT NULL, webhook_type text DEFAULT NULL, webhook_url text DEFAULT NULL,
    project_id bigint DEFAULT NULL, event_types text[] DEFAULT NULL, is_active boolean DEFAULT NULL,
    omit_keys text[] DEFAULT NULL, filter text DEFAULT NULL, min_streak_days integer DEFAULT NULL,
    milestones integer[] DEFAULT NULL, quiet_hours text DEFAULT NULL, mention text DEFAULT NULL,
    username text DEFAULT NULL, avatar_url text DEFAULT NULL, announce boolean DEFAULT NULL, thread_name text DEFAULT NULL,
    applied_tags text[] DEFAULT NULL, rate_limit text DEFAULT NULL, rate_group text DEFAULT NULL, notify_webhook_id bigint DEFAULT NULL,
    notices boolean DEFAULT NULL, digest text DEFAULT NULL, max_events_per_message integer DEFAULT NULL, min_interval interval DEFAULT NULL,
    max_age interval DEFAULT NULL, thread_by text DEFAULT NULL, headers jsonb DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    PERFORM zentry_notify.check_length(webhook_url, 2048, 'webhook_url');
    PERFORM zentry_notify.check_length(rate_limit, 50, 'rate_limit');
    PERFORM zentry_notify.check_length(rate_group, 100, 'rate_group');
    PERFORM zentry_notify.check_most_events(max_events_per_message);
    PERFORM zentry_notify.check_signing(NULL, NULL, headers::text);
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
           mention = CASE mention WHEN '' THEN NULL ELSE coalesce(mention, w.mention) END,
           username = CASE username WHEN '' THEN NULL ELSE coalesce(username, w.username) END,
           avatar_url = CASE avatar_url WHEN '' THEN NULL ELSE coalesce(avatar_url, w.avatar_url) END,
           announce = coalesce(announce, w.announce),
           thread_name = CASE thread_name WHEN '' THEN NULL ELSE coalesce(thread_name, w.thread_name) END,
           applied_tags = coalesce(applied_tags, w.applied_tags),
           rate_limit = CASE rate_limit WHEN '' THEN NULL ELSE coalesce(rate_limit, w.rate_limit) END,
           rate_group = CASE rate_group WHEN '' THEN NULL ELSE coalesce(rate_group, w.rate_group) END,
           notify_webhook_id = CASE notify_webhook_id WHEN 0 THEN NULL ELSE coalesce(notify_webhook_id, w.notify_webhook_id) END,
           notices = coalesce(notices, w.notices),
           digest = CASE digest WHEN '' THEN NULL ELSE coalesce(digest, w.digest) END,
           max_events_per_message = coalesce(max_events_per_message, w.max_events_per_message),
           min_interval = coalesce(min_interval, w.min_interval),
           max_age = CASE max_age WHEN '0' THEN NULL ELSE coalesce(max_age, w.max_age) END,
           thread_by = CASE thread_by WHEN '' THEN NULL ELSE coalesce(thread_by, w.thread_by) END
     WHERE w.id = webhook_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    PERFORM zentry_notify.set_signing(webhook_id, NULL, headers);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_update_webhook(bigint, text, text, text, bigint, text[], boolean, text[], text, integer, integer[], text, text,
        text, text, boolean, text, text[], text, text, bigint, boolean, text, integer, interval, interval, text, jsonb) IS
    'Changes what is given, and leaves the rest as it is (null). project_id 0: every project; an empty text, milestones of {}, and 0 for min_streak_days, notify_webhook_id or max_age set the column to null; headers replace all headers ({}: none), and a new URL removes them. A new URL, other headers and is_active => true switch a webhook on again that the extension has switched off';

-- Null leaves secret or headers as they are; {} removes the headers. A change may be what makes a failing webhook work, so it is tried again.
CREATE OR REPLACE FUNCTION zentry_notify.set_signing(webhook_id bigint, secret text, headers jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    kind text := (SELECT w.webhook_type FROM zentry_notify.webhook w WHERE w.id = webhook_id);
    lacks text;
BEGIN
    IF secret IS NULL AND headers IS NULL THEN
        RETURN;
    END IF;
    lacks := CASE WHEN secret IS NOT NULL AND NOT zentry_notify.type_has(kind, 'secret') AND NOT zentry_notify.type_has(kind, 'credentials') THEN 'secret'
                  WHEN headers <> '{}' AND NOT zentry_notify.type_has(kind, 'headers') THEN 'headers' END;
    IF lacks IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value',
            format('a webhook of type %s has no %s', kind, CASE lacks WHEN 'secret' THEN 'secret to sign by' ELSE 'headers' END),
            'Leave it out; SELECT webhook_type, settings FROM zentry_webhook_types() says which types have what.', lacks);
    END IF;
    IF secret IS NULL AND NOT zentry_notify.type_has(kind, 'headers') THEN
        RETURN;
    END IF;
    -- Names of headers are case-insensitive; they are stored in lower case, so that two spellings of a name do not become two headers.
    IF headers <> '{}' THEN
        headers := (SELECT jsonb_object_agg(lower(h.key), h.value) FROM jsonb_each(headers) h);
    END IF;
    UPDATE zentry_notify.webhook_secret s
       SET signing_secret = coalesce(secret, s.signing_secret), headers = nullif(coalesce(headers, s.headers), '{}')
     WHERE s.webhook_integration_id = webhook_id
       AND (s.signing_secret IS DISTINCT FROM coalesce(secret, s.signing_secret) OR s.headers IS DISTINCT FROM nullif(coalesce(headers, s.headers), '{}'));
    IF FOUND THEN
        PERFORM zentry_notify.reopen(webhook_id);
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.set_signing(bigint, text, jsonb) IS 'Writes the secret that a webhook''s requests are signed by, and their additional headers, which the caller has checked';

CREATE OR REPLACE FUNCTION @extschema@.zentry_new_secret(webhook_id bigint, secret text DEFAULT NULL, grace interval DEFAULT '1 day') RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    kind text := (SELECT w.webhook_type FROM zentry_notify.webhook w WHERE w.id = webhook_id);
BEGIN
    IF kind IS NULL THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    ELSIF zentry_notify.type_has(kind, 'credentials') THEN
        IF secret IS NULL THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('the credentials of a webhook of type %s are not made here', kind),
                'Give them as secret; an empty one takes them away.', 'secret');
        END IF;
        PERFORM zentry_notify.check_signing(kind, nullif(secret, ''), NULL);
        UPDATE zentry_notify.webhook_secret s SET signing_secret = nullif(secret, '') WHERE s.webhook_integration_id = webhook_id;
        PERFORM zentry_notify.reopen(webhook_id);
        RETURN secret;
    ELSIF NOT zentry_notify.type_has(kind, 'secret') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('a webhook of type %s has no secret to sign by', kind),
            'Its URL is its secret: make a new webhook at the service, and give its URL to zentry_update_webhook.', 'webhook_id');
    END IF;
    PERFORM zentry_notify.check_signing(kind, nullif(secret, ''), NULL);
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '30 days' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('grace must be 0 to 30 days, not %s', coalesce(grace::text, 'null')),
            'For that time requests are signed by the previous secret too; 0 stands for the new one alone.', 'grace');
    END IF;
    -- make_secret() is called in the statement, so that the secret is not a parameter of it, which could be logged.
    UPDATE zentry_notify.webhook_secret s
       SET signing_secret = coalesce(nullif(secret, ''), zentry_notify.make_secret()),
           previous_secret = CASE WHEN grace > '0' THEN s.signing_secret END,
           previous_until = CASE WHEN grace > '0' THEN now() + grace END
     WHERE s.webhook_integration_id = webhook_id
    RETURNING s.signing_secret INTO secret;
    PERFORM zentry_notify.reopen(webhook_id);
    RETURN secret;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_new_secret(bigint, text, interval) IS
    'Gives a webhook of type webhook a new secret to sign by (secret null: a random one), and returns it; nothing else ever shows it. Until grace is over, requests are signed by the previous secret too; 0: by the new one alone. For type nats, secret is the new credentials, which hold at once; an empty text: none';

CREATE OR REPLACE FUNCTION @extschema@.zentry_delete_webhook(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
BEGIN
    DELETE FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_delete_webhook(bigint) IS 'Deletes a webhook with its log and what still waits for it. The worker deletes the rest of a log of more than 10,000 deliveries';

CREATE OR REPLACE FUNCTION zentry_notify.not_null(value text, parameter text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', format('%s must not be null', parameter),
            'zentry_register_webhook(name, webhook_type, webhook_url) needs all three.', parameter);
    END IF;
    RETURN value;
END
$$;
COMMENT ON FUNCTION zentry_notify.not_null(text, text) IS 'Returns the value, or raises an error that names the parameter if it is null';

CREATE OR REPLACE FUNCTION zentry_notify.check_length(value text, maximum integer, parameter text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF length(value) > maximum THEN
        PERFORM zentry_notify.refuse('string_data_right_truncation', format('%s must not be longer than %s characters', parameter, maximum),
            'Shorten it.', parameter, format('It has %s.', length(value)));
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_length(text, integer, text) IS 'Raises an error that names the parameter if the value has more characters than maximum';

-- Rows are selected in the order of an index, so that the planner uses it even if it expects few rows and would read the whole log for them.
CREATE OR REPLACE FUNCTION zentry_notify.forget_deliveries(webhook_id bigint, most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids     bigint[];
    found   bigint;
    removed bigint;
BEGIN
    ids := ARRAY(SELECT x.id FROM zentry_notify.delivery x WHERE x.webhook_integration_id = webhook_id
                  ORDER BY x.webhook_integration_id, x.event_type, x.id LIMIT most);
    -- The ids come from a subquery, whose number of rows the planner does not know: for a long array it would read the whole table.
    DELETE FROM zentry_notify.delivery_attempt a WHERE a.delivery_id = ANY (ARRAY(SELECT unnest(ids)));
    DELETE FROM zentry_notify.delivery d WHERE d.id = ANY (ARRAY(SELECT unnest(ids)));
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM zentry_notify.legacy_delivery d
     WHERE d.id = ANY (ARRAY(SELECT x.id FROM zentry_notify.legacy_delivery x
                              WHERE x.webhook_integration_id = webhook_id AND x.status IN ('pending', 'retry')
                              ORDER BY x.webhook_integration_id, x.id LIMIT most - removed));
    GET DIAGNOSTICS found = ROW_COUNT;
    removed := removed + found;
    DELETE FROM zentry_notify.legacy_delivery d
     WHERE d.id = ANY (ARRAY(SELECT x.id FROM zentry_notify.legacy_delivery x
                              WHERE x.webhook_integration_id = webhook_id AND x.status IN ('sent', 'failed')
                              ORDER BY x.webhook_integration_id, x.id LIMIT most - removed));
    GET DIAGNOSTICS found = ROW_COUNT;
    RETURN removed + found;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_deliveries(bigint, integer) IS 'Deletes a webhook''s deliveries, at most so many, and returns how many it has deleted';

CREATE OR REPLACE FUNCTION zentry_notify.forget_deleted(most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted bigint;
    removed bigint := 0;
BEGIN
    -- At most as many webhooks as rows, because looking for the deliveries of one costs time even if it has none.
    FOR deleted IN SELECT d.webhook_integration_id FROM zentry_notify.deleted_webhook d LIMIT most LOOP
        -- Somebody may have registered another webhook with this id at the same time.
        IF NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = deleted) THEN
            removed := removed + zentry_notify.forget_deliveries(deleted, (most - removed)::integer);
            EXIT WHEN removed >= most;
        END IF;
        DELETE FROM zentry_notify.deleted_webhook d WHERE d.webhook_integration_id = deleted;
    END LOOP;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_deleted(integer) IS
    'Deletes at most so many deliveries of deleted webhooks, and returns how many it has deleted. The worker calls it';
