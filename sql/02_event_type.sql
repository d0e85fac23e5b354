-- What can happen, and what a message of it says. The built-in types are rows like those of users (38_event_types.sql fills them in).

CREATE TABLE zentry_notify.event_type (
    name       varchar(50) PRIMARY KEY CHECK (name OPERATOR(pg_catalog.~) '^[a-z][a-z0-9_]*$'),
    title      text NOT NULL,
    built_in   boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    text       text NOT NULL DEFAULT '',
    fields     jsonb NOT NULL DEFAULT '[]' CHECK (pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.=) 'array'),
    colour     text NOT NULL DEFAULT '#808080',
    emoji      text NOT NULL DEFAULT '',
    footer     text,
    time_key   text,
    sample     jsonb CHECK (pg_catalog.jsonb_typeof(sample) OPERATOR(pg_catalog.=) 'object'),
    url        text,
    thumbnail  text
);
COMMENT ON TABLE zentry_notify.event_type IS
    'The kinds of events that an integration can subscribe to, and what their messages say. title, text and the fields'' values are templates in Jinja''s language over the event''s data';
COMMENT ON COLUMN zentry_notify.event_type.name IS 'The name that rows, filters and payloads carry';
COMMENT ON COLUMN zentry_notify.event_type.title IS 'The message''s title; a template';
COMMENT ON COLUMN zentry_notify.event_type.built_in IS 'Comes with the extension';
COMMENT ON COLUMN zentry_notify.event_type.created_at IS 'When the type was added';
COMMENT ON COLUMN zentry_notify.event_type.text IS 'The message''s text; a template in which ** switches bold on and off';
COMMENT ON COLUMN zentry_notify.event_type.fields IS 'Array of {"name", "value"}: names and, as templates, values; a field whose value comes out empty is left out';
COMMENT ON COLUMN zentry_notify.event_type.colour IS 'The message''s colour, #rrggbb';
COMMENT ON COLUMN zentry_notify.event_type.emoji IS 'Shown before the title';
COMMENT ON COLUMN zentry_notify.event_type.footer IS 'Small print below the message';
COMMENT ON COLUMN zentry_notify.event_type.time_key IS 'Key of the data with the event''s own time; null: the time of the write counts';
COMMENT ON COLUMN zentry_notify.event_type.sample IS 'Data such as the event has, for previews and trials';

COMMENT ON COLUMN zentry_notify.event_type.url IS
    'Address of the thing that the event is about; a template, such as /tasks/{{ task_id }} below zentry_notify.link_base, or https://...';
COMMENT ON COLUMN zentry_notify.event_type.thumbnail IS 'Address of a picture of it; a template like url';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_type', 'WHERE NOT built_in');
