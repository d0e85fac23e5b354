-- The log of 0.2.0, in which a row was both event and delivery. The views still show its rows, and the worker moves them to event and delivery
-- in pages: waiting ones before it routes anything, finished ones gradually. Empty where 0.3 was the first version.

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
    -- It is emptied in pages, which leaves dead rows, and vacuum must keep up.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.legacy_delivery IS 'The log of 0.2.0, until the worker has moved its rows to event and delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.id IS 'Id of the delivery; ids in delivery continue above these';
COMMENT ON COLUMN zentry_notify.legacy_delivery.webhook_integration_id IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.event_type IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.payload IS 'The event''s data; JSON null: not stored';
COMMENT ON COLUMN zentry_notify.legacy_delivery.status IS 'pending, retry, sent or failed';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_status_code IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_body IS 'As in delivery; empty: none';
COMMENT ON COLUMN zentry_notify.legacy_delivery.error_message IS 'As in delivery; empty: nothing';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_count IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.attempts IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.legacy_delivery.sent_at IS 'When the endpoint accepted it';
COMMENT ON COLUMN zentry_notify.legacy_delivery.next_attempt_at IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_of IS 'As in delivery';

CREATE INDEX legacy_delivery_waiting ON zentry_notify.legacy_delivery (webhook_integration_id, id)
    WHERE status IN ('pending', 'retry');
COMMENT ON INDEX zentry_notify.legacy_delivery_waiting IS 'Waiting deliveries by webhook, in the order of sending';
CREATE INDEX legacy_delivery_finished ON zentry_notify.legacy_delivery (webhook_integration_id, id)
    WHERE status IN ('sent', 'failed');
COMMENT ON INDEX zentry_notify.legacy_delivery_finished IS 'Finished deliveries by webhook';
CREATE INDEX legacy_delivery_events ON zentry_notify.legacy_delivery (event_type, id)
    WHERE status IN ('sent', 'failed');
COMMENT ON INDEX zentry_notify.legacy_delivery_events IS 'Finished deliveries by event type';
CREATE INDEX legacy_delivery_failed ON zentry_notify.legacy_delivery (id)
    WHERE status = 'failed';
COMMENT ON INDEX zentry_notify.legacy_delivery_failed IS 'Failed deliveries';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.legacy_delivery', '');
