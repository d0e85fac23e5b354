-- State that the worker keeps of each webhook. It has tables of its own, because a write to the webhook makes every session read the
-- subscriptions again.

CREATE TABLE zentry_notify.webhook_circuit (
    webhook_integration_id bigint PRIMARY KEY,
    failures               integer NOT NULL,
    opened_at              timestamptz NOT NULL,
    next_try_at            timestamptz NOT NULL,
    error_message          text NOT NULL
);
COMMENT ON TABLE zentry_notify.webhook_circuit IS 'Failing webhooks: one delivery at a time is tried, at growing intervals';
COMMENT ON COLUMN zentry_notify.webhook_circuit.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_circuit.failures IS 'Number of consecutive failures; 0: zentry_resume found no delivery to try';
COMMENT ON COLUMN zentry_notify.webhook_circuit.opened_at IS 'Since when the webhook is failing';
COMMENT ON COLUMN zentry_notify.webhook_circuit.next_try_at IS 'Time of the next try';
COMMENT ON COLUMN zentry_notify.webhook_circuit.error_message IS 'Last error';

CREATE TABLE zentry_notify.webhook_state (
    webhook_integration_id bigint PRIMARY KEY,
    failures               integer NOT NULL DEFAULT 0,
    refusals               integer NOT NULL DEFAULT 0,
    limits                 integer NOT NULL DEFAULT 0,
    posted_at              timestamptz[] NOT NULL DEFAULT '{}',
    expired_at             timestamptz,
    stream_note            text
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.webhook_state IS 'Counters of each webhook''s recent responses. They are stored because a worker exits when there is nothing to do, and the next one continues with them';
COMMENT ON COLUMN zentry_notify.webhook_state.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_state.failures IS 'Number of consecutive failures; at five the webhook is failing';
COMMENT ON COLUMN zentry_notify.webhook_state.refusals IS 'Number of consecutive responses that refuse all messages (403, or a channel that accepts none); at ten the webhook is switched off';
COMMENT ON COLUMN zentry_notify.webhook_state.limits IS 'Number of consecutive responses that report a rate limit, as far as it is needed for the back-off';
COMMENT ON COLUMN zentry_notify.webhook_state.posted_at IS 'Times of the messages that count towards its rate limit';
COMMENT ON COLUMN zentry_notify.webhook_state.expired_at IS 'When the first delivery expired since the last one was sent';
COMMENT ON COLUMN zentry_notify.webhook_state.stream_note IS 'Problem found when the stream that it publishes to was last checked; null: none, or it publishes to no stream';

CREATE TABLE zentry_notify.webhook_count (
    webhook_integration_id bigint PRIMARY KEY,
    sent                   bigint NOT NULL DEFAULT 0,
    failed                 bigint NOT NULL DEFAULT 0,
    last_sent_at           timestamptz,
    last_failed_at         timestamptz,
    last_error             text
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.webhook_count IS 'Totals of each webhook''s deliveries since it was registered; they are kept when rows of the log are deleted';
COMMENT ON COLUMN zentry_notify.webhook_count.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_count.sent IS 'Number of sent deliveries';
COMMENT ON COLUMN zentry_notify.webhook_count.failed IS 'Number of failed deliveries';
COMMENT ON COLUMN zentry_notify.webhook_count.last_sent_at IS 'When the last delivery was sent';
COMMENT ON COLUMN zentry_notify.webhook_count.last_failed_at IS 'When the last delivery failed for good';
COMMENT ON COLUMN zentry_notify.webhook_count.last_error IS 'Error of the last delivery that failed for good';

CREATE TABLE zentry_notify.deleted_webhook (
    webhook_integration_id bigint PRIMARY KEY
);
COMMENT ON TABLE zentry_notify.deleted_webhook IS 'Deleted webhooks whose deliveries have not been deleted yet';
COMMENT ON COLUMN zentry_notify.deleted_webhook.webhook_integration_id IS 'Id of the deleted webhook';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_circuit', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_state', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_count', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.deleted_webhook', '');
