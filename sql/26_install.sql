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
    source   record;
    attached text[] := '{}';
    missing  text[] := '{}';
BEGIN
    FOR source IN SELECT pg_catalog.format('%s (%s)', a.relation, a.event_type) AS name, a.state FROM @extschema@.zentry_attach() a LOOP
        IF source.state OPERATOR(pg_catalog.=) 'attached' THEN
            attached := pg_catalog.array_append(attached, source.name);
        ELSIF source.state OPERATOR(pg_catalog.=) 'not found' THEN
            missing := pg_catalog.array_append(missing, source.name);
        ELSE
            RAISE NOTICE 'zentry_notify: % %', source.name, source.state
                USING HINT = 'If it is not Zentry''s table, nothing is to be done. Else mend it and run SELECT * FROM @extschema@.zentry_attach(), or say what its columns mean: SELECT @extschema@.zentry_attach(event_type, table, columns);';
        END IF;
    END LOOP;
    IF attached OPERATOR(pg_catalog.<>) '{}' THEN
        RAISE NOTICE 'zentry_notify: attached to %', pg_catalog.array_to_string(attached, ', ');
    END IF;
    IF missing OPERATOR(pg_catalog.<>) '{}' THEN
        RAISE NOTICE 'zentry_notify: not found: %', pg_catalog.array_to_string(missing, ', ')
            USING HINT = 'Once these tables exist: SELECT * FROM @extschema@.zentry_attach();';
    END IF;
    PERFORM zentry_notify.warn_unless_preloaded();
END
$$;
