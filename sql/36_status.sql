-- The whole status. One function for each part of the way from the write to the message; what they return, zentry_status() returns.

CREATE OR REPLACE FUNCTION zentry_notify.status_part(part text) RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE part
        WHEN 'server' THEN RETURN QUERY SELECT * FROM zentry_notify.status_server();
        WHEN 'worker' THEN RETURN QUERY SELECT * FROM zentry_notify.status_worker();
        WHEN 'senders' THEN RETURN QUERY SELECT * FROM zentry_notify.status_senders();
        WHEN 'settings' THEN RETURN QUERY SELECT * FROM zentry_notify.status_settings();
        WHEN 'privileges' THEN RETURN QUERY SELECT * FROM zentry_notify.status_privileges();
        WHEN 'tables' THEN RETURN QUERY SELECT * FROM zentry_notify.status_tables();
        WHEN 'replication' THEN RETURN QUERY SELECT * FROM zentry_notify.status_replication();
        WHEN 'events' THEN RETURN QUERY SELECT * FROM zentry_notify.status_sources();
        WHEN 'webhooks' THEN RETURN QUERY SELECT * FROM zentry_notify.status_webhooks();
        WHEN 'routing' THEN RETURN QUERY SELECT * FROM zentry_notify.status_events();
        WHEN 'queue' THEN RETURN QUERY SELECT * FROM zentry_notify.status_queue();
        WHEN 'failures' THEN RETURN QUERY SELECT * FROM zentry_notify.status_log();
    END CASE;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_part(text) IS 'One of the parts of zentry_status()';

-- Whatever our tables hold, and whoever locks them: the other parts are told all the same, and nobody is waited for.
CREATE OR REPLACE FUNCTION @extschema@.zentry_status() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
AS $$
DECLARE
    -- The schema of these functions may have been renamed since they were made.
    here      CONSTANT text := (SELECT e.extnamespace::regnamespace FROM pg_extension e WHERE e.extname = 'zentry_notify') || '.zentry_';
    is_locked boolean := false;
    part      text;
    line      record;
BEGIN
    FOREACH part IN ARRAY '{server,worker,senders,settings,privileges,tables,replication,events,webhooks,routing,queue,failures}'::text[] LOOP
        BEGIN
            FOR line IN SELECT * FROM zentry_notify.status_part(part) LOOP
                subject := line.subject;
                state := coalesce(line.state, 'attention');
                detail := coalesce(line.detail, '');
                remedy := zentry_notify.one_comment(replace(coalesce(line.remedy, ''), '@extschema@.zentry_', here));
                RETURN NEXT;
            END LOOP;
        EXCEPTION
            WHEN lock_not_available THEN
                is_locked := true;
                subject := part;
                state := 'attention';
                detail := 'cannot be found out while a table is locked';
                remedy := '-- see the line of the table, or ask again';
                RETURN NEXT;
            WHEN OTHERS THEN
                -- Without PostgreSQL's message, which may show a value.
                subject := part;
                state := 'broken';
                detail := format('cannot be found out (SQLSTATE %s): somebody has changed our tables, or has written into them what does not belong there', SQLSTATE);
                remedy := format('-- as a superuser, SELECT * FROM zentry_notify.status_part(%L); says more', part);
                RETURN NEXT;
        END;
    END LOOP;
    IF is_locked THEN
        RETURN QUERY SELECT l.subject, l.state, l.detail, zentry_notify.one_comment(l.remedy) FROM zentry_notify.status_locks() l;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_status() IS
    'Whether everything works: one row for each part of the way from the write to the message. state is ok, attention or broken; remedy is the SQL that mends it, or a comment that says what to do';
