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

ALTER TABLE zentry_notify.webhook_integration ADD COLUMN omit_keys text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN zentry_notify.webhook_integration.omit_keys IS
    'Keys of the events'' data that this webhook''s deliveries do not have, such as {task_description}: they are neither kept nor sent';
ALTER TABLE zentry_notify.webhook_integration
    ADD COLUMN filter jsonpath,
    ADD COLUMN min_streak_days integer CHECK (min_streak_days > 0),
    ADD COLUMN milestones integer[] CHECK (milestones <> '{}' AND 1 <= ALL (milestones) AND 100 >= ALL (milestones)),
    ADD COLUMN quiet_hours text,
    ADD COLUMN mention text;
COMMENT ON COLUMN zentry_notify.webhook_integration.filter IS 'Only events whose data this JSON path predicate is true of are heard, such as $.points > 20; null: all';
COMMENT ON COLUMN zentry_notify.webhook_integration.min_streak_days IS 'Of daily_streak, only streaks of so many days are heard; null: all';
COMMENT ON COLUMN zentry_notify.webhook_integration.milestones IS 'Of milestone_reached, only these are heard, in per cent; null: all';
COMMENT ON COLUMN zentry_notify.webhook_integration.quiet_hours IS 'When nothing is sent, such as 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 UTC; what comes meanwhile is sent afterwards';
COMMENT ON COLUMN zentry_notify.webhook_integration.mention IS 'Whom each message pings: role:ID or user:ID in Discord, user:ID NAME in a Workflows flow of Teams';

ALTER TABLE zentry_notify.event_source ADD COLUMN omit text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN zentry_notify.event_source.omit IS
    'Keys of the event''s data that are left out for everybody, such as {task_description}: their columns are not read for it. zentry_attach keeps it';
ALTER TABLE zentry_notify.event_source
    ADD COLUMN transition jsonb,
    ADD COLUMN update_of text[];
COMMENT ON COLUMN zentry_notify.event_source.rider IS 'Another event of the table that these triggers serve too, because each trigger costs every write';
COMMENT ON COLUMN zentry_notify.event_source.transition IS
    'What a write has to change: {"column": column, "to": text}. The trigger asks, not its WHEN, which PostgreSQL reads anew in each statement; null: WHEN says all';
COMMENT ON COLUMN zentry_notify.event_source.update_of IS 'Columns of which an UPDATE has to name one for its trigger to be called; null: every UPDATE';

COMMENT ON COLUMN zentry_notify.notification_log.payload IS
    'The event''s data, as of the moment of the write; JSON null once it is done with, while zentry_notify.log_payloads is off';

DROP FUNCTION @extschema@.zentry_register_webhook(text, text, text, bigint, text[], boolean, bigint);
DROP FUNCTION @extschema@.zentry_update_webhook(bigint, text, text, text, bigint, text[], boolean);
DROP FUNCTION zentry_notify.caller_owns(regclass);
DROP FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text);

CREATE INDEX notification_log_finished ON zentry_notify.notification_log (webhook_integration_id, id)
    WHERE status IN ('sent', 'failed');
COMMENT ON INDEX zentry_notify.notification_log_finished IS 'What is finished, by integration';
CREATE INDEX notification_log_events ON zentry_notify.notification_log (event_type, id)
    WHERE status IN ('sent', 'failed');
COMMENT ON INDEX zentry_notify.notification_log_events IS 'What is finished, by event';
CREATE INDEX notification_log_failed ON zentry_notify.notification_log (id)
    WHERE status = 'failed';
COMMENT ON INDEX zentry_notify.notification_log_failed IS 'What was given up';

--# include 16_delivery_stat.sql
--# include 06_rust_functions.sql
--# include 07_triggers.sql
--# include 08_views.sql
--# include 09_webhook_functions.sql
--# include 10_delivery_functions.sql
--# include 11_attach.sql
--# include 11_table_changes.sql
--# include 11_api_token.sql
--# include 11_api.sql
--# include 17_statistics.sql
--# include 18_status.sql
--# include 19_import.sql
--# include 20_event_wording.sql
--# include 21_event_definition.sql
--# include 22_event_types.sql
--# include 12_privileges.sql

--# The structure that the above leads to, as digests of its files.
--# structure 01_schema.sql 6199a1558512c580
--# structure 02_event_type.sql d457a60de6bce5f9
--# structure 03_webhook_integration.sql 1760c6163476c860
--# structure 04_notification_log.sql 8731c9959833d014
--# structure 05_event_source.sql 56a6920c897754d6
--# structure 13_install.sql 791a504ceeabc87f
