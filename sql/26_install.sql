-- The last step of CREATE EXTENSION: attach what is there, and say what is not.

DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'zentry_notify needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported', HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
    -- CREATE EXTENSION hides notices; these are for who runs it, so what the session had before holds.
    PERFORM pg_catalog.set_config('client_min_messages', s.reset_val, true) FROM pg_catalog.pg_settings s
      WHERE s.name OPERATOR(pg_catalog.=) 'client_min_messages';
END
$$;

DO $$
DECLARE
    attached text;
    missing  text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%s (%s)', a.relation, a.event_type), ', ') FILTER (WHERE a.state OPERATOR(pg_catalog.=) 'attached'),
           pg_catalog.string_agg(pg_catalog.format('%s (%s)', a.relation, a.event_type), ', ') FILTER (WHERE a.state OPERATOR(pg_catalog.<>) 'attached')
      INTO attached, missing
      FROM @extschema@.zentry_attach() a;
    IF attached IS NOT NULL THEN
        RAISE NOTICE 'zentry_notify: attached to %', attached;
    END IF;
    IF missing IS NOT NULL THEN
        RAISE NOTICE 'zentry_notify: not found: %', missing
            USING HINT = 'Once these tables exist: SELECT * FROM @extschema@.zentry_attach();';
    END IF;
    PERFORM zentry_notify.warn_unless_preloaded();
END
$$;
