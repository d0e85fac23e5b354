-- What the worker keeps of a webhook stands apart from it: a write to webhook_integration makes every session read the
-- subscriptions again.

CREATE TABLE zentry_notify.webhook_circuit (
    webhook_integration_id bigint PRIMARY KEY,
    failures               integer NOT NULL,
    opened_at              timestamptz NOT NULL,
    next_try_at            timestamptz NOT NULL,
    error_message          text NOT NULL
);
COMMENT ON TABLE zentry_notify.webhook_circuit IS 'Integrations that keep failing: they are tried with one delivery at a time, at growing intervals';
COMMENT ON COLUMN zentry_notify.webhook_circuit.webhook_integration_id IS 'The integration';
COMMENT ON COLUMN zentry_notify.webhook_circuit.failures IS 'Failures in a row';
COMMENT ON COLUMN zentry_notify.webhook_circuit.opened_at IS 'Since when it is so';
COMMENT ON COLUMN zentry_notify.webhook_circuit.next_try_at IS 'When it is tried again';
COMMENT ON COLUMN zentry_notify.webhook_circuit.error_message IS 'The last failure';

CREATE TABLE zentry_notify.webhook_count (
    webhook_integration_id bigint PRIMARY KEY,
    sent                   bigint NOT NULL DEFAULT 0,
    failed                 bigint NOT NULL DEFAULT 0,
    last_sent_at           timestamptz,
    last_failed_at         timestamptz,
    last_error             text
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.webhook_count IS 'What became of an integration''s deliveries since it was registered; outlives the log''s rows';
COMMENT ON COLUMN zentry_notify.webhook_count.webhook_integration_id IS 'The integration';
COMMENT ON COLUMN zentry_notify.webhook_count.sent IS 'Deliveries that the endpoint took';
COMMENT ON COLUMN zentry_notify.webhook_count.failed IS 'Deliveries that were given up';
COMMENT ON COLUMN zentry_notify.webhook_count.last_sent_at IS 'When the last one was taken';
COMMENT ON COLUMN zentry_notify.webhook_count.last_failed_at IS 'When the last one was given up';
COMMENT ON COLUMN zentry_notify.webhook_count.last_error IS 'Why the last one was given up';

CREATE TABLE zentry_notify.deleted_webhook (
    webhook_integration_id bigint PRIMARY KEY
);
COMMENT ON TABLE zentry_notify.deleted_webhook IS 'Webhooks that were deleted and whose log is still to be removed';
COMMENT ON COLUMN zentry_notify.deleted_webhook.webhook_integration_id IS 'The number that it had';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_circuit', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_count', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.deleted_webhook', '');
