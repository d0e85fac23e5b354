-- The route cursor: restoring it from a dump, and what is not routed yet.

-- Restored events look unrouted until the dump's cursor is restored as well. Whether a session restores a dump is recognized by its role and the
-- settings that a dump begins with. Other sessions may have these settings too; so the worker and the triggers write events as the agent, and
-- functions that write events pin the settings.
CREATE OR REPLACE FUNCTION zentry_notify.await_cursor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE zentry_notify.route_cursor c SET restored = 'awaited' WHERE c.restored = 'no';
    -- A dump may contain deliveries before their events.
    PERFORM zentry_notify.wake('{}');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.await_cursor() IS 'Trigger: stops the routing of events that a dump brings until the dump''s cursor is restored';

CREATE OR REPLACE FUNCTION zentry_notify.restore_cursor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.route_cursor;
    NEW.restored := 'yes';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.restore_cursor() IS 'Trigger: replaces the route cursor by the one that a dump brings';

-- The events that are not routed yet.
CREATE OR REPLACE FUNCTION zentry_notify.unrouted_events() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    -- The gaps of the cursor and the ids above it, each by the primary key.
    SELECT count(*)
      FROM (SELECT FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
              CROSS JOIN LATERAL (
                   SELECT FROM zentry_notify.event e
                    WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
                    LIMIT 100000) e
             LIMIT 100000) waiting
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_events() IS
    'Returns the number of events that are not routed yet; 100000: at least so many';

CREATE OR REPLACE FUNCTION zentry_notify.unrouted_since() RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (SELECT e.created_at FROM zentry_notify.event e
             WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
             ORDER BY e.id LIMIT 1) AS created_at
      FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
     ORDER BY created_at LIMIT 1
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_since() IS 'Returns when the first event that is not routed yet happened; null: all are routed';

CREATE OR REPLACE FUNCTION zentry_notify.route_from_now() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
BEGIN
    -- As a restored cursor, it replaces the one that is there (restore_cursor).
    INSERT INTO zentry_notify.route_cursor (routed)
    SELECT int8multirange(int8range(NULL, coalesce(max(e.id), 0) + 1)) FROM zentry_notify.event e;
    PERFORM zentry_notify.wake('{}');
END
$$;
COMMENT ON FUNCTION zentry_notify.route_from_now() IS 'Marks all present events as routed. For a database that was restored from a dump with events and without a route cursor';
