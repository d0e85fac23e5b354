-- The log of 0.2.0, where a row was event and delivery in one. The views show its rows as before, and the worker moves them to event
-- and delivery in pages: those that wait before it routes anything, the finished ones bit by bit. Empty where 0.3 came first.

CREATE TABLE zentry_notify.legacy_delivery (
    id                     bigint PRIMARY KEY,
    webhook_integration_id bigint NOT NULL,
    event_type             varchar(50) NOT NULL,
    payload                jsonb NOT NULL,
    status                 varchar(20) NOT NULL DEFAULT 'pending',
    response_status_code   integer,
    response_body          text NOT NULL DEFAULT '',
    error_message          text NOT NULL DEFAULT '',
    retry_count            integer NOT NULL DEFAULT 0,
    attempts               integer NOT NULL DEFAULT 0,
    created_at             timestamptz NOT NULL DEFAULT pg_catalog.now(),
    sent_at                timestamptz,
    next_attempt_at        timestamptz,
    retry_of               bigint
) WITH (
    -- It is emptied in pages: dead rows come in step with that, so vacuum has to as well.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.legacy_delivery IS 'The log of 0.2.0, until the worker has moved its rows to event and delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.id IS 'Ids of delivery go on above these';
COMMENT ON COLUMN zentry_notify.legacy_delivery.webhook_integration_id IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.event_type IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.payload IS 'The event''s data; JSON null: not kept';
COMMENT ON COLUMN zentry_notify.legacy_delivery.status IS 'pending, retry, sent or failed';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_status_code IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_body IS 'As in delivery; empty: none';
COMMENT ON COLUMN zentry_notify.legacy_delivery.error_message IS 'As in delivery; empty: nothing';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_count IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.attempts IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.legacy_delivery.sent_at IS 'When the endpoint took it';
COMMENT ON COLUMN zentry_notify.legacy_delivery.next_attempt_at IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_of IS 'As in delivery';

CREATE INDEX legacy_delivery_waiting ON zentry_notify.legacy_delivery (webhook_integration_id, id)
    WHERE status IN ('pending', 'retry');
COMMENT ON INDEX zentry_notify.legacy_delivery_waiting IS 'What waits, by webhook, in order of delivery';
CREATE INDEX legacy_delivery_finished ON zentry_notify.legacy_delivery (webhook_integration_id, id)
    WHERE status IN ('sent', 'failed');
COMMENT ON INDEX zentry_notify.legacy_delivery_finished IS 'What is finished, by webhook';
CREATE INDEX legacy_delivery_events ON zentry_notify.legacy_delivery (event_type, id)
    WHERE status IN ('sent', 'failed');
COMMENT ON INDEX zentry_notify.legacy_delivery_events IS 'What is finished, by event';
CREATE INDEX legacy_delivery_failed ON zentry_notify.legacy_delivery (id)
    WHERE status = 'failed';
COMMENT ON INDEX zentry_notify.legacy_delivery_failed IS 'What was given up';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.legacy_delivery', '');
