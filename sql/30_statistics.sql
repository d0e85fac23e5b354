-- Statistics: counters for people and for collectors of metrics.

CREATE OR REPLACE FUNCTION zentry_notify.latency_bounds() RETURNS double precision[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_bounds_wrapper';
COMMENT ON FUNCTION zentry_notify.latency_bounds() IS 'Returns the upper bounds of the buckets of delivery_stat.latency, in seconds';

CREATE OR REPLACE FUNCTION zentry_notify.add_histograms(a bigint[], b bigint[]) RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'add_histograms_wrapper';
COMMENT ON FUNCTION zentry_notify.add_histograms(bigint[], bigint[]) IS 'Adds two histograms, bucket by bucket';

CREATE OR REPLACE AGGREGATE zentry_notify.sum_histogram(bigint[]) (
    SFUNC = zentry_notify.add_histograms, STYPE = bigint[], INITCOND = '{}',
    COMBINEFUNC = zentry_notify.add_histograms, PARALLEL = SAFE);
COMMENT ON AGGREGATE zentry_notify.sum_histogram(bigint[]) IS 'Adds histograms, bucket by bucket';

CREATE OR REPLACE FUNCTION zentry_notify.quantile(histogram bigint[], share double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quantile_wrapper';
COMMENT ON FUNCTION zentry_notify.quantile(bigint[], double precision) IS
    'Returns the quantile (0 to 1) of a histogram, in seconds, as exactly as the buckets allow; null when it is empty';

-- While several jobs restore a dump, the worker may send something and count it before the dump's own row is restored.
CREATE OR REPLACE FUNCTION zentry_notify.add_count() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO zentry_notify.webhook_count AS n VALUES (NEW.*)
    ON CONFLICT (webhook_integration_id) DO UPDATE
       SET sent = n.sent + EXCLUDED.sent, failed = n.failed + EXCLUDED.failed,
           last_sent_at = greatest(n.last_sent_at, EXCLUDED.last_sent_at),
           last_failed_at = greatest(n.last_failed_at, EXCLUDED.last_failed_at),
           last_error = coalesce(n.last_error, EXCLUDED.last_error);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.add_count() IS 'Trigger: adds a restored count to what the worker has counted meanwhile';

-- While a dump is restored, the worker may send something and count it before the dump's own rows are restored.
CREATE OR REPLACE FUNCTION zentry_notify.add_delivery_stat() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO zentry_notify.delivery_stat AS s VALUES (NEW.*)
    ON CONFLICT ON CONSTRAINT delivery_stat_pkey DO UPDATE
       SET sent = s.sent + EXCLUDED.sent, failed = s.failed + EXCLUDED.failed, retried = s.retried + EXCLUDED.retried,
           requests = s.requests + EXCLUDED.requests, messages = s.messages + EXCLUDED.messages,
           rate_limited = s.rate_limited + EXCLUDED.rate_limited, latency_sum = s.latency_sum + EXCLUDED.latency_sum,
           latency = zentry_notify.add_histograms(s.latency, EXCLUDED.latency);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.add_delivery_stat() IS 'Trigger: adds restored counts to what the worker has counted meanwhile';

CREATE OR REPLACE VIEW zentry_notify.delivery_totals AS
SELECT s.webhook_integration_id, w.name AS webhook_integration_name, w.webhook_type, s.event_type,
       s.sent, s.failed, s.retried, s.requests, s.messages, s.rate_limited, s.latency_sum, s.latency
  FROM zentry_notify.delivery_stat s
  JOIN zentry_notify.webhook w ON w.id = s.webhook_integration_id
 WHERE s.span = 'ever';
COMMENT ON VIEW zentry_notify.delivery_totals IS
    'Counters for a collector of metrics, which only grow, also over restarts and when rows are removed from the log. The rows of event type * have the sums for a webhook; a request counts for each event type in its message, so requests cannot be summed up otherwise';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_integration_name IS 'The webhook''s name';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_type IS 'The webhook''s type: zentry_webhook_types() lists them';

-- The other columns are the table's own, and are described there.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.attname, pg_catalog.col_description(t.attrelid, t.attnum) AS text
               FROM pg_catalog.pg_attribute t
               JOIN pg_catalog.pg_attribute v ON v.attname OPERATOR(pg_catalog.=) t.attname
              WHERE t.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.delivery_stat'::pg_catalog.regclass
                AND v.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.delivery_totals'::pg_catalog.regclass
                AND t.attnum OPERATOR(pg_catalog.>) 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN zentry_notify.delivery_totals.%I IS %L', c.attname, c.text);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.zentry_stats(since interval DEFAULT '1 day')
    RETURNS TABLE (webhook_id bigint, name text, event_type text, sent bigint, failed bigint, retried bigint, requests bigint,
                   events_per_message numeric, p50 numeric, p95 numeric, p99 numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    ever  boolean := zentry_stats.since IS NULL;
    start timestamptz;
BEGIN
    IF NOT (zentry_stats.since > '0' AND zentry_stats.since <= '1000 years') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('since must be longer than 0 and at most 1000 years, not %s', zentry_stats.since),
            'For example ''1 hour''; null counts from the registration on.', 'since');
    END IF;
    start := now() - zentry_stats.since;
    RETURN QUERY
    SELECT w.id, w.name::text, s.event_type::text, sum(s.sent)::bigint, sum(s.failed)::bigint, sum(s.retried)::bigint,
           sum(s.requests)::bigint, round(sum(s.sent) / nullif(sum(s.messages), 0), 1),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.5)::numeric, 3),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.95)::numeric, 3),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.99)::numeric, 3)
      FROM zentry_notify.delivery_stat s
      JOIN zentry_notify.webhook w ON w.id = s.webhook_integration_id
     WHERE ever AND s.span = 'ever'
        OR NOT ever AND s.span = 'minute' AND s.since >= date_trunc('minute', start, 'UTC')
        OR NOT ever AND s.span = 'hour' AND s.since >= date_trunc('hour', start, 'UTC')
     GROUP BY w.id, s.event_type
     ORDER BY w.id, s.event_type;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_stats(interval) IS
    'Returns counts of deliveries within the interval (null: since the registration) by webhook and event type, with a row * for each webhook. p50, p95 and p99 are seconds from the event to the answer. Counts older than two hours are by the full hour';

CREATE OR REPLACE FUNCTION @extschema@.zentry_stats_by_hour(hours integer DEFAULT 24, webhook_id bigint DEFAULT NULL)
    RETURNS TABLE (hour timestamptz, sent bigint, failed bigint, retried bigint, p50 numeric, p95 numeric, p99 numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Hours are in UTC, as the worker cuts them, whatever the session's time zone is.
    last timestamptz := date_trunc('hour', now(), 'UTC');
BEGIN
    IF hours IS NULL OR hours NOT BETWEEN 1 AND 2160 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('hours must be 1 to 2160, not %s', coalesce(hours::text, 'null')),
            '24 is a day, 168 a week.', 'hours');
    END IF;
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    RETURN QUERY
    SELECT h.hour, coalesce(s.sent, 0), coalesce(s.failed, 0), coalesce(s.retried, 0),
           round(zentry_notify.quantile(s.latency, 0.5)::numeric, 3), round(zentry_notify.quantile(s.latency, 0.95)::numeric, 3),
           round(zentry_notify.quantile(s.latency, 0.99)::numeric, 3)
      FROM (SELECT last - n * interval '1 hour' AS hour FROM generate_series(0, hours - 1) AS n) h
      LEFT JOIN (SELECT date_trunc('hour', s.since, 'UTC') AS hour, sum(s.sent)::bigint AS sent, sum(s.failed)::bigint AS failed,
                        sum(s.retried)::bigint AS retried, zentry_notify.sum_histogram(s.latency) AS latency
                   FROM zentry_notify.delivery_stat s
                  WHERE s.span IN ('minute', 'hour') AND s.since >= last - (hours - 1) * interval '1 hour'
                    AND s.event_type = '*' AND (webhook_id IS NULL OR s.webhook_integration_id = webhook_id)
                  GROUP BY 1) s ON s.hour = h.hour
     ORDER BY h.hour;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_stats_by_hour(integer, bigint) IS
    'Returns counts of deliveries in each of the last hours, the current one last, of one webhook or (null) of all. Hours without a delivery have a row too. p50, p95 and p99 are seconds from the event to the answer';
