-- What zentry-notify send reads of the queues that it holds, and how it records the outcomes of their deliveries.

CREATE OR REPLACE FUNCTION zentry_notify.sending_settings() RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_object_agg(substr(s.name, length('zentry_notify.') + 1), s.setting)
      FROM pg_settings s
     WHERE s.name = ANY ('{zentry_notify.sending,zentry_notify.username,zentry_notify.avatar_url,zentry_notify.link_base,zentry_notify.allowed_hosts,zentry_notify.allow_http,zentry_notify.allow_private_addresses,zentry_notify.request_timeout,zentry_notify.connect_timeout,zentry_notify.max_attempts,zentry_notify.max_age,zentry_notify.discord_rate,zentry_notify.teams_rate,zentry_notify.log_payloads}')
$$;
COMMENT ON FUNCTION zentry_notify.sending_settings() IS
    'Returns the settings that apply to senders, as this session has them; a new session has the current ones. proxy and ca_file are not among them, because they depend on the sender''s machine';

CREATE OR REPLACE FUNCTION zentry_notify.sending_webhooks(sender bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    RETURN jsonb_build_object(
        'webhooks', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', w.id, 'webhook_type', w.webhook_type, 'webhook_url', u.webhook_url, 'max_events_per_message', w.max_events_per_message,
                       'min_interval', extract(epoch FROM w.min_interval), 'max_age', CASE WHEN w.max_age IS NOT NULL THEN extract(epoch FROM least(w.max_age, '1 year')) END,
                       'activated_at', w.activated_at, 'quiet_hours', w.quiet_hours, 'mention', w.mention, 'omit_keys', w.omit_keys,
                       'rate_limit', w.rate_limit, 'rate_group', w.rate_group, 'appearance', to_jsonb(w),
                       'last_sent_at', n.last_sent_at, 'last_failed_at', n.last_failed_at,
                       'circuit', CASE WHEN c.failures IS NOT NULL
                           THEN jsonb_build_object('failures', greatest(c.failures, 0), 'since', c.opened_at, 'next_try', c.next_try_at) END,
                       'failures', greatest(s.failures, 0), 'refusals', greatest(s.refusals, 0), 'limits', greatest(s.limits, 0),
                       'posts', ARRAY(SELECT p.at FROM unnest(s.posted_at) p (at) WHERE isfinite(p.at) ORDER BY p.at),
                       'secret', u.signing_secret, 'previous_secret', u.previous_secret, 'previous_until', u.previous_until, 'headers', u.headers::text)), '[]')
              FROM zentry_notify.sender_queue q
              JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id AND w.is_active
              JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
              LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
              LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
              LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = w.id
             WHERE q.sender_id = sending_webhooks.sender),
        'wordings', (
            SELECT coalesce(jsonb_agg(jsonb_build_array(d.webhook_integration_id, d.definition::text)
                                      ORDER BY d.webhook_integration_id NULLS FIRST, d.event_type), '[]')
              FROM zentry_notify.event_definition d
             WHERE d.webhook_integration_id IS NULL
                OR d.webhook_integration_id IN (SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q WHERE q.sender_id = sending_webhooks.sender)));
END
$$;
COMMENT ON FUNCTION zentry_notify.sending_webhooks(bigint) IS
    'Returns the webhooks whose queues the sender holds, with their URLs and secrets, and the wordings that apply to them';

-- As the worker claims (src/worker/statements/deliveries.rs).
CREATE OR REPLACE FUNCTION zentry_notify.claim_deliveries(sender bigint, webhook_ids bigint[], pages integer[], cursors bigint[], shown integer[])
    RETURNS TABLE (id bigint, webhook_id bigint, event_type text, data text, detail text, attempts smallint, created_at timestamptz,
                   next_attempt_at timestamptz, event_id bigint, has_event boolean, traceparent text, unrouted_since timestamptz, asked_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    RETURN QUERY
    SELECT l.id, c.queue, l.event_type,
           CASE WHEN l.last <= c.shown THEN e.data::text
                WHEN e.context::text = '{"routed": true, "sample": true}' THEN '{"zentry_sample": true}' END,
           CASE WHEN l.last <= c.shown THEN
                CASE WHEN e.context::text = '{"routed": true, "sample": true}' THEN coalesce(x.data, '{}') || '{"zentry_sample": true}' ELSE x.data END::text END,
           -- Brought within the range of times that a sender can represent.
           l.attempts, greatest(least(e.created_at, '9000-01-01'), '0001-01-01'),
           CASE WHEN l.next_attempt_at IS NOT NULL THEN greatest(least(l.next_attempt_at, '9000-01-01'), '0001-01-01') END, l.event_id,
           e.id IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.event later WHERE later.id > l.event_id),
           CASE WHEN e.id IS NOT NULL THEN l.traceparent END,
           -- A digest holds all events before its time, which may include some that are not routed yet.
           CASE WHEN c.shown < c.page THEN (SELECT zentry_notify.unrouted_since()) END, clock_timestamp()
      FROM unnest(claim_deliveries.webhook_ids, claim_deliveries.pages, claim_deliveries.cursors, claim_deliveries.shown) c (queue, page, cursor, shown)
      JOIN zentry_notify.sender_queue q ON q.webhook_integration_id = c.queue AND q.sender_id = claim_deliveries.sender
      CROSS JOIN LATERAL (
        SELECT p.*, row_number() OVER (ORDER BY p.id DESC) AS last
          FROM (SELECT l.id, l.event_type::text, l.event_id, l.attempts, l.next_attempt_at, l.traceparent
                  FROM zentry_notify.delivery l
                 WHERE l.webhook_integration_id = c.queue AND l.id >= c.cursor AND l.status IN ('p', 'r')
                 ORDER BY l.id LIMIT c.page) p) l
      LEFT JOIN zentry_notify.event e ON e.id = l.event_id
      LEFT JOIN zentry_notify.event_detail x ON x.event_id = l.event_id AND l.last <= c.shown
     ORDER BY c.queue, l.id;
END
$$;
COMMENT ON FUNCTION zentry_notify.claim_deliveries(bigint, bigint[], integer[], bigint[], integer[]) IS
    'Returns the first waiting deliveries of queues that the sender holds: for each webhook at most pages, with ids from cursors on, and the data of the last shown of them only. unrouted_since, for digests: when the first event that is not routed yet happened; null: all are routed';

-- As the worker records (src/worker/statements/deliveries.rs), for the queues that still have the reported epochs. Reported values are limited to plausible
-- ranges, so that the worker and other senders can read them.
CREATE OR REPLACE FUNCTION zentry_notify.record_outcomes(sender bigint, report jsonb) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Queues whose outcomes are accepted.
    held     bigint[];
    refused  bigint[];
    earliest timestamptz := now() - interval '1 year';
    -- No endpoint may ask for more than a day.
    latest   timestamptz := now() + interval '2 days';
    most     bigint := 1000000000;
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    -- As in the worker: the outcomes fail if a row stays locked, and the sender reports them again.
    PERFORM set_config('lock_timeout', '500ms', true);
    -- No other session takes queues that this one holds. Queues that it no longer holds may be taken at the same time, so they are locked.
    PERFORM FROM zentry_notify.sender_queue q
            JOIN jsonb_to_recordset(report->'epochs') c (webhook_id bigint, epoch bigint) ON c.webhook_id = q.webhook_integration_id
           WHERE q.sender_id IS DISTINCT FROM record_outcomes.sender AND q.epoch = c.epoch
           ORDER BY q.webhook_integration_id FOR SHARE OF q;
    SELECT coalesce(array_agg(c.webhook_id) FILTER (WHERE m.mine), '{}'), coalesce(array_agg(c.webhook_id) FILTER (WHERE NOT m.mine), '{}')
      INTO held, refused
      FROM jsonb_to_recordset(report->'epochs') c (webhook_id bigint, epoch bigint)
      LEFT JOIN zentry_notify.sender_queue q ON q.webhook_integration_id = c.webhook_id
     CROSS JOIN LATERAL (
           -- An epoch is not a secret, so it does not suffice for a queue that a session of another role holds.
           SELECT q.epoch IS NOT DISTINCT FROM c.epoch AND q.epoch IS NOT NULL AND CASE WHEN q.sender_id <> record_outcomes.sender THEN NOT EXISTS (
                      SELECT FROM zentry_notify.sender s
                       CROSS JOIN LATERAL pg_stat_get_activity(s.process) a
                       WHERE s.id = q.sender_id AND a.backend_start = s.session_started
                         AND a.usesysid <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user)) ELSE true END AS mine) m;

    WITH done AS (
        UPDATE zentry_notify.delivery l
           SET status = o.status::"char", attempts = greatest(o.attempts, 0), response_status_code = o.code, response_body = left(o.body, 1000),
               error_message = left(o.error, 1000),
               finished_at = CASE WHEN o.status <> 'r' THEN greatest(least(coalesce(o.finished_at, now()), latest), earliest) END,
               -- If the webhook was reactivated since the attempt, its result does not delay the next one.
               next_attempt_at = CASE WHEN o.status = 'r' THEN greatest(least(o.next_attempt_at,
                   CASE WHEN o.webhook_since <> (SELECT w.activated_at FROM zentry_notify.webhook w WHERE w.id = l.webhook_integration_id)
                        THEN now() ELSE latest END), earliest) END
          FROM jsonb_to_recordset(report->'deliveries') o (
                   id bigint, webhook_id bigint, status text, attempts smallint, code smallint, body text, error text, finished_at timestamptz,
                   next_attempt_at timestamptz, webhook_since timestamptz)
         -- By the primary key, as in the worker's statement.
         WHERE l.id = o.id AND coalesce(l.status, ' ') IN ('p', 'r') AND l.webhook_integration_id = o.webhook_id AND o.webhook_id = ANY (held)
           AND o.status IN ('s', 'r', 'f')
        RETURNING l.webhook_integration_id AS webhook_id, l.status, l.finished_at, l.error_message),
    ends AS (
        SELECT d.webhook_id, count(*) FILTER (WHERE d.status = 's') AS sent, count(*) FILTER (WHERE d.status = 'f') AS failed,
               max(d.finished_at) FILTER (WHERE d.status = 's') AS last_sent_at, max(d.finished_at) FILTER (WHERE d.status = 'f') AS last_failed_at,
               (array_agg(d.error_message ORDER BY d.finished_at DESC) FILTER (WHERE d.status = 'f'))[1] AS last_error
          FROM done d WHERE d.status IN ('s', 'f') GROUP BY d.webhook_id),
    counted AS (
        UPDATE zentry_notify.webhook_count n
           SET sent = n.sent + e.sent, failed = n.failed + e.failed, last_sent_at = coalesce(e.last_sent_at, n.last_sent_at),
               last_failed_at = coalesce(e.last_failed_at, n.last_failed_at), last_error = coalesce(e.last_error, n.last_error)
          FROM ends e WHERE n.webhook_integration_id = e.webhook_id
        RETURNING n.webhook_integration_id)
    -- If the worker inserts the row at the same time, a trigger adds both.
    INSERT INTO zentry_notify.webhook_count (webhook_integration_id, sent, failed, last_sent_at, last_failed_at, last_error)
    SELECT e.* FROM ends e
     WHERE e.webhook_id NOT IN (SELECT c.webhook_integration_id FROM counted c) AND EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = e.webhook_id);

    INSERT INTO zentry_notify.delivery_attempt (delivery_id, attempted_at, next_attempt_at, response_status_code, attempt, error_message)
    SELECT a.id, greatest(least(a.at, latest), earliest), CASE WHEN a.next_attempt_at IS NOT NULL THEN greatest(least(a.next_attempt_at, latest), earliest) END, a.code,
           greatest(a.attempt, 0), left(a.error, 1000)
      FROM (SELECT m.*, row_number() OVER (PARTITION BY m.id ORDER BY m.at)
              FROM jsonb_to_recordset(report->'misses') m (
                   id bigint, webhook_id bigint, at timestamptz, next_attempt_at timestamptz, code smallint, attempt smallint, error text)
             WHERE m.webhook_id = ANY (held)) a
     WHERE (SELECT true FROM zentry_notify.delivery l WHERE l.id = a.id AND l.webhook_integration_id = a.webhook_id)
       -- A delivery that is re-sent by hand may fail for good again.
       AND a.row_number + (SELECT count(*) FROM (SELECT FROM zentry_notify.delivery_attempt k WHERE k.delivery_id = a.id LIMIT 100) known)
           <= CASE WHEN a.next_attempt_at IS NULL THEN 100 ELSE 50 END
    ON CONFLICT DO NOTHING;

    -- Webhooks that were reactivated since the sender read them are left as they are.
    UPDATE zentry_notify.webhook w SET is_active = false, switched_off_at = greatest(least(o.at, latest), earliest), switched_off_reason = left(o.reason, 1000)
      FROM jsonb_to_recordset(report->'switched_off') o (webhook_id bigint, since timestamptz, at timestamptz, reason text)
     WHERE w.id = o.webhook_id AND w.is_active AND w.activated_at = o.since AND w.id = ANY (held);
    DELETE FROM zentry_notify.webhook_circuit c
     USING jsonb_to_recordset(report->'closed') o (webhook_id bigint)
     WHERE c.webhook_integration_id = o.webhook_id AND o.webhook_id = ANY (held);
    INSERT INTO zentry_notify.webhook_circuit AS c (webhook_integration_id, failures, opened_at, next_try_at, error_message)
    SELECT w.id, greatest(o.failures, 0), greatest(least(o.since, latest), earliest), greatest(least(o.next_try, latest), earliest), coalesce(left(o.error, 1000), '')
      FROM jsonb_to_recordset(report->'opened') o (
               webhook_id bigint, failures integer, since timestamptz, next_try timestamptz, error text, webhook_since timestamptz)
      JOIN zentry_notify.webhook w ON w.id = o.webhook_id
     WHERE w.id = ANY (held) AND w.activated_at IS NOT DISTINCT FROM coalesce(o.webhook_since, w.activated_at)
    ON CONFLICT (webhook_integration_id) DO UPDATE
       SET failures = EXCLUDED.failures, opened_at = EXCLUDED.opened_at, next_try_at = EXCLUDED.next_try_at,
           error_message = coalesce(nullif(EXCLUDED.error_message, ''), c.error_message);

    INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, failures, refusals, limits, posted_at)
    SELECT o.webhook_id, greatest(o.failures, 0), greatest(o.refusals, 0), greatest(o.limits, 0),
           -- No rate limit counts more than these.
           ARRAY(SELECT k.at FROM (SELECT p.at FROM unnest(o.posts) p (at) WHERE p.at BETWEEN earliest AND latest ORDER BY p.at DESC LIMIT 10000) k ORDER BY k.at)
      FROM jsonb_to_recordset(report->'in_a_row') o (
               webhook_id bigint, since timestamptz, failures integer, refusals integer, limits integer, posts timestamptz[])
      JOIN zentry_notify.webhook w ON w.id = o.webhook_id AND w.activated_at = o.since
     WHERE w.id = ANY (held)
    ON CONFLICT (webhook_integration_id) DO UPDATE
       SET failures = EXCLUDED.failures, refusals = EXCLUDED.refusals, limits = EXCLUDED.limits, posted_at = EXCLUDED.posted_at;
    INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, expired_at)
    SELECT w.id, now()
      FROM jsonb_array_elements_text(report->'expired') o (webhook_id)
      JOIN zentry_notify.webhook w ON w.id = o.webhook_id::bigint
     WHERE w.id = ANY (held)
    ON CONFLICT (webhook_integration_id) DO UPDATE SET expired_at = EXCLUDED.expired_at
     WHERE s.expired_at IS NULL
        OR s.expired_at < (SELECT n.last_sent_at FROM zentry_notify.webhook_count n WHERE n.webhook_integration_id = s.webhook_integration_id);

    -- Counters are accepted whichever sender holds the queue now, since the requests were made.
    INSERT INTO zentry_notify.delivery_stat AS s
           (span, since, webhook_integration_id, event_type, sent, failed, retried, requests, messages, rate_limited, latency_sum, latency)
    SELECT p.span, p.since, t.webhook_id, t.event_type, least(greatest(t.sent, 0), most), least(greatest(t.failed, 0), most), least(greatest(t.retried, 0), most),
           least(greatest(t.requests, 0), most), least(greatest(t.messages, 0), most), least(greatest(t.rate_limited, 0), most),
           least(greatest(t.latency_sum, 0), 1e12), zentry_notify.add_histograms('{}', t.latency)
      FROM jsonb_to_recordset(report->'tally') t (
               webhook_id bigint, event_type text, sent bigint, failed bigint, retried bigint, requests bigint, messages bigint, rate_limited bigint,
               latency_sum double precision, latency bigint[])
     CROSS JOIN (VALUES ('minute', date_trunc('minute', now(), 'UTC')), ('ever', '-infinity')) p (span, since)
     WHERE EXISTS (SELECT FROM zentry_notify.sender_queue q JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id WHERE w.id = t.webhook_id)
       AND (t.event_type = '*' OR EXISTS (SELECT FROM zentry_notify.event_type y WHERE y.name = t.event_type))
    ON CONFLICT (span, since, webhook_integration_id, event_type) DO UPDATE
       SET sent = s.sent + EXCLUDED.sent, failed = s.failed + EXCLUDED.failed, retried = s.retried + EXCLUDED.retried,
           requests = s.requests + EXCLUDED.requests, messages = s.messages + EXCLUDED.messages, rate_limited = s.rate_limited + EXCLUDED.rate_limited,
           latency_sum = s.latency_sum + EXCLUDED.latency_sum, latency = zentry_notify.add_histograms(s.latency, EXCLUDED.latency);
    IF NOT current_setting('zentry_notify.log_payloads')::boolean THEN
        -- The worker removes data that are not to be stored.
        PERFORM zentry_notify.wake('{}');
    END IF;
    RETURN refused;
END
$$;
COMMENT ON FUNCTION zentry_notify.record_outcomes(bigint, jsonb) IS
    'Writes the outcomes of deliveries whose queues still have the reported epochs. Returns the webhooks whose outcomes are refused';
