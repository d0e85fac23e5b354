-- The view webhook_integration, which has the columns of 0.2.0's table, URLs included: for applications whose models are based on it (zentry_grant), and
-- for the functions that register and change webhooks, which write to it.

-- A subquery and no join, so that SELECT ... FOR UPDATE works. Without a condition, so that it behaves like a table to COPY and to every client;
-- the trigger write_integration takes what is written.
CREATE OR REPLACE VIEW zentry_notify.webhook_integration AS
SELECT w.id,
       w.name,
       w.webhook_type,
       (SELECT s.webhook_url FROM zentry_notify.webhook_secret s WHERE s.webhook_integration_id = w.id) AS webhook_url,
       w.project_id,
       w.created_by_id,
       w.event_types,
       w.is_active,
       w.created_at,
       w.updated_at,
       w.max_events_per_message,
       w.min_interval,
       w.max_age,
       w.activated_at,
       w.switched_off_at,
       w.switched_off_reason,
       w.omit_keys,
       w.filter,
       w.min_streak_days,
       w.milestones,
       w.quiet_hours,
       w.mention,
       w.username,
       w.avatar_url,
       w.announce,
       w.thread_name,
       w.applied_tags,
       w.rate_limit,
       w.rate_group,
       w.notify_webhook_id,
       w.notices,
       w.digest,
       w.thread_by
  FROM zentry_notify.webhook w;
ALTER VIEW zentry_notify.webhook_integration
    ALTER COLUMN event_types SET DEFAULT '["*"]',
    ALTER COLUMN is_active SET DEFAULT true,
    ALTER COLUMN created_at SET DEFAULT pg_catalog.now(),
    ALTER COLUMN updated_at SET DEFAULT pg_catalog.now(),
    ALTER COLUMN max_events_per_message SET DEFAULT 10,
    ALTER COLUMN min_interval SET DEFAULT '0',
    ALTER COLUMN activated_at SET DEFAULT pg_catalog.now(),
    ALTER COLUMN omit_keys SET DEFAULT '{}',
    ALTER COLUMN announce SET DEFAULT false,
    ALTER COLUMN applied_tags SET DEFAULT '{}',
    ALTER COLUMN notices SET DEFAULT false;
COMMENT ON VIEW zentry_notify.webhook_integration IS
    'Webhooks with their URLs. It can be written to, under the same rules as by the zentry_* functions';
COMMENT ON COLUMN zentry_notify.webhook_integration.webhook_url IS 'The webhook''s URL. A secret: whoever knows it can post to the channel. The view zentry_notify.webhooks shows it redacted';

CREATE OR REPLACE FUNCTION zentry_notify.no_such_webhook(webhook_id bigint) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'no_such_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.no_such_webhook(bigint) IS 'Raises the error for a webhook''s id that is null or unknown';

-- It reads the application's table of projects; an error there is ignored, because the change of the webhook must not fail for a warning. Tables are
-- read by their indexes, because a session keeps the plan that it made while a table was small. For jit see 25_audit.sql.
CREATE OR REPLACE FUNCTION zentry_notify.doubts(webhook_id bigint) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    webhook zentry_notify.webhook;
    lookup  jsonb;
BEGIN
    SELECT w.* INTO webhook FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    -- OFFSET 0 makes the planner begin with the index of URLs; otherwise it may go through all webhooks in the order of their ids.
    RETURN QUERY
    SELECT format('webhook %s (%s) has the same URL: what both hear arrives twice', o.id, o.name)
      FROM (SELECT t.webhook_integration_id AS id
              FROM zentry_notify.webhook_secret s
              JOIN zentry_notify.webhook_secret t ON t.webhook_url = s.webhook_url AND t.webhook_integration_id <> s.webhook_integration_id
             WHERE s.webhook_integration_id = webhook_id
            OFFSET 0) same
      JOIN zentry_notify.webhook o ON o.id = same.id
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
            NULL; -- whether the project exists cannot be found out
        END;
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.doubts(bigint) IS
    'Returns what is probably a mistake in a webhook, in words: another webhook has the same URL, it hears nothing, its project does not exist';

-- Writes only the columns that changed, so that a client that saves the whole row does not undo what others have changed meanwhile, and the URL is in
-- a statement only if it is new. force_generic_plan here, and wherever a URL is an argument: custom plans contain values, and auto_explain logs plans.
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
    -- (check_webhook refuses what is not an array of strings.)
    IF (TG_OP = 'INSERT' OR NEW.event_types IS DISTINCT FROM OLD.event_types) AND jsonb_typeof(NEW.event_types) = 'array'
       AND NOT jsonb_path_exists(NEW.event_types, '$[*] ? (@.type() != "string")') THEN
        PERFORM zentry_notify.require_event_types(NEW.event_types);
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM zentry_notify.check_room_for_webhook();
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
                'Copy it from the page of the service where the webhook was made.', 'webhook_url');
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
        -- Headers and credentials are secrets that were given for the old URL, and must not be sent to another one.
        ON CONFLICT (webhook_integration_id) DO UPDATE
           SET webhook_url = EXCLUDED.webhook_url, headers = NULL,
               signing_secret = CASE WHEN zentry_notify.type_has(OLD.webhook_type, 'credentials') THEN NULL ELSE s.signing_secret END;
    END IF;
    IF TG_OP = 'UPDATE' AND url_is_new THEN
        -- A wait that the old URL has asked for does not hold for the new one.
        UPDATE zentry_notify.delivery d SET next_attempt_at = now()
         WHERE d.webhook_integration_id = OLD.id AND d.status IN ('p', 'r') AND d.next_attempt_at > now();
        UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
         WHERE d.webhook_integration_id = OLD.id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now();
        PERFORM zentry_notify.wake(ARRAY[written.id], true);
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
COMMENT ON FUNCTION zentry_notify.write_integration() IS 'Trigger: writes the changes of a row of webhook_integration to webhook, and its URL to webhook_secret';

-- Columns of views that are those of a table have its comments.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.attrelid::pg_catalog.regclass AS shown, v.attname, pg_catalog.col_description(t.attrelid, t.attnum) AS text
               FROM (VALUES ('zentry_notify.webhook'::pg_catalog.regclass, 'zentry_notify.webhooks'::pg_catalog.regclass),
                            ('zentry_notify.webhook', 'zentry_notify.webhook_integration'),
                            ('zentry_notify.notification_log', 'zentry_notify.logs'),
                            ('zentry_notify.event_type', 'zentry_notify.event_types'),
                            ('zentry_notify.event_source', 'zentry_notify.event_sources'),
                            ('zentry_notify.event_wording', 'zentry_notify.event_wordings'),
                            ('zentry_notify.audit_entry', 'zentry_notify.audit_log'),
                            ('zentry_notify.delivery_attempt', 'zentry_notify.attempts')) AS pair (kept, shown)
               JOIN pg_catalog.pg_attribute t ON t.attrelid OPERATOR(pg_catalog.=) pair.kept AND t.attnum OPERATOR(pg_catalog.>) 0
               JOIN pg_catalog.pg_attribute v ON v.attrelid OPERATOR(pg_catalog.=) pair.shown AND v.attname OPERATOR(pg_catalog.=) t.attname
              -- While 0.2.0 is updated, the table still has it.
              WHERE t.attname OPERATOR(pg_catalog.<>) 'webhook_url'
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', c.shown, c.attname, c.text);
    END LOOP;
END
$$;
