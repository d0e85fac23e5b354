-- Event types, and what their messages say. The built-in types are rows like those of users (38_event_types.sql inserts them).

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
    'Event types: what webhooks subscribe to, and what the messages say. title, text and the values in fields are templates in Jinja''s language over the event''s data';
COMMENT ON COLUMN zentry_notify.event_type.name IS 'Name of the event type, used in deliveries, filters and payloads';
COMMENT ON COLUMN zentry_notify.event_type.title IS 'Title of the message; a template';
COMMENT ON COLUMN zentry_notify.event_type.built_in IS 'Whether the event type comes with the extension';
COMMENT ON COLUMN zentry_notify.event_type.created_at IS 'When the type was added';
COMMENT ON COLUMN zentry_notify.event_type.text IS 'Text of the message; a template in which ** switches bold on and off';
COMMENT ON COLUMN zentry_notify.event_type.fields IS 'Fields of the message: array of {"name", "value"}, where value is a template; a field whose value is empty is left out';
COMMENT ON COLUMN zentry_notify.event_type.colour IS 'Colour of the message, #rrggbb';
COMMENT ON COLUMN zentry_notify.event_type.emoji IS 'Emoji before the title';
COMMENT ON COLUMN zentry_notify.event_type.footer IS 'Footer of the message';
COMMENT ON COLUMN zentry_notify.event_type.time_key IS 'Key of the data that holds the event''s own time; null: the time of the write is used';
COMMENT ON COLUMN zentry_notify.event_type.sample IS 'Sample data, used for previews and test messages';

COMMENT ON COLUMN zentry_notify.event_type.url IS
    'Link to what the event is about; a template, such as /tasks/{{ task_id }} (relative to zentry_notify.link_base) or https://...';
COMMENT ON COLUMN zentry_notify.event_type.thumbnail IS 'URL of a picture; a template, as url';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_type', 'WHERE NOT built_in');
