-- What deliveries came to: counters that outlive the log's rows.

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
    'Counts of each integration and event type: by the minute for the last hours, by the hour for as long as the log is kept, and in all. The worker adds to them';
COMMENT ON COLUMN zentry_notify.delivery_stat.span IS 'minute, hour, or ever: what the row covers';
COMMENT ON COLUMN zentry_notify.delivery_stat.since IS 'When the minute or the hour began; -infinity for ever';
COMMENT ON COLUMN zentry_notify.delivery_stat.webhook_integration_id IS 'The integration';
COMMENT ON COLUMN zentry_notify.delivery_stat.event_type IS
    'The event type; *: all of them. (A message may hold several types: its request counts for each of them, and for * once)';
COMMENT ON COLUMN zentry_notify.delivery_stat.sent IS 'Deliveries that the endpoint took';
COMMENT ON COLUMN zentry_notify.delivery_stat.failed IS 'Deliveries that were given up';
COMMENT ON COLUMN zentry_notify.delivery_stat.retried IS 'Times that a delivery failed for now and went again';
COMMENT ON COLUMN zentry_notify.delivery_stat.requests IS 'Requests that held such an event, whatever became of them';
COMMENT ON COLUMN zentry_notify.delivery_stat.messages IS 'Requests among these that the endpoint took';
COMMENT ON COLUMN zentry_notify.delivery_stat.rate_limited IS 'Requests among these that were answered "too many"';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency_sum IS 'Seconds from the event to the answer, of all that were sent, added up';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency IS
    'How many of those took how long: one count for each of zentry_notify.latency_bounds(), and one for what took longer';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery_stat', '');
