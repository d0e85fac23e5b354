-- From 0.2.0 to 0.3.0. What is structural stands here; what can be run again comes from the files of the installation.

-- As in 01_schema.sql: nothing that somebody put into the extension's schema must become part of ours.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

-- The library that is in memory says its version; a new one on disk is not the one that runs.
DO $$
BEGIN
    IF zentry_notify.library_version() OPERATOR(pg_catalog.<>) '0.3.0' THEN
        RAISE EXCEPTION 'zentry_notify: the server still runs the library of version %', zentry_notify.library_version()
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
    END IF;
END
$$;

--# include steps/lock.sql

--# include 06_rust_functions.sql
--# include 07_triggers.sql
--# include 08_views.sql
--# include 09_webhook_functions.sql
--# include 10_delivery_functions.sql
--# include 11_attach.sql
--# include 11_table_changes.sql
--# include 11_api.sql
--# include 17_statistics.sql
--# include 18_status.sql
--# include 19_import.sql
--# include 21_event_definition.sql
--# include 22_event_types.sql
--# include 12_privileges.sql

-- The structure that the above leads to, as digests of its files.
--# structure 01_schema.sql 6199a1558512c580
--# structure 02_event_type.sql d457a60de6bce5f9
--# structure 03_webhook_integration.sql 1760c6163476c860
--# structure 04_notification_log.sql 8731c9959833d014
--# structure 05_event_source.sql 56a6920c897754d6
--# structure 11_api_token.sql 792468479efe1a67
--# structure 13_install.sql 791a504ceeabc87f
--# structure 16_delivery_stat.sql 975f394c8f1c4fc4
--# structure 20_event_wording.sql 6bec6c345afd881d
