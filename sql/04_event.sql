-- Events: a row for each write that at least one webhook subscribes to, whatever the number of webhooks; the data that the worker looked up
-- for it; and which events are routed.

CREATE TABLE zentry_notify.event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    source_id  bigint,
    event_type text NOT NULL,
    data       json NOT NULL,
    context    json
) WITH (
    -- Rows are only inserted, at the rate of the traffic, and never updated.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event IS
    'Captured events, written in the application''s own transactions and never changed. Ids follow the order of the writes, not of the commits';
COMMENT ON COLUMN zentry_notify.event.id IS 'Id of the event';
COMMENT ON COLUMN zentry_notify.event.created_at IS 'When it happened: the time of the transaction that wrote it';
COMMENT ON COLUMN zentry_notify.event.source_id IS 'Id of the event source whose table was written; null: a function created the event';
COMMENT ON COLUMN zentry_notify.event.event_type IS 'Event type; project_progress: internal, the worker computes milestones from it, and no webhook can subscribe to it';
COMMENT ON COLUMN zentry_notify.event.data IS 'The event''s data that come from the written row';
COMMENT ON COLUMN zentry_notify.event.context IS
    'JSON object that only the worker uses, or null. columns: values of other columns, by name; progress: how many tasks of each project were added, removed or completed; cut: keys whose value was too long; routed: its deliveries were written with it; partition_owner: OID of the role that owns the partition that was written, if it does not own the attached table; traceparent: trace context of the write';

CREATE TABLE zentry_notify.event_detail (
    event_id bigint PRIMARY KEY,
    data     jsonb NOT NULL
) WITH (
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event_detail IS 'Data that the worker added to events: looked-up names and computed values';
COMMENT ON COLUMN zentry_notify.event_detail.event_id IS 'The event';
COMMENT ON COLUMN zentry_notify.event_detail.data IS 'Additional data; they come before the event''s own, key by key';

CREATE TABLE zentry_notify.route_cursor (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    routed    int8multirange NOT NULL DEFAULT '{}',
    restored  text NOT NULL DEFAULT 'no' CHECK (restored IN ('no', 'awaited', 'yes')),
    split     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(split) = 'object')
) WITH (fillfactor = 20);
COMMENT ON TABLE zentry_notify.route_cursor IS 'Which events are routed: one row, which the worker updates in the transaction that writes the deliveries';
COMMENT ON COLUMN zentry_notify.route_cursor.singleton IS 'Always true: the table has one row';
COMMENT ON COLUMN zentry_notify.route_cursor.routed IS 'Ranges of event ids that are routed or will never be used; the first range has no lower bound';
COMMENT ON COLUMN zentry_notify.route_cursor.split IS
    'Partly routed events: for each, the webhooks whose deliveries could not be written; the deliveries of the others are';
COMMENT ON COLUMN zentry_notify.route_cursor.restored IS
    'awaited: events of a dump have been restored, and the route cursor has not, so nothing is routed; yes: the cursor comes from a dump; no: no dump was restored';

INSERT INTO zentry_notify.route_cursor DEFAULT VALUES;

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_detail', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.route_cursor', '');
