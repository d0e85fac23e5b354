-- The delivery log: writes to notification_log, and how pages of the log are found.

-- The owner of the tables may write notification_log as if it were a table: dumps of 0.2.0 contain its rows, and a DBA who restores a copy may
-- want to delete what was waiting. A row with an id comes from 0.2.0.
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
            -- All deliveries of the event share the data. An event that has another waiting delivery is kept.
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
COMMENT ON FUNCTION zentry_notify.write_log() IS 'Trigger: turns writes to notification_log, which only the owner of the tables can make, into writes to delivery and event, or to legacy_delivery';

ALTER VIEW zentry_notify.notification_log
    ALTER COLUMN status SET DEFAULT 'pending',
    ALTER COLUMN response_body SET DEFAULT '',
    ALTER COLUMN error_message SET DEFAULT '',
    ALTER COLUMN retry_count SET DEFAULT 0,
    ALTER COLUMN attempts SET DEFAULT 0,
    ALTER COLUMN created_at SET DEFAULT pg_catalog.now();

-- No index has the newest deliveries of a webhook or an event type in order. The index delivery_log is ordered by id within each pair of them, and
-- this function merges these pairs. Failed and waiting deliveries have indexes of their own. The queries are composed of constants only, so that
-- each combination of arguments gets its own plan. It is a definer function because readers have no privilege on the tables; it returns ids only,
-- of rows that the views show to readers.
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
    -- The pairs that exist.
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
    -- Rows of 0.2.0's log that wait are read as a whole: they are few, and no plan should search all rows for them. Finished ones have an
    -- index by webhook and one by event type.
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
                  -- Row comparisons keep to the whole order of the index. By id alone, the planner would scan the primary key for a run
                  -- that it estimates as an average one.
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
    'Returns the ids of the newest deliveries with these webhooks, event type and status (null: any) below before_id; with after_id, of the oldest above it. most: maximum number of ids; null: all';

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
    'Returns the newest deliveries of one webhook, event type or status (null: all) whose ids are below before_id. It reads indexes only, so its time does not depend on the length of the log';
