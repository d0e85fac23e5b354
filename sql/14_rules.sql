-- The rules for rows of the extension's tables. They are triggers, so they hold however a row is written.

CREATE OR REPLACE FUNCTION zentry_notify.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Scripts of pg_dump and pg_restore switch this setting off; hardly anything else does.
    SELECT NOT current_setting('check_function_bodies')::boolean
$$;
COMMENT ON FUNCTION zentry_notify.is_restoring() IS
    'Whether this session restores a dump. Then a row may come before the row that it refers to, which is not looked for';

CREATE OR REPLACE FUNCTION zentry_notify.check_filters(filter jsonpath, min_streak_days integer, milestones integer[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF min_streak_days < 1 THEN
        PERFORM zentry_notify.refuse('check_violation', format('min_streak_days must be at least 1, not %s', min_streak_days),
            'Null stands for all streaks.', 'min_streak_days');
    END IF;
    IF milestones = '{}' OR array_ndims(milestones) > 1 OR NOT (1 <= ALL (milestones) AND 100 >= ALL (milestones)) OR array_position(milestones, NULL) IS NOT NULL THEN
        PERFORM zentry_notify.refuse('check_violation', format('milestones must be numbers from 1 to 100, not %s', milestones),
            'For example {50,100}; null stands for all milestones.', 'milestones');
    END IF;
    -- Wherever it is: a part of the filter may be evaluated for some events only.
    IF zentry_notify.has_variables(filter::text) THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter has a variable, which nothing gives a value: %s', filter),
            'Write the value itself, such as $.points > 20; a key of the data begins with $ and a dot.', 'filter');
    END IF;
    -- On empty data a predicate is false or unknown; any other path does not return a single truth value, which is an error.
    BEGIN
        PERFORM jsonb_path_match_tz('{}', filter, '{}', false);
    EXCEPTION WHEN data_exception THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is not a predicate: %s', filter),
            'Write a comparison or another test, such as $.points > 20 && $.project_name starts with "Web"; not $ ? (@.points > 20).', 'filter');
    END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_filters(jsonpath, integer, integer[]) IS 'Raises an error unless these three can restrict what a webhook hears';

-- The parameter is an integer, so that a number that is too large for the column (smallint) gets the same error.
CREATE OR REPLACE FUNCTION zentry_notify.check_most_events(max_events_per_message integer) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF max_events_per_message NOT BETWEEN 1 AND 10 THEN
        PERFORM zentry_notify.refuse('check_violation', format('max_events_per_message must be 1 to 10, not %s', max_events_per_message),
            'A message has room for ten events.', 'max_events_per_message');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_most_events(integer) IS 'Raises an error unless a message has room for so many events';

-- The keys are known from the samples and sources of the event types: all of them, if each type has a sample or a source.
CREATE OR REPLACE FUNCTION zentry_notify.check_keys_of(parameter text, keys text[], event_types jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known   text[];
    certain boolean;
BEGIN
    -- Keys of all types, also of those that the webhook does not hear: a key of another type is not a misspelling.
    SELECT array_agg(DISTINCT k.key), bool_and(k.key IS NOT NULL) FILTER (WHERE event_types ?| ARRAY['*', t.name]) INTO known, certain
      FROM zentry_notify.event_type t
      LEFT JOIN LATERAL (SELECT jsonb_object_keys(CASE jsonb_typeof(t.sample) WHEN 'object' THEN t.sample ELSE '{}' END) AS key
                          UNION ALL
                         SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = t.name) k ON true;
    PERFORM zentry_notify.check_keys(parameter, keys, array_remove(known, NULL), certain);
END
$$;
COMMENT ON FUNCTION zentry_notify.check_keys_of(text, text[], jsonb) IS 'Warns of each key that no event''s data have. Raises an error for one that is a misspelling, if all keys of these event types are known';

-- The rules for a row of webhook. write_integration checks the URL, which is in another table.
CREATE OR REPLACE FUNCTION zentry_notify.check_webhook() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text;
    long    text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
    ELSE
        -- The id is in use again, so the worker must not remove its log.
        DELETE FROM zentry_notify.deleted_webhook d WHERE d.webhook_integration_id = NEW.id;
    END IF;
    SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) INTO missing
      FROM pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND a.attnotnull AND to_jsonb(NEW) -> a.attname::text = 'null';
    IF missing IS NOT NULL THEN
        PERFORM zentry_notify.refuse('not_null_violation', format('%s of a webhook must not be null', missing), 'Leave it out for its default.');
    END IF;
    -- Up to 2^53 - 1, the largest integer that a number in JSON holds exactly: clients read ids from JSON.
    IF TG_OP = 'INSERT' AND NEW.id NOT BETWEEN 1 AND 9007199254740991 THEN
        PERFORM zentry_notify.refuse('numeric_value_out_of_range', format('a webhook can''t have the number %s', NEW.id), 'A number is 1 to 9007199254740991.', 'id');
    END IF;
    -- Each session that writes an attached table reads which events are heard, and the worker reads the whole row: without a limit, a webhook
    -- could make every write slow.
    IF TG_OP = 'INSERT' OR (NEW.event_types, NEW.omit_keys, NEW.milestones, NEW.filter::text, NEW.quiet_hours, NEW.digest)
                           IS DISTINCT FROM (OLD.event_types, OLD.omit_keys, OLD.milestones, OLD.filter::text, OLD.quiet_hours, OLD.digest) THEN
        long := CASE WHEN octet_length(NEW.event_types::text) > 20000 THEN 'event_types'
                     WHEN octet_length(NEW.omit_keys::text) > 20000 THEN 'omit_keys'
                     WHEN octet_length(NEW.milestones::text) > 20000 THEN 'milestones'
                     WHEN octet_length(NEW.filter::text) > 20000 THEN 'filter'
                     WHEN octet_length(NEW.quiet_hours) > 1000 THEN 'quiet_hours'
                     WHEN octet_length(NEW.digest) > 1000 THEN 'digest' END;
        IF long IS NOT NULL THEN
            PERFORM zentry_notify.refuse('string_data_right_truncation', format('%s of a webhook is too long', long),
                CASE WHEN long IN ('quiet_hours', 'digest') THEN 'Make it a thousand bytes at most.' ELSE 'Make it 20,000 bytes at most.' END, long);
        END IF;
    END IF;
    PERFORM zentry_notify.check_most_events(NEW.max_events_per_message);
    IF NEW.min_interval NOT BETWEEN '0' AND '1 day' THEN
        PERFORM zentry_notify.refuse('check_violation', format('min_interval must be 0 to 1 day, not %s', NEW.min_interval),
            '0 stands for no minimum; the rates still hold.', 'min_interval');
    END IF;
    IF NEW.max_age <= '0' OR NEW.max_age > '1 year' THEN
        PERFORM zentry_notify.refuse('check_violation', format('max_age must be longer than 0 and at most a year, not %s', NEW.max_age),
            'Null stands for zentry_notify.max_age.', 'max_age');
    END IF;
    IF array_ndims(NEW.omit_keys) > 1 OR array_position(NEW.omit_keys, NULL) IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'omit_keys must be a list of keys',
            'For example {task_description}, or {} to leave nothing out.', 'omit_keys');
    END IF;
    IF btrim(NEW.name) = '' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the name of a webhook must not be empty',
            'Give it a name that its team knows, such as ''Backend channel''.', 'name');
    END IF;
    IF NEW.quiet_hours IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.quiet_hours IS DISTINCT FROM OLD.quiet_hours) THEN
        PERFORM zentry_notify.check_quiet_hours(NEW.quiet_hours);
    END IF;
    IF NEW.rate_limit IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.rate_limit IS DISTINCT FROM OLD.rate_limit) THEN
        PERFORM zentry_notify.check_rate_limit(NEW.rate_limit);
    END IF;
    IF btrim(NEW.rate_group) = '' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'rate_group must not be empty',
            'Name whose webhooks share a rate, such as ''flows of anna@example.com'', or null for a rate of its own.', 'rate_group');
    END IF;
    IF NEW.notify_webhook_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.notify_webhook_id IS DISTINCT FROM OLD.notify_webhook_id) THEN
        IF NEW.notify_webhook_id = NEW.id THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', 'a webhook cannot be told of its own trouble',
                'Name another one, or null for those with notices.', 'notify_webhook_id');
        END IF;
        IF NOT zentry_notify.is_restoring() AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = NEW.notify_webhook_id) THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('there is no webhook with id %s to be told', NEW.notify_webhook_id),
                'SELECT id, name FROM zentry_notify.webhooks lists them; null stands for those with notices.', 'notify_webhook_id');
        END IF;
    END IF;
    -- (An unknown type, for which type_has returns null, is refused below.)
    IF NEW.digest IS NOT NULL AND zentry_notify.type_has(NEW.webhook_type, 'digest') = false THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('a webhook of type %s has no digest: it gets each event by itself', NEW.webhook_type),
            'Leave digest out.', 'digest');
    END IF;
    IF NEW.digest IS NOT NULL AND (TG_OP = 'INSERT' OR (NEW.digest, NEW.quiet_hours) IS DISTINCT FROM (OLD.digest, OLD.quiet_hours)) THEN
        PERFORM zentry_notify.check_digest(NEW.digest, NEW.quiet_hours);
    END IF;
    PERFORM zentry_notify.check_filters(NEW.filter, NEW.min_streak_days, NEW.milestones);
    PERFORM zentry_notify.check_appearance(NEW.username, NEW.avatar_url, NEW.thread_name, NEW.applied_tags, NEW.thread_by);
    IF jsonb_typeof(NEW.event_types) IS DISTINCT FROM 'array'
       OR EXISTS (SELECT FROM jsonb_array_elements(NEW.event_types) AS e WHERE jsonb_typeof(e) <> 'string') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'event_types must be a JSON array of names',
            'For example ["task_completed", "badge_earned"], or ["*"] for all.', 'event_types');
    END IF;
    IF NOT zentry_notify.is_restoring() THEN
        IF NEW.omit_keys <> '{}' AND (TG_OP = 'INSERT' OR NEW.omit_keys IS DISTINCT FROM OLD.omit_keys) THEN
            PERFORM zentry_notify.check_keys_of('omit_keys', NEW.omit_keys, NEW.event_types);
        END IF;
        IF NEW.filter IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.filter::text IS DISTINCT FROM OLD.filter::text) THEN
            PERFORM zentry_notify.check_keys_of('filter', zentry_notify.filter_keys(NEW.filter::text), NEW.event_types);
        END IF;
    END IF;
    -- Last, so that a row with several faults has the others reported first.
    PERFORM zentry_notify.check_webhook_type(NEW.webhook_type);

    IF TG_OP = 'UPDATE' AND ((NEW.is_active AND NOT OLD.is_active) OR NEW.activated_at IS DISTINCT FROM OLD.activated_at) THEN
        -- A new URL switches on again a webhook that the extension has switched off.
        NEW.is_active := NEW.is_active OR OLD.switched_off_at IS NOT NULL;
        NEW.switched_off_at := NULL;
        NEW.switched_off_reason := NULL;
        NEW.activated_at := clock_timestamp();
        DELETE FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = NEW.id;
        UPDATE zentry_notify.webhook_state s SET failures = 0, refusals = 0, limits = 0, stream_note = NULL
         WHERE s.webhook_integration_id = NEW.id AND ((s.failures, s.refusals, s.limits) <> (0, 0, 0) OR s.stream_note IS NOT NULL);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_webhook() IS 'Trigger: checks a row of webhook. A change of activated_at resets the webhook''s state: switched off, failing, failures in a row';

-- Deletes at most 10,000 deliveries, because a DELETE must not take minutes. The worker deletes the rest (forget_deleted), with what is
-- written for the webhook until this transaction commits.
CREATE OR REPLACE FUNCTION zentry_notify.forget_webhook() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.webhook_secret s WHERE s.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.webhook_state s WHERE s.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.webhook_count c WHERE c.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.event_wording w WHERE w.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.delivery_stat s WHERE s.webhook_integration_id = OLD.id;
    PERFORM zentry_notify.forget_deliveries(OLD.id, 10000);
    INSERT INTO zentry_notify.deleted_webhook VALUES (OLD.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_webhook() IS 'Trigger: deletes what belongs to a deleted webhook: its URL, its state, its wordings and its log';

-- A caller of zentry_attach writes here with their own rights, so each statement is checked against the attached table's owner.
CREATE OR REPLACE FUNCTION zentry_notify.check_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The agent suspends sources, and no more: what a source looks up and computes has the rights of the table's owner.
    IF current_user = 'zentry_notify_agent' THEN
        IF (to_jsonb(NEW) - '{suspended_at,suspended_reason}'::text[]) IS DISTINCT FROM (to_jsonb(OLD) - '{suspended_at,suspended_reason}'::text[]) THEN
            RAISE EXCEPTION 'zentry_notify_agent may suspend a source and no more' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Let the table''s owner or a superuser do it.'; -- RAISE, because the agent may not call refuse()
        END IF;
    -- The owner of the extension and superusers may also write sources of tables that no longer exist.
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
            PERFORM zentry_notify.refuse('foreign_key_violation', format('unknown event type "%s"', NEW.event_type),
                'SELECT zentry_register_event_type(name, title) adds one.');
        END IF;
        IF NEW.event_type = 'webhook_trouble' THEN
            PERFORM zentry_notify.refuse('wrong_object_type', 'no table fires webhook_trouble',
                'The extension itself fires it when a webhook is in trouble.');
        END IF;
    END IF;
    -- A restored row has the OID that the role had in the other cluster, so the name decides.
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.written_by IS DISTINCT FROM OLD.written_by AND NEW.written_by_oid IS NOT DISTINCT FROM OLD.written_by_oid THEN
        NEW.written_by_oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.written_by);
    END IF;
    IF TG_OP <> 'DELETE' AND (array_ndims(NEW.omit) > 1 OR array_position(NEW.omit, NULL) IS NOT NULL) THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'omit must be a list of keys',
            'For example {task_description}, or {} to leave nothing out.', 'omit');
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_source() IS 'Trigger: lets the owner of the attached table write its sources, and nobody else but the extension''s owner and superusers; checks the row';

-- A separate trigger, only for changes of omit: the agent, which suspends sources, may not call these functions.
CREATE OR REPLACE FUNCTION zentry_notify.check_source_omit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.is_restoring() THEN
        PERFORM zentry_notify.check_keys_of('omit', ARRAY(SELECT o FROM unnest(NEW.omit) o WHERE NOT coalesce(NEW.columns ? o, false)),
                                            jsonb_build_array(NEW.event_type));
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_source_omit() IS 'Trigger: checks the keys that a source leaves out (check_keys_of)';

-- With pg_restore --data-only, a source of the dump may be there already, because CREATE EXTENSION or zentry_attach has made it.
CREATE OR REPLACE FUNCTION zentry_notify.replace_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_source s WHERE s.relation = NEW.relation AND s.event_type = NEW.event_type;
    UPDATE zentry_notify.event_source s SET id = nextval('zentry_notify.event_source_id_seq') WHERE s.id = NEW.id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_source() IS 'Trigger: lets a restored source replace that of the same table and event type, and keep its id';
