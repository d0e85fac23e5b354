-- What can happen.

CREATE TABLE zentry_notify.event_type (
    name       varchar(50) PRIMARY KEY CHECK (name OPERATOR(pg_catalog.~) '^[a-z][a-z0-9_]*$'),
    title      text NOT NULL,
    built_in   boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE zentry_notify.event_type IS 'The kinds of events that an integration can subscribe to';
COMMENT ON COLUMN zentry_notify.event_type.name IS 'The name that rows, filters and payloads carry';
COMMENT ON COLUMN zentry_notify.event_type.title IS 'The name for people';
COMMENT ON COLUMN zentry_notify.event_type.built_in IS 'Comes with the extension';
COMMENT ON COLUMN zentry_notify.event_type.created_at IS 'When the type was added';

INSERT INTO zentry_notify.event_type (name, title, built_in) VALUES
    ('task_completed', 'Task completed', true),
    ('badge_earned', 'Badge earned', true),
    ('project_created', 'Project created', true),
    ('milestone_reached', 'Milestone reached', true),
    ('daily_streak', 'Daily streak', true);

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_type', 'WHERE NOT built_in');
