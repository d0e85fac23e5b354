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
COMMENT ON COLUMN zentry_notify.webhook_circuit.failures IS 'Failures in a row; 0: zentry_resume had nothing to try it with';
COMMENT ON COLUMN zentry_notify.webhook_circuit.opened_at IS 'Since when it is so';
COMMENT ON COLUMN zentry_notify.webhook_circuit.next_try_at IS 'When it is tried again';
COMMENT ON COLUMN zentry_notify.webhook_circuit.error_message IS 'The last failure';

CREATE TABLE zentry_notify.webhook_state (
    webhook_integration_id bigint PRIMARY KEY,
    failures               integer NOT NULL DEFAULT 0,
    refusals               integer NOT NULL DEFAULT 0,
    limits                 integer NOT NULL DEFAULT 0,
    posted_at              timestamptz[] NOT NULL DEFAULT '{}',
    expired_at             timestamptz,
    stream_note            text
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.webhook_state IS 'What is counted of a webhook''s last answers, for workers to come: one leaves when nothing is to be done';
COMMENT ON COLUMN zentry_notify.webhook_state.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_state.failures IS 'Failures in a row; five make it failing';
COMMENT ON COLUMN zentry_notify.webhook_state.refusals IS 'Answers in a row that take no message of ours; ten switch it off';
COMMENT ON COLUMN zentry_notify.webhook_state.limits IS 'Answers in a row that we are too fast, as far as that matters';
COMMENT ON COLUMN zentry_notify.webhook_state.posted_at IS 'When the messages were posted that count for its rate';
COMMENT ON COLUMN zentry_notify.webhook_state.expired_at IS 'When one of its deliveries expired first since one was sent';
COMMENT ON COLUMN zentry_notify.webhook_state.stream_note IS 'What was not as it should be of the stream that it publishes to, when it was looked at last; null: nothing, or it has none';

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
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_state', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_count', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.deleted_webhook', '');
