-- What was written: a row for each write that somebody wants to hear of, what the worker found out about it, and which of these rows
-- are routed. A row stands for the event alone, however many hear of it.

CREATE TABLE zentry_notify.event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    source_id  bigint,
    event_type text NOT NULL,
    data       json NOT NULL,
    context    json
) WITH (
    -- Rows come in step with the traffic and are never updated.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event IS
    'Every event that was captured, written in the application''s own transaction and never changed. Ids are given in the order of the writes, not of the commits';
COMMENT ON COLUMN zentry_notify.event.id IS 'Number of the event';
COMMENT ON COLUMN zentry_notify.event.created_at IS 'When it happened: the time of the transaction that wrote it';
COMMENT ON COLUMN zentry_notify.event.source_id IS 'Number of the event source whose table was written; null: a function made it';
COMMENT ON COLUMN zentry_notify.event.event_type IS 'What happened; project_progress: nobody can hear of it, the worker counts milestones by it';
COMMENT ON COLUMN zentry_notify.event.data IS 'The event''s data as far as the written row has them';
COMMENT ON COLUMN zentry_notify.event.context IS
    'What only the worker needs, a JSON object, or null: columns: values of other columns, by name; progress: how the tasks of projects changed; cut: keys whose value was too long; routed: its deliveries were written with it; partition_owner: number of the role that owns the partition that was written, where another one owns the attached table; traceparent: the place in a trace that it was written at';

CREATE TABLE zentry_notify.event_detail (
    event_id bigint PRIMARY KEY,
    data     jsonb NOT NULL
) WITH (
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event_detail IS 'What the worker found out about an event: names that were looked up, computed values';
COMMENT ON COLUMN zentry_notify.event_detail.event_id IS 'The event';
COMMENT ON COLUMN zentry_notify.event_detail.data IS 'Goes before the event''s own data, key by key';

CREATE TABLE zentry_notify.route_cursor (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    routed    int8multirange NOT NULL DEFAULT '{}',
    restored  text NOT NULL DEFAULT 'no' CHECK (restored IN ('no', 'awaited', 'yes')),
    split     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(split) = 'object')
) WITH (fillfactor = 20);
COMMENT ON TABLE zentry_notify.route_cursor IS 'Which events are routed: one row, which the worker writes with the deliveries';
COMMENT ON COLUMN zentry_notify.route_cursor.singleton IS 'There is one row';
COMMENT ON COLUMN zentry_notify.route_cursor.routed IS 'Ids of events that are routed, or that no event will ever have; the first range has no lower bound';
COMMENT ON COLUMN zentry_notify.route_cursor.split IS
    'Events that are routed in part: of each, the webhooks whose deliveries the database does not take; the others have theirs';
COMMENT ON COLUMN zentry_notify.route_cursor.restored IS
    'awaited: a dump''s events are here and its cursor is not yet, so nothing is routed; yes: the cursor came from a dump; no: neither';

INSERT INTO zentry_notify.route_cursor DEFAULT VALUES;

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_detail', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.route_cursor', '');
