-- zentry_status(), which returns what the functions for its parts return.

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
COMMENT ON FUNCTION zentry_notify.status_part(text) IS 'Returns one part of zentry_status(), with PostgreSQL''s own errors';

-- An error in one part, or a locked table, must not hide the other parts.
CREATE OR REPLACE FUNCTION @extschema@.zentry_status() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
AS $$
DECLARE
    -- The schema may have been renamed since the functions of the parts were created, which contain its former name.
    here      CONSTANT text := (SELECT e.extnamespace::regnamespace FROM pg_extension e WHERE e.extname = 'zentry_notify') || '.zentry_';
    is_locked boolean := false;
    -- Null, as it should be, if the owner is a superuser.
    former    CONSTANT name := (SELECT r.rolname FROM pg_roles r WHERE r.rolname = current_user AND NOT r.rolsuper);
    part      text;
    line      record;
BEGIN
    IF former IS NOT NULL THEN
        subject := 'owner';
        state := 'broken';
        detail := format('%s, to whom the extension belongs, is not a superuser: its functions fail, and parts of this are missing', former);
        -- A comment: either statement does more than a person may want.
        remedy := zentry_notify.one_comment(format('-- as a superuser, make it one again (ALTER ROLE %I SUPERUSER), or give all that it owns to one: REASSIGN OWNED BY %1$I TO %I',
            former, (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10)));
        RETURN NEXT;
    END IF;
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
                detail := 'unknown while a table is locked';
                remedy := '-- see the line about the table, or repeat the call';
                RETURN NEXT;
            WHEN OTHERS THEN
                CONTINUE WHEN former IS NOT NULL AND SQLSTATE = '42501';
                -- The message is left out, because it may contain a secret value.
                subject := part;
                state := 'broken';
                detail := format('unknown, because of an error (SQLSTATE %s): the extension''s tables were changed, or have rows that it did not write', SQLSTATE);
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
    'Returns whether everything works: one row or more for each part of the path from the write to the message. state is ok, attention or broken; remedy is SQL that corrects it, or a comment that says what to do';
