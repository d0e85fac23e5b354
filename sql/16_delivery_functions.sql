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
