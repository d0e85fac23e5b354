-- Counters of deliveries, which are kept when rows of the log are deleted.

CREATE TABLE zentry_notify.delivery_stat (
    span                   varchar(6) NOT NULL CHECK (span IN ('minute', 'hour', 'ever')),
    since                  timestamptz NOT NULL,
    webhook_integration_id bigint NOT NULL,
    event_type             varchar(50) NOT NULL,
    sent                   bigint NOT NULL DEFAULT 0,
    failed                 bigint NOT NULL DEFAULT 0,
    retried                bigint NOT NULL DEFAULT 0,
    requests               bigint NOT NULL DEFAULT 0,
    messages               bigint NOT NULL DEFAULT 0,
    rate_limited           bigint NOT NULL DEFAULT 0,
    latency_sum            double precision NOT NULL DEFAULT 0,
    latency                bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (span, since, webhook_integration_id, event_type)
) WITH (fillfactor = 70);
COMMENT ON TABLE zentry_notify.delivery_stat IS
    'Counters of each webhook and event type: by the minute for the last hours, by the hour for as long as the log is kept, and in total. The worker updates them';
COMMENT ON COLUMN zentry_notify.delivery_stat.span IS 'Period that the row covers: minute, hour or ever';
COMMENT ON COLUMN zentry_notify.delivery_stat.since IS 'When the minute or hour began; -infinity for ever';
COMMENT ON COLUMN zentry_notify.delivery_stat.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.delivery_stat.event_type IS
    'The event type; *: all of them. (A request whose message holds several event types counts once for each of them and once for *)';
COMMENT ON COLUMN zentry_notify.delivery_stat.sent IS 'Number of sent deliveries';
COMMENT ON COLUMN zentry_notify.delivery_stat.failed IS 'Number of failed deliveries';
COMMENT ON COLUMN zentry_notify.delivery_stat.retried IS 'Number of times that a delivery failed and was scheduled again';
COMMENT ON COLUMN zentry_notify.delivery_stat.requests IS 'Number of requests that held such an event, whatever the response';
COMMENT ON COLUMN zentry_notify.delivery_stat.messages IS 'Number of requests that the endpoint accepted';
COMMENT ON COLUMN zentry_notify.delivery_stat.rate_limited IS 'Number of requests that met a rate limit';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency_sum IS 'Sum of the latencies of all sent deliveries, from the event to the response, in seconds';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency IS
    'Histogram of the latencies: a count for each of zentry_notify.latency_bounds(), and one for longer ones';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery_stat', '');
