-- Sample events, and deliveries sent anew.

-- Already routed: the worker does not ask who hears of it.
CREATE OR REPLACE FUNCTION zentry_notify.queue(event_type text, data jsonb, webhook_ids bigint[], sample boolean DEFAULT false) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET check_function_bodies = on
AS $$
#variable_conflict use_variable
DECLARE
    event_id bigint;
BEGIN
    IF event_type IS NULL OR data IS NULL OR EXISTS (SELECT FROM unnest(webhook_ids) AS w (id) WHERE w.id IS NULL) THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', 'an event has a type and data, and webhooks have numbers',
            'zentry_test_event(event_type) queues a sample for every webhook that hears it.');
    END IF;
    -- The transaction has its number before the event has: the route cursor relies on that.
    PERFORM pg_current_xact_id();
    INSERT INTO zentry_notify.event AS e (event_type, data, context) VALUES (queue.event_type, queue.data::json, CASE WHEN sample THEN '{"routed": true, "sample": true}' ELSE '{"routed": true}' END::json)
    RETURNING e.id INTO event_id;
    RETURN QUERY
    INSERT INTO zentry_notify.delivery AS d (event_id, webhook_integration_id, event_type)
    SELECT event_id, w.id, queue.event_type FROM unnest(webhook_ids) AS w (id)
    RETURNING d.id;
    PERFORM zentry_notify.wake(webhook_ids);
END
$$;
COMMENT ON FUNCTION zentry_notify.queue(text, jsonb, bigint[], boolean) IS
    'Writes an event with a delivery to each of these webhooks, and returns the ids of these; the message of a sample says that it is one';

-- Notices: of a webhook's trouble another one is told, when it begins and not again before it is over. A notice that fails makes none.
CREATE OR REPLACE FUNCTION zentry_notify.tell_of(webhook_id bigint, what text, reason text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    name   text;
    own    bigint;
    others bigint[];
BEGIN
    IF zentry_notify.is_restoring() THEN
        RETURN;
    END IF;
    SELECT w.name, w.notify_webhook_id INTO name, own FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    others := ARRAY(SELECT o.id FROM zentry_notify.webhook o
                     WHERE o.is_active AND o.id <> webhook_id
                       AND CASE WHEN EXISTS (SELECT FROM zentry_notify.webhook named WHERE named.id = own AND named.is_active)
                                THEN o.id = own ELSE o.notices END
                     ORDER BY o.id);
    IF name IS NOT NULL AND others <> '{}' THEN
        PERFORM zentry_notify.queue('webhook_trouble',
            jsonb_build_object('webhook_id', webhook_id, 'webhook_name', name, 'what', what, 'reason', reason), others);
    END IF;
EXCEPTION WHEN OTHERS THEN
    -- What the notice is about has to be written down all the same.
    RAISE WARNING 'zentry_notify: nobody is told that webhook % %: %', webhook_id, what, SQLERRM;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of(bigint, text, text) IS 'Queues a notice of a webhook''s trouble for the webhook that its notify_webhook_id names, or, where there is none or it is off, for those with notices';

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_failing() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.webhook_integration_id, 'fails', NEW.error_message);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_failing() IS 'Trigger: a webhook starts to fail';

-- One that a person has resumed begins without a failure (zentry_resume).
DROP TRIGGER IF EXISTS tell_of_trouble ON zentry_notify.webhook_circuit;
CREATE TRIGGER tell_of_trouble AFTER INSERT ON zentry_notify.webhook_circuit
    FOR EACH ROW WHEN (NEW.failures > 0) EXECUTE FUNCTION zentry_notify.tell_of_failing();
DROP TRIGGER IF EXISTS tell_of_trouble_again ON zentry_notify.webhook_circuit;
CREATE TRIGGER tell_of_trouble_again AFTER UPDATE ON zentry_notify.webhook_circuit
    FOR EACH ROW WHEN (OLD.failures = 0 AND NEW.failures > 0) EXECUTE FUNCTION zentry_notify.tell_of_failing();

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_switching_off() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.id, 'was switched off', NEW.switched_off_reason);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_switching_off() IS 'Trigger: a webhook is switched off';

DROP TRIGGER IF EXISTS tell_of_trouble ON zentry_notify.webhook;
CREATE TRIGGER tell_of_trouble AFTER UPDATE OF switched_off_at ON zentry_notify.webhook
    FOR EACH ROW WHEN (OLD.switched_off_at IS NULL AND NEW.switched_off_at IS NOT NULL) EXECUTE FUNCTION zentry_notify.tell_of_switching_off();

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_expiry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.webhook_integration_id, 'lets deliveries expire',
        (SELECT coalesce(c.error_message, n.last_error)
           FROM zentry_notify.webhook w
           LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
           LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
          WHERE w.id = NEW.webhook_integration_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_expiry() IS 'Trigger: a webhook lets deliveries expire';

DROP TRIGGER IF EXISTS tell_of_trouble ON zentry_notify.webhook_state;
CREATE TRIGGER tell_of_trouble AFTER INSERT OR UPDATE OF expired_at ON zentry_notify.webhook_state
    FOR EACH ROW WHEN (NEW.expired_at IS NOT NULL) EXECUTE FUNCTION zentry_notify.tell_of_expiry();

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_event(
    event_type text DEFAULT 'task_completed', project_id bigint DEFAULT NULL, data jsonb DEFAULT NULL) RETURNS SETOF bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_column
DECLARE
    payload jsonb := data;
    project bigint := zentry_test_event.project_id;
    hearers bigint[];
BEGIN
    PERFORM zentry_notify.require_event_type(zentry_test_event.event_type);
    IF jsonb_typeof(payload) <> 'object' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the data must be a JSON object',
            'For example {"task_title": "Write the release notes"}.', 'data');
    END IF;
    IF project IS NULL THEN
        SELECT min(w.project_id) INTO project FROM zentry_notify.webhook w WHERE w.is_active;
    END IF;
    IF payload IS NULL THEN
        payload := zentry_notify.sample_event(zentry_test_event.event_type);
        IF payload ? 'project_id' AND project IS NOT NULL THEN
            payload := jsonb_set(payload, '{project_id}', to_jsonb(project));
        END IF;
    END IF;

    hearers := ARRAY(
        SELECT w.id FROM zentry_notify.webhook w
         WHERE w.is_active AND zentry_test_event.event_type = 'webhook_trouble'
           AND (w.notices OR EXISTS (SELECT FROM zentry_notify.webhook x WHERE x.notify_webhook_id = w.id))
         UNION ALL
        SELECT w.id FROM zentry_notify.webhook w
         WHERE w.is_active AND zentry_test_event.event_type <> 'webhook_trouble'
           AND w.event_types ?| ARRAY['*', zentry_test_event.event_type]
           AND (w.project_id IS NULL OR w.project_id = project OR zentry_test_event.event_type = 'project_created'
                OR EXISTS (SELECT FROM zentry_notify.event_source s
                            WHERE s.event_type = zentry_test_event.event_type AND s.audience @> '{"all": true}'))
           -- As the worker asks of an event.
           AND NOT EXISTS (
                SELECT FROM (VALUES (NULL, w.filter::text),
                                    ('daily_streak', '$.streak_days >= ' || w.min_streak_days),
                                    ('milestone_reached', (SELECT string_agg(format('$.milestone_name starts with "%s%%"', m), ' || ')
                                                             FROM unnest(w.milestones) m))) c (event_type, path)
                 WHERE c.path IS NOT NULL AND coalesce(c.event_type, zentry_test_event.event_type) = zentry_test_event.event_type
                   AND jsonb_path_match_tz(payload, c.path::jsonpath, '{}', true) IS NOT TRUE)
         ORDER BY 1);
    IF hearers <> '{}' THEN
        RETURN QUERY SELECT zentry_notify.queue(zentry_test_event.event_type, payload, hearers, zentry_test_event.data IS NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_test_event(text, bigint, jsonb) IS
    'Queues a sample of the event, or the given data, for every active webhook that hears it in that project (null: the lowest project id that an active webhook has), and returns the ids in the log';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry(log_id bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
DECLARE
    entry   zentry_notify.notification_log;
    limited timestamptz;
    new_id  bigint;
BEGIN
    -- The view's own row, once nobody else may change it.
    PERFORM FROM zentry_notify.delivery d WHERE d.id = log_id FOR UPDATE;
    PERFORM FROM zentry_notify.legacy_delivery d WHERE d.id = log_id FOR UPDATE;
    SELECT l.* INTO entry FROM zentry_notify.notification_log l WHERE l.id = log_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.refuse('no_data_found', format('there is no delivery with id %s', coalesce(log_id::text, '(null)')),
            'SELECT id, status FROM zentry_notify.logs ORDER BY id DESC lists them.');
    END IF;
    CASE entry.status
        WHEN 'retry' THEN
            -- An endpoint's rate limit holds for everybody.
            SELECT max(l.next_attempt_at) INTO limited FROM zentry_notify.notification_log l
             WHERE l.webhook_integration_id = entry.webhook_integration_id AND l.status = 'retry'
               AND l.next_attempt_at > now() AND l.error_message LIKE '429: %';
            IF limited IS NOT NULL THEN
                RAISE NOTICE 'delivery % waits for a rate limit, and is sent at %', log_id, limited;
                RETURN log_id;
            END IF;
            -- Its turn comes after that of those before it.
            UPDATE zentry_notify.delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status IN ('p', 'r') AND d.status = 'r' AND d.id <= log_id;
            UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status = 'retry' AND d.id <= log_id;
            new_id := log_id;
            PERFORM zentry_notify.wake(ARRAY[entry.webhook_integration_id], true);
        WHEN 'failed' THEN
            IF entry.retry_count >= 3 THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s was already retried %s times', log_id, entry.retry_count),
                    'Mend the cause first; a new event starts afresh.', '', format('It last failed with: %s', entry.error_message));
            END IF;
            IF entry.payload = 'null' THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s has no data any more', log_id),
                    'While zentry_notify.log_payloads is off, the data of a delivery is not kept when it is done with.');
            END IF;
            new_id := zentry_notify.retried_as(log_id, entry.webhook_integration_id);
            IF new_id IS NOT NULL THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s was retried already', log_id),
                    format('See delivery %s; if that failed too, retry that one.', new_id));
            END IF;
            IF NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = entry.webhook_integration_id) THEN
                PERFORM zentry_notify.no_such_webhook(entry.webhook_integration_id);
            END IF;
            SELECT q INTO new_id FROM zentry_notify.queue(entry.event_type, entry.payload, ARRAY[entry.webhook_integration_id],
                (SELECT e.context::text = '{"routed": true, "sample": true}' FROM zentry_notify.delivery d JOIN zentry_notify.event e ON e.id = d.event_id
                  WHERE d.id = log_id)) q;
            UPDATE zentry_notify.delivery d SET retry_of = log_id, retry_count = entry.retry_count + 1 WHERE d.id = new_id;
        ELSE
            PERFORM zentry_notify.refuse('object_not_in_prerequisite_state',
                format('delivery %s cannot be retried: it is %s', log_id,
                       CASE entry.status WHEN 'sent' THEN 'sent already' ELSE 'still waiting for its first try' END),
                'Only failed deliveries, and those that wait for their next attempt, can be retried.');
    END CASE;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_retry(bigint) IS
    'Sends a failed delivery again as a new one (at most 3 times along one chain) and returns its id; one that waits for its next attempt is made due now, with those before it, unless the endpoint limits the rate';

CREATE OR REPLACE FUNCTION zentry_notify.reopen(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A change of activated_at starts afresh (check_webhook), and lets the worker read it again.
    UPDATE zentry_notify.webhook w SET activated_at = clock_timestamp()
     WHERE w.id = webhook_id
       AND (w.switched_off_at IS NOT NULL
            OR EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id)
            OR EXISTS (SELECT FROM zentry_notify.webhook_state s WHERE s.webhook_integration_id = w.id AND (s.failures > 0 OR s.refusals > 0)));
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- An endpoint's rate limit holds for everybody.
    UPDATE zentry_notify.delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    PERFORM zentry_notify.wake(ARRAY[webhook_id], true);
END
$$;
COMMENT ON FUNCTION zentry_notify.reopen(bigint) IS 'A webhook works again: what went wrong is forgotten, and what waits for it is sent now';

CREATE OR REPLACE FUNCTION zentry_notify.retried_as(log_id bigint, webhook_id bigint) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- legacy_delivery has no index by retry_of; what repeats a delivery comes after it, and goes to the same webhook.
    SELECT max(n.id)
      FROM (SELECT d.id FROM zentry_notify.delivery d WHERE d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('sent', 'failed') AND d.id > log_id AND d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.id > log_id AND d.retry_of = log_id) n
$$;
COMMENT ON FUNCTION zentry_notify.retried_as(bigint, bigint) IS 'The delivery that repeats this one of that webhook; null: none does';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry_failed(webhook_id bigint DEFAULT NULL, event_type text DEFAULT NULL, since timestamptz DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET check_function_bodies = on
AS $$
#variable_conflict use_column
DECLARE
    hearers bigint[];
    total bigint;
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- As in queue.
    PERFORM pg_current_xact_id();
    -- Each becomes an event of its own, of now: what was given up is as a rule older than max_age.
    WITH failed AS MATERIALIZED (
        SELECT l.id, l.webhook_integration_id, l.event_type, l.payload, l.retry_count
          FROM zentry_notify.notification_log l
         WHERE l.status = 'failed'
           AND l.retry_count < 3
           -- No join: the planner would look for each webhook through all that has failed, or through all that it has heard.
           AND (l.webhook_integration_id IN (SELECT w.id FROM zentry_notify.webhook w WHERE w.is_active)) IS TRUE
           AND (webhook_id IS NULL OR l.webhook_integration_id = webhook_id)
           AND (zentry_retry_failed.event_type IS NULL OR l.event_type = zentry_retry_failed.event_type)
           AND (since IS NULL OR l.created_at >= since)
         ORDER BY l.id),
    chosen AS MATERIALIZED (
        SELECT f.*, nextval('zentry_notify.event_id_seq') AS event_id
          FROM failed f
         WHERE f.payload <> 'null' AND zentry_notify.retried_as(f.id, f.webhook_integration_id) IS NULL
         ORDER BY f.id),
    fresh AS (
        INSERT INTO zentry_notify.event (id, event_type, data, context) OVERRIDING SYSTEM VALUE
        SELECT c.event_id, c.event_type, c.payload::json, '{"routed": true}' FROM chosen c ORDER BY c.event_id),
    queued AS (
        INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, retry_count, retry_of)
        SELECT c.event_id, c.webhook_integration_id, c.event_type, c.retry_count + 1, c.id FROM chosen c ORDER BY c.id
        RETURNING webhook_integration_id)
    SELECT count(*), array_agg(DISTINCT q.webhook_integration_id) INTO total, hearers FROM queued q;
    PERFORM zentry_notify.wake(hearers);
    RETURN total;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_retry_failed(bigint, text, timestamptz) IS
    'Re-sends every failed delivery that has not been re-sent (optionally of one webhook, of one event type, or created since a time) and returns how many. Deliveries of webhooks that are switched off are left out';

CREATE OR REPLACE FUNCTION @extschema@.zentry_resume(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_variable
DECLARE
    trouble text := (SELECT coalesce(w.switched_off_reason, c.error_message)
                       FROM zentry_notify.webhook w LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
                      WHERE w.id = webhook_id);
BEGIN
    -- A change of activated_at forgets what was seen of the endpoint (check_webhook), and brings back one that is gone.
    UPDATE zentry_notify.webhook AS w SET activated_at = clock_timestamp()
     WHERE w.id = webhook_id AND (w.is_active OR w.switched_off_at IS NOT NULL);
    IF NOT FOUND THEN
        IF NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
            PERFORM zentry_notify.no_such_webhook(webhook_id);
        END IF;
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('webhook %s is switched off', webhook_id),
            format('SELECT zentry_update_webhook(%s, is_active => true); switches it on.', webhook_id));
    END IF;
    UPDATE zentry_notify.delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r') AND d.next_attempt_at > now();
    UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now();
    -- With nothing to try it with, it is not known to work: the next event will show.
    IF trouble IS NOT NULL
       AND NOT EXISTS (SELECT FROM zentry_notify.delivery d WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r'))
       AND NOT EXISTS (SELECT FROM zentry_notify.legacy_delivery d WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry')) THEN
        INSERT INTO zentry_notify.webhook_circuit (webhook_integration_id, failures, opened_at, next_try_at, error_message)
        VALUES (webhook_id, 0, now(), now(), CASE WHEN trouble LIKE 'not tried since: %' THEN trouble ELSE 'not tried since: ' || trouble END);
    END IF;
    PERFORM zentry_notify.resume(webhook_id);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_resume(bigint) IS
    'Tries a webhook now that is failing, gone, or told to wait: what its endpoint has asked for is forgotten, also a limit that Discord has set for all webhooks, of other databases too, and the first of what waits leaves; where nothing waits, it is failing until something has been taken. Quiet hours hold';

-- Who owns the tables may write the log as if it still was one: dumps of 0.2.0 bring rows, and who restores a copy may not want it to send what
-- waited. A row with an id is one of 0.2.0's.
CREATE OR REPLACE FUNCTION zentry_notify.write_log() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET check_function_bodies = on
AS $$
DECLARE
    event_of bigint;
    state    "char";
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM zentry_notify.delivery_attempt a WHERE a.delivery_id = OLD.id;
        DELETE FROM zentry_notify.delivery d WHERE d.id = OLD.id;
        DELETE FROM zentry_notify.legacy_delivery d WHERE d.id = OLD.id;
        RETURN OLD;
    END IF;
    state := CASE NEW.status WHEN 'sent' THEN 's' WHEN 'failed' THEN 'f' WHEN 'retry' THEN 'r' WHEN 'pending' THEN 'p' END;
    IF state IS NULL THEN
        PERFORM zentry_notify.refuse('check_violation', format('unknown status "%s"', coalesce(NEW.status, '(null)')),
            'It is pending, retry, sent or failed.', 'status');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        UPDATE zentry_notify.delivery d
           SET status = state, next_attempt_at = NEW.next_attempt_at, retry_of = NEW.retry_of, response_status_code = NEW.response_status_code,
               finished_at = CASE state WHEN 's' THEN coalesce(NEW.sent_at, d.finished_at, now()) WHEN 'f' THEN coalesce(d.finished_at, now()) END,
               attempts = NEW.attempts, retry_count = NEW.retry_count, response_body = nullif(NEW.response_body, ''),
               error_message = nullif(NEW.error_message, '')
         WHERE d.id = OLD.id
        RETURNING d.event_id INTO event_of;
        IF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
            UPDATE zentry_notify.event e SET created_at = NEW.created_at WHERE e.id = event_of;
        END IF;
        IF NEW.payload IS DISTINCT FROM OLD.payload THEN
            -- Of all that heard it; an event that one of them waits for stays.
            DELETE FROM zentry_notify.event_detail x WHERE x.event_id = event_of AND NEW.payload <> 'null';
            UPDATE zentry_notify.event e SET data = NEW.payload::json WHERE e.id = event_of AND NEW.payload <> 'null';
            DELETE FROM zentry_notify.event e
             WHERE e.id = event_of AND NEW.payload = 'null'
               AND NOT EXISTS (SELECT FROM zentry_notify.delivery d WHERE d.status IN ('p', 'r') AND d.event_id = e.id);
            DELETE FROM zentry_notify.event_detail x
             WHERE x.event_id = event_of AND NOT EXISTS (SELECT FROM zentry_notify.event e WHERE e.id = x.event_id);
        END IF;
        UPDATE zentry_notify.legacy_delivery d
           SET status = NEW.status, next_attempt_at = NEW.next_attempt_at, sent_at = NEW.sent_at, retry_of = NEW.retry_of,
               response_status_code = NEW.response_status_code, attempts = NEW.attempts, retry_count = NEW.retry_count,
               response_body = NEW.response_body, error_message = NEW.error_message, created_at = NEW.created_at, payload = NEW.payload
         WHERE d.id = OLD.id;
        IF state IN ('p', 'r') THEN
            PERFORM zentry_notify.wake(ARRAY[NEW.webhook_integration_id]);
        END IF;
    ELSIF NEW.id IS NOT NULL THEN
        INSERT INTO zentry_notify.legacy_delivery
        VALUES (NEW.id, NEW.webhook_integration_id, NEW.event_type, NEW.payload, NEW.status, NEW.response_status_code, NEW.response_body,
                NEW.error_message, NEW.retry_count, NEW.attempts, NEW.created_at, NEW.sent_at, NEW.next_attempt_at, NEW.retry_of);
        PERFORM setval('zentry_notify.delivery_id_seq', NEW.id)
          WHERE NEW.id > coalesce(pg_sequence_last_value('zentry_notify.delivery_id_seq'), 0);
    ELSE
        PERFORM pg_current_xact_id();
        INSERT INTO zentry_notify.event AS e (created_at, event_type, data, context)
        VALUES (NEW.created_at, NEW.event_type, NEW.payload::json, '{"routed": true}')
        RETURNING e.id INTO event_of;
        INSERT INTO zentry_notify.delivery AS d
               (event_id, webhook_integration_id, next_attempt_at, finished_at, retry_of, response_status_code, attempts, retry_count, status,
                event_type, response_body, error_message)
        VALUES (event_of, NEW.webhook_integration_id, NEW.next_attempt_at,
                CASE WHEN state IN ('s', 'f') THEN coalesce(NEW.sent_at, now()) END, NEW.retry_of, NEW.response_status_code, NEW.attempts,
                NEW.retry_count, state, NEW.event_type, nullif(NEW.response_body, ''), nullif(NEW.error_message, ''))
        RETURNING d.id INTO NEW.id;
        IF state IN ('p', 'r') THEN
            PERFORM zentry_notify.wake(ARRAY[NEW.webhook_integration_id]);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.write_log() IS 'Trigger: what the owner writes to notification_log goes to delivery and event, or to legacy_delivery';

ALTER VIEW zentry_notify.notification_log
    ALTER COLUMN status SET DEFAULT 'pending',
    ALTER COLUMN response_body SET DEFAULT '',
    ALTER COLUMN error_message SET DEFAULT '',
    ALTER COLUMN retry_count SET DEFAULT 0,
    ALTER COLUMN attempts SET DEFAULT 0,
    ALTER COLUMN created_at SET DEFAULT pg_catalog.now();
DROP TRIGGER IF EXISTS write_log ON zentry_notify.notification_log;
CREATE TRIGGER write_log INSTEAD OF INSERT OR UPDATE OR DELETE ON zentry_notify.notification_log
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.write_log();

-- The view alone has no index for the newest of a webhook or an event type: delivery_log has one run of ids for each pair of these, and this goes
-- from run to run. What failed or waits has indexes of its own. The text is put together from constants, so that each question has its own plan.
-- Readers, who have no privilege on the tables, learn ids by it, of rows that the views show them.
CREATE OR REPLACE FUNCTION zentry_notify.log_ids(
    webhook_ids bigint[], event_type text, status text, before_id bigint, after_id bigint, most bigint) RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    direction text := CASE WHEN after_id IS NULL THEN 'DESC' ELSE 'ASC' END;
    page      text := format('l.id < $4 AND l.id > $5 ORDER BY l.id %s LIMIT $6', direction);
    which     text := concat_ws(' AND ', CASE WHEN webhook_ids IS NOT NULL THEN 'l.webhook_integration_id = ANY ($1)' END,
                                CASE WHEN event_type IS NOT NULL THEN 'l.event_type = $2' END,
                                CASE status WHEN 'failed' THEN $q$l.status = 'failed'$q$ WHEN 'sent' THEN $q$l.status = 'sent'$q$
                                            WHEN 'pending' THEN $q$l.status = 'pending'$q$ WHEN 'retry' THEN $q$l.status = 'retry'$q$ END, '');
    -- Which runs there are.
    runs      text := CASE
        WHEN webhook_ids IS NULL THEN
            'WITH RECURSIVE lane (id) AS (
                 SELECT (SELECT d.webhook_integration_id FROM zentry_notify.delivery d ORDER BY d.webhook_integration_id LIMIT 1)
                  UNION ALL
                 SELECT (SELECT d.webhook_integration_id FROM zentry_notify.delivery d WHERE d.webhook_integration_id > lane.id
                          ORDER BY d.webhook_integration_id LIMIT 1)
                   FROM lane WHERE lane.id IS NOT NULL),
             run (webhook_id, event_type) AS (SELECT lane.id, $2 FROM lane WHERE lane.id IS NOT NULL)'
        WHEN event_type IS NULL THEN
            'WITH RECURSIVE run (webhook_id, event_type) AS (
                 SELECT w.id, (SELECT d.event_type::text FROM zentry_notify.delivery d WHERE d.webhook_integration_id = w.id
                                ORDER BY d.webhook_integration_id, d.event_type LIMIT 1)
                   FROM unnest($1) AS w (id)
                  UNION ALL
                 SELECT run.webhook_id, (SELECT d.event_type::text FROM zentry_notify.delivery d
                                          WHERE d.webhook_integration_id = run.webhook_id AND d.event_type > run.event_type
                                          ORDER BY d.webhook_integration_id, d.event_type LIMIT 1)
                   FROM run WHERE run.event_type IS NOT NULL)'
        ELSE 'WITH run (webhook_id, event_type) AS (SELECT w.id, $2 FROM unnest($1) AS w (id))' END;
    -- Of 0.2.0's log, what waits is read as a whole: it is little, and no plan is to look for it among all. What is finished has an index by webhook
    -- and one by event type.
    waiting   text := $q$(SELECT * FROM zentry_notify.legacy_delivery l WHERE l.status IN ('pending', 'retry') OFFSET 0)$q$;
    legacy    text := format(CASE WHEN webhook_ids IS NULL
        THEN $q$(SELECT l.id FROM zentry_notify.legacy_delivery l WHERE l.status IN ('sent', 'failed') AND %s %s)$q$
        ELSE $q$(SELECT l.id FROM unnest($1) AS w (id)
                  CROSS JOIN LATERAL (SELECT l.id FROM zentry_notify.legacy_delivery l
                                       WHERE l.status IN ('sent', 'failed') AND l.webhook_integration_id = w.id AND %s %s) l)$q$ END, which, page);
BEGIN
    IF most < 0 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('most must not be negative, but is %s', most),
            'It is how many ids are wanted; null: all.', 'most');
    END IF;
    IF status IN ('pending', 'retry') THEN
        RETURN QUERY EXECUTE format($q$
            SELECT l.id
              FROM ((SELECT l.id FROM (SELECT d.id, d.webhook_integration_id, d.event_type,
                                              CASE d.status WHEN 's' THEN 'sent' WHEN 'f' THEN 'failed' WHEN 'r' THEN 'retry' ELSE 'pending' END::varchar(20) AS status
                                         FROM zentry_notify.delivery d) l WHERE %1$s %2$s)
                     UNION ALL
                    (SELECT l.id FROM %4$s l WHERE %1$s %2$s)) l
             ORDER BY l.id %3$s LIMIT $6$q$, which, page, direction, waiting)
               USING webhook_ids, event_type, status, coalesce(before_id, 9223372036854775807), coalesce(after_id, -9223372036854775808), most;
        RETURN;
    END IF;
    IF status = 'failed' OR webhook_ids IS NULL AND event_type IS NULL THEN
        RETURN QUERY EXECUTE format('SELECT l.id FROM zentry_notify.notification_log l WHERE %s %s', which, page)
               USING webhook_ids, event_type, status, coalesce(before_id, 9223372036854775807), coalesce(after_id, -9223372036854775808), most;
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format($q$%1$s
        SELECT l.id
          FROM (SELECT l.id
                  FROM run
                  -- By row comparisons, in the index's whole order: by id alone the planner would go through the primary key for a run that it takes
                  -- for an average one.
                  CROSS JOIN LATERAL (SELECT l.id FROM zentry_notify.delivery l
                                       WHERE (l.webhook_integration_id, l.event_type, l.id) < (run.webhook_id, run.event_type, $4)
                                         AND (l.webhook_integration_id, l.event_type, l.id) > (run.webhook_id, run.event_type, $5)
                                         AND ($3 IS NULL OR l.status = 's')
                                       ORDER BY l.webhook_integration_id %4$s, l.event_type %4$s, l.id %4$s LIMIT $6) l
                 UNION ALL
                %5$s
                 UNION ALL
                (SELECT l.id FROM %6$s l WHERE %3$s %2$s)) l
         ORDER BY l.id %4$s LIMIT $6$q$, runs, page, which, direction, legacy, waiting)
           USING webhook_ids, event_type, status, coalesce(before_id, 9223372036854775807), coalesce(after_id, -9223372036854775808), most;
END
$$;
COMMENT ON FUNCTION zentry_notify.log_ids(bigint[], text, text, bigint, bigint, bigint) IS
    'Ids of the newest deliveries of these webhooks, this event type and status (null: all) below before_id; or with after_id, of the oldest above it';

CREATE OR REPLACE FUNCTION @extschema@.zentry_logs(
    webhook_id bigint DEFAULT NULL, event_type text DEFAULT NULL, status text DEFAULT NULL, before_id bigint DEFAULT NULL, most integer DEFAULT 20)
    RETURNS SETOF zentry_notify.logs
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids bigint[];
BEGIN
    IF status <> ALL ('{pending,retry,sent,failed}') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown status "%s"', left(status, 20)),
            'It is pending, retry, sent or failed; null: all of them.', 'status');
    END IF;
    IF most IS NULL OR most NOT BETWEEN 1 AND 1000 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('most must be 1 to 1000, not %s', coalesce(most::text, 'null')),
            'For more than that, ask again with before_id: the last id that came.', 'most');
    END IF;
    ids := ARRAY(SELECT zentry_notify.log_ids(CASE WHEN webhook_id IS NOT NULL THEN ARRAY[webhook_id] END, event_type, status, before_id, NULL, most));
    RETURN QUERY SELECT l.* FROM zentry_notify.logs l WHERE l.id = ANY (ids) ORDER BY l.id DESC;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_logs(bigint, text, text, bigint, integer) IS
    'Returns the newest deliveries of one webhook, event type or status (null: all) whose ids are below before_id. Served by an index, however long the log is';
