-- From 0.1.0 to 0.2.0. What is structural stands here; what can be run again comes from the files of the installation.

-- As in 01_schema.sql: nothing that somebody put into the extension's schema must become part of ours.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

DO $$
BEGIN
    CREATE FUNCTION zentry_notify.library_version() RETURNS text
        LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'zentry_notify: the server still runs the library of an earlier version'
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
END
$$;

--# include steps/lock.sql

ALTER TABLE zentry_notify.event_type
    ADD COLUMN text     text NOT NULL DEFAULT '',
    ADD COLUMN fields   jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN colour   text NOT NULL DEFAULT '#808080',
    ADD COLUMN emoji    text NOT NULL DEFAULT '',
    ADD COLUMN footer   text,
    ADD COLUMN time_key text,
    ADD COLUMN sample   jsonb;
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

ALTER TABLE zentry_notify.event_source
    DROP CONSTRAINT event_source_event_type_fkey,
    ADD COLUMN insert_when text,
    ADD COLUMN update_when text,
    ADD COLUMN delete_when text,
    ADD COLUMN rider       text,
    ADD COLUMN by_hand     boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN zentry_notify.event_source.columns IS
    'Key of the event''s data -> column name, or {"old": column name} before the write, or {"from": table, "match": its key, "key": column or another lookup, "column": its column}, or {"value": constant}, or {"expression": SQL over the row "new", "columns": those that it names}';
COMMENT ON COLUMN zentry_notify.event_source.insert_when IS 'WHEN of the insert trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.event_source.update_when IS 'WHEN of the update trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.event_source.delete_when IS 'WHEN of the delete trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.event_source.by_hand IS 'Attached with a mapping of its own, which zentry_attach() keeps';
COMMENT ON COLUMN zentry_notify.event_source.rider IS 'Another event of the table that these triggers serve too, because each WHEN costs every write';

DROP FUNCTION @extschema@.zentry_test_event(text, bigint);
DROP FUNCTION @extschema@.zentry_detach(regclass);
DROP FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text);

--# include 06_rust_functions.sql
--# include 07_triggers.sql
--# include 08_views.sql
--# include 09_webhook_functions.sql
--# include 10_delivery_functions.sql
--# include 11_attach.sql
DROP FUNCTION zentry_notify.caller_owns(regclass);
--# include 14_api_token.sql
--# include 15_api.sql
-- What the triggers' conditions are stands with the sources now.
UPDATE zentry_notify.event_source s
   SET insert_when = z.insert_when, update_when = z.update_when, delete_when = z.delete_when, rider = z.rider
  FROM zentry_notify.zentry_source z
 WHERE s.event_type OPERATOR(pg_catalog.=) z.event_type AND s.relation OPERATOR(pg_catalog.=) pg_catalog.to_regclass(z.relation);

--# include 20_event_wording.sql
--# include 21_event_definition.sql
--# include 22_event_types.sql
--# include 12_privileges.sql

--# The structure that the above leads to, as digests of its files.
--# structure 01_schema.sql 6199a1558512c580
--# structure 02_event_type.sql d457a60de6bce5f9
--# structure 03_webhook_integration.sql 5296144989355348
--# structure 04_notification_log.sql 42a16fb2ac4a33ba
--# structure 05_event_source.sql 8a860bc99b1c83e1
--# structure 13_install.sql 791a504ceeabc87f
