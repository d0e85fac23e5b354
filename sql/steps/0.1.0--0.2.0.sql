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

ALTER TABLE zentry_notify.event_source ADD transition jsonb;
COMMENT ON COLUMN zentry_notify.event_source.transition IS
    'What an UPDATE has to change: {"column": column}, or {"column": column, "to": text} when only that value fires. WHEN asks whether it changed, the trigger what it became: each constant in a WHEN costs every write';
DROP FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text);

--# include 06_rust_functions.sql
--# include 07_triggers.sql
--# include 08_views.sql
--# include 09_webhook_functions.sql
--# include 10_delivery_functions.sql
--# include 11_attach.sql
--# include 14_api_token.sql
--# include 15_api.sql
--# include 12_privileges.sql

--# The structure that the above leads to, as digests of its files.
--# structure 01_schema.sql 6199a1558512c580
--# structure 02_event_type.sql c56e0cc76e86bcc4
--# structure 03_webhook_integration.sql 5296144989355348
--# structure 04_notification_log.sql 42a16fb2ac4a33ba
--# structure 05_event_source.sql b0f1edad70d9a091
--# structure 13_install.sql 791a504ceeabc87f
