-- The rules of rows of our own tables, for every way in.

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
        PERFORM zentry_notify.refuse('check_violation', format('min_streak_days must be at least 1, not %s', min_streak_days),
            'Null hears of every streak.', 'min_streak_days');
    END IF;
    IF milestones = '{}' OR array_ndims(milestones) > 1 OR NOT (1 <= ALL (milestones) AND 100 >= ALL (milestones)) OR array_position(milestones, NULL) IS NOT NULL THEN
        PERFORM zentry_notify.refuse('check_violation', format('milestones must be numbers from 1 to 100, not %s', milestones),
            'For example {50,100}; null hears of all.', 'milestones');
    END IF;
    -- Wherever it stands: it may be looked at for some events only.
    IF zentry_notify.has_variables(filter::text) THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter has a variable, which nothing gives a value: %s', filter),
            'Write the value itself, such as $.points > 20; a key of the data begins with $ and a dot.', 'filter');
    END IF;
    -- Of no data at all, a predicate is false or unknown, and anything else is not one truth value.
    BEGIN
        PERFORM jsonb_path_match_tz('{}', filter, '{}', false);
    EXCEPTION WHEN data_exception THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is not a predicate: %s', filter),
            'Write a comparison or another test, such as $.points > 20 && $.project_name starts with "Web"; not $ ? (@.points > 20).', 'filter');
    END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_filters(jsonpath, integer, integer[]) IS 'The rules of what an integration hears of its event types';

-- Of any number, also of one that is no smallint.
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
COMMENT ON FUNCTION zentry_notify.check_most_events(integer) IS 'An error unless a message has room for so many events';

-- What events' data have, as their samples and sources say: it is certain if each of the types has one or the other.
CREATE OR REPLACE FUNCTION zentry_notify.check_keys_of(parameter text, keys text[], event_types jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known   text[];
    certain boolean;
BEGIN
    -- A key of another type is no slip.
    SELECT array_agg(DISTINCT k.key), bool_and(k.key IS NOT NULL) FILTER (WHERE event_types ?| ARRAY['*', t.name]) INTO known, certain
      FROM zentry_notify.event_type t
      LEFT JOIN LATERAL (SELECT jsonb_object_keys(CASE jsonb_typeof(t.sample) WHEN 'object' THEN t.sample ELSE '{}' END) AS key
                          UNION ALL
                         SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = t.name) k ON true;
    PERFORM zentry_notify.check_keys(parameter, keys, array_remove(known, NULL), certain);
END
$$;
COMMENT ON FUNCTION zentry_notify.check_keys_of(text, text[], jsonb) IS 'An error for a slip among the keys, a warning for one that no event of these types has';

-- The rules of a row but for its URL, which write_integration looks after.
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
        -- Its log is its own again.
        DELETE FROM zentry_notify.deleted_webhook d WHERE d.webhook_integration_id = NEW.id;
    END IF;
    SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) INTO missing
      FROM pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND a.attnotnull AND to_jsonb(NEW) -> a.attname::text = 'null';
    IF missing IS NOT NULL THEN
        PERFORM zentry_notify.refuse('not_null_violation', format('%s of a webhook must not be null', missing), 'Leave it out for its default.');
    END IF;
    -- What JSON's numbers hold; the next one's has to come after it.
    IF TG_OP = 'INSERT' AND NEW.id NOT BETWEEN 1 AND 9007199254740991 THEN
        PERFORM zentry_notify.refuse('numeric_value_out_of_range', format('a webhook can''t have the number %s', NEW.id), 'A number is 1 to 9007199254740991.', 'id');
    END IF;
    -- Every session that fires an event reads what is heard, and the worker reads all of it: what has no end would cost writes what no write may cost.
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
            '0 sends as fast as the vendor lets us.', 'min_interval');
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
            'Name whose webhooks share a rate, such as ''flows of anna@example.com''; null: it is on its own.', 'rate_group');
    END IF;
    IF NEW.notify_webhook_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.notify_webhook_id IS DISTINCT FROM OLD.notify_webhook_id) THEN
        IF NEW.notify_webhook_id = NEW.id THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', 'a webhook that fails cannot be the one that is told of it',
                'Name another one; null: those with notices are.', 'notify_webhook_id');
        END IF;
        -- A dump brings them in any order.
        IF NOT zentry_notify.is_restoring() AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = NEW.notify_webhook_id) THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('there is no webhook with id %s to be told', NEW.notify_webhook_id),
                'SELECT id, name FROM zentry_notify.webhooks lists them; null: those with notices are.', 'notify_webhook_id');
        END IF;
    END IF;
    -- A type that there is not is refused below.
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
    -- After all else: what is wrong with the rest can be found out without it.
    PERFORM zentry_notify.check_webhook_type(NEW.webhook_type);

    IF TG_OP = 'UPDATE' AND ((NEW.is_active AND NOT OLD.is_active) OR NEW.activated_at IS DISTINCT FROM OLD.activated_at) THEN
        -- A mended URL brings back what a broken one had switched off.
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
COMMENT ON FUNCTION zentry_notify.check_webhook() IS 'Trigger: the rules of a row of webhook; a change of activated_at starts afresh what was switched off or failing';

-- What is more than this of the log goes by and by (forget_deleted): a DELETE must not take minutes. So does what the worker writes for
-- the webhook until this transaction ends.
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
COMMENT ON FUNCTION zentry_notify.forget_webhook() IS 'Trigger: the URL, the state and the log of a webhook go with it';

-- Managers write here with their own rights, through zentry_attach or directly: for tables of theirs, whoever runs the session.
CREATE OR REPLACE FUNCTION zentry_notify.check_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The agent suspends sources, and no more: what a source looks up and computes has the rights of the table's owner.
    IF current_user = 'zentry_notify_agent' THEN
        IF (to_jsonb(NEW) - '{suspended_at,suspended_reason}'::text[]) IS DISTINCT FROM (to_jsonb(OLD) - '{suspended_at,suspended_reason}'::text[]) THEN
            RAISE EXCEPTION 'zentry_notify_agent may suspend a source and no more' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Let the table''s owner or a superuser do it.'; -- it may call nothing of ours
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
            PERFORM zentry_notify.refuse('foreign_key_violation', format('unknown event type "%s"', NEW.event_type),
                'SELECT zentry_register_event_type(name, title) adds one.');
        END IF;
        IF NEW.event_type = 'webhook_trouble' THEN
            PERFORM zentry_notify.refuse('wrong_object_type', 'no table fires webhook_trouble',
                'It is what is told of a webhook that is in trouble.');
        END IF;
    END IF;
    -- A row of a dump has the number that the role had elsewhere.
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
COMMENT ON FUNCTION zentry_notify.check_source() IS 'Trigger: the sources of a table are its owner''s, and omit is a list of keys';

-- Apart, because the agent suspends sources and may call nothing of this.
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
COMMENT ON FUNCTION zentry_notify.check_source_omit() IS 'Trigger: a slip among the keys that a source leaves out is refused';

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
