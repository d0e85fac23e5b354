-- Register, change and delete webhooks. The rules are those of the tables (check_webhook) and of what is written to their view.

CREATE OR REPLACE FUNCTION zentry_notify.no_such_webhook(webhook_id bigint) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'no_such_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.no_such_webhook(bigint) IS 'Raises the error for an id that is null or unknown';

-- What is allowed and as a rule not meant. Who asks for it must not fail for its sake: the application's table of projects is looked at.
CREATE OR REPLACE FUNCTION zentry_notify.doubts(webhook_id bigint) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    webhook zentry_notify.webhook;
    lookup  jsonb;
BEGIN
    SELECT w.* INTO webhook FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    RETURN QUERY
    SELECT format('webhook %s (%s) has the same URL: what both hear of arrives twice', o.id, o.name)
      FROM zentry_notify.webhook_secret s
      JOIN zentry_notify.webhook_secret t ON t.webhook_url = s.webhook_url AND t.webhook_integration_id <> s.webhook_integration_id
      JOIN zentry_notify.webhook o ON o.id = t.webhook_integration_id
     WHERE s.webhook_integration_id = webhook_id
     ORDER BY o.id LIMIT 1;
    IF webhook.is_active AND NOT webhook.notices
       AND NOT EXISTS (SELECT FROM zentry_notify.webhook o WHERE o.notify_webhook_id = webhook_id)
       AND NOT EXISTS (SELECT FROM zentry_notify.event_source s
                        WHERE s.suspended_at IS NULL AND (webhook.event_types ? '*' OR webhook.event_types ? s.event_type)) THEN
        RETURN QUERY
        SELECT CASE WHEN webhook.event_types ? '*' THEN 'it hears nothing: no table is attached'
                    WHEN webhook.event_types = '[]' THEN 'it hears nothing: its list of event types is empty'
                    ELSE format('it hears nothing: no table is attached for %s',
                                (SELECT string_agg(e, ', ' ORDER BY e) FROM jsonb_array_elements_text(webhook.event_types) AS e)) END;
    END IF;
    IF webhook.project_id IS NOT NULL THEN
        BEGIN
            SELECT l.lookup INTO lookup FROM zentry_notify.lookup_of('project_name') l (lookup);
            IF has_any_column_privilege(to_regclass(lookup ->> 'from'), 'SELECT')
               AND NOT EXISTS (SELECT FROM zentry_notify.look_up_in(to_regclass(lookup ->> 'from'), lookup ->> 'match', lookup ->> 'column',
                                                                    ARRAY[webhook.project_id])) THEN
                RETURN NEXT format('there is no project %s', webhook.project_id);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            NULL; -- nobody knows
        END;
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.doubts(bigint) IS
    'What is allowed of a webhook and as a rule not meant, in words: another one has its URL, it hears nothing, its project does not exist';

-- Whatever is written to the view webhook_integration. Only what changed is written on, so that a whole row that is saved takes back nothing that
-- another one has changed meanwhile; and the URL is in no statement unless it is new. force_generic_plan, here and where URLs are arguments: plans
-- of their own have the values in them, and auto_explain logs plans.
CREATE OR REPLACE FUNCTION zentry_notify.write_integration() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    url_is_new boolean := TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.webhook_url IS DISTINCT FROM OLD.webhook_url);
    written    zentry_notify.webhook;
    doubt      text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM zentry_notify.webhook w WHERE w.id = OLD.id;
        RETURN CASE WHEN FOUND THEN OLD END;
    END IF;
    -- What is no array of names, check_webhook refuses.
    IF (TG_OP = 'INSERT' OR NEW.event_types IS DISTINCT FROM OLD.event_types) AND jsonb_typeof(NEW.event_types) = 'array'
       AND NOT jsonb_path_exists(NEW.event_types, '$[*] ? (@.type() != "string")') THEN
        PERFORM zentry_notify.require_event_types(NEW.event_types);
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO zentry_notify.webhook AS w
               (id, name, webhook_type, project_id, created_by_id, event_types, is_active, created_at, updated_at, max_events_per_message,
                min_interval, max_age, activated_at, switched_off_at, switched_off_reason, omit_keys, filter, min_streak_days, milestones,
                quiet_hours, mention, username, avatar_url, announce, thread_name, applied_tags, rate_limit, rate_group,
                notify_webhook_id, notices, digest, thread_by)
        VALUES (coalesce(NEW.id, nextval('zentry_notify.webhook_integration_id_seq')), NEW.name, NEW.webhook_type, NEW.project_id,
                NEW.created_by_id, NEW.event_types, NEW.is_active, NEW.created_at, NEW.updated_at, NEW.max_events_per_message, NEW.min_interval,
                NEW.max_age, NEW.activated_at, NEW.switched_off_at, NEW.switched_off_reason, NEW.omit_keys, NEW.filter, NEW.min_streak_days,
                NEW.milestones, NEW.quiet_hours, NEW.mention, NEW.username, NEW.avatar_url, NEW.announce, NEW.thread_name, NEW.applied_tags,
                NEW.rate_limit, NEW.rate_group, NEW.notify_webhook_id, NEW.notices, NEW.digest, NEW.thread_by)
        RETURNING w.* INTO written;
    ELSE
        UPDATE zentry_notify.webhook w
           SET id = CASE WHEN NEW.id IS DISTINCT FROM OLD.id THEN NEW.id ELSE w.id END,
               name = CASE WHEN NEW.name IS DISTINCT FROM OLD.name THEN NEW.name ELSE w.name END,
               webhook_type = CASE WHEN NEW.webhook_type IS DISTINCT FROM OLD.webhook_type THEN NEW.webhook_type ELSE w.webhook_type END,
               project_id = CASE WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN NEW.project_id ELSE w.project_id END,
               created_by_id = CASE WHEN NEW.created_by_id IS DISTINCT FROM OLD.created_by_id THEN NEW.created_by_id ELSE w.created_by_id END,
               event_types = CASE WHEN NEW.event_types IS DISTINCT FROM OLD.event_types THEN NEW.event_types ELSE w.event_types END,
               is_active = CASE WHEN NEW.is_active IS DISTINCT FROM OLD.is_active THEN NEW.is_active ELSE w.is_active END,
               created_at = CASE WHEN NEW.created_at IS DISTINCT FROM OLD.created_at THEN NEW.created_at ELSE w.created_at END,
               max_events_per_message = CASE WHEN NEW.max_events_per_message IS DISTINCT FROM OLD.max_events_per_message
                                             THEN NEW.max_events_per_message ELSE w.max_events_per_message END,
               min_interval = CASE WHEN NEW.min_interval IS DISTINCT FROM OLD.min_interval THEN NEW.min_interval ELSE w.min_interval END,
               max_age = CASE WHEN NEW.max_age IS DISTINCT FROM OLD.max_age THEN NEW.max_age ELSE w.max_age END,
               activated_at = CASE WHEN url_is_new THEN clock_timestamp()
                                   WHEN NEW.activated_at IS DISTINCT FROM OLD.activated_at THEN NEW.activated_at ELSE w.activated_at END,
               switched_off_at = CASE WHEN NEW.switched_off_at IS DISTINCT FROM OLD.switched_off_at THEN NEW.switched_off_at ELSE w.switched_off_at END,
               switched_off_reason = CASE WHEN NEW.switched_off_reason IS DISTINCT FROM OLD.switched_off_reason
                                          THEN NEW.switched_off_reason ELSE w.switched_off_reason END,
               omit_keys = CASE WHEN NEW.omit_keys IS DISTINCT FROM OLD.omit_keys THEN NEW.omit_keys ELSE w.omit_keys END,
               filter = CASE WHEN NEW.filter::text IS DISTINCT FROM OLD.filter::text THEN NEW.filter ELSE w.filter END,
               min_streak_days = CASE WHEN NEW.min_streak_days IS DISTINCT FROM OLD.min_streak_days THEN NEW.min_streak_days ELSE w.min_streak_days END,
               milestones = CASE WHEN NEW.milestones IS DISTINCT FROM OLD.milestones THEN NEW.milestones ELSE w.milestones END,
               quiet_hours = CASE WHEN NEW.quiet_hours IS DISTINCT FROM OLD.quiet_hours THEN NEW.quiet_hours ELSE w.quiet_hours END,
               mention = CASE WHEN NEW.mention IS DISTINCT FROM OLD.mention THEN NEW.mention ELSE w.mention END,
               username = CASE WHEN NEW.username IS DISTINCT FROM OLD.username THEN NEW.username ELSE w.username END,
               avatar_url = CASE WHEN NEW.avatar_url IS DISTINCT FROM OLD.avatar_url THEN NEW.avatar_url ELSE w.avatar_url END,
               announce = CASE WHEN NEW.announce IS DISTINCT FROM OLD.announce THEN NEW.announce ELSE w.announce END,
               thread_name = CASE WHEN NEW.thread_name IS DISTINCT FROM OLD.thread_name THEN NEW.thread_name ELSE w.thread_name END,
               applied_tags = CASE WHEN NEW.applied_tags IS DISTINCT FROM OLD.applied_tags THEN NEW.applied_tags ELSE w.applied_tags END,
               rate_limit = CASE WHEN NEW.rate_limit IS DISTINCT FROM OLD.rate_limit THEN NEW.rate_limit ELSE w.rate_limit END,
               rate_group = CASE WHEN NEW.rate_group IS DISTINCT FROM OLD.rate_group THEN NEW.rate_group ELSE w.rate_group END,
               notify_webhook_id = CASE WHEN NEW.notify_webhook_id IS DISTINCT FROM OLD.notify_webhook_id
                                        THEN NEW.notify_webhook_id ELSE w.notify_webhook_id END,
               notices = CASE WHEN NEW.notices IS DISTINCT FROM OLD.notices THEN NEW.notices ELSE w.notices END,
               digest = CASE WHEN NEW.digest IS DISTINCT FROM OLD.digest THEN NEW.digest ELSE w.digest END,
               thread_by = CASE WHEN NEW.thread_by IS DISTINCT FROM OLD.thread_by THEN NEW.thread_by ELSE w.thread_by END
         WHERE w.id = OLD.id
        RETURNING w.* INTO written;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;

    IF url_is_new OR NEW.webhook_type <> OLD.webhook_type THEN
        IF NEW.webhook_url IS NULL THEN
            PERFORM zentry_notify.refuse('not_null_violation', 'webhook_url of a webhook must not be null',
                'Copy it from where the service shows it.', 'webhook_url');
        END IF;
        PERFORM zentry_notify.check_webhook_url(NEW.webhook_type, NEW.webhook_url);
    END IF;
    IF NEW.mention IS NOT NULL AND (url_is_new OR (NEW.mention, NEW.webhook_type) IS DISTINCT FROM (OLD.mention, OLD.webhook_type)) THEN
        PERFORM zentry_notify.check_mention(NEW.webhook_type, NEW.webhook_url, NEW.mention);
    END IF;
    IF NEW.thread_name IS NOT NULL AND (url_is_new OR (NEW.thread_name, NEW.webhook_type) IS DISTINCT FROM (OLD.thread_name, OLD.webhook_type)) THEN
        PERFORM zentry_notify.check_thread(NEW.webhook_type, NEW.webhook_url, NEW.thread_name);
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url, signing_secret)
        VALUES (written.id, NEW.webhook_url, CASE WHEN zentry_notify.type_has(NEW.webhook_type, 'secret') THEN zentry_notify.make_secret() END);
    ELSIF url_is_new THEN
        INSERT INTO zentry_notify.webhook_secret AS s (webhook_integration_id, webhook_url) VALUES (written.id, NEW.webhook_url)
        -- Headers and credentials are secrets of where they were given for.
        ON CONFLICT (webhook_integration_id) DO UPDATE
           SET webhook_url = EXCLUDED.webhook_url, headers = NULL,
               signing_secret = CASE WHEN zentry_notify.type_has(OLD.webhook_type, 'credentials') THEN NULL ELSE s.signing_secret END;
    END IF;
    IF TG_OP = 'UPDATE' AND written.id <> OLD.id THEN
        UPDATE zentry_notify.webhook_secret s SET webhook_integration_id = written.id WHERE s.webhook_integration_id = OLD.id;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.webhook_type <> OLD.webhook_type THEN
        UPDATE zentry_notify.webhook_secret s
           SET signing_secret = CASE WHEN zentry_notify.type_has(NEW.webhook_type, 'secret') THEN zentry_notify.make_secret() END,
               previous_secret = NULL, previous_until = NULL, headers = NULL
         WHERE s.webhook_integration_id = written.id
           AND (s.signing_secret IS NOT NULL OR s.headers IS NOT NULL OR zentry_notify.type_has(NEW.webhook_type, 'secret'));
    END IF;

    IF url_is_new OR (NEW.project_id, NEW.event_types, NEW.is_active) IS DISTINCT FROM (OLD.project_id, OLD.event_types, OLD.is_active) THEN
        FOR doubt IN SELECT d FROM zentry_notify.doubts(written.id) AS d LOOP
            RAISE NOTICE 'webhook % (%): %', written.id, written.name, doubt;
        END LOOP;
    END IF;

    NEW.id := written.id;
    NEW.is_active := written.is_active;
    NEW.updated_at := written.updated_at;
    NEW.activated_at := written.activated_at;
    NEW.switched_off_at := written.switched_off_at;
    NEW.switched_off_reason := written.switched_off_reason;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.write_integration() IS 'Trigger: what is written to webhook_integration goes to webhook, its URL to webhook_secret';

DROP TRIGGER IF EXISTS write_integration ON zentry_notify.webhook_integration;
CREATE TRIGGER write_integration INSTEAD OF INSERT OR UPDATE OR DELETE ON zentry_notify.webhook_integration
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.write_integration();

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
            'notices => true has a webhook told of the trouble of the others, and notify_webhook_id of theirs has one told of that one''s.', 'event_types');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_event_types(jsonb) IS 'An error that names those of the event types that there are not';

-- STABLE: what catches an error cannot run in a parallel query.
CREATE OR REPLACE FUNCTION zentry_notify.to_filter(filter text) RETURNS jsonpath
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nullif(filter, '')::jsonpath;
EXCEPTION WHEN syntax_error OR data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is no JSON path: %s', SQLERRM),
        'For example $.points > 20, or $.project_name starts with "Web".', 'filter');
END
$$;
COMMENT ON FUNCTION zentry_notify.to_filter(text) IS 'The JSON path that the text is; null for an empty one';

CREATE OR REPLACE FUNCTION zentry_notify.to_interval(value text, parameter text) RETURNS interval
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN value::interval;
EXCEPTION WHEN data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('%s is no length of time: "%s"', parameter, left(value, 50)),
        'For example 30 seconds, or 1 day.', parameter);
END
$$;
COMMENT ON FUNCTION zentry_notify.to_interval(text, text) IS 'The length of time that the text is, or an error that names the parameter';

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
    'Registers a webhook and returns its id. webhook_type: one of zentry_webhook_types(); project_id null: every project; event_types null: all; secret, of type webhook: what to sign by, null: one is made, and zentry_new_secret gives one that is shown; of type nats: credentials (the content of a .creds file, a user''s seed, user:password or a token); headers: what its requests have besides. The rest is as in zentry_notify.webhook_integration; what is empty, or 0, is as if it were left out';

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
    'Changes what is given and leaves the rest; headers are all that there are then, {}: none, and a new URL takes them away; project_id 0: every project; what is empty, and min_streak_days, notify_webhook_id or max_age of 0, is taken away; a new URL, other headers or is_active => true bring back a webhook that was switched off';

-- What is null stays as it is, and {} takes the headers away. Who changes them mends a webhook that fails: it is tried again.
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
    -- Names of headers are the same in any case; so those are that are kept.
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
COMMENT ON FUNCTION zentry_notify.set_signing(bigint, text, jsonb) IS 'Writes what was checked: what a webhook''s requests are signed by and what headers they have besides';

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
            'Its URL is its secret: make a new one where the service shows it, and give it to zentry_update_webhook.', 'webhook_id');
    END IF;
    PERFORM zentry_notify.check_signing(kind, nullif(secret, ''), NULL);
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '30 days' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('grace must be 0 to 30 days, not %s', coalesce(grace::text, 'null')),
            'So long requests are signed by the secret of before, too; 0: by the new one alone, at once.', 'grace');
    END IF;
    -- One that is made is no parameter of any statement.
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
    'Gives a webhook of type webhook a new secret to sign by, the given one or one that is made, and returns it: nothing else ever shows it. Until grace is over, requests are signed by the one of before, too; 0: by the new one alone. Of type nats: other credentials, from now on; an empty text: none';

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
COMMENT ON FUNCTION @extschema@.zentry_delete_webhook(bigint) IS 'Deletes a webhook with whatever still waits for it and its log; of a long log the worker takes away the rest';

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
COMMENT ON FUNCTION zentry_notify.not_null(text, text) IS 'The value, or an error that names the parameter';

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
COMMENT ON FUNCTION zentry_notify.check_length(text, integer, text) IS 'An error that names the parameter when the value is too long';

-- The log of a webhook that is gone. In the order of an index, so that what is there no more is not looked for in the whole log.
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
    DELETE FROM zentry_notify.delivery_attempt a WHERE a.delivery_id = ANY (ids);
    DELETE FROM zentry_notify.delivery d WHERE d.id = ANY (ids);
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
COMMENT ON FUNCTION zentry_notify.forget_deliveries(bigint, integer) IS 'Deletes a webhook''s deliveries, at most so many, and returns how many there were';

CREATE OR REPLACE FUNCTION zentry_notify.forget_deleted(most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted bigint;
    removed bigint := 0;
BEGIN
    -- As many notes as rows at most: each costs a look into the indexes.
    FOR deleted IN SELECT d.webhook_integration_id FROM zentry_notify.deleted_webhook d LIMIT most LOOP
        -- Somebody may have given the number to another one at the same time.
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
    'Deletes at most so many deliveries of webhooks that were deleted, and returns how many there were. The worker calls it';
