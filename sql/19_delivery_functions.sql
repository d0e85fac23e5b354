-- Sample events, and deliveries that are re-sent.

-- The event is marked as routed: its deliveries are written here, and the worker does not look for webhooks that hear it.
CREATE OR REPLACE FUNCTION zentry_notify.queue(event_type text, data jsonb, webhook_ids bigint[], sample boolean DEFAULT false) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET check_function_bodies = on
AS $$
#variable_conflict use_variable
DECLARE
    event_id bigint;
BEGIN
    IF event_type IS NULL OR data IS NULL OR EXISTS (SELECT FROM unnest(webhook_ids) AS w (id) WHERE w.id IS NULL) THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', 'event_type, data and the elements of webhook_ids must not be null',
            'zentry_test_event(event_type) queues a sample for every webhook that hears it.');
    END IF;
    -- The transaction gets its id before the event gets its own: the route cursor relies on that.
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
    'Writes an event with a delivery to each of these webhooks, and returns the ids of the deliveries. sample: the message says that it is a sample';

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
           -- The filters, as the worker applies them to an event.
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
    'Queues a sample of the event type, or an event with the given data, for every active webhook that hears it in that project (null: the lowest project id of an active webhook), and returns the ids of the deliveries';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry(log_id bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
DECLARE
    entry   zentry_notify.notification_log;
    limited timestamptz;
    new_id  bigint;
BEGIN
    -- The row is locked before it is read through the view, so that it does not change any more.
    PERFORM FROM zentry_notify.delivery d WHERE d.id = log_id FOR UPDATE;
    PERFORM FROM zentry_notify.legacy_delivery d WHERE d.id = log_id FOR UPDATE;
    SELECT l.* INTO entry FROM zentry_notify.notification_log l WHERE l.id = log_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.refuse('no_data_found', format('there is no delivery with id %s', coalesce(log_id::text, '(null)')),
            'SELECT id, status FROM zentry_notify.logs ORDER BY id DESC lists them.');
    END IF;
    CASE entry.status
        WHEN 'retry' THEN
            -- A rate limit of the endpoint is kept, whoever asks.
            SELECT max(l.next_attempt_at) INTO limited FROM zentry_notify.notification_log l
             WHERE l.webhook_integration_id = entry.webhook_integration_id AND l.status = 'retry'
               AND l.next_attempt_at > now() AND l.error_message LIKE '429: %';
            IF limited IS NOT NULL THEN
                RAISE NOTICE 'delivery % waits for a rate limit until %', log_id, limited;
                RETURN log_id;
            END IF;
            -- Deliveries are sent in order, so those before it are made due too. (The first condition on status is that of a partial index.)
            UPDATE zentry_notify.delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status IN ('p', 'r') AND d.status = 'r' AND d.id <= log_id;
            UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status = 'retry' AND d.id <= log_id;
            new_id := log_id;
            PERFORM zentry_notify.wake(ARRAY[entry.webhook_integration_id], true);
        WHEN 'failed' THEN
            IF entry.retry_count >= 3 THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s was already retried %s times', log_id, entry.retry_count),
                    'Remove the cause first. A new event has three retries of its own.', '', format('It last failed with: %s', entry.error_message));
            END IF;
            IF entry.payload = 'null' THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s has no data any more', log_id),
                    'While zentry_notify.log_payloads is off, the data of a delivery is deleted once it is sent or failed.');
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
    'Re-sends a failed delivery as a new one, whose id it returns; of one event at most three times in a row. A delivery that waits for its next attempt becomes due now, with those before it, unless the endpoint has set a rate limit';

CREATE OR REPLACE FUNCTION zentry_notify.reopen(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A change of activated_at resets the state of the webhook (check_webhook), and makes the worker read it again.
    UPDATE zentry_notify.webhook w SET activated_at = clock_timestamp()
     WHERE w.id = webhook_id
       AND (w.switched_off_at IS NOT NULL
            OR EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id)
            OR EXISTS (SELECT FROM zentry_notify.webhook_state s WHERE s.webhook_integration_id = w.id AND (s.failures > 0 OR s.refusals > 0)));
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A rate limit of the endpoint is kept, whoever asks.
    UPDATE zentry_notify.delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    PERFORM zentry_notify.wake(ARRAY[webhook_id], true);
END
$$;
COMMENT ON FUNCTION zentry_notify.reopen(bigint) IS 'Resets the state of a webhook whose settings were corrected, and makes what waits for it due now. Does nothing if it was neither failing nor switched off';

CREATE OR REPLACE FUNCTION zentry_notify.retried_as(log_id bigint, webhook_id bigint) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- legacy_delivery has no index by retry_of, but a delivery that re-sends another one comes after it and goes to the same webhook.
    SELECT max(n.id)
      FROM (SELECT d.id FROM zentry_notify.delivery d WHERE d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('sent', 'failed') AND d.id > log_id AND d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.id > log_id AND d.retry_of = log_id) n
$$;
COMMENT ON FUNCTION zentry_notify.retried_as(bigint, bigint) IS 'Returns the delivery that re-sends this one, of that webhook; null: none does';

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
    -- For the route cursor, as in queue().
    PERFORM pg_current_xact_id();
    -- Each becomes a new event of the present time, because failed ones are often older than max_age.
    WITH failed AS MATERIALIZED (
        SELECT l.id, l.webhook_integration_id, l.event_type, l.payload, l.retry_count
          FROM zentry_notify.notification_log l
         WHERE l.status = 'failed'
           AND l.retry_count < 3
           -- Not a join: with one, the planner may read all failed deliveries, or the log of a webhook, once for each webhook.
           AND (l.webhook_integration_id IN (SELECT w.id FROM zentry_notify.webhook w WHERE w.is_active)) IS TRUE
           AND (webhook_id IS NULL OR l.webhook_integration_id = webhook_id)
           -- The concatenation keeps PostgreSQL 18 and newer from a skip scan of delivery_log for the type; fewer rows have failed than have that type.
           AND (zentry_retry_failed.event_type IS NULL OR l.event_type || '' = zentry_retry_failed.event_type)
           AND (since IS NULL OR l.created_at >= since)
         ORDER BY l.id),
    chosen AS MATERIALIZED (
        SELECT f.*, nextval('zentry_notify.event_id_seq') AS event_id
          FROM failed f
         WHERE f.payload <> 'null' AND zentry_notify.retried_as(f.id, f.webhook_integration_id) IS NULL
         ORDER BY f.id),
    fresh AS (
        INSERT INTO zentry_notify.event (id, event_type, data, context) OVERRIDING SYSTEM VALUE
        SELECT c.event_id, c.event_type, c.payload::json,
               -- A sample stays one.
               coalesce((SELECT e.context FROM zentry_notify.delivery d JOIN zentry_notify.event e ON e.id = d.event_id
                          WHERE d.id = c.id AND e.context::text = '{"routed": true, "sample": true}'), '{"routed": true}')
          FROM chosen c ORDER BY c.event_id),
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
    -- A change of activated_at resets the state of the webhook (check_webhook), and switches on one that the extension has switched off.
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
    -- If nothing waits, there is nothing to try it with: it stays failing, with no failure in a row, until the next event shows whether it works.
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
    'Tries a webhook now that is failing, gone, or has been told to wait: discards the wait that its endpoint has asked for, also a limit of Discord''s for all webhooks of the cluster, and sends the first delivery that waits. If none waits, the webhook stays failing until its endpoint has accepted one. Quiet hours still hold';
