-- The parts of zentry_status() about this database's worker and about senders.

-- The worker records in webhook_state.posted_at when it posted, where a rate is so low that a message may have to wait.
CREATE OR REPLACE FUNCTION zentry_notify.pace_of(webhook_id bigint) RETURNS TABLE (until timestamptz, what text)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    WITH own AS (
        SELECT w.id, w.rate_group, w.min_interval, zentry_notify.rate_of(w.webhook_type, u.webhook_url, w.rate_limit) AS rate,
               CASE WHEN w.min_interval > '0' THEN greatest(n.last_sent_at, n.last_failed_at) + w.min_interval END AS next_at
          FROM zentry_notify.webhook w
          JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
         WHERE w.id = pace_of.webhook_id),
    member AS (
        SELECT CASE WHEN m.id = o.id THEN o.rate ELSE zentry_notify.rate_of(m.webhook_type, u.webhook_url, m.rate_limit) END AS rate, s.posted_at
          FROM own o
          JOIN zentry_notify.webhook m ON m.id = o.id OR m.rate_group = o.rate_group AND m.is_active
          JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = m.id
          LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = m.id
         WHERE o.rate IS NOT NULL),
    shared AS (
        SELECT zentry_notify.lowest_rate(array_agg(m.rate)) AS rate,
               zentry_notify.rate_opens_at(array_agg(m.rate), (SELECT array_agg(p) FROM member x CROSS JOIN unnest(x.posted_at) p WHERE x.rate IS NOT NULL)) AS next_at
          FROM member m WHERE m.rate IS NOT NULL)
    SELECT greatest(s.next_at, o.next_at),
           CASE WHEN s.next_at >= o.next_at OR o.next_at IS NULL
                THEN 'rate of ' || s.rate || CASE WHEN o.rate_group IS NULL THEN '' ELSE format(', which the group "%s" shares', o.rate_group) END
                ELSE format('min_interval of %s', o.min_interval) END
      FROM own o LEFT JOIN shared s ON true
     WHERE greatest(s.next_at, o.next_at) IS NOT NULL
$$;
COMMENT ON FUNCTION zentry_notify.pace_of(bigint) IS
    'Returns until when the settings of a webhook (its rate, that of its group, min_interval) hold back its next message, and which of them does. The time may be past';

CREATE OR REPLACE VIEW zentry_notify.due_delivery AS
SELECT d.id, w.id AS webhook_integration_id, greatest(d.due_at, p.until) AS due_at
  FROM zentry_notify.webhook w
  CROSS JOIN LATERAL (
       (SELECT l.id, coalesce(l.next_attempt_at, l.created_at) AS due_at FROM zentry_notify.legacy_delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('pending', 'retry') ORDER BY l.id LIMIT 1)
        UNION ALL
       (SELECT l.id, greatest(l.next_attempt_at,
                              (SELECT coalesce(zentry_notify.digest_due(w.digest, w.quiet_hours, e.created_at), e.created_at)
                                 FROM zentry_notify.event e WHERE e.id = l.event_id)) FROM zentry_notify.delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('p', 'r') ORDER BY l.id LIMIT 1)
       LIMIT 1) d
  LEFT JOIN LATERAL zentry_notify.pace_of(w.id) p ON true
 WHERE w.is_active
   AND d.due_at <= now()
   AND (p.until <= now()) IS NOT FALSE
   AND zentry_notify.quiet_until(w.quiet_hours) IS NULL
   AND EXISTS (SELECT FROM zentry_notify.webhook_secret u WHERE u.webhook_integration_id = w.id)
   AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id);
COMMENT ON VIEW zentry_notify.due_delivery IS
    'The first delivery of each webhook for which the worker should send it now: neither quiet hours, digest, rate nor circuit hold it back. Later deliveries of the webhook wait for it';
COMMENT ON COLUMN zentry_notify.due_delivery.id IS 'The delivery''s id';
COMMENT ON COLUMN zentry_notify.due_delivery.webhook_integration_id IS 'The webhook that it goes to';
COMMENT ON COLUMN zentry_notify.due_delivery.due_at IS 'Since when it is due';

CREATE OR REPLACE FUNCTION zentry_notify.status_worker() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server record;
    worker record;
    stuck  record;
    closed record;
    log_it constant text := '-- the server log says why, in a line that begins with zentry_notify';
    end_it constant text := '-- pg_terminate_backend() does not end it: wait, or restart the server in immediate mode (pg_ctl restart -m immediate)';
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    BEGIN
        SELECT * INTO server FROM zentry_notify.server_state();
    EXCEPTION WHEN OTHERS THEN
        RETURN; -- the line of the library has the reason
    END;
    FOR stuck IN SELECT s.pid, s.since, s.replaced FROM zentry_notify.stuck_workers() s
                   JOIN pg_database d ON d.oid = s.database AND d.datname = current_database() ORDER BY s.since LOOP
        -- Another worker takes its place after three seconds.
        IF stuck.replaced THEN
            RETURN QUERY SELECT 'stuck worker', 'attention',
                format('pid %s does not end, since %s: what is looked up in it heeds no interrupts. Another one has its work. Until it ends, VACUUM keeps dead rows, '
                       'and it is waited for by DROP EXTENSION, DROP DATABASE, a fast shutdown and whatever locks the tables that it reads', stuck.pid, zentry_notify.moment(stuck.since)), end_it;
        ELSIF stuck.since < clock_timestamp() - interval '5 seconds' THEN
            RETURN QUERY SELECT 'worker', 'broken',
                format('pid %s does not end, since %s: what is looked up in it heeds no interrupts. Other workers (pid %s) do not either: none takes its place until one of them has ended',
                       stuck.pid, zentry_notify.moment(stuck.since), (SELECT coalesce(string_agg(s.pid::text, ', ' ORDER BY s.since), '?') FROM zentry_notify.stuck_workers() s WHERE s.replaced)),
                end_it;
            RETURN;
        END IF;
    END LOOP;
    SELECT a.pid, a.backend_start INTO worker FROM pg_stat_activity a
     WHERE a.backend_type = 'zentry_notify worker' AND a.datname = current_database()
       AND a.pid NOT IN (SELECT s.pid FROM zentry_notify.stuck_workers() s WHERE s.replaced);
    IF FOUND THEN
        IF server.refused_since IS NULL THEN
            RETURN QUERY SELECT 'worker', 'ok', format('pid %s, since %s', worker.pid, zentry_notify.moment(worker.backend_start)), '';
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', format('pid %s; the database refuses its statements since %s', worker.pid, zentry_notify.moment(server.refused_since)), log_it;
        END IF;
        RETURN;
    END IF;
    SELECT * INTO closed FROM zentry_notify.closed_databases() c WHERE c.name = current_database();
    IF FOUND THEN
        IF zentry_notify.unrouted_since() IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.due_delivery) THEN
            RETURN QUERY SELECT 'worker', 'broken', format('this database %s and is not served: what is due waits until it is opened', closed.why), closed.remedy;
        ELSE
            RETURN QUERY SELECT 'worker', 'ok', format('none: this database %s and is not served; nothing is due', closed.why), '';
        END IF;
    ELSIF server.worker_died THEN
        RETURN QUERY SELECT 'worker', 'broken', 'has died, and is started again after a pause', log_it;
    ELSIF EXISTS (SELECT FROM zentry_notify.unrouted_since() s
                   WHERE s < now() - CASE WHEN server.databases_waiting > 0 THEN interval '5 seconds' ELSE interval '30 seconds' END)
          OR (SELECT w.value::boolean FROM zentry_notify.set_for_worker('zentry_notify.sending') w)
             AND EXISTS (SELECT FROM zentry_notify.due_delivery d
                          WHERE d.due_at < now() - interval '5 seconds'
                            AND d.webhook_integration_id NOT IN (SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q)) THEN
        IF server.short_of_workers_since IS NOT NULL THEN
            RETURN QUERY SELECT 'worker', 'broken', format('no background worker is free, since %s (max_worker_processes is %s)',
                                                           zentry_notify.moment(server.short_of_workers_since), current_setting('max_worker_processes')),
                zentry_notify.more_workers();
        ELSIF server.databases_waiting > 0 THEN
            RETURN QUERY SELECT 'worker', 'attention', format('waits for its turn: %s workers may run, %s databases wait',
                                                              current_setting('zentry_notify.max_workers'), server.databases_waiting),
                format('ALTER SYSTEM SET zentry_notify.max_workers = %s; SELECT pg_reload_conf();',
                       least(64, current_setting('zentry_notify.max_workers')::int + server.databases_waiting));
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', 'not there, although there is something to do', '-- see the line of the launcher';
        END IF;
    ELSE
        RETURN QUERY SELECT 'worker', 'ok', 'none is needed now', '';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_worker() IS 'Returns the status of this database''s worker';

CREATE OR REPLACE FUNCTION zentry_notify.status_senders() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH who AS (
        SELECT coalesce((SELECT w.value FROM zentry_notify.set_for_worker('zentry_notify.senders') w), 'local') AS sends,
               (SELECT count(*) FROM zentry_notify.sender s WHERE s.id NOT IN (SELECT zentry_notify.gone_senders())) AS senders,
               (SELECT count(*) FROM zentry_notify.sender_queue q) AS queues,
               (SELECT count(*) FROM zentry_notify.sender s WHERE s.banned_until > now()) AS banned)
    SELECT 'senders', CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN 'broken' WHEN w.sends = 'local' OR w.banned > 0 THEN 'attention' ELSE 'ok' END,
           concat_ws('; ', format('zentry_notify.senders is %s, and connected are %s', w.sends, w.senders),
                     CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN format('%s webhooks have no sender', w.queues)
                          WHEN w.sends <> 'local' THEN format('they send to %s webhooks', w.queues) END,
                     CASE WHEN w.banned > 0 THEN format('Discord has banned the addresses of %s', w.banned) END),
           CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN '-- start zentry-notify send on a machine that may call out, as a role with SELECT @extschema@.zentry_grant(role, ''sender'')'
                WHEN w.sends = 'local' THEN '-- they have nothing to send: end them, or set zentry_notify.senders to remote'
                WHEN w.banned > 0 THEN '-- the other senders, if there are any, send to their webhooks of Discord until then' ELSE '' END
      FROM who w
     WHERE w.sends <> 'local' OR w.senders > 0
$$;
COMMENT ON FUNCTION zentry_notify.status_senders() IS 'Returns the status of senders on other machines; no row if there are none and the worker sends';
